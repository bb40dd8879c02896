//! An edit of a sync's mapping is undone with the back-fill that followed it: the definition and the portal's records are as
//! they were, but for what was edited since, which is listed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, repository, wait_for};
use crate::undo::{Vehicles, left};

fn revision(installation: &Installation) -> String {
    let syncs = installation.cli(&["sync", "list"]);
    let mut syncs = syncs.as_array().unwrap().iter();
    let sync = syncs.find(|sync| sync["name"] == "vehicles").unwrap();
    sync["revision"].to_string()
}

fn plan(installation: &Installation, revision: &str) -> Value {
    installation.cli(&["sync", "undo", "vehicles", "--revision", revision, "--plan"])
}

#[test]
fn a_mapping_edit_is_undone_with_its_back_fill() {
    let mut installation = Installation::new();
    for stage in ["control", "extractor", "mapper", "resolver", "loader"] {
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    installation.cli(&["import", "start", "depots", "vehicles"]);
    fleet::wait_for_imports(&installation);
    fleet::wait_until_quiet(&installation);
    let vehicles = Vehicles::of(&sandbox);
    vehicles.property("remark", false);
    let before = vehicles.all();
    assert!(before.len() > 100, "{} records are there", before.len());

    // Notes become something else.
    let folder = repository().join("deploy/examples/demo");
    let definition = std::fs::read_to_string(folder.join("vehicles.yaml")).unwrap();
    let edited = definition.replace("from: Notes__c", "from: External_Id__c");
    assert_ne!(edited, definition);
    let file = installation.folder().join("edited.yaml");
    std::fs::write(&file, edited).unwrap();
    installation.cli(&["sync", "apply", "-f", file.to_str().unwrap(), "--yes"]);
    let undone = revision(&installation);
    installation.cli(&["import", "start", "vehicles", "--back-fill", "--keep-before"]);
    let import = fleet::wait_for_imports(&installation).pop().unwrap();
    fleet::wait_until_quiet(&installation);
    let id = import["id"].as_str().unwrap();
    assert_eq!(import["keeps_before"], true, "{import}");
    let filled = vehicles.all();
    let mut changed = filled.keys().filter(|id| {
        let notes = before[*id].get("notes");
        notes.is_some() && filled[*id].get("notes") != notes
    });
    let touched = changed.next().expect("the back-fill wrote notes anew").clone();
    assert!(changed.count() > 50, "the back-fill wrote too little");
    vehicles.edit(&touched, json!({ "notes": "Edited since" }));

    let planned = plan(&installation, &undone)["plan"].clone();
    assert_eq!(planned["obstacle"], Value::Null, "{planned}");
    assert_eq!(planned["live"], json!({"records": 0, "links": 0}));
    let imports = planned["imports"].as_array().unwrap();
    assert_eq!(imports.len(), 1, "{planned}");
    assert_eq!(
        (&imports[0]["id"], &imports[0]["fate"]),
        (&json!(id), &json!("undo"))
    );
    assert!(imports[0]["images"].as_u64().unwrap() > 0, "{planned}");

    // Both who undo are killed when it has begun.
    installation.try_cli(&["sync", "undo", "vehicles", "--revision", &undone, "--yes"]);
    for stage in ["control", "loader"] {
        installation.take(stage).kill_hard();
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    let account = wait_for("the revision to be undone", || {
        let found = plan(&installation, &undone);
        found["undo"]["ended_ms"].is_i64().then(|| found["undo"].clone())
    });
    assert_eq!(account["trouble"], Value::Null, "{account}");
    assert_eq!(account["counts"]["left"], 1, "{account}");
    assert_eq!(account["made"].to_string(), revision(&installation), "{account}");
    let same = installation.try_cli(&["sync", "diff", "-f", folder.to_str().unwrap()]);
    assert!(same.status.success(), "{same:?}");

    let mut expected = before.clone();
    let notes = expected.get_mut(&touched).unwrap();
    let was = notes
        .insert("notes".to_owned(), "Edited since".to_owned())
        .unwrap();
    let now = vehicles.all();
    assert_eq!(now.len(), expected.len());
    for (id, expected) in &expected {
        assert_eq!(&now[id], expected, "{id}");
    }
    let listed = ("notes".to_owned(), "Edited since".to_owned(), was);
    assert_eq!(left(&installation, id), BTreeSet::from([listed]));

    // The former mapping writes everything again.
    installation.cli(&["import", "start", "vehicles"]);
    fleet::wait_for_imports(&installation);
    fleet::wait_until_quiet(&installation);
    let verified = installation.cli(&["verify", "vehicles"]);
    for one in verified.as_array().unwrap() {
        assert_eq!(one["differences"], json!([]), "{one}");
    }
}
