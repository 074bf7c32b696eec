//! Certificates and keys, from the PEM of Secrets.

use std::sync::Arc;

use hookwright_engine::endpoint::{Identity, Tls, Trust};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;

use super::receiver::unusable;
use crate::crd::secret::{SecretKey, Secrets, Unresolved};

/// Most certificates of one Secret's key: more than the authorities of any system.
const MAX_CERTIFICATES: usize = 512;

/// Checked settings of TLS, whose certificates are still in Secrets.
pub(super) struct TlsPlan {
    /// Where the manifest has them.
    pub(super) field: &'static str,
    pub(super) trust: TrustPlan,
    /// Where our certificate and its key are.
    pub(super) identity: Option<(SecretKey, SecretKey)>,
}

/// Which certificates of receivers are accepted.
pub(super) enum TrustPlan {
    System,
    Secret(SecretKey),
    Anyone,
}

impl TlsPlan {
    /// Whether it would mean nothing without TLS.
    pub(super) const fn needs_https(&self) -> bool {
        matches!(self.trust, TrustPlan::Secret(_)) || self.identity.is_some()
    }

    /// Fills in the certificates, and checks that they can be used.
    pub(super) fn resolve(self, secrets: &Secrets) -> Result<Arc<Tls>, Unresolved> {
        let Self { field, trust, identity: ours } = self;
        let trust = match trust {
            TrustPlan::System => Trust::System,
            TrustPlan::Anyone => Trust::Anyone,
            TrustPlan::Secret(key) => {
                Trust::Authorities(authorities(&key, &format!("{field}.caRef"), secrets)?)
            }
        };
        let field = format!("{field}.clientCertRef");
        let identity = ours.map(|(certificate, key)| identity(&certificate, &key, &field, secrets));
        Ok(Arc::new(Tls::new(trust, identity.transpose()?)))
    }
}

fn authorities(key: &SecretKey, field: &str, secrets: &Secrets) -> Result<Vec<Vec<u8>>, Unresolved> {
    let certificates = certificates(key, field, secrets)?;
    let mut roots = RootCertStore::empty();
    for certificate in &certificates {
        roots.add(certificate.clone()).map_err(|error| {
            unusable(key, field, &format_args!("has a certificate that cannot be used: {error}"))
        })?;
    }
    Ok(certificates.iter().map(|certificate| certificate.to_vec()).collect())
}

fn identity(
    certificate: &SecretKey,
    key: &SecretKey,
    field: &str,
    secrets: &Secrets,
) -> Result<Identity, Unresolved> {
    let chain = certificates(certificate, field, secrets)?;
    let pem = secrets.value(key, field)?.expose_secret();
    let private = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| unusable(key, field, &"has no unencrypted private key in PEM"))?;
    let der = private.secret_der().to_vec();
    CertifiedKey::from_der(chain.clone(), private, &ring::default_provider()).map_err(|error| {
        let detail = format_args!("cannot be used with the certificate in '{}': {error}", certificate.key);
        unusable(key, field, &detail)
    })?;
    Ok(Identity { chain: chain.iter().map(|certificate| certificate.to_vec()).collect(), key: der.into() })
}

/// At least one certificate.
fn certificates(
    key: &SecretKey,
    field: &str,
    secrets: &Secrets,
) -> Result<Vec<CertificateDer<'static>>, Unresolved> {
    let pem = secrets.value(key, field)?.expose_secret().as_bytes();
    let found = CertificateDer::pem_slice_iter(pem).take(MAX_CERTIFICATES + 1).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if (1..=MAX_CERTIFICATES).contains(&found.len()) => Ok(found),
        Ok(found) if found.is_empty() => Err(unusable(key, field, &"has no certificate in PEM")),
        Ok(_) => Err(unusable(key, field, &format_args!("has more than {MAX_CERTIFICATES} certificates"))),
        Err(error) => Err(unusable(key, field, &format_args!("is not PEM: {error}"))),
    }
}
