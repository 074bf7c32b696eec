//! Bodies of requests: JSON, bounded.

mod unique;

use std::error::Error;

use axum::body::{self, Bytes};
use axum::extract::Request;
use axum::http::header;
use http_body_util::LengthLimitError;
use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny};
use serde_json::{Deserializer, Value};

use self::unique::Unique;
use super::error::{Kind, Problem};

/// Reads the body of a request that says it is JSON, of at most `limit` bytes.
pub(super) async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    if !is_json(&request) {
        let detail = "the body must be sent with Content-Type: application/json";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    body::to_bytes(request.into_body(), limit).await.map_err(|error| {
        if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
            return Problem::new(Kind::TooLarge, format!("the body may have at most {limit} bytes"));
        }
        Problem::new(Kind::BadRequest, "the body did not arrive whole")
    })
}

/// The JSON of a body, in which no field may be there twice.
pub(super) fn parse(body: &[u8]) -> Result<Value, Problem> {
    let mut repeated = Vec::new();
    let mut deserializer = Deserializer::from_slice(body);
    let root = Unique { pointer: String::new(), repeated: &mut repeated };
    let value = root.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if repeated.is_empty() {
        return Ok(value);
    }
    Err(Problem::fields(repeated.into_iter().map(|pointer| (pointer, "is there twice".to_owned()))))
}

/// The object of a body. Its fields in a list, which types would be read from too, are none.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    if body.trim_ascii_start().starts_with(b"[") {
        serde_json::from_slice::<IgnoredAny>(body)?;
        return Err(Problem::field("", "must be an object"));
    }
    Ok(serde_json::from_slice(body)?)
}

/// One step of a JSON pointer (RFC 6901).
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn is_json(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|it| it.split(';').next()).unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_read_as_it_is() {
        let text = r#" {"a": [null, true, -1, 18446744073709551615, 1.5, "é"], "b": {"a": {}}} "#;
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            json!({ "a": [null, true, -1, u64::MAX, 1.5, "é"], "b": { "a": {} } })
        );
        for not_json in ["", "{", "{}{}", "[1,]", "1e999", "\"\\ud800\"", &"[".repeat(10_000)] {
            assert_eq!(parse(not_json.as_bytes()).unwrap_err().kind(), Kind::NotJson, "{not_json}");
        }
    }

    #[test]
    fn a_list_of_fields_is_no_object() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Fields {
            a: u8,
        }
        assert_eq!(object::<Fields>(br#" {"a": 1}"#).unwrap(), Fields { a: 1 });
        assert_eq!(object::<Fields>(b" [1]").unwrap_err().kind(), Kind::InvalidField);
        assert_eq!(object::<Fields>(b" [1").unwrap_err().kind(), Kind::NotJson);
    }

    #[test]
    fn what_is_said_twice_is_refused_where_it_is() {
        let problem = parse(br#"{"a":1,"b":[{"c~/d":1,"c~/d":1}],"a":1}"#).unwrap_err();
        let problem = serde_json::to_value(problem).unwrap();
        assert_eq!(problem["status"], 422);
        let pointers: Vec<_> =
            problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
        assert_eq!(pointers, ["/b/0/c~0~1d", "/a"]);
    }
}
