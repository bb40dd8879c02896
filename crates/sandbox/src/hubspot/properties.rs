//! `/crm/properties/…`: definitions of properties and of their groups.

use super::{
    batch::check_size,
    call::Call,
    catalog::Catalog,
    errors::{Answer, ApiError, Reply, invalid_definition, missing_fields, parse},
    object_type::Group,
    pairs::TypeIndex,
    property_draft::PropertyDraft,
    schema_create::{UNIQUE_MAX, too_many_unique},
    table::Table,
    told,
};
use serde::Deserialize;
use serde_json::{Value, json};

const INPUTS_MAX: usize = 100;

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    let (&[of, ref rest @ ..], method) = (call.rest, call.method) else {
        return None;
    };
    let known = matches!(
        (method, rest),
        ("GET" | "POST", [] | ["groups"])
            | ("POST", ["batch", "create" | "read" | "archive"])
            | ("GET" | "PATCH" | "DELETE", ["groups", _] | [_])
    );
    known.then(|| reach(call, of, rest))
}

fn reach(call: &Call<'_>, of: &str, rest: &[&str]) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let at = catalog.find(of)?;
    let writes = call.method != "GET" && rest != ["batch", "read"];
    call.need_schema(Some(catalog.table(at)), writes)?;
    let table = catalog.table_mut(at);
    match (call.method, rest) {
        ("GET", []) => list(call, table),
        ("POST", []) => create(call, table),
        ("POST", ["batch", "create"]) => batch_create(call, table),
        ("POST", ["batch", "read"]) => batch_read(call, table),
        ("POST", ["batch", _]) => batch_archive(call, table),
        ("GET", ["groups"]) => {
            let results: Vec<Value> = table.groups.iter().map(told_group).collect();
            Ok(Reply::json(200, &json!({ "results": results })))
        }
        (_, ["groups"]) => create_group(call, table),
        ("GET", ["groups", name]) => Ok(Reply::json(200, &told_group(group(table, name)?))),
        ("PATCH", ["groups", name]) => update_group(call, table, name),
        (_, ["groups", name]) => delete_group(table, name),
        ("GET", [name, ..]) => get(call, table, name),
        ("PATCH", [name, ..]) => update(call, table, name),
        (_, rest) => {
            let name = rest.first().copied().unwrap_or_default();
            archive(table, name, call.now_ms, false).map(|()| Reply::no_content())
        }
    }
}

fn sensitivity(call: &Call<'_>) -> String {
    call.query
        .get("dataSensitivity")
        .unwrap_or("non_sensitive")
        .to_owned()
}

