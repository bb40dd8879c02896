//! A revision is undone: its plan, its imports, its definition, whatever becomes of control meanwhile.

use axum::http::Method;
use landbridge_control::Settings;
use landbridge_control::service::{Grant, Role};
use landbridge_model::{Outcome, RecordOutcome, Revision, RunId, Source, StageKind, TenantId};
use landbridge_wire::{Report, ReportBody, RunPhase, RunProgress};
use serde_json::{Value, json};

use crate::api::{Answer, Api, Proof};
use crate::console::Visitor;
use crate::rig::{VEHICLES, definition, id, soon, tenant, version};

const SYNC: &str = "/api/v1/tenants/acme/syncs/vehicles";
const UNDO: &str = "/api/v1/tenants/acme/syncs/vehicles/revisions/2/undo";

fn edited() -> Value {
    let both = "{ from: Name, to: name }, { from: Name, to: other }";
    serde_json::to_value(definition(&VEHICLES.replace("{ from: Name, to: name }", both))).unwrap()
}

async fn put(api: &Api, proof: &Proof, body: &Value) -> Answer {
    let tag = api.get(SYNC, proof).await.expect(200).header("etag");
    api.send(Method::PUT, SYNC, proof, &[("if-match", &tag)], Some(body))
        .await
}

/// A running sync that was edited once.
async fn edited_once(api: &Api, operator: &Proof) {
    api.rig.apply(VEHICLES).await;
    let activate = format!("{SYNC}/activate");
    api.send(Method::POST, &activate, operator, &[], None)
        .await
        .expect(200);
    put(api, operator, &edited()).await.expect(200);
}

/// A back-fill that keeps what was there before it, and has ended.
async fn back_fill(api: &Api, operator: &Proof) -> String {
    let body = json!({"syncs": ["vehicles"], "back_fill": true, "keep_before": true});
    let started = api.post("/api/v1/tenants/acme/imports", operator, &body).await;
    let import = started.expect(201).json()[0]["id"].as_str().unwrap().to_owned();
    let ended = ReportBody::Progress(RunProgress {
        phase: RunPhase::Ended,
        salesforce_total: Some(0),
        rows: 0,
        reason: None,
    });
    let run = RunId::new(&import).unwrap();
    api.rig
        .report(StageKind::Extractor, Source::Import, Some(&run), ended)
        .await;
    import
}

/// Something that was changed while the second revision ran.
async fn live_change(api: &Api) {
    let mut envelope = api.rig.envelope(Source::Increment, None);
    envelope.revision = Revision(2);
    let body = ReportBody::Records(vec![RecordOutcome {
        id: id(1),
        version: version(1),
        outcome: Outcome::Updated,
        hubspot_id: None,
        failure: None,
    }]);
    let report = Report {
        envelope,
        stage: StageKind::Loader,
        at_ms: api.rig.hub.now_ms(),
        org_ahead_ms: 0,
        body,
    };
    api.rig.hub.report(&report).await.unwrap();
}

