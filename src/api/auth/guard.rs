//! What every request passes before its handler sees it.

use std::sync::Arc;

use axum::RequestPartsExt;
use axum::extract::{RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::audit::{Object, Record};
use super::{Access, Caller, Gate, Verb, Wish};
use crate::api::error::{Kind, Problem};
use crate::api::query::Namespace;
use crate::metrics::{CallRefusal, Metrics};

/// Guards one route.
#[derive(Clone, Debug)]
pub(in crate::api) struct Guard {
    pub(in crate::api) gate: Gate,
    pub(in crate::api) metrics: Arc<Metrics>,
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
    if guard.access == Access::Anybody {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match guard.known(&parts).await {
        Ok((caller, wish)) => guard.judged(caller, wish, Request::from_parts(parts, body), next).await,
        Err(problem) => guard.refuse(problem),
    }
}

impl Guard {
    /// Who calls, and for what.
    async fn known(&self, parts: &Parts) -> Result<(Arc<Caller>, Wish), Problem> {
        let caller = self.gate.caller(parts).await?;
        let wish = match self.access {
            Access::Anybody | Access::Known => Wish::Nothing,
            Access::Path => Wish::Path(self.path),
            Access::Namespaced(verb, resource) => {
                let named = Namespace::of(&parts.uri)?;
                let namespace = named.map_or_else(|| home(&caller), Ok)?;
                Wish::Namespaced(verb, resource, namespace)
            }
        };
        Ok((caller, wish))
    }

    /// Lets through what the caller may do, and remembers what was changed.
    async fn judged(&self, caller: Arc<Caller>, wish: Wish, request: Request, next: Next) -> Response {
        let (mut parts, body) = request.into_parts();
        let record = if self.changes() {
            let named = parts.extract::<RawPathParams>().await.ok();
            let object = named.as_ref().and_then(|named| named.iter().next()).map(|(_, value)| value);
            Some(Record::new(parts.method.clone(), self.path, Arc::clone(&caller), wish.clone(), object))
        } else {
            None
        };
        let response = match self.gate.allow(&caller, &wish).await {
            Ok(()) => {
                if let Wish::Namespaced(_, _, namespace) = wish {
                    parts.extensions.insert(Admitted { namespace });
                }
                next.run(Request::from_parts(parts, body)).await
            }
            Err(problem) => self.refuse(problem),
        };
        if let Some(record) = record {
            record.answered(response.status(), response.extensions().get::<Object>());
        }
        response
    }

    /// Whether its calls change something: the right says it, as some that only ask have a body, too.
    const fn changes(&self) -> bool {
        match self.access {
            Access::Namespaced(Verb::Create | Verb::Patch | Verb::Delete, _) => true,
            Access::Namespaced(Verb::List | Verb::Get, _)
            | Access::Path
            | Access::Known
            | Access::Anybody => false,
        }
    }

    fn refuse(&self, problem: Problem) -> Response {
        let refusal = match problem.kind() {
            Kind::Unauthorized => Some(CallRefusal::Unauthorized),
            Kind::Forbidden => Some(CallRefusal::Forbidden),
            Kind::Unavailable => Some(CallRefusal::Unavailable),
            // What a guard says beside that is no judgement of the caller.
            _ => None,
        };
        if let Some(refusal) = refusal {
            self.metrics.call_refused(refusal);
        }
        problem.into_response()
    }
}

/// Where calls of somebody act that do not say where.
fn home(caller: &Caller) -> Result<Namespace, Problem> {
    let home = caller.namespace().map_or(Ok(Namespace::default()), |name| name.to_owned().try_into());
    home.map_err(|error| Problem::new(Kind::Internal, error))
}
