//! The two ways to look after webhooks: the operator's REST API, and the custom resources behind the API server.
//!
//! Both answer in the shapes of the REST API, as far as the facts are there.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::client::Client;
use super::cluster::Cluster;
use super::delivery::{Delivery, Page};
use super::error::Error;
use super::output;
use super::progress::Progress;

/// How often those who follow deliveries ask the API for news.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most events of one batch, as the API has it.
const MAX_BATCH: usize = 1000;
/// Most bytes of one batch, with room for what is around the events.
const MAX_BATCH_BYTES: usize = 15 * 1024 * 1024;

/// Where the commands are carried out.
#[derive(Debug)]
pub(super) enum Way {
    /// By the operator, through its REST API.
    Rest(Client),
    /// By the operator, which sees what becomes of its custom resources.
    Cluster(Cluster),
}

/// Which deliveries are shown.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) delivered: Option<bool>,
    pub(super) event_type: Option<String>,
    pub(super) limit: u32,
}

/// Which failed deliveries are sent again.
#[derive(Clone, Debug, Default)]
pub(super) struct Failed {
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) event_type: Option<String>,
}

/// What became of a delivery that is tried again.
#[derive(Debug)]
pub(super) struct Retried {
    pub(super) answer: Value,
    /// Whether the answer knows of the new attempt.
    pub(super) attempted: bool,
}

impl Way {
    /// Publishes one event.
    pub(super) async fn send(&self, event: &RawValue) -> Result<Value, Error> {
        match self {
            Self::Rest(client) => client.post(&["v1", "events"], event.get().as_bytes().to_vec()).await,
            Self::Cluster(cluster) => cluster.send(event).await,
        }
    }

    /// Publishes many events; answers for each what became of it, as `detail` where it was not accepted.
    pub(super) async fn send_all(
        &self,
        events: &[&RawValue],
        progress: &Progress,
    ) -> Result<Vec<Value>, Error> {
        let mut results = Vec::with_capacity(events.len());
        match self {
            Self::Rest(client) => {
                for batch in batches(events) {
                    results.extend(client.send_batch(batch).await?);
                    progress.reached(results.len());
                }
            }
            Self::Cluster(cluster) => {
                for event in events {
                    results.push(match cluster.send(event).await {
                        Err(Error::Unfit(detail)) => json!({ "detail": detail }),
                        sent => sent?,
                    });
                    progress.reached(results.len());
                }
            }
        }
        Ok(results)
    }

    /// Says who would get an event.
    pub(super) async fn explain(&self, event: &RawValue) -> Result<Value, Error> {
        match self {
            Self::Rest(client) => {
                client.post(&["v1", "events", "explain"], event.get().as_bytes().to_vec()).await
            }
            Self::Cluster(cluster) => cluster.explain(event).await,
        }
    }

    /// The deliveries of a webhook, newest first.
    pub(super) async fn deliveries(&self, webhook: &str, shown: &Shown) -> Result<Value, Error> {
        match self {
            Self::Rest(client) => client.deliveries(&client.webhook(webhook).await?.id, shown).await,
            Self::Cluster(cluster) => cluster.deliveries(webhook, shown).await,
        }
    }

    /// Prints a line for each delivery that is new or has changed, the oldest first, for ever.
    pub(super) async fn follow(&self, webhook: &str, shown: &Shown) -> Result<(), Error> {
        let mut known = Known::default();
        match self {
            Self::Rest(client) => {
                let webhook = client.webhook(webhook).await?.id;
                loop {
                    let Page { deliveries } = client.understand(client.deliveries(&webhook, shown).await?)?;
                    for delivery in deliveries.iter().rev() {
                        known.show(delivery)?;
                    }
                    known.forget_others(&deliveries);
                    tokio::time::sleep(INTERVAL).await;
                }
            }
            Self::Cluster(cluster) => {
                let Page { deliveries } = serde_json::from_value(cluster.deliveries(webhook, shown).await?)
                    .map_err(|error| Error::Unfit(error.to_string()))?;
                for delivery in deliveries.iter().rev() {
                    known.show(delivery)?;
                }
                cluster.follow(webhook, shown, &mut known).await
            }
        }
    }

