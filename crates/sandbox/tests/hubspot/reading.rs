//! Reading one, many, pages and searches.

use super::desk::{Desk, calm, having, objects, quiet};
use landbridge_sandbox::hubspot::{Habits, Lags, PortalConfig};
use serde_json::{Value, json};

fn keys(count: usize) -> Vec<Value> {
    (0..count)
        .map(|at| json!({ "properties": { "key": format!("k{at:03}"), "price": at } }))
        .collect()
}

fn filled(count: usize, config: PortalConfig) -> (Desk, Vec<String>) {
    let desk = Desk::with(config);
    let mut ids = Vec::new();
    for inputs in keys(count).chunks(100) {
        ids.extend(desk.vehicles("v3", "create", json!(inputs)).each("/id"));
    }
    ids.sort_by_key(|id| id.parse::<u64>().ok());
    (desk, ids)
}

#[test]
fn a_listing_walks_all_records_once_and_ends_without_paging() {
    for version in ["v3", "2026-03", "2026-09"] {
        let (desk, ids) = filled(25, calm());
        let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let path = format!(
                "{}?limit=10&properties=key&after={after}",
                objects(version, &desk.vehicles)
            );
            let page = desk.get(&path);
            assert_eq!(page.status, 200);
            pages += 1;
            seen.extend(
                page.results()
                    .iter()
                    .filter_map(|told| told["id"].as_str().map(str::to_owned)),
            );
            let Some(next) = page.body.pointer("/paging/next") else {
                assert!(page.body.get("paging").is_none());
                break;
            };
            after = next["after"].as_str().unwrap_or_default().to_owned();
            assert_eq!(
                seen.last()
                    .and_then(|id| id.parse::<u64>().ok())
                    .map(|id| (id + 1).to_string()),
                Some(after.clone())
            );
            let link = next["link"].as_str().unwrap_or_default();
            assert!(
                link.starts_with("http://portal.test/crm/") && link.contains("limit=10"),
                "{link}"
            );
        }
        assert_eq!((seen, pages), (ids, 3));
    }
}

#[test]
fn ids_rise_and_leave_gaps() {
    let (_, ids) = filled(20, calm());
    let ids: Vec<u64> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    assert!(ids.windows(2).any(|pair| pair[1] - pair[0] > 1));
}

#[test]
fn pages_have_a_largest_size() {
    let (desk, _) = filled(12, calm());
    let path = objects("2026-09", &desk.vehicles);
    assert_eq!(desk.get(&path).results().len(), 10);
    assert_eq!(desk.get(&format!("{path}?limit=100")).results().len(), 12);
    assert_eq!(desk.get(&format!("{path}?limit=101")).status, 400);
    assert_eq!(
        desk.get(&format!("{path}?limit=51&propertiesWithHistory=key"))
            .status,
        400
    );
}

#[test]
fn archived_records_are_listed_and_read_apart() {
    let (desk, ids) = filled(3, calm());
    desk.delete(&format!("/crm/v3/objects/{}/{}", desk.vehicles, ids[1]));
    let path = objects("2026-09", &desk.vehicles);
    assert_eq!(desk.get(&path).each("/id"), [ids[0].clone(), ids[2].clone()]);
    let archived = desk.get(&format!("{path}?archived=true"));
    assert_eq!(archived.each("/id"), [ids[1].clone()]);
    assert_eq!(archived.results()[0]["archived"], true);
    assert!(archived.results()[0]["archivedAt"].is_string());
    assert_eq!(desk.get(&format!("{path}/{}", ids[1])).status, 404);
    assert_eq!(desk.get(&format!("{path}/{}?archived=true", ids[1])).status, 200);
    let batch = json!({"inputs": [{"id": ids[1]}], "properties": []});
    assert_eq!(
        desk.post(&format!("{path}/batch/read"), batch.clone()).status,
        207
    );
    assert_eq!(
        desk.post(&format!("{path}/batch/read?archived=true"), batch)
            .status,
        200
    );
}

#[test]
fn one_record_is_found_by_id_or_by_a_unique_property() {
    let (desk, ids) = filled(2, calm());
    let path = objects("2026-09", &desk.vehicles);
    let by_key = desk.get(&format!(
        "{path}/k001?idProperty=key&properties=price,stage,nothing"
    ));
    assert_eq!(by_key.body["id"], ids[1].as_str());
    let properties = by_key.body["properties"].as_object().cloned().unwrap_or_default();
    let names: Vec<&String> = properties.keys().collect();
    assert_eq!(
        names,
        [
            "hs_createdate",
            "hs_lastmodifieddate",
            "hs_object_id",
            "price",
            "stage"
        ]
    );
    assert_eq!(
        properties["stage"],
        Value::Null,
        "unset ones are nulls, unknown ones are left out"
    );
    assert_eq!(desk.get(&format!("{path}/x?idProperty=note")).status, 400);
    let missing = desk.get(&format!("{path}/1"));
    assert_eq!((missing.status, missing.category()), (404, "OBJECT_NOT_FOUND"));
    let plain = desk.get(&format!("{path}/{}", ids[0]));
    let properties = plain.body["properties"]
        .as_object()
        .map(|properties| properties.len());
    assert_eq!(
        properties,
        Some(3),
        "without names, a custom object shows its system properties"
    );
}

