//! SOSL, and the small resources around records.

use crate::support::{Org, code, config};
use reqwest::Method;
use serde_json::{Value, json};

async fn find(org: &Org, sosl: &str) -> (u16, Value) {
    org.send(org.request(Method::GET, "search").query(&[("q", sosl)]))
        .await
}

#[tokio::test]
async fn words_are_found_where_they_stand() {
    let org = Org::start(config()).await;
    let id = org
        .create(
            "Depot__c",
            json!({"Name": "Zanzibar Harbour Depot", "Code__c": "ZZ-9"}),
        )
        .await;
    org.create("Depot__c", json!({"Name": "Zanzibarian", "Code__c": "ZZ-10"}))
        .await;
    let (status, found) = find(&org, "FIND {zanzibar} IN ALL FIELDS RETURNING Depot__c(Id, Name)").await;
    assert_eq!(status, 200, "{found}");
    let hits = found["searchRecords"].as_array().expect("records");
    assert_eq!(
        (hits.len(), &hits[0]["Id"], &hits[0]["attributes"]["type"]),
        (1, &json!(id), &json!("Depot__c"))
    );
    let found = find(
        &org,
        "FIND {zanzibar*} RETURNING Depot__c(Id ORDER BY Name DESC LIMIT 1)",
    )
    .await
    .1;
    assert_eq!(found["searchRecords"].as_array().expect("records").len(), 1);
    assert_ne!(found["searchRecords"][0]["Id"], json!(id));
    let anywhere = find(&org, "FIND {zanzibar AND harbour}").await.1;
    assert_eq!(anywhere["searchRecords"].as_array().expect("records").len(), 1);
    org.delete(&format!("sobjects/Depot__c/{id}")).await;
    let gone = find(&org, "FIND {zanzibar} RETURNING Depot__c").await.1;
    assert_eq!(gone["searchRecords"], json!([]));
    let (status, refused) = find(&org, "zanzibar").await;
    assert_eq!((status, code(&refused)), (400, "MALFORMED_SEARCH"));

    let (_, found) = org
        .get("parameterizedSearch?q=Zanzibarian&sobject=Depot__c&fields=Name")
        .await;
    assert_eq!(found["searchRecords"][0]["Name"], "Zanzibarian");
    let body = json!({"q": "Zanzibarian", "sobjects": [{"name": "Depot__c", "fields": ["Code__c"]}]});
    assert_eq!(
        org.post("parameterizedSearch", body).await.1["searchRecords"][0]["Code__c"],
        "ZZ-10"
    );
}

#[tokio::test]
async fn small_resources_answer() {
    let org = Org::start(config()).await;
    let (status, layouts) = org.get("sobjects/Depot__c/describe/layouts").await;
    assert_eq!(
        (status, &layouts["recordTypeMappings"][0]["name"]),
        (200, &json!("Master"))
    );
    assert_eq!(
        org.get("sobjects/Depot__c/describe/layouts/012000000000000AAA")
            .await
            .0,
        200
    );
    for path in [
        "recent",
        "tabs",
        "theme",
        "quickActions",
        "tooling",
        "tooling/sobjects",
        "sobjects/Depot__c/describe/compactLayouts",
    ] {
        assert_eq!(org.get(path).await.0, 200, "{path}");
    }
    let (status, refused) = org.get("tooling/query?q=SELECT+Id+FROM+ApexClass").await;
    assert_eq!((status, code(&refused)), (400, "INVALID_TYPE"));
    let (_, plan) = org.get("query?explain=SELECT+Id+FROM+Depot__c").await;
    assert_eq!(plan["plans"][0]["leadingOperationType"], "TableScan");
    let (status, refused) = org.get("/services/apexrest/Nothing").await;
    assert_eq!((status, code(&refused)), (404, "NOT_FOUND"));
    assert_eq!(
        org.get("/services/data").await.1.as_array().map(Vec::len),
        Some(18)
    );
}

#[tokio::test]
async fn the_tooling_api_tells_hidden_fields_and_only_to_whom_may_view_set_up() {
    let org = Org::start(config()).await;
    let hide = json!({ "object": "Vehicle__c", "hide": ["Price__c"], "remove": ["Mileage__c"] });
    org.post("/__sandbox/schema", hide).await;
    let fields = "tooling/query?q=SELECT+QualifiedApiName+FROM+FieldDefinition+WHERE+EntityDefinition.QualifiedApiName='Vehicle__c'";
    let (status, answer) = org.get(fields).await;
    assert_eq!(status, 200, "{answer}");
    let records = answer["records"].as_array().unwrap();
    let has = |name: &str| records.iter().any(|record| record["QualifiedApiName"] == name);
    assert!(has("Price__c") && has("Name") && !has("Mileage__c"));
    let object =
        "tooling/query?q=SELECT+QualifiedApiName+FROM+EntityDefinition+WHERE+QualifiedApiName='Vehicle__c'";
    assert_eq!(org.get(object).await.1["totalSize"], 1);
    let or = format!("{object}+OR+QualifiedApiName='Depot__c'");
    assert_eq!(code(&org.get(&or).await.1), "MALFORMED_QUERY");
    org.post("/__sandbox/settings", json!({ "view_setup": false }))
        .await;
    let (status, refused) = org.get(fields).await;
    assert_eq!((status, code(&refused)), (403, "INSUFFICIENT_ACCESS"));
}

#[tokio::test]
async fn permissions_are_records_of_the_users_permission_sets() {
    let org = Org::start(config()).await;
    let sets = "query?q=SELECT+PermissionSet.PermissionsViewAllData+FROM+PermissionSetAssignment";
    let everything =
        async || org.get(sets).await.1["records"][0]["PermissionSet"]["PermissionsViewAllData"].clone();
    assert_eq!(everything().await, true);
    let given = json!({ "view_all_data": false, "view_all": ["Vehicle__c"] });
    org.post("/__sandbox/permissions", given).await;
    assert_eq!(everything().await, false);
    let some = "query?q=SELECT+SobjectType+FROM+ObjectPermissions+WHERE+PermissionsViewAllRecords=true";
    assert_eq!(org.get(some).await.1["records"][0]["SobjectType"], "Vehicle__c");
}
