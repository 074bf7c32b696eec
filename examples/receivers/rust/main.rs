//! An example receiver. It prints what it receives.
//!
//! ```sh
//! export WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
//! cargo run --example receiver -- --listen 127.0.0.1:9101
//! cargo run --example receiver -- --listen 127.0.0.1:9102 --fail-first 2
//! ```

#![allow(clippy::print_stdout)] // It is a program for people.

mod receiver;

use std::error::Error;
use std::net::SocketAddr;

use clap::Parser;
use receiver::{Event, Receiver};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Receives webhooks, verifies their signatures and prints them
#[derive(Debug, Parser)]
struct Arguments {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9101")]
    listen: SocketAddr,
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
    let listener = TcpListener::bind(arguments.listen).await?;
    println!("receiving on http://{}/webhooks", listener.local_addr()?);
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let Event { id, kind, webhook } = event;
            println!("{kind} {id} from {}, attempt {}", webhook.id, webhook.attempt);
        }
    });
    axum::serve(listener, router).await?;
    Ok(())
}