#[test]
fn one_record_is_changed_by_a_patch() {
    let (desk, ids) = filled(1, calm());
    let path = format!("{}/{}", objects("2026-09", &desk.vehicles), ids[0]);
    let told = desk.patch(&path, json!({"properties": {"note": "x"}}));
    assert_eq!(
        (told.status, &told.body["properties"]["note"]),
        (200, &json!("x"))
    );
    let told = desk.patch(&path, json!({"properties": {}}));
    assert_eq!(
        (told.status, told.message()),
        (400, "No properties found to update, please provide at least one.")
    );
    assert!(told.body.get("category").is_none());
    let gone = format!("{}/1", objects("2026-09", &desk.vehicles));
    assert_eq!(
        desk.patch(&gone, json!({"properties": {"note": "x"}})).status,
        404
    );
}

#[test]
fn a_batch_read_tells_what_is_missing_together() {
    let (desk, ids) = filled(30, calm());
    let path = format!("{}/batch/read", objects("2026-09", &desk.vehicles));
    let mut inputs: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
    let told = desk.post(&path, json!({"inputs": inputs, "properties": ["key", "nothing"]}));
    assert_eq!((told.status, told.results().len()), (200, 30));
    let order: Vec<&str> = told
        .results()
        .iter()
        .filter_map(|told| told["id"].as_str())
        .collect();
    assert_ne!(order, ids, "results are shuffled");
    inputs.extend([json!({"id": "1"}), json!({"id": "2"}), json!({"id": ids[0]})]);
    let told = desk.post(&path, json!({"inputs": inputs, "properties": ["key"]}));
    assert_eq!((told.status, told.results().len()), (207, 30));
    let shape: Vec<&String> = told.errors()[0]
        .as_object()
        .map(|error| error.keys().collect())
        .unwrap_or_default();
    assert_eq!(shape, ["category", "context", "message", "status"]);
    assert_eq!(told.errors()[0]["context"], json!({"ids": ["1", "2"]}));
    let by_key =
        json!({"inputs": [{"id": "K007"}, {"id": "none"}], "idProperty": "key", "properties": ["key"]});
    let told = desk.post(&path, by_key);
    assert_eq!(
        (told.status, told.each("/properties/key")),
        (207, vec!["k007".to_owned()])
    );
    let by_note = json!({"inputs": [{"id": "x"}], "idProperty": "note", "properties": []});
    assert_eq!(desk.post(&path, by_note).status, 400);
}

#[test]
fn the_loser_of_a_merge_leads_to_the_winner_one_by_one_only() {
    let (desk, ids) = filled(2, calm());
    let path = objects("2026-09", &desk.vehicles);
    let merged = desk.post(
        &format!("{path}/merge"),
        json!({"primaryObjectId": ids[0], "objectIdToMerge": ids[1]}),
    );
    assert_eq!((merged.status, &merged.body["id"]), (200, &json!(ids[0])));
    let read = desk.get(&format!("{path}/{}?properties=hs_merged_object_ids", ids[1]));
    assert_eq!(
        (&read.body["id"], &read.body["properties"]["hs_merged_object_ids"]),
        (&json!(ids[0]), &json!(ids[1]))
    );
    let patched = desk.patch(
        &format!("{path}/{}", ids[1]),
        json!({"properties": {"note": "x"}}),
    );
    assert_eq!(patched.body["id"], ids[0].as_str());
    let update = desk.vehicles(
        "2026-09",
        "update",
        json!([{"id": ids[1], "properties": {"note": "y"}}]),
    );
    assert_eq!((update.status, update.results().len()), (207, 0));
}

fn search(desk: &Desk, body: Value) -> super::desk::Told {
    desk.post(&format!("{}/search", objects("2026-09", &desk.vehicles)), body)
}

fn filter(name: &str, operator: &str, rest: Value) -> Value {
    let mut filter = json!({ "propertyName": name, "operator": operator });
    for (key, value) in rest.as_object().cloned().unwrap_or_default() {
        filter[key] = value;
    }
    json!({ "filterGroups": [{ "filters": [filter] }] })
}

