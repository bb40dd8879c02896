//! What a write would do to a table, input by input. Planning writes nothing.

use super::{
    Behaviour,
    batch::{Deed, could_not_get},
    dice::FastSet,
    errors::{ApiError, Problem, invalid_values, invalid_values_message},
    json::Properties,
    pairs::TypeIndex,
    property_rules,
    table::{Change, Table},
    told::Warning,
    values::{self, Refusal},
    version::Version,
};
use serde_json::{Value, json};
use std::{borrow::Cow, ops::Range};

/// Why one input cannot be.
#[derive(Debug)]
pub(super) enum Trouble {
    Values(Vec<Problem>),
    /// Another record, or another input, has the unique value.
    Conflict {
        existing: Option<u64>,
    },
    /// What a new record cannot do without.
    Required(Vec<String>),
    /// There is no such record to update.
    Missing(String),
    Other(ApiError),
}

/// One input that would go through.
#[derive(Debug)]
pub(super) struct Planned {
    /// The record to update; `None` creates.
    pub(super) target: Option<u32>,
    /// Where its changes are in the plan's arena.
    pub(super) changes: Range<usize>,
    pub(super) warnings: Vec<Warning>,
    /// Associations of a new record: other type, other record, types.
    pub(super) links: Vec<(TypeIndex, u64, u64)>,
}

/// Judges inputs against one table, one after the other.
pub(super) struct Planner<'t, 'a> {
    pub(super) table: &'t Table,
    pub(super) version: Version,
    pub(super) now_ms: i64,
    pub(super) portal_id: u32,
    pub(super) behaviour: Behaviour,
    pub(super) deed: Deed,
    /// All inputs' changes, each input's in column order.
    pub(super) arena: Vec<Change<'a>>,
    /// The columns of the latest input, by place.
    places: Vec<u16>,
    /// What the batch's records are looked up with, as it compares.
    pub(super) sought: FastSet<Cow<'a, str>>,
    /// Unique values that earlier inputs took.
    claims: FastSet<(u16, Box<str>)>,
}

impl<'t, 'a> Planner<'t, 'a> {
    pub(super) fn new(
        table: &'t Table,
        version: Version,
        now_ms: i64,
        portal_id: u32,
        behaviour: Behaviour,
        deed: Deed,
    ) -> Planner<'t, 'a> {
        Planner {
            table,
            version,
            now_ms,
            portal_id,
            behaviour,
            deed,
            arena: Vec::with_capacity(2048),
            places: Vec::new(),
            sought: FastSet::default(),
            claims: FastSet::default(),
        }
    }

    /// The column that `idProperty` names, if records can be addressed by it.
    pub(super) fn id_column(&self, name: &str) -> Result<u16, ApiError> {
        self.table
            .column(name)
            .filter(|column| self.table.is_unique(*column))
            .ok_or_else(|| {
                ApiError::validation(format!(
                    "Unable to perform update/upsert by non-unique {} property {name} in portal ID {}",
                    self.table.type_id, self.portal_id
                ))
            })
    }

    /// The plan for one input. `found_by` is the unique value that it was looked up with.
    pub(super) fn plan(
        &mut self,
        target: Option<u32>,
        found_by: Option<(u16, &'a str)>,
        properties: &'a Properties<'_>,
    ) -> Result<Planned, Trouble> {
        let start = self.arena.len();
        let mut warnings = Vec::new();
        let mut problems = Vec::new();
        for (position, (name, value)) in properties.0.iter().enumerate() {
            let value: &'a str = match value {
                Some(value) => value,
                None if self.behaviour.nulls_clear => "",
                None => continue,
            };
            if let Err(refusal) = self.take((position, name), value, target, &mut warnings) {
                problems.push(Problem {
                    property: name.to_string(),
                    refusal,
                });
            }
        }
        if let Some((column, value)) = found_by
            && target.is_none()
            && self.behaviour.upsert_fills_id_property
            && !self.arena[start..].iter().any(|(at, _)| *at == column)
        {
            self.arena.push((column, value.into()));
        }
        self.settle(start);
        problems.extend(self.conditional_problems(target, start));
        if !problems.is_empty() {
            self.arena.truncate(start);
            return Err(Trouble::Values(problems));
        }
        let missing = if target.is_none() {
            self.missing_required(start)
        } else {
            Vec::new()
        };
        if !missing.is_empty() {
            self.arena.truncate(start);
            return Err(Trouble::Required(missing));
        }
        if let Err(trouble) = self.claim(target, found_by, start) {
            self.arena.truncate(start);
            return Err(trouble);
        }
        Ok(Planned {
            target,
            changes: start..self.arena.len(),
            warnings,
            links: Vec::new(),
        })
    }

