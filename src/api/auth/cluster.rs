//! Callers of a cluster: Kubernetes says who they are and what they may do.
//!
//! A token goes to a `TokenReview`, a wish to a `SubjectAccessReview`. What they say is remembered
//! for a short time, so that a right that was taken away ends soon; what could not be asked is
//! refused.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::Resource as Kubernetes;
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::PostParams;
use kube::core::Request;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::memory::{Answer, Memory};
use super::token::{Fingerprint, Token};
use super::{Caller, Resource, Wish};
use crate::api::error::{Kind, Problem};
use crate::clock;

/// How long it is remembered whose a token is.
const TOKEN_HOLDS: Duration = Duration::from_mins(1);
/// How long a right is remembered.
const RIGHT_HOLDS: Duration = Duration::from_secs(30);
/// How long a refusal is remembered, and that nothing could be found out.
const REFUSAL_HOLDS: Duration = Duration::from_secs(1);
/// Most tokens, and most rights, remembered.
const MAX_REMEMBERED: u64 = 10_000;
/// Most reviews under way at a time.
const MAX_REVIEWS: usize = 64;
/// How long a review may take, waiting for its turn included.
const REVIEW_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a cluster.
pub struct Reviews {
    client: Client,
    audiences: Vec<String>,
    callers: Memory<Fingerprint, Arc<Caller>>,
    rights: Memory<(Arc<Caller>, Wish), ()>,
    turns: Semaphore,
}

impl Debug for Reviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reviews").field("audiences", &self.audiences).finish_non_exhaustive()
    }
}

/// Why a review says nothing.
#[derive(Debug, thiserror::Error)]
enum ReviewError {
    #[error(
        "the operator may not make one: bind its service account to the ClusterRole system:auth-delegator"
    )]
    Forbidden,
    #[error("the API server did not answer within {} s", REVIEW_TIMEOUT.as_secs())]
    Late,
    #[error("{0}")]
    Failed(#[from] kube::Error),
    #[error("the answer of the API server makes no sense")]
    Unreadable,
}

impl Reviews {
    /// Accepts tokens that were issued for one of these audiences.
    #[must_use]
    pub fn new(client: Client, audiences: Vec<String>) -> Self {
        Self {
            client,
            audiences,
            callers: Memory::new(MAX_REMEMBERED),
            rights: Memory::new(MAX_REMEMBERED),
            turns: Semaphore::new(MAX_REVIEWS),
        }
    }

    /// How to come by a token.
    pub(super) fn advice(&self) -> String {
        let audience = self.audiences.first().map_or_else(String::new, |it| format!(" --audience {it}"));
        format!(
            "send 'Authorization: Bearer TOKEN' with what 'kubectl create token SERVICEACCOUNT{audience}' prints"
        )
    }

    /// Whose token this is.
    pub(super) async fn caller(&self, token: &Token) -> Result<Arc<Caller>, Problem> {
        self.callers.recall(token.fingerprint(), || self.review_token(token)).await
    }

    /// Whether the caller may do this.
    pub(super) async fn allow(&self, caller: &Arc<Caller>, wish: &Wish) -> Result<(), Problem> {
        if *wish == Wish::Nothing {
            return Ok(());
        }
        let key = (Arc::clone(caller), wish.clone());
        self.rights.recall(key, || self.review_access(caller, wish)).await
    }

    async fn review_token(&self, token: &Token) -> Answer<Arc<Caller>> {
        let spec = TokenReviewSpec {
            audiences: Some(self.audiences.clone()),
            token: Some(token.expose().to_owned()),
        };
        let reviewed = self.review(&TokenReview { spec, ..TokenReview::default() }).await;
        let reviewed = reviewed.map(|review| identified(review.status.unwrap_or_default(), &self.audiences));
        let (answer, holds) = match reviewed {
            Ok(Some(caller)) => {
                let life = token.rest_of_life(clock::wall()).unwrap_or(TOKEN_HOLDS);
                (Ok(Arc::new(caller)), life.min(TOKEN_HOLDS))
            }
            Ok(None) => {
                let audiences = self.audiences.join(" or ");
                let why =
                    format!("the token is not valid, has expired or is not for the audience {audiences}");
                let detail = format!("{why}: {}", self.advice());
                (Err(Problem::new(Kind::Unauthorized, detail)), REFUSAL_HOLDS)
            }
            Err(error) => (Err(unknown("TokenReview", &error)), REFUSAL_HOLDS),
        };
        Answer { answer, holds }
    }

    async fn review_access(&self, caller: &Caller, wish: &Wish) -> Answer<()> {
        let spec = asking(caller, wish);
        let reviewed = self.review(&SubjectAccessReview { spec, ..SubjectAccessReview::default() }).await;
        let status = reviewed.map(|review| review.status.unwrap_or_default());
        let (answer, holds) = match status {
            Ok(status) if status.allowed && status.denied != Some(true) => (Ok(()), RIGHT_HOLDS),
            Ok(status) => {
                if let Some(error) = status.evaluation_error {
                    tracing::debug!(user = %caller, error, "some roles of a caller could not be judged");
                }
                (Err(Problem::new(Kind::Forbidden, format!("{caller} may not {wish}"))), REFUSAL_HOLDS)
            }
            Err(error) => (Err(unknown("SubjectAccessReview", &error)), REFUSAL_HOLDS),
        };
        Answer { answer, holds }
    }

