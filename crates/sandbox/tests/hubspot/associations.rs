//! Associations: definitions, labels, batches, single pairs, ceilings.

use super::desk::{Desk, Told, calm};
use landbridge_sandbox::hubspot::{Behaviour, PortalConfig};
use serde_json::{Value, json};

const DATED: &str = "/crm/associations/2026-09";
const V4: &str = "/crm/v4/associations";

/// A vehicle, two companies, and the plain type between them.
struct Scene {
    desk: Desk,
    vehicle: String,
    companies: [String; 2],
    plain: u64,
}

impl Scene {
    fn new() -> Scene {
        Scene::with(Desk::new())
    }

    fn with(desk: Desk) -> Scene {
        let (vehicle, companies) = (desk.vehicle("a"), [desk.company("Acme"), desk.company("Bolt")]);
        let labels = desk.get(&format!("{DATED}/{}/companies/labels", desk.vehicles));
        assert_eq!(labels.results().len(), 1, "{}", labels.text);
        let plain = &labels.results()[0];
        assert_eq!(
            (&plain["category"], &plain["label"]),
            (&json!("USER_DEFINED"), &Value::Null)
        );
        let plain = plain["typeId"].as_u64().unwrap_or_default();
        Scene {
            desk,
            vehicle,
            companies,
            plain,
        }
    }

    fn to_companies(&self, base: &str, deed: &str, inputs: Value) -> Told {
        self.desk.post(
            &format!("{base}/{}/companies/batch/{deed}", self.desk.vehicles),
            json!({ "inputs": inputs }),
        )
    }

    fn pair(&self, to: &str, types: &[u64]) -> Value {
        let types: Vec<Value> = types
            .iter()
            .map(|id| json!({"associationCategory": "USER_DEFINED", "associationTypeId": id}))
            .collect();
        json!({"from": {"id": self.vehicle}, "to": {"id": to}, "types": types})
    }

    /// A label and its type id seen from vehicles.
    fn label(&self, label: &str, inverse: Option<&str>) -> u64 {
        let path = format!("{DATED}/{}/companies/labels", self.desk.vehicles);
        let mut draft = json!({"name": label.to_lowercase(), "label": label});
        if let Some(inverse) = inverse {
            draft["inverseLabel"] = json!(inverse);
        }
        let told = self.desk.post(&path, draft);
        assert_eq!((told.status, told.results().len()), (200, 2), "{}", told.text);
        let labels = self.desk.get(&path);
        let found = labels.results().iter().find(|told| told["label"] == label);
        found.and_then(|told| told["typeId"].as_u64()).unwrap_or_default()
    }

    /// Labels by company, seen from the vehicle; the plain type is a null.
    fn seen(&self) -> Vec<(u64, Vec<Value>)> {
        self.seen_from(
            "/crm/associations/2026-09",
            &self.desk.vehicles,
            &self.vehicle,
            "companies",
        )
    }

    fn seen_from(&self, base: &str, from: &str, id: &str, to: &str) -> Vec<(u64, Vec<Value>)> {
        let told = self.desk.post(
            &format!("{base}/{from}/{to}/batch/read"),
            json!({"inputs": [{"id": id}]}),
        );
        let links = told
            .results()
            .first()
            .map(|told| told["to"].as_array().cloned().unwrap_or_default());
        let label = |link: &Value| {
            let types = link["associationTypes"].as_array().cloned().unwrap_or_default();
            types.iter().map(|told| told["label"].clone()).collect()
        };
        links
            .unwrap_or_default()
            .iter()
            .map(|link| (link["toObjectId"].as_u64().unwrap_or_default(), label(link)))
            .collect()
    }
}

fn number(id: &str) -> u64 {
    id.parse().unwrap_or_default()
}

#[test]
fn created_pairs_are_told_with_numbers_and_seen_from_both_ends() {
    for base in [DATED, V4, "/crm/associations/2026-03"] {
        let scene = Scene::new();
        let told = scene.to_companies(
            base,
            "create",
            json!([scene.pair(&scene.companies[0], &[scene.plain])]),
        );
        assert_eq!(told.status, 201, "{}", told.text);
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
        201
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
    assert_eq!(scene.to_companies(DATED, "create", again).status, 201);
}
