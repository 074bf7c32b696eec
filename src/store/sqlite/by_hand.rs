//! What users ask of single deliveries.

use hookwright_engine::delivery::State;
use hookwright_engine::id::DeliveryId;

use super::asked::Age;
use super::commit::Commit;
use super::row::{self, DeliveryRow};
use crate::store::{Asked, Delivery, Notice};

impl Commit<'_> {
    /// Makes a delivery due now, unless it is, or that was asked for before.
    pub(super) fn retry(
        &mut self,
        id: DeliveryId,
        asked: Option<&Asked>,
    ) -> rusqlite::Result<Option<Delivery>> {
        let Some(stored) = DeliveryRow::find(self.connection, id)? else { return Ok(None) };
        let new = match asked.map(|asked| self.note(asked)).transpose()? {
            None | Some(Age::New) => true,
            Some(Age::Known(_)) => false,
        };
        // Its budget is whole, and it is due, but for a moment after a failure of our own. A new due
        // time would be one that a record on its way knows nothing of, and could not be told from.
        let is_due = !stored.state.is_final() && stored.attempts == stored.budget_from;
        if new && !is_due {
            let row = self.make_due(&stored)?;
            self.announce(None, &[row])?;
        }
        row::delivery(self.connection, id)
    }

    /// Makes a delivery due now, with a fresh retry budget; or the next of its line, where it stands in
    /// one and another one's turn it is. The driver is still to be told.
    pub(super) fn make_due(&mut self, stored: &DeliveryRow) -> rusqlite::Result<DeliveryRow> {
        let parked =
            if stored.state.is_final() { self.is_taken(stored.webhook, stored.line)? } else { stored.parked };
        let row = DeliveryRow {
            state: State::Pending { due: self.now },
            parked,
            budget_from: stored.attempts,
            at: self.now,
            batch: None,
            ..*stored
        };
        self.change(stored, &row)?;
        Ok(row)
    }

    /// Ends a delivery that has not ended.
    pub(super) fn cancel(&mut self, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
        let Some(stored) = DeliveryRow::find(self.connection, id)? else { return Ok(None) };
        if !stored.state.is_final() {
            self.cancel_all(&[stored])?;
        }
        row::delivery(self.connection, id)
    }

    /// Ends deliveries that have not ended.
    pub(super) fn cancel_all(&mut self, unfinished: &[DeliveryRow]) -> rusqlite::Result<()> {
        let mut canceled = Vec::with_capacity(unfinished.len());
        for stored in unfinished {
            let state = State::Canceled;
            self.change(stored, &DeliveryRow { state, parked: false, at: self.now, ..*stored })?;
            canceled.push(self.pending(stored)?);
        }
        if !canceled.is_empty() {
            self.notices.push(Notice::Canceled(canceled));
        }
        unfinished.iter().try_for_each(|stored| self.release(stored.webhook, stored.line))
    }
}
