//! The wizard, as a browser walks it.

use landbridge_control::service::{Grant, Role};
use landbridge_model::config::SyncStatus;

use crate::api::Api;
use crate::console::{Shown, Visitor};
use crate::rig::{VEHICLES, definition, soon, tenant};

const NEW: &str = "/tenants/acme/syncs/new";

/// The value of a field of a page's form.
fn field(shown: &Shown, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let (_, rest) = shown
        .text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{name} is not on the page: {}", shown.text));
    rest.split('"').next().unwrap_or_default().to_owned()
}

fn step(name: &str) -> String {
    format!("/tenants/acme/syncs/vehicles/edit/{name}")
}

/// Opens a step and sends its form.
async fn send(visitor: &Visitor, name: &str, fields: &[(&str, &str)]) -> Shown {
    let path = step(name);
    let etag = field(&visitor.get(&path).await.expect(200), "etag");
    let mut all = vec![("etag", etag.as_str())];
    all.extend_from_slice(fields);
    visitor.post(&path, &all).await
}

async fn at(api: &Api, role: Role) -> Visitor {
    Visitor::new(api, role.as_str(), vec![Grant::of(role, tenant())]).await
}

async fn begun(visitor: &Visitor) {
    let chosen = [
        ("spec.salesforce.object", "Vehicle"),
        ("spec.hubspot.objectType", "vehicles"),
        ("action", "next"),
    ];
    let led = visitor.post(NEW, &chosen).await;
    assert_eq!(led.leads_to(), step("rules"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_stays_and_nobody_writes_over_another() {
    let api = Api::new().await;
    let editor = at(&api, Role::Editor).await;
    begun(&editor).await;
    let seen = field(&editor.get(&step("rules")).await.expect(200), "etag");
    let saved = send(
        &editor,
        "rules",
        &[("spec.rules.grace", "15m"), ("action", "save")],
    )
    .await;
    assert_eq!(saved.leads_to(), step("rules"));

    let other = Visitor::sign_in(&api, "editor", crate::console::PASSWORD).await;
    other
        .get(&step("rules"))
        .await
        .expect(200)
        .says(&["value=\"15m\"", "Draft saved"]);
    let late = [
        ("etag", seen.as_str()),
        ("spec.rules.grace", "2h"),
        ("action", "save"),
    ];
    other
        .post(&step("rules"), &late)
        .await
        .expect(412)
        .says(&["Somebody else saved", "value=\"2h\""]);
    other
        .get(&step("rules"))
        .await
        .expect(200)
        .says(&["value=\"15m\""]);

    // Beginning the same pair again goes on with the draft.
    let chosen = [
        ("spec.salesforce.object", "Vehicle__c"),
        ("spec.hubspot.objectType", "vehicles"),
        ("action", "next"),
    ];
    assert_eq!(other.post(NEW, &chosen).await.leads_to(), step("rules"));
    // A step that was not reached sends back to the one that was.
    assert_eq!(other.get(&step("preview")).await.leads_to(), step("rules"));
    other.get(&step("nonsense")).await.expect(404);

    assert_eq!(
        editor.post(&step("discard"), &[]).await.leads_to(),
        "/tenants/acme"
    );
    editor.get(&step("rules")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_keeps_nothing() {
    let api = Api::new().await;
    let editor = at(&api, Role::Editor).await;
    begun(&editor).await;
    send(
        &editor,
        "rules",
        &[("spec.rules.grace", "soon"), ("action", "check")],
    )
    .await
    .expect(200)
    .says(&["not a length of time"]);
    editor
        .get(&step("rules"))
        .await
        .expect(200)
        .without(&["not a length of time"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_a_running_sync_is_its_next_revision_unless_somebody_was_first() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let operator = at(&api, Role::Operator).await;
    send(&operator, "turn-on", &[("action", "start")])
        .await
        .leads_to();
    send(
        &operator,
        "rules",
        &[("spec.rules.delete", "delete-record"), ("action", "save")],
    )
    .await
    .leads_to();
    operator
        .get(&step("turn-on"))
        .await
        .expect(200)
        .says(&["Use the new revision", "Editing r1"]);

    // Somebody applies a file meanwhile.
    api.rig
        .apply(&VEHICLES.replace(
            "[ { from: Name, to: name }",
            "[ { from: Name, to: name }, { from: Name, to: other }",
        ))
        .await;
    let key = definition(VEHICLES).key();
    let newer = api.rig.config.wait_for(|config| {
        config
            .sync(&key.tenant, &key.name)
            .filter(|sync| sync.revision.0 == 2)
    });
    soon("the other edit", newer).await;
    operator
        .get(&step("turn-on"))
        .await
        .expect(200)
        .says(&["was changed by somebody else after this draft was begun"]);
    send(&operator, "turn-on", &[("action", "start")])
        .await
        .expect(412)
        .says(&["was changed since"]);

    operator.post(&step("discard"), &[]).await.leads_to();
    send(
        &operator,
        "rules",
        &[("spec.rules.delete", "delete-record"), ("action", "save")],
    )
    .await
    .leads_to();
    let edited = send(&operator, "turn-on", &[("action", "start")]).await;
    assert_eq!(edited.leads_to(), "/tenants/acme/syncs/vehicles");
    let third = api.rig.config.wait_for(|config| {
        config
            .sync(&key.tenant, &key.name)
            .filter(|sync| sync.revision.0 == 3)
    });
    assert_eq!(soon("the third revision", third).await.status, SyncStatus::Active);
}
