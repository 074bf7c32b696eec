//! One webhook: its deliveries, and whether and when it may send.

use std::sync::Arc;

use super::FAULT_DELAY;
use super::window::Window;
use crate::attempt::{Outcome, Verdict};
use crate::breaker::{Breaker, Circuit};
use crate::command::Page;
use crate::delivery::{Pending, Record, State};
use crate::endpoint::{Endpoint, Hold, Receiver, Target};
use crate::id::DeliveryId;
use crate::ordering::Line;
use crate::rate::Bucket;
use crate::restraint::Restraint;
use crate::retry::MAX_DELAY;
use crate::streak::Streak;
use crate::time::Time;

/// A webhook at work.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) window: Window,
    /// Waits until all webhooks are known, as one of them may be the one for its dead letters.
    pub(super) early: bool,
    /// See [`Limits::window`](super::Limits::window).
    window_limit: usize,
    /// Requests under way.
    in_flight: u32,
    /// How many there may be at present: all that the webhook allows while its receiver is well,
    /// few while it is not, so that receivers that hang do not hold all of the requests there are.
    allowed: u32,
    /// The receiver asked for quiet until then.
    quiet_until: Time,
    /// What is left of the rate limit, where there is one.
    bucket: Option<Bucket>,
    /// Leaves the receiver alone while it fails.
    breaker: Option<Breaker>,
    /// The generation of the object at which the receiver answered 410 Gone.
    pub(super) gone_generation: Option<i64>,
    /// The failures of the receiver, while it does nothing else.
    pub(super) streak: Option<Streak>,
    /// Whether `streak` is known: from the log, or from an attempt since.
    recalled: bool,
    /// What was told to hold its deliveries back.
    told: Option<Restraint>,
}

impl Queue {
    pub(super) fn new(endpoint: Arc<Endpoint>, window_limit: usize, in_flight: usize) -> Self {
        Self {
            allowed: endpoint.max_in_flight,
            bucket: endpoint.rate_limit.map(Bucket::full),
            breaker: endpoint.breaker.map(Breaker::new),
            window: Window::new(capacity(&endpoint, window_limit)),
            window_limit,
            endpoint,
            early: false,
            in_flight: u32::try_from(in_flight).unwrap_or(u32::MAX),
            quiet_until: Time::MIN,
            gone_generation: None,
            streak: None,
            recalled: false,
            told: None,
        }
    }

    /// The webhook has changed, and with it perhaps the receiver. What its receiver did counts no more then; where somebody has
    /// only looked at it again, it does.
    pub(super) fn replace(&mut self, endpoint: Arc<Endpoint>) {
        if !self.endpoint.is_as_before(&endpoint) {
            self.allowed = endpoint.max_in_flight;
            self.breaker = endpoint.breaker.map(Breaker::new);
        }
        // What was used of a limit stays used, unless the limit is another.
        if self.bucket.map(|bucket| bucket.limit()) != endpoint.rate_limit {
            self.bucket = endpoint.rate_limit.map(Bucket::full);
        }
        self.window.resize(capacity(&endpoint, self.window_limit));
        self.endpoint = endpoint;
    }

    /// The receiver, or why nothing is sent to it.
    pub(super) fn receiver(&self) -> Result<&Arc<Receiver>, Hold> {
        match &self.endpoint.target {
            Target::Held(hold) => Err(*hold),
            Target::Receiver(_) if self.gone_generation == Some(self.endpoint.generation) => Err(Hold::Gone),
            Target::Receiver(_) if self.streak.is_some_and(|it| it.holds(self.endpoint.generation)) => {
                Err(Hold::Failing)
            }
            Target::Receiver(receiver) => Ok(receiver),
        }
    }

    /// Whether deliveries flow.
    pub(super) fn circuit(&self) -> Circuit {
        self.breaker.as_ref().map_or(Circuit::Closed, Breaker::circuit)
    }

    /// When the next request may be sent; `None` when none can.
    pub(super) fn next_send(&self) -> Option<Time> {
        if self.early
            || self.receiver().is_err()
            || self.in_flight >= self.allowed.min(self.endpoint.max_in_flight)
        {
            return None;
        }
        let well = self.breaker.as_ref().map_or(Some(Time::MIN), Breaker::next)?;
        let paced = self.bucket.map_or(Time::MIN, |bucket| bucket.next());
        let due = self.window.next(self.endpoint.batch)?;
        Some(due.max(self.quiet_until).max(paced).max(well))
    }

    /// Whether what holds its deliveries back at `now` is not what was told last; it is told from now on.
    pub(super) fn has_news(&mut self, now: Time) -> bool {
        let restraint = self.restraint(now);
        std::mem::replace(&mut self.told, restraint) != restraint
    }

