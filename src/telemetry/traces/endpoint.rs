//! Where traces go.

use std::str::FromStr;

use url::Url;

/// A collector of OpenTelemetry that takes OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not such a URL.
    #[error("expected a URL such as http://collector:4318")]
    Url,
    /// It would be read by all who see how the process was started.
    #[error("must hold no credentials: put them into OTEL_EXPORTER_OTLP_HEADERS")]
    Credentials,
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let url = Url::parse(text).map_err(|_| InvalidEndpoint::Url)?;
        let plain = url.has_host() && url.query().is_none() && url.fragment().is_none();
        if !plain || !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidEndpoint::Url);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidEndpoint::Credentials);
        }
        Ok(Self(url))
    }
}

impl Endpoint {
    /// Where in it traces go.
    pub(super) fn traces(&self) -> String {
        format!("{}/v1/traces", self.0.as_str().trim_end_matches('/'))
    }
}

/// Whether traces are wanted, by this endpoint or by the `variable`s of the environment.
pub(super) fn is_wanted(endpoint: Option<&Endpoint>, variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name, value: &str| variable(name).is_some_and(|it| it.trim().eq_ignore_ascii_case(value));
    let named = |name| variable(name).is_some_and(|it| !it.is_empty());
    let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    let somewhere = endpoint.is_some()
        || named("OTEL_EXPORTER_OTLP_ENDPOINT")
        || named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    somewhere && !off
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_go_below_what_is_named() {
        for (text, traces) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().traces(), traces);
        }
        for (wrong, says) in [
            ("collector:4318", InvalidEndpoint::Url),
            ("grpc://collector:4317", InvalidEndpoint::Url),
            ("http://collector:4318?a=b", InvalidEndpoint::Url),
            ("http://user@collector", InvalidEndpoint::Credentials),
            ("http://:password@collector", InvalidEndpoint::Credentials),
        ] {
            assert_eq!(wrong.parse::<Endpoint>(), Err(says), "{wrong}");
        }
    }

    #[test]
    fn traces_are_wanted_where_a_collector_is_named_and_nothing_turns_them_off() {
        let endpoint: Endpoint = "http://collector:4318".parse().unwrap();
        for (endpoint, environment, wanted) in [
            (None, &[] as &[(&str, &str)], false),
            (Some(&endpoint), &[], true),
            (None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], false),
            (None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector")], true),
            (None, &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector")], true),
            (Some(&endpoint), &[("OTEL_SDK_DISABLED", "True")], false),
            (Some(&endpoint), &[("OTEL_SDK_DISABLED", "false")], true),
            (Some(&endpoint), &[("OTEL_TRACES_EXPORTER", "none")], false),
            (Some(&endpoint), &[("OTEL_TRACES_EXPORTER", "otlp")], true),
        ] {
            let variable = |name: &str| {
                environment.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_wanted(endpoint, variable), wanted, "{endpoint:?} {environment:?}");
        }
    }
}
