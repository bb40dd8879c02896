//! Control is killed during an import and in the middle of the wizard, and its folder deleted: what it knew comes back from
//! the bus.

use serde_json::Value;

use crate::fleet::{self, count};
use crate::harness::{Browser, Installation, Sandbox, wait_for};

const SETTLED: [&str; 6] = ["created", "updated", "unchanged", "superseded", "deleted", "kept"];

fn settled(imports: &[Value]) -> u64 {
    imports.iter().map(|import| count(import, &SETTLED)).sum()
}

#[test]
fn killing_control_loses_no_progress_no_outcome_and_no_draft() {
    let mut installation = Installation::new();
    installation.set("LANDBRIDGE_CONTROL__LISTEN", "127.0.0.1:0");
    for stage in ["control", "extractor", "mapper", "resolver", "loader"] {
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    // Slow enough that the kill falls into the import.
    let sandbox = Sandbox::start(installation.folder(), &["--records", "12000", "--limits", "real"]);
    fleet::make_ready(&installation, &sandbox);
    installation.add_user(
        "ann",
        "correct horse battery",
        &["--role", "operator", "--tenant", "demo"],
    );
    let step = "/tenants/demo/syncs/vehicles/edit/rules";
    let browser = Browser::sign_in(&installation, "ann", "correct horse battery");
    let etag = browser.field(step, "etag");
    let half_made = [
        ("etag", etag.as_str()),
        ("spec.rules.grace", "17m"),
        ("action", "save"),
    ];
    browser.post(step, &half_made);

    fleet::start_imports(&installation);
    let before = wait_for("the import to be well under way", || {
        let settled = settled(&fleet::imports(&installation));
        (settled > 200).then_some(settled)
    });
    installation.take("control").kill_hard();
    std::fs::remove_dir_all(installation.folder().join("control")).unwrap();
    installation.start("control", "control");
    installation.wait_until_ready();

    let imports = wait_for("control to answer", || {
        installation
            .try_cli(&["import", "list"])
            .status
            .success()
            .then(|| fleet::imports(&installation))
    });
    let after = settled(&imports);
    assert!(
        after >= before,
        "{before} records were settled before, and {after} are now"
    );
    // The session outlives the process too: it is on the bus.
    let again = browser.over(&installation);
    assert!(again.get(step).contains("value=\"17m\""), "the draft is gone");

    let imports = fleet::wait_for_imports(&installation);
    assert_eq!(imports.len(), fleet::SYNCS.len());
    for import in &imports {
        let settled = count(import, &SETTLED);
        assert_eq!(Some(settled), import["extracted"].as_u64(), "{import}");
        assert_eq!(import["state"], "Completed", "{import}");
    }
    fleet::wait_until_quiet(&installation);
    let verified = installation.cli(&["verify"]);
    for one in verified.as_array().unwrap() {
        assert_eq!(one["differences"], serde_json::json!([]), "{one}");
    }
}
