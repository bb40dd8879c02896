//! A sync is removed with what it wrote: it stands still, its deletes are held page by page, and it goes when none is held
//! any more, whatever becomes of control meanwhile.

use axum::http::Method;
use landbridge_control::Settings;
use landbridge_control::service::{Grant, Role};
use landbridge_model::config::{Sync, SyncStatus};
use landbridge_wire::AskError;

use crate::api::Api;
use crate::console::Visitor;
use crate::rig::{VEHICLES, definition, id, soon, sync_name, tenant};

const SYNC: &str = "/api/v1/tenants/acme/syncs/vehicles";

async fn running(api: &Api) {
    api.rig.apply(VEHICLES).await;
    let operator = api.in_acme(Role::Operator).await;
    let activate = format!("{SYNC}/activate");
    api.send(Method::POST, &activate, &operator, &[], None)
        .await
        .expect(200);
    let config = &api.rig.config;
    let active = config.wait_for(|config| {
        let sync = config.sync(&tenant(), &sync_name())?;
        (sync.status == SyncStatus::Active).then_some(())
    });
    soon("that it runs", active).await;
}

async fn gone(api: &Api) {
    let config = &api.rig.config;
    let gone = config.wait_for(|config| config.sync(&tenant(), &sync_name()).is_none().then_some(()));
    soon("that the sync is gone", gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_goes_when_none_of_its_deletes_is_held_any_more() {
    let mut api = Api::new().await;
    running(&api).await;
    // One of its deletes waits for a person.
    api.rig.hub.hold(&api.rig.held(3, None)).await.unwrap();
    let editor = api.in_acme(Role::Editor).await;
    let operator = api.in_acme(Role::Operator).await;
    let path = format!("{SYNC}?records=delete");
    api.delete_seen(&path, &editor).await.expect(403);
    api.delete_seen(&format!("{SYNC}?records=burn"), &operator)
        .await
        .expect(400);
    api.delete_seen(&path, &operator).await.expect(202);
    soon("both pages", async {
        while api.rig.world.lock().unwrap().held_pages.len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let pages: Vec<Option<String>> = {
        let world = api.rig.world.lock().unwrap();
        world.held_pages.iter().map(|page| page.after.clone()).collect()
    };
    assert_eq!(pages, [None, Some("1".to_owned())]);
    let stands = api.get(SYNC, &operator).await.expect(200).json();
    assert_eq!(stands["status"], "paused");
    assert!(stands["reason"].as_str().unwrap().contains("being deleted"));
    for act in ["activate", "pause"] {
        let path = format!("{SYNC}/{act}");
        let answer = api.send(Method::POST, &path, &operator, &[], None).await;
        assert_eq!(answer.status.is_success(), act == "pause", "{}", answer.text);
    }
    let import = serde_json::json!({"syncs": ["vehicles"]});
    let refused = api.post("/api/v1/tenants/acme/imports", &operator, &import).await;
    refused.expect(422);

    api.restart_control(Settings::default()).await;
    api.rig
        .hub
        .release_held(&tenant(), &sync_name(), id(3))
        .await
        .unwrap();
    gone(&api).await;
    assert_eq!(
        api.rig.world.lock().unwrap().held_pages.len(),
        2,
        "a page was held twice"
    );
    let log = api.audit().await;
    assert!(
        log.iter()
            .any(|(_, action, _)| action == "sync.removed-with-records"),
        "{log:?}"
    );
    // It can be made anew.
    running(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_apart_is_not_deleted() {
    let api = Api::new().await;
    running(&api).await;
    // Another object's records go to the same type.
    let text = VEHICLES.replace("name: vehicles }", "name: twins }");
    let twins = definition(&text.replace("Vehicle__c", "Truck__c"));
    let stored = api.rig.config.sync(&tenant(), &sync_name()).unwrap();
    let twin = Sync {
        definition: twins.clone(),
        ..(*stored).clone()
    };
    let key = twins.key();
    let made = api
        .rig
        .config
        .change_sync(&key, |_| Ok::<_, AskError>(Some(twin.clone())));
    made.await.unwrap().unwrap();
    let seen = api
        .rig
        .config
        .wait_for(|config| config.sync(&key.tenant, &key.name));
    soon("the other sync", seen).await;
    let operator = api.in_acme(Role::Operator).await;
    let refused = api
        .delete_seen(&format!("{SYNC}?records=delete"), &operator)
        .await
        .expect(422);
    assert!(refused.text.contains("twins"), "{}", refused.text);
    let stands = api.get(SYNC, &operator).await.expect(200).json();
    assert_eq!(stands["status"], "active");
    // Keeping what it wrote is always possible.
    api.delete_seen(SYNC, &operator).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_asks_whether_records_are_kept() {
    let api = Api::new().await;
    running(&api).await;
    let page = "/tenants/acme/syncs/vehicles/delete";
    let operator = Visitor::new(&api, "ann", vec![Grant::of(Role::Operator, tenant())]).await;
    let editor = Visitor::new(&api, "ben", vec![Grant::of(Role::Editor, tenant())]).await;
    let shown = operator.get(page).await.expect(200);
    let shown = shown.says(&["Keep them", "Delete them"]);
    let (_, etag) = shown.text.split_once("name=\"etag\" value=\"").unwrap();
    let etag = etag.split('"').next().unwrap();
    let fields = [("etag", etag), ("confirm", "vehicles"), ("records", "delete")];
    editor.post(page, &fields).await.expect(403);
    let led = operator.post(page, &fields).await;
    assert_eq!(led.leads_to(), "/tenants/acme/health");
    gone(&api).await;
}