#[test]
fn a_search_filters_sorts_and_pages() {
    let (desk, _) = filled(30, calm());
    let mut body = filter("price", "GTE", json!({"value": "10"}));
    body["sorts"] = json!([{"propertyName": "price", "direction": "DESCENDING"}]);
    body["properties"] = json!(["key", "stage"]);
    body["limit"] = json!(15);
    let first = search(&desk, body.clone());
    assert_eq!((first.status, &first.body["total"]), (200, &json!(20)));
    assert_eq!(first.results()[0]["properties"]["key"], "k029");
    assert_eq!(first.results()[0]["properties"]["stage"], Value::Null);
    assert_eq!(first.body["paging"], json!({"next": {"after": "15"}}));
    body["after"] = json!("15");
    let second = search(&desk, body.clone());
    assert_eq!(
        second.each("/properties/key"),
        ["k010", "k011", "k012", "k013", "k014"]
    );
    assert!(second.body.get("paging").is_none());
    body["after"] = json!("x");
    let wrong = search(&desk, body);
    assert!(wrong.status == 400 && wrong.message().contains("Cannot deserialize value of type"));
    let none = search(&desk, filter("key", "EQ", json!({"value": "nobody"})));
    assert_eq!(
        (none.status, &none.body),
        (200, &json!({"total": 0, "results": []}))
    );
}

#[test]
fn lists_of_a_search_are_lower_case() {
    let desk = Desk::bare(calm());
    desk.portal.put_company("Acme", "001xx000003DGb2AAE");
    let path = "/crm/objects/2026-09/companies/search";
    let find = |operator: Value| desk.post(path, operator).body["total"].clone();
    let id = "salesforceaccountid";
    assert_eq!(
        find(filter(id, "IN", json!({"values": ["001xx000003dgb2aae"]}))),
        1
    );
    assert_eq!(
        find(filter(id, "IN", json!({"values": ["001xx000003DGb2AAE"]}))),
        0
    );
    assert_eq!(find(filter(id, "EQ", json!({"value": "001xx000003DGb2AAE"}))), 1);
    let wrong = desk.post(path, filter(id, "IN", json!({"value": "001xx000003dgb2aae"})));
    assert_eq!((wrong.status, wrong.category()), (400, "VALIDATION_ERROR"));
}

#[test]
fn a_search_has_its_ceilings() {
    let (desk, _) = filled(1, calm());
    let one = json!({"propertyName": "key", "operator": "HAS_PROPERTY"});
    let groups = |groups: usize, filters: usize| json!({"filterGroups": vec![json!({"filters": vec![one.clone(); filters]}); groups]});
    for (body, status) in [
        (groups(5, 3), 200),
        (groups(6, 1), 400),
        (groups(1, 7), 400),
        (groups(4, 5), 400),
        (json!({"limit": 200}), 200),
        (json!({"limit": 201}), 400),
        (json!({"limit": 100, "after": "9900"}), 200),
        (json!({"limit": 100, "after": "9901"}), 400),
        (json!({"query": "x".repeat(3000)}), 400),
        (filter("nothing", "EQ", json!({"value": "x"})), 400),
    ] {
        let told = search(&desk, body.clone());
        assert_eq!(told.status, status, "{body}");
    }
}

#[test]
fn search_lags_behind_and_never_shows_the_archived() {
    let lags = Lags {
        search_index: 2000,
        ..Lags::NONE
    };
    let (desk, ids) = filled(2, having(Habits { lags, ..quiet() }));
    let total = |body| search(&desk, body).body["total"].clone();
    assert_eq!(total(json!({})), 0);
    assert_eq!(
        desk.get(&objects("v3", &desk.vehicles)).results().len(),
        2,
        "lists do not lag"
    );
    desk.advance(2001);
    assert_eq!(total(json!({})), 2);
    desk.vehicles(
        "2026-09",
        "update",
        json!([{"id": ids[0], "properties": {"note": "new"}}]),
    );
    assert_eq!(total(filter("note", "HAS_PROPERTY", json!({}))), 0);
    desk.advance(2001);
    assert_eq!(total(filter("note", "EQ", json!({"value": "NEW"}))), 1);
    desk.delete(&format!("/crm/v3/objects/{}/{}", desk.vehicles, ids[0]));
    assert_eq!(total(json!({})), 1);
}

#[test]
fn the_company_of_an_account_is_kept_once() {
    let desk = Desk::bare(calm());
    let id = desk.portal.put_company("Acme", "001xx000003DGb2AAE");
    assert_eq!(desk.portal.put_company("Acme Ltd", "001xx000003DGb2AAE"), id);
    let path = "/crm/objects/2026-09/companies?properties=name,salesforceaccountid,salesforcelastsynctime";
    let told = desk.get(path);
    assert_eq!(told.each("/properties/name"), ["Acme Ltd"]);
    assert!(told.results()[0]["properties"]["salesforcelastsynctime"].is_string());
    let property = desk.get("/crm/properties/2026-09/companies/salesforceaccountid");
    assert_eq!(
        (&property.body["hasUniqueValue"], &property.body["type"]),
        (&json!(false), &json!("string"))
    );
}
