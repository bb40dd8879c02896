//! A record that was purged in Salesforce while nobody read: no window shows it, so it is looked for.

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, wait_for};

#[test]
fn a_purged_record_is_found_held_and_deleted_by_a_persons_word() {
    let mut installation = Installation::new();
    for (name, value) in [
        ("LANDBRIDGE_EXTRACTOR__RECONCILE_INTERVAL", "2s"),
        ("LANDBRIDGE_EXTRACTOR__LAG", "0s"),
        ("LANDBRIDGE_EXTRACTOR__POLL_INTERVAL", "300ms"),
    ] {
        installation.set(name, value);
    }
    installation.start("everything", "up");
    installation.wait_until_ready();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "200", "--limits", "off"]);
    // Sharing may hide records from the user: what is absent is not known to be purged.
    sandbox.org_backdoor("permissions", json!({ "view_all_data": false }));
    fleet::make_ready(&installation, &sandbox);
    installation.cli(&["sync", "activate", "depots"]);
    installation.cli(&["import", "start", "depots"]);
    fleet::wait_for_imports(&installation);
    let depots = sandbox.object_type("depots");
    let doomed =
        sandbox.query("SELECT Id FROM Depot__c WHERE Parent_Depot__c != null ORDER BY Id DESC LIMIT 1");
    let doomed = doomed[0]["Id"].as_str().unwrap().to_owned();
    wait_for("the depot in HubSpot", || sandbox.hubspot_id(&depots, &doomed));

    installation.cli(&["sync", "pause", "depots"]);
    sandbox.salesforce("DELETE", &format!("/sobjects/Depot__c/{doomed}"), None);
    sandbox.purge(&[&doomed]);
    installation.cli(&["sync", "activate", "depots"]);

    let held = wait_for("the delete to be held", || {
        let held = installation.cli(&["held", "list"]);
        let found = held["held"]
            .as_array()?
            .iter()
            .find(|held| held["id"] == *doomed)?;
        Some(found.clone())
    });
    let reason = held["reason"].as_str().unwrap();
    assert!(reason.contains("Salesforce shows it no more"), "{held}");
    assert!(
        sandbox.hubspot_id(&depots, &doomed).is_some(),
        "absence alone deletes nothing"
    );
    let held = held_ids(&installation);
    assert_eq!(
        held.as_slice(),
        std::slice::from_ref(&doomed),
        "nothing else is missing"
    );
    installation.cli(&["held", "approve", "depots", &doomed, "--yes"]);
    wait_for("the delete", || {
        sandbox.hubspot_id(&depots, &doomed).is_none().then_some(())
    });
}

fn held_ids(installation: &Installation) -> Vec<String> {
    let held = installation.cli(&["held", "list"]);
    let ids = held["held"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| held["id"].clone());
    ids.filter_map(|id: Value| Some(id.as_str()?.to_owned()))
        .collect()
}

impl Sandbox {
    /// Empties the recycle bin of these records.
    fn purge(&self, ids: &[&str]) {
        self.org_backdoor("purge", json!({ "ids": ids }));
    }
}
