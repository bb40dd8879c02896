//! Tenants: their connections, alerts, allocation, and how they stand.

use std::convert::Infallible;

use landbridge_bus::seal::{KeyPair, publish_key};
use landbridge_model::{Outcome, RecordOutcome, Source, StageKind};
use landbridge_wire::ReportBody;
use serde_json::json;

use super::{Entry, World, ask, body, entry, nowhere, query, says_nothing};
use crate::api::{Answer, Api, install_tls};
use crate::rig::{VEHICLES, id, tenant, version};

#[tokio::test(flavor = "multi_thread")]
async fn tenants_are_connected_watched_and_limited() {
    install_tls();
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    for stage in [StageKind::Extractor, StageKind::Loader] {
        let key = KeyPair::generate().public();
        publish_key(api.rig.hub.bus(), stage, &key).await.unwrap();
    }
    // Another org than the stand-in answers as.
    let acme = tenant();
    let changed = api.rig.config.change_tenant(&acme, |stored| {
        let mut stored = stored.unwrap();
        stored.salesforce.org_id = Some("00D000000000009EAA".to_owned());
        Ok::<_, Infallible>(Some(stored))
    });
    changed.await.unwrap().unwrap();
    let created = RecordOutcome {
        id: id(1),
        version: version(1),
        outcome: Outcome::Created,
        hubspot_id: None,
        failure: None,
    };
    let reported = ReportBody::Records(vec![created]);
    api.rig
        .report(StageKind::Loader, Source::Increment, None, reported)
        .await;
    World::new(api).await.run(entries()).await;
}

pub(super) fn entries() -> Vec<Entry> {
    let mut entries = tenants();
    entries.extend(connections());
    entries.extend(alerts());
    entries.extend(health());
    entries
}

fn tenants() -> Vec<Entry> {
    let put = |login_url: &str| {
        let tenant = json!({"salesforce": {"login_url": login_url}, "hubspot": {}});
        body(tenant).at("tenant", "new")
    };
    vec![
        entry("list_tenants", query("?limit=1"), 200, |answer| {
            let page = answer.json();
            assert_eq!(page["items"][0]["id"], "acme");
            assert!(page["next"].is_string(), "there is globex as well: {page}");
        })
        .refuses(query("?limit=0"), 422)
        .refuses(query("?cursor=made-up"), 422),
        entry("get_tenant", ask(), 200, |answer| {
            let tenant = answer.json();
            assert_eq!(
                (&tenant["id"], &tenant["role"]),
                (&json!("acme"), &json!("admin"))
            );
        })
        .refuses(nowhere(), 404)
        .refuses(ask().at("tenant", "No!"), 404),
        entry(
            "put_tenant",
            put("https://new.my.salesforce.com").with("if-none-match", "*"),
            201,
            |answer| {
                assert_eq!(
                    answer.json()["salesforce"]["login_url"],
                    "https://new.my.salesforce.com"
                );
            },
        )
        .refuses(put("https://new.my.salesforce.com"), 428)
        .refuses(
            put("http://new.my.salesforce.com").with("if-none-match", "*"),
            422,
        )
        .refuses(body(json!({"salesforce": 1})).at("tenant", "new"), 422),
        entry("delete_tenant", ask().at("tenant", "new"), 204, says_nothing).refuses(nowhere(), 404),
        entry("list_tenant_audit", query("?kind=sync"), 200, |answer| {
            assert!(answer.json()["items"].is_array(), "{}", answer.text);
        })
        .refuses(query("?limit=many"), 400)
        .refuses(nowhere(), 404),
    ]
}

