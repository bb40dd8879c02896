//! A dry run's prediction equals what the import then does, record for record and link for link; and it writes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use landbridge_bus::{Filter, Subject};
use landbridge_model::{LinkOutcome, Outcome, Purpose, SalesforceId, TenantId};
use landbridge_wire::{Report, ReportBody, Wire};
use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, repository, text, wait_for};

/// What became of each record of each sync.
type Records = BTreeMap<(String, SalesforceId), Outcome>;
/// What became of each link of each sync: child, lookup.
type Links = BTreeMap<(String, SalesforceId, String), LinkOutcome>;

/// The names of the syncs, parents first.
const PARENTS_FIRST: [&str; 3] = ["depots", "vehicles", "service-visits"];

struct Scene {
    installation: Installation,
    sandbox: Sandbox,
    /// Where the definitions are.
    folder: PathBuf,
}

/// The demo's org and syncs, made less peaceful: codes without an option, a price that HubSpot requires, and a filter
/// that only the mapper can apply.
fn scene() -> Scene {
    let installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    let demo = repository().join("deploy/examples/demo");
    let types = std::fs::read_to_string(demo.join("object-types.json")).unwrap();
    for mut schema in serde_json::from_str::<Vec<Value>>(&types).unwrap() {
        if schema["name"] == "depots" {
            let code = property_of(&mut schema, "code");
            code["type"] = json!("enumeration");
            code["fieldType"] = json!("select");
            let options = (1..=15).map(|number| format!("D-{number:06}"));
            code["options"] = options
                .map(|value| json!({ "label": value, "value": value, "displayOrder": 0, "hidden": false }))
                .collect();
        }
        if schema["name"] == "vehicles" {
            schema["requiredProperties"] = json!(["name", "price"]);
        }
        sandbox.hubspot("POST", "/crm-object-schemas/2026-09/schemas", Some(schema));
    }
    installation.add_tenant("demo", &sandbox);
    let folder = installation.folder().join("syncs");
    std::fs::create_dir_all(&folder).unwrap();
    for name in PARENTS_FIRST {
        let file = format!("{name}.yaml");
        let mut definition = std::fs::read_to_string(demo.join(&file)).unwrap();
        if name == "vehicles" {
            let filter =
                "  filter:\n    all:\n      - field: Notes__c\n        op: is-not-empty\n  associations:\n";
            definition = definition.replacen("  associations:\n", filter, 1);
        }
        std::fs::write(folder.join(file), definition).unwrap();
    }
    // HubSpot shows what was just created a moment late.
    wait_for("the object types to be seen", || {
        let command = ["sync", "validate", "-f", folder.to_str().unwrap()];
        installation.try_cli(&command).status.success().then_some(())
    });
    Scene {
        installation,
        sandbox,
        folder,
    }
}

fn property_of<'s>(schema: &'s mut Value, name: &str) -> &'s mut Value {
    let properties = schema["properties"].as_array_mut().unwrap();
    properties
        .iter_mut()
        .find(|property| property["name"] == name)
        .unwrap_or_else(|| panic!("the type has no property {name}"))
}

impl Scene {
    /// HubSpot's own integration brings companies as it likes: until all are there, nobody can predict which are.
    fn wait_for_companies(&self) {
        let accounts = self.sandbox.query("SELECT Id FROM Account").len();
        wait_for("a company for every account", || {
            let (mut companies, mut after) = (0, String::new());
            loop {
                let path = format!("/crm/objects/2026-09/0-2?limit=100{after}");
                let page = self.sandbox.hubspot("GET", &path, None);
                companies += page["results"].as_array()?.len();
                match page["paging"]["next"]["after"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => return (companies >= accounts).then_some(()),
                }
            }
        });
    }

    fn depots(&self) -> Vec<Value> {
        self.sandbox
            .query("SELECT Id, Name, Code__c, Capacity__c, Opened_On__c FROM Depot__c ORDER BY Id")
    }

