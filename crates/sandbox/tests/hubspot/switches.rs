//! What is not established about HubSpot, each way; and what the recycle bin forgets.

use super::{
    batches::upsert,
    desk::{Desk, vehicle},
    scene::{DATED, Scene},
};
use landbridge_sandbox::hubspot::{Behaviour, PortalConfig};
use serde_json::{Value, json};

fn behaving(change: impl FnOnce(&mut Behaviour)) -> Desk {
    let mut behaviour = Behaviour::default();
    change(&mut behaviour);
    Desk::behaving(behaviour)
}

#[test]
fn a_null_clears_where_the_switch_says_so() {
    for (clears, want) in [(false, json!("x")), (true, Value::Null)] {
        let desk = behaving(|behaviour| behaviour.nulls_clear = clears);
        let put =
            |properties: Value| desk.vehicles("2026-09", "upsert", json!([upsert("a", None, properties)]));
        put(json!({"key": "a", "note": "x"}));
        put(json!({"key": "a", "note": null}));
        let read = desk.get(&format!(
            "/crm/objects/2026-09/{}/a?idProperty=key&properties=note",
            desk.vehicles
        ));
        assert_eq!(read.body["properties"]["note"], want);
    }
}

#[test]
fn a_refusal_of_the_limits_may_say_how_long_to_wait() {
    for seconds in [None, Some(7)] {
        let mut config = PortalConfig {
            limits: landbridge_sandbox::Limits::Calls(1),
            ..PortalConfig::default()
        };
        config.habits.behaviour.retry_after_s = seconds;
        let desk = Desk::bare(config);
        desk.get("/crm/objects/2026-09/companies");
        let refused = desk.get("/crm/objects/2026-09/companies");
        assert_eq!(refused.status, 429);
        assert_eq!(refused.header("retry-after"), seconds.map(|_| "7"));
    }
}

#[test]
fn a_body_has_a_largest_size() {
    let desk = behaving(|behaviour| behaviour.body_max = 2000);
    let note = "x".repeat(2000);
    let told = desk.vehicles(
        "2026-09",
        "upsert",
        json!([upsert("a", None, json!({"key": "a", "note": note}))]),
    );
    assert_eq!((told.status, desk.count()), (413, 0));
    assert!(told.body.is_null(), "no JSON: {}", told.text);
}

#[test]
fn lists_of_a_filter_and_batches_that_take_apart_have_sizes() {
    let scene = Scene::with(behaving(|behaviour| {
        behaviour.in_values_max = 2;
        behaviour.association_archive_max = 3;
    }));
    let search = |values: Value| {
        let filter = json!({"propertyName": "key", "operator": "IN", "values": values});
        let path = format!("/crm/objects/2026-09/{}/search", scene.desk.vehicles);
        scene
            .desk
            .post(&path, json!({"filterGroups": [{"filters": [filter]}]}))
            .status
    };
    assert_eq!(
        (search(json!(["a", "b"])), search(json!(["a", "b", "c"]))),
        (200, 400)
    );
    let pairs = |count: usize| {
        json!(vec![
            json!({"from": {"id": scene.vehicle}, "to": [{"id": "1"}]});
            count
        ])
    };
    assert_eq!(scene.to_companies(DATED, "archive", pairs(3)).status, 200);
    assert_eq!(scene.to_companies(DATED, "archive", pairs(4)).status, 400);
}

#[test]
fn a_taken_schema_name_is_a_conflict_or_the_type_that_has_it() {
    let mut again = vehicle();
    again["properties"] = json!([{"name": "colour", "label": "Colour", "type": "string", "fieldType": "text"},
                                 {"name": "key", "label": "Other", "type": "string", "fieldType": "text"}]);
    let path = "/crm-object-schemas/2026-09/schemas";
    assert_eq!(Desk::new().post(path, again.clone()).status, 409);
    let desk = behaving(|behaviour| behaviour.taken_schema_names_merge = true);
    let told = desk.post(path, again);
    assert_eq!(
        (told.status, &told.body["objectTypeId"]),
        (201, &json!(desk.vehicles))
    );
    let label = |name: &str| {
        let path = format!("/crm/properties/2026-09/{}/{name}", desk.vehicles);
        desk.get(&path).body["label"].clone()
    };
    assert_eq!((label("colour"), label("key")), (json!("Colour"), json!("Key")));
}

