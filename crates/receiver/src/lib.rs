#![doc = include_str!("../README.md")]

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
