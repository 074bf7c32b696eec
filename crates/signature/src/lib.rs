//! Webhook signatures, for those who send webhooks and for those who receive them.
//!
//! Two schemes, each a module with `sign` and `verify`:
//!
//! | scheme | header | signed | key |
//! |---|---|---|---|
//! | [`pcf`] | `X-PCF-Signature: sha256=<hex>` | `{timestamp}.{body}` | the whole secret |
//! | [`standard`] | `webhook-signature: v1,<base64>` | `{id}.{timestamp}.{body}` | the base64 after `whsec_` |
//!
//! Both are HMAC-SHA256 over the body exactly as sent: verify the raw bytes, before parsing them.
//! Nothing here reads a clock or makes random numbers; time and entropy are arguments.
//!
//! ```
//! use hookwright_signature::{SecretString, Window, pcf};
//!
//! let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
//! let (now, body) = (1_705_314_600, br#"{"id":"evt_1"}"#);
//! let signature = pcf::sign(&secret, now, body);
//!
//! let headers = pcf::Headers { timestamp: "1705314600", signature: &signature, previous: None };
//! assert_eq!(pcf::verify(&[secret], headers, body, Window::at(now)), Ok(()));
//! ```

mod mac;
pub mod pcf;
mod rejection;
mod secret;
pub mod standard;
mod window;

pub use rejection::Rejection;
pub use secrecy::SecretString;
pub use secret::{InvalidSecret, generate};
pub use window::Window;
