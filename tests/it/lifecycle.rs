//! Starting, stopping, and what must be refused at the start.

use crate::fleet;
use crate::harness::{Installation, Sandbox, binary, text};

#[test]
fn a_worker_without_a_bus_says_how_to_name_one() {
    let output = binary().args(["worker", "mapper"]).output().unwrap();
    assert!(!output.status.success());
    let told = text(&output.stderr);
    assert!(
        told.contains("--nats") && told.contains("landbridge up"),
        "{told}"
    );
}

#[test]
fn another_shard_count_is_refused() {
    let mut installation = Installation::new();
    installation.start("control", "control");
    crate::harness::wait_for("control to have made the installation", || {
        installation
            .try_cli(&["tenant", "list"])
            .status
            .success()
            .then_some(())
    });
    installation.set("LANDBRIDGE_BUS__SHARDS", "32");
    let output = installation.try_cli(&["tenant", "list"]);
    assert!(!output.status.success());
    let told = text(&output.stderr);
    assert!(told.contains("16 shards") && told.contains("32"), "{told}");
}

#[test]
fn an_unknown_setting_is_refused_by_name() {
    let mut installation = Installation::new();
    installation.set("LANDBRIDGE_LOADER__LINGERR", "1s");
    let output = installation.try_cli(&["tenant", "list"]);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).to_lowercase().contains("lingerr"),
        "{}",
        text(&output.stderr)
    );
}

/// Design's second invariant: sled is a cache. Deduplication is off as well: nothing may depend on it.
#[test]
fn a_lost_disk_and_no_deduplication_change_nothing() {
    let mut installation = Installation::new();
    installation.set("LANDBRIDGE_BUS__DEDUPLICATION", "false");
    for stage in crate::harness::STAGES {
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    fleet::start_imports(&installation);
    installation.cli(&[&["sync", "activate"], &fleet::SYNCS[..]].concat());
    fleet::wait_for_imports(&installation);
    for stage in crate::harness::STAGES {
        assert_eq!(installation.take(stage).terminate(), Some(0), "{stage}");
        std::fs::remove_dir_all(installation.folder().join(stage)).unwrap();
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    // The account of the import is made anew from the streams.
    let imports = fleet::imports(&installation);
    assert_eq!(imports.len(), 3);
    let rows = sandbox.query("SELECT Id FROM Vehicle__c WHERE Depot__c != null ORDER BY Id LIMIT 1");
    let path = format!("/sobjects/Vehicle__c/{}", rows[0]["Id"].as_str().unwrap());
    sandbox.salesforce(
        "PATCH",
        &path,
        Some(serde_json::json!({ "Depot__c": null, "Name": "Renamed" })),
    );
    fleet::wait_until_equal(&installation);
}
