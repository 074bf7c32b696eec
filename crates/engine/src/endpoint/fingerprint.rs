//! What tells settings apart without holding them.

use sha2::{Digest as _, Sha256};

/// Equal where all parts of two settings are. Secrets among them cannot be had back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A fingerprint in the making.
#[derive(Default)]
pub(super) struct Digest(Sha256);

impl Digest {
    /// Adds a part, with its length, so that no two differ in nothing but where a part ends.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.0.update(part.len().to_be_bytes());
        self.0.update(part);
    }

    /// Adds a part that is itself made of parts.
    pub(super) fn add_fingerprint(&mut self, part: &Fingerprint) {
        self.add(&part.0);
    }

    pub(super) fn end(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into())
    }
}
