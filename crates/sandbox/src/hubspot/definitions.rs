//! Object types as the schema endpoints tell them.

use super::{
    call::Call,
    catalog::Catalog,
    clock,
    links::{AssociationType, Direction},
    object_type::Definition,
    pairs::TypeIndex,
    table::Table,
};
use serde_json::{Map, Value, json};

/// What a read of schemas wants to see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Include {
    pub(super) properties: bool,
    pub(super) associations: bool,
    pub(super) audit: bool,
}

impl Include {
    pub(super) fn of(call: &Call<'_>) -> Include {
        Include {
            properties: call.query.is_not_false("includePropertyDefinitions"),
            associations: call.query.is_not_false("includeAssociationDefinitions"),
            audit: call.query.is_not_false("includeAuditMetadata"),
        }
    }
}

/// A definition's own words: what a PATCH answers.
pub(super) fn definition(table: &Table, definition: &Definition, portal_id: u32) -> Map<String, Value> {
    let mut told = Map::new();
    let number = table.type_id.split_once('-').map_or("", |(_, number)| number);
    let mut put = |name: &str, value: Value| {
        told.insert(name.to_owned(), value);
    };
    put("id", json!(number));
    put("objectTypeId", json!(table.type_id));
    put("fullyQualifiedName", json!(table.fqn));
    put("name", json!(definition.name));
    put(
        "labels",
        json!({ "singular": definition.singular, "plural": definition.plural }),
    );
    put("requiredProperties", json!(definition.required));
    put("searchableProperties", json!(definition.searchable));
    put("secondaryDisplayProperties", json!(definition.secondary_display));
    put("archived", json!(definition.archived_ms.is_some()));
    put("allowsSensitiveProperties", json!(definition.allows_sensitive));
    put("createdAt", json!(clock::instant(definition.created_ms)));
    put("updatedAt", json!(clock::instant(definition.updated_ms)));
    if table.custom {
        put("portalId", json!(portal_id));
    }
    if let Some(name) = &definition.primary_display {
        put("primaryDisplayProperty", json!(name));
    }
    if let Some(description) = &definition.description {
        put("description", json!(description));
    }
    told
}

/// A whole schema.
pub(super) fn schema(
    call: &Call<'_>,
    catalog: &Catalog,
    at: TypeIndex,
    shown: &Definition,
    include: Include,
) -> Value {
    let table = catalog.table(at);
    let mut told = definition(table, shown, call.habits.portal_id);
    told.remove("portalId");
    let meta_type = if table.custom {
        "PORTAL_SPECIFIC"
    } else {
        "HUBSPOT"
    };
    told.insert("metaType".to_owned(), json!(meta_type));
    told.insert("restorable".to_owned(), json!(shown.restorable));
    if include.audit && table.custom {
        told.insert("createdByUserId".to_owned(), json!(1));
        told.insert("updatedByUserId".to_owned(), json!(1));
    }
    let properties: Vec<Value> = table
        .properties
        .iter()
        .filter(|property| include.properties && property.archived_ms.is_none())
        .map(|property| property.to_json(call.version, true))
        .collect();
    told.insert("properties".to_owned(), Value::Array(properties));
    let mut associations = Vec::new();
    if include.associations {
        for (other, there) in catalog.pairs.from(at) {
            let Some(back) = catalog.pairs.direction(other, at) else {
                continue;
            };
            associations.extend(told_associations(catalog, (at, other), there, back));
            if other != at {
                associations.extend(told_associations(catalog, (other, at), back, there));
            }
        }
    }
    associations.sort_by_key(|told| told["id"].as_str().and_then(|id| id.parse::<u64>().ok()));
    told.insert("associations".to_owned(), Value::Array(associations));
    Value::Object(told)
}

fn told_associations(
    catalog: &Catalog,
    (from, to): (TypeIndex, TypeIndex),
    there: &Direction,
    back: &Direction,
) -> Vec<Value> {
    there
        .types
        .iter()
        .filter(|described| !described.deleted)
        .map(|described| {
            let inverse = back.types.get(usize::from(described.inverse));
            association_with_ceilings(catalog, (from, to), described, inverse)
        })
        .collect()
}

/// One association definition as its creation tells it.
pub(super) fn association(
    catalog: &Catalog,
    (from, to): (TypeIndex, TypeIndex),
    described: &AssociationType,
) -> Value {
    json!({
        "id": described.type_id.to_string(),
        "fromObjectTypeId": catalog.table(from).type_id,
        "toObjectTypeId": catalog.table(to).type_id,
        "name": described.name,
        "createdAt": clock::instant(described.created_ms),
        "updatedAt": clock::instant(described.created_ms),
    })
}

/// The same as a schema tells it, with the ceilings that the documentation does not mention.
fn association_with_ceilings(
    catalog: &Catalog,
    ends: (TypeIndex, TypeIndex),
    described: &AssociationType,
    inverse: Option<&AssociationType>,
) -> Value {
    let mut told = association(catalog, ends, described);
    let cardinality = |single: bool| if single { "ONE_TO_ONE" } else { "ONE_TO_MANY" };
    for (name, value) in [
        ("cardinality", json!(cardinality(described.single))),
        ("inverseCardinality", json!("ONE_TO_MANY")),
        ("maxToObjectIds", json!(described.limit())),
        (
            "maxFromObjectIds",
            json!(inverse.map_or(described.max_to, AssociationType::limit)),
        ),
        (
            "hasUserEnforcedMaxToObjectIds",
            json!(described.user_max_to.is_some()),
        ),
        (
            "hasUserEnforcedMaxFromObjectIds",
            json!(inverse.is_some_and(|inverse| inverse.user_max_to.is_some())),
        ),
    ] {
        told[name] = value;
    }
    told
}
