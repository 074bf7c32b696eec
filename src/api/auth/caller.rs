//! Who calls.

/// The prefix of the names that Kubernetes gives to service accounts.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who calls, in the words of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The name: of a user, of a service account, or of a line of the token file.
    pub user: String,
}

impl Caller {
    /// Somebody on this machine.
    #[must_use]
    pub fn anybody() -> Self {
        Self { user: "anybody".to_owned() }
    }

    /// The namespace of a service account.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        let (namespace, _) = self.user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
        Some(namespace)
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
            let caller = Caller { user: user.to_owned() };
            assert_eq!(caller.namespace(), namespace, "{user}");
        }
    }
}