    fn restraint(&self, now: Time) -> Option<Restraint> {
        if let Err(hold) = self.receiver() {
            return Some(Restraint::Held(hold));
        }
        if self.circuit() == Circuit::Open {
            return Some(Restraint::CircuitOpen);
        }
        let due = self.window.next(self.endpoint.batch)?;
        if self.quiet_until > now {
            return Some(Restraint::Quiet { until: self.quiet_until });
        }
        let empty = self.bucket.is_some_and(|bucket| bucket.next() > now);
        (empty && due <= now).then_some(Restraint::RateLimited)
    }

    /// What is told to hold its deliveries back.
    pub(super) const fn told(&self) -> Option<Restraint> {
        self.told
    }

    /// What the next request carries, if it may be sent now, or what is put off instead, as its line
    /// `is_busy`: one that was canceled while it was under way has left the line, but may still arrive.
    pub(super) fn due(&mut self, now: Time, is_busy: impl Fn(Line) -> bool) -> (Vec<Pending>, Vec<Record>) {
        if self.next_send().is_none_or(|next| next > now) {
            return (Vec::new(), Vec::new());
        }
        let mut deliveries = self.window.take(self.endpoint.batch, now);
        let busy = deliveries.extract_if(.., |pending| pending.line.is_some_and(&is_busy));
        let busy: Vec<_> = busy.collect();
        if !busy.is_empty() {
            // The others may not be enough for a batch without it.
            deliveries.drain(..).for_each(|pending| self.window.insert(pending));
        }
        (deliveries, busy.into_iter().map(|pending| self.postpone(pending, now)).collect())
    }

    /// Puts off a delivery, without the batch that it belongs to.
    fn postpone(&mut self, pending: Pending, now: Time) -> Record {
        let pending = Pending { due: now + FAULT_DELAY, batch: None, ..pending };
        self.window.insert(pending);
        Record::unsent(&pending, State::Pending { due: pending.due }, now)
    }

    /// Sends these, with the receiver that they go to.
    pub(super) fn take(
        &mut self,
        deliveries: Vec<Pending>,
        now: Time,
    ) -> Option<(Vec<Pending>, Arc<Receiver>)> {
        let lead = deliveries.first()?.id;
        let receiver = Arc::clone(self.receiver().ok()?);
        self.in_flight += 1;
        if let Some(bucket) = &mut self.bucket {
            bucket.take(now);
        }
        if let Some(breaker) = &mut self.breaker {
            breaker.sends(lead);
        }
        Some((deliveries, receiver))
    }

    /// Takes over what the log remembers of the receiver. What happened since counts more.
    pub(super) fn recall(&mut self, page: &Page) {
        self.gone_generation = self.gone_generation.or(page.gone_generation);
        if !std::mem::replace(&mut self.recalled, true) {
            self.streak = page.streak;
        }
    }

    /// A request sent at this generation of the webhook has ended. Answers whether the log has
    /// something new to remember of the receiver's failures.
    pub(super) fn judge(&mut self, generation: i64, verdict: Verdict, now: Time) -> bool {
        let before = (self.recalled, self.streak);
        match verdict {
            Verdict::Success => self.streak = None,
            Verdict::Retry | Verdict::Gone if generation == self.endpoint.generation => {
                self.streak = Some(Streak::extended(self.streak, generation, now));
            }
            // Of a receiver that the webhook had before, or our own fault.
            Verdict::Retry | Verdict::Gone | Verdict::Uncharged => return false,
        }
        self.recalled = true;
        before != (true, self.streak)
    }

    /// The request has ended whose first delivery is `lead`: makes room for the next, more or less of
    /// it by how it ended.
    pub(super) fn landed(&mut self, lead: DeliveryId, outcome: &Outcome, now: Time) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(breaker) = &mut self.breaker {
            breaker.landed(lead, outcome.verdict(), now);
        }
        match outcome.verdict() {
            // Additive increase, multiplicative decrease, as TCP finds what a path can take.
            Verdict::Success => self.allowed = self.allowed.saturating_add(1),
            Verdict::Retry | Verdict::Gone => self.allowed = (self.allowed / 2).max(1),
            Verdict::Uncharged => {}
        }
        self.allowed = self.allowed.min(self.endpoint.max_in_flight);
        if let Some(hint) = outcome.retry_after() {
            self.quiet_until = self.quiet_until.max(hint.min(now + MAX_DELAY));
        }
    }
}

/// How many deliveries memory may hold: enough for a whole batch that is to come back beside one
/// that gathers, even where the window runs low.
fn capacity(endpoint: &Endpoint, limit: usize) -> usize {
    endpoint.batch.map_or(limit, |policy| limit.max(4 * policy.max_size()))
}
