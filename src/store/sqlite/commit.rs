//! One transaction in the making: what is applied here becomes durable together or not at all.

use hookwright_engine::delivery::Pending;
use hookwright_engine::id::Sequence;
use hookwright_engine::time::Time;
use rusqlite::Connection;

use super::ledger::Ledger;
use super::row::DeliveryRow;
use crate::store::queue::Request;
use crate::store::{Command, Notice};

/// One transaction in the making.
pub(super) struct Commit<'a> {
    pub connection: &'a Connection,
    /// Hands out the ids. What a failed transaction took is not handed out again.
    pub sequence: &'a mut Sequence,
    pub now: Time,
    /// How many bytes publishes may still take.
    pub room: u64,
    /// Whether records go without what the receiver answered.
    pub sheds: bool,
    /// Publishes refused, as there was no room.
    pub refused: usize,
    pub ledger: Ledger,
    pub notices: Vec<Notice>,
}

/// Whether a command has been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Done,
    /// A part of it; the rest is for a later transaction.
    More,
}

impl Commit<'_> {
    /// Applies a request and prepares its answer. An error spoils the whole transaction.
    pub(super) fn request(&mut self, request: &mut Request) -> rusqlite::Result<()> {
        let size = request.size() as u64;
        match request {
            Request::Publish { publish, fingerprint, answer } => {
                answer.prepare(self.publish(publish, *fingerprint, size)?);
            }
            Request::Replay { of, target, origin, answer } => {
                answer.prepare(Ok(self.replay(*of, *target, *origin)?));
            }
            Request::Retry { delivery, asked, answer } => {
                answer.prepare(Ok(self.retry(*delivery, asked.as_ref())?));
            }
            Request::Redrive { webhook, selection, asked, after, answer } => {
                answer.prepare(Ok(self.redrive(*webhook, selection, asked.as_ref(), after.as_ref())?));
            }
            Request::Cancel { delivery, answer } => answer.prepare(Ok(self.cancel(*delivery)?)),
            Request::Keep { kept, answer } => answer.prepare(self.keep(kept, size)?),
            Request::Forget { namespace, name, answer } => {
                answer.prepare(Ok(self.forget(namespace, name)?));
            }
        }
        Ok(())
    }

    /// Applies a command. An error spoils the whole transaction.
    pub(super) fn command(&mut self, command: &Command) -> rusqlite::Result<Progress> {
        match command {
            Command::Record(record) => self.record(record)?,
            Command::Load { webhook, after, limit } => self.load(*webhook, *after, *limit)?,
            Command::CancelWebhook(webhook) => return self.cancel_webhook(*webhook),
            Command::CancelOthers(known) => return self.cancel_others(known),
            Command::Gone { webhook, generation } => {
                let number = self.ledger.open(self.connection, *webhook)?;
                self.ledger.account(self.connection, number)?.gone_generation = Some(*generation);
            }
            Command::Failing { webhook, streak } => {
                let number = self.ledger.open(self.connection, *webhook)?;
                self.ledger.account(self.connection, number)?.streak = *streak;
            }
        }
        Ok(Progress::Done)
    }

    /// Changes a delivery, and how its webhook counts it.
    pub(super) fn change(&mut self, from: &DeliveryRow, to: &DeliveryRow) -> rusqlite::Result<()> {
        to.update(self.connection)?;
        self.ledger.account(self.connection, to.webhook)?.moved(Some(from.group()), to.group());
        Ok(())
    }

    /// What the engine must know of a delivery.
    pub(super) fn pending(&mut self, row: &DeliveryRow) -> rusqlite::Result<Pending> {
        let account = self.ledger.account(self.connection, row.webhook)?;
        Ok(row.pending(account.webhook))
    }

    /// Writes what was counted. The transaction is then ready to be committed.
    pub(super) fn finish(self) -> rusqlite::Result<(Vec<Notice>, usize)> {
        self.ledger.write(self.connection)?;
        Ok((self.notices, self.refused))
    }
}
