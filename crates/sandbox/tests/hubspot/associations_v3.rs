//! Associations under the v3 paths: what older clients call, with types by name and no pages.

use super::scene::{Scene, number};
use serde_json::{Value, json};

const V3: &str = "/crm/v3/associations";

/// The plain type's name, as `types` tells it.
fn plain_name(scene: &Scene) -> String {
    let told = scene
        .desk
        .get(&format!("{V3}/{}/companies/types", scene.desk.vehicles));
    assert_eq!((told.status, told.results().len()), (200, 1), "{}", told.text);
    assert_eq!(told.results()[0]["id"], scene.plain.to_string());
    told.results()[0]["name"].as_str().unwrap_or_default().to_owned()
}

fn pair(scene: &Scene, to: &str, of_type: &str) -> Value {
    json!({"from": {"id": scene.vehicle}, "to": {"id": to}, "type": of_type})
}

#[test]
fn pairs_are_made_read_and_taken_apart_by_name() {
    let scene = Scene::new();
    let (name, company) = (plain_name(&scene), scene.companies[0].clone());
    let told = scene.to_companies(V3, "create", json!([pair(&scene, &company, &name)]));
    assert_eq!(told.status, 201, "{}", told.text);
    assert_eq!(
        told.results(),
        [pair(&scene, &company, &name)],
        "ids are text here"
    );
    assert_eq!(scene.seen(), [(number(&company), vec![Value::Null])]);

    let told = scene.to_companies(V3, "read", json!([{"id": scene.vehicle}]));
    assert_eq!(told.status, 200);
    assert_eq!(
        told.results(),
        [json!({"from": {"id": scene.vehicle}, "to": [{"id": company, "type": name}]})]
    );
    let told = scene.to_companies(V3, "read", json!([{"id": scene.vehicle}, {"id": "4"}]));
    assert_eq!(
        (told.status, told.results().len(), told.errors().len()),
        (207, 1, 1)
    );

    let told = scene.to_companies(V3, "archive", json!([pair(&scene, &company, &name)]));
    assert_eq!((told.status, told.text.as_str()), (204, ""));
    assert_eq!(scene.seen(), []);
}

#[test]
fn a_number_names_a_type_and_labels_join_those_that_are_there() {
    let scene = Scene::new();
    let (owner, driver) = (scene.label("Owner", None), scene.label("Driver", None));
    let company = &scene.companies[0];
    for label in [owner, driver] {
        let told = scene.to_companies(V3, "create", json!([pair(&scene, company, &label.to_string())]));
        assert_eq!(told.status, 201, "{}", told.text);
    }
    assert_eq!(
        scene.seen(),
        [(
            number(company),
            vec![Value::Null, json!("Owner"), json!("Driver")]
        )]
    );
    scene.to_companies(V3, "archive", json!([pair(&scene, company, &owner.to_string())]));
    assert_eq!(
        scene.seen(),
        [(number(company), vec![Value::Null, json!("Driver")])]
    );
    let told = scene.to_companies(V3, "create", json!([pair(&scene, company, "no_such_type")]));
    assert_eq!((told.status, told.category()), (400, "VALIDATION_ERROR"));
}

#[test]
fn a_bad_id_is_an_item_as_everywhere() {
    let scene = Scene::new();
    let name = plain_name(&scene);
    let inputs = json!([
        pair(&scene, &scene.companies[0], &name),
        pair(&scene, "bad", &name)
    ]);
    let told = scene.to_companies(V3, "create", inputs);
    assert_eq!((told.status, told.results().len()), (207, 1));
    assert_eq!(
        told.errors()[0]["subCategory"],
        "crm.associations.INVALID_IDENTIFIER"
    );
}

#[test]
fn a_single_record_has_the_same_calls_with_the_type_in_the_path() {
    let scene = Scene::new();
    let (name, company) = (plain_name(&scene), &scene.companies[0]);
    let base = format!(
        "/crm/v3/objects/{}/{}/associations/companies",
        scene.desk.vehicles, scene.vehicle
    );
    let told = scene.desk.put(&format!("{base}/{company}/{name}"), Value::Null);
    assert_eq!(
        (told.status, &told.body["id"]),
        (200, &json!(scene.vehicle)),
        "{}",
        told.text
    );
    let told = scene.desk.get(&base);
    assert_eq!(told.results(), [json!({"id": company, "type": name})]);
    assert_eq!(scene.desk.delete(&format!("{base}/{company}/{name}")).status, 204);
    assert_eq!(scene.desk.get(&base).results().len(), 0);
}
