//! Several calls in one: composites, batches, graphs, and records by relationship.

use crate::support::{Org, VERSION, code, config};
use serde_json::{Value, json};

fn step(name: &str, method: &str, path: &str, body: Value) -> Value {
    let mut step = json!({
        "referenceId": name,
        "method": method,
        "url": format!("/services/data/{VERSION}/{path}"),
    });
    if !body.is_null() {
        step["body"] = body;
    }
    step
}

async fn count(org: &Org, name: &str) -> Value {
    let soql = format!("SELECT COUNT() FROM Depot__c WHERE Name = '{name}'");
    org.query(&soql).await.1["totalSize"].clone()
}

#[tokio::test]
async fn a_composite_hands_results_from_call_to_call() {
    let org = Org::start(config()).await;
    let steps = json!([
        step(
            "depot",
            "POST",
            "sobjects/Depot__c",
            json!({"Name": "together", "Code__c": "TG-1"})
        ),
        step(
            "read",
            "GET",
            "sobjects/Depot__c/@{depot.id}?fields=Name",
            Value::Null
        ),
        step(
            "find",
            "GET",
            "query?q=SELECT+Id,Code__c+FROM+Depot__c+WHERE+Id='@{depot.id}'",
            Value::Null
        ),
        step(
            "change",
            "PATCH",
            "sobjects/Depot__c/Code__c/@{find.records[0].Code__c}",
            json!({"Capacity__c": 5})
        ),
        step(
            "wrong",
            "GET",
            "sobjects/Depot__c/a005g0000000000AAA",
            Value::Null
        ),
        step("halted", "DELETE", "sobjects/Depot__c/@{wrong.Id}", Value::Null),
    ]);
    let (status, answer) = org.post("composite", json!({ "compositeRequest": steps })).await;
    assert_eq!(status, 200, "{answer}");
    let steps = answer["compositeResponse"].as_array().expect("answers");
    let statuses: Vec<u64> = steps
        .iter()
        .filter_map(|step| step["httpStatusCode"].as_u64())
        .collect();
    assert_eq!(statuses, [201, 200, 200, 200, 404, 400], "{answer}");
    let id = steps[0]["body"]["id"].as_str().expect("an id");
    assert_eq!(
        steps[0]["httpHeaders"]["Location"],
        format!("/services/data/{VERSION}/sobjects/Depot__c/{id}")
    );
    assert_eq!(
        (&steps[1]["body"]["Name"], &steps[3]["body"]["created"]),
        (&json!("together"), &json!(false))
    );
    assert_eq!(
        (code(&steps[5]["body"]), &steps[5]["referenceId"]),
        ("PROCESSING_HALTED", &json!("halted"))
    );

    let nested =
        json!({"compositeRequest": [step("in", "POST", "composite/batch", json!({"batchRequests": []}))]});
    assert_eq!(
        code(&org.post("composite", nested).await.1["compositeResponse"][0]["body"]),
        "INVALID_INPUT"
    );
    let many: Vec<Value> = (0..26)
        .map(|n| step(&format!("r{n}"), "GET", "limits", Value::Null))
        .collect();
    assert_eq!(
        org.post("composite", json!({ "compositeRequest": many })).await.0,
        400
    );
}

