//! Syncs, their revisions and drafts, and what Salesforce's schema does to them.

use serde_json::{Value, json};

use super::{Entry, World, ask, body, entry, query, says_nothing};
use crate::api::Api;
use crate::rig::{VEHICLES, definition};

#[tokio::test(flavor = "multi_thread")]
async fn syncs_are_edited_watched_and_removed() {
    let api = Api::new().await;
    api.rig.apply(VEHICLES).await;
    World::new(api).await.run(entries()).await;
}

pub(super) fn entries() -> Vec<Entry> {
    let mut entries = definitions();
    entries.extend(revisions());
    entries.extend(drafts());
    entries.extend(running());
    entries
}

fn vehicles() -> Value {
    serde_json::to_value(definition(VEHICLES)).unwrap()
}

/// With a second mapping.
fn edited() -> Value {
    let mut edited = vehicles();
    let mappings = edited["spec"]["fields"].as_array_mut().unwrap();
    mappings.push(json!({"from": "Name", "to": "other"}));
    edited
}

/// Of a field that is not there.
fn impossible() -> Value {
    let mut wrong = vehicles();
    wrong["spec"]["fields"][0]["from"] = json!("Nam");
    wrong
}

fn no_sync() -> super::Ask {
    ask().at("sync", "nope")
}

fn definitions() -> Vec<Entry> {
    vec![
        entry("get_sync", ask(), 200, |answer| {
            assert_eq!(answer.json()["definition"], vehicles());
            assert_eq!(
                answer.header("etag"),
                format!("\"{}\"", answer.json()["tag"].as_str().unwrap())
            );
        })
        .until(|answer| answer.status == 200)
        .keeps("tag", |answer| answer.json()["tag"].clone())
        .refuses(no_sync(), 404)
        .refuses(ask().at("sync", "No!"), 404),
        entry("list_syncs", query("?limit=1"), 200, |answer| {
            assert_eq!(answer.json()["items"][0]["name"], "vehicles");
        })
        .refuses(query("?limit=0"), 422)
        .refuses(query("?cursor=made-up"), 422),
        entry("validate_sync", body(impossible()), 200, |answer| {
            let problems = answer.json()["problems"].clone();
            assert!(
                problems[0]["place"]
                    .as_str()
                    .unwrap()
                    .starts_with("spec.fields[0]"),
                "{problems}"
            );
        })
        .refuses(body(json!({"kind": "Sync"})), 422),
        entry("count_matching", body(vehicles()), 200, |answer| {
            assert_eq!(
                answer.json(),
                json!({"matching": 40, "total": 100, "exact": true})
            );
        })
        .refuses(body(json!({"kind": "Sync"})), 422),
        entry(
            "put_sync",
            body(edited()).with("if-match", "\"{tag}\""),
            200,
            |answer| {
                assert_eq!(
                    (&answer.json()["revision"], &answer.json()["definition"]),
                    (&json!(2), &edited())
                );
            },
        )
        .keeps("tag", |answer| answer.json()["tag"].clone())
        .refuses(body(edited()), 428)
        .refuses(body(edited()).with("if-match", "\"made-up\""), 412)
        .refuses(body(impossible()).with("if-match", "\"{tag}\""), 422)
        .refuses(
            body(edited()).with("if-none-match", "*").at("sync", "trucks"),
            422,
        ),
        entry(
            "apply_syncs",
            body(json!({"definitions": [edited()]})),
            200,
            |answer| {
                assert_eq!(
                    (&answer.json()["written"], &answer.json()["syncs"][0]["change"]),
                    (&json!(false), &json!("unchanged"))
                );
            },
        )
        .refuses(body(json!({"definitions": [impossible()]})), 428)
        .refuses(
            body(json!({"definitions": [impossible()], "expected": [{"name": "vehicles", "tag": "{tag}"}]})),
            422,
        )
        .refuses(body(json!({"definition": edited()})), 422)
        .refuses(
            body(json!({"definitions": [edited()], "expected": [{"name": "vehicles", "tag": "made-up"}]})),
            412,
        ),
        entry("export_syncs", query("?sync=vehicles"), 200, |answer| {
            assert!(answer.text.contains("object: Vehicle__c"), "{}", answer.text);
        })
        .refuses(query("?sync=No!"), 422)
        .refuses(query("?sync=nope"), 404),
        entry("export_all_syncs", ask(), 200, |answer| {
            assert!(answer.text.contains("tenant: acme"), "{}", answer.text);
        })
        .takes_nothing(),
    ]
}

