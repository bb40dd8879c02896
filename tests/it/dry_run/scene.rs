//! The scene of the dry runs: an org, a portal where somebody was before, and what is read of predictions and deeds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use landbridge_bus::{Filter, Subject};
use landbridge_model::{LinkOutcome, LinkStance, Outcome, Purpose, SalesforceId, Shard, TenantId};
use landbridge_wire::{Report, ReportBody, Wire};
use serde_json::{Value, json};

use crate::fleet;
use crate::harness::{Installation, STAGES, Sandbox, repository, text, wait_for};

/// What became of each record of each sync.
pub type Records = BTreeMap<(String, SalesforceId), Outcome>;
/// What became of each link of each sync: child, lookup.
pub type Links = BTreeMap<(String, SalesforceId, String), LinkOutcome>;

/// The names of the syncs, parents first.
pub const PARENTS_FIRST: [&str; 3] = ["depots", "vehicles", "service-visits"];

/// Everything that runs.
pub struct Scene {
    pub installation: Installation,
    pub sandbox: Sandbox,
    /// Where the definitions are.
    pub folder: PathBuf,
}

/// The demo's org and syncs, made less peaceful: codes without an option, a price that HubSpot requires, and a filter
/// that only the mapper can apply.
pub fn scene() -> Scene {
    let mut installation = Installation::new();
    // Whatever the test edits or deletes, every import's catch-up reads again, however slow the machine is.
    installation.set("LANDBRIDGE_EXTRACTOR__OVERLAP", "30m");
    for stage in STAGES {
        installation.start(stage, stage);
    }
    installation.wait_until_ready();
    let sandbox = Sandbox::start(installation.folder(), &["--records", "600", "--limits", "1000"]);
    let demo = repository().join("deploy/examples/demo");
    let types = std::fs::read_to_string(demo.join("object-types.json")).unwrap();
    for mut schema in serde_json::from_str::<Vec<Value>>(&types).unwrap() {
        if schema["name"] == "depots" {
            let code = property_of(&mut schema, "code");
            code["type"] = json!("enumeration");
            code["fieldType"] = json!("select");
            let options = (1..=15).map(|number| format!("D-{number:06}"));
            code["options"] = options
                .map(|value| json!({ "label": value, "value": value, "displayOrder": 0, "hidden": false }))
                .collect();
        }
        if schema["name"] == "vehicles" {
            schema["requiredProperties"] = json!(["name", "price"]);
        }
        sandbox.hubspot("POST", "/crm-object-schemas/2026-09/schemas", Some(schema));
    }
    installation.add_tenant("demo", &sandbox);
    let folder = installation.folder().join("syncs");
    std::fs::create_dir_all(&folder).unwrap();
    for name in PARENTS_FIRST {
        let file = format!("{name}.yaml");
        let mut definition = std::fs::read_to_string(demo.join(&file)).unwrap();
        if name == "vehicles" {
            let filter =
                "  filter:\n    all:\n      - field: Notes__c\n        op: is-not-empty\n  associations:\n";
            definition = definition.replacen("  associations:\n", filter, 1);
        }
        std::fs::write(folder.join(file), definition).unwrap();
    }
    // HubSpot shows what was just created a moment late.
    wait_for("the object types to be seen", || {
        let command = ["sync", "validate", "-f", folder.to_str().unwrap()];
        installation.try_cli(&command).status.success().then_some(())
    });
    Scene {
        installation,
        sandbox,
        folder,
    }
}

fn property_of<'s>(schema: &'s mut Value, name: &str) -> &'s mut Value {
    let properties = schema["properties"].as_array_mut().unwrap();
    properties
        .iter_mut()
        .find(|property| property["name"] == name)
        .unwrap_or_else(|| panic!("the type has no property {name}"))
}

