//! `hookwright completions` and `man`: made of the same definitions that parse the command line.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::error::Error;
use crate::config::CommandLine;

/// The name of the program.
const PROGRAM: &str = "hookwright";

/// Prints completions.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell, whose documentation says where they belong
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Error> {
        let (mut definitions, mut script) = (CommandLine::command(), Vec::new());
        clap_complete::generate(self.shell, &mut definitions, PROGRAM, &mut script);
        io::stdout().write_all(&script).map_err(Error::Stdout)
    }
}

/// Writes manual pages.
#[derive(Debug, Args)]
pub struct Man {
    /// Folder to write them into, such as /usr/local/share/man/man1
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(self) -> Result<(), Error> {
        let failed = |error| Error::Write { path: self.folder.clone(), source: error };
        clap_mangen::generate_to(CommandLine::command(), &self.folder).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_command_shows_examples_that_it_understands() {
        let program = CommandLine::command();
        for command in [
            "send",
            "test",
            "deliveries",
            "retry",
            "redrive",
            "rotate",
            "explain",
            "listen",
            "verify",
            "mock",
        ] {
            let help = program.find_subcommand(command).unwrap().get_after_help().unwrap().to_string();
            let examples = help.lines().filter_map(|line| line.strip_prefix("  "));
            let of_it: Vec<_> = examples.flat_map(|line| line.split(" | ")).collect();
            assert!(of_it.iter().any(|line| line.contains(&format!("hookwright {command} "))), "{help}");
            for example in of_it {
                let plain = example.trim_start_matches("kubectl ").replace('\'', "");
                let parsed = CommandLine::try_parse_from(plain.split_whitespace());
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }
}
