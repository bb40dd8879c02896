//! A batch of writes as it is posted, and what is wrong with it whatever it would do.

use super::{
    dice::FastSet,
    errors::{ApiError, missing_fields},
    json::{Properties, Text},
    table::Table,
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// The most inputs of an object batch.
pub(super) const INPUTS_MAX: usize = 100;

/// `{inputs:[…]}` of batch create, update and upsert.
#[derive(Debug, Deserialize)]
pub(super) struct WriteBatch<'a> {
    #[serde(borrow)]
    pub(super) inputs: Vec<WriteInput<'a>>,
}

/// One input of any of the three.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WriteInput<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) id_property: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) object_write_trace_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) properties: Option<Properties<'a>>,
    #[serde(borrow)]
    pub(super) associations: Option<Vec<AssociationDraft<'a>>>,
}

/// An association of a record that is being created.
#[derive(Debug, Deserialize)]
pub(super) struct AssociationDraft<'a> {
    #[serde(borrow)]
    pub(super) to: IdOnly<'a>,
    pub(super) types: Vec<TypeDraft>,
}

/// `{id}`.
#[derive(Debug, Deserialize)]
pub(super) struct IdOnly<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
}

/// `{associationCategory, associationTypeId}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TypeDraft {
    pub(super) association_category: String,
    pub(super) association_type_id: u32,
}

/// What a write is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Deed {
    Create,
    Update,
    Upsert,
}

/// Refuses batches of the wrong size.
pub(super) fn check_size(inputs: usize, most: usize) -> Result<(), ApiError> {
    if inputs == 0 {
        return Err(ApiError::validation(
            "The inputs of a batch request must not be empty",
        ));
    }
    if inputs > most {
        let message =
            format!("The maximum number of inputs supported in a batch request is {most}, found {inputs}");
        return Err(ApiError::validation(message));
    }
    Ok(())
}

/// Refuses ids that come twice, by what makes them the same here; gives them as they compare.
pub(super) fn check_duplicates<'i>(
    table: &Table,
    ids: impl ExactSizeIterator<Item = &'i str>,
) -> Result<FastSet<Cow<'i, str>>, ApiError> {
    let mut seen = FastSet::with_capacity_and_hasher(ids.len(), Default::default());
    let mut twice: Vec<&str> = Vec::new();
    for id in ids {
        if !seen.insert(table.key(id)) && !twice.contains(&id) {
            twice.push(id);
        }
    }
    if twice.is_empty() {
        return Ok(seen);
    }
    let message = format!(
        "Duplicate IDs found in batch input: [{}]. IDs must be unique",
        twice.join(", ")
    );
    Err(ApiError::validation(message).context("ids", &twice))
}

/// Every input has a trace id of its own: the wish for partial success.
pub(super) fn traced(inputs: &[WriteInput<'_>]) -> bool {
    let mut seen = FastSet::with_capacity_and_hasher(inputs.len(), Default::default());
    inputs.iter().all(|input| {
        input
            .object_write_trace_id
            .as_deref()
            .is_some_and(|trace| seen.insert(trace))
    })
}

/// One error for all the records of a batch that are not there.
pub(super) fn could_not_get(table: &Table, ids: &[String]) -> ApiError {
    let message = format!(
        "Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.",
        table.shout
    );
    ApiError::new(404, message)
        .category("OBJECT_NOT_FOUND")
        .context("ids", ids)
}

/// An input's properties, which it must have.
pub(super) fn properties_of<'a, 'b>(input: &'a WriteInput<'b>) -> Result<&'a Properties<'b>, ApiError> {
    input
        .properties
        .as_ref()
        .ok_or_else(|| missing_fields(&["properties"]))
}
