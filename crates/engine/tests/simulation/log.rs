//! The log of the simulation: what a store promises, in the fewest words. What was committed with
//! a flush survives a crash; records committed since may not.

use std::collections::{BTreeMap, HashMap, VecDeque};

use hookwright_engine::command::{Command, Page};
use hookwright_engine::delivery::{Kind, Pending, Position, Record, State};
use hookwright_engine::engine::Input;
use hookwright_engine::id::{DeliveryId, EventKey, WebhookId};
use hookwright_engine::streak::Streak;
use hookwright_engine::time::Time;

/// A delivery in the log.
#[derive(Clone, Debug)]
pub struct Row {
    pub webhook: WebhookId,
    pub state: State,
    pub attempts: u32,
    pub budget_from: u32,
    pub kind: Kind,
    /// The delivery that failed, of a dead letter.
    pub dead_letter_of: Option<DeliveryId>,
    /// Attempts recorded in the present budget may not exceed what any policy in force allowed.
    pub recorded: u32,
}

#[derive(Clone, Debug, Default)]
struct Tables {
    rows: BTreeMap<DeliveryId, Row>,
    gone: HashMap<WebhookId, i64>,
    streaks: HashMap<WebhookId, Streak>,
}

/// The log, and the commands and notices under way.
#[derive(Debug, Default)]
pub struct Log {
    tables: Tables,
    flushed: Tables,
    commands: VecDeque<Command>,
    notices: VecDeque<Input>,
}

fn new(webhook: WebhookId, now: Time) -> Row {
    let state = State::Pending { due: now };
    Row { webhook, state, attempts: 0, budget_from: 0, kind: Kind::Event, dead_letter_of: None, recorded: 0 }
}

impl Row {
    fn pending(&self, id: DeliveryId) -> Option<Pending> {
        let Self { webhook, state, attempts, budget_from, kind, dead_letter_of, recorded: _ } = *self;
        let State::Pending { due } = state else { return None };
        let event = EventKey::from_u64(dead_letter_of.unwrap_or(id).as_u64());
        Some(Pending { id, event, webhook, attempts, budget_from, kind, due })
    }
}

impl Log {
    pub fn rows(&self) -> &BTreeMap<DeliveryId, Row> {
        &self.tables.rows
    }

    pub fn gone(&self) -> &HashMap<WebhookId, i64> {
        &self.tables.gone
    }

    pub fn streaks(&self) -> &HashMap<WebhookId, Streak> {
        &self.tables.streaks
    }

    pub fn ask(&mut self, command: Command) {
        self.commands.push_back(command);
    }

    pub fn next_notice(&mut self) -> Option<Input> {
        self.notices.pop_front()
    }

    /// Accepts an event: durable when this returns.
    pub fn publish(&mut self, ids: &[DeliveryId], webhooks: &[WebhookId], kind: Kind, now: Time) {
        let mut accepted = Vec::new();
        for (&id, &webhook) in ids.iter().zip(webhooks) {
            let row = Row { kind, ..new(webhook, now) };
            accepted.extend(row.pending(id));
            self.tables.rows.insert(id, row);
        }
        self.notices.push_back(Input::Accepted(accepted));
        self.flush();
    }

    pub fn retry(&mut self, id: DeliveryId, now: Time) {
        let Some(row) = self.tables.rows.get_mut(&id) else { return };
        row.state = State::Pending { due: now };
        row.budget_from = row.attempts;
        row.recorded = 0;
        self.notices.extend(row.pending(id).map(Input::Retried));
        self.flush();
    }

    pub fn cancel(&mut self, ids: impl IntoIterator<Item = DeliveryId>) {
        let mut canceled = Vec::new();
        for id in ids {
            let Some(row) = self.tables.rows.get_mut(&id) else { continue };
            if let Some(pending) = row.pending(id) {
                row.state = State::Canceled;
                canceled.push(pending);
            }
        }
        self.notices.push_back(Input::Canceled(canceled));
        self.flush();
    }

    /// Carries out the oldest command that waits.
    pub fn apply_next(&mut self) -> bool {
        let Some(command) = self.commands.pop_front() else { return false };
        match command {
            Command::Record(record) => self.record(&record),
            Command::Load { webhook, after, limit } => {
                let page = self.page(webhook, after, limit);
                self.notices.push_back(Input::Loaded { webhook, page });
            }
            Command::CancelWebhook(webhook) => self.cancel_where(|row| row.webhook == webhook),
            Command::CancelOthers(known) => self.cancel_where(|row| !known.contains(&row.webhook)),
            Command::Gone { webhook, generation } => {
                self.tables.gone.insert(webhook, generation);
            }
            Command::Failing { webhook, streak: Some(streak) } => {
                self.tables.streaks.insert(webhook, streak);
            }
            Command::Failing { webhook, streak: None } => drop(self.tables.streaks.remove(&webhook)),
        }
        true
    }

    fn record(&mut self, record: &Record) {
        let Some(row) = self.tables.rows.get_mut(&record.id) else { return };
        row.attempts += u32::from(record.attempt.is_some());
        row.recorded += u32::from(record.attempt.is_some());
        let overtaken = row.state == State::Canceled || row.budget_from > record.budget_from;
        if record.state != State::Delivered && overtaken {
            return;
        }
        row.state = record.state;
        let Some(target) = record.dead_letter else { return };
        // The ids of dead letters are far from all others.
        let id = DeliveryId::from_u64(record.id.as_u64() | 1 << 40);
        if !self.tables.rows.contains_key(&id) {
            let of = Some(record.id);
            let row = Row { kind: Kind::DeadLetter, dead_letter_of: of, ..new(target, record.at) };
            self.notices.extend(row.pending(id).map(Input::Retried));
            self.tables.rows.insert(id, row);
        }
    }

    fn page(&self, webhook: WebhookId, after: Option<Position>, limit: usize) -> Page {
        let rows = self.tables.rows.iter().filter(|(_, row)| row.webhook == webhook);
        let mut pending: Vec<_> = rows.filter_map(|(&id, row)| row.pending(id)).collect();
        pending.retain(|pending| after.is_none_or(|after| pending.position() > after));
        pending.sort_by_key(Pending::position);
        let more = pending.len() > limit;
        pending.truncate(limit);
        let Tables { rows: _, gone, streaks } = &self.tables;
        let (gone_generation, streak) = (gone.get(&webhook).copied(), streaks.get(&webhook).copied());
        Page { pending, more, gone_generation, streak }
    }

    fn cancel_where(&mut self, of: impl Fn(&Row) -> bool) {
        let ids: Vec<_> = self.tables.rows.iter().filter(|(_, row)| of(row)).map(|(&id, _)| id).collect();
        self.cancel(ids);
    }

    /// Everything committed so far survives a crash.
    pub fn flush(&mut self) {
        self.flushed = self.tables.clone();
    }

    /// The process dies: what was not flushed is gone, and all that was under way.
    pub fn crash(&mut self) {
        self.tables = self.flushed.clone();
        self.commands.clear();
        self.notices.clear();
    }
}
