//! The operator's commands over the REST API, with a token and nothing else in hand.

use serde_json::Value;

use crate::fleet;
use crate::harness::{Installation, STAGES, Sandbox, repository, text, wait_for};

fn installation() -> Installation {
    let mut installation = Installation::new();
    installation.set("LANDBRIDGE_CONTROL__LISTEN", "127.0.0.1:0");
    for stage in STAGES {
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    installation
}

fn token(installation: &Installation, arguments: &[&str]) -> String {
    let created = installation.cli(&[&["token", "create", "test"], arguments].concat());
    created["token"].as_str().expect("a token").to_owned()
}

#[test]
fn a_token_is_all_that_an_operator_needs() {
    let installation = installation();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "300", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    let operator = token(&installation, &["--role", "operator", "--tenant", "demo"]);
    let json = |arguments: &[&str]| -> Value {
        let output = installation.remote(&operator, &[&["--output", "json"], arguments].concat());
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{err}");
        serde_json::from_str(&out).unwrap_or(Value::String(out))
    };

    let files = repository().join("deploy/examples/demo");
    let files = files.to_str().unwrap();
    assert_eq!(json(&["sync", "diff", "-f", files]), serde_json::json!([]));
    let applied = json(&["sync", "apply", "-f", files]);
    assert_eq!(applied[0]["written"], false, "{applied}");
    let started = json(&["import", "start", "vehicles", "depots"]);
    let order: Vec<&str> = started
        .as_array()
        .unwrap()
        .iter()
        .map(|import| import["sync"].as_str().unwrap())
        .collect();
    assert_eq!(order, ["depots", "vehicles"], "parents go first");
    let activated = json(&["sync", "activate", "depots", "vehicles"]);
    assert_eq!(activated["written"], true, "{activated}");
    wait_for("the imports to end", || {
        let imports = json(&["import", "list"]);
        imports
            .as_array()
            .unwrap()
            .iter()
            .all(|import| !import["ended_ms"].is_null())
            .then_some(())
    });
    assert_eq!(json(&["status"])[0]["tenant"], "demo");
    assert_eq!(json(&["failures", "list"])["total"], 0);
    let depot = sandbox.query("SELECT Id FROM Depot__c LIMIT 1").remove(0);
    let story = json(&["explain", depot["Id"].as_str().unwrap()]);
    assert!(story.to_string().contains("created in HubSpot"), "{story}");

    // What the bus tells and what the API tells is the same, byte for byte.
    let over_bus = text(&installation.try_cli(&["sync", "export"]).stdout);
    let over_api = text(&installation.remote(&operator, &["sync", "export"]).stdout);
    assert_eq!(over_bus, over_api);
    let predicted = json(&["sync", "dry-run", "-f", files, "--all"]);
    for one in predicted.as_array().unwrap() {
        let outcomes: Vec<&str> = one["outcomes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|outcome| outcome[0].as_str())
            .collect();
        // The visits were not imported.
        let is_there = one["sync"] != "service-visits";
        assert_eq!(
            outcomes,
            [if is_there { "unchanged" } else { "created" }],
            "{one}"
        );
    }
    assert_eq!(json(&["held", "list"])["total"], 0);
    let verified = json(&["verify", "depots"]);
    assert_eq!(verified[0]["differences"], serde_json::json!([]), "{verified}");
}

#[test]
fn who_may_not_is_told_so_by_the_exit_code() {
    let installation = installation();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "300", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    let viewer = token(&installation, &["--role", "viewer", "--tenant", "demo"]);
    let elsewhere = token(&installation, &["--role", "admin", "--tenant", "other"]);
    for (token, arguments, code, part) in [
        (
            viewer.as_str(),
            &["sync", "activate", "vehicles"][..],
            6,
            "operator",
        ),
        (&viewer, &["import", "start", "nope"], 6, "operator"),
        (&elsewhere, &["status", "--tenant", "demo"], 4, "demo"),
        (&elsewhere, &["import", "list"], 4, "no tenant"),
        ("lbt_wrong", &["status"], 6, "not good"),
        ("", &["status"], 6, "LANDBRIDGE_TOKEN"),
    ] {
        let output = installation.remote(token, arguments);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(part), "{told}");
    }
    let listed = installation.cli(&["token", "list"]);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2);
    let id = listed
        .iter()
        .find(|token| token["grants"][0]["role"] == "viewer")
        .unwrap()["id"]
        .as_str()
        .unwrap();
    installation.cli(&["token", "revoke", id]);
    assert_eq!(installation.remote(&viewer, &["status"]).status.code(), Some(6));
}
