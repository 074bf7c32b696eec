//! The test bed itself: the other tests rely on what is shown here.

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec},
    core::v1::{ConfigMap, Secret},
    rbac::v1::PolicyRule,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};

use crate::support::{self, Cluster, Namespace, eventually};

#[tokio::test]
async fn a_token_without_rights_is_refused_and_one_with_a_role_may_do_just_that() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("rbac").await;
    let nobody = ns.service_account("nobody", vec![]).await;
    let reader =
        ns.service_account("reader", vec![may("get", "configmaps"), may("list", "configmaps")]).await;

    let refused = config_maps(cluster, &ns, &nobody).await.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 403));
    config_maps(cluster, &ns, &reader).await.list(&ListParams::default()).await.unwrap();
    let create =
        config_maps(cluster, &ns, &reader).await.create(&PostParams::default(), &config_map("new")).await;
    assert!(matches!(create.unwrap_err(), kube::Error::Api(status) if status.code == 403));
    let forged = config_maps(cluster, &ns, "forged").await.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(forged, kube::Error::Api(status) if status.code == 401));
}

#[tokio::test]
async fn a_service_account_token_says_who_it_belongs_to() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("token").await;
    let token = ns.service_account("publisher", vec![]).await;
    let review = TokenReview {
        spec: TokenReviewSpec { token: Some(token), audiences: None },
        ..TokenReview::default()
    };
    let reviews: Api<TokenReview> = Api::all(cluster.client().await);
    let status = reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap();
    assert_eq!(status.authenticated, Some(true));
    let expected = format!("system:serviceaccount:{}:publisher", ns.name());
    assert_eq!(status.user.unwrap().username, Some(expected));
}

#[tokio::test]
async fn namespaces_are_apart_and_take_what_is_in_them_along() {
    let cluster = support::cluster().await;
    let one = cluster.namespace("apart").await;
    let other = cluster.namespace("apart").await;
    one.api().await.create(&PostParams::default(), &config_map("mine")).await.unwrap();
    assert!(other.api::<ConfigMap>().await.get_opt("mine").await.unwrap().is_none());

    let config_maps = one.api::<ConfigMap>().await;
    one.delete().await;
    assert!(config_maps.get_opt("mine").await.unwrap().is_none());
}

#[tokio::test]
async fn what_an_object_owns_goes_with_it() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("garbage").await;
    let owner = ns.api().await.create(&PostParams::default(), &config_map("owner")).await.unwrap();
    let child = Secret {
        metadata: ObjectMeta {
            name: Some("child".to_owned()),
            owner_references: Some(vec![owner.owner_ref(&()).unwrap()]),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    };
    let secrets = ns.api::<Secret>().await;
    secrets.create(&PostParams::default(), &child).await.unwrap();
    ns.api::<ConfigMap>().await.delete("owner", &DeleteParams::background()).await.unwrap();
    eventually("the child to be collected", async || {
        secrets.get_opt("child").await.unwrap().map_or(Ok(()), Err)
    })
    .await;
}

#[tokio::test]
async fn kubectl_applies_and_shows() {
    let cluster = support::cluster().await;
    let ns = cluster.namespace("kubectl").await;
    ns.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: shown}, data: {key: value}}").await;
    let shown = ns.kubectl(&["get", "configmap", "shown", "--output", "jsonpath={.data.key}"]).await;
    assert_eq!(shown.success(), "value");
    let missing = ns.kubectl(&["get", "configmap", "missing"]).await;
    assert!(missing.stderr.contains("NotFound"), "{missing:?}");
}

#[tokio::test]
async fn the_custom_resources_of_the_project_are_served() {
    let cluster = support::cluster().await;
    let served =
        cluster.kubectl(&["api-resources", "--api-group", "hookwright.dev", "--output", "name"]).await;
    let served = served.success();
    for name in ["webhooks.hookwright.dev", "webhookdeliveries.hookwright.dev"] {
        assert!(served.lines().any(|line| line == name), "{served}");
    }
}

#[tokio::test]
async fn a_private_api_server_keeps_its_data_over_a_crash() {
    let mut cluster = Cluster::start_private().await;
    let name = cluster.namespace("crash").await.name().to_owned();
    let config_maps: Api<ConfigMap> = Api::namespaced(cluster.client().await, &name);
    config_maps.create(&PostParams::default(), &config_map("kept")).await.unwrap();
    cluster.stop_apiserver().await;
    assert!(config_maps.get("kept").await.is_err());
    cluster.start_apiserver().await;
    assert_eq!(config_maps.get("kept").await.unwrap().name_any(), "kept");
}

async fn config_maps(cluster: &Cluster, ns: &Namespace<'_>, token: &str) -> Api<ConfigMap> {
    Api::namespaced(cluster.client_with_token(token).await, ns.name())
}

fn config_map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    }
}

fn may(verb: &str, resource: &str) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![String::new()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: vec![verb.to_owned()],
        ..PolicyRule::default()
    }
}
