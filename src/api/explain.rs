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
pub(crate) struct Explained {
    pub(crate) webhooks: Vec<Explanation>,
}

/// One webhook.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Explanation {
    id: String,
    pub(crate) name: String,
    /// Whether it would get the event.
    pub(crate) matches: bool,
    /// Why not; or, where it would, when.
    reason: String,
}

impl Explanation {
    /// Why a webhook would get an event, or what keeps it from that; `hold` is why it would have to wait.
    pub(crate) fn new(webhook: &Endpoint, obstacle: Option<Obstacle>, hold: Option<Hold>) -> Self {
        let reason = match obstacle {
            Some(Obstacle::NotSubscribed) => {
                let patterns: Vec<_> = webhook.events.iter().map(ToString::to_string).collect();
                format!("{}: {}", Obstacle::NotSubscribed, patterns.join(", "))
            }
            Some(obstacle @ Obstacle::Filtered(_)) => obstacle.to_string(),
            None => match hold {
                None => "sent at once".to_owned(),
                Some(hold) => format!("kept until it is sent: {}", held(hold)),
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
    let webhooks = explained.iter().map(|(webhook, obstacle)| {
        let hold = match webhook.target {
            Target::Receiver(_) => None,
            Target::Held(hold) => Some(hold),
        };
        Explanation::new(webhook, *obstacle, hold)
    });
    Ok(Json(Explained { webhooks: webhooks.collect() }))
}
