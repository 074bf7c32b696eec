#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

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
