//! Object types and properties created in HubSpot over REST.

use landbridge_control::service::Role;
use serde_json::{Value, json};

use super::ACME;
use crate::api::Api;

#[tokio::test(flavor = "multi_thread")]
async fn an_object_type_is_proposed_reviewed_and_created() {
    let api = Api::new().await;
    let editor = api.in_acme(Role::Editor).await;
    let proposed = format!("{ACME}/salesforce/objects/Vehicle__c/proposal");
    let proposal = api.get(&proposed, &editor).await.expect(200).json();
    let names: Vec<&str> = proposal["properties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|property| property["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["salesforce_id", "name", "price"]);
    assert_eq!(proposal["required"], json!(["name", "price"]));
    assert_eq!(
        proposal["associated"],
        json!([]),
        "nothing brings the vehicles that they tow"
    );
    api.get(&format!("{ACME}/salesforce/objects/None__c/proposal"), &editor)
        .await
        .expect(404);

    let path = format!("{ACME}/hubspot/schemas");
    let untouched = json!({"object": "Vehicle__c"});
    let taken = api.post(&path, &editor, &untouched).await.expect(422);
    assert_eq!(taken.json()["problems"][0]["place"], "name", "{}", taken.text);
    let mut reviewed = proposal.clone();
    reviewed["name"] = json!("trucks");
    reviewed["required"] = json!(["name"]);
    reviewed["properties"].as_array_mut().unwrap().remove(2);
    let body = json!({"object": "Vehicle__c", "proposal": reviewed});
    let created = api.post(&path, &editor, &body).await.expect(201).json();
    assert_eq!(
        (&created["name"], &created["objectTypeId"]),
        (&json!("trucks"), &json!("2-7"))
    );
    let documents = api.rig.world.lock().unwrap().created_types.clone();
    let [document] = documents.as_slice() else {
        panic!("{documents:?}")
    };
    assert_eq!(document["name"], "trucks");
    assert_eq!(document["requiredProperties"], json!(["name"]));
    let carried = document["properties"].as_array().unwrap();
    assert_eq!(carried.len(), 2, "what was taken out is not created");

    for (change, value, place) in [
        ("name", json!("2trucks"), "name"),
        ("plural", json!(""), "plural"),
        ("primary_display", json!("price"), "primaryDisplay"),
        ("required", json!(["wheels"]), "required"),
        ("properties", json!([]), "properties"),
    ] {
        let mut wrong = body.clone();
        wrong["proposal"][change] = value;
        let refused = api.post(&path, &editor, &wrong).await.expect(422).json();
        let places: Vec<&Value> = refused["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| &problem["place"])
            .collect();
        assert!(places.contains(&&json!(place)), "{change}: {refused}");
    }
    api.post(&path, &editor, &json!({"objet": "Vehicle__c"}))
        .await
        .expect(422);
    api.post(&path, &editor, &json!({"object": "None__c"}))
        .await
        .expect(404);
    let log = api.audit().await;
    let created: Vec<_> = log
        .iter()
        .filter(|(_, action, _)| action == "object-type.created")
        .collect();
    assert_eq!(created.len(), 1, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_property_is_created() {
    let api = Api::new().await;
    api.rig.world.lock().unwrap().shows_types = true;
    let editor = api.in_acme(Role::Editor).await;
    let seats = json!({"name": "seats", "label": "Seats", "type": "number", "fieldType": "number"});
    let path = |name: &str| format!("{ACME}/hubspot/schemas/{name}/properties");
    let created = api.post(&path("vehicles"), &editor, &seats).await.expect(201);
    assert_eq!(created.json()["name"], "seats");
    {
        let world = api.rig.world.lock().unwrap();
        let (object_type, property) = &world.created_properties[0];
        assert_eq!((object_type.as_str(), property.name.as_str()), ("2-1", "seats"));
    }
    let mut wrong = seats.clone();
    wrong["name"] = json!("hs_seats");
    let refused = api.post(&path("vehicles"), &editor, &wrong).await.expect(422);
    assert!(refused.text.contains("hs_"), "{}", refused.text);
    api.post(&path("vehicles"), &editor, &json!({"name": "seats"}))
        .await
        .expect(422);
    api.post(&path("nothing"), &editor, &seats).await.expect(404);
    let log = api.audit().await;
    assert!(
        log.iter()
            .any(|(_, action, subject)| action == "property.created" && subject == "2-1.seats")
    );
}