    fn take(
        &mut self,
        (position, name): (usize, &'a str),
        value: &'a str,
        target: Option<u32>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Refusal> {
        let Some(column) = self.column(position, name) else {
            let message = format!("Property \"{name}\" does not exist");
            return Err(Refusal {
                code: "PROPERTY_DOESNT_EXIST",
                message,
            });
        };
        let property = self.table.property(column);
        let stored = target
            .filter(|_| property.multiple())
            .and_then(|row| self.table.record(row).row.get(column));
        let mut accepted = values::accept(property, value, self.version, stored)?;
        if !property.rules.is_empty() && !accepted.value.is_empty() {
            accepted.value = property_rules::judge(&property.rules, accepted.value, self.now_ms)?;
        }
        if let Some(normalised) = accepted.normalised {
            warnings.push(Warning {
                property: name.to_owned(),
                raw: value.to_owned(),
                normalised,
            });
        }
        self.arena.push((column, accepted.value));
        Ok(())
    }

    /// A property that takes values. Inputs tend to name the same ones in the same order, so the one that
    /// was in this place before is tried first.
    fn column(&mut self, position: usize, name: &str) -> Option<u16> {
        let known = self.places.get(position).copied();
        if let Some(column) = known.filter(|at| self.table.property(*at).name == name) {
            return Some(column);
        }
        let column = self.table.column(name)?;
        if self.table.property(column).usable_from_ms > self.now_ms {
            return None;
        }
        self.places.resize(self.places.len().max(position + 1), column);
        self.places[position] = column;
        Some(column)
    }

    /// Puts an input's changes in column order, the last of a repeated column winning.
    fn settle(&mut self, start: usize) {
        let changes = &mut self.arena[start..];
        if changes.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return;
        }
        changes.sort_by_key(|(column, _)| *column);
        if changes.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return;
        }
        let mut settled: Vec<Change<'a>> = Vec::new();
        for change in self.arena.drain(start..) {
            match settled.last_mut() {
                Some(last) if last.0 == change.0 => *last = change,
                _ => settled.push(change),
            }
        }
        self.arena.extend(settled);
    }

    fn value_after(&self, target: Option<u32>, start: usize, name: &str) -> Option<String> {
        let column = self.table.column(name)?;
        match self.arena[start..].iter().find(|(at, _)| *at == column) {
            Some((_, value)) => Some(value.to_string()),
            None => target
                .and_then(|row| self.table.record(row).row.get(column))
                .map(str::to_owned),
        }
        .filter(|value| !value.is_empty())
    }

    fn conditional_problems(&self, target: Option<u32>, start: usize) -> Vec<Problem> {
        if !self.version.is_2026_09() {
            return Vec::new();
        }
        let broken = self.table.rules.iter().filter(|rule| {
            self.value_after(target, start, &rule.when).as_deref() == Some(rule.equals.as_str())
                && self.value_after(target, start, &rule.requires).is_none()
        });
        broken
            .map(|rule| Problem {
                property: rule.requires.clone(),
                refusal: Refusal {
                    code: "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
                    message: format!(
                        "{} is required because of a conditional property rule based on [{}]",
                        rule.requires, rule.when
                    ),
                },
            })
            .collect()
    }

    fn missing_required(&self, start: usize) -> Vec<String> {
        let given = |name: &String| {
            let column = self.table.column(name);
            self.arena[start..]
                .iter()
                .any(|(at, value)| Some(*at) == column && !value.is_empty())
        };
        self.table
            .definition
            .required
            .iter()
            .filter(|name| !given(name))
            .cloned()
            .collect()
    }

