use hookwright_engine::endpoint::{Parameter, ReceiverUrl};

use super::*;

const CODE: StatusCode = StatusCode::OK;

fn credentials(id: &str, secret: &str, authentication: ClientAuthentication) -> ClientCredentials {
    ClientCredentials {
        token_url: ReceiverUrl::parse("https://auth.example/token?tenant=a").unwrap(),
        client_id: id.to_owned(),
        client_secret: secret.into(),
        authentication,
        scopes: ["hooks:write", "b"].map(|scope| Scope::parse(scope).unwrap()).into(),
        parameters: vec![Parameter::new("audience", "https://api.example/?a&b").unwrap()],
        tls: None,
    }
}

async fn body(request: http::Request<Full<Bytes>>) -> String {
    String::from_utf8(request.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn the_client_is_named_in_the_header_or_in_the_body_and_never_in_both() {
    let form =
        "grant_type=client_credentials&scope=hooks%3Awrite+b&audience=https%3A%2F%2Fapi.example%2F%3Fa%26b";
    let request = build(&credentials("a:b", "p &%", ClientAuthentication::Basic)).unwrap();
    assert_eq!(request.uri(), "https://auth.example/token?tenant=a");
    let expected = format!("Basic {}", BASE64.encode("a%3Ab:p+%26%25"));
    assert_eq!(request.headers()[AUTHORIZATION], expected);
    assert!(!format!("{request:?}").contains(&expected));
    assert_eq!(body(request).await, form);

    let request = build(&credentials("a:b", "p &%", ClientAuthentication::Post)).unwrap();
    assert!(!request.headers().contains_key(AUTHORIZATION));
    assert_eq!(body(request).await, format!("{form}&client_id=a%3Ab&client_secret=p+%26%25"));
}

#[test]
fn a_token_serves_until_shortly_before_its_end() {
    for (expires_in, serves) in [
        ("3600", 3570),
        ("\"3600\"", 3570),
        ("60.9", 30),
        ("20", 10),
        ("0", 0),
        ("-5", 0),
        ("1e300", 24 * 3600 - 30),
        ("null", 270),
        ("\"soon\"", 270),
        ("{}", 270),
    ] {
        let answer = format!(r#"{{"access_token":"t","token_type":"bearer","expires_in":{expires_in}}}"#);
        let granted = judge(CODE, answer.as_bytes()).unwrap();
        assert_eq!(granted.serves.as_secs(), serves, "{expires_in}");
    }
    let granted = judge(CODE, br#"{"access_token":"t0ken","other":[1]}"#).unwrap();
    assert_eq!((granted.token.header().as_bytes(), granted.serves.as_secs()), (&b"Bearer t0ken"[..], 270));
    assert!(!format!("{granted:?}").contains("t0ken"));
}

#[test]
fn what_is_no_token_is_told_in_the_servers_code_and_in_none_of_its_other_words() {
    let long = format!(r#"{{"access_token":"{}"}}"#, "x".repeat(MAX_TOKEN + 1));
    for (status, body, says) in [
        (401, r#"{"error":"invalid_client","error_description":"s3cr3t"}"#, "HTTP 401, invalid_client"),
        (400, r#"{"error":"s3cr3t"}"#, "HTTP 400"),
        (400, r#"{"error":{"code":"s3cr3t"}}"#, "HTTP 400"),
        (500, "<html>s3cr3t</html>", "HTTP 500"),
        (307, "", "HTTP 307, and redirects are not followed"),
        (200, "s3cr3t", "without an access_token in JSON"),
        (200, r#"{"error":"s3cr3t"}"#, "without an access_token in JSON"),
        (200, r#"{"access_token":5}"#, "without an access_token in JSON"),
        (200, r#"{"access_token":""}"#, "with an access_token that is not 1 to 16384 visible characters"),
        (
            200,
            r#"{"access_token":"a\r\nx: y"}"#,
            "with an access_token that is not 1 to 16384 visible characters",
        ),
        (200, &long, "with an access_token that is not 1 to 16384 visible characters"),
        (200, r#"{"access_token":"t","token_type":"mac"}"#, "with a token whose token_type is not Bearer"),
    ] {
        let refusal = judge(StatusCode::from_u16(status).unwrap(), body.as_bytes()).unwrap_err();
        assert_eq!(refusal.to_string(), says, "{body}");
    }
}
