//! An import into a portal that people filled before is undone: what it wrote over comes back, what it made goes, and what
//! was edited since stays and is listed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Browser, Installation, Sandbox, wait_for};

/// The HubSpot side of the sync `vehicles`, but for what a formula of today says.
const PROPERTIES: &str = "salesforce_id,landbridge_version,name,external_id,notes,mileage,price,purchased_on,\
                          last_service_at,active,fuel,features,daily_start,website,contact_email,phone,discount,latitude,\
                          longitude,age_days,remark";

/// A record's properties; a cleared one and one that was never set look alike.
pub type Properties = BTreeMap<String, String>;

/// The portal's records of the sync `vehicles`.
pub struct Vehicles<'s> {
    sandbox: &'s Sandbox,
    object_type: String,
    depots: String,
}

impl<'s> Vehicles<'s> {
    pub fn of(sandbox: &'s Sandbox) -> Self {
        Self {
            sandbox,
            object_type: sandbox.object_type("vehicles"),
            depots: sandbox.object_type("depots"),
        }
    }

    fn path(&self, tail: &str) -> String {
        format!("/crm/objects/2026-09/{}{tail}", self.object_type)
    }

    pub fn property(&self, name: &str, is_unique: bool) {
        let definition = json!({
            "name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "vehicles_information",
            "hasUniqueValue": is_unique,
        });
        let path = format!("/crm/properties/2026-09/{}", self.object_type);
        self.sandbox.hubspot("POST", &path, Some(definition));
    }

    fn create(&self, records: &[Value]) -> Vec<String> {
        let inputs: Vec<Value> = records
            .iter()
            .map(|properties| json!({ "properties": properties }))
            .collect();
        let path = self.path("/batch/create");
        // A new property is not usable at once.
        let made = wait_for("the records to be taken", || {
            self.sandbox
                .try_hubspot("POST", &path, Some(json!({ "inputs": inputs })))
        });
        let made = made["results"].as_array().unwrap().iter();
        let by_name: BTreeMap<&str, &str> = made
            .map(|record| {
                (
                    record["properties"]["name"].as_str().unwrap(),
                    record["id"].as_str().unwrap(),
                )
            })
            .collect();
        records
            .iter()
            .map(|record| by_name[record["name"].as_str().unwrap()].to_owned())
            .collect()
    }

    pub fn edit(&self, id: &str, properties: Value) {
        let body = json!({ "properties": properties });
        self.sandbox
            .hubspot("PATCH", &self.path(&format!("/{id}")), Some(body));
    }

    /// All records by their HubSpot ids.
    pub fn all(&self) -> BTreeMap<String, Properties> {
        let mut all = BTreeMap::new();
        let mut after = String::new();
        loop {
            let page = self.path(&format!("?properties={PROPERTIES}&limit=100{after}"));
            let page = self.sandbox.hubspot("GET", &page, None);
            for record in page["results"].as_array().unwrap() {
                let wanted = PROPERTIES.split(',').filter_map(|name| {
                    let value = record["properties"][name]
                        .as_str()
                        .filter(|text| !text.is_empty())?;
                    Some((name.to_owned(), value.to_owned()))
                });
                all.insert(record["id"].as_str().unwrap().to_owned(), wanted.collect());
            }
            match page.pointer("/paging/next/after").and_then(Value::as_str) {
                Some(next) => after = format!("&after={next}"),
                None => return all,
            }
        }
    }

    /// How records are associated with companies and depots: the other end, and the labels of the pair.
    fn associations(&self, ids: &[String]) -> BTreeMap<(String, String), BTreeSet<String>> {
        let mut found = BTreeMap::new();
        let inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        for to in ["0-2", &self.depots] {
            let path = format!("/crm/associations/2026-09/{}/{to}/batch/read", self.object_type);
            let read = self
                .sandbox
                .hubspot("POST", &path, Some(json!({ "inputs": inputs })));
            for record in read["results"].as_array().unwrap() {
                for other in record["to"].as_array().unwrap() {
                    let types = other["associationTypes"].as_array().unwrap().iter();
                    let labels = types.filter_map(|kind| kind["label"].as_str().map(str::to_owned));
                    let from = record["from"]["id"].to_string().replace('"', "");
                    found.insert((from, format!("{to}/{}", other["toObjectId"])), labels.collect());
                }
            }
        }
        found
    }

