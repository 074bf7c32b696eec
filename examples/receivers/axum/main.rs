//! A receiver of webhooks on axum, with the crate `hookwright-receiver`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // It is a program for people.

use std::env;
use std::net::Ipv4Addr;
use std::sync::Arc;

use hookwright_receiver::{BoxError, Change, Event, Failure, Receiver, Router, SecretString, Verifier};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let secrets = env::var("WEBHOOK_SECRET").map_err(|_| "WEBHOOK_SECRET must hold the webhook's secret")?;
    let port: u16 = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;

    let receiver = Receiver::new(router())?.on_exhausted(give_up);
    let verifier = Verifier::new(secrets.split_whitespace().map(SecretString::from));
    let (route, work) = receiver.serve(verifier);
    let app = axum::Router::new().route("/webhooks/pcf", route);

    let mut terminated = signal(SignalKind::terminate())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let end = async move {
        terminated.recv().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(end).await?;
    work.finish().await; // What was acknowledged is done.
    Ok(())
}

/// What is done about events. This is yours to fill.
fn router() -> Router {
    Router::new()
        .on("resource.created", async |event: Arc<Event>| {
            let created: Change = event.data()?;
            println!("created {}", created.object.id);
            Ok::<_, BoxError>(())
        })
        .on("*", async |event: Arc<Event>| {
            let attempt = event.webhook.as_ref().map_or(1, |webhook| webhook.attempt);
            println!("received {} {} attempt {attempt}", event.event_type, event.id);
            Ok::<_, BoxError>(())
        })
}

/// The last that is heard of an event: keep it where somebody looks.
fn give_up(event: &Event, failures: &[Failure]) {
    for Failure { handler: _, pattern, error } in failures {
        eprintln!("gave up {} at {pattern}: {error}", event.id);
    }
}
