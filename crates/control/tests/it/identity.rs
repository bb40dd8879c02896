//! Another org behind the address, a side that is disconnected, and what changed in Salesforce's schema.

use std::convert::Infallible;

use axum::http::Method;
use landbridge_bus::{Bucket, Key};
use landbridge_control::Settings;
use landbridge_control::service::{Grant, Role};
use landbridge_model::ask::FollowSchema;
use landbridge_model::config::{Import, ImportWish, SyncStatus};
use landbridge_model::drift::{Consequence, SchemaChange, SchemaEvent, SchemaRecord};
use landbridge_model::{ImportId, Revision};
use landbridge_stage::Side;
use serde_json::{Value, json};

use crate::api::Api;
use crate::console::Visitor;
use crate::rig::{VEHICLES, soon, sync_name, tenant};

const ACME: &str = "/api/v1/tenants/acme";
/// The org that the stand-in answers as.
const ANSWERS: &str = "00D000000000001EAA";

async fn activate(api: &Api) {
    let operator = api.in_acme(Role::Operator).await;
    api.rig.apply(VEHICLES).await;
    let path = format!("{ACME}/syncs/vehicles/activate");
    api.send(Method::POST, &path, &operator, &[], None)
        .await
        .expect(200);
}

async fn put_position(api: &Api, kind: &str, name: &str) {
    let bucket = api.rig.hub.bus().kv(Bucket::Checkpoints);
    bucket
        .put_json(&Key::new([kind, "acme", name]), &json!("here"))
        .await
        .unwrap();
}

async fn position(api: &Api, kind: &str, name: &str) -> Option<Value> {
    let bucket = api.rig.hub.bus().kv(Bucket::Checkpoints);
    let found = bucket
        .get_json::<Value>(&Key::new([kind, "acme", name]))
        .await
        .unwrap();
    found.map(|(value, _)| value)
}

/// As the extractor leaves a tenant behind whose address leads to another org.
async fn suspend(api: &Api, pinned: &str) {
    let acme = tenant();
    let changed = api.rig.config.change_tenant(&acme, |stored| {
        let mut stored = stored.unwrap();
        stored.salesforce.org_id = Some(pinned.to_owned());
        stored.suspended = Some("this is another org".to_owned());
        Ok::<_, Infallible>(Some(stored))
    });
    changed.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_org_is_read_again_from_nothing_and_looked_through_at_once() {
    let api = Api::new().await;
    activate(&api).await;
    suspend(&api, "00D000000000009EAA").await;
    for kind in ["live", "reconciled", "schema", "stream"] {
        put_position(&api, kind, "vehicles").await;
    }
    put_position(&api, "import", "imp-1").await;
    let operator = api.in_acme(Role::Operator).await;
    let admin = api.in_acme(Role::Admin).await;
    let adopt = format!("{ACME}/adopt");
    let wanted = json!({ "org_id": ANSWERS });
    api.send(Method::POST, &adopt, &operator, &[], Some(&wanted))
        .await
        .expect(403);
    let another = json!({ "org_id": "00D000000000007EAA" });
    let refused = api
        .send(Method::POST, &adopt, &admin, &[], Some(&another))
        .await
        .expect(422);
    assert!(refused.text.contains("nothing was done"), "{}", refused.text);
    assert!(position(&api, "live", "vehicles").await.is_some());

    let adopted = api
        .send(Method::POST, &adopt, &admin, &[], Some(&wanted))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&adopted["from"], &adopted["to"]),
        (&json!("00D000000000009EAA"), &json!(ANSWERS))
    );
    assert_eq!(adopted["imports"][0]["sync"], "vehicles", "{adopted}");
    for kind in ["live", "reconciled", "schema", "stream"] {
        assert_eq!(position(&api, kind, "vehicles").await, None, "{kind}");
    }
    // What has ended must not begin again.
    assert!(position(&api, "import", "imp-1").await.is_some());
    assert_eq!(position(&api, "adopting", "vehicles").await, Some(json!(ANSWERS)));
    let now = soon(
        "that it goes on",
        api.rig.config.wait_for(|config| {
            config
                .tenant(&tenant())
                .filter(|tenant| tenant.suspended.is_none())
        }),
    )
    .await;
    assert_eq!(now.salesforce.org_id.as_deref(), Some(ANSWERS));
    assert!(now.salesforce.adopted_ms > Some(0));
    let id: ImportId = serde_json::from_value(adopted["imports"][0]["id"].clone()).unwrap();
    let import = soon(
        "the import",
        api.rig.config.wait_for(|config| config.import(&tenant(), &id)),
    )
    .await;
    assert!(import.overwrite && import.wish == ImportWish::Run);
    let again = api
        .send(Method::POST, &adopt, &admin, &[], Some(&wanted))
        .await
        .expect(422);
    assert!(again.text.contains("already"), "{}", again.text);
    let audited = api
        .audit()
        .await
        .into_iter()
        .any(|(_, action, _)| action == "tenant.org-adopted");
    assert!(audited);
}

