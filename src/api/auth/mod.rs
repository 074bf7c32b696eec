//! Who calls, and what they may do.
//!
//! ```text
//! request ─► Gate: who is it? ─► of which namespace? ─► Gate: may they? ─► handler, with a Call
//! ```
//!
//! Every route has an [`Access`], and every request passes the guard of its route before its body is
//! read. What could not be found out is refused.

mod access;
mod audit;
mod caller;
mod cluster;
mod guard;
mod local;
mod memory;
mod token;
mod token_file;

use std::sync::Arc;

use axum::http::request::Parts;

pub use access::{Access, Resource, Verb, Wish};
pub(super) use audit::Object;
pub use caller::Caller;
pub use cluster::Reviews;
pub(super) use guard::{Admitted, Guard, guard};
use token::Token;
pub use token_file::{TokenFile, Tokens};

use super::error::{Kind, Problem};

/// Decides who is let in.
#[derive(Clone, Debug)]
pub enum Gate {
    /// Kubernetes says who calls, and what they may do.
    Cluster(Arc<Reviews>),
    /// Who has one of these tokens may do everything.
    Tokens(Tokens),
    /// Who is on this machine may do everything: for an API that listens on loopback only.
    Local,
}

impl Gate {
    /// Who sends this.
    async fn caller(&self, parts: &Parts) -> Result<Arc<Caller>, Problem> {
        let refused = |why: &dyn std::fmt::Display, advice: &str| {
            Problem::new(Kind::Unauthorized, format!("{why}: {advice}"))
        };
        match self {
            Self::Cluster(reviews) => {
                let token = Token::of(&parts.headers).map_err(|why| refused(&why, &reviews.advice()))?;
                reviews.caller(&token).await
            }
            Self::Tokens(tokens) => {
                let token = Token::of(&parts.headers).map_err(|why| refused(&why, Tokens::ADVICE))?;
                let caller = tokens.caller(&token.fingerprint());
                caller.ok_or_else(|| refused(&"the token is not in the token file", Tokens::ADVICE))
            }
            Self::Local => local::caller(parts).map(Arc::new),
        }
    }

    /// Whether they may do this.
    async fn allow(&self, caller: &Arc<Caller>, wish: &Wish) -> Result<(), Problem> {
        match self {
            Self::Cluster(reviews) => reviews.allow(caller, wish).await,
            Self::Tokens(_) | Self::Local => Ok(()),
        }
    }
}
