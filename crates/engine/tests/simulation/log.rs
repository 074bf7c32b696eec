//! The log of the simulation: what a store promises, in the fewest words. What was committed with
//! a flush survives a crash; records committed since may not.

use std::collections::{BTreeMap, HashMap, VecDeque};

use hookwright_engine::command::{Command, Page};
use hookwright_engine::delivery::{Kind, Pending, Position, Record, State};
use hookwright_engine::engine::Input;
use hookwright_engine::id::{BatchId, DeliveryId, EventKey, WebhookId};
use hookwright_engine::ordering::Line;
use hookwright_engine::streak::Streak;
use hookwright_engine::time::Time;

/// A delivery in the log.
#[derive(Clone, Debug)]
pub struct Row {
    pub webhook: WebhookId,
    pub line: Option<Line>,
    /// Whether it waits for another one of its line to end; its state is then pending.
    pub parked: bool,
    pub state: State,
    pub attempts: u32,
    pub budget_from: u32,
    pub kind: Kind,
    /// The delivery that failed, of a dead letter.
    pub dead_letter_of: Option<DeliveryId>,
    /// Attempts recorded in the present budget may not exceed what any policy in force allowed.
    pub recorded: u32,
    pub batch: Option<BatchId>,
    pub size: u32,
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
    Row {
        webhook,
        line: None,
        parked: false,
        state,
        attempts: 0,
        budget_from: 0,
        kind: Kind::Event,
        dead_letter_of: None,
        recorded: 0,
        batch: None,
        size: 100,
    }
}

impl Row {
    pub fn pending(&self, id: DeliveryId) -> Option<Pending> {
        let Self { webhook, line, parked, state, attempts, budget_from, kind, dead_letter_of, .. } = *self;
        let Self { batch, size, .. } = *self;
        let State::Pending { due } = state else { return None };
        let event = EventKey::from_u64(dead_letter_of.unwrap_or(id).as_u64());
        (!parked).then_some(Pending {
            id,
            event,
            webhook,
            attempts,
            budget_from,
            kind,
            due,
            line,
            batch,
            size,
        })
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

    /// Accepts an event of this size: durable when this returns. A test waits for no others.
    pub fn publish(
        &mut self,
        ids: &[DeliveryId],
        targets: &[(WebhookId, Option<Line>)],
        kind: Kind,
        size: u32,
        now: Time,
    ) {
        let mut accepted = Vec::new();
        for (&id, &(webhook, line)) in ids.iter().zip(targets) {
            let parked = self.has_unfinished(webhook, line, None);
            let batch = (kind == Kind::Test).then(|| BatchId::of([id]));
            let row = Row { line, parked, kind, batch, size, ..new(webhook, now) };
            accepted.extend(row.pending(id));
            self.tables.rows.insert(id, row);
        }
        self.notices.push_back(Input::Accepted(accepted));
        self.flush();
    }

    pub fn retry(&mut self, id: DeliveryId, now: Time) {
        let Some(&Row { webhook, line, parked, state, attempts, budget_from, .. }) =
            self.tables.rows.get(&id)
        else {
            return;
        };
        if !state.is_final() && attempts == budget_from {
            return; // Due already.
        }
        let parked = parked || (state.is_final() && self.has_unfinished(webhook, line, Some(id)));
        let Some(row) = self.tables.rows.get_mut(&id) else { return };
        row.parked = parked;
        row.state = State::Pending { due: now };
        row.budget_from = row.attempts;
        row.batch = None;
        row.recorded = 0;
        self.notices.extend(row.pending(id).map(Input::Retried));
        self.flush();
    }

    pub fn cancel(&mut self, ids: impl IntoIterator<Item = DeliveryId>, now: Time) {
        let mut canceled = Vec::new();
        let mut lines = Vec::new();
        for id in ids {
            let Some(row) = self.tables.rows.get_mut(&id) else { continue };
            if !row.state.is_final() {
                row.parked = false;
                canceled.extend(row.pending(id));
                lines.push((row.webhook, row.line));
                row.state = State::Canceled;
            }
        }
        self.notices.push_back(Input::Canceled(canceled));
        for (webhook, line) in lines {
            self.release(webhook, line, now);
        }
        self.flush();
    }

    fn has_unfinished(&self, webhook: WebhookId, line: Option<Line>, besides: Option<DeliveryId>) -> bool {
        let same = |row: &Row| row.webhook == webhook && row.line == line && !row.state.is_final();
        line.is_some() && self.tables.rows.iter().any(|(id, row)| Some(*id) != besides && same(row))
    }

    /// The oldest that waits goes, unless another one of its line does.
    fn release(&mut self, webhook: WebhookId, line: Option<Line>, now: Time) {
        let same = |row: &Row| row.webhook == webhook && row.line == line && !row.state.is_final();
        if line.is_none() || self.tables.rows.values().any(|row| same(row) && !row.parked) {
            return;
        }
        if let Some((&id, row)) = self.tables.rows.iter_mut().find(|(_, row)| same(row)) {
            row.parked = false;
            row.state = State::Pending { due: now };
            self.notices.extend(row.pending(id).map(Input::Retried));
        }
    }

    /// Carries out the oldest command that waits.
    pub fn apply_next(&mut self, now: Time) -> bool {
        let Some(command) = self.commands.pop_front() else { return false };
        match command {
            Command::Record(record) => self.record(&record, now),
            Command::Load { webhook, after, limit } => {
                let page = self.page(webhook, after, limit);
                self.notices.push_back(Input::Loaded { webhook, page });
            }
            Command::CancelWebhook(webhook) => self.cancel_where(|row| row.webhook == webhook, now),
            Command::CancelOthers(known) => self.cancel_where(|row| !known.contains(&row.webhook), now),
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

    fn record(&mut self, record: &Record, now: Time) {
        let Some(row) = self.tables.rows.get_mut(&record.id) else { return };
        row.attempts += u32::from(record.attempt.is_some());
        row.recorded += u32::from(record.attempt.is_some());
        let overtaken = row.state == State::Canceled || row.budget_from > record.budget_from;
        if record.state != State::Delivered && overtaken {
            return;
        }
        row.state = record.state;
        row.batch = record.batch;
        let (webhook, line) = (row.webhook, row.line);
        if row.state.is_final() {
            row.parked = false;
            self.release(webhook, line, now);
        }
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

    fn cancel_where(&mut self, of: impl Fn(&Row) -> bool, now: Time) {
        let ids: Vec<_> = self.tables.rows.iter().filter(|(_, row)| of(row)).map(|(&id, _)| id).collect();
        self.cancel(ids, now);
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
