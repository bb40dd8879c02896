//! A sync is removed together with what it wrote to HubSpot, within its safety limit and by a person's word.

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, repository, wait_for};

#[test]
fn a_sync_goes_with_what_it_wrote_and_with_nothing_else() {
    let installation = Installation::up();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    // A limit that is passed.
    let file = repository().join("deploy/examples/demo/depots.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let limited = text.replace("maxDeletes: 500", "maxDeletes: 2");
    assert_ne!(text, limited);
    let file = installation.folder().join("depots.yaml");
    std::fs::write(&file, limited).unwrap();
    installation.cli(&["sync", "apply", "-f", file.to_str().unwrap()]);
    installation.cli(&["import", "start", "depots"]);
    let imports = fleet::wait_for_imports(&installation);
    let written = fleet::count(&imports[0], &["created"]);
    assert!(written > 4, "{}", imports[0]);
    let object_type = sandbox.object_type("depots");
    let path = format!("/crm/objects/2026-09/{object_type}");
    let own = json!({ "properties": { "name": "Made by hand" } });
    let by_hand = sandbox.hubspot("POST", &path, Some(own))["id"].clone();
    let listed = || -> Vec<Value> {
        let mut ids = Vec::new();
        let mut after = String::new();
        loop {
            let page = sandbox.hubspot("GET", &format!("{path}?limit=100{after}"), None);
            let results = page["results"].as_array().unwrap();
            ids.extend(results.iter().map(|record| record["id"].clone()));
            match page.pointer("/paging/next/after").and_then(Value::as_str) {
                Some(next) => after = format!("&after={next}"),
                None => return ids,
            }
        }
    };
    assert_eq!(listed().len() as u64, written + 1);

    installation.cli(&["sync", "delete", "depots", "--records", "delete", "--yes"]);
    wait_for("what the limit allows to be archived", || {
        (listed().len() as u64 == written - 1).then_some(())
    });
    let held = installation.cli(&["held", "list"]);
    assert_eq!(held["total"], written - 2, "{held}");
    let refused = installation.try_cli(&["sync", "activate", "depots"]);
    assert!(!refused.status.success(), "it runs again while it is deleted");

    installation.cli(&["held", "approve", "depots", "--all", "--yes"]);
    wait_for("the sync to go", || {
        let syncs = installation.cli(&["sync", "list"]);
        let is_there = syncs.as_array()?.iter().any(|sync| sync["name"] == "depots");
        (!is_there).then_some(())
    });
    assert_eq!(listed(), [by_hand], "only what Landbridge wrote is deleted");
}