    /// Makes a delivery due now.
    pub(super) async fn retry(&self, delivery: &str) -> Result<Retried, Error> {
        match self {
            Self::Rest(client) => {
                let path = ["v1", "webhooks", "deliveries", delivery, "retry"];
                Ok(Retried { answer: client.post(&path, Vec::new()).await?, attempted: false })
            }
            Self::Cluster(cluster) => cluster.retry(delivery).await,
        }
    }

    /// Sends a test event to a webhook and waits for what comes of it.
    pub(super) async fn test(
        &self,
        webhook: &str,
        event_type: Option<String>,
        data: Option<Value>,
    ) -> Result<Value, Error> {
        match self {
            Self::Rest(client) => {
                let mut body = json!({});
                if let Some(event_type) = event_type {
                    body["event_type"] = event_type.into();
                }
                if let Some(data) = data {
                    body["data"] = data;
                }
                client.post_to(webhook, &["test"], &body).await
            }
            Self::Cluster(_) if event_type.is_some() || data.is_some() => Err(Error::Input(
                "a test through the API server is a plain test.ping: --event-type and --data need the API, \
                 by --server"
                    .to_owned(),
            )),
            Self::Cluster(cluster) => cluster.test(webhook).await,
        }
    }

    /// How many deliveries of a webhook have failed.
    pub(super) async fn count_failed(&self, webhook: &str, failed: &Failed) -> Result<Value, Error> {
        match self {
            Self::Rest(client) => client.redrive(webhook, failed, true).await,
            Self::Cluster(cluster) => {
                failed.all()?;
                cluster.count_failed(webhook).await
            }
        }
    }

    /// Makes the failed deliveries of a webhook due now; answers how many they are.
    pub(super) async fn redrive(&self, webhook: &str, failed: &Failed) -> Result<Value, Error> {
        match self {
            Self::Rest(client) => client.redrive(webhook, failed, false).await,
            Self::Cluster(cluster) => {
                failed.all()?;
                cluster.redrive(webhook).await
            }
        }
    }

    /// How many deliveries of a webhook have not ended; through the API at most a page of them.
    pub(super) async fn unfinished(&self, webhook: &str) -> Result<u64, Error> {
        match self {
            Self::Rest(client) => {
                let shown = Shown { delivered: Some(false), event_type: None, limit: 500 };
                let webhook = client.webhook(webhook).await?.id;
                let Page { deliveries } = client.understand(client.deliveries(&webhook, &shown).await?)?;
                let unfinished = deliveries.iter().filter(|delivery| !delivery.ended()).count();
                Ok(u64::try_from(unfinished).unwrap_or(u64::MAX))
            }
            Self::Cluster(cluster) => cluster.unfinished(webhook).await,
        }
    }

    /// Replaces the signing secret of a webhook; answers with the new one.
    pub(super) async fn rotate(&self, webhook: &str) -> Result<Value, Error> {
        match self {
            Self::Rest(client) => client.post_to(webhook, &["secret", "rotate"], &json!({})).await,
            Self::Cluster(cluster) => cluster.rotate(webhook).await,
        }
    }
}

impl Failed {
    /// An annotation can only ask for all that failed.
    fn all(&self) -> Result<(), Error> {
        if self.since.is_none() && self.until.is_none() && self.event_type.is_none() {
            return Ok(());
        }
        Err(Error::Input(
            "through the API server everything that failed is sent again: --since, --until and --event-type \
             need the API, by --server"
                .to_owned(),
        ))
    }
}

