//! What a spec says, checked field by field. Reports everything that is wrong, not only the first.

mod authorization;
mod dead_letter;
mod oauth2;
mod pace;
mod tls;

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use hookwright_engine::batch;
use hookwright_engine::breaker;
use hookwright_engine::endpoint::{ContentType, Header, HeaderName, ReceiverUrl, Schemes, Timeouts};
use hookwright_engine::filter::Filter;
use hookwright_engine::ordering;
use hookwright_engine::pattern::Pattern;
use hookwright_engine::rate::Limit;
use hookwright_engine::retry::{InvalidPolicy, MAX_DELAY, Policy};

use self::pace::Concurrency;
use super::receiver::{HeaderPlan, Plan, RequestPlan, UrlPlan};
use super::{FieldError, Invalid};
use crate::crd::rule;
use crate::crd::secret::SecretKey;
use crate::crd::webhook::{
    self, History, MAX_DESCRIPTION, MAX_EVENTS, MAX_HISTORY, MAX_NAME, MAX_OVERLAP_SECONDS,
    MAX_TIMEOUT_SECONDS, MAX_TTL_SECONDS, Retry, Scheme, SecretKeyRef, Signing, WebhookSpec,
};

/// A checked spec. What is needed to queue events is there even when something else is wrong.
pub(super) struct Checked {
    pub(super) events: Vec<Pattern>,
    pub(super) filter: Option<Arc<Filter>>,
    pub(super) retry: Policy,
    pub(super) batch: Option<batch::Policy>,
    pub(super) max_in_flight: u32,
    pub(super) ordering: ordering::Policy,
    pub(super) rate_limit: Option<Limit>,
    pub(super) breaker: Option<breaker::Policy>,
    pub(super) dead_letter: Option<Arc<str>>,
    pub(super) plan: Result<Plan, Invalid>,
}

/// Checks everything that can be checked without Secrets.
pub(super) fn check(name: &str, spec: &WebhookSpec) -> Checked {
    let WebhookSpec {
        url,
        url_from,
        events,
        filters,
        suspend: _,
        description,
        request,
        signing,
        tls,
        retry,
        timeouts,
        batch,
        concurrency,
        rate_limit,
        circuit_breaker,
        dead_letter,
        history,
    } = spec;
    let mut errors = Errors::default();
    if name.len() > MAX_NAME {
        errors.report("metadata.name", &format!("must be at most {MAX_NAME} characters long"));
    }
    let url = errors.url(url.as_deref(), url_from.as_ref().map(|source| &source.secret_key_ref));
    let events = errors.events(events);
    let filter = filters.as_ref().and_then(|filters| errors.filters(filters));
    let length = description.as_ref().map_or(0, |text| text.chars().count());
    if length > MAX_DESCRIPTION {
        errors.report("spec.description", &format!("must be at most {MAX_DESCRIPTION} characters long"));
    }
    let request = request.as_ref().map_or_else(RequestPlan::default, |request| errors.request(request));
    let schemes = errors.signing(signing.as_ref());
    let unencrypted = matches!(&url, Some(UrlPlan::Given(url)) if !url.is_https());
    let tls = errors.tls("spec.tls", tls.as_ref(), unencrypted);
    let retry = retry.as_ref().map_or_else(Policy::default, |retry| errors.retry(retry));
    let timeouts = timeouts.as_ref().map_or_else(Timeouts::default, |timeouts| errors.timeouts(timeouts));
    let Concurrency { max_in_flight, ordering, keep_alive } =
        concurrency.as_ref().map_or_else(Concurrency::default, |it| errors.concurrency(it));
    let batch = batch.as_ref().and_then(|batch| errors.batch(batch));
    if batch.is_some() && ordering == ordering::Policy::Strict {
        errors.report("spec.concurrency.ordering", &rule::STRICT_BATCHES);
    }
    let rate_limit = rate_limit.as_ref().and_then(|limit| errors.rate_limit(limit));
    let breaker = errors.breaker(circuit_breaker.as_ref());
    let dead_letter = dead_letter.as_ref().and_then(|it| errors.dead_letter(name, it));
    errors.history(history.as_ref());
    let plan = match url {
        Some(url) if errors.0.is_empty() => Ok(Plan { url, request, schemes, tls, timeouts, keep_alive }),
        _ => Err(Invalid(errors.0)),
    };
    Checked { events, filter, retry, batch, max_in_flight, ordering, rate_limit, breaker, dead_letter, plan }
}

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Errors(Vec<FieldError>);

impl Errors {
    pub(super) fn report(&mut self, field: &str, detail: &impl ToString) {
        self.0.push(FieldError { field: field.to_owned(), detail: detail.to_string() });
    }

