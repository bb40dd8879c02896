//! Everything that is wrong with a sync, at once, before anything is written: each problem with its place and its
//! remedy.

mod associations;
mod fields;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ask::{WantedAssociation, WantedOption};
use crate::config::ParentField;
use crate::filter::CompiledFilter;
use crate::hubspot::{ObjectSchema, PropertyType};
use crate::names;
use crate::salesforce::ObjectDescribe;
use crate::standard::{StandardType, standard_type};
use crate::supported;
use crate::sync::{API_VERSION, KIND, SyncDefinition, VERSION_PROPERTY};

/// What to do about a custom object type that does not show.
const UNSEEN_TYPE: &str = "create it in HubSpot, or give the token the scope crm.schemas.custom.read; a type that was \
                           created moments ago may take up to a minute to show";

/// Something that must be put right before a sync can run, or a note about what it will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// The key in the definition, such as `spec.fields[3].to`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it; empty for a note.
    pub remedy: String,
}

impl Problem {
    /// A problem in three parts.
    pub fn new(place: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if self.remedy.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.remedy)
        }
    }
}

/// What a definition is held against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings<'a> {
    /// The Salesforce object; `None` when the org shows none of that name.
    pub object: Option<&'a ObjectDescribe>,
    /// Names of the org's objects, to guess what was meant; may be empty.
    pub objects: &'a [String],
    /// The parents' fields of [`crate::plan::parent_paths`] that exist.
    pub parents: &'a [ParentField],
    /// The HubSpot object type; `None` when the portal has none of that name.
    pub object_type: Option<&'a ObjectSchema>,
    /// The portal's custom object types, and standard types that associations lead to, as far as they are known.
    pub object_types: &'a [ObjectSchema],
    /// The objects that rules name because a lookup may lead to several, those that the org shows.
    pub targets: &'a [ObjectDescribe],
    /// The tenant's other syncs, those that are being applied together with this one included.
    pub syncs: &'a [SyncDefinition],
}

impl Surroundings<'_> {
    /// What the ids of an object's records begin with in this org, as far as it is known.
    fn key_prefix(&self, object: &str) -> Option<&str> {
        let mut known = self.targets.iter().chain(self.object);
        let described = known.find(|known| known.name.eq_ignore_ascii_case(object))?;
        described.key_prefix.as_deref()
    }
}

/// The objects that must be described besides the definition's own: those that its rules name for a lookup that may lead to
/// several.
pub fn lookup_targets<'d>(definition: &'d SyncDefinition, object: &ObjectDescribe) -> Vec<&'d str> {
    let mut targets: Vec<&str> = Vec::new();
    for rule in &definition.spec.associations {
        let field = object.field(&rule.field);
        let leads_to_several = field.is_some_and(|field| field.reference_to.len() > 1);
        let named = rule.object.as_deref().filter(|_| leads_to_several);
        let is_new = |name: &&str| !targets.iter().any(|known| known.eq_ignore_ascii_case(name));
        targets.extend(named.filter(is_new));
    }
    targets
}

/// Every problem of a definition. None means that it can run.
pub fn validate(definition: &SyncDefinition, around: &Surroundings<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    head(definition, &mut problems);
    salesforce(definition, around, &mut problems);
    hubspot(definition, around, &mut problems);
    rules(definition, &mut problems);
    others(definition, around, &mut problems);
    if let Some(object) = around.object {
        filter(definition, object, around, &mut problems);
        if let Some(schema) = around.object_type {
            fields::check(definition, object, schema, around, &mut problems);
        }
        associations::check(definition, object, around, &mut problems);
    }
    problems
}

/// The problems that show without looking at either system: for `sync validate --offline` and for editors.
pub fn validate_alone(definition: &SyncDefinition) -> Vec<Problem> {
    let mut problems = Vec::new();
    head(definition, &mut problems);
    if let Some(what) = supported::excluded(&definition.spec.salesforce.object) {
        problems.push(excluded(&definition.spec.salesforce.object, what));
    }
    if let Some(standard) = standard_type(&definition.spec.hubspot.object_type) {
        problems.push(standard_target(standard));
    }
    rules(definition, &mut problems);
    fields::check_alone(definition, &mut problems);
    associations::check_alone(definition, &Surroundings::default(), &mut problems);
    problems
}

