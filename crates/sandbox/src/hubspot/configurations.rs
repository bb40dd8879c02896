//! `/crm/associations/…/definitions/configurations`: an account's own ceilings on associations.

use super::{
    associations::{direction, ends},
    batch::check_size,
    call::Call,
    errors::{Answer, ApiError, Reply, parse},
    links::{AssociationType, Category},
    told,
    version::Version,
};
use serde::Deserialize;
use serde_json::{Value, json};

const INPUTS_MAX: usize = 100;

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>, rest: &[&str]) -> Option<Answer> {
    Some(match (call.method, rest) {
        ("GET", ["all"]) => all(call),
        ("GET", [from, to]) => pair(call, from, to),
        ("POST", [from, to, "batch", deed @ ("create" | "update" | "purge")]) => change(call, from, to, deed),
        _ => return None,
    })
}

fn told(described: &AssociationType) -> Value {
    let mut told = told_update(described);
    told["label"] = json!(described.label);
    told
}

/// As an update tells it: without the label.
fn told_update(described: &AssociationType) -> Value {
    let mut told = json!({ "category": described.category.as_str(), "typeId": described.type_id });
    if let Some(most) = described.user_max_to {
        told["userEnforcedMaxToObjectIds"] = json!(most);
    }
    told
}

fn all(call: &Call<'_>) -> Answer {
    let catalog = call.portal.catalog.read();
    let results: Vec<Value> = catalog
        .pairs
        .all()
        .flat_map(|(_, _, direction)| &direction.types)
        .filter(|described| described.user_max_to.is_some() && !described.deleted)
        .map(told)
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn pair(call: &Call<'_>, from: &str, to: &str) -> Answer {
    let catalog = call.portal.catalog.read();
    let (from, to) = ends(call, &catalog, from, to, false)?;
    let direction = direction(&catalog, from, to)?;
    let results: Vec<Value> = direction.types.iter().filter(|t| !t.deleted).map(told).collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Draft {
    category: String,
    type_id: u32,
    max_to_object_ids: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Drafts {
    inputs: Vec<Draft>,
}

fn change(call: &Call<'_>, from: &str, to: &str, deed: &str) -> Answer {
    let drafts: Drafts = parse(call.body)?;
    check_size(drafts.inputs.len(), INPUTS_MAX)?;
    let mut catalog = call.portal.catalog.write();
    let (from, to) = ends(call, &catalog, from, to, true)?;
    direction(&catalog, from, to)?;
    let direction = catalog.pairs.direction_mut(from, to);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for draft in drafts.inputs {
        let found =
            Category::parse(&draft.category).and_then(|category| direction.find(category, draft.type_id));
        let Some(described) = found.map(|at| &mut direction.types[at]) else {
            let message = format!("Association type {} does not exist here", draft.type_id);
            errors.push(
                ApiError::validation(message)
                    .context("typeId", &[draft.type_id.to_string()])
                    .into_item(),
            );
            continue;
        };
        let most = draft
            .max_to_object_ids
            .filter(|most| (1..=described.max_to).contains(most));
        if deed != "purge" && most.is_none() {
            let message = format!("maxToObjectIds must be between 1 and {}", described.max_to);
            errors.push(ApiError::validation(message).into_item());
            continue;
        }
        described.user_max_to = if deed == "purge" { None } else { most };
        match deed {
            "purge" => {}
            "update" => results.push(told_update(described)),
            _ => results.push(told(described)),
        }
    }
    let success = match deed {
        "purge" if call.version == Version::V4 => return Ok(Reply::no_content()),
        // Since 2026-09 a batch declares a single status for success.
        "create" if !call.version.is_2026_09() => 201,
        _ => 200,
    };
    let status = if errors.is_empty() {
        success
    } else {
        call.mixed_status()
    };
    let out = told::batch_of(&results, errors, call.now_ms, call.portal.clock.now_ms());
    Ok(Reply::raw(status, out))
}