fn revisions() -> Vec<Entry> {
    let second = || ask().at("revision", "2");
    vec![
        entry("list_revisions", query("?limit=1"), 200, |answer| {
            let page = answer.json();
            assert_eq!(page["items"][0]["revision"], 2);
            assert!(page["next"].is_string(), "there is the first as well: {page}");
        })
        .refuses(query("?limit=0"), 422)
        .refuses(no_sync(), 404),
        entry("get_revision", ask(), 200, |answer| {
            assert_eq!(answer.json()["definition"], vehicles());
        })
        .refuses(ask().at("revision", "7"), 404)
        .refuses(ask().at("revision", "first"), 404),
        entry("get_revision_diff", second(), 200, |answer| {
            let diff = answer.json();
            assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
            let lines = diff["lines"].as_array().unwrap();
            assert!(
                lines.iter().any(|line| line.as_str().unwrap().starts_with('+')),
                "{diff}"
            );
        })
        .refuses(
            super::Ask {
                query: "?from=x",
                ..second()
            },
            400,
        )
        .refuses(
            super::Ask {
                query: "?from=9",
                ..second()
            },
            404,
        ),
        entry("get_revision_undo", second(), 200, |answer| {
            assert_eq!(
                answer.header("etag"),
                format!("\"{}\"", answer.json()["tag"].as_str().unwrap())
            );
        })
        .keeps("undo_tag", |answer| answer.json()["tag"].clone())
        .refuses(ask().at("revision", "7"), 404)
        .refuses(ask().at("revision", "first"), 404),
        entry(
            "undo_revision",
            second().with("if-match", "\"{undo_tag}\""),
            200,
            |answer| {
                assert!(answer.json()["undo"].is_object(), "{}", answer.text);
            },
        )
        .refuses(second(), 428)
        .refuses(second().with("if-match", "\"made-up\""), 412),
    ]
}

fn drafts() -> Vec<Entry> {
    let other = || ask().at("draft", "No!");
    vec![
        entry(
            "put_draft",
            body(json!({"step": 2})).with("if-none-match", "*"),
            200,
            |answer| {
                assert_eq!(
                    (&answer.json()["id"], &answer.json()["body"]),
                    (&json!("fleet"), &json!({"step": 2}))
                );
            },
        )
        .refuses(
            super::Ask {
                body: Some(json!({})),
                ..other()
            },
            404,
        )
        .keeps("draft_tag", |answer| answer.json()["tag"].clone())
        .refuses(body(json!("x".repeat(300_000))).with("if-none-match", "*"), 422)
        .refuses(body(json!({})), 428)
        .refuses(body(json!({})).with("if-match", "\"made-up\""), 412),
        entry("list_drafts", ask(), 200, |answer| {
            assert_eq!(answer.json()["items"][0]["id"], "fleet");
        })
        .refuses(query("?limit=0"), 422),
        entry("get_draft", ask(), 200, |answer| {
            assert_eq!(answer.json()["body"], json!({"step": 2}));
        })
        .refuses(ask().at("draft", "none"), 404),
        entry(
            "delete_draft",
            ask().with("if-match", "\"{draft_tag}\""),
            204,
            says_nothing,
        )
        .refuses(ask(), 428)
        .refuses(ask().with("if-match", "\"made-up\""), 412)
        .refuses(other(), 404),
    ]
}

fn running() -> Vec<Entry> {
    vec![
        entry("activate_sync", ask(), 200, |answer| {
            assert_eq!(
                (&answer.json()["change"], &answer.json()["name"]),
                (&json!("changed"), &json!("vehicles"))
            );
        })
        .refuses(no_sync(), 404),
        entry("start_reconcile", ask(), 202, |answer| {
            let status = answer.json();
            assert_eq!(
                (&status["is_running"], &status["began_ms"]),
                (&json!(true), &json!(7_000))
            );
        })
        .refuses(no_sync(), 404),
        entry("pause_sync", ask(), 200, |answer| {
            assert_eq!(answer.json()["change"], "changed")
        })
        .refuses(no_sync(), 404),
        entry("list_schema_events", ask(), 200, |answer| {
            assert_eq!(answer.json()["events"], json!([]));
        })
        .refuses(no_sync(), 404),
        entry("get_formulas", ask(), 200, |answer| {
            let reading = answer.json();
            assert_eq!(
                (&reading["records"], &reading["every_seconds"]),
                (&json!(7), &json!(3_600))
            );
        })
        .refuses(no_sync(), 404),
        entry("get_sync", ask(), 200, |answer| {
            assert_eq!(answer.json()["definition"], vehicles());
        })
        .keeps("tag", |answer| answer.json()["tag"].clone())
        .refuses(no_sync(), 404),
        entry(
            "delete_sync",
            ask().with("if-match", "\"{tag}\""),
            204,
            says_nothing,
        )
        .refuses(query("?records=burn").with("if-match", "\"{tag}\""), 400)
        .refuses(ask(), 428)
        .refuses(ask().with("if-match", "\"made-up\""), 412)
        .refuses(no_sync().with("if-match", "\"{tag}\""), 404),
    ]
}
