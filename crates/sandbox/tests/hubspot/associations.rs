//! Associations: definitions, labels, batches, single pairs, ceilings.

use super::scene::{DATED, Scene, V4, number};
use serde_json::{Value, json};

#[test]
fn created_pairs_are_told_with_numbers_and_seen_from_both_ends() {
    // 2026-09 declares one status for a batch's success, those before it 201 (their OpenAPI documents).
    for (base, status) in [(DATED, 200), (V4, 201), ("/crm/associations/2026-03", 201)] {
        let scene = Scene::new();
        let told = scene.to_companies(
            base,
            "create",
            json!([scene.pair(&scene.companies[0], &[scene.plain])]),
        );
        assert_eq!(told.status, status, "{}", told.text);
        let expected = json!({
            "fromObjectTypeId": scene.desk.vehicles, "fromObjectId": number(&scene.vehicle),
            "toObjectTypeId": "0-2", "toObjectId": number(&scene.companies[0]), "labels": [],
        });
        assert_eq!(told.results(), [expected]);
        assert_eq!(scene.seen(), [(number(&scene.companies[0]), vec![Value::Null])]);
        let back = scene.seen_from(base, "0-2", &scene.companies[0], &scene.desk.vehicles);
        assert_eq!(back, [(number(&scene.vehicle), vec![Value::Null])]);
    }
}

#[test]
fn type_ids_differ_by_direction() {
    let scene = Scene::new();
    let back = scene
        .desk
        .get(&format!("{DATED}/companies/{}/labels", scene.desk.vehicles));
    let other = back.results()[0]["typeId"].as_u64().unwrap_or_default();
    assert_ne!(other, scene.plain);
    let told = scene.to_companies(
        DATED,
        "create",
        json!([scene.pair(&scene.companies[0], &[other])]),
    );
    assert_eq!((told.status, told.category()), (400, "VALIDATION_ERROR"));
}

#[test]
fn the_default_endpoint_needs_no_type_and_tells_both_directions() {
    let scene = Scene::new();
    let pair = json!([{"from": {"id": scene.vehicle}, "to": {"id": scene.companies[0]}}]);
    for _ in 0..2 {
        let told = scene.to_companies(DATED, "associate/default", pair.clone());
        assert_eq!((told.status, told.results().len()), (200, 2));
        assert!(
            told.each("/associationSpec/associationTypeId")
                .contains(&scene.plain.to_string())
        );
        assert_eq!(told.each("/from/id").len(), 2);
    }
    assert_eq!(scene.seen().len(), 1);
}

#[test]
fn an_archive_takes_all_types_of_the_pairs_it_names() {
    for (base, status) in [(DATED, 200), (V4, 204)] {
        let scene = Scene::new();
        let owner = scene.label("Owner", None);
        let both = json!([
            scene.pair(&scene.companies[0], &[owner]),
            scene.pair(&scene.companies[1], &[owner])
        ]);
        assert_eq!(scene.to_companies(base, "create", both).results().len(), 2);
        let gone = json!([{"from": {"id": scene.vehicle}, "to": [{"id": scene.companies[0]}]}]);
        let told = scene.to_companies(base, "archive", gone.clone());
        assert_eq!(
            (told.status, &told.body["status"]),
            (
                status,
                &if status == 200 {
                    json!("COMPLETE")
                } else {
                    Value::Null
                }
            )
        );
        assert_eq!(
            scene.to_companies(base, "archive", gone).status,
            status,
            "twice is no error"
        );
        assert_eq!(scene.seen().len(), 1);
    }
}

#[test]
fn bad_pairs_are_items_and_the_others_go_through() {
    let scene = Scene::new();
    let mut stranger = scene.pair(&scene.companies[0], &[scene.plain]);
    stranger["from"]["id"] = json!("unknown_id");
    let batch = json!([
        stranger,
        scene.pair("77", &[scene.plain]),
        scene.pair(&scene.companies[0], &[scene.plain]),
    ]);
    let told = scene.to_companies(DATED, "create", batch);
    assert_eq!(
        (told.status, &told.body["numErrors"], told.results().len()),
        (207, &json!(2), 1)
    );
    let identifier = &told.errors()[0];
    assert_eq!(identifier["subCategory"], "crm.associations.INVALID_IDENTIFIER");
    assert_eq!(identifier["message"], "unknown_id is not a valid ID");
    assert_eq!(identifier["context"], json!({"id": ["unknown_id"]}));
    let missing = &told.errors()[1];
    assert_eq!(missing["subCategory"], "crm.associations.TO_OBJECT_NOT_FOUND");
    let companies = format!("{DATED}/companies/companies/batch/associate/default");
    let id = &scene.companies[0];
    let told = scene.desk.post(
        &companies,
        json!({"inputs": [{"from": {"id": id}, "to": {"id": id}}]}),
    );
    assert_eq!(told.status, 207);
    assert_eq!(
        told.errors()[0]["message"],
        format!("Object {id} cannot be associated to itself ({id})")
    );
}

