//! The built-in org's objects, the portal's types and the syncs between them: the demo's own files.

use serde_json::Value;

use crate::harness::{Installation, PATIENCE, Sandbox, repository, wait_for};

/// Children first, so that parents come late.
pub const SYNCS: [&str; 3] = ["service-visits", "vehicles", "depots"];

/// Makes the portal's object types, adds the tenant and applies the demo's syncs to it.
pub fn make_ready(installation: &Installation, sandbox: &Sandbox) {
    let folder = repository().join("deploy/examples/demo");
    sandbox.create_object_types(&folder.join("object-types.json"));
    installation.add_tenant("demo", sandbox);
    installation.cli(&["sync", "apply", "-f", folder.to_str().unwrap()]);
}

/// Starts an import of every sync, each by a request of its own: of one request, parents would go first.
pub fn start_imports(installation: &Installation) {
    for sync in SYNCS {
        installation.cli(&["import", "start", sync]);
    }
}

/// How the imports stand. Asserts that every record is accounted for, at every look.
pub fn imports(installation: &Installation) -> Vec<Value> {
    let list = installation.cli(&["import", "list"]);
    let imports = list.as_array().expect("a list of imports").clone();
    for import in &imports {
        assert_eq!(
            import["unaccounted"], 0,
            "a record is not accounted for: {import}"
        );
    }
    imports
}

/// Waits until all imports have ended, and gives how they stand then.
pub fn wait_for_imports(installation: &Installation) -> Vec<Value> {
    wait_for("the imports to end", || {
        let imports = imports(installation);
        let ended = !imports.is_empty() && imports.iter().all(|import| !import["ended_ms"].is_null());
        ended.then_some(imports)
    })
}

/// Records of an import that ended in one of the outcomes named.
pub fn count(import: &Value, outcomes: &[&str]) -> u64 {
    let pairs = import["outcomes"].as_array().expect("outcomes");
    let wanted = pairs
        .iter()
        .filter(|pair| outcomes.iter().any(|outcome| pair[0] == *outcome));
    wanted.map(|pair| pair[1].as_u64().expect("a count")).sum()
}

/// Waits until nothing is on its way any more: lanes empty, no link parked, nothing to read again.
pub fn wait_until_quiet(installation: &Installation) {
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut status = Value::Null;
    while !is_quiet(&status) {
        if std::time::Instant::now() > deadline {
            panic!(
                "waited in vain for everything to arrive: {}\n{status}",
                installation.cli(&["failures", "list"])
            );
        }
        status = installation.cli(&["status"])[0].clone();
    }
    if status["failures"] != 0 {
        panic!("{}\n{status}", installation.cli(&["failures", "list"]));
    }
}

/// Whether nothing of a tenant is on its way.
fn is_quiet(status: &Value) -> bool {
    let Some(backlog) = status["backlog"].as_array() else {
        return false;
    };
    let queued: u64 = backlog.iter().filter_map(|lane| lane["messages"].as_u64()).sum();
    queued == 0 && status["parked"] == 0 && status["rereads"] == 0
}

/// Waits until `verify` finds no difference, as it must once the live edits have arrived.
pub fn wait_until_equal(installation: &Installation) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let output = installation.try_cli(&["verify"]);
        if output.status.success() {
            return;
        }
        let last = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            std::time::Instant::now() < deadline,
            "the two systems never became equal:\n{last}\n{}",
            stories(installation, &last)
        );
    }
}

/// The stories of the first records that a text names.
fn stories(installation: &Installation, text: &str) -> String {
    let is_id = |word: &&str| word.len() == 18 && word.starts_with('a');
    let ids = text.split_whitespace().filter(is_id).take(4);
    let tell =
        |id: &str| String::from_utf8_lossy(&installation.try_cli(&["explain", id]).stdout).into_owned();
    ids.map(tell).collect()
}