fn connections() -> Vec<Entry> {
    let salesforce = json!({"flow": "client-credentials", "client_id": "app", "client_secret": "hush"});
    let sides_have_credentials = |answer: &Answer| {
        let sides = answer.json();
        [&sides["salesforce"], &sides["hubspot"]]
            .iter()
            .all(|side| side["has_credentials"] == true)
    };
    vec![
        entry(
            "adopt_org",
            body(json!({"org_id": "00D000000000001EAA"})),
            200,
            |answer| {
                assert_eq!(answer.json()["from"], "00D000000000009EAA");
            },
        )
        .refuses(body(json!({"org_id": "00D000000000007EAA"})), 422)
        .refuses(body(json!({"org": "00D000000000001EAA"})), 422),
        entry(
            "put_salesforce_credentials",
            body(json!({"open": salesforce})),
            204,
            says_nothing,
        )
        .refuses(
            body(json!({"open": {"flow": "client-credentials", "client_id": "app"}})),
            422,
        )
        .refuses(body(json!({"open": {"flow": "token", "token": "hush"}})), 422),
        entry(
            "put_hubspot_credentials",
            body(json!({"open": {"flow": "token", "token": "hush"}})),
            204,
            says_nothing,
        )
        .refuses(body(json!({"sealed": {"to": "AAAA", "sealed": "AAAA"}})), 422)
        .refuses(body(json!({"open": {"flow": "token"}})), 422),
        entry("get_connections", ask(), 200, |answer| {
            assert!(answer.json()["keys"]["hubspot"].is_string(), "{}", answer.text);
        })
        .refuses(nowhere(), 404),
        entry("see_connections", ask(), 200, |answer| {
            assert!(!answer.text.contains("hush"), "{}", answer.text);
        })
        .until(sides_have_credentials)
        .refuses(nowhere(), 404),
        entry("test_connections", ask(), 200, |answer| {
            let test = answer.json();
            assert_eq!(test["salesforce"]["org_id"], "00D000000000001EAA");
            assert_eq!(test["hubspot"]["portal_id"], 42);
        })
        .refuses(nowhere(), 404),
        entry("get_keys", ask(), 200, |answer| {
            assert!(answer.json()["salesforce"].is_string(), "{}", answer.text);
        })
        .takes_nothing(),
        entry("get_keys_in_use", ask(), 200, |answer| {
            let stages = answer.json();
            let sealed = stages.as_array().unwrap().iter();
            let sealed: Vec<_> = sealed
                .map(|stage| (stage["stage"].as_str().unwrap(), &stage["sealed"]))
                .collect();
            assert_eq!(
                sealed,
                [
                    ("extractor", &json!(1)),
                    ("loader", &json!(1)),
                    ("control", &json!(0))
                ]
            );
            assert!(
                stages
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|stage| stage["others"] == json!([]))
            );
        })
        .takes_nothing(),
        entry("disconnect", body(json!({"side": "hubspot"})), 204, says_nothing)
            .refuses(body(json!({"side": "moon"})), 422)
            .refuses(body(json!({})), 422),
    ]
}

fn alerts() -> Vec<Entry> {
    let hook = |url: &str| {
        body(json!({"webhook": {"url": url, "secret": "of sixteen letters"}}))
            .with("if-match", "\"{alerts}\"")
    };
    vec![
        entry("get_alerts", ask(), 200, |answer| {
            assert_eq!(
                answer.header("etag"),
                format!("\"{}\"", answer.json()["tag"].as_str().unwrap())
            );
        })
        .keeps("alerts", |answer| answer.json()["tag"].clone())
        .refuses(nowhere(), 404),
        entry("put_alerts", hook("http://127.0.0.1:9/hook"), 200, |answer| {
            let alerts = answer.json();
            assert_eq!(
                alerts["settings"]["webhook"],
                json!({"url": "http://127.0.0.1:9/hook"})
            );
        })
        .refuses(hook("http://pager.example/hook"), 422)
        .refuses(
            body(json!({"webhook": {"url": 1}})).with("if-match", "\"{alerts}\""),
            422,
        )
        .refuses(body(json!({})), 428)
        .refuses(body(json!({})).with("if-match", "\"made-up\""), 412),
        entry("test_alerts", ask(), 200, |answer| {
            let tried = answer.json();
            assert_eq!(tried[0]["channel"], "webhook", "{tried}");
            assert!(tried[0]["trouble"].is_string(), "nobody listens there: {tried}");
        })
        .refuses(nowhere(), 404),
    ]
}

fn health() -> Vec<Entry> {
    vec![
        entry("get_tenant", ask(), 200, |answer| {
            assert_eq!(answer.json()["id"], "acme");
        })
        .keeps("tenant_tag", |answer| {
            json!(answer.header("etag").trim_matches('"'))
        })
        .refuses(nowhere(), 404),
        entry(
            "put_allocation",
            body(json!({"daily_calls": 1000})).with("if-match", "\"{tenant_tag}\""),
            200,
            |answer| {
                assert_eq!(answer.json(), json!({"daily_calls": 1000}));
            },
        )
        .refuses(body(json!({"daily_calls": 1000})), 428)
        .refuses(
            body(json!({"daily_calls": 0})).with("if-match", "\"{tenant_tag}\""),
            422,
        )
        .refuses(body(json!({"daily_calls": -1})), 422)
        .refuses(body(json!({"calls": 1000})), 422),
        entry("list_status", query("?limit=1"), 200, |answer| {
            assert_eq!(answer.json()["items"][0]["tenant"], "acme");
        })
        .refuses(query("?limit=0"), 422),
        entry("get_status", ask(), 200, |answer| {
            let status = answer.json();
            assert_eq!(status["syncs"][0]["name"], "vehicles", "{status}");
        })
        .refuses(nowhere(), 404),
        entry("get_history", ask(), 200, |answer| {
            let history = answer.json();
            assert_eq!(history["minutes"][0]["length_ms"], 300_000, "{history}");
            assert_eq!(
                history["hours"][0]["outcomes"],
                json!([["created", 1]]),
                "{history}"
            );
        })
        .until(|answer| answer.json()["minutes"][0]["outcomes"] == json!([["created", 1]]))
        .refuses(nowhere(), 404),
        entry("follow_events", ask(), 200, |answer| {
            assert!(answer.text.contains("event: status") && answer.text.contains("acme"));
        })
        .by_other_means(|world| {
            Box::pin(async move {
                let path = "/api/v1/tenants/acme/events";
                world.api.first_event(path, &world.admin).await
            })
        })
        .refuses(nowhere(), 404),
    ]
}
