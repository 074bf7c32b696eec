//! Who calls.

use std::collections::BTreeMap;
use std::fmt;

/// The prefix of the names that Kubernetes gives to service accounts.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who calls, in the words of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The name: of a user, of a service account, or of a line of the token file.
    pub user: String,
    /// What tells users of the same name apart.
    pub uid: String,
    /// The groups they are in.
    pub groups: Vec<String>,
    /// What else is known of them.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Caller {
    /// Somebody of whom nothing but the name is known.
    #[must_use]
    pub fn named(user: impl Into<String>) -> Self {
        Self { user: user.into(), ..Self::default() }
    }

    /// The namespace of a service account.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let (namespace, _) = self.user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
        Some(namespace)
    }
}

/// The name, on one line whatever it holds.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.user.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_has_a_namespace_and_a_user_has_none() {
        for (user, namespace) in [
            ("system:serviceaccount:shop:orders", Some("shop")),
            ("system:serviceaccount:shop", None),
            ("system:node:shop:orders", None),
            ("alice", None),
        ] {
            assert_eq!(Caller::named(user).namespace(), namespace, "{user}");
        }
    }

    #[test]
    fn a_name_cannot_forge_a_line_of_the_log() {
        assert_eq!(Caller::named("eve\n2026 INFO alice").to_string(), "eve\\n2026 INFO alice");
    }
}
