//! After an edit, records that were written before get what it touched, and keep what people made of the rest.

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, repository};

#[test]
fn what_an_edit_touched_is_filled_and_the_rest_is_left_alone() {
    let installation = Installation::up();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    let text = std::fs::read_to_string(repository().join("deploy/examples/demo/depots.yaml")).unwrap();
    let file = installation.folder().join("depots.yaml");
    let apply = |text: &str| {
        std::fs::write(&file, text).unwrap();
        installation.cli(&["sync", "apply", "-f", file.to_str().unwrap()]);
    };
    let without_capacity = text.replace("    - from: Capacity__c\n      to: capacity\n", "");
    assert_ne!(text, without_capacity);
    apply(&without_capacity);
    installation.cli(&["import", "start", "depots"]);
    let imports = fleet::wait_for_imports(&installation);
    let written = fleet::count(&imports[0], &["created"]);

    let object_type = sandbox.object_type("depots");
    let path = format!("/crm/objects/2026-09/{object_type}");
    let page = || -> Vec<Value> {
        let wanted = "properties=name,capacity,salesforce_id&limit=100";
        let page = sandbox.hubspot("GET", &format!("{path}?{wanted}"), None);
        page["results"].as_array().unwrap().clone()
    };
    let records = page();
    assert!(
        records
            .iter()
            .all(|record| record["properties"]["capacity"].is_null())
    );
    let by_hand = records[0]["id"].as_str().unwrap();
    let renamed = json!({ "properties": { "name": "Named by hand" } });
    sandbox.hubspot("PATCH", &format!("{path}/{by_hand}"), Some(renamed));
    // A record that HubSpot does not have from this sync any more.
    let archived = records[1]["id"].as_str().unwrap();
    sandbox.hubspot("DELETE", &format!("{path}/{archived}"), None);

    let refused = installation.try_cli(&["import", "start", "depots", "--back-fill"]);
    assert_eq!(refused.status.code(), Some(2), "nothing is touched yet");
    apply(&text);
    installation.cli(&["import", "start", "depots", "--back-fill"]);
    let imports = fleet::wait_for_imports(&installation);
    let filled = imports.last().unwrap();
    assert_eq!(
        fleet::count(filled, &["updated", "unchanged", "filtered"]),
        written,
        "{filled}"
    );
    assert_eq!(fleet::count(filled, &["created", "failed"]), 0, "{filled}");
    let org = sandbox.query("SELECT Id, Name, Capacity__c FROM Depot__c");
    let records = page();
    assert_eq!(
        records.len() as u64,
        written - 1,
        "the archived one is not made anew"
    );
    for record in &records {
        let properties = &record["properties"];
        let source = org
            .iter()
            .find(|source| source["Id"] == properties["salesforce_id"]);
        let source = source.expect("a depot of the org");
        let number = |value: &Value| {
            value
                .as_str()
                .and_then(|text| text.parse::<f64>().ok())
                .or(value.as_f64())
        };
        assert_eq!(
            number(&properties["capacity"]),
            number(&source["Capacity__c"]),
            "{record}"
        );
        let is_by_hand = record["id"] == by_hand;
        assert_eq!(properties["name"] == "Named by hand", is_by_hand, "{record}");
        assert_eq!(properties["name"] == source["Name"], !is_by_hand, "{record}");
    }
    let refused = installation.try_cli(&["import", "start", "depots", "--back-fill"]);
    assert_eq!(refused.status.code(), Some(2), "everything is filled");
}