    /// The value, or, when it is out of bounds, the nearest that is not.
    fn within(&mut self, field: &str, value: u32, allowed: RangeInclusive<u32>) -> u32 {
        if !allowed.contains(&value) {
            self.report(field, &format!("must be {} to {}, not {value}", allowed.start(), allowed.end()));
        }
        value.clamp(*allowed.start(), *allowed.end())
    }

    /// How many entries a list has, where it is there.
    pub(super) fn count(&mut self, field: &str, count: usize, max: usize) {
        if !(1..=max).contains(&count) {
            self.report(field, &format!("must have 1 to {max} entries, not {count}"));
        }
    }

    fn url(&mut self, url: Option<&str>, source: Option<&SecretKeyRef>) -> Option<UrlPlan> {
        match (url, source) {
            (Some(url), None) => match ReceiverUrl::parse(url) {
                Ok(url) => return Some(UrlPlan::Given(url)),
                Err(error) => self.report("spec.url", &error),
            },
            (None, Some(source)) => return Some(UrlPlan::Secret(self.secret("spec.urlFrom", source))),
            (None, None) | (Some(_), Some(_)) => {
                self.report("spec", &"exactly one of url and urlFrom is required");
            }
        }
        None
    }

    fn events(&mut self, events: &[String]) -> Vec<Pattern> {
        self.count("spec.events", events.len(), MAX_EVENTS);
        let mut patterns = Vec::with_capacity(events.len().min(MAX_EVENTS));
        for (index, event) in events.iter().take(MAX_EVENTS).enumerate() {
            match event.parse() {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.report(&format!("spec.events[{index}]"), &error),
            }
        }
        patterns
    }

    fn request(&mut self, request: &webhook::Request) -> RequestPlan {
        let webhook::Request { content_type, headers, authorization } = request;
        let content_type = match content_type.unwrap_or_default() {
            webhook::ContentType::Json => ContentType::Json,
            webhook::ContentType::Form => ContentType::Form,
        };
        let headers = self.headers(headers);
        let authorization = authorization.as_ref().and_then(|it| self.authorization(it, &headers));
        RequestPlan { content_type, headers, authorization }
    }

    fn headers(&mut self, headers: &[webhook::Header]) -> Vec<HeaderPlan> {
        const FIELD: &str = "spec.request.headers";
        if headers.len() > Header::MAX {
            self.report(FIELD, &format!("must have at most {} entries, not {}", Header::MAX, headers.len()));
        }
        let mut plans = Vec::new();
        let mut names = HashSet::new();
        for (index, header) in headers.iter().take(Header::MAX).enumerate() {
            let field = format!("{FIELD}[{index}]");
            let Some(plan) = self.header(&field, header) else { continue };
            if names.insert(plan.name().clone()) {
                plans.push(plan);
            } else {
                self.report(&field, &format!("'{}' is there twice", plan.name().as_str()));
            }
        }
        if plans.iter().map(HeaderPlan::size).sum::<usize>() > Header::MAX_TOTAL {
            let max = Header::MAX_TOTAL;
            self.report(FIELD, &format!("all names and values together must be at most {max} bytes long"));
        }
        plans
    }

    fn header(&mut self, field: &str, header: &webhook::Header) -> Option<HeaderPlan> {
        let name = match HeaderName::parse(&header.name) {
            Ok(name) => name,
            Err(error) => {
                self.report(&format!("{field}.name"), &error);
                return None;
            }
        };
        match (&header.value, &header.value_from) {
            (Some(value), None) => match Header::new(name, value.clone().into()) {
                Ok(header) => return Some(HeaderPlan::Given(header)),
                Err(error) => self.report(&format!("{field}.value"), &error),
            },
            (None, Some(source)) => {
                let key = self.secret(&format!("{field}.valueFrom"), &source.secret_key_ref);
                return Some(HeaderPlan::Secret { name, key, field: field.to_owned() });
            }
            (None, None) | (Some(_), Some(_)) => {
                self.report(field, &"exactly one of value and valueFrom is required");
            }
        }
        None
    }

    fn secret(&mut self, field: &str, source: &SecretKeyRef) -> SecretKey {
        let SecretKeyRef { name, key } = source;
        self.object_name(&format!("{field}.secretKeyRef.name"), name);
        self.secret_key(&format!("{field}.secretKeyRef.key"), key);
        SecretKey::from(source)
    }

