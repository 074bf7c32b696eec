use std::collections::BTreeSet;

use super::*;

/// The paths and methods of the document.
fn documented(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let methods = |operations: &Value| operations.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    paths.flat_map(|(path, it)| methods(it).into_iter().map(|method| (method, path.clone()))).collect()
}

#[test]
fn the_committed_file_is_what_the_routes_and_types_generate() {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let committed = std::fs::read_to_string(committed).unwrap_or_default();
    assert!(committed == text().unwrap(), "docs/openapi.json is stale: make openapi");
}

#[test]
fn every_route_is_described_once_and_nothing_else_is() {
    let routes: BTreeSet<_> = routes()
        .into_iter()
        .map(|route| (route.method.as_str().to_ascii_lowercase(), route.path.to_owned()))
        .collect();
    assert_eq!(documented(&document()), routes);
    let ids: BTreeSet<_> = super::routes().iter().map(|route| route.operation.id()).collect();
    assert!(!ids.contains(""), "a route is not described");
    assert_eq!(ids.len(), routes.len(), "two operations have the same name");
}

#[test]
fn every_reference_leads_somewhere() {
    let document = document();
    let mut references = BTreeSet::new();
    schema::each(&mut document.clone(), &mut |fields| {
        let named = ["$ref", "operationId"].into_iter().filter_map(|name| fields.get(name)?.as_str());
        references.extend(named.map(str::to_owned));
    });
    let ids: Vec<_> = routes().iter().map(|route| route.operation.id()).collect();
    for reference in references {
        match reference.strip_prefix('#') {
            Some(pointer) => assert!(document.pointer(pointer).is_some(), "{reference}"),
            None => assert!(ids.contains(&reference.as_str()), "{reference}"),
        }
    }
}

#[test]
fn what_only_anybody_may_call_needs_no_token_and_all_else_says_what_it_needs() {
    let document = document();
    for route in routes() {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][method];
        let open = operation["security"] == json!([]);
        assert_eq!(open, route.access == Access::Anybody, "{}", route.path);
        assert_eq!(operation["responses"].get("401").is_none(), open, "{}", route.path);
        assert_eq!(operation["description"].as_str().is_some_and(|it| it.contains("Needs ")), !open);
    }
}
