//! What to read for a sync: its columns and its filter, compiled once for each revision. Pure.

use landbridge_model::config::{Resolved, Sync};
use landbridge_model::filter::CompiledFilter;
use landbridge_model::salesforce::FieldDescribe;
use landbridge_model::{Revision, SyncKey};
use landbridge_salesforce::describe::{is_readable, text_form};
use landbridge_salesforce::{Columns, TextForm};

/// The columns that every read carries for the extractor's own sake, at these places.
const OWN: [(&str, TextForm); 3] = [
    ("Id", TextForm::Text),
    ("SystemModstamp", TextForm::DateTime),
    ("IsDeleted", TextForm::Boolean),
];

/// Place of the record's id among the columns.
pub const ID: usize = 0;
/// Place of the record's SystemModstamp.
pub const STAMP: usize = 1;
/// Place of the mark of a deleted record.
pub const DELETED: usize = 2;

/// What to read for one revision of a sync.
#[derive(Clone, Debug)]
pub struct ReadPlan {
    /// Which sync.
    pub key: SyncKey,
    /// Of which revision.
    pub revision: Revision,
    /// The Salesforce object.
    pub object: String,
    /// All columns of a read: the extractor's own first.
    pub columns: Columns,
    /// The extractor's own columns alone, for reads whose rows are fetched by id afterwards.
    pub keys: Columns,
    /// The places of the columns that travel on, in the order of the definition.
    pub carried: Vec<usize>,
    /// The sync's filter as SOQL, for imports and counts. It may let through more than the sync wants, never less:
    /// the mapper decides.
    pub filter: Option<String>,
    /// Whether `filter` lets through just what the sync wants.
    pub filter_is_exact: bool,
    /// Whether a column may change without its record being stamped: a formula or a parent's field.
    pub is_read_again: bool,
}

/// Why nothing can be read for a sync.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// It was never checked against both schemas.
    #[error("sync {0} has not been validated yet; apply or activate it first")]
    Unresolved(SyncKey),
    /// It names a field that its object does not have.
    #[error("sync {key} reads {field}, which {object} does not have or this user cannot see")]
    UnknownField {
        /// The sync.
        key: SyncKey,
        /// The field.
        field: String,
        /// The object.
        object: String,
    },
    /// It names a field that cannot be read as text.
    #[error(
        "sync {key} reads {field}, a {kind} field, which cannot be read as one value; map its parts instead"
    )]
    Unreadable {
        /// The sync.
        key: SyncKey,
        /// The field.
        field: String,
        /// Its type.
        kind: &'static str,
    },
    /// Its filter does not fit its object.
    #[error("the filter of sync {key} cannot be applied: {reason}")]
    Filter {
        /// The sync.
        key: SyncKey,
        /// What does not fit.
        reason: String,
    },
}

impl ReadPlan {
    /// Compiles a sync's resolved definition.
    pub fn new(sync: &Sync) -> Result<Self, PlanError> {
        let key = sync.key();
        let resolved = sync
            .resolved
            .as_ref()
            .ok_or_else(|| PlanError::Unresolved(key.clone()))?;
        let mut wanted: Vec<(String, TextForm)> = OWN.map(|(name, form)| (name.to_owned(), form)).to_vec();
        let mut named: Vec<&str> = Vec::new();
        let rules = &sync.definition.spec.rules;
        let mut is_read_again = matches!(rules.reread_every(), Some(Ok(Some(_))));
        for name in named_fields(sync) {
            let field = find(resolved, name).ok_or_else(|| PlanError::UnknownField {
                key: key.clone(),
                field: name.to_owned(),
                object: resolved.object.name.clone(),
            })?;
            if !is_readable(field) {
                let kind = field.kind.as_str();
                return Err(PlanError::Unreadable {
                    key,
                    field: name.to_owned(),
                    kind,
                });
            }
            is_read_again |= field.calculated || name.contains('.');
            wanted.push((name.to_owned(), text_form(field)));
            named.push(name);
        }
        let columns = Columns::new(wanted);
        let mut carried = Vec::new();
        for place in named.iter().filter_map(|name| columns.place(name)) {
            if !carried.contains(&place) {
                carried.push(place);
            }
        }
        let (filter, filter_is_exact) = soql_filter(sync, resolved)?;
        let object = resolved.object.name.clone();
        Ok(Self {
            key,
            revision: sync.revision,
            object,
            columns,
            keys: Columns::new(OWN),
            carried,
            filter,
            filter_is_exact,
            is_read_again,
        })
    }

