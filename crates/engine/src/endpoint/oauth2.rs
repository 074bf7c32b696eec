//! How tokens for a receiver are got: OAuth 2.0 client credentials (RFC 6749, section 4.4).

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::fingerprint::Digest;
use super::{Fingerprint, ReceiverUrl, Tls};

/// What a token server is asked for a token with.
#[derive(Clone)]
pub struct ClientCredentials {
    /// Where tokens are asked for.
    pub token_url: ReceiverUrl,
    /// Who we are there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: SecretString,
    /// Where in the request the two are.
    pub authentication: ClientAuthentication,
    /// What the token is to allow; what the server sees fit, where there are none.
    pub scopes: Vec<Scope>,
    /// What else the server wants to know.
    pub parameters: Vec<Parameter>,
    /// How TLS sessions with the server differ from the usual ones, where they do.
    pub tls: Option<Arc<Tls>>,
}

/// How a client says who it is (RFC 6749, section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// In the header `Authorization`, which every server takes.
    Basic,
    /// In the body.
    Post,
}

/// Something that a token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(String);

/// A field of the request for a token, beside those that every request has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    name: String,
    value: String,
}

/// Why a scope or a parameter is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParameter {
    /// Not a scope-token of RFC 6749.
    #[error("must be 1 to {} visible characters without spaces, quotes and backslashes", Scope::MAX_LEN)]
    Scope,
    /// Not a name.
    #[error("must be 1 to {} characters of A-Z a-z 0-9 - _ .", Parameter::MAX_NAME_LEN)]
    Name,
    /// One that every request has.
    #[error("is set by Hookwright and cannot be overridden")]
    Reserved,
    /// Not a value.
    #[error("must be at most {} visible characters or spaces", Parameter::MAX_VALUE_LEN)]
    Value,
}

impl Scope {
    /// Most scopes of a token.
    pub const MAX: usize = 32;
    /// Longest scope, in characters.
    pub const MAX_LEN: usize = 256;

    /// Checks a scope.
    pub fn parse(text: &str) -> Result<Self, InvalidParameter> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let valid = (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(plain);
        valid.then(|| Self(text.to_owned())).ok_or(InvalidParameter::Scope)
    }

    /// The scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Parameter {
    /// Most parameters of a request.
    pub const MAX: usize = 16;
    /// Longest name, in characters.
    pub const MAX_NAME_LEN: usize = 64;
    /// Longest value, in characters.
    pub const MAX_VALUE_LEN: usize = 1024;
    /// Names of what every request has.
    pub const RESERVED: [&str; 4] = ["client_id", "client_secret", "grant_type", "scope"];

    /// Checks a parameter.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidParameter> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !(1..=Self::MAX_NAME_LEN).contains(&name.len()) || !name.bytes().all(plain) {
            return Err(InvalidParameter::Name);
        }
        if Self::RESERVED.contains(&name) {
            return Err(InvalidParameter::Reserved);
        }
        if value.chars().count() > Self::MAX_VALUE_LEN || value.contains(|c: char| c.is_ascii_control()) {
            return Err(InvalidParameter::Value);
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl ClientCredentials {
    /// Longest id of a client, in characters.
    pub const MAX_CLIENT_ID_LEN: usize = 256;
    /// Longest secret of a client, in characters.
    pub const MAX_CLIENT_SECRET_LEN: usize = 4096;

    /// Equal where the same request would be made: whoever has all of this may have the token, too.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let Self { token_url, client_id, client_secret, authentication, scopes, parameters, tls } = self;
        let mut digest = Digest::default();
        digest.add(token_url.as_url().as_str().as_bytes());
        digest.add(client_id.as_bytes());
        digest.add(client_secret.expose_secret().as_bytes());
        digest.add(match authentication {
            ClientAuthentication::Basic => b"basic",
            ClientAuthentication::Post => b"post",
        });
        digest.add(&scopes.len().to_be_bytes());
        for Scope(scope) in scopes {
            digest.add(scope.as_bytes());
        }
        for Parameter { name, value } in parameters {
            digest.add(name.as_bytes());
            digest.add(value.as_bytes());
        }
        if let Some(tls) = tls {
            digest.add(b"tls");
            digest.add_fingerprint(tls.fingerprint());
        }
        digest.end()
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("token_url", &self.token_url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Trust;
    use super::*;

    #[test]
    fn scopes_and_parameters_are_what_a_token_server_understands() {
        for scope in ["", "a b", "a\"", "a\\b", "é", &"x".repeat(257)] {
            assert_eq!(Scope::parse(scope), Err(InvalidParameter::Scope), "{scope}");
        }
        assert_eq!(
            Scope::parse("https://a.example/.default").unwrap().as_str(),
            "https://a.example/.default"
        );
        for (name, value, why) in [
            ("", "x", InvalidParameter::Name),
            ("a=b", "x", InvalidParameter::Name),
            ("scope", "x", InvalidParameter::Reserved),
            ("grant_type", "password", InvalidParameter::Reserved),
            ("audience", "a\nb", InvalidParameter::Value),
            ("audience", &"x".repeat(1025), InvalidParameter::Value),
        ] {
            assert_eq!(Parameter::new(name, value), Err(why), "{name}");
        }
        assert!(Parameter::new("audience", "https://api.example.com/é").is_ok());
    }

    #[test]
    fn what_differs_in_any_part_has_another_fingerprint() {
        let usual = || ClientCredentials {
            token_url: ReceiverUrl::parse("https://auth.example/token").unwrap(),
            client_id: "hookwright".to_owned(),
            client_secret: "s3cr3t".into(),
            authentication: ClientAuthentication::Basic,
            scopes: Vec::new(),
            parameters: Vec::new(),
            tls: None,
        };
        let changed = |change: fn(&mut ClientCredentials)| {
            let mut credentials = usual();
            change(&mut credentials);
            credentials.fingerprint()
        };
        let scoped = |scopes: &[&str]| {
            let scopes = scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect();
            ClientCredentials { scopes, ..usual() }.fingerprint()
        };
        let all = [
            usual().fingerprint(),
            changed(|it| it.token_url = ReceiverUrl::parse("https://auth.example/token?a").unwrap()),
            changed(|it| it.client_id = "Hookwright".to_owned()),
            changed(|it| it.client_secret = "s3cr3t2".into()),
            changed(|it| it.authentication = ClientAuthentication::Post),
            scoped(&["ab"]),
            scoped(&["a", "b"]),
            changed(|it| it.parameters = vec![Parameter::new("a", "b").unwrap()]),
            changed(|it| it.tls = Some(Arc::new(Tls::new(Trust::Anyone, None)))),
        ];
        for (index, one) in all.iter().enumerate() {
            for (other, two) in all.iter().enumerate() {
                assert_eq!(one == two, index == other, "{index} {other}");
            }
        }
        assert!(!format!("{:?}", usual()).contains("s3cr3t"));
    }
}
