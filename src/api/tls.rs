//! TLS of the API: a certificate and its key from files.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;

use crate::reload::{self, Follower};

/// What is spoken inside, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate and its key, followed while the process runs.
pub type CertificateFiles = Follower<2, Arc<ServerConfig>>;

/// What new connections are secured with.
pub type Security = watch::Receiver<Arc<ServerConfig>>;

/// Reads a certificate chain and its key, in PEM. The service follows their changes.
pub async fn open(certificate: PathBuf, key: PathBuf) -> Result<(CertificateFiles, Security), reload::Error> {
    Follower::open([certificate, key], |[certificate, key]| {
        secured(certificate, key).map(Arc::new).map_err(|wrong| wrong.to_string())
    })
    .await
}

/// What is wrong with the files.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("the first is not a PEM certificate chain: {0}")]
    Chain(rustls::pki_types::pem::Error),
    #[error("the first has no certificate")]
    NoCertificate,
    #[error("the second is not a PEM private key: {0}")]
    Key(rustls::pki_types::pem::Error),
    #[error("they cannot be used together: {0}")]
    Pair(#[from] rustls::Error),
}

fn secured(certificate: &[u8], key: &[u8]) -> Result<ServerConfig, Wrong> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
    let chain = chain.map_err(Wrong::Chain)?;
    if chain.is_empty() {
        return Err(Wrong::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(Wrong::Key)?;
    // The provider is passed, never looked up: another crate's choice of a default must not change ours.
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_needs_its_own_key() {
        let [ours, theirs] =
            [0, 1].map(|_| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
        let (certificate, key) = (ours.cert.pem(), ours.signing_key.serialize_pem());
        let config = secured(certificate.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(config.alpn_protocols, [&b"h2"[..], b"http/1.1"]);
        let other = theirs.signing_key.serialize_pem();
        for (certificate, key, says) in [
            (&*certificate, &*other, "they cannot be used together"),
            (&key, &key, "the first has no certificate"),
            ("", &key, "the first has no certificate"),
            (&certificate, &certificate, "the second is not a PEM private key"),
            ("-----BEGIN CERTIFICATE-----\n!", &key, "the first is not a PEM certificate chain"),
        ] {
            let wrong = secured(certificate.as_bytes(), key.as_bytes()).unwrap_err().to_string();
            assert!(wrong.starts_with(says), "{wrong}");
        }
    }
}
