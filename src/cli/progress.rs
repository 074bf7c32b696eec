//! How far long work is: a bar on a terminal, now and then a line elsewhere. Always on stderr.

use std::cell::Cell;
use std::env;
use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::note;

/// Lines for all of the work, where there is no terminal.
const LINES: usize = 10;

/// How far it is. What is shown goes when it is dropped.
pub(super) struct Progress {
    what: &'static str,
    all: usize,
    /// On a terminal.
    bar: Option<ProgressBar>,
    /// What the last line said.
    said: Cell<usize>,
}

impl Progress {
    /// Work of `all` steps, of which nothing is done.
    pub(super) fn new(what: &'static str, all: usize) -> Self {
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        let bar = (stderr().is_terminal() && !dumb).then(|| {
            let length = u64::try_from(all).unwrap_or(u64::MAX);
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            // One without colours, so that nobody has to turn them off.
            let style = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg}");
            let bar = style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style));
            bar.set_message(what);
            bar.tick();
            bar
        });
        Self { what, all, bar, said: Cell::new(0) }
    }

    /// Says that so much is done.
    pub(super) fn reached(&self, done: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
            return;
        }
        let due = self.said.get() + self.all.div_ceil(LINES).max(1);
        if done >= due || (done >= self.all && self.said.get() < self.all) {
            self.said.set(done);
            note(&format!("{done} of {} {}", self.all, self.what));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
