//! What apply would do to a record, told as differences. Pure.

use landbridge_model::convert::equal;
use landbridge_model::hubspot::{ObjectSchema, PropertyType};
use landbridge_model::{HubSpotId, SalesforceId, WriteBatch};
use landbridge_wire::{Difference, DifferenceKind};

fn difference(
    kind: DifferenceKind,
    id: SalesforceId,
    hubspot_id: Option<HubSpotId>,
    message: &str,
) -> Difference {
    Difference {
        kind,
        id,
        hubspot_id,
        name: String::new(),
        expected: None,
        actual: None,
        message: message.to_owned(),
    }
}

/// Salesforce has a record that HubSpot has not.
pub(crate) fn missing(id: SalesforceId) -> Difference {
    difference(
        DifferenceKind::Missing,
        id,
        None,
        "in Salesforce, but not in HubSpot",
    )
}

/// HubSpot has a record that Salesforce no longer has.
pub(crate) fn extra(id: SalesforceId, hubspot_id: HubSpotId) -> Difference {
    let message = "deleted in Salesforce, or no longer matching the filter, but still in HubSpot";
    difference(DifferenceKind::Extra, id, Some(hubspot_id), message)
}

/// A row against HubSpot's values, which stand in the order of the batch's columns.
pub(crate) fn values(
    batch: &WriteBatch,
    row: usize,
    schema: &ObjectSchema,
    hubspot_id: HubSpotId,
    actual: &[Option<String>],
) -> Vec<Difference> {
    let mut found = Vec::new();
    for ((name, column), theirs) in batch.table.iter().zip(actual) {
        let kind = schema
            .property(name)
            .map_or(PropertyType::String, |property| property.kind);
        let (ours, theirs) = (column.get(row), theirs.as_deref());
        if !equal(kind, ours, theirs) {
            found.push(Difference {
                name: name.to_owned(),
                expected: ours.map(str::to_owned),
                actual: theirs.map(str::to_owned),
                ..difference(
                    DifferenceKind::Different,
                    batch.ids[row],
                    Some(hubspot_id),
                    "another value",
                )
            });
        }
    }
    found
}

/// A lookup's association against HubSpot's.
pub(crate) struct LinkState<'a> {
    /// The record that holds the lookup.
    pub(crate) child: SalesforceId,
    /// Its HubSpot record.
    pub(crate) child_hubspot_id: HubSpotId,
    /// The lookup field.
    pub(crate) field: &'a str,
    /// The parent that the lookup names.
    pub(crate) parent: Option<SalesforceId>,
    /// The parent's HubSpot record, when it is there.
    pub(crate) parent_hubspot_id: Option<HubSpotId>,
    /// Records that the field's association connects in HubSpot.
    pub(crate) linked: Vec<HubSpotId>,
}

/// A parent that is not in HubSpot is no difference of the link: the link waits for it.
pub(crate) fn link(state: &LinkState<'_>) -> Vec<Difference> {
    let tell = |message: &str, expected: Option<HubSpotId>, actual: Option<HubSpotId>| Difference {
        name: state.field.to_owned(),
        expected: expected.map(|id| id.to_string()),
        actual: actual.map(|id| id.to_string()),
        ..difference(
            DifferenceKind::Link,
            state.child,
            Some(state.child_hubspot_id),
            message,
        )
    };
    let mut found = Vec::new();
    if let (Some(parent), Some(wanted)) = (state.parent, state.parent_hubspot_id)
        && !state.linked.contains(&wanted)
    {
        found.push(tell(&format!("not associated with {parent}"), Some(wanted), None));
    }
    for other in state
        .linked
        .iter()
        .filter(|other| Some(**other) != state.parent_hubspot_id)
    {
        found.push(tell(
            "associated with a record that the lookup does not name",
            state.parent_hubspot_id,
            Some(*other),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(parent: Option<&str>, parent_hubspot_id: Option<u64>, linked: &[u64]) -> LinkState<'static> {
        LinkState {
            child: SalesforceId::parse("a00000000000001").unwrap(),
            child_hubspot_id: HubSpotId(1),
            field: "Depot__c",
            parent: parent.map(|id| SalesforceId::parse(id).unwrap()),
            parent_hubspot_id: parent_hubspot_id.map(HubSpotId),
            linked: linked.iter().copied().map(HubSpotId).collect(),
        }
    }

    #[test]
    fn links_are_missing_or_too_many() {
        let parent = Some("a01000000000001");
        for (state, expected) in [
            (state(parent, Some(5), &[5]), vec![]),
            (state(None, None, &[]), vec![]),
            (state(parent, None, &[]), vec![]),
            (state(parent, Some(5), &[]), vec![(Some("5"), None)]),
            (state(parent, Some(5), &[5, 6]), vec![(Some("5"), Some("6"))]),
            (
                state(parent, Some(5), &[6]),
                vec![(Some("5"), None), (Some("5"), Some("6"))],
            ),
            (state(None, None, &[6]), vec![(None, Some("6"))]),
        ] {
            let found = link(&state);
            let ends: Vec<(Option<&str>, Option<&str>)> = found
                .iter()
                .map(|one| (one.expected.as_deref(), one.actual.as_deref()))
                .collect();
            assert_eq!(ends, expected);
        }
    }
}
