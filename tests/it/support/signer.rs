//! Tokens signed with the key of the control plane, which can say what it would never say.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookwright::clock;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::ResourceExt;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::{Cluster, Namespace};

/// Signs tokens of a service account.
pub struct Signer {
    key: EcdsaKeyPair,
    namespace: String,
    account: String,
    uid: String,
}

impl Signer {
    /// With the key that the API server trusts.
    pub async fn new(cluster: &Cluster, namespace: &Namespace<'_>, account: &str) -> Self {
        let uid = namespace.api::<ServiceAccount>().await.get(account).await.unwrap().uid().unwrap();
        let pem = fs::read(cluster.token_signing_key()).unwrap();
        let der = PrivateKeyDer::from_pem_slice(&pem).unwrap();
        let key = key(der.secret_der());
        Self { key, namespace: namespace.name().to_owned(), account: account.to_owned(), uid }
    }

    /// For the same account, with a key of its own.
    pub fn forged(of: &Self) -> Self {
        let Self { key: _, namespace, account, uid } = of;
        let der =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = key(der.as_ref());
        Self { key, namespace: namespace.clone(), account: account.clone(), uid: uid.clone() }
    }

    /// A token that expires so many seconds from now.
    pub fn token(&self, audience: &str, seconds: i64) -> String {
        let Self { key, namespace, account, uid } = self;
        let now = clock::wall().as_secs();
        let claims = json!({
            "iss": "https://kubernetes.default.svc", "aud": [audience],
            "sub": format!("system:serviceaccount:{namespace}:{account}"),
            "iat": now - 3600, "nbf": now - 3600, "exp": now + seconds,
            "kubernetes.io": { "namespace": namespace, "serviceaccount": { "name": account, "uid": uid } },
        });
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encoded(&json!({ "alg": "ES256", "typ": "JWT" })), encoded(&claims));
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn key(pkcs8: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).unwrap()
}
