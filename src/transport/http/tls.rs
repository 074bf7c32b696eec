//! What TLS sessions are made with.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// The certificates that the system trusts. None at all is not an error here: receivers without TLS
/// are still reached, and requests to the others say what is missing.
pub(super) fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "failed to read some of the system's root certificates");
    }
    let mut roots = RootCertStore::empty();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        tracing::debug!(unusable, "passed over root certificates that cannot be used");
    }
    if roots.is_empty() {
        tracing::error!(
            "found no root certificates: https receivers cannot be reached; install the system's \
             ca-certificates or set SSL_CERT_FILE"
        );
    }
    roots
}

/// A configuration that trusts these certificates. The provider is passed, never looked up: another
/// crate's choice of a default must not change ours.
pub(super) fn config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
