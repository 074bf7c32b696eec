//! HMAC-SHA256, and its comparison in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// An authentication code.
pub(crate) type Code = [u8; 32];

/// The code of a message, given in parts.
pub(crate) fn code(key: &[u8], parts: &[&[u8]]) -> Code {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of every length")
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether any of `given` is any of `expected`, without telling by its time which one or how far.
pub(crate) fn any_equal(expected: &[Code], given: &[Code]) -> bool {
    let mut found = Choice::from(0);
    for expected in expected {
        for given in given {
            found |= expected.ct_eq(given);
        }
    }
    found.into()
}