impl Shown {
    /// Whether a delivery is among them.
    pub(super) fn has(&self, delivery: &Delivery) -> bool {
        self.delivered.is_none_or(|delivered| delivered == delivery.delivered)
            && self.event_type.as_ref().is_none_or(|event_type| *event_type == delivery.event_type)
    }
}

impl Client {
    /// Posts to a route of a webhook.
    async fn post_to(&self, webhook: &str, route: &[&str], body: &Value) -> Result<Value, Error> {
        let webhook = self.webhook(webhook).await?;
        let path = [&["v1", "webhooks", &webhook.id], route].concat();
        self.post(&path, body.to_string().into_bytes()).await
    }

    async fn deliveries(&self, webhook: &str, shown: &Shown) -> Result<Value, Error> {
        let Shown { delivered, event_type, limit } = shown;
        let mut query = vec![("limit", limit.to_string())];
        query.extend(delivered.map(|delivered| ("delivered", delivered.to_string())));
        query.extend(event_type.clone().map(|event_type| ("event_type", event_type)));
        self.get(&["v1", "webhooks", webhook, "deliveries"], &query).await
    }

    async fn redrive(&self, webhook: &str, failed: &Failed, dry_run: bool) -> Result<Value, Error> {
        let Failed { since, until, event_type } = failed;
        let mut body = json!({ "dry_run": dry_run });
        for (field, value) in [("since", since), ("until", until), ("event_type", event_type)] {
            if let Some(value) = value {
                body[field] = value.as_str().into();
            }
        }
        self.post_to(webhook, &["redrive"], &body).await
    }

    async fn send_batch(&self, events: &[&RawValue]) -> Result<Vec<Value>, Error> {
        #[derive(serde::Deserialize)]
        struct Results {
            results: Vec<Value>,
        }
        let body = serde_json::to_vec(&HashMap::from([("events", events)]))
            .map_err(|error| Error::Input(error.to_string()))?;
        let Results { results } = self.understand(self.post(&["v1", "events", "batch"], body).await?)?;
        Ok(results)
    }
}

/// The events in as many batches as the API wants.
fn batches<'a, 'b>(events: &'a [&'b RawValue]) -> Vec<&'a [&'b RawValue]> {
    let (mut batches, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, event) in events.iter().enumerate() {
        let size = event.get().len() + 1;
        if at > from && (at - from == MAX_BATCH || bytes + size > MAX_BATCH_BYTES) {
            batches.push(&events[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += size;
    }
    batches.push(&events[from..]);
    batches
}

/// What those who follow have seen.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<String, Delivery>);

impl Known {
    /// Prints a line for a delivery, unless it says what was seen before.
    pub(super) fn show(&mut self, delivery: &Delivery) -> Result<(), Error> {
        if self.0.get(&delivery.id) == Some(delivery) {
            return Ok(());
        }
        self.0.insert(delivery.id.clone(), delivery.clone());
        output::news(&delivery.line())
    }

    /// It is gone, and not asked for any more.
    pub(super) fn forget(&mut self, delivery: &Delivery) {
        self.0.remove(&delivery.id);
    }

    /// What has left the page is not asked for any more.
    fn forget_others(&mut self, page: &[Delivery]) {
        self.0.retain(|id, _| page.iter().any(|delivery| delivery.id == *id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_batch_is_larger_than_the_api_takes() {
        let small = RawValue::from_string("{}".to_owned()).unwrap();
        let events: Vec<&RawValue> = std::iter::repeat_n(&*small, 2001).collect();
        let sizes: Vec<_> = batches(&events).iter().map(|batch| batch.len()).collect();
        assert_eq!(sizes, [1000, 1000, 1]);
        let large = RawValue::from_string(format!("\"{}\"", "a".repeat(8 * 1024 * 1024))).unwrap();
        let sizes: Vec<_> = batches(&[&*large, &*large]).iter().map(|batch| batch.len()).collect();
        assert_eq!(sizes, [1, 1]);
    }
}
