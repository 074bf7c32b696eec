//! Token servers, from the values of Secrets.

use hookwright_engine::endpoint::{ClientAuthentication, Scope, Trust};

use super::*;

fn key(name: &str) -> Value {
    json!({ "name": "s", "key": name })
}

fn oauth2(fields: Value) -> Value {
    let mut oauth2 = json!({
        "tokenURL": "https://auth.example/token", "clientID": "hookwright", "clientSecretRef": key("secret"),
    });
    oauth2.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    spec(json!({ "request": { "authorization": { "oauth2": oauth2 } } }))
}

fn values() -> Secret {
    let values = json!({ "id": "from a secret", "secret": "s3cr3t", "line": "s3cr3t\n", "empty": "" });
    secret("s", values)
}

#[test]
fn client_credentials_are_read_with_their_defaults() {
    let built = build(oauth2(json!({})), &[values(), signing()]);
    let credentials = receiver(&built).oauth2.as_ref().unwrap();
    assert_eq!(credentials.token_url.as_url().as_str(), "https://auth.example/token");
    assert_eq!(credentials.client_id, "hookwright");
    assert_eq!(credentials.client_secret.expose_secret(), "s3cr3t");
    assert_eq!(credentials.authentication, ClientAuthentication::Basic);
    assert!(credentials.scopes.is_empty() && credentials.parameters.is_empty() && credentials.tls.is_none());
    assert!(receiver(&built).headers.is_empty());
    assert!(!format!("{built:?}").contains("s3cr3t"));

    let all = json!({
        "clientID": null, "clientIDRef": key("id"), "clientAuthentication": "Post", "scopes": ["a:b", "c"],
        "parameters": [{ "name": "audience", "value": "https://api.example" }],
        "tls": { "insecureSkipVerify": true },
    });
    assert!(validate_cel(&webhook(oauth2(all.clone()))).is_ok());
    let built = build(oauth2(all), &[values(), signing()]);
    let credentials = receiver(&built).oauth2.as_ref().unwrap();
    assert_eq!(credentials.client_id, "from a secret");
    assert_eq!(credentials.authentication, ClientAuthentication::Post);
    assert_eq!(credentials.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(), ["a:b", "c"]);
    let [parameter] = &credentials.parameters[..] else { panic!("{:?}", credentials.parameters) };
    assert_eq!((parameter.name(), parameter.value()), ("audience", "https://api.example"));
    assert!(matches!(credentials.tls.as_ref().unwrap().trust(), Trust::Anyone));
    assert!(receiver(&built).tls.is_none());
}

#[test]
fn values_that_no_client_has_are_unresolved_and_never_quoted() {
    for (fields, field, says) in [
        (json!({ "clientSecretRef": key("line") }), "oauth2.clientSecretRef", "without line breaks"),
        (json!({ "clientSecretRef": key("empty") }), "oauth2.clientSecretRef", "must be 1 to 4096"),
        (json!({ "clientSecretRef": key("missing") }), "", "Secret 's' has no key 'missing'"),
        (json!({ "clientID": null, "clientIDRef": key("line") }), "oauth2.clientIDRef", "must be 1 to 256"),
        (json!({ "tls": { "caRef": { "name": "s", "key": "id" } } }), "oauth2.tls.caRef", "no certificate"),
    ] {
        let built = build(oauth2(fields), &[values(), signing()]);
        let error = built.receiver.as_ref().unwrap_err().to_string();
        assert!(error.contains(field) && error.contains(says), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
        assert_eq!(hold(&built), Some(Hold::Unresolved));
    }
}

#[test]
fn what_is_wrong_with_it_is_named_by_its_field_and_refused_by_cel_too() {
    let parameter = |name: &str, value: &str| json!({ "parameters": [{ "name": name, "value": value }] });
    for (fields, says) in [
        (
            json!({ "tokenURL": "/token" }),
            ".tokenURL: must be an absolute URL such as https://example.com/webhooks",
        ),
        (json!({ "tokenURL": "ftp://a.example" }), ".tokenURL: must begin with https:// or http://"),
        (
            json!({ "tokenURL": "https://u:p@a.example/" }),
            ".tokenURL: must not contain a user or password: use clientSecretRef",
        ),
        (json!({ "tokenURL": "https://a.example/#x" }), ".tokenURL: must not have a #fragment"),
        (json!({ "clientID": null }), ": exactly one of clientID and clientIDRef is required"),
        (json!({ "clientIDRef": key("id") }), ": exactly one of clientID and clientIDRef is required"),
        (
            json!({ "clientID": "é" }),
            ".clientID: must be 1 to 256 visible ASCII characters or spaces, without line breaks",
        ),
        (
            json!({ "scopes": ["a b"] }),
            ".scopes[0]: must be 1 to 256 visible characters without spaces, quotes and backslashes",
        ),
        (parameter("a=b", ""), ".parameters[0]: must be 1 to 64 characters of A-Z a-z 0-9 - _ ."),
        (parameter("scope", "a"), ".parameters[0]: is set by Hookwright and cannot be overridden"),
        (parameter("audience", "a\nb"), ".parameters[0]: must be at most 1024 visible characters or spaces"),
        (
            json!({ "tokenURL": "http://a.example", "tls": { "caRef": { "name": "ca" } } }),
            ".tls: caRef and clientCertRef need an https URL",
        ),
    ] {
        let spec = oauth2(fields.clone());
        assert!(validate_cel(&webhook(spec.clone())).is_err(), "{fields}");
        let built = build(spec, &[values(), signing()]);
        let says = format!("spec.request.authorization.oauth2{says}");
        assert_eq!(built.receiver.unwrap_err().to_string(), says);
    }
    // What the schema alone refuses in a cluster.
    let one = json!({ "name": "audience", "value": "a" });
    for (fields, says) in [
        (json!({ "scopes": [] }), ".scopes: must have 1 to 32 entries, not 0"),
        (json!({ "scopes": ["a", "a"] }), ".scopes[1]: is there twice"),
        (json!({ "parameters": vec![one.clone(); 2] }), ".parameters[1].name: is there twice"),
        (json!({ "parameters": [] }), ".parameters: must have 1 to 16 entries, not 0"),
        (
            json!({ "clientSecretRef": { "name": "A_b", "key": "k" } }),
            ".clientSecretRef.name: must be the name",
        ),
    ] {
        let error = build(oauth2(fields), &[values(), signing()]).receiver.unwrap_err().to_string();
        assert!(error.starts_with(&format!("spec.request.authorization.oauth2{says}")), "{error}");
    }
}
