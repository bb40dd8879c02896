//! What can be seen on both sides, and what is created in HubSpot.

use serde_json::json;

use super::{Entry, World, ask, body, entry, nowhere, query};
use crate::api::Api;

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_are_shown_and_what_is_missing_is_created() {
    let api = Api::new().await;
    {
        let mut world = api.rig.world.lock().unwrap();
        world.shows_types = true;
        let label = json!({"category": "USER_DEFINED", "type_id": 7, "label": "stationed at"});
        world.labels = vec![serde_json::from_value(label).unwrap()];
    }
    World::new(api).await.run(entries()).await;
}

pub(super) fn entries() -> Vec<Entry> {
    let no_object = || ask().at("object", "None__c");
    let no_type = || ask().at("object_type", "nope");
    let property =
        |name: &str| json!({"name": name, "label": "Seats", "type": "number", "fieldType": "number"});
    vec![
        entry("list_salesforce_objects", ask(), 200, |answer| {
            assert_eq!(answer.json()[0]["name"], "Vehicle__c");
        })
        .refuses(nowhere(), 404),
        entry("get_salesforce_object", ask(), 200, |answer| {
            assert_eq!(answer.json()["fields"][1]["name"], "Name");
        })
        .refuses(no_object(), 404),
        entry("propose_object_type", ask(), 200, |answer| {
            assert_eq!(answer.json()["required"], json!(["name", "price"]));
        })
        .keeps("proposal", |answer| {
            let mut reviewed = answer.json();
            reviewed["name"] = json!("trucks");
            reviewed
        })
        .refuses(no_object(), 404),
        entry(
            "create_object_type",
            body(json!({"object": "Vehicle__c", "proposal": "{proposal}"})),
            201,
            |answer| assert_eq!(answer.json()["name"], "trucks"),
        )
        // The portal has vehicles.
        .refuses(body(json!({"object": "Vehicle__c"})), 422)
        .refuses(body(json!({"object": "None__c"})), 404)
        .refuses(body(json!({"objects": []})), 422),
        entry("list_hubspot_schemas", ask(), 200, |answer| {
            assert_eq!(answer.json()[0]["objectTypeId"], "2-1");
        })
        .refuses(nowhere(), 404),
        entry("get_hubspot_schema", ask(), 200, |answer| {
            assert_eq!(answer.json()["name"], "vehicles");
        })
        .refuses(no_type(), 404),
        entry("create_property", body(property("seats")), 201, |answer| {
            assert_eq!(answer.json()["name"], "seats");
        })
        .refuses(body(property("hs_seats")), 422)
        .refuses(body(json!({"name": "seats"})), 422)
        .refuses(
            super::Ask {
                body: Some(property("seats")),
                ..no_type()
            },
            404,
        ),
        entry("list_hubspot_labels", query("?from=2-1&to=0-2"), 200, |answer| {
            assert_eq!(answer.json()[0]["label"], "stationed at", "{}", answer.text);
        })
        .refuses(query("?from=2-1"), 400),
    ]
}
