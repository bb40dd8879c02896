//! `/crm/limits/…`: how full the account is.

use super::{
    associations::direction,
    call::Call,
    catalog::Catalog,
    errors::{Answer, Reply},
    links::{AssociationType, Direction},
    properties::custom_count,
    table::Table,
};
use serde_json::{Value, json};

const STANDARD_RECORDS: u64 = 15_000_000;
const OTHER_RECORDS: u64 = 500_000;
const PROPERTIES_OVERALL: u64 = 10_000;
/// How many full records are named.
const SAMPLES: usize = 10;

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    let answer: fn(&Call<'_>, &Catalog) -> Answer = match (call.method, call.rest) {
        ("GET", ["custom-object-types"]) => object_types,
        ("GET", ["records"]) => records,
        ("GET", ["custom-properties"]) => properties,
        ("GET", ["calculated-properties"]) => calculated,
        ("GET", ["pipelines"]) => pipelines,
        ("GET", ["associations", "labels"]) => labels,
        ("GET", ["associations", "records", "from"]) => full_from,
        ("GET", ["associations", "records", _, "to"]) => full_to,
        ("GET", ["associations", "records", _, _]) => one_pair,
        _ => return None,
    };
    let mut any_of: Vec<String> = ["custom", "contacts", "companies", "deals"]
        .map(|family| format!("crm.objects.{family}.read"))
        .to_vec();
    any_of.extend([
        "crm.schemas.custom.read".to_owned(),
        "crm.schemas.custom.write".to_owned(),
    ]);
    Some(
        call.need(&any_of)
            .and_then(|()| answer(call, &call.portal.catalog.read())),
    )
}

fn percentage(used: u64, limit: u64) -> f64 {
    if limit == 0 {
        100.0
    } else {
        (used as f64 * 10_000.0 / limit as f64).round() / 100.0
    }
}

fn named(table: &Table) -> Value {
    json!({
        "objectTypeId": table.type_id, "singularLabel": table.definition.singular,
        "pluralLabel": table.definition.plural,
    })
}

fn filled(table: &Table, used: u64, limit: Option<u64>) -> Value {
    let mut told = named(table);
    told["usage"] = json!(used);
    if let Some(limit) = limit {
        told["limit"] = json!(limit);
        told["percentage"] = json!(percentage(used, limit));
    }
    told
}

fn object_types(call: &Call<'_>, catalog: &Catalog) -> Answer {
    let (used, limit) = (
        catalog.custom_tables().count() as u64,
        call.habits.custom_object_types as u64,
    );
    Ok(Reply::json(
        200,
        &json!({ "limit": limit, "usage": used, "percentage": percentage(used, limit) }),
    ))
}

fn records(call: &Call<'_>, catalog: &Catalog) -> Answer {
    let standard: Vec<Value> = catalog
        .tables()
        .filter(|(_, table)| !table.custom)
        .map(|(_, table)| {
            let large = matches!(table.type_id.as_str(), "0-1" | "0-2" | "0-3" | "0-5");
            filled(
                table,
                table.live as u64,
                Some(if large { STANDARD_RECORDS } else { OTHER_RECORDS }),
            )
        })
        .collect();
    let custom: Vec<Value> = catalog
        .custom_tables()
        .map(|(_, table)| filled(table, table.live as u64, None))
        .collect();
    let (used, limit) = (catalog.custom_records(), call.habits.custom_records);
    let told = json!({
        "hubspotDefinedObjectTypes": standard,
        "customObjectTypes": {
            "overallLimit": limit, "overallUsage": used, "overallPercentage": percentage(used, limit),
            "byObjectType": custom,
        },
    });
    Ok(Reply::json(200, &told))
}

fn properties(call: &Call<'_>, catalog: &Catalog) -> Answer {
    let limit = call.habits.custom_properties as u64;
    let by_type: Vec<Value> = catalog
        .tables()
        .map(|(at, table)| filled(table, custom_count(catalog, at) as u64, Some(limit)))
        .collect();
    let used: u64 = catalog
        .tables()
        .map(|(at, _)| custom_count(catalog, at) as u64)
        .sum();
    let told = json!({
        "overallLimit": PROPERTIES_OVERALL, "overallUsage": used,
        "overallPercentage": percentage(used, PROPERTIES_OVERALL), "byObjectType": by_type,
    });
    Ok(Reply::json(200, &told))
}

fn calculated(_: &Call<'_>, catalog: &Catalog) -> Answer {
    let count = |table: &Table| {
        table
            .properties
            .iter()
            .filter(|property| property.calculation_formula.is_some())
            .count() as u64
    };
    let by_type: Vec<Value> = catalog
        .custom_tables()
        .map(|(_, table)| filled(table, count(table), None))
        .collect();
    let used: u64 = catalog.custom_tables().map(|(_, table)| count(table)).sum();
    let told = json!({
        "overallLimit": 200, "overallUsage": used, "overallPercentage": percentage(used, 200),
        "byObjectType": by_type,
    });
    Ok(Reply::json(200, &told))
}

