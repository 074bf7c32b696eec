//! What the API server checks by CEL, with the words that people see when it refuses.

use hookwright_engine::endpoint::{Header, HeaderName, Parameter};
use kube::core::Rule;

use super::webhook::MAX_NAME;

/// One segment of an event type.
const SEGMENT: &str = "[A-Za-z0-9_-]{1,64}";

/// Why there are no batches in strict order.
pub(super) const STRICT_BATCHES: &str = "concurrency.ordering: Strict sends one event at a time, so that it has no batches: choose PerKey, or no batch";

fn says(rule: impl Into<String>, message: impl Into<String>) -> Rule {
    Rule::new(rule).message(message.into().as_str())
}

pub(super) fn webhook_name() -> Rule {
    says(
        format!("size(self.metadata.name) <= {MAX_NAME}"),
        format!("metadata.name must be at most {MAX_NAME} characters long"),
    )
}

pub(super) fn dead_letter_elsewhere() -> Rule {
    says(
        "!has(self.spec.deadLetter) || self.spec.deadLetter.webhookRef.name != self.metadata.name",
        "spec.deadLetter.webhookRef.name must name another webhook than this one",
    )
}

pub(super) fn strict_is_one_at_a_time() -> Rule {
    says(
        "!has(self.batch) || (has(self.batch.enabled) && !self.batch.enabled) || !has(self.concurrency) \
         || !has(self.concurrency.ordering) || self.concurrency.ordering != 'Strict'",
        STRICT_BATCHES,
    )
}

/// Exactly one of two optional fields is there.
pub(super) fn exactly_one(one: &str, other: &str) -> Rule {
    says(
        format!("has(self.{one}) != has(self.{other})"),
        format!("exactly one of {one} and {other} is required"),
    )
}

/// Exactly one of several optional fields is there.
pub(super) fn exactly_one_of<const N: usize>(fields: [&str; N]) -> Rule {
    let there = fields.map(|field| format!("has(self.{field})")).join(", ");
    let (last, others) = fields.split_last().map_or(("", &[][..]), |(last, others)| (*last, others));
    says(
        format!("[{there}].exists_one(there, there)"),
        format!("exactly one of {} and {last} is required", others.join(", ")),
    )
}

/// A field never changes once it is there.
pub(super) fn immutable() -> Rule {
    says("self == oldSelf", "cannot be changed")
}

/// An optional field is not added later.
pub(super) fn never_added(field: &str) -> Rule {
    says(format!("has(self.{field}) == has(oldSelf.{field})"), format!("{field} cannot be added or removed"))
}

pub(super) fn url_syntax() -> Rule {
    says(
        "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",
        "must be an absolute http or https URL such as https://example.com/webhooks",
    )
}

pub(super) fn url_credentials(instead: &str) -> Rule {
    says("!self.matches('^[^/?#]*//[^/?#]*@')", format!("must not contain a user or password: use {instead}"))
}

pub(super) fn url_fragment() -> Rule {
    says("!self.contains('#')", "must not have a #fragment")
}

/// The certificates of `tls` are of use.
pub(super) fn tls_needs_https(url: &str, tls: &str) -> Rule {
    says(
        format!(
            "!has(self.{url}) || !has(self.{tls}) || !self.{url}.lowerAscii().startsWith('http:') || \
             !(has(self.{tls}.caRef) || has(self.{tls}.clientCertRef))"
        ),
        format!("{tls}.caRef and {tls}.clientCertRef need an https URL"),
    )
}

pub(super) fn authorities_are_asked() -> Rule {
    says(
        "!has(self.caRef) || !has(self.insecureSkipVerify) || !self.insecureSkipVerify",
        "caRef checks nothing where insecureSkipVerify is true",
    )
}

pub(super) fn event_pattern() -> Rule {
    says(
        format!(
            r"self.matches('^(\\*|{SEGMENT}(\\.{SEGMENT}){{0,6}}(\\.\\*)?|{SEGMENT}(\\.{SEGMENT}){{7}})$')"
        ),
        "must be an event type such as 'resource.created', a prefix such as 'resource.*', or '*': \
         1 to 8 segments of A-Z a-z 0-9 _ - separated by dots, each at most 64 long",
    )
}

