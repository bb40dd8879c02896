//! `/crm/property-validations/…`: the rules that properties have for their values.

use super::{
    call::Call,
    errors::{Answer, ApiError, Reply, parse},
    property::Property,
    property_rules::{PropertyRule, rule_name},
    table::Table,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    Some(match (call.method, call.rest) {
        ("GET", [of]) => reading(call, of, |table| Ok(json!({ "results": all(table) }))),
        ("GET", [of, name]) => reading(call, of, |table| {
            let rules: Vec<Value> = property(table, name)?.rules.iter().map(told).collect();
            Ok(json!({ "results": rules }))
        }),
        ("GET", [of, name, "rule-type", rule]) => reading(call, of, |table| {
            let found = property(table, name)?.rules.iter().find(|one| one.name == *rule);
            found
                .map(told)
                .ok_or_else(|| ApiError::not_found(format!("Property {name} has no rule of type {rule}")))
        }),
        ("PUT", [of, name, "rule-type", rule]) => put(call, of, name, rule),
        _ => return None,
    })
}

fn reading(call: &Call<'_>, of: &str, read: impl FnOnce(&Table) -> Result<Value, ApiError>) -> Answer {
    let catalog = call.portal.catalog.read();
    let table = catalog.table(catalog.find(of)?);
    call.need_schema(Some(table), false)?;
    Ok(Reply::json(200, &read(table)?))
}

fn property<'t>(table: &'t Table, name: &str) -> Result<&'t Property, ApiError> {
    let column = table.column(name).ok_or_else(|| unknown(name))?;
    Ok(table.property(column))
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("Property {name} does not exist")).context("propertyName", &[name])
}

fn told(rule: &PropertyRule) -> Value {
    json!({
        "ruleType": rule.name, "ruleArguments": rule.arguments, "shouldApplyNormalization": rule.normalises,
    })
}

/// The properties that have rules.
fn all(table: &Table) -> Vec<Value> {
    table
        .properties
        .iter()
        .filter(|property| property.archived_ms.is_none() && !property.rules.is_empty())
        .map(|property| {
            let rules: Vec<Value> = property.rules.iter().map(told).collect();
            json!({ "propertyName": property.name, "propertyValidationRules": rules })
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Draft {
    rule_arguments: Vec<String>,
    should_apply_normalization: Option<bool>,
}

/// Sets the rule of a type in the place of the one that was there; the property's others stay.
fn put(call: &Call<'_>, of: &str, name: &str, rule: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let at = catalog.find(of)?;
    call.need_schema(Some(catalog.table(at)), true)?;
    let draft: Draft = parse(call.body)?;
    let table = catalog.table_mut(at);
    let column = table.column(name).ok_or_else(|| unknown(name))?;
    let rule = rule_name(rule).ok_or_else(|| ApiError::validation(format!("{rule} is no rule type")))?;
    let property = table.property_mut(column);
    let rule = PropertyRule::new(
        rule,
        draft.rule_arguments,
        draft.should_apply_normalization.unwrap_or(false),
        property.kind,
    )
    .map_err(|wrong| ApiError::validation(wrong).context("propertyName", &[name]))?;
    property.rules.retain(|known| known.name != rule.name);
    property.rules.push(rule);
    Ok(Reply::no_content())
}
