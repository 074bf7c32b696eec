//! What holds for every request, whatever is in it.

use hookwright_signature::{SecretString, Window, pcf, standard};
use proptest::prelude::*;

const NOW: i64 = 1_705_314_600;

/// What a verifier looks at.
#[derive(Clone, Debug)]
struct Request {
    id: Vec<u8>,
    timestamp: Vec<u8>,
    signature: Vec<u8>,
    body: Vec<u8>,
}

impl Request {
    /// Changes one bit of all its bytes.
    fn flip(&mut self, bit: usize) {
        let Self { id, timestamp, signature, body } = self;
        let mut bytes: Vec<&mut u8> = [id, timestamp, signature, body].into_iter().flatten().collect();
        let bit = bit % (bytes.len() * 8);
        *bytes[bit / 8] ^= 1 << (bit % 8);
    }

    /// The headers as text; `None` where they are none any more, which no server lets through as text.
    fn texts(&self) -> Option<[&str; 3]> {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        Some([text(&self.id)?, text(&self.timestamp)?, text(&self.signature)?])
    }

    fn accepted_by_pcf(&self, secret: &SecretString) -> bool {
        let Some([_, timestamp, signature]) = self.texts() else { return false };
        let headers = pcf::Headers { timestamp, signature, previous: None };
        pcf::verify(std::slice::from_ref(secret), headers, &self.body, Window::at(NOW)).is_ok()
    }

    fn accepted_by_standard(&self, secret: &SecretString) -> bool {
        let Some([id, timestamp, signature]) = self.texts() else { return false };
        let headers = standard::Headers { id, timestamp, signature };
        standard::verify(std::slice::from_ref(secret), headers, &self.body, Window::at(NOW)).is_ok()
    }
}

fn entropy() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 24..=32)
}

fn secret() -> impl Strategy<Value = SecretString> {
    entropy()
        .prop_filter_map("between 24 and 32 bytes", |entropy| hookwright_signature::generate(&entropy).ok())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

proptest! {
    #[test]
    fn no_bit_of_a_request_signed_by_pcf_may_change(secret in secret(), body in body(), bit: usize) {
        let signature = pcf::sign(&secret, NOW, &body).into_bytes();
        let mut request = Request { id: Vec::new(), timestamp: NOW.to_string().into(), signature, body };
        prop_assert!(request.accepted_by_pcf(&secret));
        request.flip(bit);
        prop_assert!(!request.accepted_by_pcf(&secret), "{request:?}");
    }

    #[test]
    fn no_bit_of_a_request_signed_by_standard_webhooks_may_change(
        secret in secret(), id in "[ -~]{1,40}", body in body(), bit: usize,
    ) {
        let signature = standard::sign(&[&secret], &id, NOW, &body).unwrap().into_bytes();
        let mut request = Request { id: id.into(), timestamp: NOW.to_string().into(), signature, body };
        prop_assert!(request.accepted_by_standard(&secret));
        request.flip(bit);
        prop_assert!(!request.accepted_by_standard(&secret), "{request:?}");
    }

    #[test]
    fn a_secret_that_differs_by_one_bit_verifies_nothing(entropy in entropy(), body in body(), bit: usize) {
        let theirs = hookwright_signature::generate(&entropy).unwrap();
        let mut other = entropy;
        let bit = bit % (other.len() * 8);
        other[bit / 8] ^= 1 << (bit % 8);
        let ours = hookwright_signature::generate(&other).unwrap();

        let signature = pcf::sign(&theirs, NOW, &body).into_bytes();
        let mut request = Request { id: b"evt_1".into(), timestamp: NOW.to_string().into(), signature, body };
        prop_assert!(!request.accepted_by_pcf(&ours));
        request.signature = standard::sign(&[&theirs], "evt_1", NOW, &request.body).unwrap().into_bytes();
        prop_assert!(!request.accepted_by_standard(&ours));
    }

    #[test]
    fn headers_and_secrets_of_every_kind_are_judged_and_none_is_accepted(
        secret in ".*", id in ".*", timestamp in timestamp(), signature in signature(), previous in signature(),
        body in body(), now: i64,
    ) {
        let secrets = [SecretString::from(secret)];
        let (window, previous) = (Window::at(now), Some(previous.as_str()));
        let headers = pcf::Headers { timestamp: &timestamp, signature: &signature, previous };
        prop_assert!(pcf::verify(&secrets, headers, &body, window).is_err());
        let headers = standard::Headers { id: &id, timestamp: &timestamp, signature: &signature };
        prop_assert!(standard::verify(&secrets, headers, &body, window).is_err());
    }
}

/// Texts, and what comes close to a timestamp.
fn timestamp() -> impl Strategy<Value = String> {
    prop_oneof![".*", "[0-9]{1,25}", any::<i64>().prop_map(|seconds| seconds.to_string())]
}

/// Texts, and what comes close to a signature.
fn signature() -> impl Strategy<Value = String> {
    prop_oneof![".*", "sha256=.*", "sha256=[0-9a-fA-F]{62,66}", "(v1,[A-Za-z0-9+/]{40,44}={0,2} ?){0,20}"]
}
