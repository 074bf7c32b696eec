//! What callers need to be allowed, in the words of Kubernetes RBAC.

use std::fmt;

use crate::api::query::Namespace;

/// What a route asks of its callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: it is for probes, and tells nothing that is anybody's.
    Anybody,
    /// To be known, whoever they are.
    Known,
    /// The right to do this with this, in the namespace of the call.
    Namespaced(Verb, Resource),
    /// The right to get the path itself: a `nonResourceURL`.
    Path,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Makes one.
    Create,
    /// Shows all.
    List,
    /// Shows one.
    Get,
    /// Changes one.
    Patch,
    /// Removes one.
    Delete,
}

/// What it is done with: resources of the API group `hookwright.dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The `Webhook` objects.
    Webhooks,
    /// Deliveries, whether or not an object shows them.
    WebhookDeliveries,
    /// Events: there are no such objects, only the right to publish.
    WebhookEvents,
}

impl Verb {
    /// The word that roles have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::List => "list",
            Self::Get => "get",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

impl Resource {
    /// The API group of all of them.
    pub const GROUP: &str = "hookwright.dev";

    /// The word that roles have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::WebhookDeliveries => "webhookdeliveries",
            Self::WebhookEvents => "webhookevents",
        }
    }
}

/// What a caller wants to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// To be known, and nothing else.
    Nothing,
    /// This, with the resources of a namespace.
    Namespaced(Verb, Resource, Namespace),
    /// To get a path.
    Path(&'static str),
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("call"),
            Self::Namespaced(verb, resource, namespace) => {
                let (verb, resource, group) = (verb.as_str(), resource.as_str(), Resource::GROUP);
                write!(f, "{verb} {resource}.{group} in the namespace {}", namespace.as_str())
            }
            Self::Path(path) => write!(f, "get the path {path}"),
        }
    }
}
