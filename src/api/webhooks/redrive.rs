//! `/v1/webhooks/{id}/redrive`: all that failed, once more.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use hookwright_engine::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::error::Problem;
use crate::api::openapi::optional_time;
use crate::api::query::Call;
use crate::api::{Api, body, time};
use crate::metrics::By;
use crate::store::Selection;

/// Largest body, in bytes.
const MAX_BYTES: usize = 4096;

/// Which deliveries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Redrive")]
pub(in crate::api) struct Wanted {
    /// Only made at or after this time.
    #[schemars(schema_with = "optional_time")]
    since: Option<String>,
    /// Only made before this time.
    #[schemars(schema_with = "optional_time")]
    until: Option<String>,
    /// Only those of this type of event.
    event_type: Option<String>,
    /// Only count them.
    dry_run: bool,
}

impl Wanted {
    fn selection(&self) -> Result<Selection, Problem> {
        let event_type = self.event_type.as_ref().map(|text| {
            text.parse().map_err(|error: hookwright_engine::pattern::InvalidPattern| {
                Problem::field("/event_type", error.to_string())
            })
        });
        Ok(Selection {
            since: time("/since", self.since.as_deref())?,
            until: time("/until", self.until.as_deref())?,
            event_type: event_type.transpose()?,
        })
    }
}

fn time(pointer: &str, text: Option<&str>) -> Result<Option<Time>, Problem> {
    text.map(time::parse).transpose().map_err(|detail| Problem::field(pointer, detail))
}

/// How many deliveries that are.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Redriven")]
pub(in crate::api) struct Counted {
    count: u64,
}

/// `POST /v1/webhooks/{id}/redrive`
pub(in crate::api) async fn send(
    State(api): State<Api>,
    Path(id): Path<String>,
    Call { namespace, .. }: Call,
    request: Request,
) -> Result<(StatusCode, Json<Counted>), Problem> {
    let webhook = api.webhook(&namespace, &id)?.id;
    let wanted: Wanted = body::object(&body::read(request, MAX_BYTES).await?)?;
    let selection = wanted.selection()?;
    if wanted.dry_run {
        let count = api.store.redrivable(webhook, selection).await?;
        return Ok((StatusCode::OK, Json(Counted { count })));
    }
    let count = api.delivery.redrive(webhook, selection, None).await?;
    api.metrics.redriven(By::Api, count);
    tracing::info!(%webhook, count, ?wanted, by = "API", "failed deliveries are retried");
    Ok((StatusCode::ACCEPTED, Json(Counted { count })))
}
