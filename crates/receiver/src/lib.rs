//! What a receiver of webhooks needs, as an axum route.
//!
//! ```text
//! AllowList ─► RateLimit ─► Verifier ─► Receiver ─► Memory: new? ─► answer ─► Router: handlers, retried
//!  (guards: who may send, how much)      one event or a batch         │
//!                                                                    └─ or the answer last: Receiver::answer_last
//! ```
//!
//! Each part works without the others: [`Verifier`] and the guards are tower layers, [`Memory`] is
//! a trait, and `hookwright-signature` has the signatures alone.
//!
//! ```
//! use std::sync::Arc;
//! use hookwright_receiver::{BoxError, Event, Receiver, Router, SecretString, Verifier};
//!
//! # fn main() -> Result<(), BoxError> {
//! let router = Router::new().on("resource.*", async |event: Arc<Event>| {
//!     Ok::<_, BoxError>(println!("{} {}", event.event_type, event.id))
//! });
//! let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
//! let (route, work) = Receiver::new(router)?.serve(Verifier::new([secret]));
//! let app: axum::Router = axum::Router::new().route("/webhooks/pcf", route);
//! // axum::serve(listener, app).with_graceful_shutdown(signal).await?;
//! // work.finish().await;
//! # let _ = (app, work);
//! # Ok(())
//! # }
//! ```

mod event;
mod guard;
mod memory;
mod pattern;
mod receiver;
mod refusal;
mod router;
mod verifier;
mod work;

pub use event::{Change, Event, Metadata, Object, Webhook};
pub use guard::{AllowList, Behind, Clients, Guard, Guarded, RateLimit};
pub use hookwright_signature::{Rejection, SecretString};
#[cfg(feature = "redis")]
pub use memory::Redis;
pub use memory::{Claim, InProcess, Memory};
pub use pattern::InvalidPattern;
pub use receiver::{Drain, Receiver};
pub use refusal::Refusal;
pub use router::{BoxError, Broken, Failure, Router};
pub use verifier::{Verified, Verifier};
pub use work::Options;