fn list(call: &Call<'_>, table: &Table) -> Answer {
    let (archived, sensitivity) = (call.query.is_true("archived"), sensitivity(call));
    let results: Vec<Value> = table
        .properties
        .iter()
        .filter(|property| {
            property.archived_ms.is_some() == archived && property.data_sensitivity == sensitivity
        })
        .map(|property| property.to_json(call.version, true))
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn unknown(name: &str) -> ApiError {
    ApiError::not_found(format!("Property {name} does not exist")).context("propertyName", &[name])
}

fn get(call: &Call<'_>, table: &Table, name: &str) -> Answer {
    let column = table.any_column(name).ok_or_else(|| unknown(name))?;
    let property = table.property(column);
    if property.archived_ms.is_some() != call.query.is_true("archived") {
        return Err(unknown(name));
    }
    Ok(Reply::json(200, &property.to_json(call.version, true)))
}

/// Checks and puts one definition; gives its column.
fn define(call: &Call<'_>, table: &mut Table, draft: PropertyDraft) -> Result<u16, ApiError> {
    let missing = draft.missing();
    if !missing.is_empty() {
        return Err(missing_fields(&missing));
    }
    let mut property = draft
        .build(call.now_ms)
        .map_err(|refusal| invalid_definition(&refusal))?;
    if table.column(&property.name).is_some() {
        let message = format!("A property named '{}' already exists.", property.name);
        return Err(ApiError::new(409, message)
            .category("OBJECT_ALREADY_EXISTS")
            .sub_category("Properties.PROPERTY_WITH_NAME_EXISTS")
            .context("name", &[&property.name]));
    }
    if table.group(&property.group).is_none() {
        let message = format!("Property group '{}' does not exist.", property.group);
        return Err(ApiError::validation(message).context("groupName", &[&property.group]));
    }
    if property.unique && table.custom_unique_count() >= UNIQUE_MAX {
        return Err(too_many_unique());
    }
    let custom = table
        .properties
        .iter()
        .filter(|property| !property.hubspot_defined && property.archived_ms.is_none());
    if custom.count() >= call.habits.custom_properties {
        let message = format!("{} has reached its limit of custom properties", table.type_id);
        return Err(ApiError::validation(message));
    }
    if property.data_sensitivity != "non_sensitive" && !table.definition.allows_sensitive {
        let message = "Missing required scope for: sensitive-data-property-create";
        return Err(ApiError::new(403, message).category("MISSING_SCOPES"));
    }
    let (least, most) = call.habits.lags.new_property;
    let pause = u64::try_from(most - least + 1).unwrap_or(1);
    let pause = least + i64::try_from(call.portal.dice.below(pause)).unwrap_or(0);
    property.usable_from_ms = call.now_ms + pause;
    Ok(table.put_property(property, false))
}

fn create(call: &Call<'_>, table: &mut Table) -> Answer {
    let draft: PropertyDraft = parse(call.body)?;
    let column = define(call, table, draft)?;
    let property = table.property(column);
    let mut reply = Reply::json(201, &property.to_json(call.version, true));
    reply.location = Some(format!(
        "{}{}/{}",
        call.base_url,
        call.path.trim_end_matches('/'),
        property.name
    ));
    Ok(reply)
}

fn update(call: &Call<'_>, table: &mut Table, name: &str) -> Answer {
    let draft: PropertyDraft = parse(call.body)?;
    let column = table.column(name).ok_or_else(|| unknown(name))?;
    if table.property(column).hubspot_defined && draft.kind.is_some() {
        return Err(ApiError::validation(format!(
            "The definition of {name} is read-only"
        )));
    }
    if let Some(group) = draft
        .group_name
        .as_deref()
        .filter(|group| table.group(group).is_none())
    {
        return Err(ApiError::validation(format!(
            "Property group '{group}' does not exist."
        )));
    }
    let property = table.property_mut(column);
    draft
        .apply(property, call.now_ms)
        .map_err(|refusal| invalid_definition(&refusal))?;
    Ok(Reply::json(200, &property.to_json(call.version, true)))
}

/// A batch passes over what is gone already.
fn archive(table: &mut Table, name: &str, now_ms: i64, in_batch: bool) -> Result<(), ApiError> {
    let Some(column) = table.column(name) else {
        return if in_batch { Ok(()) } else { Err(unknown(name)) };
    };
    let definition = &table.definition;
    let mut used = definition.primary_display.iter().chain(&definition.required);
    if table.property(column).hubspot_defined || used.any(|used| used == name) {
        let message = format!("Property {name} cannot be deleted: it is in use");
        return Err(ApiError::validation(message)
            .sub_category("PropertyValidationError.CANNOT_DELETE_PROPERTY_IN_USE")
            .context("propertyName", &[name]));
    }
    table.property_mut(column).archived_ms = Some(now_ms);
    Ok(())
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Names {
    inputs: Vec<Named>,
    archived: Option<bool>,
}

fn batch_create(call: &Call<'_>, table: &mut Table) -> Answer {
    #[derive(Deserialize)]
    struct Drafts {
        inputs: Vec<PropertyDraft>,
    }
    let drafts: Drafts = parse(call.body)?;
    check_size(drafts.inputs.len(), INPUTS_MAX)?;
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for draft in drafts.inputs {
        match define(call, table, draft) {
            Ok(column) => results.push(table.property(column).to_json(call.version, false)),
            Err(error) => errors.push(error.into_item()),
        }
    }
    let success = if call.version.is_2026_09() { 200 } else { 201 };
    Ok(batch_reply(call, success, &results, errors))
}

fn batch_reply(call: &Call<'_>, success: u16, results: &[Value], errors: Vec<Value>) -> Reply {
    let status = if errors.is_empty() {
        success
    } else {
        call.mixed_status()
    };
    Reply::raw(
        status,
        told::batch_of(results, errors, call.now_ms, call.portal.clock.now_ms()),
    )
}

fn batch_read(call: &Call<'_>, table: &Table) -> Answer {
    let names: Names = parse(call.body)?;
    check_size(names.inputs.len(), INPUTS_MAX)?;
    let archived = names.archived.unwrap_or(false);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for Named { name } in &names.inputs {
        let property = table.any_column(name).map(|column| table.property(column));
        match property.filter(|property| property.archived_ms.is_some() == archived) {
            Some(property) => results.push(property.to_json(call.version, true)),
            None => errors.push(unknown(name).into_item()),
        }
    }
    Ok(batch_reply(call, 200, &results, errors))
}

fn batch_archive(call: &Call<'_>, table: &mut Table) -> Answer {
    let names: Names = parse(call.body)?;
    check_size(names.inputs.len(), INPUTS_MAX)?;
    for Named { name } in &names.inputs {
        archive(table, name, call.now_ms, true)?;
    }
    Ok(Reply::no_content())
}

// --- groups

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupDraft {
    name: Option<String>,
    label: Option<String>,
    display_order: Option<i64>,
}

fn told_group(group: &Group) -> Value {
    json!({ "name": group.name, "label": group.label, "displayOrder": group.display_order, "archived": false })
}

fn unknown_group(name: &str) -> ApiError {
    ApiError::not_found(format!("Property group {name} does not exist")).context("groupName", &[name])
}

fn group<'t>(table: &'t Table, name: &str) -> Result<&'t Group, ApiError> {
    table
        .group(name)
        .map(|at| &table.groups[at])
        .ok_or_else(|| unknown_group(name))
}

