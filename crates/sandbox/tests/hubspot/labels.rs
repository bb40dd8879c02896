//! Labels and ceilings of associations.

use super::{
    desk::{Desk, calm},
    scene::{DATED, Scene, V4, number},
};
use landbridge_sandbox::hubspot::{Behaviour, PortalConfig};
use serde_json::{Value, json};

#[test]
fn creating_again_replaces_labels_and_the_plain_type_is_always_there() {
    let scene = Scene::new();
    let (owner, driver) = (scene.label("Owner", Some("Owned")), scene.label("Driver", None));
    let company = &scene.companies[0];
    let told = scene.to_companies(DATED, "create", json!([scene.pair(company, &[owner])]));
    assert_eq!(told.results()[0]["labels"], json!(["Owner"]));
    assert_eq!(
        scene.seen(),
        [(number(company), vec![Value::Null, json!("Owner")])]
    );
    let back = scene.seen_from(DATED, "companies", company, &scene.desk.vehicles);
    assert_eq!(
        back,
        [(number(&scene.vehicle), vec![Value::Null, json!("Owned")])]
    );
    scene.to_companies(DATED, "create", json!([scene.pair(company, &[driver])]));
    assert_eq!(
        scene.seen(),
        [(number(company), vec![Value::Null, json!("Driver")])]
    );
    scene.to_companies(
        DATED,
        "create",
        json!([scene.pair(company, &[scene.plain, owner, driver])]),
    );
    assert_eq!(
        scene.seen(),
        [(
            number(company),
            vec![Value::Null, json!("Owner"), json!("Driver")]
        )]
    );
    scene.to_companies(DATED, "associate/default", json!([scene.pair(company, &[])]));
    assert_eq!(
        scene.seen()[0].1.len(),
        3,
        "the default endpoint leaves labels alone"
    );
}

#[test]
fn labels_come_off_alone_and_the_plain_type_takes_all_with_it() {
    for (base, status) in [(DATED, 200), ("/crm/associations/2026-03", 200), (V4, 204)] {
        let scene = Scene::new();
        let owner = scene.label("Owner", None);
        let company = &scene.companies[0];
        scene.to_companies(base, "create", json!([scene.pair(company, &[owner])]));
        let told = scene.to_companies(base, "labels/archive", json!([scene.pair(company, &[owner])]));
        assert_eq!(told.status, status);
        assert_eq!(told.body.is_null(), status == 204);
        assert_eq!(scene.seen(), [(number(company), vec![Value::Null])]);
        scene.to_companies(base, "create", json!([scene.pair(company, &[owner])]));
        scene.to_companies(
            base,
            "labels/archive",
            json!([scene.pair(company, &[scene.plain])]),
        );
        assert_eq!(scene.seen(), []);
    }
}

#[test]
fn a_type_can_be_associated_with_itself_in_two_roles() {
    let desk = Desk::new();
    let of = desk.vehicles.clone();
    let define = json!({"fromObjectTypeId": of, "toObjectTypeId": of, "name": "vehicle_to_vehicle"});
    desk.post(
        &format!("/crm-object-schemas/2026-09/schemas/{of}/associations"),
        define,
    );
    let labels = format!("{DATED}/{of}/{of}/labels");
    let told = desk.post(
        &labels,
        json!({"name": "tow", "label": "Tows", "inverseLabel": "Towed by"}),
    );
    assert_eq!(told.each("/label"), ["Towed by", "Tows"]);
    let tows = told
        .results()
        .iter()
        .find(|told| told["label"] == "Tows")
        .cloned()
        .unwrap_or_default();
    let (one, other) = (desk.vehicle("a"), desk.vehicle("b"));
    let pair = json!({"inputs": [{"from": {"id": one}, "to": {"id": other},
        "types": [{"associationCategory": "USER_DEFINED", "associationTypeId": tows["typeId"]}]}]});
    assert_eq!(
        desk.post(&format!("{DATED}/{of}/{of}/batch/create"), pair).status,
        200
    );
    let read = desk.post(
        &format!("{DATED}/{of}/{of}/batch/read"),
        json!({"inputs": [{"id": one}, {"id": other}]}),
    );
    let mut seen: Vec<(String, String)> = read
        .results()
        .iter()
        .map(|told| {
            (
                told["from"]["id"].to_string(),
                told["to"][0]["associationTypes"][1]["label"].to_string(),
            )
        })
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            (json!(one).to_string(), "\"Tows\"".to_owned()),
            (json!(other).to_string(), "\"Towed by\"".to_owned())
        ]
    );
}

