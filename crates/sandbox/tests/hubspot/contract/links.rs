//! The tour of associations: pairs, labels and ceilings.

use super::tour::Tour;
use serde_json::{Value, json};

pub(crate) fn pairs(tour: &mut Tour) {
    let of = tour.new_type("pairs");
    let (car, company) = (tour.new_record(&of, "a"), tour.new_company("Acme"));
    let lonely = tour.new_record(&of, "b");
    let base = tour.associations(&format!("/{of}/companies"));
    let labels = tour.get(&format!("{base}/labels"));
    let plain =
        json!({ "associationCategory": "USER_DEFINED", "associationTypeId": labels.results()[0]["typeId"] });
    let made = if tour.version == "2026-09" { 200 } else { 201 };
    let gone = if tour.version == "v3" { 204 } else { 200 };
    let typed =
        |from: &str, to: &str| json!({ "from": { "id": from }, "to": { "id": to }, "types": [plain] });
    let create = format!("{base}/batch/create");
    tour.ask(
        made,
        "POST",
        &create,
        json!({ "inputs": [typed(&car, &company)] }),
    );
    let inputs = json!([
        typed(&car, &company),
        typed("nothing", &company),
        typed(&car, "1")
    ]);
    tour.ask(Tour::MIXED, "POST", &create, json!({ "inputs": inputs }));
    let read = format!("{base}/batch/read");
    tour.ask(200, "POST", &read, json!({ "inputs": [{ "id": car }] }));
    tour.ask(
        Tour::MIXED,
        "POST",
        &read,
        json!({ "inputs": [{ "id": car }, { "id": lonely }] }),
    );
    tour.ask(
        gone,
        "POST",
        &format!("{base}/batch/labels/archive"),
        json!({ "inputs": [typed(&car, &company)] }),
    );
    let default = json!({ "inputs": [{ "from": { "id": car }, "to": { "id": company } }] });
    tour.ask(200, "POST", &format!("{base}/batch/associate/default"), default);
    let archive = json!({ "inputs": [{ "from": { "id": car }, "to": [{ "id": company }] }] });
    tour.ask(gone, "POST", &format!("{base}/batch/archive"), archive);

    let of_car = tour.pair(&format!("/{of}/{car}/associations"));
    let one = format!("{of_car}/companies/{company}");
    tour.ask(201, "PUT", &one, json!([plain]));
    if tour.version != "2026-09" {
        tour.get(&format!("{of_car}/companies"));
    }
    tour.ask(204, "DELETE", &one, Value::Null);
    let default = tour.pair(&format!("/{of}/{car}/associations/default/companies/{company}"));
    tour.ask(200, "PUT", &default, Value::Null);
    tour.ask(400, "POST", &create, json!({ "inputs": [] }));
    if tour.version == "v3" {
        tour.ask(
            200,
            "POST",
            "/crm/v4/associations/usage/high-usage-report/1",
            Value::Null,
        );
    } else {
        let report = tour.associations("/usage/high-usage-report/1");
        tour.ask(200, "POST", &report, Value::Null);
    }
}

pub(crate) fn labels(tour: &mut Tour) {
    let of = tour.new_type("labels");
    let mut bases = vec![tour.associations(&format!("/{of}/companies"))];
    if tour.version == "v3" {
        bases.push(format!("/crm/associations/v4/{of}/companies"));
    }
    for (at, base) in bases.iter().enumerate() {
        let path = format!("{base}/labels");
        let name = format!("owner_{at}_{}", tour.version.replace('-', "_"));
        tour.ask(
            200,
            "POST",
            &path,
            json!({ "name": name, "label": "Owner", "inverseLabel": "Owned" }),
        );
        let told = tour.get(&path);
        let owner = told.results().iter().find(|told| told["label"] == "Owner");
        let id = owner.expect("what was made")["typeId"].clone();
        tour.ask(
            204,
            "PUT",
            &path,
            json!({ "associationTypeId": id, "label": "Keeper", "inverseLabel": "Kept" }),
        );
        tour.ask(204, "DELETE", &format!("{path}/{id}"), Value::Null);
        tour.ask(400, "POST", &path, json!({ "name": "no-hyphens", "label": "X" }));
    }
}

pub(crate) fn ceilings(tour: &mut Tour) {
    let of = tour.new_type("ceilings");
    let base = match tour.version {
        "v3" => "/crm/associations/v4".to_owned(),
        dated => format!("/crm/associations/{dated}"),
    };
    let labels = tour.get(&tour.associations(&format!("/{of}/companies/labels")));
    let plain = labels.results()[0]["typeId"].clone();
    let pair = format!("{base}/definitions/configurations/{of}/companies");
    let made = if tour.version == "2026-09" { 200 } else { 201 };
    let most = |most: u32| json!({ "inputs": [{ "category": "USER_DEFINED", "typeId": plain, "maxToObjectIds": most }] });
    tour.ask(made, "POST", &format!("{pair}/batch/create"), most(5));
    tour.get(&format!("{base}/definitions/configurations/all"));
    tour.get(&pair);
    tour.ask(200, "POST", &format!("{pair}/batch/update"), most(6));
    let gone = if tour.version == "v3" { 204 } else { 200 };
    let purge = json!({ "inputs": [{ "category": "USER_DEFINED", "typeId": plain }] });
    tour.ask(gone, "POST", &format!("{pair}/batch/purge"), purge);
    let unknown =
        json!({ "inputs": [{ "category": "USER_DEFINED", "typeId": 999_999, "maxToObjectIds": 2 }] });
    tour.ask(Tour::MIXED, "POST", &format!("{pair}/batch/update"), unknown);
}
