//! Writing down what became of deliveries.

use hookwright_engine::attempt::{Attempt, Verdict};
use hookwright_engine::delivery::{Record, State};

use super::commit::Commit;
use super::row::{self, DeliveryRow};

impl Commit<'_> {
    /// Appends the attempt and moves the delivery to where the record says it stands, unless it
    /// was meanwhile moved by hand. Writing the same record again changes nothing.
    pub(super) fn record(&mut self, record: &Record) -> rusqlite::Result<()> {
        // Retention may have removed it.
        let Some(stored) = DeliveryRow::find(self.connection, record.id)? else { return Ok(()) };
        if self.is_written(record, &stored)? {
            return Ok(());
        }
        let mut row = decide(&stored, record);
        if let Some(attempt) = &record.attempt {
            row.attempts = stored.attempts + 1;
            let response = if self.sheds { &[] } else { attempt.response.as_slice() };
            row::insert_attempt(self.connection, row.id, row.attempts, attempt, response)?;
            let account = self.ledger.account(self.connection, row.webhook)?;
            account.last = Some(row.id);
            match attempt.outcome.verdict() {
                Verdict::Success => {}
                Verdict::Gone | Verdict::Retry | Verdict::Uncharged => {
                    account.last_failure = Some((row.id, row.attempts));
                }
            }
        }
        self.change(&stored, &row)?;
        let ends = !stored.state.is_final() && row.state == State::DeadLettered;
        if let Some(target) = record.dead_letter.filter(|_| ends) {
            self.hand_over(&row, target)?;
        }
        if row.state.is_final() { self.release(row.webhook, row.line) } else { Ok(()) }
    }

    fn is_written(&self, record: &Record, stored: &DeliveryRow) -> rusqlite::Result<bool> {
        match &record.attempt {
            Some(Attempt { started, elapsed, outcome, response: _ })
                if record.attempts <= stored.attempts =>
            {
                let written = row::attempt(self.connection, record.id, record.attempts)?;
                Ok(written.is_some_and(|written| {
                    (written.started, written.elapsed, &written.outcome) == (*started, *elapsed, outcome)
                }))
            }
            Some(_) | None => Ok(false),
        }
    }
}

/// Where a delivery stands after a record, its attempts aside.
fn decide(stored: &DeliveryRow, record: &Record) -> DeliveryRow {
    let moved = DeliveryRow { state: record.state, at: record.at, batch: record.batch, ..*stored };
    match record.state {
        // The receiver has it: nothing decided meanwhile changes that.
        State::Delivered => DeliveryRow { parked: false, ..moved },
        // What ended meanwhile stays ended; a retry by hand that the record does not know of stands.
        _ if stored.state.is_final() || stored.budget_from > record.budget_from => *stored,
        State::Pending { due } => DeliveryRow { at: due, ..moved },
        State::Failed | State::DeadLettered | State::Canceled => DeliveryRow { parked: false, ..moved },
    }
}
