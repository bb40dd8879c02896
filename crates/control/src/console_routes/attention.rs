//! What needs somebody's attention in a tenant that runs: one judgement for every page that shows how tenants stand.

use crate::ask::TenantStatus;
use crate::console::parts::one_or_many;

/// The worst thing about a tenant that is not suspended, in words; none when all is well. Judged by what the stages say
/// in kinds and numbers, by no text.
pub(super) fn attention(status: &TenantStatus) -> Option<String> {
    let live = status.syncs.iter().filter_map(|sync| sync.live.as_ref());
    let mut late = live.filter_map(|live| Some((&live.sync, live.trouble.as_ref()?)));
    if let Some((sync, trouble)) = late.next() {
        return Some(format!("Reading {sync} is late: {trouble}"));
    }
    // The others are for information, such as that a limit is waited for.
    let mut bad = status
        .conditions
        .iter()
        .filter(|condition| condition.kind.needs_attention());
    if let Some(condition) = bad.next() {
        return Some(condition.text.clone());
    }
    if status.failures > 0 {
        let refused = one_or_many(status.failures, "record or link is", "records or links are");
        return Some(format!("{refused} refused."));
    }
    if status.held > 0 {
        let held = one_or_many(status.held, "delete is", "deletes are");
        return Some(format!("{held} held."));
    }
    None
}

#[cfg(test)]
mod tests {
    use landbridge_model::ask::{Condition, ConditionKind};

    use super::*;

    #[test]
    fn kinds_decide_and_texts_do_not() {
        let told = |change: fn(&mut TenantStatus)| {
            let mut status = TenantStatus::default();
            change(&mut status);
            attention(&status)
        };
        assert_eq!(told(|_| {}), None);
        let refused = "38 records or links are refused.";
        assert_eq!(told(|status| status.failures = 38).as_deref(), Some(refused));
        assert_eq!(
            told(|status| status.held = 1).as_deref(),
            Some("1 delete is held.")
        );
        let silent = told(|status| {
            status.failures = 1;
            status.tell(Condition::new(ConditionKind::UnderWay, "asking for 7 records"));
            status.tell(Condition::new(ConditionKind::Silent, "nobody answers"));
        });
        assert_eq!(silent.as_deref(), Some("nobody answers"));
        // The words of trouble in what is for information, or in a text without a kind.
        let fine = told(|status| {
            status.tell(Condition::new(
                ConditionKind::Limited,
                "the loader cannot be asked",
            ));
            status.notes.push("the loader cannot be asked: ...".to_owned());
        });
        assert_eq!(fine, None);
    }
}