/// What a control that died in the middle of an adoption has left: the decision, and as much of the rest as `pinned` says.
async fn left_in_the_middle(api: &Api, pinned: bool) -> Key {
    let key = Key::new(["adoption", "acme"]);
    let decided = json!({
        "org_id": ANSWERS, "by": "user:ann", "from": "00D000000000009EAA",
        "began_ms": api.rig.hub.now_ms(), "adopted_ms": api.rig.hub.now_ms() + 60_000,
    });
    let bucket = api.rig.hub.bus().kv(Bucket::Config);
    bucket.put_json(&key, &decided).await.unwrap();
    if pinned {
        let acme = tenant();
        let changed = api.rig.config.change_tenant(&acme, |stored| {
            let mut stored = stored.unwrap();
            stored.salesforce.org_id = Some(ANSWERS.to_owned());
            stored.salesforce.adopted_ms = decided["adopted_ms"].as_i64();
            stored.suspended = None;
            Ok::<_, Infallible>(Some(stored))
        });
        changed.await.unwrap().unwrap();
    } else {
        put_position(api, "live", "vehicles").await;
    }
    key
}

/// The imports of acme that write over what is there.
fn read_again(api: &Api) -> Vec<Import> {
    let mut imports = api.rig.config.imports(&tenant());
    imports.retain(|import| import.overwrite && import.wish == ImportWish::Run);
    imports.iter().map(|import| Import::clone(import)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adoption_that_a_crash_broke_off_is_carried_out_by_the_next_control_once() {
    for pinned in [false, true] {
        let mut api = Api::new().await;
        activate(&api).await;
        suspend(&api, "00D000000000009EAA").await;
        api.end_control();
        let key = left_in_the_middle(&api, pinned).await;
        api.restart_control(Settings::default()).await;
        let bucket = api.rig.hub.bus().kv(Bucket::Config);
        let done = async {
            while bucket.get(&key).await.unwrap().is_some() {
                tokio::task::yield_now().await;
            }
        };
        soon("the adoption to be carried out", done).await;
        let acme = soon(
            "that it goes on",
            api.rig.config.wait_for(|config| {
                let acme = config.tenant(&tenant())?;
                acme.suspended.is_none().then_some(acme)
            }),
        )
        .await;
        assert_eq!(acme.salesforce.org_id.as_deref(), Some(ANSWERS));
        let imports = soon(
            "the import",
            api.rig
                .config
                .wait_for(|_| Some(read_again(&api)).filter(|found| !found.is_empty())),
        )
        .await;
        assert_eq!((imports.len(), imports[0].started_by.as_str()), (1, "user:ann"));
        if !pinned {
            assert_eq!(position(&api, "live", "vehicles").await, None);
            assert_eq!(position(&api, "adopting", "vehicles").await, Some(json!(ANSWERS)));
        }

        // A crash between the last import and the end of the account of it starts nothing twice.
        api.end_control();
        let decided = json!({
            "org_id": ANSWERS, "by": "user:ann", "from": "00D000000000009EAA",
            "began_ms": imports[0].started_ms, "adopted_ms": acme.salesforce.adopted_ms,
        });
        bucket.put_json(&key, &decided).await.unwrap();
        api.restart_control(Settings::default()).await;
        let done = async {
            while bucket.get(&key).await.unwrap().is_some() {
                tokio::task::yield_now().await;
            }
        };
        soon("the end of the account", done).await;
        assert_eq!(read_again(&api), imports);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnected_side_loses_its_secrets_and_the_right_org_sets_the_tenant_going() {
    let api = Api::new().await;
    activate(&api).await;
    let admin = api.in_acme(Role::Admin).await;
    let secrets = api.rig.hub.bus().kv(Bucket::Secrets);
    let place = |side: Side| Key::new(["acme", side.as_str()]);
    for side in [Side::Salesforce, Side::HubSpot] {
        secrets.put_json(&place(side), &json!("sealed")).await.unwrap();
    }
    let path = format!("{ACME}/disconnect");
    let wanted = json!({ "side": "salesforce" });
    api.send(Method::POST, &path, &admin, &[], Some(&wanted))
        .await
        .expect(204);
    assert!(secrets.get(&place(Side::Salesforce)).await.unwrap().is_none());
    assert!(
        secrets.get(&place(Side::HubSpot)).await.unwrap().is_some(),
        "the other side keeps its own"
    );
    let stands = api
        .rig
        .config
        .wait_for(|config| config.tenant(&tenant())?.suspended.clone());
    let reason = soon("the standstill", stands).await;
    assert!(reason.starts_with("Salesforce was disconnected by "), "{reason}");
    let sync = api.rig.config.sync(&tenant(), &sync_name()).unwrap();
    assert_eq!(
        sync.status,
        SyncStatus::Active,
        "it is the tenant that stands still"
    );

    // The stand-ins answer as the sides that the tenant was set up for.
    let test = format!("{ACME}/connections/test");
    api.send(Method::POST, &test, &admin, &[], None).await.expect(200);
    let goes_on = api.rig.config.wait_for(|config| {
        config
            .tenant(&tenant())
            .filter(|tenant| tenant.suspended.is_none())
    });
    soon("that it goes on", goes_on).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_which_org_answers_and_what_adopting_means() {
    let api = Api::new().await;
    activate(&api).await;
    suspend(&api, "00D000000000009EAA").await;
    let visitor = Visitor::new(&api, "ann", vec![Grant::of(Role::Admin, tenant())]).await;
    visitor
        .get("/tenants/acme")
        .await
        .expect(200)
        .says(&["This tenant stands still", "/tenants/acme/identity"]);
    visitor.get("/tenants/acme/identity").await.expect(200).says(&[
        "00D000000000009EAA",
        ANSWERS,
        "1 active sync is imported again",
        "held under Sync health",
        "Disconnect Salesforce",
    ]);
    visitor
        .post_through("/tenants/acme/identity/adopt", &[("org", ANSWERS)])
        .await
        .says(&["The tenant reads the org 00D000000000001EAA now"]);
    let operator = Visitor::new(&api, "bob", vec![Grant::of(Role::Operator, tenant())]).await;
    operator.get("/tenants/acme/identity").await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_in_the_schema_is_listed_and_followed() {
    let api = Api::new().await;
    activate(&api).await;
    let viewer = api.in_acme(Role::Viewer).await;
    let path = format!("{ACME}/syncs/vehicles/schema-events");
    assert_eq!(
        api.get(&path, &viewer).await.expect(200).json(),
        json!({ "version": 0, "events": [] })
    );
    let event = |version, text: &str| SchemaEvent {
        version,
        revision: Revision(1),
        at_ms: 1_767_225_600_000,
        object: "Vehicle__c".to_owned(),
        field: Some("Name".to_owned()),
        change: SchemaChange::FormulaChanged,
        consequence: Consequence::BackFill,
        text: text.to_owned(),
        resolves: false,
    };
    let record = SchemaRecord {
        version: 2,
        looked_ms: 1_767_225_700_000,
        events: vec![event(1, "the first"), event(2, "the second")],
        ..SchemaRecord::default()
    };
    let bucket = api.rig.hub.bus().kv(Bucket::Checkpoints);
    bucket
        .put_json(&Key::new(["schema", "acme", "vehicles"]), &record)
        .await
        .unwrap();
    let listed = api.get(&path, &viewer).await.expect(200).json();
    assert_eq!(listed["events"][0]["text"], "the second", "{listed}");
    assert_eq!(listed["events"][0]["consequence"], "back-fill");
    let visitor = Visitor::new(&api, "ann", vec![Grant::of(Role::Viewer, tenant())]).await;
    let page = visitor.get("/tenants/acme/syncs/vehicles").await.expect(200);
    page.says(&["Changes in Salesforce", "the second", "read all records again"]);

    let follow = |back_fill| FollowSchema {
        sync: sync_name(),
        version: 2,
        back_fill,
    };
    let resolved = api.rig.ask(&follow(false)).await.unwrap();
    assert_eq!((resolved.problems.len(), resolved.import), (0, None));
    let followed = api.rig.ask(&follow(true)).await.unwrap();
    let id = followed.import.expect("an import was started");
    let import = soon(
        "the import",
        api.rig.config.wait_for(|config| config.import(&tenant(), &id)),
    )
    .await;
    assert!(import.overwrite);
    assert_eq!(import.started_by, "landbridge: version 2 of the schema");
    let who: Vec<String> = api
        .audit()
        .await
        .into_iter()
        .filter(|(_, action, _)| action == "sync.schema-followed")
        .map(|(who, ..)| who)
        .collect();
    assert_eq!(who, ["landbridge", "landbridge"]);
}
