//! What a spec says of TLS.

use super::Errors;
use crate::crd::endpoint::receiver::UrlPlan;
use crate::crd::endpoint::tls::{TlsPlan, TrustPlan};
use crate::crd::webhook::{CertificateRef, Tls};

impl Errors {
    /// `None` where nothing differs from what is usual.
    pub(super) fn tls(&mut self, tls: Option<&Tls>, url: Option<&UrlPlan>) -> Option<TlsPlan> {
        let Tls { insecure_skip_verify, ca_ref, client_cert_ref } = tls?;
        if let Some(ca) = ca_ref {
            self.object_name("spec.tls.caRef.name", &ca.name);
            if let Some(key) = &ca.key {
                self.secret_key("spec.tls.caRef.key", key);
            }
        }
        if let Some(CertificateRef { name }) = client_cert_ref {
            self.object_name("spec.tls.clientCertRef.name", name);
        }
        let plain = matches!(url, Some(UrlPlan::Given(url)) if !url.is_https());
        if plain && (ca_ref.is_some() || client_cert_ref.is_some()) {
            self.report("spec.tls", &"caRef and clientCertRef need an https URL");
        }
        let trust = match (insecure_skip_verify, ca_ref) {
            (false, None) => TrustPlan::System,
            (false, Some(ca)) => TrustPlan::Secret(ca.key()),
            (true, None) => TrustPlan::Anyone,
            (true, Some(_)) => {
                self.report("spec.tls", &"caRef checks nothing where insecureSkipVerify is true");
                TrustPlan::Anyone
            }
        };
        let identity = client_cert_ref.as_ref().map(CertificateRef::keys);
        (!matches!(trust, TrustPlan::System) || identity.is_some()).then_some(TlsPlan { trust, identity })
    }
}
