//! Signing and verifying, against signatures made by other implementations.
#![allow(clippy::unwrap_used, clippy::panic)] // A test file as a whole: its own functions fail tests too.

use hookwright_signature::{InvalidSecret, Rejection, SecretString, Window, pcf, standard};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vector {
    about: String,
    given: Given,
    signatures: Signatures,
}

#[derive(Deserialize)]
struct Given {
    #[serde(deserialize_with = "secret")]
    secret: SecretString,
    id: String,
    timestamp: i64,
    body: String,
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

#[derive(Deserialize)]
struct Signatures {
    pcf: String,
    standard: Option<String>,
}

impl Vector {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("vectors.json")).unwrap()
    }

    fn verify_pcf(&self, secrets: &[SecretString], body: &[u8], now: i64) -> Result<(), Rejection> {
        let timestamp = self.given.timestamp.to_string();
        let headers = pcf::Headers { timestamp: &timestamp, signature: &self.signatures.pcf, previous: None };
        pcf::verify(secrets, headers, body, Window::at(now))
    }

    fn verify_standard(
        &self,
        secrets: &[SecretString],
        body: &[u8],
        now: i64,
    ) -> Option<Result<(), Rejection>> {
        let timestamp = self.given.timestamp.to_string();
        let signature = self.signatures.standard.as_deref()?;
        let headers = standard::Headers { id: &self.given.id, timestamp: &timestamp, signature };
        Some(standard::verify(secrets, headers, body, Window::at(now)))
    }
}

fn other() -> SecretString {
    hookwright_signature::generate(&[7; 24]).unwrap()
}

#[test]
fn both_schemes_sign_as_other_implementations_do() {
    for Vector { about, given, signatures } in Vector::all() {
        let body = given.body.as_bytes();
        assert_eq!(pcf::sign(&given.secret, given.timestamp, body), signatures.pcf, "{about}");
        let signed = standard::sign(&[&given.secret], &given.id, given.timestamp, body);
        assert_eq!(
            standard::check(&given.secret),
            signed.as_ref().map(drop).map_err(|&error| error),
            "{about}"
        );
        assert_eq!(signed, signatures.standard.ok_or(InvalidSecret::NotBase64), "{about}");
    }
}

#[test]
fn both_schemes_accept_what_other_implementations_signed_whichever_secret_it_was() {
    for vector in Vector::all() {
        let Given { secret, body, timestamp, .. } = &vector.given;
        for secrets in [vec![secret.clone()], vec![other(), secret.clone()]] {
            assert_eq!(vector.verify_pcf(&secrets, body.as_bytes(), timestamp + 300), Ok(()));
            let verified = vector.verify_standard(&secrets, body.as_bytes(), timestamp - 300);
            assert!(matches!(verified, None | Some(Ok(()))), "{}: {verified:?}", vector.about);
        }
    }
}

#[test]
fn a_changed_body_or_another_secret_is_a_mismatch() {
    for vector in Vector::all() {
        let Given { secret, body, timestamp, .. } = &vector.given;
        let tampered = format!("{body} ");
        for (secret, body) in [(secret.clone(), &tampered), (other(), body)] {
            let secrets = [secret];
            let verified = vector.verify_pcf(&secrets, body.as_bytes(), *timestamp);
            assert_eq!(verified, Err(Rejection::Mismatch), "{}", vector.about);
            let verified = vector.verify_standard(&secrets, body.as_bytes(), *timestamp);
            assert!(matches!(verified, None | Some(Err(Rejection::Mismatch))), "{}", vector.about);
        }
    }
}

#[test]
fn a_signature_is_refused_when_it_is_too_old_or_of_the_future() {
    for vector in Vector::all() {
        let Given { secret, body, timestamp, .. } = &vector.given;
        let secrets = [secret.clone()];
        for (now, old) in [(timestamp + 301, true), (timestamp - 301, false)] {
            let pcf = vector.verify_pcf(&secrets, body.as_bytes(), now);
            let standard = vector.verify_standard(&secrets, body.as_bytes(), now);
            for verified in [Some(pcf), standard].into_iter().flatten() {
                match verified.unwrap_err() {
                    Rejection::TooOld(age) => assert!(old && age.as_secs() == 301),
                    Rejection::TooNew(ahead) => assert!(!old && ahead.as_secs() == 301),
                    other => panic!("{}: {other}", vector.about),
                }
            }
        }
    }
}

#[test]
fn malformed_headers_are_told_apart_from_wrong_signatures() {
    let secrets = [SecretString::from("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")];
    let digits = "0".repeat(64);
    for signature in ["", "sha256=", &digits, &format!("sha256={digits}00"), &format!("sha1={digits}")] {
        let headers = pcf::Headers { timestamp: "1000", signature, previous: None };
        let verified = pcf::verify(&secrets, headers, b"", Window::at(1_000));
        assert!(matches!(verified, Err(Rejection::MalformedSignature { .. })), "{signature}");
    }
    let signature = format!("sha256={}zz", &digits[2..]);
    let headers = pcf::Headers { timestamp: "1000", signature: &signature, previous: None };
    let verified = pcf::verify(&secrets, headers, b"", Window::at(1_000));
    assert!(matches!(verified, Err(Rejection::MalformedSignature { .. })));

    for signature in ["", "v1,", "v1,AAAA", "v2,AAAA", "v1a,AAAA"] {
        let headers = standard::Headers { id: "evt_1", timestamp: "1000", signature };
        let verified = standard::verify(&secrets, headers, b"", Window::at(1_000));
        assert!(matches!(verified, Err(Rejection::MalformedSignature { .. })), "{signature}");
    }
    let headers = standard::Headers { id: "evt_1", timestamp: "yesterday", signature: "v1,AAAA" };
    let verified = standard::verify(&secrets, headers, b"", Window::at(1_000));
    assert_eq!(verified, Err(Rejection::MalformedTimestamp));
}

#[test]
fn during_a_rotation_a_receiver_with_either_secret_accepts() {
    let (old, new) = (hookwright_signature::generate(&[1; 24]).unwrap(), other());
    let body = b"{}";
    let (current, previous) = (pcf::sign(&new, 1_000, body), pcf::sign(&old, 1_000, body));
    let both = standard::sign(&[&new, &old], "evt_1", 1_000, body).unwrap();
    for secret in [old, new] {
        let secrets = [secret];
        let headers = pcf::Headers { timestamp: "1000", signature: &current, previous: Some(&previous) };
        assert_eq!(pcf::verify(&secrets, headers, body, Window::at(1_000)), Ok(()));
        let headers = standard::Headers { id: "evt_1", timestamp: "1000", signature: &both };
        assert_eq!(standard::verify(&secrets, headers, body, Window::at(1_000)), Ok(()));
    }
}

#[test]
fn without_a_secret_nothing_is_accepted() {
    for vector in Vector::all() {
        let Given { body, timestamp, .. } = &vector.given;
        assert_eq!(vector.verify_pcf(&[], body.as_bytes(), *timestamp), Err(Rejection::Mismatch));
    }
}