    /// Somebody has brought depots to HubSpot already, under the ids that the sync will use: one with the very values
    /// that it has in Salesforce, others with older ones.
    fn somebody_was_here(&self) {
        let depots = self.sandbox.object_type("depots");
        let property = json!({
            "name": "salesforce_id", "label": "Salesforce ID", "type": "string", "fieldType": "text",
            "groupName": "depots_information", "hasUniqueValue": true,
        });
        self.sandbox.hubspot(
            "POST",
            &format!("/crm/properties/2026-09/{depots}"),
            Some(property),
        );
        let rows = self.depots();
        let values = |row: &Value| {
            json!({
                "salesforce_id": row["Id"], "name": row["Name"], "code": row["Code__c"],
                "capacity": row["Capacity__c"].as_f64().map(|number| number.to_string()).unwrap_or_default(),
                "opened_on": row["Opened_On__c"].as_str().unwrap_or_default(),
            })
        };
        let mut inputs = vec![json!({ "properties": values(&rows[0]) })];
        for row in &rows[1..5] {
            let mut older = values(row);
            older["name"] = json!("An older name");
            older["capacity"] = json!("1");
            inputs.push(json!({ "properties": older }));
        }
        // This one's code is refused whoever made the record.
        let mut refused = values(&rows[17]);
        refused["code"] = json!("D-000001");
        inputs.push(json!({ "properties": refused }));
        let path = format!("/crm/objects/2026-09/{depots}/batch/create");
        wait_for("the property to be usable", || {
            let body = json!({ "inputs": inputs });
            self.sandbox.try_hubspot("POST", &path, Some(body))
        });
        let path = format!("/crm/properties/2026-09/{depots}");
        wait_for("the property to be shown", || {
            let shown = self.sandbox.hubspot("GET", &path, None).to_string();
            shown.contains("\"salesforce_id\"").then_some(())
        });
    }

    /// All that the portal shows of the three types.
    fn portal(&self) -> BTreeMap<String, Value> {
        let mut seen = BTreeMap::new();
        for name in ["depots", "vehicles", "service_visits"] {
            let object_type = self.sandbox.object_type(name);
            for path in [
                format!("/crm/properties/2026-09/{object_type}"),
                format!("/crm/objects/2026-09/{object_type}?limit=100&properties=name,salesforce_id"),
                format!("/crm/associations/2026-09/{object_type}/{object_type}/labels"),
            ] {
                seen.insert(path.clone(), self.sandbox.hubspot("GET", &path, None));
            }
        }
        seen
    }

    /// Runs the command for all definitions; gives one result for each, by name.
    fn dry_run(&self, arguments: &[&str]) -> BTreeMap<String, Value> {
        let folder = self.folder.to_str().unwrap();
        let command = ["--output", "json", "sync", "dry-run", "-f", folder];
        let output = self.installation.try_cli(&[&command[..], arguments].concat());
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(
            matches!(output.status.code(), Some(0 | 3)),
            "{:?}: {out}{err}",
            output.status
        );
        let results: Vec<Value> = serde_json::from_str(&out).unwrap();
        let name = |result: &Value| result["sync"].as_str().unwrap().to_owned();
        results
            .into_iter()
            .map(|result| (name(&result), result))
            .collect()
    }