#[test]
fn types_without_a_definition_between_them_cannot_be_associated() {
    let scene = Scene::new();
    let deal = scene.desk.post(
        "/crm/objects/2026-09/deals",
        json!({"properties": {"dealname": "D"}}),
    );
    let labels = scene
        .desk
        .get(&format!("{DATED}/{}/deals/labels", scene.desk.vehicles));
    assert_eq!((labels.status, labels.results().len()), (200, 0));
    let path = format!("{DATED}/{}/deals/batch/associate/default", scene.desk.vehicles);
    let pair = json!({"inputs": [{"from": {"id": scene.vehicle}, "to": {"id": deal.body["id"]}}]});
    assert_eq!(scene.desk.post(&path, pair.clone()).status, 400);
    let define =
        json!({"fromObjectTypeId": scene.desk.vehicles, "toObjectTypeId": "0-3", "name": "vehicle_to_deal"});
    let schema = format!(
        "/crm-object-schemas/2026-09/schemas/{}/associations",
        scene.desk.vehicles
    );
    let told = scene.desk.post(&schema, define.clone());
    assert_eq!(
        (told.status, &told.body["name"]),
        (201, &json!("vehicle_to_deal"))
    );
    assert_eq!(
        scene.desk.post(&schema, define).body["id"],
        told.body["id"],
        "it exists once"
    );
    assert_eq!(scene.desk.post(&path, pair).status, 200);
    let id = told.body["id"].as_str().unwrap_or_default();
    assert_eq!(scene.desk.delete(&format!("{schema}/{id}")).status, 204);
}

#[test]
fn a_record_without_associations_is_an_error_of_the_read() {
    let scene = Scene::new();
    scene.to_companies(
        DATED,
        "create",
        json!([scene.pair(&scene.companies[0], &[scene.plain])]),
    );
    let lonely = scene.desk.vehicle("b");
    let told = scene.to_companies(
        DATED,
        "read",
        json!([{"id": scene.vehicle}, {"id": lonely}, {"id": "1"}]),
    );
    assert_eq!(
        (told.status, told.each("/from/id")),
        (207, vec![scene.vehicle.clone()])
    );
    assert_eq!(told.errors().len(), 2);
    assert_eq!(
        told.errors()[0]["subCategory"],
        "crm.associations.NO_ASSOCIATIONS_FOUND"
    );
    assert_eq!(
        told.errors()[0]["message"],
        format!("No company is associated with vehicle {lonely}.")
    );
}

#[test]
fn many_associations_are_read_by_pages() {
    let scene = Scene::new();
    for start in (0..1100).step_by(100) {
        let inputs: Vec<Value> = (start..start + 100)
            .map(|at| json!({"properties": {"key": format!("v{at}")}}))
            .collect();
        let told = scene.desk.vehicles("2026-09", "create", json!(inputs));
        let pairs: Vec<Value> = told
            .each("/id")
            .iter()
            .map(|id| json!({"from": {"id": id}, "to": {"id": scene.companies[0]}}))
            .collect();
        assert_eq!(
            scene
                .to_companies(DATED, "associate/default", json!(pairs))
                .status,
            200
        );
    }
    let path = format!("{DATED}/companies/{}/batch/read", scene.desk.vehicles);
    let (mut seen, mut after, mut pages) = (0, Value::Null, 0);
    loop {
        let told = scene.desk.post(
            &path,
            json!({"inputs": [{"id": scene.companies[0], "after": after}]}),
        );
        seen += told.results()[0]["to"].as_array().map_or(0, Vec::len);
        pages += 1;
        match told.results()[0].pointer("/paging/next/after") {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    assert_eq!((seen, pages), (1100, 3));
}

#[test]
fn batches_have_their_own_sizes() {
    let scene = Scene::new();
    let pairs = |count: usize| json!(vec![scene.pair("1", &[scene.plain]); count]);
    assert_eq!(scene.to_companies(DATED, "create", pairs(2000)).status, 207);
    assert_eq!(scene.to_companies(DATED, "create", pairs(2001)).status, 400);
    assert_eq!(scene.to_companies(DATED, "create", pairs(0)).status, 400);
    let ids = |count: usize| json!(vec![json!({"id": "1"}); count]);
    assert_eq!(scene.to_companies(DATED, "read", ids(1000)).status, 207);
    assert_eq!(scene.to_companies(DATED, "read", ids(1001)).status, 400);
}

#[test]
fn one_pair_is_put_listed_and_deleted() {
    let scene = Scene::new();
    let owner = scene.label("Owner", None);
    let company = &scene.companies[0];
    for base in ["/crm/v4/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"] {
        let record = format!("{base}/{}/{}/associations", scene.desk.vehicles, scene.vehicle);
        let types = json!([{"associationCategory": "USER_DEFINED", "associationTypeId": owner}]);
        let told = scene.desk.put(&format!("{record}/companies/{company}"), types);
        assert_eq!((told.status, &told.body["labels"]), (201, &json!(["Owner"])));
        assert_eq!(told.body["toObjectId"], number(company));
        let listed = scene.desk.get(&format!("{record}/companies"));
        let status = if base.ends_with("2026-09") { 404 } else { 200 };
        assert_eq!(listed.status, status, "2026-09 does not have this one");
        if status == 200 {
            assert_eq!(listed.results()[0]["toObjectId"], number(company));
        }
        let told = scene.desk.call(
            "PUT",
            &format!("{record}/default/companies/{}", scene.companies[1]),
            b"",
        );
        assert_eq!((told.status, told.results().len()), (200, 2));
        for company in &scene.companies {
            assert_eq!(
                scene.desk.delete(&format!("{record}/companies/{company}")).status,
                204
            );
        }
        assert_eq!(scene.seen(), []);
    }
}

#[test]
fn archiving_a_record_takes_it_off_its_associations() {
    let scene = Scene::new();
    scene.to_companies(
        DATED,
        "create",
        json!([scene.pair(&scene.companies[0], &[scene.plain])]),
    );
    scene
        .desk
        .delete(&format!("/crm/v3/objects/companies/{}", scene.companies[0]));
    assert_eq!(scene.seen(), []);
}
