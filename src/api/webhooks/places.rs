//! Where the fields of a webhook are in the REST API, and where in the custom resource. Where this
//! table says nothing, they are in the same place under the same name, in the other's case.

use serde_json::Value;

use crate::crd::{Field, webhook_fields};

/// Pointers of the API beside paths of the resource, the narrower first.
const PLACES: [(&str, &str); 13] = [
    ("/active", "/suspend"),
    ("/config/content_type", "/request/contentType"),
    ("/config/headers", "/request/headers"),
    ("/config/insecure_ssl", "/tls/insecureSkipVerify"),
    ("/config/batch/max_wait_ms", "/batch/maxWaitMilliseconds"),
    ("/config/batch", "/batch"),
    ("/retry_policy/backoff_rate", BACKOFF),
    ("/retry_policy/intervals", "/retry/intervalsSeconds"),
    ("/retry_policy/timeout", "/timeouts/requestSeconds"),
    ("/retry_policy", "/retry"),
    ("/config/retry/backoff_rate", BACKOFF),
    ("/config/retry/intervals", "/retry/intervalsSeconds"),
    ("/config/retry", "/retry"),
];

/// A factor in the API, and a percentage in the resource.
pub(super) const BACKOFF: &str = "/retry/backoffRatePercent";

/// Fields of the resource that the API has under other names only.
const RENAMED: [&str; 5] = ["/suspend", "/request/content_type", "/request/headers", "/retry", "/batch"];

/// Words that the resource writes in capitals, but at the begin of a name.
const CAPITALS: [(&str, &str); 3] = [("IDs", "Ids"), ("ID", "Id"), ("URL", "Url")];

/// Where the resource has what the API has at `pointer`. `None`: the API has no such field.
pub(super) fn of_resource(pointer: &str) -> Option<String> {
    if pointer.contains(|c: char| c.is_ascii_uppercase()) {
        return None; // The resource's own way of writing it, perhaps.
    }
    if let Some((from, to)) = PLACES.iter().find(|(from, _)| is_in(pointer, from)) {
        return Some(format!("{to}{}", camel(&pointer[from.len()..])));
    }
    let elsewhere = RENAMED.iter().any(|renamed| is_in(pointer, renamed));
    (!elsewhere && !is_in(pointer, "/config")).then(|| camel(pointer))
}

/// What the resource has of all that the API has inside of `pointer`, and no more: the widest fields.
pub(super) fn inside(pointer: &str) -> Vec<String> {
    // Another way of writing it: what is shown elsewhere.
    let alias = of_resource(pointer).filter(|path| of_api(path) != pointer);
    let is_inside =
        |path: &str| is_in(&of_api(path), pointer) || alias.as_ref().is_some_and(|alias| is_in(path, alias));
    let mut found = Vec::new();
    collect(webhook_fields(), &is_inside, &mut found);
    found
}

fn collect(fields: &[Field], is_inside: &impl Fn(&str) -> bool, found: &mut Vec<String>) {
    for field in fields {
        if field.all(is_inside) {
            found.push(field.path.clone());
        } else {
            collect(&field.fields, is_inside, found);
        }
    }
}

/// Where the API has what the resource has at `path`.
pub(super) fn of_api(path: &str) -> String {
    match PLACES.iter().find(|(_, to)| is_in(path, to)) {
        Some((from, to)) => format!("{from}{}", snake(&path[to.len()..])),
        None => snake(path),
    }
}

/// Whether the API has something at `pointer`, or inside of it.
pub(super) fn holds(pointer: &str) -> bool {
    PLACES.iter().any(|(from, _)| is_in(from, pointer))
}

/// Whether the API has something at `pointer`, or around or inside of it.
pub(super) fn exists(pointer: &str) -> bool {
    holds(pointer) || PLACES.iter().any(|(from, _)| is_in(pointer, from))
}

