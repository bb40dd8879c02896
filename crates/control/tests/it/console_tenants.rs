//! Pages of tenants and of their syncs: what they show, what their forms do, who may.

use landbridge_bus::seal::{KeyPair, publish_key};
use landbridge_bus::{Bucket, Key};
use landbridge_control::Settings;
use landbridge_control::service::{Grant, Role};
use landbridge_model::config::HubSpotCredentials;
use landbridge_model::{Failure, FailureCategory, Outcome, RecordOutcome, Source, StageKind};
use landbridge_stage::{SecretOpener, Side};
use landbridge_wire::{FailedRecord, ReportBody};

use crate::api::Api;
use crate::console::Visitor;
use crate::rig::{VEHICLES, definition, id, soon, sync_name, tenant, version};

async fn admin(api: &Api) -> Visitor {
    Visitor::new(api, "ann", vec![Grant::everywhere(Role::Admin)]).await
}

async fn in_acme(api: &Api, name: &str, role: Role) -> Visitor {
    Visitor::new(api, name, vec![Grant::of(role, tenant())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tenants_are_shown_as_they_stand() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let ann = admin(&api).await;
    // The workers are asked in the background: a page says so until they have answered.
    let page = soon("that the workers have answered", async {
        loop {
            let page = ann.get("/").await.expect(200);
            if !page.text.contains("Its workers are being asked.") {
                return page;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    page.says(&[
        "acme",
        "globex",
        "Add a tenant",
        "0<span class=\"quiet\"> of 1</span>",
    ]);
    ann.get("/?q=glob")
        .await
        .expect(200)
        .says(&["/tenants/globex"])
        .without(&["/tenants/acme"]);
    ann.get("/?q=nowhere")
        .await
        .expect(200)
        .says(&["No tenant matches"]);
    ann.get("/?health=stopped")
        .await
        .expect(200)
        .says(&["No tenant matches"]);
    let bob = in_acme(&api, "bob", Role::Admin).await;
    bob.get("/")
        .await
        .expect(200)
        .says(&["/tenants/acme"])
        .without(&["globex", "Add a tenant"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_added_and_both_sides_are_connected() {
    let api = Api::new().await;
    let ann = admin(&api).await;
    ann.get("/tenants/new")
        .await
        .expect(200)
        .says(&["Add a tenant", "https://api.hubapi.com"]);
    let wrong = [
        ("tenant", "New Tenant"),
        ("salesforce", "acme"),
        ("hubspot", "http://api.hubapi.com"),
    ];
    ann.post("/tenants/new", &wrong).await.expect(422).says(&[
        "3 things to put right",
        "New Tenant",
        "Write https",
    ]);
    let taken = [
        ("tenant", "acme"),
        ("salesforce", "https://a.example"),
        ("hubspot", "https://b.example"),
    ];
    ann.post("/tenants/new", &taken)
        .await
        .expect(422)
        .says(&["There is a tenant acme already"]);
    let wanted = [
        ("tenant", "new-one"),
        ("salesforce", "http://127.0.0.1:1"),
        ("hubspot", "http://127.0.0.1:2"),
    ];
    let form = ann.post_through("/tenants/new", &wanted).await;
    form.says(&["new-one is added", "Consumer key", "http://127.0.0.1:1"]);
    ann.get("/tenants/new-one")
        .await
        .expect(200)
        .says(&["Not connected yet", "Connect both sides first"]);

    let (extractor, loader) = (KeyPair::generate(), KeyPair::generate());
    let bus = api.rig.hub.bus();
    publish_key(bus, StageKind::Extractor, &extractor.public())
        .await
        .unwrap();
    publish_key(bus, StageKind::Loader, &loader.public())
        .await
        .unwrap();
    let salesforce = "/tenants/new-one/connections/salesforce";
    let half = [
        ("address", "http://127.0.0.1:1"),
        ("flow", "client-credentials"),
        ("clientId", "the-key"),
    ];
    ann.post(salesforce, &half)
        .await
        .expect(422)
        .says(&["The consumer secret is missing", "the-key"]);
    let whole = [
        ("address", "http://127.0.0.1:1"),
        ("flow", "client-credentials"),
        ("clientId", "the-key"),
        ("clientSecret", "hush-hush"),
        ("action", "save"),
    ];
    let next = ann.post_through(salesforce, &whole).await;
    next.says(&[
        "Salesforce works: signed in to org 00D000000000001EAA",
        "Service key",
    ])
    .without(&["hush-hush"]);
    let token = [
        ("address", "http://127.0.0.1:2"),
        ("flow", "service-key"),
        ("token", "pat-hush"),
    ];
    let page = ann
        .post_through("/tenants/new-one/connections/hubspot", &token)
        .await;
    page.says(&[
        "HubSpot works: signed in to portal 42",
        "Sync custom object",
        "No object is synced yet",
        // What each side says of itself: an org has a name, a portal none.
        "Acme Rentals",
        "app-eu1.hubspot.com",
        "eu1",
    ])
    .without(&["pat-hush"]);

    let stored = ann.get(salesforce).await.expect(200);
    stored
        .says(&[
            "Credentials are stored",
            "org 00D000000000001EAA",
            "Test what is stored",
        ])
        .without(&["hush-hush", "the-key"]);
    let moved = [("address", "http://127.0.0.1:9"), ("flow", "client-credentials")];
    ann.post(salesforce, &moved)
        .await
        .expect(422)
        .says(&["credentials"]);
    let tested = ann.post_through(salesforce, &[("action", "test")]).await;
    tested.says(&["Salesforce works"]);
    ann.get("/tenants/new-one/connections/pipedrive")
        .await
        .expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_side_is_connected_by_signing_in_there() {
    // Sessions stay as they are on this machine.
    let api = Api::with(Settings {
        public_url: Some("http://landbridge.acme.example/".to_owned()),
        ..Settings::default()
    })
    .await;
    let (ann, bob) = (
        in_acme(&api, "ann", Role::Admin).await,
        in_acme(&api, "bob", Role::Admin).await,
    );
    let loader = KeyPair::generate();
    let bus = api.rig.hub.bus();
    publish_key(bus, StageKind::Loader, &loader.public())
        .await
        .unwrap();
    let form = "/tenants/acme/connections/hubspot";
    ann.get(&format!("{form}?flow=oauth")).await.expect(200).says(&[
        "Client secret",
        "/oauth/callback",
        "crm.objects.custom.write",
    ]);
    let half = [
        ("address", "https://api.hubapi.com"),
        ("flow", "oauth"),
        ("clientId", "7"),
    ];
    ann.post(form, &half)
        .await
        .expect(422)
        .says(&["secret is missing"]);
    let whole = [
        ("address", "https://api.hubapi.com"),
        ("flow", "oauth"),
        ("clientId", "7"),
        ("clientSecret", "hush-hush"),
    ];
    let begin = async || {
        let page = ann.post(form, &whole).await.expect(200);
        let page = page.says(&["Continue to HubSpot"]).without(&["hush-hush"]);
        let at = page
            .text
            .find("https://app.hubspot.com/oauth/authorize?")
            .unwrap();
        let link = page.text[at..].split('"').next().unwrap().replace("&amp;", "&");
        let link = url::Url::parse(&link).unwrap();
        let state = link.query_pairs().find(|(name, _)| name == "state");
        state.unwrap().1.into_owned()
    };
    let state = begin().await;
    let back = format!("/oauth/callback?code=c0de&state={state}");
    bob.get(&back).await.expect(422).says(&["not begun by you"]);
    ann.get("/oauth/callback?error=access_denied&error_description=no+thanks")
        .await
        .expect(422)
        .says(&["no thanks"]);
    let led = ann.get(&back).await;
    let page = ann.get(led.leads_to()).await.expect(200);
    page.says(&["HubSpot works: signed in to portal 42"]);
    ann.get(&back).await.expect(422).says(&["begin anew"]);

    // What is stored can be opened by the loader alone, and the app within it too.
    let opener = SecretOpener::new(bus.clone(), Some(loader));
    let stored = opener
        .open::<HubSpotCredentials>(&tenant(), Side::HubSpot)
        .await
        .unwrap();
    let Some(HubSpotCredentials::AuthorizationCode {
        app,
        code,
        redirect_uri,
    }) = stored
    else {
        panic!("other credentials are stored");
    };
    assert_eq!(code, "c0de");
    assert!(redirect_uri.ends_with("/oauth/callback"), "{redirect_uri}");
    let app = opener.open_app(app).unwrap();
    assert_eq!(
        (app.client_id.as_str(), app.client_secret.as_str()),
        ("7", "hush-hush")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_syncs_tab_shows_its_account_and_revisions() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let ann = in_acme(&api, "ann", Role::Operator).await;
    let path = "/tenants/acme/syncs/vehicles";
    ann.get(path).await.expect(200).says(&[
        "Vehicle__c",
        "A draft.",
        "No change has been seen yet",
        "/syncs/vehicles/edit/mappings",
    ]);
    let changed = VEHICLES.replace(
        "{ from: Name, to: name }",
        "{ from: Name, to: name }, { from: Name, to: other }",
    );
    api.rig.apply(&changed).await;
    soon(
        "the second revision",
        api.rig.config.wait_for(|config| {
            let sync = config.sync(&tenant(), &sync_name())?;
            (sync.revision.0 == 2).then_some(())
        }),
    )
    .await;
    ann.get(&format!("{path}?revision=2")).await.expect(200).says(&[
        "From r1 to r2",
        "added",
        "+   - from: Name",
    ]);
    let file = ann.get(&format!("{path}/export")).await.expect(200);
    assert_eq!(file.headers["content-type"], "application/yaml");
    let disposition = file.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.contains("vehicles.yaml"), "{disposition}");
    assert_eq!(definition(&file.text), definition(&changed));

    let record = RecordOutcome {
        id: id(1),
        version: version(1),
        outcome: Outcome::Created,
        hubspot_id: None,
        failure: None,
    };
    api.rig
        .report(
            StageKind::Loader,
            Source::Increment,
            None,
            ReportBody::Records(vec![record]),
        )
        .await;
    let refused = Failure::new(FailureCategory::InvalidValue, "no number");
    let failed = FailedRecord {
        envelope: api.rig.envelope(Source::Increment, None),
        stage: StageKind::Mapper,
        id: id(2),
        version: version(2),
        failure: refused,
        at_ms: 0,
        attempts: 1,
        link_field: None,
        write: None,
        retry: false,
    };
    api.rig.hub.remember_failure(&failed).await.unwrap();
    soon("that both are counted", async {
        loop {
            let page = ann.get("/tenants/acme").await.expect(200);
            let tab = ann.get(path).await.expect(200);
            if page.text.contains("/failures?sync=vehicles")
                && tab.text.contains("<dt>created</dt><dd>1</dd>")
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    ann.get("/tenants/acme/syncs/nothing").await.expect(404);
    ann.get("/tenants/acme/syncs/No%20Name").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_is_paused_resumed_copied_and_deleted() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let ann = in_acme(&api, "ann", Role::Operator).await;
    let path = "/tenants/acme/syncs/vehicles";
    let part = |what: &str| format!("{path}/{what}");
    ann.post_through(&part("resume"), &[])
        .await
        .says(&["never turned on"]);
    let operator = api.in_acme(Role::Operator).await;
    api.send(
        axum::http::Method::POST,
        "/api/v1/tenants/acme/syncs/vehicles/activate",
        &operator,
        &[],
        None,
    )
    .await
    .expect(200);
    ann.post_through(&part("reconcile"), &[])
        .await
        .says(&["is being looked for in Salesforce", "Reconcile now"]);
    assert_eq!(api.rig.world.lock().unwrap().reconciled.len(), 1);
    ann.post_through(&part("pause"), &[])
        .await
        .says(&["Paused. What was on its way", "Resume"]);
    ann.post_through(&part("resume"), &[])
        .await
        .says(&["It runs again", "Pause"]);
    ann.get(&part("duplicate"))
        .await
        .expect(200)
        .says(&["vehicles-copy", "Vehicle__c"]);
    let same = [
        ("name", "vehicles-copy"),
        ("object", "Vehicle__c"),
        ("objectType", "vehicles"),
    ];
    ann.post(&part("duplicate"), &same)
        .await
        .expect(422)
        .says(&["The sync vehicles carries Vehicle__c to vehicles already"]);
    // A draft that cannot be read at the moment is a draft.
    let (definitions, key) = (
        api.rig.hub.bus().kv(Bucket::Config),
        Key::new(["draft", "acme", "vans"]),
    );
    definitions.put(&key, "of a later version").await.unwrap();
    let vans = [("name", "vans"), ("object", "Vehicle__c"), ("objectType", "vans")];
    ann.post(&part("duplicate"), &vans)
        .await
        .expect(422)
        .says(&["There is a draft vans already"]);
    let kept = definitions.get(&key).await.unwrap().unwrap();
    assert_eq!(kept.value, "of a later version");
    definitions.delete(&key).await.unwrap();
    let other = [("name", "cars"), ("object", "Vehicle__c"), ("objectType", "cars")];
    let copied = ann.post(&part("duplicate"), &other).await;
    assert_eq!(copied.leads_to(), "/tenants/acme/syncs/cars/edit/rules");
    ann.get("/tenants/acme")
        .await
        .expect(200)
        .says(&["cars", "Continue"]);

    ann.get(&part("delete"))
        .await
        .expect(200)
        .says(&["Keep them", "Delete them", "Type the sync"]);
    ann.post(&part("delete"), &[("confirm", "vehicle")])
        .await
        .expect(422)
        .says(&["That is not the sync"]);
    ann.post_through(&part("delete"), &[("confirm", "vehicles"), ("etag", "stale")])
        .await
        .says(&["was changed since"]);
    ann.post_through(&part("delete"), &[("confirm", "vehicles")])
        .await
        .says(&["The sync vehicles is deleted", "cars"]);
    ann.get(path).await.expect(404);
    let actions: Vec<String> = api
        .audit()
        .await
        .into_iter()
        .map(|(_, action, _)| action)
        .collect();
    for action in ["sync.removed", "sync.paused", "sync.active"] {
        assert!(actions.iter().any(|done| done == action), "{action}: {actions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_are_listed_with_a_way_to_go_on() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    let body = serde_json::json!({"definition": {"spec": {"salesforce": {"object": "Depot__c"}}}});
    api.put_seen("/api/v1/tenants/acme/drafts/depots", &editor, &body)
        .await
        .expect(200);
    let ann = in_acme(&api, "ann", Role::Editor).await;
    // Nothing is connected yet: the draft is there all the same.
    ann.get("/tenants/acme").await.expect(200).says(&[
        "Depot__c",
        "Continue",
        "/tenants/acme/syncs/depots/edit/objects",
    ]);
}

/// What a viewer may look at. Strangers, and forms, are tried on every route there is, in a file of their own.
const PAGES: [&str; 5] = [
    "/tenants/acme",
    "/tenants/acme/audit",
    "/tenants/acme/syncs/vehicles",
    "/tenants/acme/syncs/vehicles/export",
    "/tenants/acme/syncs/vehicles?revision=1",
];
const EDITORS_PAGES: [&str; 4] = [
    "/tenants/acme/syncs/vehicles/duplicate",
    "/tenants/acme/connections/salesforce",
    "/tenants/acme/connections/hubspot",
    "/tenants/acme/syncs/vehicles/delete",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_looks_and_is_offered_no_change() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    let viewer = in_acme(&api, "vic", Role::Viewer).await;
    for path in PAGES {
        viewer.get(path).await.expect(200);
    }
    for path in EDITORS_PAGES {
        viewer
            .get(path)
            .await
            .expect(403)
            .says(&["This is not yours to do"]);
    }
    viewer
        .get("/tenants/acme/syncs/vehicles")
        .await
        .expect(200)
        .without(&[
            "/syncs/vehicles/pause",
            "/syncs/vehicles/reconcile",
            "/syncs/vehicles/delete",
            "/edit/mappings",
        ]);
}
