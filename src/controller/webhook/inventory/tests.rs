use kube::core::DeserializeGuard;
use serde_json::json;

use super::*;

fn object(name: &str, uid: u128, generation: i64, secret: &str) -> Object {
    let object = json!({
        "metadata": {
            "name": name, "namespace": "shop", "uid": Uuid::from_u128(uid).to_string(), "generation": generation,
        },
        "spec": {
            "url": "https://a.example", "events": ["*"], "signing": { "secretRef": { "name": secret } },
        },
    });
    DeserializeGuard(Ok(serde_json::from_value(object).unwrap()))
}

fn id(uid: u128) -> WebhookId {
    WebhookId::from_uid(Uuid::from_u128(uid))
}

fn look() -> Observed {
    Observed { look: true, ..Observed::default() }
}

fn gone(uid: u128) -> Observed {
    Observed { gone: vec![id(uid)], ..Observed::default() }
}

fn secret(name: &str) -> Named {
    Named { namespace: "shop".to_owned(), name: name.to_owned() }
}

fn listed(scope: Scope, inventory: &mut Inventory, objects: &[Object]) -> Observed {
    inventory.observe(scope, &Event::Init);
    for object in objects {
        inventory.observe(scope, &Event::InitApply(object.clone()));
    }
    inventory.observe(scope, &Event::InitDone)
}

#[test]
fn an_object_is_looked_at_when_its_spec_changes_and_not_when_its_status_does() {
    let mut inventory = Inventory::new(1);
    let mut apply = |generation| inventory.observe(0, &Event::Apply(object("a", 1, generation, "s")));
    assert_eq!(apply(1), look());
    assert_eq!(apply(1), Observed::default());
    assert_eq!(apply(2), look());
    let mut asking = object("a", 1, 2, "s");
    asking.annotations_mut().insert(TEST_REQUESTED_AT.to_owned(), "now".to_owned());
    assert_eq!(inventory.observe(0, &Event::Apply(asking.clone())), look());
    assert_eq!(inventory.observe(0, &Event::Apply(asking)), Observed::default());
}

#[test]
fn a_webhook_made_anew_under_its_name_is_another_one() {
    let mut inventory = Inventory::new(1);
    inventory.observe(0, &Event::Apply(object("a", 1, 1, "s")));
    let observed = inventory.observe(0, &Event::Apply(object("a", 2, 1, "s")));
    assert_eq!(observed, Observed { look: true, gone: vec![id(1)], naming: Vec::new() });
    // The deletion of the former one comes late.
    assert_eq!(inventory.observe(0, &Event::Delete(object("a", 1, 1, "s"))), Observed::default());
    assert_eq!(inventory.observe(0, &Event::Delete(object("a", 2, 1, "s"))), gone(2));
    assert!(inventory.names.is_empty() && inventory.secrets.is_empty());
}

#[test]
fn what_a_repeated_list_no_longer_has_is_gone() {
    let mut inventory = Inventory::new(2);
    listed(0, &mut inventory, &[object("a", 1, 1, "s"), object("b", 2, 1, "s")]);
    listed(1, &mut inventory, &[object("c", 3, 1, "s")]);
    assert_eq!(listed(0, &mut inventory, &[object("b", 2, 1, "s")]), gone(1));
    assert!(inventory.contains(id(2)) && inventory.contains(id(3)));
}

#[test]
fn an_object_that_is_being_deleted_is_gone() {
    let mut inventory = Inventory::new(1);
    inventory.observe(0, &Event::Apply(object("a", 1, 1, "s")));
    let mut deleting = object("a", 1, 2, "s");
    deleting.meta_mut().deletion_timestamp =
        Some(crate::crd::condition::time(hookwright_engine::time::Time::MIN));
    assert_eq!(inventory.observe(0, &Event::Apply(deleting)), gone(1));
}

