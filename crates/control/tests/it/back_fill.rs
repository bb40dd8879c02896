//! An edit tells what it touches of records that were written before, and the sync's page offers to fill it.

use axum::http::Method;
use landbridge_control::service::{Grant, Role};
use landbridge_model::config::Import;
use landbridge_model::{Revision, TenantId};
use serde_json::json;

use crate::api::{Answer, Api, Proof};
use crate::console::Visitor;
use crate::rig::{VEHICLES, definition, soon, sync_name, tenant};

const SYNC: &str = "/api/v1/tenants/acme/syncs/vehicles";
const PAGE: &str = "/tenants/acme/syncs/vehicles";

/// The sync with these fields, over what is there.
async fn put(api: &Api, proof: &Proof, fields: &str) -> Answer {
    let text = VEHICLES.replace("{ from: Name, to: name }", fields);
    let tag = api.get(SYNC, proof).await.expect(200).header("etag");
    let body = serde_json::to_value(definition(&text)).unwrap();
    api.send(Method::PUT, SYNC, proof, &[("if-match", &tag)], Some(&body))
        .await
        .expect(200)
}

async fn newest_import(api: &Api, revision: u32) -> std::sync::Arc<Import> {
    let import = api.rig.config.wait_for(|config| {
        let mut imports = config.imports(&tenant()).into_iter();
        imports.find(|import| import.sync == sync_name() && import.revision == Revision(revision))
    });
    soon("the import", import).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_edit_touches_is_told_and_filled_or_left() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let operator = api.in_acme(Role::Operator).await;
    let visitor = Visitor::new(&api, "ann", vec![Grant::of(Role::Operator, tenant())]).await;
    let (one, two) = (
        "{ from: Name, to: name }",
        "{ from: Name, to: name }, { from: Name, to: other }",
    );
    // A draft has written nothing.
    let put_draft = put(&api, &operator, two).await.json();
    assert_eq!(put_draft.get("touched_properties"), None, "{put_draft}");
    put(&api, &operator, one).await;
    let activate = format!("{SYNC}/activate");
    api.send(Method::POST, &activate, &operator, &[], None)
        .await
        .expect(200);
    visitor.get(PAGE).await.expect(200).without(&["Back-fill"]);

    let touched = put(&api, &operator, two).await.json();
    assert_eq!(touched["touched_properties"], json!(["other"]));
    visitor.get(PAGE).await.expect(200).says(&[
        "Back-fill this property",
        "<code>other</code>",
        "writes only these",
        // As the stand-ins count and reckon.
        "7 records, at most 1 call to HubSpot, about",
    ]);
    visitor
        .post_through(&format!("{PAGE}/back-fill/dismiss"), &[])
        .await
        .says(&["stay as they are"])
        .without(&["Back-fill this property"]);

    let both = "{ from: Price__c, to: name }, { from: Name, to: other }";
    put(&api, &operator, both).await;
    visitor
        .get(PAGE)
        .await
        .says(&["Back-fill this property", "<code>name</code>"]);
    let started = visitor.post(&format!("{PAGE}/back-fill"), &[]).await;
    let import = newest_import(&api, 5).await;
    assert!(!import.overwrite, "other properties are left alone");
    let part = import.only.clone().expect("a back-fill has a part");
    assert_eq!(
        (part.properties.as_slice(), part.lookups.as_slice()),
        (&["name".to_owned()][..], &[][..])
    );
    assert_eq!(started.leads_to(), format!("/tenants/acme/imports/{}", import.id));
    visitor
        .get(PAGE)
        .await
        .expect(200)
        .without(&["Back-fill this property"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filling_is_closed_to_those_who_may_not_import() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let editor = Visitor::new(&api, "ben", vec![Grant::of(Role::Editor, tenant())]).await;
    let globex = TenantId::new("globex").unwrap();
    let stranger = Visitor::new(&api, "eve", vec![Grant::of(Role::Admin, globex)]).await;
    for part in ["back-fill", "back-fill/dismiss"] {
        let path = format!("{PAGE}/{part}");
        editor.post(&path, &[]).await.expect(403);
        stranger.post(&path, &[]).await.expect(404);
    }
    assert!(api.rig.config.imports(&tenant()).is_empty());
}
