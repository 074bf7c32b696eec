//! A receiver of webhooks. Verifies each request, and prints a line for each event it takes.
//!
//! With `hookwright standalone examples/quickstart`, in two terminals:
//!
//! ```sh
//! export WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
//! PORT=9101 cargo run --example receiver
//! PORT=9102 cargo run --example receiver -- --fail-first 2
//! ```

#![allow(clippy::print_stdout)] // It is a program for people.

mod receiver;

use std::error::Error;
use std::net::Ipv4Addr;

use clap::Parser;
use receiver::{Event, Receiver};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Receives webhooks, verifies their signatures and prints them
#[derive(Debug, Parser)]
struct Arguments {
    /// The port of 127.0.0.1 to listen on
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
    /// The secret that the webhook signs with
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true)]
    secret: String,
    /// Answer 503 to so many attempts of every event before taking it
    #[arg(long, default_value_t = 0)]
    fail_first: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let (queue, mut events) = mpsc::channel(1000);
    let router = Receiver::new(arguments.secret.into(), arguments.fail_first, queue).router();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, arguments.port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let Event { id, kind, webhook } = event;
            println!("received {kind} {id} attempt {} from {}", webhook.attempt, webhook.id);
        }
    });
    axum::serve(listener, router).await?;
    Ok(())
}
