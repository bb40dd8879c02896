//! A stop of any length ends in the same state as no stop: past the window in which change events can be replayed, and past
//! the one in which the org still shows what was deleted. The org's own clock passes as fast as a test needs it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, Sandbox, wait_for};

const HOUR_MS: i64 = 3_600_000;
/// How long any stretch of the org's time takes here.
const PASSES_IN_MS: f64 = 6_000.0;

/// What HubSpot has of the depots: by Salesforce id, the properties, and the depots that are linked.
type Picture = BTreeMap<String, (Value, BTreeSet<String>)>;

/// Whether everything stands still while the org changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    None,
    Killed,
}

impl Sandbox {
    fn now_ms(&self) -> i64 {
        self.org_state("clock")["now_ms"].as_i64().unwrap()
    }

    /// Lets time pass in the org, quickly.
    fn let_pass(&self, ms: i64) {
        let until = self.now_ms() + ms;
        self.set_up_org(json!({ "clock_rate": ms as f64 / PASSES_IN_MS }));
        wait_for("the time to pass", || (self.now_ms() >= until).then_some(()));
        self.set_up_org(json!({ "clock_rate": 1.0 }));
    }

    fn picture(&self, depots: &str) -> Picture {
        let mut records = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!(
                "/crm/objects/2026-09/{depots}?limit=100&properties=salesforce_id,name,code,capacity,opened_on&associations={depots}{after}"
            );
            let page = self.hubspot("GET", &path, None);
            records.extend(page["results"].as_array().unwrap().clone());
            match page["paging"]["next"]["after"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let names: BTreeMap<String, String> = records
            .iter()
            .map(|record| (text(&record["id"]), text(&record["properties"]["salesforce_id"])))
            .collect();
        let linked = |record: &Value| {
            let of_all_types = record["associations"].as_object().into_iter().flatten();
            let ends = of_all_types.flat_map(|(_, links)| links["results"].as_array().into_iter().flatten());
            ends.filter_map(|end| names.get(end["id"].as_str()?).cloned())
                .collect()
        };
        let told = ["name", "code", "capacity", "opened_on"];
        records
            .iter()
            .map(|record| {
                let properties: serde_json::Map<String, Value> = told
                    .iter()
                    .map(|name| ((*name).to_owned(), record["properties"][name].clone()))
                    .collect();
                let id = text(&record["properties"]["salesforce_id"]);
                (id, (Value::Object(properties), linked(record)))
            })
            .collect()
    }
}

/// The same org, the same edits, the same time; with a stop in the middle or without. What HubSpot has in the end.
fn end_state(stop: Stop, hours: i64, expected: Option<&Picture>) -> Picture {
    let mut installation = Installation::new();
    for (name, value) in [
        ("LANDBRIDGE_EXTRACTOR__RECONCILE_INTERVAL", "2s"),
        ("LANDBRIDGE_EXTRACTOR__POLL_INTERVAL", "300ms"),
    ] {
        installation.set(name, value);
    }
    installation.start("before", "up");
    installation.wait_until_ready();
    let sandbox = Sandbox::start(
        installation.folder(),
        &["--records", "1200", "--limits", "off", "--seed", "11"],
    );
    // Sessions that last: what is rehearsed is the time, not the signing in.
    sandbox.set_up_org(json!({ "session_ms": 1_000 * HOUR_MS }));
    fleet::make_ready(&installation, &sandbox);
    installation.cli(&["sync", "activate", "depots"]);
    installation.cli(&["import", "start", "depots"]);
    fleet::wait_for_imports(&installation);
    fleet::wait_until_quiet(&installation);
    if stop == Stop::Killed {
        installation.take("before").kill_hard();
    }

    let (first_half, second_half) = (hours / 2, hours - hours / 2);
    edit(&sandbox, "early");
    if stop == Stop::None {
        wait_until_equal(&installation);
    }
    sandbox.let_pass(first_half * HOUR_MS);
    edit(&sandbox, "late");
    if stop == Stop::None {
        wait_until_equal(&installation);
    }
    sandbox.let_pass(second_half * HOUR_MS);

    if stop == Stop::Killed {
        installation.start("after", "up");
        installation.wait_until_ready();
    }
    let depots = sandbox.object_type("depots");
    match expected {
        Some(expected) => wait_for("the same state as without a stop", || {
            let picture = sandbox.picture(&depots);
            (picture == *expected).then_some(())
        }),
        None => fleet::wait_until_quiet(&installation),
    }
    wait_until_equal(&installation);
    assert_eq!(installation.cli(&["held", "list"])["held"], json!([]));
    sandbox.picture(&depots)
}

/// Waits until HubSpot has what Salesforce has.
fn wait_until_equal(installation: &Installation) {
    wait_for("the depots to be equal", || {
        let verified = installation.try_cli(&["verify", "depots"]);
        verified.status.success().then_some(())
    });
}

/// Records that come, change, go, and change their parents.
fn edit(sandbox: &Sandbox, when: &str) {
    let rows = sandbox.query("SELECT Id FROM Depot__c WHERE Parent_Depot__c != null ORDER BY Id LIMIT 6");
    let id = |at: usize| rows[at]["Id"].as_str().unwrap().to_owned();
    let path = |id: &str| format!("/sobjects/Depot__c/{id}");
    let new = json!({ "Name": format!("{when} and new"), "Capacity__c": 12, "Parent_Depot__c": id(0) });
    let made = sandbox.salesforce("POST", "/sobjects/Depot__c", Some(new));
    let changed = json!({ "Name": format!("{when} renamed"), "Capacity__c": null });
    sandbox.salesforce("PATCH", &path(&id(1)), Some(changed));
    sandbox.salesforce(
        "PATCH",
        &path(&id(2)),
        Some(json!({ "Parent_Depot__c": made["id"] })),
    );
    sandbox.salesforce("PATCH", &path(&id(3)), Some(json!({ "Parent_Depot__c": null })));
    sandbox.salesforce("DELETE", &path(&id(4)), None);
    sandbox.salesforce("DELETE", &path(&id(5)), None);
    // One of those comes back.
    sandbox.org_backdoor("undelete", json!({ "ids": [id(5)] }));
}

/// Both, one after the other, and what they left.
fn compare(hours: i64) {
    let without = end_state(Stop::None, hours, None);
    assert!(without.len() > 10, "{without:?}");
    let with = end_state(Stop::Killed, hours, Some(&without));
    assert_eq!(with, without);
}

#[test]
fn a_stop_of_80_hours_past_the_replay_window_ends_in_the_same_state_as_none() {
    compare(80);
}

#[test]
fn a_stop_of_20_days_past_the_delete_window_ends_in_the_same_state_as_none() {
    compare(20 * 24);
}
