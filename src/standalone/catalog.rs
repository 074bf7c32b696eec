//! The webhooks of the REST API without a cluster: those of the folder, which are changed there,
//! and those that are kept in the database.
//!
//! ```text
//! Shelf ── Request ──► Shelving, at the end of which standalone mode carries it out, one at a time
//! Shelf ◄─ webhooks ── Shelving
//! ```

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot, watch};

use super::manifest::Identity;
use crate::api::webhooks::catalog::{Catalog, Error, Page};
use crate::crd::{Webhook, WebhookSpec};

/// How many changes may wait; further ones wait to wait.
const MAX_WAITING: usize = 16;

/// All webhooks, by namespace and name, and where to ask for changes of them.
#[derive(Clone, Debug)]
pub struct Shelf {
    webhooks: watch::Receiver<Vec<Webhook>>,
    requests: mpsc::Sender<Request>,
}

/// Where webhooks are put for all to see, and changes of them are asked for.
#[derive(Debug)]
pub struct Shelving {
    webhooks: watch::Sender<Vec<Webhook>>,
    requests: mpsc::Receiver<Request>,
}

/// A change that somebody waits for.
#[derive(Debug)]
pub(super) struct Request {
    /// Of which webhook.
    pub(super) identity: Identity,
    pub(super) change: Change,
    pub(super) answer: oneshot::Sender<Result<Webhook, Error>>,
}

/// What is to become of a webhook.
#[derive(Debug)]
pub(super) enum Change {
    /// It is new.
    Create(Box<Webhook>, Option<SecretString>),
    /// It gets another spec, if it is still this one.
    Update(Box<Webhook>, Box<WebhookSpec>),
    /// It gets another signing key.
    SetKey(SecretString),
    /// It is removed.
    Delete,
}

/// A shelf, and who fills it.
#[must_use]
pub fn shelf() -> (Shelving, Shelf) {
    let (sender, receiver) = watch::channel(Vec::new());
    let (ask, requests) = mpsc::channel(MAX_WAITING);
    (Shelving { webhooks: sender, requests }, Shelf { webhooks: receiver, requests: ask })
}

impl Shelving {
    /// Shows these webhooks, and no others.
    pub(super) fn put<'a>(&self, webhooks: impl Iterator<Item = &'a Webhook>) {
        let mut webhooks: Vec<_> = webhooks.cloned().collect();
        webhooks.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        self.webhooks.send_replace(webhooks);
    }

    /// The next change that is asked for; `None` when nobody is left to ask.
    pub(super) async fn asked(&mut self) -> Option<Request> {
        self.requests.recv().await
    }
}

impl Shelf {
    fn page(&self, namespace: &str, limit: u32, cursor: Option<&str>) -> Page {
        let all = self.webhooks.borrow();
        let name = |webhook: &Webhook| webhook.metadata.name.clone().unwrap_or_default();
        let behind = |webhook: &&Webhook| cursor.is_none_or(|cursor| *name(webhook) > *cursor);
        let mut found = all.iter().filter(|webhook| is_in(webhook, namespace)).filter(behind);
        let webhooks: Vec<_> = found.by_ref().take(limit as usize).cloned().collect();
        let next = found.next().and(webhooks.last().map(name));
        Page { webhooks, next }
    }

    fn find(&self, namespace: &str, name: &str) -> Result<Webhook, Error> {
        let all = self.webhooks.borrow();
        let mut found = all.iter().filter(|webhook| is_in(webhook, namespace));
        let found = found.find(|webhook| webhook.metadata.name.as_deref() == Some(name));
        found.cloned().ok_or_else(|| Error::NotFound(format!("there is no webhook {name} in this namespace")))
    }

    /// Asks for a change, and waits for what comes of it. One that nobody waits for any more may
    /// still be made.
    async fn ask(&self, webhook: &Webhook, change: Change) -> Result<Webhook, Error> {
        let ended = || Error::Unavailable("the process is shutting down".to_owned());
        let (answer, answered) = oneshot::channel();
        let request = Request { identity: Identity::of(webhook), change, answer };
        self.requests.send(request).await.map_err(|_| ended())?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }
}

fn is_in(webhook: &Webhook, namespace: &str) -> bool {
    webhook.metadata.namespace.as_deref() == Some(namespace)
}

impl Catalog for Shelf {
    fn create(&self, webhook: Webhook, key: Option<SecretString>) -> BoxFuture<'_, Result<Webhook, Error>> {
        async move { self.ask(&webhook.clone(), Change::Create(Box::new(webhook), key)).await }.boxed()
    }

    fn list<'a>(
        &'a self,
        namespace: &'a str,
        limit: u32,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Page, Error>> {
        ready(Ok(self.page(namespace, limit, cursor))).boxed()
    }

    fn get<'a>(&'a self, namespace: &'a str, name: &'a str) -> BoxFuture<'a, Result<Webhook, Error>> {
        ready(self.find(namespace, name)).boxed()
    }

    fn update<'a>(
        &'a self,
        current: &'a Webhook,
        spec: &'a WebhookSpec,
    ) -> BoxFuture<'a, Result<Webhook, Error>> {
        if current.spec == *spec {
            return ready(Ok(current.clone())).boxed(); // Whoever owns it.
        }
        let change = Change::Update(Box::new(current.clone()), Box::new(spec.clone()));
        self.ask(current, change).boxed()
    }

    fn set_key<'a>(
        &'a self,
        webhook: &'a Webhook,
        key: &'a SecretString,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.ask(webhook, Change::SetKey(key.clone())).map(|set| set.map(drop)).boxed()
    }

    fn delete<'a>(&'a self, webhook: &'a Webhook) -> BoxFuture<'a, Result<(), Error>> {
        self.ask(webhook, Change::Delete).map(|deleted| deleted.map(drop)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn webhooks_are_shown_page_by_page() {
        let (shelving, shelf) = shelf();
        let webhooks = ["b", "a", "c"].map(|name| {
            let mut webhook = Webhook::new(name, WebhookSpec::default());
            webhook.metadata.namespace = Some("default".to_owned());
            webhook
        });
        shelving.put(webhooks.iter());
        let names = |page: &Page| -> Vec<_> {
            page.webhooks.iter().map(|it| it.metadata.name.clone().unwrap()).collect()
        };
        let first = shelf.list("default", 2, None).await.unwrap();
        assert_eq!((names(&first), first.next.as_deref()), (vec!["a".into(), "b".into()], Some("b")));
        let last = shelf.list("default", 2, Some("b")).await.unwrap();
        assert_eq!((names(&last), last.next), (vec!["c".into()], None));
        assert!(names(&shelf.list("other", 2, None).await.unwrap()).is_empty());
        assert_eq!(shelf.get("default", "a").await.unwrap().metadata.name.as_deref(), Some("a"));
        assert!(matches!(shelf.get("other", "a").await, Err(Error::NotFound(_))));
    }

    #[tokio::test]
    async fn at_the_end_nothing_is_changed_and_nobody_waits() {
        let (shelving, shelf) = shelf();
        drop(shelving);
        let webhook = Webhook::new("a", WebhookSpec::default());
        assert!(matches!(shelf.delete(&webhook).await, Err(Error::Unavailable(_))));
    }
}
