//! Everything is deleted in the org at once: it stops at the limit, somebody is told, and one decision settles it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use crate::fleet;
use crate::harness::{Installation, PATIENCE, Sandbox, repository, wait_for};

/// What the sync may delete within an hour.
const LIMIT: u64 = 5;

/// A webhook's other end: its address, and the bodies that arrive.
fn webhook() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let (name, value) = line.split_once(':').unwrap_or_default();
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
            stream.get_mut().write_all(answer).unwrap();
            if sender.send(serde_json::from_slice(&body).unwrap()).is_err() {
                return;
            }
        }
    });
    (address, receiver)
}

/// An installation and its portal after everything was deleted in the org, and how many records HubSpot had.
fn after_a_mass_delete() -> (Installation, Sandbox, u64) {
    let mut installation = Installation::new();
    installation.set("LANDBRIDGE_CONTROL__ALERT_EVERY", "1s");
    installation.start("everything", "up");
    installation.wait_until_ready();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    let text = std::fs::read_to_string(repository().join("deploy/examples/demo/depots.yaml")).unwrap();
    let file = installation.folder().join("depots.yaml");
    let limited = text.replace("maxDeletes: 500", &format!("maxDeletes: {LIMIT}"));
    assert_ne!(text, limited);
    std::fs::write(&file, limited).unwrap();
    installation.cli(&["sync", "apply", "-f", file.to_str().unwrap()]);
    installation.cli(&["import", "start", "depots"]);
    let imports = fleet::wait_for_imports(&installation);
    let written = fleet::count(&imports[0], &["created"]);
    installation.cli(&["sync", "activate", "depots"]);
    let (address, messages) = webhook();
    let secret = installation.folder().join("secret");
    std::fs::write(&secret, "a secret of many letters").unwrap();
    let secret = secret.to_str().unwrap();
    installation.cli(&[
        "alerts",
        "set",
        "--webhook",
        &address,
        "--webhook-secret-file",
        secret,
    ]);
    assert_eq!(listed(&sandbox), written);
    // Children first: a depot that has some is not deleted.
    loop {
        let rows = sandbox.query("SELECT Id FROM Depot__c");
        let ids: Vec<&str> = rows.iter().map(|row| row["Id"].as_str().unwrap()).collect();
        if ids.is_empty() {
            break;
        }
        let path = format!("/composite/sobjects?ids={}", ids.join(","));
        sandbox.salesforce("DELETE", &path, None);
    }

    let held = wait_for("the deletes to be held", || {
        let held = installation.cli(&["held", "list"]);
        (held["total"].as_u64()? == written - LIMIT).then_some(held)
    });
    assert_eq!(
        listed(&sandbox),
        written - LIMIT,
        "more was deleted than the limit allows: {held}"
    );
    let told = messages.recv_timeout(PATIENCE).expect("an alert");
    assert_eq!(told["alert"], "held-deletes", "{told}");
    assert_eq!(
        (&told["state"], &told["subject"]),
        (&"raised".into(), &"depots".into()),
        "{told}"
    );
    (installation, sandbox, written)
}

/// Depots that the portal has.
fn listed(sandbox: &Sandbox) -> u64 {
    let path = format!("/crm/objects/2026-09/{}?limit=100", sandbox.object_type("depots"));
    let page = sandbox.hubspot("GET", &path, None);
    page["results"].as_array().unwrap().len() as u64
}

#[test]
fn a_mass_delete_stops_at_the_limit_is_told_and_goes_by_one_decision() {
    let (installation, sandbox, written) = after_a_mass_delete();
    let decided = installation.cli(&["held", "approve", "depots", "--all", "--yes"]);
    assert_eq!(decided["count"], written - LIMIT, "{decided}");
    wait_for("all to be deleted", || (listed(&sandbox) == 0).then_some(()));
}

#[test]
fn a_mass_delete_that_is_discarded_leaves_the_records_alone() {
    let (installation, sandbox, written) = after_a_mass_delete();
    let decided = installation.cli(&["held", "discard", "depots", "--all", "--yes"]);
    assert_eq!(decided["count"], written - LIMIT, "{decided}");
    let left = installation.cli(&["held", "list"]);
    assert_eq!(left["total"], 0, "{left}");
    // A change that comes after the decision is carried as ever, and takes nothing of what was kept with it.
    let created = sandbox.create("Depot__c", serde_json::json!({ "Name": "After the storm" }));
    let depots = sandbox.object_type("depots");
    wait_for("a depot of its own", || sandbox.hubspot_id(&depots, &created));
    assert_eq!(listed(&sandbox), written - LIMIT + 1);
}