    /// The dry run of all records of all definitions, and what it predicts.
    fn predict(&self) -> (BTreeMap<String, Value>, Records, Links) {
        let results = self.dry_run(&["--all", "--limit", "1000"]);
        assert_eq!(results.len(), 3);
        let (mut records, mut links) = (Records::new(), Links::new());
        for (sync, result) in &results {
            let shown = result["shown"].as_array().unwrap();
            for record in shown.iter().flat_map(|part| part[1].as_array().unwrap()) {
                let id: SalesforceId = serde_json::from_value(record["id"].clone()).unwrap();
                let outcome = serde_json::from_value(record["outcome"].clone()).unwrap();
                records.insert((sync.clone(), id), outcome);
                for link in record["links"].as_array().into_iter().flatten() {
                    let stance: landbridge_model::LinkStance =
                        serde_json::from_value(link["stance"].clone()).unwrap();
                    let outcome = stance.outcome().expect("all records were looked at");
                    let field = link["field"].as_str().unwrap().to_owned();
                    links.insert((sync.clone(), id, field), outcome);
                }
            }
            let told: u64 = result["outcomes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| pair[1].as_u64().unwrap())
                .sum();
            let shown = records.keys().filter(|(of, _)| of == sync).count() as u64;
            assert_eq!(shown, told, "every record of {sync} is shown");
        }
        (results, records, links)
    }

    /// Imports all, parents first, and gives what came of it by the stages' own reports.
    fn import(&self) -> (Records, Links) {
        let before = self.reports().len();
        for name in PARENTS_FIRST {
            self.installation.cli(&["import", "start", name]);
            fleet::wait_for_imports(&self.installation);
        }
        self.wait_until_links_rest();
        let (mut records, mut links, mut earlier) = (Records::new(), Links::new(), Links::new());
        for (place, report) in self.reports().iter().enumerate() {
            let sync = report.envelope.sync.to_string();
            match &report.body {
                _ if report.envelope.purpose != Purpose::Apply => {}
                ReportBody::Records(told) if place >= before => {
                    for record in told {
                        // What the catch-up reads a second time is unchanged by then.
                        let key = (sync.clone(), record.id);
                        records.entry(key).or_insert(record.outcome);
                    }
                }
                ReportBody::Links(told) => {
                    let links = if place < before { &mut earlier } else { &mut links };
                    for link in told {
                        links.insert((sync.clone(), link.child, link.field.clone()), link.outcome);
                    }
                }
                _ => {}
            }
        }
        // A link that waits still is not told again: it stands as it was told last, while its record is carried.
        for (key, outcome) in earlier {
            let record = records.get(&(key.0.clone(), key.1));
            if record.is_some_and(|outcome| *outcome != Outcome::Failed) {
                links.entry(key).or_insert(outcome);
            }
        }
        (records, links)
    }

    fn reports(&self) -> Vec<Report> {
        let tenant = TenantId::new("demo").unwrap();
        self.installation.on_the_bus(async |bus| {
            let shard = landbridge_model::Shard::of(&tenant, bus.shards());
            let stored = bus
                .list(&Filter::exact(&Subject::Outcomes { shard, tenant }))
                .await
                .unwrap();
            stored
                .iter()
                .map(|one| Report::decode(&one.payload).unwrap())
                .collect()
        })
    }

    /// Until no link is on its way: those that wait for a record stay.
    fn wait_until_links_rest(&self) {
        let mut last = None;
        wait_for("the links to come to rest", || {
            let status = self.installation.cli(&["status"]);
            let tenant = status.as_array()?.first()?.clone();
            let queued: u64 = tenant["backlog"]
                .as_array()?
                .iter()
                .filter_map(|lane| lane["messages"].as_u64())
                .sum();
            let now = Some((queued, tenant["parked"].clone(), self.reports().len()));
            let rests = queued == 0 && now == last;
            last = now;
            rests.then_some(())
        });
    }
}

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
    let in_hubspot: Vec<&Value> = rows
        .iter()
        .filter(|row| {
            let vehicles = sandbox.object_type("vehicles");
            sandbox
                .record(&vehicles, row["Id"].as_str().unwrap(), &["name"])
                .is_some()
        })
        .take(4)
        .collect();
    let id = |at: usize| in_hubspot[at]["Id"].as_str().unwrap();
    let edit = |id: &str, fields: Value| {
        sandbox.salesforce("PATCH", &format!("/sobjects/Vehicle__c/{id}"), Some(fields));
    };
    let depots = scene.depots();
    let other = depots
        .iter()
        .take(15)
        .map(|depot| depot["Id"].as_str().unwrap())
        .find(|depot| *depot != in_hubspot[1]["Depot__c"].as_str().unwrap())
        .unwrap();
    edit(id(0), json!({ "Mileage__c": 12.5 }));
    edit(id(1), json!({ "Depot__c": other }));
    edit(id(2), json!({ "Depot__c": null }));
    edit(id(3), json!({ "Price__c": null }));
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

    let (results, records, links) = scene.predict();
    let key = |id: &str| ("vehicles".to_owned(), SalesforceId::parse(id).unwrap());
    assert_eq!(records[&key(id(0))], Outcome::Updated);
    assert_eq!(records[&key(id(3))], Outcome::Failed);
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
