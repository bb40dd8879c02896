//! Convergence under fire: seeded edits of records and lookups, while both sides refuse, break off, lose answers and garble them and
//! workers are killed. In the end `verify` finds nothing, every record and link is accounted for, and none is missing or extra.
//!
//! `LANDBRIDGE_FIRE_ROUNDS` and `LANDBRIDGE_FIRE_SEED` make it longer and another one (`just soak`).

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::fleet::{self, count};
use crate::harness::{Installation, Sandbox};

const WORKERS: [&str; 4] = ["extractor", "mapper", "resolver", "loader"];
/// Edits between two disturbances.
const EDITS: usize = 25;

fn from_environment(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |text| text.parse().expect("a number"))
}

/// People in Salesforce, who edit whatever comes their way.
struct People<'a> {
    org: &'a Sandbox,
    random: StdRng,
    depots: Vec<String>,
    vehicles: Vec<String>,
    deleted: Vec<String>,
    made: u32,
}

impl<'a> People<'a> {
    fn of(org: &'a Sandbox, seed: u64) -> Self {
        let ids = |object: &str| -> Vec<String> {
            let rows = org.query(&format!("SELECT Id FROM {object} ORDER BY Id"));
            rows.iter()
                .map(|row| row["Id"].as_str().unwrap().to_owned())
                .collect()
        };
        Self {
            org,
            random: StdRng::seed_from_u64(seed),
            depots: ids("Depot__c"),
            vehicles: ids("Vehicle__c"),
            deleted: Vec::new(),
            made: 0,
        }
    }

    fn any_depot(&mut self) -> Value {
        match self.random.random_range(0..8) {
            0 => Value::Null,
            _ => json!(self.depots.choose(&mut self.random)),
        }
    }

    fn edit(&mut self) {
        self.made += 1;
        let name = format!("Edit {}", self.made);
        let place = self.random.random_range(0..self.vehicles.len());
        match self.random.random_range(0..14) {
            0..=1 => {
                let depot = self.any_depot();
                let fields = json!({ "Name": name, "Depot__c": depot });
                let id = self.org.create("Vehicle__c", fields);
                self.vehicles.push(id);
            }
            2..=4 => self
                .org
                .edit("Vehicle__c", &self.vehicles[place], json!({ "Name": name })),
            5..=8 => {
                let depot = self.any_depot();
                let fields = json!({ "Depot__c": depot });
                self.org.edit("Vehicle__c", &self.vehicles[place], fields);
            }
            9..=10 => {
                let id = self.vehicles.swap_remove(place);
                self.org.delete("Vehicle__c", &id);
                self.deleted.push(id);
            }
            11 => {
                if let Some(id) = self.deleted.pop() {
                    self.org.org_backdoor("undelete", json!({ "ids": [id] }));
                    self.vehicles.push(id);
                }
            }
            12 => {
                let id = self.depots.choose(&mut self.random).expect("there are depots");
                self.org.edit("Depot__c", id, json!({ "Name": name }));
            }
            _ => {
                let id = self.org.create("Depot__c", json!({ "Name": name }));
                self.depots.push(id);
            }
        }
    }
}

