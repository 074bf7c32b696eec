//! What each receiver did since it last took a delivery, held against what the engine makes of it.

use std::collections::{HashMap, HashSet};

use hookwright_engine::attempt::Verdict;
use hookwright_engine::id::WebhookId;
use hookwright_engine::streak::Streak;
use hookwright_engine::time::Time;

/// The failures of all receivers.
#[derive(Debug, Default)]
pub struct Streaks {
    /// By webhook: of which generation, and when.
    failures: HashMap<WebhookId, (i64, Vec<Time>)>,
    /// Webhooks that the engine has said are held.
    told: HashSet<WebhookId>,
}

impl Streaks {
    /// What a log remembers after a crash.
    pub fn remembered(log: &HashMap<WebhookId, Streak>) -> Self {
        let failures = log.iter().map(|(&webhook, streak)| {
            let Streak { generation, since, last, attempts } = *streak;
            let between = std::iter::repeat_n(last, attempts as usize - 1);
            (webhook, (generation, std::iter::once(since).chain(between).collect()))
        });
        let mut streaks = Self { failures: failures.collect(), told: HashSet::new() };
        let held = streaks.failures.keys().filter(|&&webhook| streaks.is_over(webhook)).copied();
        streaks.told = held.collect();
        streaks
    }

    /// A webhook is new or has changed.
    pub fn heed(&mut self, webhook: WebhookId, generation: i64) {
        if self.failures.get(&webhook).is_some_and(|(of, _)| *of != generation) {
            self.failures.remove(&webhook);
            self.told.remove(&webhook);
        }
    }

    /// A request of a webhook that has this generation, sent at that generation, has ended.
    pub fn landed(&mut self, webhook: WebhookId, present: i64, sent: i64, verdict: Verdict, now: Time) {
        match verdict {
            Verdict::Success => {
                self.failures.remove(&webhook);
                self.told.remove(&webhook);
            }
            Verdict::Retry | Verdict::Gone if present == sent => {
                self.failures.entry(webhook).or_insert((present, Vec::new())).1.push(now);
            }
            Verdict::Retry | Verdict::Gone | Verdict::Uncharged => {}
        }
    }

    /// The engine says that a webhook is held for failing: had it a reason to, and is it news?
    pub fn held(&mut self, webhook: WebhookId) {
        assert!(self.is_over(webhook), "held without a reason: {:?}", self.failures.get(&webhook));
        assert!(self.told.insert(webhook), "told twice that {webhook} is held");
    }

    /// Nothing is sent to a webhook that is held for failing.
    pub fn sends(&self, webhook: WebhookId) {
        assert!(!self.is_over(webhook), "sent after days of nothing but failure");
    }

    /// All that was to be said of an attempt has been said.
    pub fn assert_held_where_due(&self, webhook: WebhookId) {
        assert!(!self.is_over(webhook) || self.told.contains(&webhook), "{webhook} is not held");
    }

    fn is_over(&self, webhook: WebhookId) -> bool {
        let Some((_, failures)) = self.failures.get(&webhook) else { return false };
        let (first, last) = (failures.iter().min(), failures.iter().max());
        let days = last.zip(first).is_some_and(|(last, first)| last.since(*first) >= Streak::PATIENCE);
        days && failures.len() >= Streak::MIN_ATTEMPTS as usize
    }
}
