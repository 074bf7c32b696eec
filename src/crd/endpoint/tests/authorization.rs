//! The header `Authorization`, from the values of Secrets.

use super::*;

fn key(name: &str) -> Value {
    json!({ "name": "s", "key": name })
}

fn with(authorization: Value) -> Value {
    spec(json!({ "request": { "authorization": authorization } }))
}

fn values() -> Secret {
    let values = json!({
        "user": "Aladdin", "password": "open sesame", "token": "mF_9.B5f-4.1JqM", "colon": "s3cr3t:x",
        "line": "s3cr3t\n", "spaced": "Bearer s3cr3t", "empty": "", "long": "s3cr3t".repeat(1000),
    });
    secret("s", values)
}

#[test]
fn names_passwords_and_tokens_become_the_header() {
    for (authorization, value) in [
        (
            json!({ "basic": { "username": "Aladdin", "passwordRef": key("password") } }),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (
            json!({ "basic": { "usernameRef": key("user"), "passwordRef": key("password") } }),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        (json!({ "bearer": { "tokenRef": key("token") } }), "Bearer mF_9.B5f-4.1JqM"),
    ] {
        let built = build(with(authorization), &[values(), signing()]);
        let headers = &receiver(&built).headers;
        let headers: Vec<_> = headers.iter().map(|it| (it.name.as_str(), it.value.expose_secret())).collect();
        assert_eq!(headers, [("authorization", value)]);
        assert!(!format!("{built:?}").contains(value));
    }
}

#[test]
fn values_that_the_header_cannot_carry_are_unresolved_and_never_quoted() {
    let basic = |user: Value, password: &str| {
        let mut basic = json!({ "passwordRef": key(password) });
        basic["usernameRef"] = user;
        json!({ "basic": basic })
    };
    let bearer = |token: &str| json!({ "bearer": { "tokenRef": key(token) } });
    for (authorization, field, says) in [
        (basic(key("colon"), "password"), "basic.usernameRef", "without colons"),
        (basic(key("user"), "line"), "basic.passwordRef", "must not have line breaks"),
        (basic(key("user"), "long"), "basic.passwordRef", "must be at most 4096"),
        (bearer("line"), "bearer.tokenRef", "must be a token without"),
        (bearer("spaced"), "bearer.tokenRef", "must be a token without"),
        (bearer("empty"), "bearer.tokenRef", "must be a token without"),
        (bearer("long"), "bearer.tokenRef", "must be at most 4096"),
        (bearer("missing"), "", "Secret 's' has no key 'missing'"),
    ] {
        let built = build(with(authorization), &[values(), signing()]);
        let error = built.receiver.as_ref().unwrap_err().to_string();
        assert!(error.contains(field) && error.contains(says), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
        assert_eq!(hold(&built), Some(Hold::Unresolved));
    }
}

#[test]
fn what_is_wrong_with_it_is_named_by_its_field_and_refused_by_cel_too() {
    let token = json!({ "bearer": { "tokenRef": key("token") } });
    let header = json!([{ "name": "AUTHORIZATION", "value": "x" }]);
    let one = "exactly one of basic, bearer and oauth2 is required";
    let both = json!({
        "bearer": { "tokenRef": key("token") }, "basic": { "username": "a", "passwordRef": key("password") },
    });
    let basic =
        |username: Value| json!({ "basic": { "username": username, "passwordRef": key("password") } });
    for (request, says) in [
        (
            json!({ "authorization": token, "headers": header }),
            "spec.request.authorization: sets the header 'authorization', which spec.request.headers has too",
        ),
        (json!({ "authorization": {} }), &*format!("spec.request.authorization: {one}")),
        (json!({ "authorization": both }), &*format!("spec.request.authorization: {one}")),
        (
            json!({ "authorization": basic("a:b".into()) }),
            "spec.request.authorization.basic.username: must be at most 256 visible characters or spaces, without colons",
        ),
        (
            json!({ "authorization": basic(Value::Null) }),
            "spec.request.authorization.basic: exactly one of username and usernameRef is required",
        ),
    ] {
        let spec = spec(json!({ "request": request }));
        assert!(validate_cel(&webhook(spec.clone())).is_err(), "{request}");
        let built = build(spec, &[values(), signing()]);
        assert_eq!(built.receiver.unwrap_err().to_string(), says);
    }
}
