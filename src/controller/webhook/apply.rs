//! Step 4: do it.

use hookwright_engine::id::WebhookId;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};

use super::inventory::Named;
use super::plan::{Plan, Previous};
use super::{Context, Error};
use crate::controller::FIELD_MANAGER;

/// Creates what must be there first, tells the engine, then keeps the key before. Answers whether
/// the webhook still exists.
pub(super) async fn apply(context: &Context, id: WebhookId, plan: &Plan) -> Result<bool, Error> {
    let namespace = &*plan.endpoint.namespace;
    let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
    if let Some(secret) = &plan.create {
        create(context, &api, namespace, secret).await?;
    }
    if !context.table.upsert(id, plan.endpoint.clone(), plan.keys.clone()) {
        return Ok(false);
    }
    match &plan.previous {
        Previous::Leave => return Ok(true),
        Previous::Write(secret) => write(&api, secret).await?,
        Previous::Delete(name) => delete(&api, name).await?,
    }
    if let Some(keys) = plan.keys.clone() {
        context.table.remember(id, keys.kept());
    }
    Ok(true)
}

/// Creates a Secret, and never overwrites one: where another was faster, the next look reads it.
async fn create(context: &Context, api: &Api<Secret>, namespace: &str, secret: &Secret) -> Result<(), Error> {
    let name = secret.name_any();
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let created = api.create(&params, secret).await;
    let created = created.map_err(|source| Error::Create { secret: name.clone(), source: source.into() })?;
    let secret = Named { namespace: namespace.to_owned(), name };
    context.table.read(&secret, created.resource_version());
    Ok(())
}

/// Without force: a Secret of this name that somebody else made stays as it is.
async fn write(api: &Api<Secret>, secret: &Secret) -> Result<(), Error> {
    let name = secret.name_any();
    match api.patch(&name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(secret)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Store { secret: name, source: source.into() }),
    }
}

async fn delete(api: &Api<Secret>, name: &str) -> Result<(), Error> {
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(source) => Err(Error::Delete { secret: name.to_owned(), source: source.into() }),
    }
}