#[test]
fn rules_of_values_bind_every_version_and_sink_one_row_alone() {
    let desk = Desk::new();
    let rule = format!(
        "/crm/property-validations/2026-09/{}/note/rule-type/ALPHANUMERIC",
        desk.vehicles
    );
    assert_eq!(desk.put(&rule, json!({"ruleArguments": ["LETTERS"]})).status, 400);
    assert_eq!(
        desk.put(&rule, json!({"ruleArguments": ["ALPHA_ONLY"]})).status,
        204
    );
    for version in ["v3", "2026-09"] {
        let inputs = json!([
            upsert("a", Some("1"), json!({"key": "a", "note": "letters"})),
            upsert("b", Some("2"), json!({"key": "b", "note": "4 digits"})),
        ]);
        let told = desk.vehicles(version, "upsert", inputs);
        assert_eq!(
            (told.status, told.results().len(), told.errors().len()),
            (207, 1, 1),
            "{version}"
        );
        let message = told.errors()[0]["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("INVALID_ALPHA") && message.contains("Enter only letters"),
            "{message}"
        );
    }
    let cleared = desk.vehicles(
        "2026-09",
        "upsert",
        json!([upsert("a", None, json!({"note": ""}))]),
    );
    assert_eq!(cleared.status, 200, "clearing is no value");
}

#[test]
fn a_user_without_the_permission_cannot_associate_since_2026_09() {
    let mut scene = Scene::with(Desk::new());
    let token = scene
        .desk
        .post("/__sandbox/tokens", json!({"edit_associations": false}));
    scene.desk.token = token.body["token"].as_str().unwrap_or_default().to_owned();
    let inputs = json!([scene.pair(&scene.companies[0], &[scene.plain])]);
    let refused = scene.to_companies(DATED, "create", inputs.clone());
    assert_eq!(
        (refused.status, refused.message()),
        (400, "Missing 'Edit Associations' permission.")
    );
    let march = scene.to_companies("/crm/associations/2026-03", "create", inputs);
    assert_eq!(march.status, 201, "{}", march.text);
}

#[test]
fn the_accounts_count_of_calls_may_leave_service_keys_out() {
    for hides in [false, true] {
        let desk = behaving(|behaviour| behaviour.usage_hides_service_keys = hides);
        let told = desk.get("/account-info/2026-09/api-usage/daily/private-apps");
        assert_eq!(told.results()[0]["currentUsage"] == 0, hides, "{}", told.text);
    }
}

#[test]
fn the_recycle_bin_is_emptied_after_ninety_days() {
    let desk = Desk::new();
    let car = desk.vehicle("a");
    let all = format!("/crm/objects/2026-09/{}", desk.vehicles);
    desk.delete(&format!("{all}/{car}"));
    let archived = || desk.get(&format!("{all}?archived=true")).results().len();
    desk.advance(90 * 86_400_000 - 1);
    assert_eq!(archived(), 1);
    desk.advance(1);
    assert_eq!(archived(), 0);
}

#[test]
fn a_contact_can_be_forgotten_for_good() {
    let desk = Desk::new();
    let all = "/crm/v3/objects/contacts";
    let made = desk.post(all, json!({"properties": {"email": "ada@example.com"}}));
    let id = made.body["id"].as_str().unwrap_or_default().to_owned();
    let wanted = json!({"objectId": "ADA@example.com", "idProperty": "email"});
    assert_eq!(
        desk.post(&format!("{all}/gdpr-delete"), wanted.clone()).status,
        204
    );
    assert_eq!(desk.get(&format!("{all}/{id}?archived=true")).status, 404);
    assert_eq!(
        desk.post(&format!("{all}/gdpr-delete"), wanted).status,
        204,
        "nobody there is no error"
    );
    assert_eq!(
        desk.post("/crm/v3/objects/companies/gdpr-delete", json!({"objectId": "1"}))
            .status,
        400
    );
}