fn pipelines(_: &Call<'_>, _: &Catalog) -> Answer {
    let told = json!({
        "hubspotDefinedObjectTypes": [],
        "customObjectTypes": {
            "overallLimit": 100, "overallUsage": 0, "overallPercentage": 0.0, "byObjectType": [],
        },
    });
    Ok(Reply::json(200, &told))
}

fn labels(call: &Call<'_>, catalog: &Catalog) -> Answer {
    let wanted = |name: &str| call.query.get(name).map(|of| catalog.find(of)).transpose();
    let (wanted_from, wanted_to) = (wanted("fromObjectTypeId")?, wanted("toObjectTypeId")?);
    let limit = call.habits.behaviour.labels_max as u64;
    let results: Vec<Value> = catalog
        .pairs
        .all()
        .filter(|(from, to, _)| {
            wanted_from.is_none_or(|wanted| wanted == *from) && wanted_to.is_none_or(|wanted| wanted == *to)
        })
        .filter_map(|(from, to, direction)| {
            let custom = direction.types.iter().filter(|t| t.custom_label && !t.deleted);
            let labels: Vec<&str> = custom
                .filter_map(|described| described.label.as_deref())
                .collect();
            let asked = wanted_from.is_some() && wanted_to.is_some();
            (asked || !labels.is_empty()).then(|| {
                json!({
                    "fromObjectType": named(catalog.table(from)), "toObjectType": named(catalog.table(to)),
                    "allLabels": labels, "limit": limit, "usage": labels.len(),
                    "percentage": percentage(labels.len() as u64, limit),
                })
            })
        })
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

/// The records of a direction that are at its ceiling, and those that have four fifths of it.
struct Fullness {
    limit: usize,
    at_limit: Vec<(u64, usize)>,
    near: Vec<(u64, usize)>,
}

impl Fullness {
    fn of(direction: &Direction) -> Fullness {
        let limit = direction.types.first().map_or(0, AssociationType::limit) as usize;
        let (mut at_limit, mut near) = (Vec::new(), Vec::new());
        for (id, links) in direction.all() {
            if links.len() >= limit {
                at_limit.push((id, links.len()));
            } else if links.len() * 10 >= limit * 8 {
                near.push((id, links.len()));
            }
        }
        at_limit.sort_unstable();
        near.sort_unstable();
        Fullness {
            limit,
            at_limit,
            near,
        }
    }

    fn is_any(&self) -> bool {
        !self.at_limit.is_empty() || !self.near.is_empty()
    }
}

/// An object type in a list of those with full records.
fn told_full(table: &Table, at_limit: bool, near: bool) -> Value {
    let mut told = named(table);
    told["hasRecordsAtLimit"] = json!(at_limit);
    told["hasRecordsNearLimit"] = json!(near);
    told
}

/// The object types of which any record is full, or nearly, towards any other type.
fn full_from(_: &Call<'_>, catalog: &Catalog) -> Answer {
    let results: Vec<Value> = catalog
        .tables()
        .filter_map(|(at, table)| {
            let full: Vec<Fullness> = catalog
                .pairs
                .from(at)
                .map(|(_, direction)| Fullness::of(direction))
                .filter(Fullness::is_any)
                .collect();
            let at_limit = full.iter().any(|one| !one.at_limit.is_empty());
            let near = full.iter().any(|one| !one.near.is_empty());
            (at_limit || near).then(|| told_full(table, at_limit, near))
        })
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

/// The object types towards which any record of one type is full, or nearly.
fn full_to(call: &Call<'_>, catalog: &Catalog) -> Answer {
    let from = catalog.find(call.rest.get(2).copied().unwrap_or_default())?;
    let results: Vec<Value> = catalog
        .pairs
        .from(from)
        .map(|(to, direction)| (to, Fullness::of(direction)))
        .filter(|(_, full)| full.is_any())
        .map(|(to, full)| {
            told_full(
                catalog.table(to),
                !full.at_limit.is_empty(),
                !full.near.is_empty(),
            )
        })
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn one_pair(call: &Call<'_>, catalog: &Catalog) -> Answer {
    let find = |at: usize| catalog.find(call.rest.get(at).copied().unwrap_or_default());
    let (from, to) = (find(2)?, find(3)?);
    let full = Fullness::of(direction(catalog, from, to)?);
    let at_limit: Vec<Value> = full
        .at_limit
        .iter()
        .take(SAMPLES)
        .map(|(id, _)| json!({ "objectId": id, "label": id.to_string() }))
        .collect();
    let near: Vec<Value> = full
        .near
        .iter()
        .take(SAMPLES)
        .map(|(id, used)| {
            json!({
                "objectId": id, "label": id.to_string(), "usage": used,
                "percentage": percentage(*used as u64, full.limit as u64),
            })
        })
        .collect();
    let told = json!({
        "limit": full.limit, "totalRecordsAtLimit": full.at_limit.len(),
        "totalRecordsNearLimit": full.near.len(), "atLimitFromRecordSamples": at_limit,
        "nearLimitFromRecordSamples": near,
    });
    Ok(Reply::json(200, &told))
}
