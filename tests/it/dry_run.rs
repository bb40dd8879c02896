//! A dry run's prediction equals what the import then does, record for record and link for link; and it writes nothing.

mod scene;

use std::collections::BTreeMap;

use landbridge_model::{LinkOutcome, Outcome, Purpose, SalesforceId};
use serde_json::{Value, json};

use crate::harness::{text, wait_for};
use scene::{Links, Records, Scene, scene};

/// Links that are only predicted, or that only came about, without a parent: a cleared lookup that has nothing to take
/// away need not be told.
fn with_parent(links: &Links) -> Links {
    let named = links
        .iter()
        .filter(|(_, outcome)| **outcome != LinkOutcome::Unlinked);
    named.map(|(key, outcome)| (key.clone(), *outcome)).collect()
}

#[track_caller]
fn assert_same<K: Ord + std::fmt::Debug + Clone, V: PartialEq + std::fmt::Debug + Copy>(
    what: &str,
    predicted: &BTreeMap<K, V>,
    done: &BTreeMap<K, V>,
) {
    let keys: std::collections::BTreeSet<&K> = predicted.keys().chain(done.keys()).collect();
    let wrong: Vec<String> = keys
        .into_iter()
        .filter(|key| predicted.get(key) != done.get(key))
        .map(|key| {
            format!(
                "{key:?}: predicted {:?}, was {:?}",
                predicted.get(key),
                done.get(key)
            )
        })
        .collect();
    let shown: Vec<&String> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{} {what}: {shown:#?}", wrong.len());
}

fn count(map: &Records, sync: &str, outcome: Outcome) -> usize {
    let of_it = map
        .iter()
        .filter(|((of, _), told)| of == sync && **told == outcome);
    of_it.count()
}

#[test]
fn what_a_dry_run_predicts_the_import_does() {
    let scene = scene();
    scene.somebody_was_here();
    scene.wait_for_companies();
    a_virgin_portal_is_predicted(&scene);
    edits_on_both_sides_are_predicted(&scene);
}

fn a_virgin_portal_is_predicted(scene: &Scene) {
    let portal = scene.portal();
    let (results, records, links) = scene.predict();
    assert_eq!(scene.portal(), portal, "the dry run wrote to HubSpot");
    let nothing = json!([]);
    assert_eq!(scene.installation.cli(&["sync", "list"]), nothing);
    assert_eq!(scene.installation.cli(&["failures", "list"])["total"], 0);
    for report in scene.reports() {
        assert_eq!(
            report.envelope.purpose,
            Purpose::Compare,
            "a dry run counts in no outcome"
        );
    }
    what_it_tells(&results);
    assert_eq!(count(&records, "depots", Outcome::Updated), 5);
    assert!(count(&records, "depots", Outcome::Created) >= 5, "{records:?}");
    assert!(
        count(&records, "depots", Outcome::Failed) >= 3,
        "codes without an option"
    );
    assert!(
        count(&records, "vehicles", Outcome::Failed) >= 3,
        "vehicles without a price"
    );
    assert!(count(&records, "vehicles", Outcome::Filtered) >= 10);
    for wanted in [LinkOutcome::Linked, LinkOutcome::Parked] {
        assert!(
            links.values().any(|outcome| *outcome == wanted),
            "no link is {wanted}"
        );
    }

    let folder = scene.folder.to_str().unwrap();
    scene.installation.cli(&["sync", "apply", "-f", folder]);
    let (done, linked) = scene.import();
    assert_same("records", &records, &done);
    assert_same("links", &with_parent(&links), &with_parent(&linked));
}

/// What a person reads of it.
fn what_it_tells(results: &BTreeMap<String, Value>) {
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().unwrap().iter();
        list.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let would_create = texts(&results["depots"]["would_create"]);
    assert!(!would_create.contains(&"property salesforce_id of depots".to_owned()));
    for wanted in [
        "property landbridge_version of depots",
        "label \"belongs to\" from depots to depots",
    ] {
        assert!(would_create.contains(&wanted.to_owned()), "{would_create:?}");
    }
    let of_vehicles = texts(&results["vehicles"]["would_create"]);
    for wanted in ["property salesforce_id of vehicles", "option Tow Bar of features"] {
        assert!(of_vehicles.contains(&wanted.to_owned()), "{of_vehicles:?}");
    }
    assert_eq!(results["depots"]["marked_only"], 1);
    assert_eq!(results["depots"]["failures"][0][0], "picklist-option");
    assert_eq!(results["vehicles"]["failures"][0][0], "missing-required-property");
    assert_eq!(results["vehicles"]["filtered_by"][0][0], "Notes__c is-not-empty");
    for result in results.values() {
        assert!(!texts(&result["unpredictable"]).is_empty());
        for side in ["salesforce", "hubspot"] {
            let calls = result[side]["calls"].as_array().unwrap();
            assert!(
                calls.iter().all(|family| family["calls"].as_u64() > Some(0)),
                "{calls:?}"
            );
        }
        assert!(result["hubspot"]["seconds"].as_f64().is_some());
    }
    let changes: Vec<&Value> = results["depots"]["shown"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part[0] == "updated")
        .flat_map(|part| part[1].as_array().unwrap())
        .filter_map(|record| {
            record["changes"]
                .as_array()?
                .iter()
                .find(|change| change["property"] == "name")
        })
        .collect();
    assert_eq!(changes.len(), 4);
    assert!(changes.iter().all(|change| change["before"] == "An older name"));
}

/// After the import: both sides are edited, and the same definitions are predicted and imported once more.
fn edits_on_both_sides_are_predicted(scene: &Scene) {
    let sandbox = &scene.sandbox;
    let rows = sandbox.query(
        "SELECT Id, Depot__c FROM Vehicle__c WHERE Depot__c != null AND Price__c != null ORDER BY Id LIMIT 200",
    );
    let depots = scene.depots();
    // Those whose code HubSpot takes: a link to another is not there that could be taken away.
    let taken: Vec<&str> = depots
        .iter()
        .take(15)
        .map(|depot| depot["Id"].as_str().unwrap())
        .collect();
    let in_hubspot: Vec<&Value> = rows
        .iter()
        .filter(|row| taken.contains(&row["Depot__c"].as_str().unwrap()))
        .filter(|row| {
            let vehicles = sandbox.object_type("vehicles");
            sandbox
                .record(&vehicles, row["Id"].as_str().unwrap(), &["name"])
                .is_some()
        })
        .take(5)
        .collect();
    let id = |at: usize| in_hubspot[at]["Id"].as_str().unwrap();
    let edit = |id: &str, fields: Value| {
        sandbox.salesforce("PATCH", &format!("/sobjects/Vehicle__c/{id}"), Some(fields));
    };
    let other = taken
        .iter()
        .find(|depot| **depot != in_hubspot[1]["Depot__c"].as_str().unwrap())
        .unwrap();
    edit(id(0), json!({ "Mileage__c": 12.5 }));
    edit(id(1), json!({ "Depot__c": other }));
    edit(id(2), json!({ "Depot__c": null }));
    edit(id(3), json!({ "Price__c": null }));
    // With the vehicle its visits go.
    sandbox.salesforce("DELETE", &format!("/sobjects/Vehicle__c/{}", id(4)), None);
    // Somebody edits in HubSpot what Salesforce does not change: an import leaves it alone.
    let depot_type = sandbox.object_type("depots");
    let depot = sandbox
        .record(&depot_type, depots[1]["Id"].as_str().unwrap(), &["name"])
        .unwrap();
    let path = format!(
        "/crm/objects/2026-09/{depot_type}/{}",
        depot["id"].as_str().unwrap()
    );
    sandbox.hubspot(
        "PATCH",
        &path,
        Some(json!({ "properties": { "name": "Tampered" } })),
    );

    let key = |id: &str| ("vehicles".to_owned(), SalesforceId::parse(id).unwrap());
    // What was deleted within the lag behind the org's clock is read by nobody yet.
    let (results, records, links) = wait_for("the deleted vehicle to be predicted", || {
        Some(scene.predict()).filter(|(_, records, _)| records.contains_key(&key(id(4))))
    });
    assert_eq!(records[&key(id(0))], Outcome::Updated);
    assert_eq!(records[&key(id(3))], Outcome::Failed);
    assert_eq!(records[&key(id(4))], Outcome::Deleted);
    assert!(count(&records, "vehicles", Outcome::Unchanged) > 10);
    assert_eq!(count(&records, "depots", Outcome::Created), 0);
    let stances = results["vehicles"]["links"].to_string();
    for stance in ["stands", "replace", "unlink"] {
        assert!(stances.contains(stance), "{stances}");
    }
    let drift = results["depots"]["shown"].to_string();
    assert!(
        drift.contains("Tampered"),
        "what differs and is left alone is shown"
    );

    let (done, linked) = scene.import();
    assert_same("records", &records, &done);
    assert_same("links", &with_parent(&links), &with_parent(&linked));
}

#[test]
fn a_dry_run_can_be_of_a_sample_or_of_records_by_id() {
    let scene = scene();
    let results = scene.dry_run(&["--sample", "7"]);
    for result in results.values() {
        assert_eq!(
            (&result["compared"], &result["extrapolated"]),
            (&json!(7), &json!(true))
        );
    }
    // Parents beyond the sample may come, or may not.
    let visits = results["service-visits"]["links"].to_string();
    assert!(visits.contains("unknown") && !visits.contains("wait"), "{visits}");

    let without = scene
        .sandbox
        .query("SELECT Id, Notes__c FROM Vehicle__c ORDER BY Id");
    let filtered = without.iter().find(|row| row["Notes__c"].is_null()).unwrap();
    let filtered = filtered["Id"].as_str().unwrap();
    let missing = "a01000000099999AAA";
    let file = scene.folder.join("vehicles.yaml");
    let output = scene.installation.try_cli(&[
        "sync",
        "dry-run",
        "-f",
        file.to_str().unwrap(),
        "--id",
        filtered,
        "--id",
        missing,
    ]);
    let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(
        output.status.code(),
        Some(2),
        "depots are synced by nobody yet: {told}"
    );
    let all = scene.folder.to_str().unwrap();
    scene.installation.cli(&["sync", "apply", "-f", all]);
    let output = scene.installation.cli(&[
        "sync",
        "dry-run",
        "-f",
        file.to_str().unwrap(),
        "--id",
        filtered,
        "--id",
        missing,
    ]);
    assert_eq!(output[0]["outcomes"], json!([["filtered", 1]]));
    assert_eq!(output[0]["filtered_by"], json!([["Notes__c is-not-empty", 1]]));
    assert_eq!(output[0]["unseen"], json!([missing]));
}
