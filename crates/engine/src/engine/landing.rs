//! What the end of a request means for the deliveries that it carried.

use super::{FAULT_DELAY, InFlight};
use crate::attempt::{Attempt, Verdict};
use crate::delivery::{Kind, Pending, Record, State};
use crate::id::WebhookId;
use crate::retry::Policy;
use crate::time::Time;

/// What each delivery of a batch keeps of the response, which they share, at least, in bytes.
const MIN_RESPONSE: usize = 256;

/// A request that has ended.
pub(super) struct Landing<'a> {
    pub(super) attempt: &'a Attempt,
    /// How many deliveries it carried.
    pub(super) deliveries: usize,
    /// By which it is decided when it is made again.
    pub(super) policy: &'a Policy,
    /// Who gets what is given up.
    pub(super) dead_letter: Option<WebhookId>,
    pub(super) entropy: u64,
    pub(super) now: Time,
}

impl Landing<'_> {
    /// Where a delivery stands that was part of the request.
    pub(super) fn record(&self, flying: &InFlight) -> Record {
        let Pending { attempts, budget_from, kind, .. } = flying.pending;
        let dead_letter = self.dead_letter.filter(|_| kind == Kind::Event);
        let given_up = dead_letter.map_or(State::Failed, |_| State::DeadLettered);
        let verdict = self.attempt.outcome.verdict();
        let charged = verdict != Verdict::Uncharged;
        let attempts = attempts + u32::from(charged);
        let state = match verdict {
            Verdict::Success => State::Delivered,
            Verdict::Gone | Verdict::Retry | Verdict::Uncharged if flying.canceled => State::Canceled,
            Verdict::Gone => given_up,
            Verdict::Uncharged => State::Pending { due: self.now + FAULT_DELAY },
            Verdict::Retry if kind == Kind::Test => given_up,
            Verdict::Retry => {
                let failed = attempts - budget_from;
                let hint = self.attempt.outcome.retry_after();
                match self.policy.next_attempt(failed, self.now, self.entropy, hint) {
                    Some(due) => State::Pending { due },
                    None => given_up,
                }
            }
        };
        let attempt = charged.then(|| self.share());
        let dead_letter = dead_letter.filter(|_| state == State::DeadLettered);
        Record { attempts, state, dead_letter, batch: flying.batch, attempt, ..self.unsent(flying) }
    }

    /// Where a delivery stands that was no part of the request, as its event could not be read: it
    /// leaves its batch, to hold up nobody else.
    pub(super) fn unsent(&self, flying: &InFlight) -> Record {
        let due = self.now + FAULT_DELAY;
        let state = if flying.canceled { State::Canceled } else { State::Pending { due } };
        Record::unsent(&flying.pending, state, self.now)
    }

    /// What each delivery keeps of the attempt: all of it, but for a part of the response.
    fn share(&self) -> Attempt {
        let Attempt { started, elapsed, outcome, response } = self.attempt;
        let share = (Attempt::MAX_RESPONSE / self.deliveries.max(1)).max(MIN_RESPONSE);
        let response = response[..response.len().min(share)].to_vec();
        Attempt { started: *started, elapsed: *elapsed, outcome: outcome.clone(), response }
    }
}

/// What is to come back of a batch comes back together: at the latest of the times, where retries by
/// hand have left its deliveries with budgets that differ.
pub(super) fn together(records: &mut [Record]) {
    let due = |record: &Record| match record.state {
        State::Pending { due } if record.batch.is_some() => Some(due),
        _ => None,
    };
    let latest = records.iter().filter_map(due).max();
    for record in records {
        if let (Some(_), Some(due)) = (due(record), latest) {
            record.state = State::Pending { due };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::attempt::Outcome;

    #[test]
    fn the_deliveries_of_a_batch_share_the_response() {
        let outcome = Outcome::Responded { status: 200, retry_after: None };
        let response = vec![b'x'; Attempt::MAX_RESPONSE];
        let attempt = Attempt { started: Time::MIN, elapsed: Duration::ZERO, outcome, response };
        let policy = Policy::default();
        let kept = |deliveries| {
            let landing = Landing {
                attempt: &attempt,
                deliveries,
                policy: &policy,
                dead_letter: None,
                entropy: 0,
                now: Time::MIN,
            };
            landing.share().response.len()
        };
        assert_eq!([1, 2, 1000].map(kept), [Attempt::MAX_RESPONSE, Attempt::MAX_RESPONSE / 2, 256]);
    }
}
