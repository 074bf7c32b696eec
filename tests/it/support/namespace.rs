//! The part of the cluster that belongs to one test.

use std::fmt::Debug;

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        authentication::v1::TokenRequest,
        core::v1::{self, ServiceAccount},
        rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject},
    },
};
use kube::{
    Api, Resource,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Cluster, Output, eventually};

/// A namespace of a test.
pub struct Namespace<'a> {
    cluster: &'a Cluster,
    name: String,
}

impl<'a> Namespace<'a> {
    pub(super) fn new(cluster: &'a Cluster, name: String) -> Self {
        Self { cluster, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The objects of one kind in it.
    pub async fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cluster.client().await, &self.name)
    }

    /// Runs kubectl in it, whatever that answers.
    pub async fn kubectl(&self, arguments: &[&str]) -> Output {
        self.cluster.kubectl(&[&["--namespace", &self.name], arguments].concat()).await
    }

    /// Applies manifests with kubectl.
    pub async fn apply(&self, yaml: &str) {
        let arguments = ["--namespace", &self.name, "apply", "--server-side", "--filename", "-"];
        self.cluster.kubectl_with_input(&arguments, yaml).await.success();
    }

    /// Makes a service account that may do what `rules` say and nothing else, and returns a token of it.
    pub async fn service_account(&self, name: &str, rules: Vec<PolicyRule>) -> String {
        let account = ServiceAccount { metadata: self.metadata(name), ..ServiceAccount::default() };
        self.create(&account).await;
        self.create(&Role { metadata: self.metadata(name), rules: Some(rules) }).await;
        self.create(&RoleBinding {
            metadata: self.metadata(name),
            role_ref: RoleRef {
                api_group: "rbac.authorization.k8s.io".to_owned(),
                kind: "Role".to_owned(),
                name: name.to_owned(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".to_owned(),
                name: name.to_owned(),
                namespace: Some(self.name.clone()),
                ..Subject::default()
            }]),
        })
        .await;
        self.token(name, None).await
    }

    /// A token of a service account, for an audience or else for the API server.
    pub async fn token(&self, account: &str, audience: Option<&str>) -> String {
        let accounts = self.api::<ServiceAccount>().await;
        let mut request = TokenRequest::default();
        request.spec.audiences = audience.into_iter().map(str::to_owned).collect();
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
        answer.status.unwrap().token
    }

    /// Deletes it, and waits until it and all that was in it are gone.
    pub async fn delete(self) {
        let namespaces: Api<v1::Namespace> = Api::all(self.cluster.client().await);
        namespaces.delete(&self.name, &DeleteParams::background()).await.unwrap();
        eventually(&format!("namespace {} to be gone", self.name), async || {
            namespaces.get_opt(&self.name).await.unwrap().map_or(Ok(()), Err)
        })
        .await;
    }

    async fn create<K>(&self, object: &K)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + Serialize,
    {
        self.api::<K>().await.create(&PostParams::default(), object).await.unwrap();
    }

    fn metadata(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.name.clone()),
            ..ObjectMeta::default()
        }
    }
}
