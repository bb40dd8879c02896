//! A new custom object type: what is checked, and all that comes with it.

use super::{
    Habits, Inner,
    catalog::Catalog,
    errors::{ApiError, invalid_definition, missing_fields},
    kinds,
    object_type::{Definition, Group},
    pairs::TypeIndex,
    property::Property,
    property_draft::PropertyDraft,
    table::Table,
    values::Refusal,
};
use serde::Deserialize;

/// `{singular, plural}`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct LabelsDraft {
    pub(super) singular: Option<String>,
    pub(super) plural: Option<String>,
}

/// A schema as it is posted. What the documents require and the service does not miss is optional.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaDraft {
    name: Option<String>,
    labels: Option<LabelsDraft>,
    description: Option<String>,
    primary_display_property: Option<String>,
    secondary_display_properties: Option<Vec<String>>,
    required_properties: Option<Vec<String>>,
    searchable_properties: Option<Vec<String>>,
    properties: Option<Vec<PropertyDraft>>,
    associated_objects: Option<Vec<String>>,
    allows_sensitive_properties: Option<bool>,
}

/// The most properties that a record's line shows besides its name.
pub(super) const SECONDARY_MAX: usize = 2;
/// The most properties that `query` looks at.
pub(super) const SEARCHABLE_MAX: usize = 20;
/// The most unique properties of an object type.
pub(super) const UNIQUE_MAX: usize = 10;
const NAME_MAX: usize = 50;

fn coded(code: &'static str, message: impl Into<String>) -> ApiError {
    invalid_definition(&Refusal {
        code,
        message: message.into(),
    })
}

/// Creates the type with its group, built-in properties and associations.
pub(super) fn create(
    portal: &Inner,
    habits: &Habits,
    catalog: &mut Catalog,
    draft: SchemaDraft,
    now_ms: i64,
) -> Result<TypeIndex, ApiError> {
    let (name, labels) = words(&draft)?;
    check_words(&name, &labels)?;
    let archived_twin = match check_name_is_free(catalog, &name) {
        Ok(archived_twin) => archived_twin,
        Err((twin, _)) if habits.behaviour.taken_schema_names_merge => {
            return merge_into(catalog, twin, &draft, now_ms);
        }
        Err((_, refusal)) => return Err(refusal),
    };
    if catalog.custom_tables().count() >= habits.custom_object_types {
        let message = format!(
            "This account has reached its limit of {} custom object types",
            habits.custom_object_types
        );
        return Err(coded("CUSTOM_OBJECT_TYPE_LIMIT_EXCEEDED", message));
    }
    let group = format!("{name}_information");
    let properties = build_properties(&draft, &group, now_ms)?;
    let definition = definition(&draft, name.clone(), &labels, &properties, now_ms)?;
    let mut associated = Vec::new();
    for wanted in draft.associated_objects.iter().flatten() {
        let at = catalog
            .find(wanted)
            .map_err(|_| ApiError::validation(format!("Unable to infer object type from: {wanted}")))?;
        associated.push(at);
    }

    // Nothing can be refused from here on.
    if let Some(twin) = archived_twin {
        catalog.purge_table(twin);
    }
    catalog.next_type += 1 + portal.dice.below(1000);
    let type_id = format!("2-{}", catalog.next_type);
    let fqn = format!("p{}_{name}", habits.portal_id);
    let mut table = Table::new(
        &type_id,
        &fqn,
        true,
        definition,
        habits.behaviour.unique_ignores_case,
    );
    furnish(&mut table, group, properties, now_ms);
    let at = catalog.add_table(table);
    let activities = kinds::ACTIVITIES
        .iter()
        .filter_map(|type_id| catalog.find_any(type_id));
    let activities: Vec<TypeIndex> = activities.collect();
    for other in activities.into_iter().chain(associated) {
        catalog.define_plain(at, other, None, now_ms);
    }
    Ok(at)
}

/// Gives the type that has the name already the properties that it lacks, and is it.
fn merge_into(
    catalog: &mut Catalog,
    twin: TypeIndex,
    draft: &SchemaDraft,
    now_ms: i64,
) -> Result<TypeIndex, ApiError> {
    let table = catalog.table_mut(twin);
    let group = format!("{}_information", table.definition.name);
    for property in build_properties(draft, &group, now_ms)? {
        if table.column(&property.name).is_none() {
            table.put_property(property, false);
        }
    }
    Ok(twin)
}

fn words(draft: &SchemaDraft) -> Result<(String, LabelsDraft), ApiError> {
    match (draft.name.clone(), draft.labels.clone()) {
        (Some(name), Some(labels)) => Ok((name, labels)),
        (name, labels) => {
            let missing = [("labels", labels.is_none()), ("name", name.is_none())];
            let missing = missing.iter().filter(|(_, gone)| *gone).map(|(name, _)| *name);
            Err(missing_fields(&missing.collect::<Vec<&str>>()))
        }
    }
}

/// Its group, HubSpot's properties, its own properties.
fn furnish(table: &mut Table, group: String, properties: Vec<Property>, now_ms: i64) {
    kinds::add_built_ins(table, &group);
    for property in &mut table.properties {
        (property.created_ms, property.updated_ms) = (now_ms, now_ms);
    }
    let label = format!("{} Information", table.definition.singular);
    table.groups.push(Group {
        name: group,
        label,
        display_order: -1,
    });
    for property in properties {
        table.put_property(property, false);
    }
}