#[tokio::test]
async fn all_or_none_and_graphs_take_everything_back() {
    let org = Org::start(config()).await;
    let good = step(
        "good",
        "POST",
        "sobjects/Depot__c",
        json!({"Name": "all or none"}),
    );
    let bad = step(
        "bad",
        "POST",
        "sobjects/Depot__c",
        json!({"Name": "x".repeat(300)}),
    );
    let child = step("child", "GET", "sobjects/Depot__c/@{good.id}", Value::Null);
    let body = json!({"allOrNone": true, "compositeRequest": [good, child, bad]});
    let (_, answer) = org.post("composite", body).await;
    let codes: Vec<&str> = (0..3)
        .map(|step| code(&answer["compositeResponse"][step]["body"]))
        .collect();
    assert_eq!(
        codes,
        ["PROCESSING_HALTED", "PROCESSING_HALTED", "STRING_TOO_LONG"]
    );
    assert_eq!(count(&org, "all or none").await, 0);

    let graph = |id: &str, steps: Vec<Value>| json!({"graphId": id, "compositeRequest": steps});
    let first = vec![
        step("d", "POST", "sobjects/Depot__c", json!({"Name": "graph one"})),
        step(
            "v",
            "POST",
            "sobjects/Vehicle__c",
            json!({"Name": "x", "External_Id__c": "GRAPH-1", "Depot__c": "@{d.id}"}),
        ),
    ];
    let second = vec![
        step("d", "POST", "sobjects/Depot__c", json!({"Name": "graph two"})),
        step("v", "PATCH", "sobjects/Depot__c/nothing", json!({"Name": "y"})),
    ];
    let (status, answer) = org
        .post(
            "composite/graph",
            json!({"graphs": [graph("1", first), graph("2", second)]}),
        )
        .await;
    assert_eq!(status, 200);
    let ends: Vec<&Value> = (0..2)
        .map(|graph| &answer["graphs"][graph]["isSuccessful"])
        .collect();
    assert_eq!(ends, [true, false], "{answer}");
    assert_eq!(
        (count(&org, "graph one").await, count(&org, "graph two").await),
        (json!(1), json!(0))
    );
    assert_eq!(
        org.records(
            "SELECT Id FROM Vehicle__c WHERE External_Id__c = 'GRAPH-1' AND Depot__r.Name = 'graph one'"
        )
        .await
        .len(),
        1
    );
}

#[tokio::test]
async fn a_batch_counts_each_call_and_halts_when_asked() {
    let org = Org::start(config()).await;
    let requests = json!([
        {"method": "GET", "url": format!("{VERSION}/limits")},
        {"method": "GET", "url": format!("{VERSION}/sobjects/Nope__c/describe")},
        {"method": "POST", "url": format!("{VERSION}/sobjects/Depot__c"), "richInput": {"Name": "by batch"}},
    ]);
    let used = async || {
        let limits = org.get("limits").await.1;
        limits["DailyApiRequests"]["Max"]
            .as_u64()
            .zip(limits["DailyApiRequests"]["Remaining"].as_u64())
            .map(|(most, left)| most - left)
    };
    let before = used().await.expect("a number");
    let (status, answer) = org
        .post("composite/batch", json!({ "batchRequests": requests }))
        .await;
    let statuses: Vec<u64> = (0..3)
        .filter_map(|one| answer["results"][one]["statusCode"].as_u64())
        .collect();
    assert_eq!(
        (status, &answer["hasErrors"], statuses),
        (200, &json!(true), vec![200, 404, 201])
    );
    assert_eq!(
        used().await.expect("a number") - before,
        5,
        "itself, three of its own, and the question"
    );
    let (_, answer) = org
        .post(
            "composite/batch",
            json!({"haltOnError": true, "batchRequests": requests}),
        )
        .await;
    assert_eq!(answer["results"][2]["statusCode"], 412);
    assert_eq!(count(&org, "by batch").await, 1);
}

#[tokio::test]
async fn relationships_lead_up_and_down() {
    let org = Org::start(config()).await;
    let vehicles = org
        .records("SELECT Id, Depot__c, Depot__r.Name FROM Vehicle__c WHERE Depot__c != null LIMIT 1")
        .await;
    let id = vehicles[0]["Id"].as_str().expect("an id");
    let (status, depot) = org
        .get(&format!("sobjects/Vehicle__c/{id}/Depot__r?fields=Name"))
        .await;
    assert_eq!((status, &depot["Name"]), (200, &vehicles[0]["Depot__r"]["Name"]));
    let (_, described) = org.get("sobjects/Depot__c/describe").await;
    let down = described["childRelationships"]
        .as_array()
        .expect("children")
        .iter()
        .find(|child| child["childSObject"] == "Vehicle__c")
        .expect("vehicles");
    let way = down["relationshipName"].as_str().expect("a name");
    let depot = vehicles[0]["Depot__c"].as_str().expect("an id");
    let (_, below) = org
        .get(&format!("sobjects/Depot__c/{depot}/{way}?fields=Id"))
        .await;
    let (_, counted) = org
        .query(&format!(
            "SELECT COUNT() FROM Vehicle__c WHERE Depot__c = '{depot}'"
        ))
        .await;
    assert_eq!(below["totalSize"], counted["totalSize"]);
    assert_eq!(
        org.get(&format!("sobjects/Vehicle__c/{id}/Nothing__r")).await.0,
        404
    );
}