/// Whether a pointer is that of something, or of something inside of it.
pub(super) fn is_in(pointer: &str, outer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What the API calls an expression that was not given a name.
pub(super) fn expression_name(index: usize) -> String {
    format!("expression-{}", index + 1)
}

/// What is in a list, with its fields in the case of the resource.
pub(super) fn camel_fields(value: Value) -> Value {
    renamed(value, camel)
}

/// What is in a list, with its fields in the case of the API.
pub(super) fn snake_fields(value: Value) -> Value {
    renamed(value, snake)
}

fn renamed(value: Value, name: fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => {
            fields.into_iter().map(|(field, value)| (name(&field), renamed(value, name))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| renamed(item, name)).collect(),
        value => value,
    }
}

fn camel(snake: &str) -> String {
    snake.split('/').map(camel_name).collect::<Vec<_>>().join("/")
}

fn camel_name(snake: &str) -> String {
    let mut words = snake.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |camel, word| {
        let mut letters = word.chars();
        let upper = letters.next().map(|letter| letter.to_ascii_uppercase());
        let word: String = upper.into_iter().chain(letters).collect();
        let capitals = CAPITALS.iter().find(|(_, plain)| *plain == word).map(|(capitals, _)| *capitals);
        camel + capitals.unwrap_or(&word)
    })
}

pub(super) fn snake(camel: &str) -> String {
    let plain =
        CAPITALS.iter().fold(camel.to_owned(), |name, (capitals, plain)| name.replace(capitals, plain));
    let mut snake = String::with_capacity(plain.len() + 8);
    for c in plain.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_one_place_here_and_one_there() {
        for (api, resource) in [
            ("/url", "/url"),
            ("/active", "/suspend"),
            ("/config/headers", "/request/headers"),
            ("/config/batch/max_wait_ms", "/batch/maxWaitMilliseconds"),
            ("/config/batch/max_size", "/batch/maxSize"),
            ("/retry_policy/max_attempts", "/retry/maxAttempts"),
            ("/retry_policy/max_interval_seconds", "/retry/maxIntervalSeconds"),
            ("/retry_policy/timeout", "/timeouts/requestSeconds"),
            ("/timeouts/connect_seconds", "/timeouts/connectSeconds"),
            ("/filters/resource_types/0", "/filters/resourceTypes/0"),
            ("/signing/rotation/overlap_seconds", "/signing/rotation/overlapSeconds"),
            ("/url_from/secret_key_ref/name", "/urlFrom/secretKeyRef/name"),
            ("/request/authorization/oauth2/token_url", "/request/authorization/oauth2/tokenURL"),
            ("/request/authorization/oauth2/client_id_ref", "/request/authorization/oauth2/clientIDRef"),
        ] {
            assert_eq!(of_resource(api).as_deref(), Some(resource));
            assert_eq!(of_api(resource), api);
        }
        assert_eq!(of_resource("/config/retry/max_attempts").as_deref(), Some("/retry/maxAttempts"));
        for unknown in ["/suspend", "/retry/max_attempts", "/config/x", "/config/signing"] {
            assert_eq!(of_resource(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn what_is_removed_whole_is_all_that_is_shown_there() {
        assert_eq!(inside("/retry_policy"), ["/retry", "/timeouts/requestSeconds"]);
        assert_eq!(inside("/config/retry"), ["/retry"]);
        assert_eq!(inside("/timeouts"), ["/timeouts/connectSeconds"]);
        assert_eq!(inside("/tls"), ["/tls/caRef", "/tls/clientCertRef"]);
        assert_eq!(inside("/rate_limit"), ["/rateLimit"]);
        assert_eq!(inside("/active"), ["/suspend"]);
        assert!(inside("/config").contains(&"/request/headers".to_owned()));
        assert!(!inside("/config").contains(&"/retry".to_owned()));
        assert!(!inside("/config").contains(&"/request".to_owned()), "authorization is not in it");
        assert!(inside("/unknown").is_empty());
    }
}
