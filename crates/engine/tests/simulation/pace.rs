//! How often each webhook was sent to, held against its rate limit.

use std::collections::HashMap;

use hookwright_engine::endpoint::Endpoint;
use hookwright_engine::id::WebhookId;
use hookwright_engine::rate::Limit;
use hookwright_engine::time::Time;

/// The requests of each webhook since its rate limit is in force.
#[derive(Debug, Default)]
pub struct Pace(HashMap<WebhookId, Series>);

#[derive(Debug)]
struct Series {
    limit: Limit,
    sent: Vec<Time>,
}

impl Pace {
    /// A webhook is as it is now: a limit that it did not have before begins anew.
    pub fn heed(&mut self, endpoint: &Endpoint) {
        match (endpoint.rate_limit, self.0.get(&endpoint.id)) {
            (None, _) => drop(self.0.remove(&endpoint.id)),
            (Some(limit), Some(series)) if series.limit == limit => {}
            (Some(limit), _) => drop(self.0.insert(endpoint.id, Series { limit, sent: Vec::new() })),
        }
    }

    /// A request is sent: no stretch of time that ends with it may have seen too many.
    pub fn sends(&mut self, webhook: WebhookId, now: Time) {
        let Some(Series { limit, sent }) = self.0.get_mut(&webhook) else { return };
        sent.push(now);
        let requests = u128::from(limit.requests());
        for (count, &from) in (1..).zip(sent.iter().rev()) {
            let share = requests * now.since(from).as_millis() / limit.period().as_millis();
            assert!(count <= requests + share, "{count} requests since {from} to {webhook} under {limit:?}");
        }
    }

    pub fn forget(&mut self, webhook: WebhookId) {
        self.0.remove(&webhook);
    }
}