#[test]
fn all_are_known_once_every_list_is_complete_and_every_webhook_was_looked_at() {
    let mut inventory = Inventory::new(2);
    listed(0, &mut inventory, &[object("a", 1, 1, "s")]);
    assert_eq!(inventory.synced(), None);
    listed(1, &mut inventory, &[]);
    assert_eq!(inventory.synced(), None);
    inventory.looked(id(1), false);
    assert_eq!(inventory.synced(), Some(HashSet::from([id(1)])));
    inventory.looked(id(1), true);
    assert_eq!(inventory.synced(), None);
}

#[test]
fn a_list_that_breaks_off_is_not_complete() {
    let mut inventory = Inventory::new(1);
    inventory.observe(0, &Event::Init);
    inventory.observe(0, &Event::InitApply(object("a", 1, 1, "s")));
    inventory.looked(id(1), true);
    assert_eq!(inventory.synced(), None);
    assert_eq!(listed(0, &mut inventory, &[object("b", 2, 1, "s")]), gone(1));
    inventory.looked(id(2), true);
    assert_eq!(inventory.synced(), Some(HashSet::from([id(2)])));
}

#[test]
fn those_that_name_a_webhook_for_their_dead_letters_are_looked_at_when_it_comes_and_goes() {
    let mut inventory = Inventory::new(1);
    let mut naming = object("a", 1, 1, "s");
    let dead_letter = json!({ "webhookRef": { "name": "backlog" } });
    naming.0.as_mut().unwrap().spec.dead_letter = serde_json::from_value(dead_letter).unwrap();
    let a = ObjectRef::new("a").within("shop");
    let backlog = secret("backlog");
    assert_eq!(inventory.observe(0, &Event::Apply(naming)), look());
    assert!(!inventory.exists(&backlog));
    let come = inventory.observe(0, &Event::Apply(object("backlog", 2, 1, "s")));
    assert_eq!((come.look, come.naming), (true, vec![a.clone()]));
    assert!(inventory.exists(&backlog));
    assert_eq!(inventory.observe(0, &Event::Apply(object("backlog", 2, 2, "s"))), look());
    assert_eq!(inventory.observe(0, &Event::Delete(object("backlog", 2, 2, "s"))).naming, [a]);
    inventory.observe(0, &Event::Apply(object("a", 1, 2, "s")));
    assert_eq!(inventory.observe(0, &Event::Apply(object("backlog", 3, 1, "s"))), look());
}

#[test]
fn a_secret_leads_to_the_webhooks_that_use_it_unless_they_have_read_it() {
    let mut inventory = Inventory::new(1);
    inventory.observe(0, &Event::Apply(object("a", 1, 1, "s")));
    inventory.observe(0, &Event::Apply(object("b", 2, 1, "s")));
    let users = |inventory: &Inventory, name: &str, version| inventory.users(&secret(name), version).len();
    assert_eq!(users(&inventory, "s", Some("7")), 2);
    inventory.read(&secret("s"), Some("7".to_owned()));
    assert_eq!(users(&inventory, "s", Some("7")), 0);
    assert_eq!(users(&inventory, "s", Some("8")), 2);
    inventory.observe(0, &Event::Apply(object("a", 1, 2, "other")));
    assert_eq!((users(&inventory, "s", Some("8")), users(&inventory, "other", Some("1"))), (1, 1));
    assert_eq!(users(&inventory, "unused", Some("1")), 0);
    inventory.read(&secret("s"), None);
    assert_eq!((users(&inventory, "s", None), users(&inventory, "s", Some("9"))), (0, 1));
}

#[test]
fn the_secrets_of_a_watch_are_those_of_its_webhooks() {
    let mut inventory = Inventory::new(2);
    inventory.observe(0, &Event::Apply(object("b", 1, 1, "t")));
    inventory.observe(0, &Event::Apply(object("a", 2, 1, "s")));
    inventory.observe(0, &Event::Apply(object("c", 3, 1, "s")));
    inventory.read(&secret("s"), Some("7".to_owned()));
    assert_eq!(inventory.secrets(0), [(secret("s"), true), (secret("t"), false)]);
    assert_eq!(inventory.secrets(1), []);
}
