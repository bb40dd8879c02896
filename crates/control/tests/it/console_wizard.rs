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

const NAME: [(&str, &str); 2] = [("spec.fields[0].from", "Name"), ("spec.fields[0].to", "name")];

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_is_made_step_by_step_and_turned_on() {
    let api = Api::new().await;
    let operator = at(&api, Role::Operator).await;
    operator
        .get(NEW)
        .await
        .expect(200)
        .says(&["Vehicle__c", "Map objects"]);
    operator
        .post(NEW, &[("action", "next")])
        .await
        .expect(422)
        .says(&["No Salesforce object is chosen", "No HubSpot object is chosen"]);
    begun(&operator).await;

    let wrong = [
        ("spec.rules.delete", "delete-record"),
        ("spec.rules.maxDeletes", "lots"),
        ("action", "next"),
    ];
    send(&operator, "rules", &wrong)
        .await
        .expect(422)
        .says(&["is neither a count of records", "value=\"lots\""]);
    let right = [
        ("spec.rules.delete", "delete-record"),
        ("spec.rules.maxDeletes", "5"),
        ("action", "next"),
    ];
    assert_eq!(
        send(&operator, "rules", &right).await.leads_to(),
        step("associations")
    );

    operator
        .get(&step("associations"))
        .await
        .expect(200)
        .says(&["Tows__c", "Can become an association with Vehicle"]);
    let on = [
        ("associations[0].field", "Tows__c"),
        ("associations[0].on", "on"),
        ("action", "next"),
    ];
    assert_eq!(
        send(&operator, "associations", &on).await.leads_to(),
        step("mappings")
    );

    operator
        .get(&step("mappings"))
        .await
        .expect(200)
        .says(&["Required by HubSpot", "Suggested"]);
    send(&operator, "mappings", &[("action", "next")])
        .await
        .expect(422)
        .says(&["No field is mapped"]);
    let led = send(&operator, "mappings", &[("action", "add-suggested")]).await;
    assert_eq!(led.leads_to(), step("mappings"));
    operator
        .get(&step("mappings"))
        .await
        .expect(200)
        .says(&["value=\"Name\""])
        .without(&["Required by HubSpot"]);
    assert_eq!(
        send(&operator, "mappings", &[NAME[0], NAME[1], ("action", "next")])
            .await
            .leads_to(),
        step("filter")
    );

    operator
        .get(&step("filter"))
        .await
        .expect(200)
        .says(&["Every record travels"]);
    assert_eq!(
        send(&operator, "filter", &[("action", "next")]).await.leads_to(),
        step("preview")
    );
    operator.get(&step("preview")).await.expect(200).says(&[
        "objectType: vehicles",
        "maxDeletes: 5%",
        "field: Tows__c",
    ]);
    assert_eq!(
        send(&operator, "preview", &[("action", "next")]).await.leads_to(),
        step("turn-on")
    );

    operator
        .get(&step("turn-on"))
        .await
        .expect(200)
        .says(&["Start continuous sync", "The unique property salesforce_id"]);
    let on = send(&operator, "turn-on", &[("action", "start")]).await;
    assert_eq!(on.leads_to(), "/tenants/acme/syncs/vehicles/turned-on");
    operator
        .get(on.leads_to())
        .await
        .expect(200)
        .says(&["Import existing records", "vehicles is on"]);
    let key = definition(VEHICLES).key();
    let active = api.rig.config.wait_for(|config| {
        let sync = config.sync(&key.tenant, &key.name)?;
        (sync.status == SyncStatus::Active).then_some(sync)
    });
    let sync = soon("that it is on", active).await;
    assert_eq!(sync.definition.spec.associations[0].field, "Tows__c");
    let acme = api
        .service
        .tenant(&landbridge_control::service::Caller::local("test"), &tenant())
        .unwrap();
    assert_eq!(acme.drafts().await.unwrap(), [], "what is stored needs no draft");

    // The same sync comes of its file in an installation that has nothing yet.
    let file = acme.export(&[]).unwrap();
    assert!(
        file.contains("maxDeletes: 5%") && file.contains("Tows__c"),
        "{file}"
    );
    let empty = Api::new().await;
    empty.rig.apply(&file).await;
    let applied = empty
        .rig
        .config
        .wait_for(|config| config.sync(&key.tenant, &key.name));
    let applied = soon("the sync of the file", applied).await;
    assert_eq!(applied.definition, sync.definition);
    let viewer = empty.in_acme(Role::Viewer).await;
    let again = empty
        .get("/api/v1/tenants/acme/export", &viewer)
        .await
        .expect(200);
    assert_eq!(again.text, file, "the file of the file is another one");
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

#[tokio::test(flavor = "multi_thread")]
async fn the_wizard_is_closed_to_those_who_may_only_look() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let viewer = at(&api, Role::Viewer).await;
    let editor = at(&api, Role::Editor).await;
    let review = format!("{NEW}/object-type?object=Vehicle__c");
    for path in [NEW, &review, &step("rules"), &step("preview/dry-run/events")] {
        viewer.get(path).await.expect(403);
    }
    // An editor may edit and not turn on: what they made stays theirs to save.
    send(&editor, "turn-on", &[("action", "start")]).await.expect(403);
}
