//! A sync's revision and both schemas, compiled once: column -> converter -> property. Apply and compare use the same
//! plan, so that prediction and deed cannot drift apart.

use std::borrow::Cow;

use crate::batch::Association;
use crate::columns::Table;
use crate::config::{Resolved, Sync};
use crate::convert::{Converter, Refusal};
use crate::filter::{CompiledFilter, describe_of};
use crate::hubspot::PropertyType;
use crate::ids::{ObjectTypeId, Revision, SyncKey};
use crate::sync::{DeleteRule, OnLeave, SyncDefinition};
use crate::validate::Problem;

/// Fields that every batch carries outside its table; the extractor selects them whatever a plan says.
pub const SYSTEM_FIELDS: [&str; 3] = ["Id", "SystemModstamp", "IsDeleted"];

/// A compiled sync.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which sync.
    pub sync: SyncKey,
    /// Of which revision.
    pub revision: Revision,
    /// The Salesforce object.
    pub object: String,
    /// The HubSpot object type.
    pub object_type: ObjectTypeId,
    /// The unique property that holds the Salesforce id.
    pub id_property: String,
    /// Fields to properties, in the definition's order.
    pub columns: Vec<Column>,
    /// Lookups to associations, in the definition's order.
    pub links: Vec<Association>,
    /// Which records travel; all when there is none.
    pub filter: Option<CompiledFilter>,
    /// What a delete in Salesforce does.
    pub delete: DeleteRule,
}

/// One field that becomes one property.
#[derive(Clone, Debug)]
pub struct Column {
    /// Where the cell comes from.
    pub source: Source,
    /// The Salesforce field, as describe or the definition writes it.
    pub field: String,
    /// The HubSpot property.
    pub property: String,
    /// Its type: how a value read back is judged.
    pub property_type: PropertyType,
    /// Whether HubSpot refuses a record without it.
    pub required: bool,
    converter: Converter,
}

/// Where a column's cells come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The batch's table.
    Table,
    /// The batch's ids.
    Id,
    /// The stamps of the batch's versions.
    SystemModstamp,
    /// A record that is being upserted is not deleted.
    IsDeleted,
}

impl Column {
    /// The property's value for a cell; `None` clears it.
    pub fn convert<'a>(&'a self, cell: Option<&'a str>) -> Result<Option<Cow<'a, str>>, Refusal> {
        match cell {
            Some(cell) => self.converter.convert(cell),
            None => Ok(None),
        }
    }
}

impl Plan {
    /// Compiles a sync that has been resolved. Every problem at once; there are none where
    /// [`crate::validate::validate`] found none and neither schema has changed since.
    pub fn of(sync: &Sync) -> Result<Self, Vec<Problem>> {
        match &sync.resolved {
            Some(resolved) => Self::compile(&sync.definition, sync.revision, resolved),
            None => Err(vec![Problem::new(
                "spec",
                "the sync has not been resolved against both systems yet",
                "activate it or start an import",
            )]),
        }
    }

    /// Compiles a definition against both schemas.
    pub fn compile(
        definition: &SyncDefinition,
        revision: Revision,
        resolved: &Resolved,
    ) -> Result<Self, Vec<Problem>> {
        let spec = &definition.spec;
        let mut problems = Vec::new();
        let mut columns = Vec::with_capacity(spec.fields.len());
        for place in 0..spec.fields.len() {
            match column(definition, place, resolved) {
                Ok(column) => columns.push(column),
                Err(problem) => problems.push(problem),
            }
        }
        let filter = spec.filter.as_ref().and_then(|filter| {
            CompiledFilter::compile(filter, &resolved.object, &resolved.parent_fields)
                .map_err(|troubles| {
                    problems.extend(troubles.into_iter().map(|(place, trouble)| {
                        Problem::new(
                            format!("spec.filter.all[{place}]"),
                            trouble,
                            "correct the condition",
                        )
                    }));
                })
                .ok()
        });
        for (place, rule) in spec.associations.iter().enumerate() {
            if !resolved.associations.iter().any(|link| rule.holds(&link.slot())) {
                problems.push(Problem::new(
                    format!("spec.associations[{place}]"),
                    format!(
                        "the association of {} has not been resolved against the portal",
                        rule.lookup()
                    ),
                    "apply the sync again",
                ));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            sync: definition.key(),
            revision,
            object: resolved.object.name.clone(),
            object_type: resolved.object_type.object_type_id.clone(),
            id_property: spec.hubspot.id_property.clone(),
            columns,
            links: resolved.associations.clone(),
            filter,
            delete: spec.rules.delete,
        })
    }