    fn associate(&self, pairs: &[(&str, &str)], to: &str) {
        let inputs: Vec<Value> = pairs
            .iter()
            .map(|(from, to)| json!({ "from": { "id": from }, "to": { "id": to } }))
            .collect();
        let path = format!(
            "/crm/associations/2026-09/{}/{to}/batch/associate/default",
            self.object_type
        );
        self.sandbox
            .hubspot("POST", &path, Some(json!({ "inputs": inputs })));
    }
}

fn first_ids(sandbox: &Sandbox, object_type: &str, count: usize) -> Vec<String> {
    let page = sandbox.hubspot(
        "GET",
        &format!("/crm/objects/2026-09/{object_type}?limit={count}"),
        None,
    );
    let records = page["results"].as_array().unwrap().iter();
    records
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Records that people made before, some of them associated; gives their HubSpot ids.
fn fill_by_hand(vehicles: &Vehicles<'_>) -> Vec<String> {
    let sandbox = vehicles.sandbox;
    vehicles.property("salesforce_id", true);
    vehicles.property("remark", false);
    let ends = json!({
        "fromObjectTypeId": vehicles.object_type, "toObjectTypeId": vehicles.depots, "name": "vehicle_to_depot",
    });
    let path = format!(
        "/crm-object-schemas/2026-09/schemas/{}/associations",
        vehicles.object_type
    );
    sandbox.hubspot("POST", &path, Some(ends));
    let org = sandbox.query("SELECT Id FROM Vehicle__c");
    let records: Vec<Value> = org
        .iter()
        .take(150)
        .enumerate()
        .map(|(at, source)| {
            let mut record = json!({
                "salesforce_id": source["Id"], "name": format!("By hand {at}"), "mileage": format!("{at}.5"),
                "purchased_on": "2001-02-03", "features": "other", "remark": "seen",
            });
            // Without this one has values that the import sets, and with it a value that it clears or changes.
            if at % 2 == 0 {
                record["notes"] = json!("from a fair");
                record["phone"] = json!("+44 20 7946 0000");
            }
            record
        })
        .collect();
    let made: Vec<String> = records
        .chunks(100)
        .flat_map(|part| vehicles.create(part))
        .collect();
    let companies = first_ids(sandbox, "companies", 5);
    let depots = first_ids(sandbox, &vehicles.depots, 5);
    let pairs = |others: &[String], from: usize| -> Vec<(String, String)> {
        let some = made.iter().skip(from).take(40).enumerate();
        some.map(|(at, id)| (id.clone(), others[at % others.len()].clone()))
            .collect()
    };
    for (others, from, to) in [(companies, 10, "0-2"), (depots, 20, vehicles.depots.as_str())] {
        let pairs = pairs(&others, from);
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect();
        vehicles.associate(&pairs, to);
    }
    made
}

fn import_of(installation: &Installation, id: &str) -> Value {
    let list = installation.cli(&["import", "list"]);
    let import = list.as_array().unwrap().iter().find(|import| import["id"] == id);
    import.expect("the import is listed").clone()
}

pub fn left(installation: &Installation, id: &str) -> BTreeSet<(String, String, String)> {
    let left = installation.cli(&["import", "left", id]);
    let left = left.as_array().unwrap().iter();
    let text = |left: &Value, name: &str| left[name].as_str().unwrap_or_default().to_owned();
    left.map(|left| (text(left, "property"), text(left, "now"), text(left, "before")))
        .collect()
}

#[test]
fn an_import_is_undone_but_for_what_was_edited_since() {
    let mut installation = Installation::new();
    installation.set("LANDBRIDGE_CONTROL__LISTEN", "127.0.0.1:0");
    for stage in ["control", "extractor", "mapper", "resolver", "loader"] {
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "900", "--limits", "1000"]);
    fleet::make_ready(&installation, &sandbox);
    installation.add_user(
        "ann",
        "correct horse battery",
        &["--role", "admin", "--tenant", "demo"],
    );
    installation.cli(&["import", "start", "depots"]);
    let depots = fleet::wait_for_imports(&installation)[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    fleet::wait_until_quiet(&installation);
    let vehicles = Vehicles::of(&sandbox);
    let by_hand = fill_by_hand(&vehicles);
    let (before, linked_before) = (vehicles.all(), vehicles.associations(&by_hand));
    assert_eq!(before.len(), by_hand.len());

    let refused = installation.try_cli(&["import", "undo", &depots, "--yes"]);
    assert_eq!(
        refused.status.code(),
        Some(2),
        "it kept nothing of what was there"
    );
    installation.cli(&["import", "start", "vehicles", "--keep-before"]);
    let import = fleet::wait_for_imports(&installation).pop().unwrap();
    assert_eq!(
        (&import["keeps_before"], &import["state"]),
        (&json!(true), &json!("Completed"))
    );
    fleet::wait_until_quiet(&installation);
    let id = import["id"].as_str().unwrap();
    let imported = vehicles.all();
    let made: Vec<String> = imported
        .keys()
        .filter(|id| !before.contains_key(*id))
        .cloned()
        .collect();
    assert!(made.len() > 100, "{} records were made", made.len());
    assert_ne!(vehicles.associations(&by_hand), linked_before);

    // People go on with their work.
    vehicles.edit(&by_hand[3], json!({ "name": "Edited since" }));
    vehicles.edit(&made[0], json!({ "price": "123456" }));
    vehicles.edit(&made[1], json!({ "remark": "call back" }));
    let (deleted, edited) = (&by_hand[149], &by_hand[3]);
    sandbox.hubspot("DELETE", &vehicles.path(&format!("/{deleted}")), None);

    // Both who undo are killed when it has begun.
    let browser = Browser::sign_in(&installation, "ann", "correct horse battery");
    let path = format!("/tenants/demo/imports/{id}");
    assert!(browser.get(&path).contains("Undo this import"));
    browser.post(&format!("{path}/undo"), &[]);
    for stage in ["control", "loader"] {
        installation.take(stage).kill_hard();
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    let undone = wait_for("the import to be undone", || {
        let import = import_of(&installation, id);
        (import["state"] == "Undone").then_some(import)
    });

    let now = vehicles.all();
    for id in by_hand.iter().filter(|id| *id != deleted) {
        let mut expected = before[id].clone();
        if id == edited {
            expected.insert("name".to_owned(), "Edited since".to_owned());
        }
        assert_eq!(now[id], expected, "{id}");
    }
    let still_there: Vec<&String> = now.keys().filter(|id| !before.contains_key(*id)).collect();
    assert_eq!(
        still_there,
        [&made[0], &made[1]],
        "what the import made and nobody touched is archived"
    );
    let there: Vec<String> = by_hand.iter().filter(|id| *id != deleted).cloned().collect();
    assert_eq!(vehicles.associations(&there), linked_before);
    let expected = [
        ("", "", ""),
        ("name", "Edited since", "By hand 3"),
        ("price", "123456", ""),
        ("remark", "call back", ""),
    ];
    let expected =
        expected.map(|(property, now, before)| (property.to_owned(), now.to_owned(), before.to_owned()));
    assert_eq!(left(&installation, id), BTreeSet::from(expected));
    let counts = &undone["undo"]["counts"];
    assert_eq!(counts["left"], 4, "{undone}");
    assert_eq!(counts["archived"], made.len() as u64 - 2, "{undone}");

    // It is told wherever somebody looks.
    let browser = browser.over(&installation);
    assert!(browser.get(&path).contains("Undone"));
    assert!(
        browser
            .get(&format!("{path}/left.csv"))
            .contains(",name,Edited since,By hand 3,")
    );
    assert!(browser.get("/tenants/demo/audit").contains(id));
    let syncs = installation.cli(&["sync", "list"]);
    let sync = syncs
        .as_array()
        .unwrap()
        .iter()
        .find(|sync| sync["name"] == "vehicles");
    assert_ne!(sync.unwrap()["status"], "active");

    // The next import writes everything again, records and links.
    installation.cli(&["import", "start", "vehicles"]);
    fleet::wait_for_imports(&installation);
    fleet::wait_until_quiet(&installation);
    let verified = installation.cli(&["verify", "vehicles"]);
    for one in verified.as_array().unwrap() {
        assert_eq!(one["differences"], json!([]), "{one}");
    }
}
