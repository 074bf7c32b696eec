//! What a spec says of where tokens come from.

use std::collections::HashSet;

use hookwright_engine::endpoint::{ClientAuthentication, InvalidUrl, Parameter, ReceiverUrl, Scope};

use super::Errors;
use crate::crd::endpoint::oauth2::{ClientId, OAuth2Plan, is_client_id};
use crate::crd::webhook::{self, OAuth2};

const FIELD: &str = "spec.request.authorization.oauth2";

impl Errors {
    pub(super) fn oauth2(&mut self, oauth2: &OAuth2) -> Option<OAuth2Plan> {
        let OAuth2 {
            token_url,
            client_id,
            client_id_ref,
            client_secret_ref,
            client_authentication,
            scopes,
            parameters,
            tls,
        } = oauth2;
        let token_url = self.token_url(token_url);
        let client_id = match (client_id, client_id_ref) {
            (Some(id), None) => {
                if let Err(detail) = is_client_id(id) {
                    self.report(&format!("{FIELD}.clientID"), &detail);
                }
                Some(ClientId::Given(id.clone()))
            }
            (None, Some(reference)) => {
                Some(ClientId::Secret(self.reference(&format!("{FIELD}.clientIDRef"), reference)))
            }
            (None, None) | (Some(_), Some(_)) => {
                self.report(FIELD, &"exactly one of clientID and clientIDRef is required");
                None
            }
        };
        let client_secret = self.reference(&format!("{FIELD}.clientSecretRef"), client_secret_ref);
        let authentication = match client_authentication.unwrap_or_default() {
            webhook::ClientAuthentication::Basic => ClientAuthentication::Basic,
            webhook::ClientAuthentication::Post => ClientAuthentication::Post,
        };
        let scopes = scopes.as_ref().map_or_else(Vec::new, |scopes| self.scopes(scopes));
        let parameters = parameters.as_ref().map_or_else(Vec::new, |list| self.parameters(list));
        let unencrypted = token_url.as_ref().is_some_and(|url| !url.is_https());
        let tls = self.tls("spec.request.authorization.oauth2.tls", tls.as_ref(), unencrypted);
        let (token_url, client_id) = (token_url?, client_id?);
        Some(OAuth2Plan { token_url, client_id, client_secret, authentication, scopes, parameters, tls })
    }

    fn token_url(&mut self, url: &str) -> Option<ReceiverUrl> {
        let field = format!("{FIELD}.tokenURL");
        match ReceiverUrl::parse(url) {
            Ok(url) => return Some(url),
            Err(InvalidUrl::Credentials) => {
                self.report(&field, &"must not contain a user or password: use clientSecretRef");
            }
            Err(error) => self.report(&field, &error),
        }
        None
    }

    fn scopes(&mut self, scopes: &[String]) -> Vec<Scope> {
        let field = format!("{FIELD}.scopes");
        self.count(&field, scopes.len(), Scope::MAX);
        let (mut checked, mut seen) = (Vec::new(), HashSet::new());
        for (index, scope) in scopes.iter().take(Scope::MAX).enumerate() {
            if !seen.insert(scope) {
                self.report(&format!("{field}[{index}]"), &"is there twice");
            }
            match Scope::parse(scope) {
                Ok(scope) => checked.push(scope),
                Err(error) => self.report(&format!("{field}[{index}]"), &error),
            }
        }
        checked
    }

    fn parameters(&mut self, parameters: &[webhook::Parameter]) -> Vec<Parameter> {
        let field = format!("{FIELD}.parameters");
        self.count(&field, parameters.len(), Parameter::MAX);
        let (mut checked, mut seen) = (Vec::new(), HashSet::new());
        for (index, parameter) in parameters.iter().take(Parameter::MAX).enumerate() {
            let webhook::Parameter { name, value } = parameter;
            if !seen.insert(name) {
                self.report(&format!("{field}[{index}].name"), &"is there twice");
            }
            match Parameter::new(name, value) {
                Ok(parameter) => checked.push(parameter),
                Err(error) => self.report(&format!("{field}[{index}]"), &error),
            }
        }
        checked
    }
}
