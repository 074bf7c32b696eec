//! What TLS sessions are made with.

use std::sync::Arc;

use hookwright_engine::endpoint::{Identity, Tls, Trust};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
};
use secrecy::ExposeSecret;

/// Sessions kept for resumption by a webhook that has its own certificates.
const MAX_OWN_SESSIONS: usize = 16;

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

/// The usual configuration: trusts these certificates and shows none.
pub(super) fn usual(roots: Arc<RootCertStore>) -> Result<ClientConfig, Error> {
    Ok(trusting(roots)?.with_no_client_auth())
}

/// A configuration of a webhook's own. It shares no sessions with another one.
pub(super) fn own(tls: &Tls, system: &Arc<RootCertStore>) -> Result<ClientConfig, Error> {
    let builder = match tls.trust() {
        Trust::System => trusting(Arc::clone(system))?,
        Trust::Authorities(certificates) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(CertificateDer::from(certificate.as_slice()))?;
            }
            trusting(Arc::new(roots))?
        }
        Trust::Anyone => {
            let verifier = Anyone(ring::default_provider().signature_verification_algorithms);
            builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let mut config = match tls.identity() {
        None => builder.with_no_client_auth(),
        Some(Identity { chain, key }) => {
            let chain = chain.iter().cloned().map(CertificateDer::from).collect();
            let key = PrivateKeyDer::try_from(key.expose_secret().to_vec());
            builder.with_client_auth_cert(chain, key.map_err(|error| Error::General(error.to_owned()))?)?
        }
    };
    config.resumption = Resumption::in_memory_sessions(MAX_OWN_SESSIONS);
    Ok(config)
}

fn trusting(roots: Arc<RootCertStore>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    Ok(builder()?.with_root_certificates(roots))
}

/// The provider is passed, never looked up: another crate's choice of a default must not change ours.
fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
}

/// Accepts every certificate. That the peer holds its key is still checked.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