    fn claim(
        &mut self,
        target: Option<u32>,
        found_by: Option<(u16, &str)>,
        start: usize,
    ) -> Result<(), Trouble> {
        for (column, value) in &self.arena[start..] {
            if value.is_empty() || !self.table.is_unique(*column) {
                continue;
            }
            let by_this = found_by.filter(|(at, _)| at == column);
            let own =
                by_this.is_some_and(|(_, id)| id == value || self.table.key(id) == self.table.key(value));
            // Ids differ within a batch, so what a record is found by is its own.
            if own && (target.is_some() || !self.behaviour.archived_keep_unique_values) {
                continue;
            }
            let holder = self
                .table
                .holder(*column, value)
                .filter(|holder| Some(*holder) != target);
            let sought = by_this.is_some() && !own && self.sought.contains(&self.table.key(value));
            let taken = !self.claims.insert((*column, self.table.key(value).into()));
            if holder.is_none() && !taken && !sought {
                continue;
            }
            let existing = holder.map(|row| self.table.id(row));
            if self.deed != Deed::Update && self.behaviour.conflicts_are_409 {
                return Err(Trouble::Conflict { existing });
            }
            let property = self.table.property(*column).name.clone();
            let on = target.map_or_else(|| "a new record".to_owned(), |row| self.table.id(row).to_string());
            let other = existing.map_or_else(|| "Another input".to_owned(), |id| id.to_string());
            let message = format!(
                "Cannot set PropertyValueCoordinates{{portalId={}, objectTypeId={}, propertyName={property}, \
                 value={value}}} on {on}. {other} already has that value.",
                self.portal_id, self.table.type_id
            );
            let refusal = Refusal {
                code: "CONFLICTING_UNIQUE_VALUE",
                message,
            };
            return Err(Trouble::Values(vec![Problem { property, refusal }]));
        }
        Ok(())
    }

    // --- telling troubles

    fn already_exists(&self) -> String {
        format!("{} already exists", self.table.definition.singular)
    }

    /// A trouble as the refusal of a whole call. `alone`: the call is about one record.
    pub(super) fn refuse(&self, trouble: Trouble, alone: bool) -> ApiError {
        match trouble {
            Trouble::Values(problems) => invalid_values(&problems, self.portal_id),
            Trouble::Conflict { existing } => {
                let mut message = self.already_exists();
                if let Some(id) = existing.filter(|_| alone) {
                    message = format!("{message}. Existing ID: {id}");
                }
                ApiError::new(409, message).category("CONFLICT")
            }
            Trouble::Required(names) => self.required(&names),
            Trouble::Missing(id) => could_not_get(self.table, &[id]),
            Trouble::Other(error) => error,
        }
    }

    fn required(&self, names: &[String]) -> ApiError {
        if !self.version.is_2026_09() {
            let message = format!(
                "Error creating {}. Some required properties were not set.",
                self.table.shout
            );
            return ApiError::validation(message).context("properties", names);
        }
        let errors: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({
                    "message": format!("A value for {name} must be provided"),
                    "code": "MISSING_REQUIRED_PROPERTY", "context": { "propertyName": [name] },
                })
            })
            .collect();
        ApiError::validation("The property values provided are invalid").with("errors", Value::Array(errors))
    }

    /// A trouble as one of a batch's errors.
    pub(super) fn item(&self, trouble: Trouble, trace_id: &str) -> Value {
        let trace = [trace_id];
        match trouble {
            Trouble::Values(problems) => {
                let message = invalid_values_message(&problems, self.portal_id);
                ApiError::validation(message)
                    .context("objectWriteTraceId", &trace)
                    .into_item()
            }
            Trouble::Conflict { existing } => {
                let message = self.already_exists();
                let message = existing.map_or(message.clone(), |id| format!("{message}. Existing ID: {id}"));
                let error = ApiError::new(409, message)
                    .category("CONFLICT")
                    .context("objectWriteTraceId", &trace);
                match existing {
                    Some(id) => error.context("existingId", &[id.to_string()]).into_item(),
                    None => error.into_item(),
                }
            }
            other => self
                .refuse(other, false)
                .context("objectWriteTraceId", &trace)
                .into_item(),
        }
    }
}
