//! What a restart remembers, and what it may forget.

use super::desk::{Desk, having, quiet};
use landbridge_sandbox::{
    hubspot::{Behaviour, Habits, Portal, PortalConfig, StateError},
    stats::Stats,
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

/// The same portal after a restart under another seed, so that nothing comes back by chance.
fn restarted(desk: &Desk, folder: &Path) -> Desk {
    desk.portal.keep(folder).expect("a writable folder");
    let config = PortalConfig {
        seed: 999,
        ..having(quiet())
    };
    let portal = Portal::open(config, Arc::new(Stats::default()), folder).expect("a readable state");
    portal.stop_clock();
    Desk {
        portal,
        token: desk.token.clone(),
        vehicles: desk.vehicles.clone(),
    }
}

/// Everything that reads can tell, without what differs by the call.
fn picture(desk: &Desk) -> Vec<Value> {
    let vehicles = &desk.vehicles;
    let paths = [
        format!("/crm-object-schemas/2026-09/schemas/{vehicles}"),
        format!("/crm/properties/2026-09/{vehicles}?archived=true"),
        format!("/crm/properties/2026-09/{vehicles}/groups"),
        format!("/crm/property-validations/2026-09/{vehicles}"),
        format!(
            "/crm/objects/2026-09/{vehicles}?limit=100&properties=key,note,stage,tags&associations=companies"
        ),
        format!("/crm/objects/2026-09/{vehicles}?archived=true&properties=key,hs_merged_object_ids"),
        "/crm/objects/2026-09/companies?properties=name".to_owned(),
        format!("/crm/associations/2026-09/{vehicles}/companies/labels"),
        "/crm/associations/2026-09/definitions/configurations/all".to_owned(),
        "/crm/limits/2026-09/records".to_owned(),
        "/__sandbox/objects".to_owned(),
        "/__sandbox/habits".to_owned(),
    ];
    let mut told: Vec<Value> = paths.iter().map(|path| desk.get(path).body).collect();
    for told in &mut told {
        // A portal tells the properties of a type in no order that it promises.
        if let Some(list) = told.get_mut("results").and_then(Value::as_array_mut) {
            list.sort_by_key(Value::to_string);
        }
    }
    told
}

#[test]
fn everything_that_reads_can_tell_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let desk = Desk::behaving(Behaviour {
        labels_max: 7,
        ..Behaviour::default()
    });
    let (car, company) = (desk.vehicle("a"), desk.company("Acme"));
    let (second, third) = (desk.vehicle("b"), desk.vehicle("c"));
    let all = format!("/crm/objects/2026-09/{}", desk.vehicles);
    desk.patch(
        &format!("{all}/{car}"),
        json!({"properties": {"note": "ä\n\"", "stage": "open", "tags": "red;blue"}}),
    );
    desk.post(
        &format!("{all}/merge"),
        json!({"primaryObjectId": car, "objectIdToMerge": second}),
    );
    desk.delete(&format!("{all}/{third}"));
    let labels = format!("/crm/associations/2026-09/{}/companies/labels", desk.vehicles);
    desk.post(
        &labels,
        json!({"name": "owner", "label": "Owner", "inverseLabel": "Owned"}),
    );
    let owner = desk
        .get(&labels)
        .results()
        .iter()
        .find(|told| told["label"] == "Owner")
        .expect("it")["typeId"]
        .clone();
    let pair = format!("{all}/{car}/associations/companies/{company}");
    let types = json!([{"associationCategory": "USER_DEFINED", "associationTypeId": owner}]);
    assert_eq!(desk.put(&pair, types).status, 201);
    let rule = format!(
        "/crm/property-validations/2026-09/{}/note/rule-type/MAX_LENGTH",
        desk.vehicles
    );
    assert_eq!(desk.put(&rule, json!({"ruleArguments": ["3"]})).status, 204);
    desk.delete(&format!("/crm/properties/2026-09/{}/price", desk.vehicles));
    desk.advance(5_000);

    let before = picture(&desk);
    let again = restarted(&desk, folder.path());
    assert_eq!(picture(&again), before);
    let lost = again.get(&format!("{all}/{second}")).body["id"].clone();
    assert_eq!(lost, json!(car), "the loser of a merge still leads to the winner");
    let long = again.patch(&format!("{all}/{car}"), json!({"properties": {"note": "long"}}));
    assert_eq!(long.status, 400, "rules still bind");
    let twin = again.post(&all, json!({"properties": {"key": "A"}}));
    assert_eq!(twin.status, 409, "unique values are still taken");
    let freed = again.post(&all, json!({"properties": {"key": "c"}}));
    assert_eq!(freed.status, 201, "those of the recycle bin are not");
    let newest: u64 = freed.body["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .unwrap_or_default();
    assert!(newest > third.parse().unwrap_or(u64::MAX), "ids go on rising");
}

#[test]
fn tokens_and_the_day_outlast_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let desk = Desk::new();
    desk.post("/__sandbox/usage", json!({"calls": 4711}));
    let app = desk.portal.credentials();
    let further = desk.post("/__sandbox/tokens", json!({"scopes": ["oauth"]})).body["token"].clone();
    let again = restarted(&desk, folder.path());
    assert_eq!(again.portal.credentials(), app);
    let usage = again.get("/account-info/2026-09/api-usage/daily/private-apps");
    let used = usage.results()[0]["currentUsage"].as_u64().unwrap_or_default();
    assert!((4711..4720).contains(&used), "{used}");
    let limited = Desk {
        token: further.as_str().unwrap_or_default().to_owned(),
        ..again
    };
    assert_eq!(limited.get("/crm/objects/2026-09/companies").status, 403);
}

#[test]
fn values_in_the_recycle_bin_stay_taken_where_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let desk = Desk::with(having(Habits {
        behaviour: Behaviour {
            archived_keep_unique_values: true,
            ..Behaviour::default()
        },
        ..quiet()
    }));
    let car = desk.vehicle("a");
    let all = format!("/crm/objects/2026-09/{}", desk.vehicles);
    desk.delete(&format!("{all}/{car}"));
    let again = restarted(&desk, folder.path());
    assert_eq!(again.post(&all, json!({"properties": {"key": "a"}})).status, 409);
}

#[test]
fn a_file_of_another_form_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = || Portal::open(having(quiet()), Arc::new(Stats::default()), folder.path());
    open().expect("nothing there is a new portal");
    let file = folder.path().join("hubspot.jsonl");
    std::fs::write(&file, "{\"format\": 99}\n").expect("a writable folder");
    assert!(matches!(open(), Err(StateError::Format { found: 99, .. })));
    Desk::new().portal.keep(folder.path()).expect("a writable folder");
    let mut whole = std::fs::read(&file).expect("a state");
    whole.truncate(whole.len() - 1);
    whole.extend_from_slice(b"\nnot a line\n");
    std::fs::write(&file, whole).expect("a writable folder");
    let told = open().expect_err("it is no state").to_string();
    assert!(
        told.contains("hubspot.jsonl, line ") && told.contains("remove the file"),
        "{told}"
    );
}