#[test]
fn labels_have_names_a_cap_and_an_end() {
    let desk = Desk::behaving(Behaviour {
        labels_max: 3,
        ..Behaviour::default()
    });
    let scene = Scene::with(desk);
    let path = format!("{DATED}/{}/companies/labels", scene.desk.vehicles);
    for name in ["has-hyphen", "1st", ""] {
        assert_eq!(
            scene
                .desk
                .post(&path, json!({"name": name, "label": name}))
                .status,
            400,
            "{name}"
        );
    }
    let owner = scene.label("Owner", None);
    assert_eq!(
        scene
            .desk
            .post(&path, json!({"name": "owner", "label": "Other"}))
            .status,
        400,
        "names are unique"
    );
    assert_eq!(
        scene
            .desk
            .post(&path, json!({"name": "other", "label": "owner"}))
            .status,
        400,
        "labels are, too"
    );
    scene.label("Second", None);
    scene.label("Third", None);
    let told = scene
        .desk
        .post(&path, json!({"name": "fourth", "label": "Fourth"}));
    assert_eq!(told.status, 437);
    assert!(
        told.message()
            .starts_with("No more than 3 association types are allowed between"),
        "{}",
        told.message()
    );
    let rename = json!({"associationTypeId": owner, "label": "Keeper", "inverseLabel": "Kept"});
    assert_eq!(scene.desk.put(&path, rename).status, 204);
    scene.to_companies(
        DATED,
        "create",
        json!([scene.pair(&scene.companies[0], &[owner])]),
    );
    assert_eq!(scene.seen()[0].1[1], "Keeper");
    assert_eq!(
        scene.desk.delete(&format!("{path}/{owner}")).status,
        400,
        "it is in use"
    );
    assert_eq!(
        scene.desk.delete(&format!("{path}/{}", scene.plain)).status,
        400,
        "the plain type stays"
    );
    scene.to_companies(
        DATED,
        "labels/archive",
        json!([scene.pair(&scene.companies[0], &[owner])]),
    );
    assert_eq!(scene.desk.delete(&format!("{path}/{owner}")).status, 204);
    assert_eq!(scene.desk.get(&path).each("/label"), ["Second", "Third", "null"]);
    scene.label("Fourth", None);
}

#[test]
fn standard_pairs_have_hubspots_own_numbers_and_one_primary() {
    let desk = Desk::bare(calm());
    let told = desk.get(&format!("{V4}/contacts/companies/labels"));
    let types: Vec<(Value, Value)> = told
        .results()
        .iter()
        .map(|told| (told["typeId"].clone(), told["label"].clone()))
        .collect();
    assert_eq!(types, [(json!(279), Value::Null), (json!(1), json!("Primary"))]);
    let contact = desk.post(
        "/crm/v3/objects/contacts",
        json!({"properties": {"email": "a@b.example"}}),
    );
    let contact = contact.body["id"].as_str().unwrap_or_default().to_owned();
    let (one, other) = (desk.company("A"), desk.company("B"));
    for company in [&one, &other] {
        let types = json!([{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}]);
        desk.put(
            &format!("/crm/v4/objects/contacts/{contact}/associations/companies/{company}"),
            types,
        );
    }
    let told = desk.get(&format!(
        "/crm/v4/objects/contacts/{contact}/associations/companies"
    ));
    let labels = |id: &str| {
        let link = told
            .results()
            .iter()
            .find(|told| told["toObjectId"] == number(id))
            .cloned()
            .unwrap_or_default();
        link["associationTypes"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(
        (labels(&one), labels(&other)),
        (1, 2),
        "the primary moved to the second"
    );
}

#[test]
fn an_account_can_lower_a_ceiling_and_a_full_record_is_an_item() {
    let scene = Scene::with(Desk::with(PortalConfig { seed: 5, ..calm() }));
    let base = format!("{DATED}/definitions/configurations");
    let path = format!("{base}/{}/companies", scene.desk.vehicles);
    let entry = json!({"inputs": [{"category": "USER_DEFINED", "typeId": scene.plain, "maxToObjectIds": 1}]});
    let told = scene.desk.post(&format!("{path}/batch/create"), entry);
    assert_eq!(
        (told.status, &told.results()[0]["userEnforcedMaxToObjectIds"]),
        (200, &json!(1))
    );
    assert_eq!(scene.desk.get(&format!("{base}/all")).results().len(), 1);
    let both = json!([
        scene.pair(&scene.companies[0], &[scene.plain]),
        scene.pair(&scene.companies[1], &[scene.plain])
    ]);
    let told = scene.to_companies(DATED, "create", both);
    assert_eq!((told.status, told.results().len()), (207, 1));
    assert_eq!(
        told.errors()[0]["subCategory"],
        "crm.associations.ASSOCIATION_LIMIT_EXCEEDED"
    );
    let purge = json!({"inputs": [{"category": "USER_DEFINED", "typeId": scene.plain}]});
    assert_eq!(scene.desk.post(&format!("{path}/batch/purge"), purge).status, 200);
    let again = json!([scene.pair(&scene.companies[1], &[scene.plain])]);
    assert_eq!(scene.to_companies(DATED, "create", again).status, 200);
}

/// Statuses and keys as the OpenAPI documents of the versions declare them.
#[test]
fn ceilings_answer_as_their_version_declares() {
    let table = [
        ("/crm/associations/v4", 201, 204),
        ("/crm/associations/2026-03", 201, 200),
        (DATED, 200, 200),
    ];
    for (base, created, purged) in table {
        let scene = Scene::new();
        let path = format!(
            "{base}/definitions/configurations/{}/companies/batch",
            scene.desk.vehicles
        );
        let entry = |most| json!({"inputs": [{"category": "USER_DEFINED", "typeId": scene.plain, "maxToObjectIds": most}]});
        let told = scene.desk.post(&format!("{path}/create"), entry(2));
        assert_eq!(told.status, created, "{base}");
        assert!(told.results()[0].get("label").is_some(), "{}", told.text);
        let told = scene.desk.post(&format!("{path}/update"), entry(3));
        assert_eq!((told.status, told.results().len()), (200, 1), "{base}");
        assert!(told.results()[0].get("label").is_none(), "{}", told.text);
        assert_eq!(
            scene.desk.post(&format!("{path}/purge"), entry(3)).status,
            purged,
            "{base}"
        );
    }
}
