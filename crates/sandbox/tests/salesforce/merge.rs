//! Merging accounts: what happens to those that go, to the one that stays, and to all that pointed to them.

use crate::support::{Org, code, config};
use serde_json::json;

/// Two accounts, and a vehicle, a contact and a subsidiary of the second.
async fn firms(org: &Org) -> [String; 5] {
    let stays = org.create("Account", json!({ "Name": "Stays" })).await;
    let goes = org.create("Account", json!({ "Name": "Goes" })).await;
    let vehicle = org
        .create("Vehicle__c", json!({ "Name": "Van", "Account__c": goes }))
        .await;
    let contact = org
        .create("Contact", json!({ "LastName": "Roe", "AccountId": goes }))
        .await;
    let part = org
        .create("Account", json!({ "Name": "Part", "ParentId": goes }))
        .await;
    [stays, goes, vehicle, contact, part]
}

#[tokio::test]
async fn a_merge_moves_the_children_and_sends_the_loser_to_the_bin() {
    let org = Org::start(config()).await;
    let [stays, goes, vehicle, contact, part] = firms(&org).await;
    let merge = json!({ "master": stays, "losers": [goes], "values": { "Phone": "030 1234" } });
    let (status, answer) = org.post("/__sandbox/merge", merge).await;
    assert_eq!(status, 200, "{answer}");
    let mut moved: Vec<&str> = answer["updatedRelatedIds"]
        .as_array()
        .expect("ids")
        .iter()
        .filter_map(|id| id.as_str())
        .collect();
    moved.sort_unstable();
    let mut children = [&*vehicle, &*contact, &*part];
    children.sort_unstable();
    assert_eq!(moved, children);
    for (object, id, field) in [
        ("Vehicle__c", &vehicle, "Account__c"),
        ("Contact", &contact, "AccountId"),
        ("Account", &part, "ParentId"),
    ] {
        let (_, record) = org.get(&format!("sobjects/{object}/{id}?fields={field}")).await;
        assert_eq!(record[field], json!(stays), "{object}");
    }
    let (_, winner) = org.get(&format!("sobjects/Account/{stays}?fields=Phone")).await;
    assert_eq!(winner["Phone"], "030 1234");
    let loser = format!("SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{goes}'");
    assert!(org.records(&loser).await.is_empty());
    let (_, all) = org.query_all(&loser).await;
    let loser = &all["records"][0];
    assert_eq!(
        (&loser["IsDeleted"], &loser["MasterRecordId"]),
        (&json!(true), &json!(stays))
    );
    let (status, gone) = org.get(&format!("sobjects/Account/{goes}")).await;
    assert_eq!((status, code(&gone)), (404, "ENTITY_IS_DELETED"));
    // Whoever brings it back has an account of its own again, without its former children.
    org.post("__sandbox/undelete", json!({ "ids": [goes] })).await;
    let (_, back) = org
        .get(&format!("sobjects/Account/{goes}?fields=MasterRecordId"))
        .await;
    assert!(back["MasterRecordId"].is_null(), "{back}");
}

#[tokio::test]
async fn a_merge_by_soap_says_what_it_moved() {
    let org = Org::start(config()).await;
    let [stays, goes, vehicle, contact, part] = firms(&org).await;
    let request = |loser: &str| {
        format!(
            "<se:Envelope xmlns:se=\"http://schemas.xmlsoap.org/soap/envelope/\"><se:Header>\
             <SessionHeader xmlns=\"urn:partner.soap.sforce.com\"><sessionId>{}</sessionId></SessionHeader>\
             </se:Header><se:Body><merge xmlns=\"urn:partner.soap.sforce.com\"><request><masterRecord>\
             <type>Account</type><Id>{stays}</Id><Industry>Retail</Industry></masterRecord>\
             <recordToMergeIds>{loser}</recordToMergeIds></request></merge></se:Body></se:Envelope>",
            org.token
        )
    };
    let merge = async |loser: &str| {
        let call = org.client.post(format!("{}/services/Soap/u/59.0", org.base));
        let (status, answer) = org.send(call.body(request(loser))).await;
        (status, answer.as_str().expect("XML").to_owned())
    };
    let (status, answer) = merge(&goes).await;
    assert_eq!(status, 200);
    assert!(answer.contains("<success>true</success>"), "{answer}");
    assert!(answer.contains(&format!("<mergedRecordIds>{goes}</mergedRecordIds>")));
    for child in [vehicle, contact, part] {
        assert!(answer.contains(&format!("<updatedRelatedIds>{child}</updatedRelatedIds>")));
    }
    let (_, winner) = org
        .get(&format!("sobjects/Account/{stays}?fields=Industry"))
        .await;
    assert_eq!(winner["Industry"], "Retail");
    let (_, again) = merge(&goes).await;
    assert!(
        again.contains("<statusCode>ENTITY_IS_DELETED</statusCode>"),
        "{again}"
    );
}

#[tokio::test]
async fn what_cannot_be_merged_stays_as_it_was() {
    let org = Org::start(config()).await;
    let [stays, goes, vehicle, ..] = firms(&org).await;
    let refused = async |master: &str, losers: &[&str]| {
        let merge = json!({ "master": master, "losers": losers });
        let (status, answer) = org.post("/__sandbox/merge", merge).await;
        assert_eq!(status, 400, "{answer}");
        code(&answer).to_owned()
    };
    assert_eq!(refused(&vehicle, &[&goes]).await, "INVALID_TYPE");
    assert_eq!(refused(&stays, &[]).await, "INVALID_NUMBER_OF_MERGE_RECORDS");
    assert_eq!(refused(&stays, &[&stays]).await, "INVALID_ID_FIELD");
    assert_eq!(refused(&stays, &[&goes, &vehicle]).await, "INVALID_ID_FIELD");
    // A value that the master may not have undoes the whole merge.
    let merge = json!({ "master": stays, "losers": [goes], "values": { "NumberOfEmployees": "many" } });
    let (status, answer) = org.post("/__sandbox/merge", merge).await;
    assert_eq!(status, 400, "{answer}");
    let (_, child) = org
        .get(&format!("sobjects/Vehicle__c/{vehicle}?fields=Account__c"))
        .await;
    assert_eq!(child["Account__c"], json!(goes));
    assert_eq!(org.get(&format!("sobjects/Account/{goes}")).await.0, 200);
}
