//! A record that was purged in Salesforce while nobody read: no window shows it, so it is looked for.

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, wait_for};

/// A depot that HubSpot has, purged in Salesforce while the sync is paused; found when it runs again.
fn purge_one(installation: &mut Installation, sees_all: bool) -> (Sandbox, String, String) {
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
    sandbox.org_backdoor("permissions", json!({ "view_all_data": sees_all }));
    fleet::make_ready(installation, &sandbox);
    installation.cli(&["sync", "activate", "depots"]);
    installation.cli(&["import", "start", "depots"]);
    fleet::wait_for_imports(installation);
    let depots = sandbox.object_type("depots");
    let doomed =
        sandbox.query("SELECT Id FROM Depot__c WHERE Parent_Depot__c != null ORDER BY Id DESC LIMIT 1");
    let doomed = doomed[0]["Id"].as_str().unwrap().to_owned();
    wait_for("the depot in HubSpot", || sandbox.hubspot_id(&depots, &doomed));
    installation.cli(&["sync", "pause", "depots"]);
    sandbox.salesforce("DELETE", &format!("/sobjects/Depot__c/{doomed}"), None);
    sandbox.purge(&[&doomed]);
    installation.cli(&["sync", "activate", "depots"]);
    (sandbox, depots, doomed)
}

#[test]
fn a_purged_record_is_found_held_once_and_deleted_by_a_persons_word() {
    let mut installation = Installation::new();
    // Sharing may hide records from the user: what is absent is not known to be purged.
    let (sandbox, depots, doomed) = purge_one(&mut installation, false);
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
    assert!(reason.contains("View All"), "{held}");
    assert!(
        sandbox.hubspot_id(&depots, &doomed).is_some(),
        "absence alone deletes nothing"
    );
    let ids = held_ids(&installation);
    assert_eq!(
        ids.as_slice(),
        std::slice::from_ref(&doomed),
        "nothing else is missing"
    );

    // Looked for again and again, told once.
    let looks = || sandbox.asked_for("composite");
    let before = looks();
    wait_for("further looks", || (looks() >= before + 3).then_some(()));
    assert_eq!(told_held(&installation), 1);

    installation.cli(&["held", "approve", "depots", &doomed, "--yes"]);
    wait_for("the delete", || {
        sandbox.hubspot_id(&depots, &doomed).is_none().then_some(())
    });
}

#[test]
fn a_purged_record_that_a_person_keeps_is_asked_about_once() {
    let mut installation = Installation::new();
    let (sandbox, depots, doomed) = purge_one(&mut installation, false);
    wait_for("the delete to be held", || {
        held_ids(&installation).contains(&doomed).then_some(())
    });
    installation.cli(&["held", "discard", "depots", &doomed, "--yes"]);
    let looks = || sandbox.asked_for("composite");
    let further_looks = |what: &str| {
        let before = looks();
        wait_for(what, || (looks() >= before + 3).then_some(()));
    };
    further_looks("further looks");
    assert_eq!(held_ids(&installation), Vec::<String>::new());
    assert_eq!(told_held(&installation), 1, "one decision is one decision");
    // Nor is it forgotten with the process that was told.
    installation.take("everything").terminate();
    installation.start("everything-again", "up");
    installation.wait_until_ready();
    further_looks("looks of another process");
    assert_eq!(held_ids(&installation), Vec::<String>::new());
    assert!(sandbox.hubspot_id(&depots, &doomed).is_some(), "it is kept");
}

#[test]
fn a_purged_record_is_deleted_by_the_syncs_rule_when_the_user_sees_all() {
    let mut installation = Installation::new();
    let (sandbox, depots, doomed) = purge_one(&mut installation, true);
    wait_for("the delete", || {
        sandbox.hubspot_id(&depots, &doomed).is_none().then_some(())
    });
    assert_eq!(held_ids(&installation), Vec::<String>::new());
}

/// How often a delete of the depots was said to be held.
fn told_held(installation: &Installation) -> u64 {
    let status = installation.cli(&["status"]);
    let syncs = status[0]["syncs"].as_array().unwrap();
    let depots = syncs.iter().find(|sync| sync["name"] == "depots").unwrap();
    fleet::count(&json!({ "outcomes": depots["changes"] }), &["held"])
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
