//! Who changed what: a line of the log for each call that may have.

use std::sync::Arc;

use axum::http::{Method, StatusCode};

use super::{Caller, Resource, Wish};

/// The target of these lines: `--log-level info,audit=off` leaves them out.
const TARGET: &str = "audit";
/// Longest name of an object that is logged, in bytes: longer than any that exists.
const MAX_OBJECT_LEN: usize = 256;

/// What a call made, for those whose path does not name it. Travels with the answer.
#[derive(Clone, Debug)]
pub(in crate::api) struct Object(pub(in crate::api) String);

/// A call that is under way. Logged when it ends, also where the caller did not wait for that.
#[derive(Debug)]
pub(super) struct Record {
    method: Method,
    route: &'static str,
    caller: Arc<Caller>,
    wish: Wish,
    object: Option<String>,
    status: Option<StatusCode>,
}

impl Record {
    /// Begins it. `object` is what the path names.
    pub(super) fn new(
        method: Method,
        route: &'static str,
        caller: Arc<Caller>,
        wish: Wish,
        object: Option<&str>,
    ) -> Self {
        Self {
            method,
            route,
            caller,
            wish,
            object: object.filter(|it| is_plain(it)).map(str::to_owned),
            status: None,
        }
    }

    /// It was answered.
    pub(super) fn answered(mut self, status: StatusCode, made: Option<&Object>) {
        self.status = Some(status);
        if let Some(Object(made)) = made {
            self.object = Some(made.clone());
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Self { method, route, caller, wish, object, status } = &*self;
        let (namespace, publishes) = match wish {
            Wish::Namespaced(_, resource, namespace) => {
                (Some(namespace.as_str()), *resource == Resource::WebhookEvents)
            }
            Wish::Nothing | Wish::Path(_) => (None, false),
        };
        let (object, status) = (object.as_deref(), status.map(|status| status.as_u16()));
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(target: TARGET, %method, route, user = %caller, namespace, object, status, "called")
            };
        }
        // There are as many of these as events, which are in the database anyway.
        if publishes && status.is_some_and(|status| status < 400) {
            line!(debug);
        } else {
            line!(info);
        }
    }
}

/// What a path names can be anything, and a log is read by people.
fn is_plain(object: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    object.len() <= MAX_OBJECT_LEN && object.bytes().all(plain)
}