impl Scene {
    /// HubSpot's own integration brings companies as it likes: until all are there, nobody can predict which are.
    pub fn wait_for_companies(&self) {
        let accounts = self.sandbox.query("SELECT Id FROM Account").len();
        wait_for("a company for every account", || {
            let (mut companies, mut after) = (0, String::new());
            loop {
                let path = format!("/crm/objects/2026-09/0-2?limit=100{after}");
                let page = self.sandbox.hubspot("GET", &path, None);
                companies += page["results"].as_array()?.len();
                match page["paging"]["next"]["after"].as_str() {
                    Some(next) => after = format!("&after={next}"),
                    None => return (companies >= accounts).then_some(()),
                }
            }
        });
    }

    pub fn depots(&self) -> Vec<Value> {
        self.sandbox
            .query("SELECT Id, Name, Code__c, Capacity__c, Opened_On__c FROM Depot__c ORDER BY Id")
    }

    /// Somebody has brought depots to HubSpot already, under the ids that the sync will use: one with the very values
    /// that it has in Salesforce, others with older ones.
    pub fn somebody_was_here(&self) {
        let depots = self.sandbox.object_type("depots");
        let property = json!({
            "name": "salesforce_id", "label": "Salesforce ID", "type": "string", "fieldType": "text",
            "groupName": "depots_information", "hasUniqueValue": true,
        });
        self.sandbox.hubspot(
            "POST",
            &format!("/crm/properties/2026-09/{depots}"),
            Some(property),
        );
        let rows = self.depots();
        let values = |row: &Value| {
            json!({
                "salesforce_id": row["Id"], "name": row["Name"], "code": row["Code__c"],
                "capacity": row["Capacity__c"].as_f64().map(|number| number.to_string()).unwrap_or_default(),
                "opened_on": row["Opened_On__c"].as_str().unwrap_or_default(),
            })
        };
        let mut inputs = vec![json!({ "properties": values(&rows[0]) })];
        for row in &rows[1..5] {
            let mut older = values(row);
            older["name"] = json!("An older name");
            older["capacity"] = json!("1");
            inputs.push(json!({ "properties": older }));
        }
        // This one's code is refused whoever made the record.
        let mut refused = values(&rows[17]);
        refused["code"] = json!("D-000001");
        inputs.push(json!({ "properties": refused }));
        let path = format!("/crm/objects/2026-09/{depots}/batch/create");
        wait_for("the property to be usable", || {
            let body = json!({ "inputs": inputs });
            self.sandbox.try_hubspot("POST", &path, Some(body))
        });
        let path = format!("/crm/properties/2026-09/{depots}");
        wait_for("the property to be shown", || {
            let shown = self.sandbox.hubspot("GET", &path, None).to_string();
            shown.contains("\"salesforce_id\"").then_some(())
        });
    }

    /// All that the portal shows of the three types.
    pub fn portal(&self) -> BTreeMap<String, Value> {
        let mut seen = BTreeMap::new();
        for name in ["depots", "vehicles", "service_visits"] {
            let object_type = self.sandbox.object_type(name);
            for path in [
                format!("/crm/properties/2026-09/{object_type}"),
                format!("/crm/objects/2026-09/{object_type}?limit=100&properties=name,salesforce_id"),
                format!("/crm/associations/2026-09/{object_type}/{object_type}/labels"),
            ] {
                seen.insert(path.clone(), self.sandbox.hubspot("GET", &path, None));
            }
        }
        seen
    }

    /// Runs the command for all definitions; gives one result for each, by name.
    pub fn dry_run(&self, arguments: &[&str]) -> BTreeMap<String, Value> {
        let folder = self.folder.to_str().unwrap();
        let command = ["--output", "json", "sync", "dry-run", "-f", folder];
        let output = self.installation.try_cli(&[&command[..], arguments].concat());
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(
            matches!(output.status.code(), Some(0 | 3)),
            "{:?}: {out}{err}",
            output.status
        );
        let results: Vec<Value> = serde_json::from_str(&out).unwrap();
        let name = |result: &Value| result["sync"].as_str().unwrap().to_owned();
        results
            .into_iter()
            .map(|result| (name(&result), result))
            .collect()
    }

