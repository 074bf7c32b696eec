//! The whole way of an event, without a cluster: `make demo`.
//!
//! Starts two receivers and the real `hookwright` on a copy of `examples/quickstart`, publishes two
//! events, shows every attempt as it happens, and ends well if everything arrived.

#![allow(clippy::print_stdout)] // It is a program for people.

mod hookwright;
mod table;

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hookwright_receiver::{Event, Receiver, Router, SecretString, Verifier};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use hookwright::Hookwright;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;
/// What was received, by whom.
type Received = (&'static str, Arc<Event>);

/// What `examples/quickstart/secret.yaml` says.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// More than enough for three attempts a second apart, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// The receivers: the name of their webhook, the port in its manifest, and how many attempts of
/// each event they answer with 500 before they take it.
const RECEIVERS: [(&str, u16, u32); 2] = [("warehouse", 9101, 0), ("billing", 9102, 2)];
const EVENTS: [&str; 2] = ["resource-created.json", "resource-updated.json"];

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<()> {
    let begin = Instant::now();
    println!("Two webhooks, two receivers, two events; no cluster.\n");
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    let (manifests, mut received) = prepare(&quickstart).await?;
    let mut hookwright = Hookwright::start(manifests.path()).await?;
    println!("  hookwright  {}\n", hookwright.url());

    println!("Publishing:\n");
    let mut deliveries = Vec::new();
    for file in EVENTS {
        let event = std::fs::read_to_string(quickstart.join("events").join(file))?;
        let accepted = hookwright.publish(event).await?;
        println!("  {file}  →  {} is durable, with {} deliveries", accepted.id, accepted.deliveries.len());
        deliveries.extend(accepted.deliveries);
    }

    println!("\nDelivering:\n");
    hookwright.show();
    let names = arrivals(&mut received, deliveries.len()).await?;
    let mut outcomes = Vec::new();
    for delivery in &deliveries {
        outcomes.push(hookwright.ended(delivery, PATIENCE).await?);
    }
    hookwright.stop().await?;

    println!("\nDelivered:\n");
    outcomes.sort_by_key(|delivery| (names.get(&delivery.webhook_id), delivery.event_type.clone()));
    table::print(&outcomes, &names);
    println!(
        "\nEverything arrived, with signatures that its receivers verified, in {:.1} s.",
        begin.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Starts the receivers on free ports, and copies the manifests with these ports filled in.
async fn prepare(quickstart: &Path) -> Result<(tempfile::TempDir, mpsc::Receiver<Received>)> {
    let (sender, received) = mpsc::channel(100);
    let mut manifests: Vec<(PathBuf, String)> = Vec::new();
    for entry in std::fs::read_dir(quickstart)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path)?;
            manifests.push((path, text));
        }
    }
    for (name, port, fail_first) in RECEIVERS {
        let free = receive(name, fail_first, sender.clone()).await?;
        for (_, text) in &mut manifests {
            *text = text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{free}"));
        }
    }
    let copy = tempfile::Builder::new().prefix("hookwright-demo-").tempdir()?;
    for (path, text) in manifests {
        std::fs::write(copy.path().join(path.file_name().unwrap_or_default()), text)?;
    }
    Ok((copy, received))
}

/// Starts a receiver, and tells of what it takes. Answers its port.
async fn receive(name: &'static str, fail_first: u32, taken: mpsc::Sender<Received>) -> Result<u16> {
    let router = Router::new().on("*", move |event: Arc<Event>| {
        let taken = taken.clone();
        async move {
            if event.webhook.as_ref().is_none_or(|webhook| webhook.attempt <= fail_first) {
                return Err("failing as told".into());
            }
            Result::Ok(taken.send((name, event)).await?)
        }
    });
    // The answer tells what became of the event, so that it is Hookwright that tries again.
    let (route, _work) =
        Receiver::new(router)?.answer_last().serve(Verifier::new([SecretString::from(SECRET)]));
    let app = axum::Router::new().route("/webhooks/pcf", route);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answers =
        if fail_first == 0 { "200".to_owned() } else { format!("500 {fail_first} times, then 200") };
    println!("  {name:<10}  http://{address}  answers {answers}");
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address.port())
}

/// Waits until the receivers have taken so many events; answers the names of the webhooks by id.
async fn arrivals(
    received: &mut mpsc::Receiver<Received>,
    expected: usize,
) -> Result<HashMap<String, &'static str>> {
    let mut names = HashMap::new();
    let all = async {
        for _ in 0..expected {
            let (name, event) = received.recv().await.ok_or("the receivers are gone")?;
            if !event.event_type.starts_with("resource.") {
                return Err(
                    format!("{name} got an event it did not subscribe to: {}", event.event_type).into()
                );
            }
            let webhook = event.webhook.as_ref().ok_or("an event came that no webhook brought")?;
            names.insert(webhook.id.clone(), name);
        }
        Result::Ok(())
    };
    timeout(PATIENCE, all).await.map_err(|_| "not every event arrived in time")??;
    Ok(names)
}
