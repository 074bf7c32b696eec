//! What every request passes before its handler sees it.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Access, Gate, Wish};
use crate::api::error::{Kind, Problem};
use crate::api::query::Namespace;

/// Guards one route.
#[derive(Clone, Debug)]
pub(in crate::api) struct Guard {
    pub(in crate::api) gate: Gate,
    pub(in crate::api) access: Access,
    pub(in crate::api) path: &'static str,
}

/// Says to the handler that the caller may do what the route is for, in this namespace. Only a guard
/// makes one.
#[derive(Clone, Debug)]
pub(in crate::api) struct Admitted {
    namespace: Namespace,
}

impl Admitted {
    /// The namespace that the call acts on.
    pub(in crate::api) fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

/// Lets a request through to its handler, or answers in its place.
pub(in crate::api) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match guard.admit(&mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

impl Guard {
    async fn admit(&self, parts: &mut Parts) -> Result<(), Problem> {
        if self.access == Access::Anybody {
            return Ok(());
        }
        let caller = self.gate.caller();
        let wish = match self.access {
            Access::Anybody | Access::Known => Wish::Nothing,
            Access::Path => Wish::Path(self.path),
            Access::Namespaced(verb, resource) => {
                let namespace = match Namespace::of(&parts.uri)? {
                    Some(named) => named,
                    None => home(caller.namespace())?,
                };
                Wish::Namespaced(verb, resource, namespace)
            }
        };
        self.gate.allow(&caller, &wish).await?;
        if let Wish::Namespaced(_, _, namespace) = wish {
            parts.extensions.insert(Admitted { namespace });
        }
        Ok(())
    }
}

/// Where calls of somebody act that do not say where.
fn home(namespace: Option<&str>) -> Result<Namespace, Problem> {
    let home = namespace.map_or(Ok(Namespace::default()), |name| name.to_owned().try_into());
    home.map_err(|error| Problem::new(Kind::Internal, error))
}