fn check_words(name: &str, labels: &LabelsDraft) -> Result<(), ApiError> {
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !starts_well || !name.bytes().all(plain) || name.len() > NAME_MAX {
        let message = format!(
            "Object type name '{name}' is invalid: names start with a letter, hold only letters, digits and \
             underscores, and have at most {NAME_MAX} characters"
        );
        return Err(coded("INVALID_OBJECT_TYPE_NAME", message));
    }
    for label in [&labels.singular, &labels.plural].into_iter().flatten() {
        if label.is_empty() || label.chars().count() > NAME_MAX {
            let message = format!("Label '{label}' must have 1 to {NAME_MAX} characters");
            return Err(coded("INVALID_LABEL", message));
        }
    }
    Ok(())
}

/// The archived type of the same name, which gives way; a live one does not.
fn check_name_is_free(catalog: &Catalog, name: &str) -> Result<Option<TypeIndex>, (TypeIndex, ApiError)> {
    let twins = catalog
        .tables()
        .filter(|(_, t)| t.custom && t.definition.name.eq_ignore_ascii_case(name));
    let (archived, live): (Vec<_>, Vec<_>) = twins.partition(|(_, t)| t.definition.archived_ms.is_some());
    if let Some((twin, _)) = live.first() {
        let message = format!("Object type with name '{name}' already exists.");
        let refusal = ApiError::new(409, message)
            .category("OBJECT_ALREADY_EXISTS")
            .context("name", &[name]);
        return Err((*twin, refusal));
    }
    Ok(archived.first().map(|(at, _)| *at))
}

fn build_properties(draft: &SchemaDraft, group: &str, now_ms: i64) -> Result<Vec<Property>, ApiError> {
    let mut properties: Vec<Property> = Vec::new();
    for draft in draft.properties.iter().flatten() {
        let mut draft = draft.clone();
        if draft.name.is_none() || draft.label.is_none() {
            let missing = [("label", draft.label.is_none()), ("name", draft.name.is_none())];
            let missing: Vec<&str> = missing
                .iter()
                .filter(|(_, gone)| *gone)
                .map(|(name, _)| *name)
                .collect();
            return Err(missing_fields(&missing));
        }
        draft.group_name = Some(group.to_owned());
        let property = draft
            .build(now_ms)
            .map_err(|refusal| invalid_definition(&refusal))?;
        if properties.iter().any(|other| other.name == property.name) {
            let message = format!("Property '{}' is defined twice", property.name);
            return Err(coded("DUPLICATE_PROPERTY", message));
        }
        properties.push(property);
    }
    if properties.iter().filter(|property| property.unique).count() > UNIQUE_MAX {
        return Err(too_many_unique());
    }
    Ok(properties)
}

/// The eleventh unique property.
pub(super) fn too_many_unique() -> ApiError {
    let message = format!("An object type can have at most {UNIQUE_MAX} properties with unique values");
    coded("UNIQUE_PROPERTY_LIMIT_EXCEEDED", message)
}

fn definition(
    draft: &SchemaDraft,
    name: String,
    labels: &LabelsDraft,
    properties: &[Property],
    now_ms: i64,
) -> Result<Definition, ApiError> {
    let known = |wanted: &str| properties.iter().any(|property| property.name == wanted);
    let Some(primary) = draft
        .primary_display_property
        .clone()
        .filter(|primary| known(primary))
    else {
        let message = "primaryDisplayProperty must be one of the object type's properties";
        return Err(coded("PRIMARY_DISPLAY_PROPERTY_REQUIRED", message));
    };
    let lists = [
        ("requiredProperties", &draft.required_properties, usize::MAX),
        (
            "searchableProperties",
            &draft.searchable_properties,
            SEARCHABLE_MAX,
        ),
        (
            "secondaryDisplayProperties",
            &draft.secondary_display_properties,
            SECONDARY_MAX,
        ),
    ];
    for (list, names, most) in lists {
        check_list(list, names.as_deref().unwrap_or_default(), most, known)?;
    }
    Ok(Definition {
        singular: labels.singular.clone().unwrap_or_else(|| name.clone()),
        plural: labels.plural.clone().unwrap_or_else(|| name.clone()),
        name,
        description: draft.description.clone(),
        primary_display: Some(primary),
        secondary_display: draft.secondary_display_properties.clone().unwrap_or_default(),
        required: draft.required_properties.clone().unwrap_or_default(),
        searchable: draft.searchable_properties.clone().unwrap_or_default(),
        restorable: true,
        allows_sensitive: draft.allows_sensitive_properties.unwrap_or(false),
        created_ms: now_ms,
        updated_ms: now_ms,
        archived_ms: None,
    })
}

/// A list of property names must be short enough and name what there is.
pub(super) fn check_list(
    list: &str,
    names: &[String],
    most: usize,
    known: impl Fn(&str) -> bool,
) -> Result<(), ApiError> {
    if names.len() > most {
        return Err(coded(
            "TOO_MANY_PROPERTIES",
            format!("{list} can name at most {most} properties"),
        ));
    }
    match names.iter().find(|name| !known(name)) {
        Some(stranger) => {
            let message = format!("{list}: property '{stranger}' does not exist");
            Err(coded("PROPERTY_DOESNT_EXIST", message))
        }
        None => Ok(()),
    }
}
