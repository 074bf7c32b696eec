//! Who calls, and what they may do.
//!
//! ```text
//! request ─► Gate: who is it? ─► of which namespace? ─► Gate: may they? ─► handler, with a Call
//! ```
//!
//! Every route has an [`Access`], and every request passes the [`guard`](guard()) of its route before
//! its body is read.

mod access;
mod caller;
mod guard;

pub use access::{Access, Resource, Verb};
pub use caller::Caller;
pub(super) use guard::{Admitted, Guard, guard};

use super::error::Problem;
use super::query::Namespace;

/// Decides who is let in.
#[derive(Clone, Debug)]
pub enum Gate {
    /// Whoever reaches it may do everything: for an API that listens on loopback only.
    Open,
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

impl Gate {
    /// Who sends this.
    fn caller(&self) -> Caller {
        match self {
            Self::Open => Caller::anybody(),
        }
    }

    /// Whether they may do this.
    async fn allow(&self, _: &Caller, _: &Wish) -> Result<(), Problem> {
        match self {
            Self::Open => Ok(()),
        }
    }
}
