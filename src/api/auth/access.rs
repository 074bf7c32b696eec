//! What callers need to be allowed, in the words of Kubernetes RBAC.

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
