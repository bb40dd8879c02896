//! `/crm-object-schemas/…/schemas`: object types, from their creation to their purge.

use super::{
    call::Call,
    catalog::Catalog,
    definitions::{self, Include},
    errors::{Answer, ApiError, Reply, invalid_definition, missing_fields, parse},
    object_type::Definition,
    pairs::TypeIndex,
    schema_create::{self, LabelsDraft, SEARCHABLE_MAX, SECONDARY_MAX, SchemaDraft, check_list},
    table::Table,
    values::Refusal,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// Leads a call to its end.
pub(super) fn serve(call: &Call<'_>) -> Option<Answer> {
    Some(match (call.method, call.rest) {
        ("GET", []) => list(call),
        ("POST", []) => create(call),
        ("POST", ["batch", "read"]) => batch_read(call),
        ("GET", [of]) => get(call, of),
        ("PATCH", [of]) => patch(call, of),
        ("DELETE", [of]) => delete(call, of),
        ("POST", [of, "associations"]) => create_association(call, of),
        ("DELETE", [of, "associations", id]) => delete_association(call, of, id),
        _ => return None,
    })
}

fn find(catalog: &Catalog, name: &str) -> Result<TypeIndex, ApiError> {
    catalog.find_any(name).ok_or_else(|| {
        ApiError::not_found(format!(
            "Object type with fully qualified name or id {name} does not exist"
        ))
    })
}

/// What reads show of a definition: for a while after a change, the old words or the new ones by chance.
fn settled<'t>(call: &Call<'_>, table: &'t Table, in_list: bool) -> &'t Definition {
    match &table.stale {
        Some((old, until_ms)) if call.now_ms < *until_ms && (in_list || call.portal.dice.below(2) == 0) => {
            old
        }
        _ => &table.definition,
    }
}

fn list(call: &Call<'_>) -> Answer {
    call.need_schema(None, false)?;
    let catalog = call.portal.catalog.read();
    let (archived, include) = (call.query.is_true("archived"), Include::of(call));
    let fresh = call.now_ms - call.habits.lags.schema_reads;
    let results: Vec<Value> = catalog
        .tables()
        .filter(|(_, table)| table.custom && table.definition.archived_ms.is_some() == archived)
        .filter(|(_, table)| table.definition.created_ms <= fresh)
        .map(|(at, table)| definitions::schema(call, &catalog, at, settled(call, table, true), include))
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn get(call: &Call<'_>, of: &str) -> Answer {
    let catalog = call.portal.catalog.read();
    let at = find(&catalog, of)?;
    let table = catalog.table(at);
    call.need_schema(Some(table), false)?;
    let told = definitions::schema(call, &catalog, at, settled(call, table, false), Include::of(call));
    Ok(Reply::json(200, &told))
}

fn batch_read(call: &Call<'_>) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Wanted {
        inputs: Vec<String>,
        include_property_definitions: Option<bool>,
        include_association_definitions: Option<bool>,
        include_audit_metadata: Option<bool>,
    }
    call.need_schema(None, false)?;
    let wanted: Wanted = parse(call.body)?;
    let include = Include {
        properties: wanted.include_property_definitions.unwrap_or(true),
        associations: wanted.include_association_definitions.unwrap_or(true),
        audit: wanted.include_audit_metadata.unwrap_or(true),
    };
    let catalog = call.portal.catalog.read();
    let results: Vec<Value> = wanted
        .inputs
        .iter()
        .filter_map(|name| catalog.find_any(name))
        .map(|at| {
            definitions::schema(
                call,
                &catalog,
                at,
                settled(call, catalog.table(at), true),
                include,
            )
        })
        .collect();
    Ok(Reply::json(200, &json!({ "results": results })))
}

fn create(call: &Call<'_>) -> Answer {
    call.need_schema(None, true)?;
    let draft: SchemaDraft = parse(call.body)?;
    let mut catalog = call.portal.catalog.write();
    let at = schema_create::create(call.portal, &call.habits, &mut catalog, draft, call.now_ms)?;
    let shown = &catalog.table(at).definition;
    let include = Include {
        properties: true,
        associations: true,
        audit: true,
    };
    Ok(Reply::json(
        201,
        &definitions::schema(call, &catalog, at, shown, include),
    ))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patch {
    labels: Option<LabelsDraft>,
    description: Option<String>,
    clear_description: Option<bool>,
    primary_display_property: Option<String>,
    secondary_display_properties: Option<Vec<String>>,
    required_properties: Option<Vec<String>>,
    searchable_properties: Option<Vec<String>>,
    restorable: Option<bool>,
    allows_sensitive_properties: Option<bool>,
}

fn patch(call: &Call<'_>, of: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let at = find(&catalog, of)?;
    let table = catalog.table_mut(at);
    call.need_schema(Some(table), true)?;
    let patch: Patch = parse(call.body)?;
    if call.version.is_dated() && patch.clear_description.is_none() {
        return Err(missing_fields(&["clearDescription"]));
    }
    let known = |name: &str| table.column(name).is_some();
    let primary = patch.primary_display_property.iter().cloned().collect::<Vec<_>>();
    let lists = [
        ("primaryDisplayProperty", Some(primary.as_slice()), 1),
        (
            "requiredProperties",
            patch.required_properties.as_deref(),
            usize::MAX,
        ),
        (
            "searchableProperties",
            patch.searchable_properties.as_deref(),
            SEARCHABLE_MAX,
        ),
        (
            "secondaryDisplayProperties",
            patch.secondary_display_properties.as_deref(),
            SECONDARY_MAX,
        ),
    ];
    for (list, names, most) in lists {
        check_list(list, names.unwrap_or_default(), most, known)?;
    }
    let old = table.definition.clone();
    patch.apply(&mut table.definition, call.now_ms);
    table.stale = Some((old, call.now_ms + call.habits.lags.schema_reads));
    let told = definitions::definition(table, &table.definition, call.habits.portal_id);
    Ok(Reply::json(200, &Value::Object(told)))
}

impl Patch {
    fn apply(self, definition: &mut Definition, now_ms: i64) {
        let labels = self.labels.unwrap_or_default();
        definition.singular = labels.singular.unwrap_or_else(|| definition.singular.clone());
        definition.plural = labels.plural.unwrap_or_else(|| definition.plural.clone());
        if self.clear_description == Some(true) {
            definition.description = None;
        }
        definition.description = self.description.or_else(|| definition.description.take());
        definition.primary_display = self
            .primary_display_property
            .or_else(|| definition.primary_display.take());
        let lists = [
            (
                self.secondary_display_properties,
                &mut definition.secondary_display,
            ),
            (self.required_properties, &mut definition.required),
            (self.searchable_properties, &mut definition.searchable),
        ];
        for (names, list) in lists {
            if let Some(names) = names {
                *list = names;
            }
        }
        definition.restorable = self.restorable.unwrap_or(definition.restorable);
        definition.allows_sensitive = self
            .allows_sensitive_properties
            .unwrap_or(definition.allows_sensitive);
        definition.updated_ms = now_ms;
    }
}

/// Archives; with `archived=true`, purges what is archived.
fn delete(call: &Call<'_>, of: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let at = find(&catalog, of)?;
    let table = catalog.table(at);
    call.need_schema(Some(table), true)?;
    if !table.custom {
        return Err(ApiError::validation(
            "HubSpot-defined object types cannot be deleted",
        ));
    }
    let archived = table.definition.archived_ms.is_some();
    match (call.query.is_true("archived"), archived) {
        (true, true) => catalog.purge_table(at),
        (true, false) => {
            return Err(ApiError::validation("Only archived object types can be purged"));
        }
        (false, true) => {}
        (false, false) if table.live > 0 => {
            let refusal = Refusal {
                code: "EXISTING_OBJECT_RECORDS",
                message: "Cannot delete an object type that still has records".to_owned(),
            };
            return Err(invalid_definition(&refusal));
        }
        (false, false) => catalog.table_mut(at).definition.archived_ms = Some(call.now_ms),
    }
    Ok(Reply::no_content())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AssociationDraft {
    from_object_type_id: String,
    to_object_type_id: String,
    name: Option<String>,
}

fn create_association(call: &Call<'_>, of: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    call.need_schema(Some(catalog.table(find(&catalog, of)?)), true)?;
    let draft: AssociationDraft = parse(call.body)?;
    let (from, to) = (
        catalog.find(&draft.from_object_type_id)?,
        catalog.find(&draft.to_object_type_id)?,
    );
    if !catalog.table(from).custom && !catalog.table(to).custom {
        return Err(ApiError::validation(
            "At least one of the object types must be a custom one",
        ));
    }
    catalog.define_plain(from, to, draft.name.as_deref(), call.now_ms);
    let described = catalog
        .pairs
        .direction(from, to)
        .and_then(|direction| direction.types.first());
    let Some(described) = described else {
        return Err(ApiError::validation("The object types cannot be associated"));
    };
    Ok(Reply::json(
        201,
        &definitions::association(&catalog, (from, to), described),
    ))
}

fn delete_association(call: &Call<'_>, of: &str, id: &str) -> Answer {
    let mut catalog = call.portal.catalog.write();
    let at = find(&catalog, of)?;
    call.need_schema(Some(catalog.table(at)), true)?;
    let found = catalog.pairs.from(at).find_map(|(other, direction)| {
        let position = direction
            .types
            .iter()
            .position(|t| t.type_id.to_string() == id || t.name == id)?;
        Some((other, position))
    });
    let Some((other, position)) = found else {
        return Err(ApiError::not_found(format!("Association {id} does not exist")));
    };
    super::labels::remove(&mut catalog, (at, other), position);
    Ok(Reply::no_content())
}
