//! The command line: every command with its arguments, variables and keys of the configuration file.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use super::{GENERATED, cell};
use crate::config::CommandLine;

/// Commands that are services, with settings rather than arguments.
const SERVICES: [&str; 2] = ["operator", "standalone"];

/// The page of the settings, and that of the commands.
pub(super) fn pages() -> [(String, String); 2] {
    let program = CommandLine::command();
    let commands: Vec<_> = program.get_subcommands().filter(|it| it.get_name() != "help").cloned().collect();
    let (services, others): (Vec<_>, Vec<_>) =
        commands.iter().partition(|command| SERVICES.contains(&command.get_name()));
    let mut settings = format!(
        "# Settings\n\n{GENERATED}\n\nA setting is a flag, a variable of the environment, or a key of the file that `--config` names \
         (YAML; the flag's name without its dashes), in this order.\n"
    );
    for service in services {
        section(&mut settings, service, true);
    }
    let mut page = format!(
        "# Command line\n\n{GENERATED}\n\nThe same program is a plugin of kubectl when it is found as `kubectl-hookwright`. Exit codes: \
         0 done, 1 failed or not delivered, 2 wrong usage, 3 nothing answers, 4 not allowed, 5 there is no such thing.\n"
    );
    for command in others {
        section(&mut page, command, false);
    }
    [("settings.md".to_owned(), settings), ("command-line.md".to_owned(), page)]
}

fn section(page: &mut String, command: &Command, in_file: bool) {
    let name = command.get_name();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## hookwright {name}\n\n{}.\n\n", cell(&about));
    let key = if in_file { " Key |" } else { "" };
    let arguments: Vec<_> = command.get_arguments().filter(|argument| !is_help(argument)).collect();
    if arguments.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "| Argument | Variable |{key} Default | Meaning |\n|---|---|{}---|---|",
        if in_file { "---|" } else { "" }
    );
    for argument in arguments {
        let variable =
            argument.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
        let key = argument
            .get_long()
            .filter(|name| *name != "config")
            .map(|name| format!("`{name}`"))
            .unwrap_or_default();
        let key = if in_file { format!(" {key} |") } else { String::new() };
        let help = cell(&argument.get_help().map(ToString::to_string).unwrap_or_default());
        let (meaning, said) = match help.split_once(" [default: ") {
            Some((meaning, default)) => (meaning.to_owned(), default.trim_end_matches(']').to_owned()),
            None => (help, String::new()),
        };
        let defaults: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let default = match () {
            () if argument.is_required_set() => "**required**".to_owned(),
            () if defaults.is_empty() => said,
            () => defaults.join(", "),
        };
        let _ = writeln!(page, "| {} | {variable} |{key} {default} | {meaning} |", usage(argument));
    }
}

fn usage(argument: &Arg) -> String {
    let value = argument.get_value_names().filter(|_| argument.get_action().takes_values());
    let value = value.and_then(|names| names.first()).map(ToString::to_string);
    match (argument.get_long(), argument.get_short(), value) {
        (Some(long), short, value) => {
            let short = short.map(|short| format!("`-{short}`, ")).unwrap_or_default();
            format!("{short}`--{long}{}`", value.map(|value| format!(" {value}")).unwrap_or_default())
        }
        (None, _, value) => {
            format!("`{}`", value.unwrap_or_else(|| argument.get_id().to_string().to_uppercase()))
        }
    }
}

/// What all commands have, or what is on no command line.
fn is_help(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
        || (argument.is_hide_set() && argument.get_env().is_none())
}