async fn undo(api: &Api, proof: &Proof, tag: &str) -> Answer {
    api.send(Method::POST, UNDO, proof, &[("if-match", tag)], None)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_undone_with_its_imports_through_the_loss_of_control() {
    let mut api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    let editor = api.in_acme(Role::Editor).await;
    let stranger = api.stranger().await;
    edited_once(&api, &operator).await;
    let import = back_fill(&api, &operator).await;
    live_change(&api).await;

    let found = api.get(UNDO, &operator).await.expect(200);
    let tag = found.header("etag");
    let plan = found.json()["plan"].clone();
    assert_eq!(plan["back_to"], 1);
    assert_eq!(
        (&plan["imports"][0]["id"], &plan["imports"][0]["fate"]),
        (&json!(import), &json!("undo"))
    );
    assert_eq!(plan["imports"][0]["back_fill"], true);
    assert_eq!(plan["live"], json!({"records": 1, "links": 0}));
    assert_eq!(plan["stays"], json!(["other"]));
    assert_eq!(plan.get("obstacle"), None, "{plan}");
    let lines = plan["lines"].as_array().unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.as_str().unwrap().starts_with('-') && line.as_str().unwrap().contains("other"))
    );

    api.send(Method::POST, UNDO, &operator, &[], None)
        .await
        .expect(428);
    undo(&api, &operator, "\"0123\"").await.expect(412);
    undo(&api, &editor, &tag).await.expect(403);
    undo(&api, &stranger, &tag).await.expect(404);
    assert!(api.rig.world.lock().unwrap().undone.is_empty());

    api.rig.world.lock().unwrap().undo_waits = true;
    let begun = undo(&api, &operator, &tag).await.expect(200).json();
    assert_eq!(begun.get("plan"), None, "{begun}");
    assert_eq!(begun["undo"]["imports"], json!([import]));
    assert_eq!(begun["undo"].get("ended_ms"), None);
    soon("that the loader is asked", async {
        while api.rig.world.lock().unwrap().undone.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let stands = api.get(SYNC, &operator).await.expect(200).json();
    assert_eq!(
        (&stands["status"], &stands["revision"]),
        (&json!("paused"), &json!(2))
    );
    // Nothing that would change what it goes back to, or what it puts back.
    let refused = [
        put(
            &api,
            &operator,
            &serde_json::to_value(definition(VEHICLES)).unwrap(),
        )
        .await,
        api.send(Method::POST, &format!("{SYNC}/activate"), &operator, &[], None)
            .await,
        api.post(
            "/api/v1/tenants/acme/imports",
            &operator,
            &json!({"syncs": ["vehicles"]}),
        )
        .await,
    ];
    for answer in refused {
        assert!(answer.expect(422).text.contains("being undone"));
    }

    api.restart_control(Settings::default()).await;
    api.rig.world.lock().unwrap().undo_waits = false;
    let ended = soon("that it is undone", async {
        loop {
            let found = api.get(UNDO, &operator).await.expect(200).json();
            if found["undo"]["ended_ms"].is_i64() {
                return found;
            }
        }
    })
    .await;
    assert_eq!(ended["undo"]["made"], 3, "{ended}");
    assert_eq!(ended["undo"]["live"]["records"], 1, "{ended}");
    let stands = api.get(SYNC, &operator).await.expect(200).json();
    assert_eq!(
        stands["definition"],
        serde_json::to_value(definition(VEHICLES)).unwrap()
    );
    assert_eq!(
        (&stands["status"], &stands["revision"]),
        (&json!("paused"), &json!(3))
    );
    assert!(
        stands["reason"].as_str().unwrap().contains("r2 is undone"),
        "{stands}"
    );

    // Again is the same answer, and nothing more.
    let again = undo(&api, &operator, &tag).await.expect(200).json();
    assert_eq!(again["undo"], ended["undo"]);
    let log = api.audit().await;
    let entries = log
        .iter()
        .filter(|(_, action, _)| action == "sync.revision-undone");
    assert_eq!(entries.count(), 1, "{log:?}");
    api.send(Method::POST, &format!("{SYNC}/activate"), &operator, &[], None)
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_imports_it_is_a_new_revision_and_the_sync_runs_on() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    let editor = api.in_acme(Role::Editor).await;
    edited_once(&api, &operator).await;
    let revision = |number: u32| format!("{SYNC}/revisions/{number}/undo");
    assert_eq!(api.get(&revision(1), &editor).await.expect(422).kind(), "invalid");
    assert_eq!(
        api.get(&revision(9), &editor).await.expect(404).kind(),
        "not-found"
    );
    api.get(&format!("{SYNC}/revisions/x/undo"), &editor)
        .await
        .expect(404);

    let tag = api.get(UNDO, &editor).await.expect(200).header("etag");
    let undone = undo(&api, &editor, &tag).await.expect(200);
    let told = undone.json();
    assert_eq!(
        (&told["undo"]["made"], &told["undo"]["imports"]),
        (&json!(3), &json!([]))
    );
    let stands = api.get(SYNC, &editor).await.expect(200).json();
    assert_eq!(
        (&stands["status"], &stands["revision"]),
        (&json!("active"), &json!(3))
    );
    assert_eq!(
        stands["definition"],
        serde_json::to_value(definition(VEHICLES)).unwrap()
    );

    // An undo is a revision like any other.
    let third = revision(3);
    let tag = api.get(&third, &editor).await.expect(200).header("etag");
    api.send(Method::POST, &third, &editor, &[("if-match", &tag)], None)
        .await
        .expect(200);
    let stands = api.get(SYNC, &editor).await.expect(200).json();
    assert_eq!(
        (&stands["revision"], &stands["definition"]),
        (&json!(4), &edited())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_the_plan_and_then_the_account() {
    let api = Api::new().await;
    let operator = api.in_acme(Role::Operator).await;
    edited_once(&api, &operator).await;
    let visitor = Visitor::new(&api, "ann", vec![Grant::of(Role::Editor, tenant())]).await;
    let viewer = Visitor::new(&api, "ben", vec![Grant::of(Role::Viewer, tenant())]).await;
    let globex = TenantId::new("globex").unwrap();
    let stranger = Visitor::new(&api, "eve", vec![Grant::of(Role::Admin, globex)]).await;
    let sync = "/tenants/acme/syncs/vehicles";
    let page = format!("{sync}/revisions/2/undo");
    visitor.get(sync).await.expect(200).says(&[&page]);
    viewer.get(sync).await.expect(200).without(&[&page]);
    stranger.get(&page).await.expect(404);
    stranger.post(&page, &[]).await.expect(404);
    viewer.post(&page, &[]).await.expect(403);
    viewer
        .get(&page)
        .await
        .expect(200)
        .says(&["goes back to r1", "An editor can undo it"]);
    visitor.get(&format!("{sync}/revisions/9/undo")).await.expect(404);

    let shown = visitor.get(&page).await.expect(200);
    let shown = shown.says(&["goes back to r1", "other", "No import wrote under it", "Undo r2"]);
    let (_, etag) = shown.text.split_once("name=\"etag\" value=\"").unwrap();
    let etag = etag.split('"').next().unwrap();
    visitor
        .post_through(&page, &[("etag", "another")])
        .await
        .says(&["was changed since"]);
    visitor
        .post_through(&page, &[("etag", etag)])
        .await
        .says(&["The revision is undone.", "r3 has the definition of r1"]);
    visitor
        .get(sync)
        .await
        .expect(200)
        .says(&["r2 is undone.", "Undone"]);
}
