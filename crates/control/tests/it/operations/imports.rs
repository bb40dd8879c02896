//! Imports, and undoing them.

use landbridge_model::before::{LeftValue, UndoneImage};
use landbridge_model::{Failure, FailureCategory, ImportId, RunId, Source, StageKind, SyncKey};
use landbridge_wire::{FailedRecord, ReportBody, RunPhase, RunProgress};
use serde_json::json;

use super::{Entry, World, ask, body, entry, query};
use crate::api::{Answer, Api};
use crate::rig::{VEHICLES, id, soon, sync_name, tenant, version};

#[tokio::test(flavor = "multi_thread")]
async fn imports_are_started_stopped_and_undone() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let mut world = World::new(api).await;
    let import = an_import_that_has_ended(&world).await;
    world.keep("import", import.as_str());
    world.run(entries()).await;
}

/// One that kept what was there before it, and of which a record is still refused.
async fn an_import_that_has_ended(world: &World) -> ImportId {
    let (api, path) = (&world.api, "/api/v1/tenants/acme/imports");
    let wanted = json!({"syncs": ["vehicles"], "keep_before": true});
    let started = api.post(path, &world.admin, &wanted).await.expect(201).json();
    let import: ImportId = serde_json::from_value(started[0]["id"].clone()).unwrap();
    let run = RunId::from(&import);
    let failed = FailedRecord {
        envelope: api.rig.envelope(Source::Import, Some(&run)),
        id: id(1),
        version: version(1),
        stage: StageKind::Mapper,
        failure: Failure::new(FailureCategory::PicklistOption, "there is no such option"),
        at_ms: 1,
        attempts: 1,
        link_field: None,
        write: None,
        retry: false,
    };
    api.rig.hub.remember_failure(&failed).await.unwrap();
    let ended = RunProgress {
        phase: RunPhase::Ended,
        salesforce_total: Some(0),
        rows: 0,
        reason: None,
    };
    let ended = ReportBody::Progress(ended);
    api.rig
        .report(StageKind::Extractor, Source::Import, Some(&run), ended)
        .await;
    soon("the end of the import", async {
        let path = format!("{path}/{import}");
        while api.get(&path, &world.admin).await.expect(200).json()["ended_ms"].is_null() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // What an undo left, as the loader puts it down.
    let left = LeftValue {
        id: id(2),
        hubspot_id: None,
        property: "price".to_owned(),
        now: Some("=1+1".to_owned()),
        before: Some("10".to_owned()),
        reason: "it was edited since".to_owned(),
    };
    let undone = UndoneImage {
        left: vec![left],
        ..UndoneImage::default()
    };
    let sync = SyncKey {
        tenant: tenant(),
        name: sync_name(),
    };
    api.rig
        .hub
        .put_undone(&sync, &run, "image", &[undone])
        .await
        .unwrap();
    import
}

fn no_import() -> super::Ask {
    ask().at("import", "imp-none")
}

pub(super) fn entries() -> Vec<Entry> {
    let syncs = |names: &[&str]| body(json!({"syncs": names}));
    let running = || ask().at("import", "{running}");
    vec![
        entry("count_imports", syncs(&["vehicles"]), 200, |answer| {
            assert_eq!(answer.json()["total"], 7);
        })
        .refuses(syncs(&["nope"]), 404)
        .refuses(body(json!({"sync": "vehicles"})), 422),
        entry("get_import_errors", ask(), 200, |answer| {
            let rows: Vec<&str> = answer.text.lines().collect();
            assert_eq!(rows.len(), 2, "{}", answer.text);
            assert!(rows[1].contains(id(1).as_str()) && rows[1].contains("there is no such option"));
            assert!(answer.header("content-disposition").contains("-errors.csv"));
        })
        .refuses(no_import(), 404),
        entry("undo_import", ask(), 200, |answer| {
            assert!(answer.json()["id"].is_string(), "{}", answer.text);
        })
        .refuses(no_import(), 404),
        entry("get_import", ask(), 200, |answer| {
            let undo = answer.json()["undo"].clone();
            assert_eq!(undo["counts"]["left"], 1, "{undo}");
        })
        .until(|answer| answer.json()["undo"]["ended_ms"].is_i64())
        .refuses(no_import(), 404),
        entry("list_left", query("?limit=1"), 200, |answer| {
            let left = answer.json()["items"][0].clone();
            assert_eq!(
                (&left["property"], &left["before"]),
                (&json!("price"), &json!("10"))
            );
        })
        .refuses(no_import(), 404)
        .refuses(query("?limit=0"), 422),
        entry("get_left_file", ask(), 200, |answer: &Answer| {
            let rows: Vec<&str> = answer.text.lines().collect();
            assert_eq!(rows.len(), 2, "{}", answer.text);
            assert!(
                rows[1].contains("'=1+1"),
                "a spreadsheet takes that for a formula: {}",
                rows[1]
            );
        })
        .refuses(no_import(), 404),
        entry("start_imports", syncs(&["vehicles"]), 201, |answer| {
            assert_eq!(answer.json()[0]["sync"], "vehicles");
        })
        .keeps("running", |answer| answer.json()[0]["id"].clone())
        .refuses(syncs(&[]), 422)
        .refuses(syncs(&["nope"]), 404)
        .refuses(
            body(json!({"syncs": ["vehicles"], "overwrite": true, "back_fill": true})),
            422,
        ),
        entry("list_imports", query("?limit=1"), 200, |answer| {
            let page = answer.json();
            assert_eq!(page["items"].as_array().unwrap().len(), 1);
            assert!(page["next"].is_string(), "there is the first as well: {page}");
        })
        .refuses(query("?cursor=made-up"), 422),
        entry("pause_import", running(), 200, |answer| {
            assert_eq!(answer.json()["state"], "Paused")
        })
        .refuses(no_import(), 404),
        entry("resume_import", running(), 200, |answer| {
            assert_eq!(answer.json()["state"], "Queued")
        })
        .refuses(no_import(), 404),
        entry("cancel_import", running(), 200, |answer| {
            assert!(answer.json()["id"].is_string(), "{}", answer.text);
        })
        .refuses(no_import(), 404),
    ]
}
