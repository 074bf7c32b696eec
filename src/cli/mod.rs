//! The command line of those who send, receive and look after webhooks.
//!
//! | commands | speak to |
//! |---|---|
//! | `send` `test` `deliveries` `retry` `redrive` `rotate` `explain` | the REST API or the API server, by a [`way`] |
//! | `listen` `mock` `verify` | nobody, or a receiver: they know what a receiver knows |
//! | `completions` `man` | the shell |
//!
//! What a command finds goes to stdout, in the form that was asked for ([`output`]); what it has to
//! say about that goes to stderr.

mod client;
mod cluster;
mod connection;
mod deliveries;
mod delivery;
mod error;
mod explain;
mod listen;
mod mock;
mod output;
mod progress;
mod send;
mod shell;
mod verify;
mod way;
mod webhooks;

use std::io;

use clap::Subcommand;

pub use self::error::Error;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Publish an event
    Send(send::Send),
    /// Send a test event to a webhook and show what its receiver answers
    Test(webhooks::Test),
    /// Show the deliveries of a webhook, newest first
    Deliveries(deliveries::Deliveries),
    /// Make a delivery due now, with as many attempts as a new one has
    Retry(deliveries::Retry),
    /// Make all failed deliveries of a webhook due now
    Redrive(webhooks::Redrive),
    /// Replace the signing secret of a webhook and show the new one
    Rotate(webhooks::Rotate),
    /// Say which webhooks would get an event, and why the others would not
    Explain(explain::Explain),
    /// Receive webhooks here, verify and show them
    Listen(listen::Listen),
    /// Check the signature of a captured request
    Verify(verify::Verify),
    /// Make a test event, and send it to a receiver if told so
    Mock(mock::Mock),
    /// Print the completions of a shell
    Completions(shell::Completions),
    /// Write the manual pages
    Man(shell::Man),
}

/// Does it.
pub fn run(command: Command) -> Result<(), Error> {
    // The provider of whatever does not name its own. It can only be installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    if std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb") {
        // Else a variable that systems of continuous integration set would count for more.
        anstream::ColorChoice::Never.write_global();
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime)?;
    let done = runtime.block_on(async {
        match command {
            Command::Send(command) => command.run().await,
            Command::Test(command) => command.run().await,
            Command::Deliveries(command) => command.run().await,
            Command::Retry(command) => command.run().await,
            Command::Redrive(command) => command.run().await,
            Command::Rotate(command) => command.run().await,
            Command::Explain(command) => command.run().await,
            Command::Listen(command) => command.run().await,
            Command::Verify(command) => command.run(),
            Command::Mock(command) => command.run().await,
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
        }
    });
    match done {
        // Whoever reads the first lines only, as `head` does, has what they wanted.
        Err(Error::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