/// What people should know though nothing is wrong: conversions that change values, options that old records may lack.
pub fn notes(definition: &SyncDefinition, around: &Surroundings<'_>) -> Vec<Problem> {
    match (around.object, around.object_type) {
        (Some(object), Some(schema)) => fields::notes(definition, object, schema, around),
        _ => Vec::new(),
    }
}

/// The associations that the portal must have, in the definition's order. Call it on a definition without problems:
/// an association that cannot be resolved is left out.
pub fn wanted_associations(definition: &SyncDefinition, around: &Surroundings<'_>) -> Vec<WantedAssociation> {
    associations::wanted(definition, around)
}

/// The options that rules with `unmatched: add-option` want and the portal lacks.
pub fn wanted_options(definition: &SyncDefinition, around: &Surroundings<'_>) -> Vec<WantedOption> {
    match (around.object, around.object_type) {
        (Some(object), Some(schema)) => fields::wanted_options(definition, object, schema, around),
        _ => Vec::new(),
    }
}

/// `did you mean X?`, or what else to do.
fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    match names::closest(name, candidates) {
        Some(close) => format!("did you mean {close}? Otherwise {otherwise}"),
        None => otherwise.to_owned(),
    }
}

fn head(definition: &SyncDefinition, problems: &mut Vec<Problem>) {
    for (place, found, expected) in [
        ("apiVersion", &definition.api_version, API_VERSION),
        ("kind", &definition.kind, KIND),
    ] {
        if found != expected {
            problems.push(Problem::new(
                place,
                format!("{found:?} is not known"),
                format!("write {place}: {expected}"),
            ));
        }
    }
}

fn salesforce(definition: &SyncDefinition, around: &Surroundings<'_>, problems: &mut Vec<Problem>) {
    let place = "spec.salesforce.object";
    let name = &definition.spec.salesforce.object;
    if let Some(what) = supported::excluded(name) {
        problems.push(excluded(name, what));
        return;
    }
    match around.object {
        None => problems.push(Problem::new(
            place,
            format!("the org shows no object {name}"),
            nearest(
                name,
                around.objects.iter().map(String::as_str),
                "create it, or let the Salesforce user read it",
            ),
        )),
        Some(object) if !object.queryable => problems.push(Problem::new(
            place,
            format!("{name} cannot be queried"),
            "choose an object that can, or let the Salesforce user read it",
        )),
        Some(_) => {}
    }
}

fn excluded(object: &str, what: &str) -> Problem {
    Problem::new(
        "spec.salesforce.object",
        format!("{object} is {what}, not an object with records of its own"),
        "name a custom object or a standard object",
    )
}

fn standard_target(standard: &StandardType) -> Problem {
    Problem::new(
        "spec.hubspot.objectType",
        format!("{} is a standard object type", standard.name),
        "name a custom object type; HubSpot's own integration syncs the standard ones",
    )
}

fn hubspot(definition: &SyncDefinition, around: &Surroundings<'_>, problems: &mut Vec<Problem>) {
    let end = &definition.spec.hubspot;
    let place = "spec.hubspot.objectType";
    if let Some(standard) = standard_type(&end.object_type) {
        problems.push(standard_target(standard));
        return;
    }
    let Some(schema) = around.object_type else {
        problems.push(Problem::new(
            place,
            format!("the portal has no custom object type {}", end.object_type),
            nearest(
                &end.object_type,
                around.object_types.iter().map(|schema| schema.name.as_str()),
                UNSEEN_TYPE,
            ),
        ));
        return;
    };
    id_property(&end.id_property, schema, problems);
}

