//! Rows that HubSpot refuses: all others land, each is told with its value and HubSpot's words, and a cure lands them.

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, repository, wait_for};

/// Longest name that the portal takes for now.
const LONGEST: usize = 60;
const POISONED: usize = 10;

/// Records that were read from the org by their ids.
fn read_by_id(sandbox: &Sandbox) -> u64 {
    let stats = sandbox.org_state("stats");
    stats["records"]["retrieve"].as_u64().unwrap_or(0)
}

fn allow_names(sandbox: &Sandbox, object_type: &str, longest: usize) {
    let path = format!("/crm/property-validations/2026-09/{object_type}/name/rule-type/MAX_LENGTH");
    sandbox.hubspot(
        "PUT",
        &path,
        Some(json!({ "ruleArguments": [longest.to_string()] })),
    );
}

#[test]
fn poisoned_rows_fail_alone_and_one_retry_lands_them_without_salesforce() {
    let installation = Installation::up();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    let vehicles = sandbox.object_type("vehicles");
    allow_names(&sandbox, &vehicles, LONGEST);
    let rows = sandbox.query("SELECT Id, Name FROM Vehicle__c");
    let total = rows.len();
    let long = "x".repeat(LONGEST + 1);
    let poisoned: Vec<&str> = rows
        .iter()
        .step_by(total / POISONED)
        .take(POISONED)
        .map(id_of)
        .collect();
    for id in &poisoned {
        sandbox.edit("Vehicle__c", id, json!({ "Name": long }));
    }

    installation.cli(&["import", "start", "vehicles"]);
    let imports = fleet::wait_for_imports(&installation);
    assert_eq!(
        fleet::count(&imports[0], &["created"]),
        (total - POISONED) as u64,
        "{}",
        imports[0]
    );
    assert_eq!(
        fleet::count(&imports[0], &["failed"]),
        POISONED as u64,
        "{}",
        imports[0]
    );
    let failures = installation.cli(&["failures", "list"]);
    let listed = failures["failures"].as_array().expect("failures");
    assert_eq!(listed.len(), POISONED, "{failures}");
    for entry in listed {
        let failure = &entry["failure"];
        assert_eq!(failure["property"], "name", "{entry}");
        assert_eq!(failure["value"], long.as_str(), "{entry}");
        let words = failure["message"].as_str().unwrap();
        assert!(words.contains("60"), "HubSpot's own words: {words}");
    }

    // The cure is HubSpot's: Salesforce is asked for nothing.
    allow_names(&sandbox, &vehicles, 400);
    let before = read_by_id(&sandbox);
    let retried = installation.cli(&["failures", "retry", "--all"]);
    assert_eq!(retried["records"], POISONED, "{retried}");
    for id in &poisoned {
        wait_for("a cured record", || sandbox.hubspot_id(&vehicles, id));
        assert_eq!(
            sandbox.property(&vehicles, id, "name").as_deref(),
            Some(long.as_str())
        );
    }
    wait_for("the failures to go", || {
        (installation.cli(&["status"])[0]["failures"] == 0).then_some(())
    });
    assert_eq!(read_by_id(&sandbox), before, "a record was read again");

    // A new revision reads again by id what it may have cured.
    allow_names(&sandbox, &vehicles, LONGEST);
    let created = sandbox.create(
        "Vehicle__c",
        json!({ "Name": long, "External_Id__c": "short enough" }),
    );
    installation.cli(&["import", "start", "vehicles"]);
    fleet::wait_for_imports(&installation);
    wait_for("the new record to be refused", || {
        let failures = installation.cli(&["status"])[0]["failures"].as_u64()?;
        (failures > 0 && sandbox.hubspot_id(&vehicles, &created).is_none()).then_some(())
    });
    let file = repository().join("deploy/examples/demo/vehicles.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let edited = text.replace(
        "    - from: Name\n      to: name\n",
        "    - from: External_Id__c\n      to: name\n",
    );
    assert_ne!(text, edited);
    let file = installation.folder().join("vehicles.yaml");
    std::fs::write(&file, edited).unwrap();
    installation.cli(&["sync", "apply", "-f", file.to_str().unwrap()]);
    wait_for("the record that the edit cured", || {
        sandbox.hubspot_id(&vehicles, &created)
    });
    assert!(read_by_id(&sandbox) > before, "it was read by its id");
}

fn id_of(row: &Value) -> &str {
    row["Id"].as_str().unwrap()
}