    fn object_name(&mut self, field: &str, name: &str) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let label = |label: &str| {
            let bytes = label.as_bytes();
            bytes.iter().all(|&b| plain(b) || b == b'-')
                && bytes.first().copied().is_some_and(plain)
                && bytes.last().copied().is_some_and(plain)
        };
        if name.len() > 253 || !name.split('.').all(label) {
            self.report(field, &"must be the name of an object: a-z 0-9 - and dots, at most 253");
        }
    }

    fn secret_key(&mut self, field: &str, key: &str) {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if key.is_empty() || key.len() > 253 || !key.bytes().all(plain) {
            self.report(field, &"must be a key of a Secret: A-Z a-z 0-9 - _ . and at most 253");
        }
    }

    fn signing(&mut self, signing: Option<&Signing>) -> Schemes {
        let Some(Signing { schemes, secret_ref, rotation }) = signing else { return Schemes::Pcf };
        if let Some(secret) = secret_ref {
            self.object_name("spec.signing.secretRef.name", &secret.name);
            if let Some(key) = &secret.key {
                self.secret_key("spec.signing.secretRef.key", key);
            }
        }
        if let Some(overlap) = rotation.as_ref().and_then(|rotation| rotation.overlap_seconds) {
            self.within("spec.signing.rotation.overlapSeconds", overlap, 0..=MAX_OVERLAP_SECONDS);
        }
        schemes.as_deref().map_or(Schemes::Pcf, |schemes| self.schemes(schemes))
    }

    fn schemes(&mut self, schemes: &[Scheme]) -> Schemes {
        match schemes {
            [Scheme::Pcf] => Schemes::Pcf,
            [Scheme::StandardWebhooks] => Schemes::Standard,
            [Scheme::Pcf, Scheme::StandardWebhooks] | [Scheme::StandardWebhooks, Scheme::Pcf] => {
                Schemes::Both
            }
            _ => {
                self.report("spec.signing.schemes", &"must be PCF, StandardWebhooks or both, each once");
                Schemes::Pcf
            }
        }
    }

    fn retry(&mut self, retry: &Retry) -> Policy {
        let &Retry {
            enabled,
            max_attempts,
            ref intervals_seconds,
            backoff_rate_percent,
            max_interval_seconds,
        } = retry;
        let intervals = intervals_seconds.as_deref().unwrap_or(&Policy::DEFAULT_INTERVALS_SECONDS);
        let intervals: Vec<u64> = intervals.iter().copied().map(u64::from).collect();
        let day = MAX_DELAY.as_secs();
        let longest = max_interval_seconds.map_or(day, u64::from);
        let checked = Policy::new(
            max_attempts.unwrap_or(Policy::DEFAULT_MAX_ATTEMPTS),
            &intervals,
            backoff_rate_percent.unwrap_or(Policy::DEFAULT_BACKOFF_PERCENT),
            longest,
        );
        match checked {
            Ok(policy) if enabled.unwrap_or(true) => policy,
            Ok(_) => Policy::never(),
            Err(error) => {
                let field = match error {
                    InvalidPolicy::MaxAttempts(_) => "maxAttempts",
                    InvalidPolicy::Interval(wrong) if intervals.iter().all(|&it| it != wrong) => {
                        "maxIntervalSeconds"
                    }
                    InvalidPolicy::Intervals(_) | InvalidPolicy::Interval(_) => "intervalsSeconds",
                    InvalidPolicy::Backoff(_) => "backoffRatePercent",
                };
                self.report(&format!("spec.retry.{field}"), &error);
                Policy::default()
            }
        }
    }

    fn timeouts(&mut self, timeouts: &webhook::Timeouts) -> Timeouts {
        let webhook::Timeouts { request_seconds, connect_seconds } = *timeouts;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let default = Timeouts::default();
        let allowed = 1..=MAX_TIMEOUT_SECONDS;
        let request = request_seconds.map_or(default.request, |value| {
            seconds(self.within("spec.timeouts.requestSeconds", value, allowed.clone()))
        });
        let connect = connect_seconds.map_or(default.connect.min(request), |value| {
            seconds(self.within("spec.timeouts.connectSeconds", value, allowed))
        });
        if connect > request {
            let longest = request.as_secs();
            self.report(
                "spec.timeouts.connectSeconds",
                &format!("must not be more than requestSeconds ({longest})"),
            );
        }
        Timeouts { request, connect }
    }

    fn history(&mut self, history: Option<&History>) {
        let Some(&History { record: _, successful_limit, failed_limit, ttl_seconds_after_finished }) =
            history
        else {
            return;
        };
        for (field, value, max) in [
            ("spec.history.successfulLimit", successful_limit, MAX_HISTORY),
            ("spec.history.failedLimit", failed_limit, MAX_HISTORY),
            ("spec.history.ttlSecondsAfterFinished", ttl_seconds_after_finished, MAX_TTL_SECONDS),
        ] {
            if let Some(value) = value {
                self.within(field, value, 0..=max);
            }
        }
    }
}