    /// The columns that the extractor must select, each once, in a stable order. System fields are its own affair.
    pub fn salesforce_columns(&self) -> Vec<&str> {
        let fields = self
            .columns
            .iter()
            .filter(|column| column.source == Source::Table)
            .map(|column| column.field.as_str());
        let lookups = self.links.iter().map(|link| link.field.as_str());
        let filtered = self.filter.iter().flat_map(CompiledFilter::fields);
        let mut names: Vec<&str> = Vec::new();
        for name in fields.chain(lookups).chain(filtered) {
            let known = names.iter().any(|other| other.eq_ignore_ascii_case(name));
            if !known && system_source(name) == Source::Table {
                names.push(name);
            }
        }
        names
    }

    /// The columns that a batch would need and does not carry. A batch of an older revision that lacks some is read
    /// again; one of this revision lacks what its reader may no longer see.
    pub fn missing_columns(&self, table: &Table) -> Vec<&str> {
        let mut missing = self.salesforce_columns();
        missing.retain(|name| table.position(name).is_none());
        missing
    }

    /// The body of the WHERE clause of an import; empty when there is none. It may let more through than the filter
    /// does: the mapper applies every condition again.
    pub fn soql_where(&self) -> String {
        self.filter
            .as_ref()
            .map(CompiledFilter::to_soql)
            .unwrap_or_default()
    }

    /// Whether records that stop matching the filter travel on as [`crate::ChangeKind::Leave`].
    pub fn leaves_travel(&self) -> bool {
        self.filter
            .as_ref()
            .is_some_and(|filter| filter.on_leave() == OnLeave::DeleteRule)
    }
}

/// The paths to parents' fields (`Depot__r.Name`) that a definition names, each once: what must be described besides
/// the object itself.
pub fn parent_paths(definition: &SyncDefinition) -> Vec<&str> {
    let spec = &definition.spec;
    let fields = spec.fields.iter().map(|rule| rule.from.as_str());
    let filtered = spec.filter.iter().flat_map(|filter| &filter.all);
    let mut paths: Vec<&str> = Vec::new();
    for name in fields.chain(filtered.map(|condition| condition.field.as_str())) {
        if name.contains('.') && !paths.contains(&name) {
            paths.push(name);
        }
    }
    paths
}

fn system_source(name: &str) -> Source {
    match name {
        _ if name.eq_ignore_ascii_case("Id") => Source::Id,
        _ if name.eq_ignore_ascii_case("SystemModstamp") => Source::SystemModstamp,
        _ if name.eq_ignore_ascii_case("IsDeleted") => Source::IsDeleted,
        _ => Source::Table,
    }
}

fn column(definition: &SyncDefinition, place: usize, resolved: &Resolved) -> Result<Column, Problem> {
    let rule = &definition.spec.fields[place];
    let (name, field) =
        describe_of(&rule.from, &resolved.object, &resolved.parent_fields).ok_or_else(|| {
            Problem::new(
                format!("spec.fields[{place}].from"),
                format!("{} has no field {}", resolved.object.name, rule.from),
                "correct the name, or let the Salesforce user see the field",
            )
        })?;
    let property = resolved.object_type.property(&rule.to).ok_or_else(|| {
        Problem::new(
            format!("spec.fields[{place}].to"),
            format!("{} has no property {}", resolved.object_type.name, rule.to),
            "correct the name, or create the property",
        )
    })?;
    let converter = Converter::new(field, property, &rule.values, rule.unmatched).map_err(|reason| {
        Problem::new(
            format!("spec.fields[{place}]"),
            format!("{} cannot become {}", rule.from, rule.to),
            reason,
        )
    })?;
    let required = resolved.object_type.required_properties.contains(&rule.to);
    Ok(Column {
        source: system_source(name),
        field: name.to_owned(),
        property: rule.to.clone(),
        property_type: property.kind,
        required,
        converter,
    })
}

#[cfg(test)]
mod tests;
