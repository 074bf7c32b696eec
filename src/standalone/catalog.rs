//! The webhooks of the REST API, as manifests in a folder: read there, and changed in the files.

use std::fmt;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use secrecy::SecretString;
use tokio::sync::watch;

use super::manifest::Identity;
use super::table::webhook_id;
use crate::api::webhooks::catalog::{Catalog, Error, Page};
use crate::crd::{Webhook, WebhookSpec};

/// The webhooks that a folder holds, by namespace and name.
#[derive(Clone, Debug)]
pub struct Shelf(watch::Receiver<Vec<Webhook>>);

/// Where the webhooks of the folder are put for all to see.
#[derive(Debug)]
pub struct Shelving(watch::Sender<Vec<Webhook>>);

/// A shelf, and who fills it.
#[must_use]
pub fn shelf() -> (Shelving, Shelf) {
    let (sender, receiver) = watch::channel(Vec::new());
    (Shelving(sender), Shelf(receiver))
}

impl Shelving {
    pub(super) fn put<'a>(&self, webhooks: impl Iterator<Item = (&'a Identity, &'a Webhook)>) {
        let identified = webhooks.map(|(identity, webhook)| {
            let mut webhook = webhook.clone();
            webhook.metadata.namespace = Some(identity.namespace.clone());
            webhook.metadata.name = Some(identity.name.clone());
            webhook.metadata.uid = Some(webhook_id(identity).uid().to_string());
            webhook
        });
        let mut webhooks: Vec<_> = identified.collect();
        webhooks.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        self.0.send_replace(webhooks);
    }
}

impl Shelf {
    fn page(&self, namespace: &str, limit: u32, cursor: Option<&str>) -> Page {
        let all = self.0.borrow();
        let name = |webhook: &Webhook| webhook.metadata.name.clone().unwrap_or_default();
        let behind = |webhook: &&Webhook| cursor.is_none_or(|cursor| *name(webhook) > *cursor);
        let mut found = all.iter().filter(|webhook| is_in(webhook, namespace)).filter(behind);
        let webhooks: Vec<_> = found.by_ref().take(limit as usize).cloned().collect();
        let next = found.next().and(webhooks.last().map(name));
        Page { webhooks, next }
    }

    fn find(&self, namespace: &str, name: &str) -> Result<Webhook, Error> {
        let all = self.0.borrow();
        let mut found = all.iter().filter(|webhook| is_in(webhook, namespace));
        let found = found.find(|webhook| webhook.metadata.name.as_deref() == Some(name));
        found.cloned().ok_or_else(|| Error::NotFound(format!("there is no webhook {name} in this namespace")))
    }
}

fn is_in(webhook: &Webhook, namespace: &str) -> bool {
    webhook.metadata.namespace.as_deref() == Some(namespace)
}

fn read_only<T: Send + 'static>(what: impl fmt::Display) -> BoxFuture<'static, Result<T, Error>> {
    let detail =
        format!("without a cluster, webhooks are manifests in the folder that is served: {what} there");
    ready(Err(Error::ReadOnly(detail))).boxed()
}

impl Catalog for Shelf {
    fn create(&self, _: Webhook, _: Option<SecretString>) -> BoxFuture<'_, Result<Webhook, Error>> {
        read_only("add a Webhook and a Secret")
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

    fn update<'a>(&'a self, _: &'a Webhook, _: &'a WebhookSpec) -> BoxFuture<'a, Result<Webhook, Error>> {
        read_only("change the Webhook")
    }

    fn set_key<'a>(&'a self, _: &'a Webhook, _: &'a SecretString) -> BoxFuture<'a, Result<(), Error>> {
        read_only("change the Secret")
    }

    fn delete<'a>(&'a self, _: &'a Webhook) -> BoxFuture<'a, Result<(), Error>> {
        read_only("remove the Webhook")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn manifests_are_shown_page_by_page_and_changed_only_in_the_folder() {
        let (shelving, shelf) = shelf();
        let identities =
            ["b", "a", "c"].map(|name| Identity { namespace: "default".into(), name: name.into() });
        let webhook = Webhook::new("", WebhookSpec::default());
        shelving.put(identities.iter().map(|identity| (identity, &webhook)));
        let names = |page: &Page| -> Vec<_> {
            page.webhooks.iter().map(|it| it.metadata.name.clone().unwrap()).collect()
        };
        let first = shelf.list("default", 2, None).await.unwrap();
        assert_eq!((names(&first), first.next.as_deref()), (vec!["a".into(), "b".into()], Some("b")));
        let last = shelf.list("default", 2, Some("b")).await.unwrap();
        assert_eq!((names(&last), last.next), (vec!["c".into()], None));
        assert!(names(&shelf.list("other", 2, None).await.unwrap()).is_empty());

        let found = shelf.get("default", "a").await.unwrap();
        assert_eq!(found.metadata.uid, Some(webhook_id(&identities[1]).uid().to_string()));
        assert!(matches!(shelf.get("other", "a").await, Err(Error::NotFound(_))));
        assert!(matches!(shelf.delete(&found).await, Err(Error::ReadOnly(_))));
        assert!(matches!(shelf.create(found.clone(), None).await, Err(Error::ReadOnly(_))));
        assert!(matches!(shelf.update(&found, &found.spec).await, Err(Error::ReadOnly(_))));
    }
}