    /// Has something reviewed. It reads the answer by itself: the client would log one that it
    /// cannot read, with the token in it.
    async fn review<K>(&self, review: &K) -> Result<K, ReviewError>
    where
        K: Kubernetes + kube::Resource<DynamicType = ()> + Serialize + DeserializeOwned,
    {
        let body = serde_json::to_vec(review).map_err(|_| ReviewError::Unreadable)?;
        let request = Request::new(K::url_path(&(), None)).create(&PostParams::default(), body);
        let request = request.map_err(kube::Error::BuildRequest)?;
        let answer = timeout(REVIEW_TIMEOUT, async {
            let _turn = self.turns.acquire().await;
            self.client.request_text(request).await
        });
        match answer.await {
            Ok(Ok(text)) => serde_json::from_str(&text).map_err(|_| ReviewError::Unreadable),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(ReviewError::Forbidden),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ReviewError::Late),
        }
    }
}

/// Who is meant, if the token is good and was issued for one of these audiences. An API server that
/// knows nothing of audiences answers none.
fn identified(status: TokenReviewStatus, audiences: &[String]) -> Option<Caller> {
    let meant = status.audiences.unwrap_or_default();
    let ours = meant.iter().any(|audience| audiences.contains(audience));
    let user = status.user.filter(|_| ours && status.authenticated == Some(true))?;
    Some(Caller {
        user: user.username.filter(|name| !name.is_empty())?,
        uid: user.uid.unwrap_or_default(),
        groups: user.groups.unwrap_or_default(),
        extra: user.extra.unwrap_or_default(),
    })
}

/// The question whether a caller may do something.
fn asking(caller: &Caller, wish: &Wish) -> SubjectAccessReviewSpec {
    let Caller { user, uid, groups, extra } = caller;
    let given = |extra: &BTreeMap<_, _>| (!extra.is_empty()).then(|| extra.clone());
    let mut spec = SubjectAccessReviewSpec {
        user: Some(user.clone()),
        uid: Some(uid.clone()),
        groups: Some(groups.clone()),
        extra: given(extra),
        ..SubjectAccessReviewSpec::default()
    };
    match wish {
        Wish::Nothing => {}
        Wish::Path(path) => {
            spec.non_resource_attributes =
                Some(NonResourceAttributes { path: Some((*path).to_owned()), verb: Some("get".to_owned()) });
        }
        Wish::Namespaced(verb, resource, namespace) => {
            spec.resource_attributes = Some(ResourceAttributes {
                group: Some(Resource::GROUP.to_owned()),
                namespace: Some(namespace.as_str().to_owned()),
                resource: Some(resource.as_str().to_owned()),
                verb: Some(verb.as_str().to_owned()),
                ..ResourceAttributes::default()
            });
        }
    }
    spec
}

/// Nobody is let in whom nobody could be asked about.
fn unknown(review: &str, error: &ReviewError) -> Problem {
    tracing::error!(review, %error, "failed to find out who calls or what they may do, so they are not let in");
    Problem::unavailable(
        "who calls and what they may do cannot be found out now; the operator's log says why",
    )
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::super::Verb;
    use super::*;

    fn status(authenticated: Option<bool>, audiences: Option<&[&str]>, user: &str) -> TokenReviewStatus {
        TokenReviewStatus {
            audiences: audiences.map(|them| them.iter().map(|&it| it.to_owned()).collect()),
            authenticated,
            error: None,
            user: Some(UserInfo { username: Some(user.to_owned()), ..UserInfo::default() }),
        }
    }

    #[test]
    fn a_token_counts_only_if_it_was_issued_for_our_audience() {
        let ours = ["hookwright.dev".to_owned(), "other".to_owned()];
        let (yes, no) = (Some(true), Some(false));
        for (status, expected) in [
            (status(yes, Some(&["hookwright.dev"]), "alice"), Some("alice")),
            (status(yes, Some(&["third", "other"]), "alice"), Some("alice")),
            (status(yes, Some(&["https://kubernetes.default.svc"]), "alice"), None),
            (status(yes, Some(&[]), "alice"), None),
            (status(yes, None, "alice"), None), // An API server that ignores audiences.
            (status(no, Some(&["hookwright.dev"]), "alice"), None),
            (status(None, Some(&["hookwright.dev"]), "alice"), None),
            (status(yes, Some(&["hookwright.dev"]), ""), None),
            (TokenReviewStatus { user: None, ..status(yes, Some(&["other"]), "alice") }, None),
            (TokenReviewStatus::default(), None),
        ] {
            let shown = format!("{status:?}");
            assert_eq!(identified(status, &ours).map(|caller| caller.user).as_deref(), expected, "{shown}");
        }
    }

    #[test]
    fn all_that_is_known_of_a_caller_is_passed_on() {
        let caller = Caller {
            user: "alice".to_owned(),
            uid: "1".to_owned(),
            groups: vec!["team".to_owned()],
            extra: [("scopes".to_owned(), vec!["a".to_owned()])].into(),
        };
        let wish =
            Wish::Namespaced(Verb::Create, Resource::WebhookEvents, "shop".to_owned().try_into().unwrap());
        let asked = serde_json::to_value(asking(&caller, &wish)).unwrap();
        let expected = serde_json::json!({
            "user": "alice", "uid": "1", "groups": ["team"], "extra": { "scopes": ["a"] },
            "resourceAttributes": {
                "group": "hookwright.dev", "namespace": "shop", "resource": "webhookevents", "verb": "create",
            },
        });
        assert_eq!(asked, expected);
        let asked = serde_json::to_value(asking(&caller, &Wish::Path("/metrics"))).unwrap();
        assert_eq!(asked["nonResourceAttributes"], serde_json::json!({ "path": "/metrics", "verb": "get" }));
        assert!(asked.get("resourceAttributes").is_none());
    }
}
