//! Handing what failed to the webhook that is named for it, in the transaction that ends it.

use hookwright_engine::delivery::Kind;
use hookwright_engine::id::{DeliveryId, WebhookId};
use rusqlite::{Connection, OptionalExtension};

use super::commit::Commit;
use super::row::{self, DeliveryRow};

impl Commit<'_> {
    /// Makes the dead letter of a delivery, unless it has one already: it may have been retried by
    /// hand, and have failed once more.
    pub(super) fn hand_over(&mut self, of: &DeliveryRow, to: WebhookId) -> rusqlite::Result<()> {
        if dead_letter(self.connection, of.id)?.is_some() {
            return Ok(());
        }
        let letter = self.make(of.event, of.size, to.into(), Kind::DeadLetter, Some(of.id), false)?;
        self.announce(None, &[letter])
    }
}

/// The dead letter of a delivery.
pub(super) fn dead_letter(connection: &Connection, of: DeliveryId) -> rusqlite::Result<Option<DeliveryId>> {
    connection
        .prepare_cached("SELECT id FROM deliveries WHERE dead_letter_of = ?1")?
        .query_row([row::number(of)], |row| row::delivery_id(row, 0))
        .optional()
}
