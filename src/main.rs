//! Parses what the process is started for, and does it.
//!
//! Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage.

use std::io::{self, Write};
use std::process::ExitCode;

use hookwright::api::openapi;
use hookwright::config::{Config, ConfigError};
use hookwright::{app, cli, crd, reference};
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = match Config::read(std::env::args_os()) {
        Ok(config) => config,
        Err(ConfigError::Usage(usage)) => usage.exit(),
        Err(error @ (ConfigError::File { .. } | ConfigError::Exposed(_))) => {
            return fail(&error, WRONG_USAGE);
        }
    };
    let done = match config {
        Config::Operator(settings) => app::operator(settings),
        Config::Standalone(settings) => app::standalone(settings),
        Config::Backup(settings) => app::backup(&settings),
        Config::Restore(settings) => app::restore(&settings),
        Config::Crds => crd::yaml().map_err(app::Error::from).and_then(|yaml| print(&yaml)),
        Config::Openapi => openapi::text().map_err(app::Error::from).and_then(|text| print(&text)),
        Config::Reference(settings) => reference::write(&settings.folder).map_err(app::Error::Reference),
        Config::Use(command) => return used(cli::run(command)),
        Config::Version => print(concat!("hookwright ", env!("CARGO_PKG_VERSION"), "\n")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, FAILED),
    }
}

fn used(done: Result<(), cli::Error>) -> ExitCode {
    done.map_or_else(|error| fail(&error, error.code()), |()| ExitCode::SUCCESS)
}

fn print(text: &str) -> Result<(), app::Error> {
    io::stdout().write_all(text.as_bytes()).map_err(app::Error::Stdout)
}

/// Says why on one line.
fn fail(error: &dyn std::error::Error, code: u8) -> ExitCode {
    let line = error.to_string().replace(['\r', '\n'], " ");
    drop(writeln!(io::stderr(), "hookwright: {line}"));
    code.into()
}