pub(super) fn event_type() -> Rule {
    says(
        format!(r"self.matches('^{SEGMENT}(\\.{SEGMENT}){{0,7}}$')"),
        "must be an event type such as 'resource.created': \
         1 to 8 segments of A-Z a-z 0-9 _ - separated by dots, each at most 64 long",
    )
}

pub(super) fn event_id() -> Rule {
    says("self.matches('^[A-Za-z0-9_.:-]+$')", "must consist of A-Z a-z 0-9 _ - . :")
}

pub(super) fn object_name() -> Rule {
    says(
        r"self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
        "must be the name of an object: a-z 0-9 - and dots, beginning and ending with a letter or digit",
    )
}

pub(super) fn secret_key() -> Rule {
    says("self.matches('^[-._a-zA-Z0-9]+$')", "must be a key of a Secret: A-Z a-z 0-9 - _ .")
}

pub(super) fn header_name() -> Rule {
    says(
        r"self.matches('^[-A-Za-z0-9!#$%&\'*+.^_`|~]+$')",
        "must be a header name: letters, digits and !#$%&'*+-.^_`|~",
    )
}

pub(super) fn header_not_reserved() -> Rule {
    let names = HeaderName::RESERVED.map(|name| format!("'{name}'")).join(", ");
    let prefixes = HeaderName::RESERVED_PREFIXES.map(|p| format!("self.lowerAscii().startsWith('{p}')"));
    says(
        format!("!(self.lowerAscii() in [{names}] || {})", prefixes.join(" || ")),
        "is set by Hookwright or by HTTP itself and cannot be overridden",
    )
}

pub(super) fn header_value() -> Rule {
    says(
        r"!self.matches('[\\x00-\\x08\\x0a-\\x1f\\x7f]')",
        "must consist of visible characters, spaces and tabs",
    )
}

pub(super) fn headers_unique() -> Rule {
    says(
        "self.all(one, self.exists_one(other, one.name.lowerAscii() == other.name.lowerAscii()))",
        "names must differ in more than case",
    )
}

pub(super) fn authorization_is_there_once() -> Rule {
    says(
        "!has(self.authorization) || !has(self.headers) || \
         !self.headers.exists(h, h.name.lowerAscii() == 'authorization')",
        "authorization sets the header 'authorization', which headers has too",
    )
}

pub(super) fn printable() -> Rule {
    says("self.matches('^[ -~]*$')", "must consist of visible ASCII characters and spaces")
}

pub(super) fn without_control_characters() -> Rule {
    says(r"!self.matches('[\\x00-\\x1f\\x7f]')", "must consist of visible characters and spaces")
}

pub(super) fn plain_name() -> Rule {
    says("self.matches('^[-._a-zA-Z0-9]+$')", "must consist of A-Z a-z 0-9 - _ .")
}

pub(super) fn parameter_not_reserved() -> Rule {
    let names = Parameter::RESERVED.map(|name| format!("'{name}'")).join(", ");
    says(format!("!(self in [{names}])"), "is set by Hookwright and cannot be overridden")
}

pub(super) fn scopes() -> Rule {
    says(
        r"self.all(scope, scope.matches('^[!#-\\[\\]-~]+$'))",
        "must consist of visible ASCII characters without quotes and backslashes",
    )
}

pub(super) fn username() -> Rule {
    says(
        r"!self.matches('[:\\x00-\\x1f\\x7f]')",
        "must consist of visible characters and spaces, without colons",
    )
}

pub(super) fn headers_total() -> Rule {
    says(
        format!(
            "self.map(h, size(h.name) + (has(h.value) ? size(h.value) : 0)).sum() <= {}",
            Header::MAX_TOTAL
        ),
        format!("all names and values together must be at most {} long", Header::MAX_TOTAL),
    )
}

pub(super) fn connect_within_request() -> Rule {
    says(
        "!has(self.connectSeconds) || self.connectSeconds <= (has(self.requestSeconds) ? self.requestSeconds : 30)",
        "connectSeconds must not be more than requestSeconds (default 30)",
    )
}