fn id_property(name: &str, schema: &ObjectSchema, problems: &mut Vec<Problem>) {
    let place = "spec.hubspot.idProperty";
    let is_plain = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.starts_with("hs_");
    let Some(property) = schema.property(name) else {
        if !is_plain {
            problems.push(Problem::new(
                place,
                format!("{name:?} is not a name that HubSpot gives to a property"),
                "use lower-case letters, digits and underscores, beginning with a letter and not with hs_",
            ));
        }
        return;
    };
    if property.kind != PropertyType::String {
        problems.push(Problem::new(
            place,
            format!("{name} is of type {}", property.kind.as_str()),
            "name a text property, or one that does not exist yet: it is created",
        ));
    } else if !property.has_unique_value {
        problems.push(Problem::new(
            place,
            format!("{name} exists but its values need not be unique, which HubSpot fixes when a property is created"),
            "name another property that does not exist yet: it is created unique",
        ));
    } else if property.read_only {
        problems.push(Problem::new(
            place,
            format!("HubSpot does not let {name} be written"),
            "name another property",
        ));
    }
}

fn rules(definition: &SyncDefinition, problems: &mut Vec<Problem>) {
    reread(definition, problems);
    if let Some(Err(what)) = definition.spec.rules.grace_period() {
        problems.push(Problem::new(
            "spec.rules.grace",
            what,
            "write a duration such as 15m or 24h",
        ));
    }
}

fn reread(definition: &SyncDefinition, problems: &mut Vec<Problem>) {
    if let Some(Err(what)) = definition.spec.rules.reread_every() {
        problems.push(Problem::new(
            "spec.rules.reread",
            what,
            "write a duration such as 12h or 1d, or off",
        ));
    }
}

fn others(definition: &SyncDefinition, around: &Surroundings<'_>, problems: &mut Vec<Problem>) {
    let spec = &definition.spec;
    let rival = around.syncs.iter().find(|other| {
        other.key() != definition.key()
            && other.metadata.tenant == definition.metadata.tenant
            && other
                .spec
                .salesforce
                .object
                .eq_ignore_ascii_case(&spec.salesforce.object)
            && same_type(&other.spec.hubspot.object_type, &spec.hubspot.object_type, around)
    });
    if let Some(rival) = rival {
        problems.push(Problem::new(
            "metadata.name",
            format!(
                "the sync {} already carries {} to {}",
                rival.metadata.name, spec.salesforce.object, spec.hubspot.object_type
            ),
            "change that sync, or remove it first",
        ));
    }
}

/// Whether two names mean one object type of the portal.
fn same_type(a: &str, b: &str, around: &Surroundings<'_>) -> bool {
    a.eq_ignore_ascii_case(b)
        || around
            .object_types
            .iter()
            .chain(around.object_type)
            .any(|schema| schema.is_called(a) && schema.is_called(b))
}

fn filter(
    definition: &SyncDefinition,
    object: &ObjectDescribe,
    around: &Surroundings<'_>,
    problems: &mut Vec<Problem>,
) {
    let Some(filter) = &definition.spec.filter else {
        return;
    };
    if filter.all.is_empty() {
        problems.push(Problem::new(
            "spec.filter.all",
            "there is no condition in it",
            "add one, or leave the filter out: then every record travels",
        ));
    }
    let troubles = CompiledFilter::compile(filter, object, around.parents)
        .err()
        .unwrap_or_default();
    for (place, what) in troubles {
        let name = &filter.all[place].field;
        let is_known = object.field(name).is_some() || around.parents.iter().any(|p| p.path == *name);
        let remedy = if is_known {
            "correct the condition".to_owned()
        } else {
            fields::unknown_field_remedy(name, object)
        };
        problems.push(Problem::new(format!("spec.filter.all[{place}]"), what, remedy));
    }
}

/// Properties that Landbridge itself writes.
fn is_own_property(definition: &SyncDefinition, property: &str) -> bool {
    property == definition.spec.hubspot.id_property || property == VERSION_PROPERTY
}

#[cfg(test)]
mod tests;
