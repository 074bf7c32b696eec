//! What a spec says of how requests say who sends them.

use super::Errors;
use crate::crd::endpoint::authorization::{AuthorizationPlan, Username, is_username};
use crate::crd::endpoint::receiver::HeaderPlan;
use crate::crd::secret::SecretKey;
use crate::crd::webhook::{Authorization, Basic, Bearer, MAX_USERNAME, SecretKeyRef};

const FIELD: &str = "spec.request.authorization";

impl Errors {
    pub(super) fn authorization(
        &mut self,
        authorization: &Authorization,
        headers: &[HeaderPlan],
    ) -> Option<AuthorizationPlan> {
        if headers.iter().any(|header| header.name().as_str() == "authorization") {
            self.report(FIELD, &"sets the header 'authorization', which spec.request.headers has too");
        }
        let Authorization { basic, bearer, oauth2 } = authorization;
        match (basic, bearer, oauth2) {
            (Some(basic), None, None) => self.basic(basic),
            (None, Some(Bearer { token_ref }), None) => {
                let token = self.reference(&format!("{FIELD}.bearer.tokenRef"), token_ref);
                Some(AuthorizationPlan::Bearer { token })
            }
            (None, None, Some(oauth2)) => {
                self.oauth2(oauth2).map(|plan| AuthorizationPlan::OAuth2(Box::new(plan)))
            }
            _ => {
                self.report(FIELD, &"exactly one of basic, bearer and oauth2 is required");
                None
            }
        }
    }

    fn basic(&mut self, basic: &Basic) -> Option<AuthorizationPlan> {
        let Basic { username, username_ref, password_ref } = basic;
        let field = format!("{FIELD}.basic");
        let password = self.reference(&format!("{field}.passwordRef"), password_ref);
        let username = match (username, username_ref) {
            (Some(name), None) => {
                if name.chars().count() > MAX_USERNAME || !is_username(name) {
                    let detail = format!(
                        "must be at most {MAX_USERNAME} visible characters or spaces, without colons"
                    );
                    self.report(&format!("{field}.username"), &detail);
                }
                Username::Given(name.clone())
            }
            (None, Some(reference)) => {
                Username::Secret(self.reference(&format!("{field}.usernameRef"), reference))
            }
            (None, None) | (Some(_), Some(_)) => {
                self.report(&field, &"exactly one of username and usernameRef is required");
                return None;
            }
        };
        Some(AuthorizationPlan::Basic { username, password })
    }

    pub(super) fn reference(&mut self, field: &str, reference: &SecretKeyRef) -> SecretKey {
        self.object_name(&format!("{field}.name"), &reference.name);
        self.secret_key(&format!("{field}.key"), &reference.key);
        SecretKey::from(reference)
    }
}
