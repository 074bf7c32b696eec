//! `/v1/events/explain`: who would get an event, and why the others would not. Nothing is accepted.

use axum::Json;
use axum::extract::{Request, State};
use hookwright_engine::endpoint::{Endpoint, Hold, Target};
use hookwright_engine::event::Draft;
use schemars::JsonSchema;
use serde::Serialize;

use super::error::Problem;
use super::query::Call;
use super::{Api, body};
use crate::delivery::Obstacle;

/// All webhooks of the namespace, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Explained {
    webhooks: Vec<Explanation>,
}

/// One webhook.
#[derive(Debug, Serialize, JsonSchema)]
struct Explanation {
    id: String,
    name: String,
    /// Whether it would get the event.
    matches: bool,
    /// Why not; or, where it would, when.
    reason: String,
}

impl Explanation {
    fn new(webhook: &Endpoint, obstacle: Option<Obstacle>) -> Self {
        let reason = match obstacle {
            Some(Obstacle::NotSubscribed) => {
                let patterns: Vec<_> = webhook.events.iter().map(ToString::to_string).collect();
                format!("{}: {}", Obstacle::NotSubscribed, patterns.join(", "))
            }
            Some(obstacle @ Obstacle::Filtered(_)) => obstacle.to_string(),
            None => match webhook.target {
                Target::Receiver(_) => "sent at once".to_owned(),
                Target::Held(hold) => format!("kept until it is sent: {}", held(hold)),
            },
        };
        let (id, name) = (webhook.id.to_string(), webhook.name.to_string());
        Self { id, name, matches: obstacle.is_none(), reason }
    }
}

/// Why what a webhook gets waits.
const fn held(hold: Hold) -> &'static str {
    match hold {
        Hold::Suspended => "the webhook is suspended",
        Hold::Gone => "its receiver is gone",
        Hold::Failing => "its receiver did nothing but fail",
        Hold::Invalid => "the webhook is not valid",
        Hold::Unresolved => "a Secret that it needs is missing",
    }
}

/// `POST /v1/events/explain`
pub(super) async fn explain(
    State(api): State<Api>,
    Call { namespace, .. }: Call,
    request: Request,
) -> Result<Json<Explained>, Problem> {
    let draft = Draft::parse(&body::read(request, api.max_event_bytes).await?)?;
    api.ready()?;
    let explained = api.delivery.explain(namespace.as_str(), &draft).await?;
    let webhooks = explained.iter().map(|(webhook, obstacle)| Explanation::new(webhook, *obstacle));
    Ok(Json(Explained { webhooks: webhooks.collect() }))
}