    /// The dry run of all records of all definitions, and what it predicts.
    pub fn predict(&self) -> (BTreeMap<String, Value>, Records, Links) {
        let results = self.dry_run(&["--all", "--limit", "1000"]);
        assert_eq!(results.len(), 3);
        let (mut records, mut links) = (Records::new(), Links::new());
        for (sync, result) in &results {
            let shown = result["shown"].as_array().unwrap();
            for record in shown.iter().flat_map(|part| part[1].as_array().unwrap()) {
                let id: SalesforceId = serde_json::from_value(record["id"].clone()).unwrap();
                let outcome = serde_json::from_value(record["outcome"].clone()).unwrap();
                records.insert((sync.clone(), id), outcome);
                for link in record["links"].as_array().into_iter().flatten() {
                    let stance: LinkStance = serde_json::from_value(link["stance"].clone()).unwrap();
                    let outcome = stance.outcome().expect("all records were looked at");
                    let field = link["field"].as_str().unwrap().to_owned();
                    links.insert((sync.clone(), id, field), outcome);
                }
            }
            let told: u64 = result["outcomes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| pair[1].as_u64().unwrap())
                .sum();
            let shown = records.keys().filter(|(of, _)| of == sync).count() as u64;
            assert_eq!(shown, told, "every record of {sync} is shown");
        }
        (results, records, links)
    }

    /// Imports all, parents first, and gives what came of it by the stages' own reports.
    pub fn import(&self) -> (Records, Links) {
        let before = self.reports().len();
        for name in PARENTS_FIRST {
            self.installation.cli(&["import", "start", name]);
            fleet::wait_for_imports(&self.installation);
        }
        self.wait_until_links_rest();
        let (mut records, mut links, mut earlier) = (Records::new(), Links::new(), Links::new());
        for (place, report) in self.reports().iter().enumerate() {
            let sync = report.envelope.sync.to_string();
            match &report.body {
                _ if report.envelope.purpose != Purpose::Apply => {}
                ReportBody::Records(told) if place >= before => {
                    for record in told {
                        // What the catch-up reads a second time is unchanged by then.
                        let key = (sync.clone(), record.id);
                        records.entry(key).or_insert(record.outcome);
                    }
                }
                ReportBody::Links(told) => {
                    let links = if place < before { &mut earlier } else { &mut links };
                    for link in told {
                        links.insert((sync.clone(), link.child, link.field.clone()), link.outcome);
                    }
                }
                _ => {}
            }
        }
        // A link that waits still is not told again: it stands as it was told last, while its record is carried.
        for (key, outcome) in earlier {
            let record = records.get(&(key.0.clone(), key.1));
            if matches!(
                record,
                Some(Outcome::Created | Outcome::Updated | Outcome::Unchanged)
            ) {
                links.entry(key).or_insert(outcome);
            }
        }
        (records, links)
    }

    pub fn reports(&self) -> Vec<Report> {
        let tenant = TenantId::new("demo").unwrap();
        self.installation.on_the_bus(async |bus| {
            let shard = Shard::of(&tenant, bus.shards());
            let stored = bus
                .list(&Filter::exact(&Subject::Outcomes { shard, tenant }))
                .await
                .unwrap();
            stored
                .iter()
                .map(|one| Report::decode(&one.payload).unwrap())
                .collect()
        })
    }

    /// Until no link is on its way: those that wait for a record stay.
    fn wait_until_links_rest(&self) {
        let mut last = None;
        wait_for("the links to come to rest", || {
            let status = self.installation.cli(&["status"]);
            let tenant = status.as_array()?.first()?.clone();
            let queued: u64 = tenant["backlog"]
                .as_array()?
                .iter()
                .filter_map(|lane| lane["messages"].as_u64())
                .sum();
            let now = Some((queued, tenant["parked"].clone(), self.reports().len()));
            let rests = queued == 0 && now == last;
            last = now;
            rests.then_some(())
        });
    }
}
