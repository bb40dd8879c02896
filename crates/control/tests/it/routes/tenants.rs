//! Tenants, their connections, and the log of what was changed.

use axum::http::Method;
use landbridge_control::Settings;
use landbridge_control::service::Role;
use landbridge_model::StageKind;
use serde_json::{Value, json};

use super::{ACME, vehicles};
use crate::api::Api;
use crate::rig::soon;

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_added_changed_and_removed() {
    let api = Api::new().await;
    let admin = api.admin().await;
    let wanted = json!({
        "salesforce": {"login_url": "https://new.my.salesforce.com/", "daily_calls": 1000},
        "hubspot": {"base_url": "https://api.hubapi.com"},
    });
    let path = "/api/v1/tenants/new";
    let added = api.put_seen(path, &admin, &wanted).await.expect(201).json();
    assert_eq!(added["salesforce"]["login_url"], "https://new.my.salesforce.com");
    assert_eq!(added["role"], "admin");
    api.put_seen(path, &admin, &wanted).await.expect(200);
    assert_eq!(api.get(path, &admin).await.expect(200).json(), added);

    let elsewhere = json!({"salesforce": {"login_url": "https://evil.example"}, "hubspot": {}});
    let refused = api.put_seen(path, &admin, &elsewhere).await.expect(422);
    assert!(
        refused.text.contains("credentials"),
        "secrets do not follow an address: {}",
        refused.text
    );
    // Tokens go to the Pub/Sub API as well.
    let mut streamed = wanted.clone();
    streamed["salesforce"]["pubsub_url"] = json!("https://evil.example:7443");
    let refused = api.put_seen(path, &admin, &streamed).await.expect(422);
    assert!(refused.text.contains("credentials"), "{}", refused.text);
    let mut polled = wanted.clone();
    polled["salesforce"]["change_events"] = json!(false);
    let without = api.put_seen(path, &admin, &polled).await.expect(200).json();
    assert_eq!(without["salesforce"]["change_events"], false);
    // What is not mentioned stays: an operator allocated it.
    let tag = api.get(path, &admin).await.header("etag");
    let (allocation, calls) = (format!("{path}/allocation"), json!({"daily_calls": 500}));
    api.send(
        Method::PUT,
        &allocation,
        &admin,
        &[("if-match", &tag)],
        Some(&calls),
    )
    .await
    .expect(200);
    let bare = json!({"salesforce": {"login_url": "https://new.my.salesforce.com"}, "hubspot": {}});
    let kept = api.put_seen(path, &admin, &bare).await.expect(200).json();
    assert_eq!(kept["salesforce"]["daily_calls"], 500);
    assert_eq!(kept["salesforce"]["change_events"], false);
    let mut cleared = bare.clone();
    cleared["salesforce"]["daily_calls"] = Value::Null;
    let cleared = api.put_seen(path, &admin, &cleared).await.expect(200).json();
    assert_eq!(cleared["salesforce"].get("daily_calls"), None);
    for (wrong, part) in [
        (
            json!({"salesforce": {"login_url": "http://acme.example"}, "hubspot": {}}),
            "https",
        ),
        (
            json!({"salesforce": {"login_url": "https://a.example"}, "hubspot": {}, "sales": 1}),
            "sales",
        ),
    ] {
        let refused = api.put_seen(path, &admin, &wrong).await.expect(422);
        assert!(refused.text.contains(part), "{}", refused.text);
    }
    let own = api.in_acme(Role::Admin).await;
    api.put_seen(path, &own, &wanted).await.expect(404);
    api.delete(ACME, &own).await.expect(403);

    api.delete(path, &admin).await.expect(204);
    soon(
        "that it is gone",
        api.rig.config.wait_for(|config| {
            let gone = config.tenants().iter().all(|tenant| tenant.id.as_str() != "new");
            gone.then_some(())
        }),
    )
    .await;
    assert_eq!(api.get(path, &admin).await.expect(404).kind(), "not-found");
    let actions: Vec<String> = api
        .audit()
        .await
        .into_iter()
        .map(|(_, action, _)| action)
        .filter(|action| action.starts_with("tenant."))
        .collect();
    assert_eq!(
        actions,
        [
            "tenant.removed",
            "tenant.changed",
            "tenant.changed",
            "tenant.added"
        ],
        "what changes nothing is not a change"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_tested_and_credentials_sealed() {
    let api = Api::new().await;
    let admin = api.in_acme(Role::Admin).await;
    let connections = api
        .get(&format!("{ACME}/connections"), &admin)
        .await
        .expect(200)
        .json();
    assert_eq!(connections["keys"], json!({"salesforce": null, "hubspot": null}));
    let credentials = format!("{ACME}/connections/hubspot/credentials");
    let token = json!({"open": {"flow": "token", "token": "pat-na1-hush"}});
    let nobody = api.put(&credentials, &admin, &token).await.expect(503);
    assert!(nobody.text.contains("loader"), "{}", nobody.text);

    let pair = landbridge_bus::seal::KeyPair::generate();
    landbridge_bus::seal::publish_key(api.rig.hub.bus(), StageKind::Loader, &pair.public())
        .await
        .unwrap();
    api.put(&credentials, &admin, &token).await.expect(204);
    let bucket = api.rig.hub.bus().kv(landbridge_bus::Bucket::Secrets);
    let key = landbridge_bus::Key::new(["acme", "hubspot"]);
    let (sealed, _) = bucket
        .get_json::<landbridge_bus::seal::Sealed>(&key)
        .await
        .unwrap()
        .unwrap();
    let opened: Value = serde_json::from_slice(&pair.open(&sealed).unwrap()).unwrap();
    assert_eq!(opened, json!({"flow": "token", "token": "pat-na1-hush"}));

    let own = pair.public().seal(br#"{"flow":"token","token":"mine"}"#).unwrap();
    let body = json!({"sealed": {"to": own.to, "sealed": own.sealed}});
    api.put(&credentials, &admin, &body).await.expect(204);
    let other = json!({"sealed": {"to": "AAAA", "sealed": own.sealed}});
    api.put(&credentials, &admin, &other).await.expect(422);
    let refused = api
        .put(
            &credentials,
            &admin,
            &json!({"open": {"flow": "token", "tokn": "pat-na1-hush"}}),
        )
        .await
        .expect(422);
    assert!(
        !refused.text.contains("hush"),
        "a secret came back: {}",
        refused.text
    );
    let log = api.get(&format!("{ACME}/audit"), &admin).await.expect(200);
    assert!(
        !log.text.contains("hush") && log.text.contains("credentials.replaced"),
        "{}",
        log.text
    );

    let test = api
        .send(
            Method::POST,
            &format!("{ACME}/connections/test"),
            &admin,
            &[],
            None,
        )
        .await
        .expect(200)
        .json();
    assert_eq!(test["hubspot"]["portal_id"], 42);
    let viewer = api.in_acme(Role::Viewer).await;
    let seen = api
        .get(&format!("{ACME}/connections/health"), &viewer)
        .await
        .expect(200)
        .json();
    assert_eq!(seen["hubspot"]["test"]["portal_id"], 42);
    assert_eq!(seen["hubspot"]["has_credentials"], true);
    assert_eq!(seen["salesforce"]["has_credentials"], false);
    let keys = api.get("/api/v1/keys", &admin).await.expect(200).json();
    assert_eq!(keys["hubspot"], pair.public().text());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_portal_is_not_named_to_strangers() {
    let api = Api::new().await;
    let path = |tenant: &str| format!("/api/v1/tenants/{tenant}/connections/test");
    let admin = api.admin().await;
    api.send(Method::POST, &path("acme"), &admin, &[], None)
        .await
        .expect(200);
    let stranger = api.stranger().await;
    let test = api
        .send(Method::POST, &path("globex"), &stranger, &[], None)
        .await
        .expect(200);
    assert!(test.text.contains("another tenant"), "{}", test.text);
    assert!(!test.text.contains("acme"), "{}", test.text);
    let test = api
        .send(Method::POST, &path("globex"), &admin, &[], None)
        .await
        .expect(200)
        .json();
    assert_eq!(test["rival"], "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_can_be_looked_at() {
    let api = Api::new().await;
    let viewer = api.in_acme(Role::Viewer).await;
    let objects = api
        .get(&format!("{ACME}/salesforce/objects"), &viewer)
        .await
        .expect(200)
        .json();
    assert_eq!(objects[0]["name"], "Vehicle__c");
    let object = api
        .get(&format!("{ACME}/salesforce/objects/Vehicle__c"), &viewer)
        .await
        .expect(200)
        .json();
    assert_eq!(object["name"], "Vehicle__c");
    api.get(&format!("{ACME}/salesforce/objects/Nope__c"), &viewer)
        .await
        .expect(404);
    let schemas = api
        .get(&format!("{ACME}/hubspot/schemas"), &viewer)
        .await
        .expect(200)
        .json();
    assert_eq!(schemas[0]["name"], "vehicles");
    api.get(&format!("{ACME}/hubspot/schemas/nope"), &viewer)
        .await
        .expect(404);
    let unread = api
        .get(&format!("{ACME}/hubspot/labels?from=2-1"), &viewer)
        .await
        .expect(400);
    assert_eq!(unread.kind(), "bad-request");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_who_changed_what() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    api.send(
        Method::PUT,
        &format!("{ACME}/syncs/vehicles"),
        &editor,
        &[("if-none-match", "*")],
        Some(&vehicles()),
    )
    .await
    .expect(201);
    let log = api
        .get(&format!("{ACME}/audit?limit=1"), &editor)
        .await
        .expect(200)
        .json();
    let entry = &log["items"][0];
    assert_eq!(
        (&entry["action"], &entry["subject"]),
        (&json!("sync.created"), &json!("vehicles"))
    );
    assert!(entry["who"].as_str().unwrap().contains("cli:test"), "{entry}");
    assert_eq!((entry.get("before"), &entry["after"]), (None, &vehicles()));
    api.get("/api/v1/audit", &editor).await.expect(403);
    let admin = api.admin().await;
    let mut seen = Vec::new();
    let mut path = "/api/v1/audit?limit=1".to_owned();
    loop {
        let page = api.get(&path, &admin).await.expect(200).json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| entry["sequence"].as_u64().unwrap()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/audit?limit=1&cursor={next}"),
            None => break,
        }
    }
    let mut sorted = seen.clone();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert!(seen == sorted && seen.len() >= 3, "{seen:?}");
    api.get("/api/v1/audit?limit=9999", &admin).await.expect(422);
}

/// A tenant's admin cannot make Landbridge speak to its own machine or network, unless the installation says so.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_our_own_network_is_not_taken() {
    let api = Api::exactly_with(Settings::default()).await;
    let admin = api.in_acme(Role::Admin).await;
    let both = json!({
        "salesforce": {"open": {"flow": "client-credentials", "client_id": "c", "client_secret": "s"}},
        "hubspot": {"open": {"flow": "token", "token": "pat-na1-hush"}},
    });
    let put = async |salesforce: Value, hubspot: Value| {
        let wanted = json!({"salesforce": salesforce, "hubspot": hubspot, "credentials": both});
        api.put_seen(ACME, &admin, &wanted).await
    };
    let (here, portal) = ("http://127.0.0.1:1", "http://127.0.0.1:2");
    for (salesforce, hubspot, field) in [
        (
            json!({"login_url": "https://169.254.169.254"}),
            json!({}),
            "login_url",
        ),
        (
            json!({"login_url": here}),
            json!({"base_url": "http://localhost:4222"}),
            "base_url",
        ),
        (
            json!({"login_url": here, "pubsub_url": "https://[::1]:7443"}),
            json!({}),
            "pubsub_url",
        ),
    ] {
        let refused = put(salesforce, hubspot).await.expect(422);
        assert!(
            refused.text.contains(field) && refused.text.contains("allow_private_addresses"),
            "{}",
            refused.text
        );
    }
    // What whoever operates the installation has set up there stays.
    let kept = json!({"salesforce": {"login_url": here}, "hubspot": {"base_url": portal}});
    api.put_seen(ACME, &admin, &kept).await.expect(200);
    let hook = json!({"webhook": {"url": "http://127.0.0.1:9/hook", "secret": "a secret of some length"}});
    let refused = api
        .send(
            Method::PUT,
            &format!("{ACME}/alerts"),
            &admin,
            &[("if-match", "\"0\"")],
            Some(&hook),
        )
        .await;
    assert_eq!(refused.expect(422).json()["problems"][0]["place"], "webhook.url");
}
