//! The configuration file, as the flags it stands for.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use serde_yaml::{Mapping, Value};

/// Longest configuration file read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The flags that the file at `path` sets and `given` does not, for a subcommand that knows the
/// flags of `known`. Otherwise says what is wrong.
pub(super) fn flags(path: &Path, known: &Command, given: &ArgMatches) -> Result<Vec<OsString>, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let settings: Option<Mapping> = serde_yaml::from_str(&text).map_err(|error| error.to_string())?;
    let mut flags = Vec::new();
    for (key, value) in settings.unwrap_or_default() {
        let key = scalar(&key).ok_or("every key must be the name of a flag")?;
        let arg = known
            .get_arguments()
            .filter(|arg| is_setting(arg))
            .find(|arg| arg.get_long() == Some(&key))
            .ok_or_else(|| unknown(&key, known))?;
        let overridden = matches!(
            given.value_source(arg.get_id().as_str()),
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        );
        let values = values(&value).ok_or_else(|| format!("{key} must be a value or a list of values"))?;
        if !overridden {
            flags.extend(values.into_iter().map(|value| format!("--{key}={value}").into()));
        }
    }
    Ok(flags)
}

/// What a refused configuration file is reported with: clap says the essence first, then advice
/// about the command line.
pub(super) fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn is_setting(arg: &Arg) -> bool {
    arg.get_long().is_some() && !matches!(arg.get_id().as_str(), "config" | "help")
}

fn unknown(key: &str, command: &Command) -> String {
    let known: Vec<_> =
        command.get_arguments().filter(|arg| is_setting(arg)).filter_map(Arg::get_long).collect();
    format!("unknown key '{key}'; known are {}", known.join(", "))
}

fn values(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Sequence(values) => values.iter().map(scalar).collect(),
        single => scalar(single).map(|value| vec![value]),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        Value::String(value) => Some(value.clone()),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => None,
    }
}
