//! What users ask of single deliveries.

use hookwright_engine::delivery::State;
use hookwright_engine::id::DeliveryId;

use super::commit::Commit;
use super::row::{self, DeliveryRow};
use crate::store::{Delivery, Notice};

impl Commit<'_> {
    /// Makes a delivery due now, with a fresh retry budget.
    pub(super) fn retry(&mut self, id: DeliveryId) -> rusqlite::Result<Option<Delivery>> {
        let Some(stored) = DeliveryRow::find(self.connection, id)? else { return Ok(None) };
        let row = DeliveryRow {
            state: State::Pending { due: self.now },
            budget_from: stored.attempts,
            at: self.now,
            ..stored
        };
        self.change(&stored, &row)?;
        let pending = vec![self.pending(&row)?];
        self.notices.push(Notice::Accepted { event: None, pending });
        row::delivery(self.connection, id)
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
            self.change(stored, &DeliveryRow { state: State::Canceled, at: self.now, ..*stored })?;
            canceled.push(self.pending(stored)?);
        }
        if !canceled.is_empty() {
            self.notices.push(Notice::Canceled(canceled));
        }
        Ok(())
    }
}
