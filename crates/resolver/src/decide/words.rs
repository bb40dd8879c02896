//! What people are told of links that wait or fail.

use landbridge_model::{Failure, FailureCategory, HubSpotId, SalesforceId};

use crate::facts::End;

/// It waits for this record.
pub(super) fn waiting_for(id: SalesforceId, what: &str) -> Failure {
    let message = format!("waits for {what}, {id}: it is not in HubSpot yet");
    Failure::new(FailureCategory::WaitingForParent, message).value(id.as_str())
}

/// Nobody can say which record is meant.
pub(super) fn ambiguous(parent: &End, claimants: &[HubSpotId]) -> Failure {
    let ids: Vec<String> = claimants.iter().map(HubSpotId::to_string).collect();
    let property = &parent.directory.property;
    let message = format!(
        "the HubSpot records {} all have {} in {property}: merge them, or clear it on all but one",
        ids.join(" and "),
        parent.id,
    );
    Failure::new(FailureCategory::DuplicateUniqueValue, message)
        .property(property)
        .value(parent.id.as_str())
}
