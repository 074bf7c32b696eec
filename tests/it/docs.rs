//! What the pages of `docs/` show is run: every command, manifest and program, in the order of the page.
//!
//! CONTRIBUTING.md says how a page is written. A page is found by itself: none can be left out. `PAGE=install` runs one.

mod expected;
mod links;
mod observability;
mod page;
mod session;
mod stage;
mod troubleshooting;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use self::page::{Page, Step};
use self::session::Session;
use self::stage::Stage;
use crate::support::DEADLINE;

/// Pages run at a time: each that installs a release has a control plane of its own.
const AT_A_TIME: usize = 3;

/// How often a command that only looks is run again.
const AGAIN: Duration = Duration::from_millis(250);

fn pages() -> Vec<Page> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"));
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let only = std::env::var("PAGE").ok();
    let mut pages: Vec<_> =
        paths.iter().map(|path| Page::read(path).unwrap_or_else(|error| panic!("{error}"))).collect();
    pages.retain(|page| only.as_ref().is_none_or(|only| *only == page.name));
    pages
}

/// Does what a page says.
async fn follow(page: &Page) -> Result<(), String> {
    if page.steps.is_empty() {
        return Ok(());
    }
    let mut stage = Stage::set(&page.name, page.release).await;
    let mut session = Session::start(&stage).await;
    for (line, step) in &page.steps {
        take(step, &mut stage, &mut session)
            .await
            .map_err(|what| format!("docs/{}.md:{line}: {what}", page.name))?;
    }
    Ok(())
}

async fn take(step: &Step, stage: &mut Stage, session: &mut Session) -> Result<(), String> {
    match step {
        Step::Run(commands) => session.run(&stage.put_in(commands)).await.map(drop),
        Step::Compare { command, expected, again } => {
            let command = stage.put_in(command);
            let deadline = Instant::now() + if *again { DEADLINE } else { Duration::ZERO };
            loop {
                let said = session.run(&command).await?;
                match expected::matches(expected, &said) {
                    Err(_) if Instant::now() < deadline => sleep(AGAIN).await,
                    outcome => return outcome,
                }
            }
        }
        Step::Save { file, text } => {
            session.save(file, &stage.put_in(text));
            Ok(())
        }
        Step::Operator => {
            stage.start_released_operator().await;
            session.knows(stage).await;
            Ok(())
        }
    }
}

#[tokio::test]
async fn every_page_works_as_shown() {
    let pages = pages();
    let outcomes = stream::iter(&pages).map(follow).buffer_unordered(AT_A_TIME);
    let failures: Vec<_> = outcomes.filter_map(async |outcome| outcome.err()).collect().await;
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
