//! A small sync for this crate's own tests.

use landbridge_model::Table;
use landbridge_model::config::Sync;

use crate::plan::ReadPlan;

/// A sync of vehicles with a name, a price and a lookup.
pub(crate) fn sync() -> Sync {
    let field = |name: &str, kind: &str| serde_json::json!({ "name": name, "label": name, "type": kind, "length": 80 });
    let json = serde_json::json!({
        "definition": {
            "apiVersion": "landbridge/v1", "kind": "Sync",
            "metadata": { "tenant": "acme", "name": "vehicles" },
            "spec": {
                "salesforce": { "object": "Vehicle__c" },
                "hubspot": { "objectType": "vehicles" },
                "filter": { "all": [{ "field": "Price__c", "op": "greater-than", "value": 5 }] },
                "associations": [{ "field": "Depot__c", "to": "depots" }],
                "fields": [{ "from": "Name", "to": "name" }, { "from": "Price__c", "to": "price" }],
            },
        },
        "revision": 3,
        "status": "active",
        "activation": 1,
        "resolved": {
            "object": {
                "name": "Vehicle__c", "label": "Vehicle", "custom": true, "queryable": true, "keyPrefix": "a00",
                "fields": [
                    field("Id", "id"), field("Name", "string"), field("Price__c", "currency"),
                    field("Depot__c", "reference"), field("Place__c", "location"),
                ],
            },
            "object_type": {
                "objectTypeId": "2-1", "object_type_id": "2-1", "name": "vehicles", "label": "Vehicles",
                "fully_qualified_name": null, "required_properties": [], "properties": [],
            },
            "associations": [],
        },
    });
    serde_json::from_value(json).expect("the sample sync has the shape of a sync")
}

/// What to read for it.
pub(crate) fn plan() -> ReadPlan {
    ReadPlan::new(&sync()).expect("the sample sync can be read")
}

/// Rows of it: id, stamp, whether deleted, name.
pub(crate) fn rows(rows: &[(&str, &str, bool, &str)]) -> Table {
    let plan = plan();
    let mut table = plan.columns.table();
    for (id, stamp, deleted, name) in rows {
        let deleted = if *deleted { "true" } else { "false" };
        let name = Some(*name).filter(|name| !name.is_empty());
        table.push_row([Some(*id), Some(*stamp), Some(deleted), name, Some("9"), None]);
    }
    table
}
