//! Certificates and keys of Secrets.

use hookwright_engine::endpoint::Trust;
use rcgen::{CertifiedKey, KeyPair};

use super::*;

fn certified() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap()
}

fn built(tls: Value, ca: &str, certificate: &str, key: &str) -> Built {
    let ca = secret("ca", json!({ "ca.crt": ca }));
    let identity = secret("client", json!({ "tls.crt": certificate, "tls.key": key }));
    build(spec(json!({ "tls": tls })), &[ca, identity, signing()])
}

#[test]
fn certificates_and_keys_of_secrets_become_trust_and_identity() {
    let (ours, ca) = (certified(), certified());
    let tls = json!({ "caRef": { "name": "ca" }, "clientCertRef": { "name": "client" } });
    let two = format!("{}{}", ca.cert.pem(), ours.cert.pem());
    let built = built(tls, &two, &ours.cert.pem(), &ours.signing_key.serialize_pem());
    let tls = receiver(&built).tls.as_ref().unwrap();
    let Trust::Authorities(authorities) = tls.trust() else { panic!("{:?}", tls.trust()) };
    assert_eq!(*authorities, [ca.cert.der().to_vec(), ours.cert.der().to_vec()]);
    let identity = tls.identity().unwrap();
    assert_eq!(identity.chain, [ours.cert.der().to_vec()]);
    assert_eq!(identity.key.expose_secret(), ours.signing_key.serialize_der());
}

#[test]
fn what_is_as_usual_is_no_setting() {
    for (tls, usual) in [(json!({}), true), (json!({ "insecureSkipVerify": true }), false)] {
        let built = build(spec(json!({ "tls": tls })), &[signing()]);
        assert_eq!(receiver(&built).tls.is_none(), usual);
    }
}

#[test]
fn what_is_no_certificate_or_no_key_is_unresolved_and_never_quoted() {
    let (ours, other) = (certified(), certified());
    let (certificate, key) = (ours.cert.pem(), ours.signing_key.serialize_pem());
    let cut = &certificate[..certificate.len() / 2];
    let garbage = "-----BEGIN CERTIFICATE-----\nczNjcjN0\n-----END CERTIFICATE-----\n";
    let needs = |key: &str, secret: &str, field: &str| {
        format!("key '{key}' of Secret '{secret}', which spec.tls.{field} needs: ")
    };
    let (ca, crt, private) = (
        needs("ca.crt", "ca", "caRef"),
        needs("tls.crt", "client", "clientCertRef"),
        needs("tls.key", "client", "clientCertRef"),
    );
    for (values, begin, says) in [
        (["s3cr3t", &certificate, &key], &ca, "has no certificate in PEM"),
        ([garbage, &certificate, &key], &ca, "has a certificate that cannot be used: "),
        ([cut, &certificate, &key], &ca, "is not PEM: "),
        ([&certificate, "", &key], &crt, "has no certificate in PEM"),
        ([&certificate, &certificate, "s3cr3t"], &private, "has no unencrypted private key in PEM"),
        (
            [&certificate, &other.cert.pem(), &key],
            &private,
            "cannot be used with the certificate in 'tls.crt': ",
        ),
    ] {
        let tls = json!({ "caRef": { "name": "ca" }, "clientCertRef": { "name": "client" } });
        let [authority, certificate, key] = values;
        let built = built(tls, authority, certificate, key);
        let error = built.receiver.as_ref().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{begin}{says}")), "{error}");
        assert_eq!(hold(&built), Some(Hold::Unresolved));
        assert!(!error.contains("s3cr3t"));
    }
}

#[test]
fn a_url_of_a_secret_must_be_https_where_certificates_are_asked_for() {
    let spec = spec(json!({
        "url": null, "urlFrom": { "secretKeyRef": { "name": "s", "key": "url" } },
        "tls": { "caRef": { "name": "ca" } },
    }));
    let ca = secret("ca", json!({ "ca.crt": certified().cert.pem() }));
    let url = |url: &str| secret("s", json!({ "url": url }));
    let plain = build(spec.clone(), &[url("http://a.example"), ca.clone(), signing()]);
    assert_eq!(
        plain.receiver.unwrap_err().to_string(),
        "key 'url' of Secret 's', which spec.urlFrom needs: must be an https URL, as spec.tls needs one"
    );
    assert!(build(spec, &[url("https://a.example"), ca, signing()]).receiver.is_ok());
}