fn create_group(call: &Call<'_>, table: &mut Table) -> Answer {
    let draft: GroupDraft = parse(call.body)?;
    let (Some(name), Some(label)) = (draft.name, draft.label) else {
        return Err(missing_fields(&["label", "name"]));
    };
    if table.group(&name).is_some() {
        let message = format!("A property group named '{name}' already exists.");
        return Err(ApiError::new(409, message)
            .category("OBJECT_ALREADY_EXISTS")
            .context("name", &[&name]));
    }
    let group = Group {
        name,
        label,
        display_order: draft.display_order.unwrap_or(-1),
    };
    let told = told_group(&group);
    table.groups.push(group);
    Ok(Reply::json(201, &told))
}

fn update_group(call: &Call<'_>, table: &mut Table, name: &str) -> Answer {
    let draft: GroupDraft = parse(call.body)?;
    let at = table.group(name).ok_or_else(|| unknown_group(name))?;
    let group = &mut table.groups[at];
    group.label = draft.label.unwrap_or_else(|| group.label.clone());
    group.display_order = draft.display_order.unwrap_or(group.display_order);
    Ok(Reply::json(200, &told_group(group)))
}

fn delete_group(table: &mut Table, name: &str) -> Answer {
    let at = table.group(name).ok_or_else(|| unknown_group(name))?;
    if table
        .properties
        .iter()
        .any(|property| property.group == name && property.archived_ms.is_none())
    {
        let message = format!("Property group {name} still has active properties");
        return Err(ApiError::validation(message)
            .sub_category("PropertyGroupError.GROUP_WITH_ACTIVE_PROPERTIES")
            .context("groupName", &[name]));
    }
    table.groups.remove(at);
    Ok(Reply::no_content())
}

/// Custom properties of a type, for the limits.
pub(super) fn custom_count(catalog: &Catalog, at: TypeIndex) -> usize {
    let table = catalog.table(at);
    table
        .properties
        .iter()
        .filter(|property| !property.hubspot_defined && property.archived_ms.is_none())
        .count()
}
