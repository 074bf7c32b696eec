//! What a spec says of TLS.

use super::Errors;
use crate::crd::endpoint::tls::{TlsPlan, TrustPlan};
use crate::crd::webhook::{CertificateRef, Tls};

impl Errors {
    /// `None` where nothing differs from what is usual. `unencrypted`: the URL is known not to be https.
    pub(super) fn tls(
        &mut self,
        field: &'static str,
        tls: Option<&Tls>,
        unencrypted: bool,
    ) -> Option<TlsPlan> {
        let Tls { insecure_skip_verify, ca_ref, client_cert_ref } = tls?;
        if let Some(ca) = ca_ref {
            self.object_name(&format!("{field}.caRef.name"), &ca.name);
            if let Some(key) = &ca.key {
                self.secret_key(&format!("{field}.caRef.key"), key);
            }
        }
        if let Some(CertificateRef { name }) = client_cert_ref {
            self.object_name(&format!("{field}.clientCertRef.name"), name);
        }
        if unencrypted && (ca_ref.is_some() || client_cert_ref.is_some()) {
            self.report(field, &"caRef and clientCertRef need an https URL");
        }
        let trust = match (insecure_skip_verify, ca_ref) {
            (false, None) => TrustPlan::System,
            (false, Some(ca)) => TrustPlan::Secret(ca.key()),
            (true, None) => TrustPlan::Anyone,
            (true, Some(_)) => {
                self.report(field, &"caRef checks nothing where insecureSkipVerify is true");
                TrustPlan::Anyone
            }
        };
        let identity = client_cert_ref.as_ref().map(CertificateRef::keys);
        let differs = !matches!(trust, TrustPlan::System) || identity.is_some();
        differs.then_some(TlsPlan { field, trust, identity })
    }
}