    /// The names of the columns that travel on.
    pub fn carried_names(&self) -> impl Iterator<Item = &str> {
        self.carried
            .iter()
            .map(|&place| self.columns.names()[place].as_str())
    }
}

/// Every field that a definition names: mapped, looked up, or filtered by.
fn named_fields(sync: &Sync) -> impl Iterator<Item = &str> {
    let spec = &sync.definition.spec;
    let mapped = spec.fields.iter().map(|rule| rule.from.as_str());
    let looked_up = spec.associations.iter().map(|rule| rule.field.as_str());
    let filtered = spec
        .filter
        .iter()
        .flat_map(|filter| &filter.all)
        .map(|condition| condition.field.as_str());
    mapped.chain(looked_up).chain(filtered)
}

fn find<'a>(resolved: &'a Resolved, name: &str) -> Option<&'a FieldDescribe> {
    match name.contains('.') {
        true => resolved
            .parent_fields
            .iter()
            .find(|parent| parent.path.eq_ignore_ascii_case(name))
            .map(|p| &p.field),
        false => resolved.object.field(name),
    }
}

/// The sync's conditions as SOQL, as far as SOQL can say them, and whether it can say them all.
fn soql_filter(sync: &Sync, resolved: &Resolved) -> Result<(Option<String>, bool), PlanError> {
    let Some(filter) = &sync.definition.spec.filter else {
        return Ok((None, true));
    };
    let compiled =
        CompiledFilter::compile(filter, &resolved.object, &resolved.parent_fields).map_err(|troubles| {
            let reasons: Vec<String> = troubles.into_iter().map(|(_, reason)| reason).collect();
            PlanError::Filter {
                key: sync.key(),
                reason: reasons.join("; "),
            }
        })?;
    let soql = Some(compiled.to_soql()).filter(|soql| !soql.is_empty());
    Ok((soql, compiled.is_said_by_soql()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_plan_reads_what_the_definition_names_and_no_more() {
        let plan = testing::plan();
        assert_eq!(
            plan.columns.select_list(),
            "Id, SystemModstamp, IsDeleted, Name, Price__c, Depot__c"
        );
        assert_eq!(
            plan.carried_names().collect::<Vec<_>>(),
            ["Name", "Price__c", "Depot__c"]
        );
        assert_eq!(plan.filter.as_deref(), Some("Price__c > 5"));
        assert_eq!(plan.columns.place("id"), Some(ID));
    }

    #[test]
    fn trap_14_fields_that_cannot_be_read_are_named() {
        let mut sync = testing::sync();
        sync.definition.spec.fields[0].from = "Place__c".into();
        assert_eq!(
            ReadPlan::new(&sync).unwrap_err().to_string(),
            "sync acme/vehicles reads Place__c, a location field, which cannot be read as one value; \
             map its parts instead"
        );
        sync.definition.spec.fields[0].from = "Missing__c".into();
        assert!(matches!(
            ReadPlan::new(&sync),
            Err(PlanError::UnknownField { .. })
        ));
        sync.resolved = None;
        assert!(matches!(ReadPlan::new(&sync), Err(PlanError::Unresolved(_))));
    }

    #[test]
    fn a_definition_may_carry_the_extractors_own_columns_too() {
        let mut sync = testing::sync();
        sync.definition.spec.fields[0].from = "Id".into();
        let plan = ReadPlan::new(&sync).unwrap();
        assert_eq!(
            plan.carried_names().collect::<Vec<_>>(),
            ["Id", "Price__c", "Depot__c"]
        );
    }
}
