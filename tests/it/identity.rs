//! The refresh of a sandbox: another org behind the address stops the tenant, and a person adopts it.

use serde_json::json;

use crate::fleet;
use crate::harness::{Installation, Sandbox, wait_for};

#[test]
fn a_refreshed_sandbox_is_adopted_read_again_and_deletes_nothing_by_itself() {
    let mut installation = Installation::new();
    for (name, value) in [
        ("LANDBRIDGE_EXTRACTOR__LAG", "0s"),
        ("LANDBRIDGE_EXTRACTOR__POLL_INTERVAL", "300ms"),
    ] {
        installation.set(name, value);
    }
    installation.start("everything", "up");
    installation.wait_until_ready();
    let mut sandbox = Sandbox::start(installation.folder(), &["--records", "200", "--limits", "off"]);
    fleet::make_ready(&installation, &sandbox);
    installation.cli(&["sync", "activate", "depots"]);
    installation.cli(&["import", "start", "depots"]);
    fleet::wait_for_imports(&installation);
    let depots = sandbox.object_type("depots");
    let first = |soql: &str| sandbox.query(soql)[0]["Id"].as_str().unwrap().to_owned();
    let missing = first("SELECT Id FROM Depot__c WHERE Parent_Depot__c != null ORDER BY Id DESC LIMIT 1");
    let changed = first("SELECT Id FROM Depot__c WHERE Parent_Depot__c = null ORDER BY Id ASC LIMIT 1");
    for record in [&missing, &changed] {
        wait_for("the depot in HubSpot", || sandbox.hubspot_id(&depots, record));
    }

    sandbox.org_backdoor("refresh", json!({ "number": 7 }));
    // All sessions ended with the other org.
    sandbox.sign_in();
    let suspended = || {
        let status = installation.cli(&["status"]);
        status[0]["suspended"].as_str().map(str::to_owned)
    };
    let reason = wait_for("the standstill", suspended);
    assert!(reason.contains("nothing is read or deleted"), "{reason}");
    // The other org never had the one, and has the other as it was before.
    sandbox.salesforce("DELETE", &format!("/sobjects/Depot__c/{missing}"), None);
    sandbox.org_backdoor("purge", json!({ "ids": [missing] }));
    // It ends with what is wrong, and prints who answers all the same.
    let told = installation.try_cli(&["--output", "json", "connection", "test"]);
    let told = String::from_utf8(told.stdout).unwrap();
    let told: serde_json::Value =
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    let org = told["salesforce"]["org_id"].as_str().unwrap().to_owned();

    let adopted = installation.cli(&["tenant", "adopt", "demo", "--org", &org, "--yes"]);
    assert_eq!(adopted["to"], *org, "{adopted}");
    assert_eq!(adopted["imports"][0]["sync"], "depots", "{adopted}");
    wait_for("the delete to be held", || {
        let held = installation.cli(&["held", "list"]);
        held["held"]
            .as_array()?
            .iter()
            .any(|held| held["id"] == *missing)
            .then_some(())
    });
    fleet::wait_for_imports(&installation);
    assert!(
        sandbox.hubspot_id(&depots, &missing).is_some(),
        "nothing is deleted without a person"
    );
    assert_eq!(suspended(), None);
    let renamed = json!({ "Name": "Seen in the new org" });
    sandbox.salesforce("PATCH", &format!("/sobjects/Depot__c/{changed}"), Some(renamed));
    let hubspot_id = sandbox.hubspot_id(&depots, &changed).unwrap();
    wait_for("the change of the new org", || {
        let path = format!("/crm/v3/objects/{depots}/{hubspot_id}?properties=name");
        let record = sandbox.hubspot("GET", &path, None);
        (record["properties"]["name"] == "Seen in the new org").then_some(())
    });
}