/// What goes wrong with the next calls, on either side.
fn faults(random: &mut StdRng) -> (Value, Value) {
    let reads = ["/queryAll", "/jobs/query", "/results"];
    let place = reads.choose(random).unwrap();
    let salesforce = [
        json!({ "where": place, "what": { "status": 503 }, "times": 3 }),
        json!({ "where": place, "what": "reset", "times": 2 }),
        json!({ "where": place, "what": { "reset_after": 700 }, "times": 2 }),
        json!({ "where": place, "what": { "html": 502 }, "times": 2 }),
        json!({ "where": place, "what": { "status": 401 }, "times": 1 }),
    ];
    let calls = [
        "POST /crm/objects/2026-09/2-",
        "/batch/upsert",
        "/batch/read",
        "/batch/archive",
        "/associations/",
    ];
    let place = calls.choose(random).unwrap();
    let effect = random.random_bool(0.5);
    let hubspot = [
        json!({ "where": place, "what": { "status": 502 }, "times": 3, "effect": effect }),
        json!({ "where": place, "what": "reset", "times": 2, "effect": effect }),
        json!({ "where": place, "what": { "truncate": 40 }, "times": 2, "effect": true }),
        json!({ "where": place, "what": { "empty": 504 }, "times": 2, "effect": effect }),
        json!({ "where": place, "what": { "status": 429 }, "times": 4 }),
        json!({ "where": place, "what": { "status": 423 }, "times": 2 }),
        json!({ "where": place, "what": { "status": 477 }, "times": 1 }),
        json!({ "where": place, "what": { "html": 503 }, "times": 2, "effect": effect }),
        json!({ "where": place, "what": { "status": 500 }, "times": 5, "effect": effect }),
        json!({ "where": place, "what": { "status": 522 }, "times": 2, "effect": effect }),
        json!({ "where": place, "what": { "reshape": "no_results" }, "times": 2, "effect": effect }),
        json!({ "where": place, "what": { "delay_ms": 4_000 }, "times": 1, "effect": effect }),
    ];
    let one = |faults: &[Value], random: &mut StdRng| faults.choose(random).unwrap().clone();
    (one(&salesforce, random), one(&hubspot, random))
}

#[test]
fn everything_converges_under_fire() {
    let seed = from_environment("LANDBRIDGE_FIRE_SEED", 5);
    let rounds = from_environment("LANDBRIDGE_FIRE_ROUNDS", 8);
    let mut random = StdRng::seed_from_u64(seed);
    let mut installation = Installation::whole();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "900", "--limits", "real"]);
    fleet::make_ready(&installation, &sandbox);
    installation.cli(&[&["sync", "activate"], &fleet::SYNCS[..]].concat());
    fleet::start_imports(&installation);
    let mut people = People::of(&sandbox, seed);
    let mut alive: Vec<(String, &str)> = WORKERS.map(|stage| (stage.to_owned(), stage)).into();
    for round in 0..rounds {
        let (salesforce, hubspot) = faults(&mut random);
        sandbox.org_backdoor("faults", salesforce);
        sandbox.hubspot("POST", "/__sandbox/faults", Some(hubspot));
        (0..EDITS).for_each(|_| people.edit());
        let place = random.random_range(0..alive.len());
        let (name, stage) = alive.swap_remove(place);
        installation.take(&name).kill_hard();
        let name = format!("{stage}-{round}");
        installation.start(&name, stage);
        alive.push((name, stage));
        if random.random_bool(0.5) {
            installation.wait_until_ready();
        }
    }
    sandbox.clear_faults();
    installation.wait_until_ready();
    let imports = fleet::wait_for_imports(&installation);
    for import in &imports {
        let ends = ["created", "updated", "unchanged", "superseded", "deleted", "kept"];
        assert_eq!(
            Some(count(import, &ends)),
            import["extracted"].as_u64(),
            "seed {seed}: {import}"
        );
    }
    fleet::wait_until_quiet(&installation);
    fleet::wait_until_equal(&installation);
    // Verify's word on links is held against the two systems themselves.
    let (vehicles, depots) = (sandbox.object_type("vehicles"), sandbox.object_type("depots"));
    for row in sandbox.query("SELECT Id, Depot__c FROM Vehicle__c WHERE Name LIKE 'Edit %'") {
        let id = row["Id"].as_str().unwrap();
        let wanted: Vec<String> = row["Depot__c"]
            .as_str()
            .map(|depot| sandbox.hubspot_id(&depots, depot).expect("the depot is there"))
            .into_iter()
            .collect();
        assert_eq!(
            sandbox.linked(&vehicles, &depots, id),
            wanted,
            "seed {seed}: {row}"
        );
    }
}
