//! From what is to be done to messages: grouped by what they must share, in an order that holds for every link.

use std::collections::HashMap;

use landbridge_model::batch::BATCH_ROWS_MAX;
use landbridge_model::{
    Envelope, LinkOutcome, LinkVerdict, LinkWrites, SalesforceId, StageKind, SyncName, TenantId,
};
use landbridge_wire::{FailedRecord, ParkedLink, Report, ReportBody};

use crate::facts::{Cause, LinkOrder, Slot, Wish};

/// Items that may share a message, in order.
struct Group<T> {
    sync: SyncName,
    cause: Cause,
    items: Vec<T>,
}

/// Gathers items by sync and cause. Two items of one link never change places: where their causes differ, the later
/// one opens a new group.
struct Groups<T> {
    groups: Vec<Group<T>>,
    newest: HashMap<(SyncName, SalesforceId, String), usize>,
}

impl<T> Groups<T> {
    fn new() -> Self {
        Self {
            groups: Vec::new(),
            newest: HashMap::new(),
        }
    }

    fn add(&mut self, sync: &SyncName, cause: &Cause, child: SalesforceId, field: &str, item: T) {
        let link = (sync.clone(), child, field.to_owned());
        let at_least = self.newest.get(&link).copied().unwrap_or(0);
        let fits = |group: &Group<T>| {
            group.sync == *sync && group.cause == *cause && group.items.len() < BATCH_ROWS_MAX
        };
        let found = (at_least..self.groups.len())
            .rev()
            .find(|at| fits(&self.groups[*at]));
        let at = found.unwrap_or_else(|| {
            self.groups.push(Group {
                sync: sync.clone(),
                cause: cause.clone(),
                items: Vec::new(),
            });
            self.groups.len() - 1
        });
        self.groups[at].items.push(item);
        self.newest.insert(link, at);
    }
}

/// The messages for the loader.
pub(crate) fn link_writes(tenant: &TenantId, orders: Vec<LinkOrder>) -> Vec<LinkWrites> {
    let mut groups = Groups::new();
    for LinkOrder { sync, cause, link } in orders {
        let (child, field) = (link.child, link.field.clone());
        groups.add(&sync, &cause, child, &field, link);
    }
    let message = |group: Group<_>| LinkWrites {
        envelope: group.cause.envelope(tenant, &group.sync),
        links: group.items,
    };
    groups.groups.into_iter().map(message).collect()
}

/// The messages for control.
pub(crate) fn reports(tenant: &TenantId, tell: &[(Slot, Cause, LinkVerdict)], at_ms: i64) -> Vec<Report> {
    let mut groups = Groups::new();
    for (slot, cause, verdict) in tell {
        groups.add(&slot.sync, cause, slot.child, &slot.field, verdict.clone());
    }
    let message = |group: Group<_>| Report {
        envelope: group.cause.envelope(tenant, &group.sync),
        stage: StageKind::Resolver,
        at_ms,
        org_ahead_ms: 0,
        body: ReportBody::Links(group.items),
    };
    groups.groups.into_iter().map(message).collect()
}

/// The messages for control about links that waited for an association which their sync no longer has.
pub(crate) fn ended<'l>(links: impl Iterator<Item = &'l ParkedLink>, at_ms: i64) -> Vec<Report> {
    let report = |link: &ParkedLink| {
        let verdict = LinkVerdict {
            child: link.child,
            field: link.field.clone(),
            parent: None,
            version: link.version,
            outcome: LinkOutcome::Unlinked,
            failure: None,
        };
        Report {
            envelope: link.envelope.clone(),
            stage: StageKind::Resolver,
            at_ms,
            org_ahead_ms: 0,
            body: ReportBody::Links(vec![verdict]),
        }
    };
    links.map(report).collect()
}

/// The failures among them, for the memory of failures.
pub(crate) fn failures(
    tenant: &TenantId,
    tell: &[(Slot, Cause, LinkVerdict)],
    at_ms: i64,
) -> Vec<FailedRecord> {
    let failed = tell
        .iter()
        .filter(|(_, _, verdict)| verdict.outcome == LinkOutcome::Failed);
    let record = |(slot, cause, verdict): &(Slot, Cause, LinkVerdict)| {
        Some(FailedRecord {
            envelope: cause.envelope(tenant, &slot.sync),
            id: slot.child,
            version: verdict.version,
            stage: StageKind::Resolver,
            failure: verdict.failure.clone()?,
            at_ms,
            attempts: 1,
            link_field: Some(slot.field.to_string()),
            write: None,
            retry: false,
        })
    };
    failed.filter_map(record).collect()
}

/// A wish as `LB_PARKED` keeps it.
pub(crate) fn parked_link(tenant: &TenantId, slot: &Slot, wish: &Wish, now_ms: i64) -> ParkedLink {
    let envelope: Envelope = wish.cause.envelope(tenant, &slot.sync);
    ParkedLink {
        envelope,
        child: slot.child,
        field: slot.field.to_string(),
        parent: wish.parent().map(|parent| parent.id),
        version: wish.version,
        since_ms: wish.parked.map_or(now_ms, |parked| parked.since_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_model::{Former, HubSpotId, LinkWrite, Revision, Source, Version};

    fn order(child: &str, source: Source, stamp: i64) -> LinkOrder {
        let child = SalesforceId::parse(child).unwrap();
        let link = LinkWrite {
            child,
            child_hubspot_id: HubSpotId(1),
            field: "Depot__c".into(),
            parent: None,
            former: Former::Unknown,
            version: Version::new(stamp, stamp),
        };
        let cause = Cause {
            revision: Revision(1),
            source,
            run: None,
            force: false,
            existing_only: false,
        };
        LinkOrder {
            sync: SyncName::new("vehicles").unwrap(),
            cause,
            link,
        }
    }

    fn stamps(orders: Vec<LinkOrder>) -> Vec<(Source, Vec<i64>)> {
        let writes = link_writes(&TenantId::new("acme").unwrap(), orders);
        let stamps = |links: Vec<LinkWrite>| links.iter().map(|link| link.version.stamp_ms).collect();
        writes
            .into_iter()
            .map(|message| (message.envelope.source, stamps(message.links)))
            .collect()
    }

    #[test]
    fn links_share_messages_but_never_change_places_with_themselves() {
        let (a, b) = ("a00000000000001", "a00000000000002");
        let (live, bulk) = (Source::Increment, Source::Import);
        let orders = vec![
            order(a, bulk, 1),
            order(b, live, 2),
            order(b, bulk, 3),
            order(a, live, 4),
            order(a, bulk, 5),
            order(b, live, 6),
        ];
        let messages = stamps(orders);
        assert_eq!(
            messages,
            [
                (bulk, vec![1]),
                (live, vec![2, 4]),
                (bulk, vec![3, 5]),
                (live, vec![6])
            ]
        );
    }

    #[test]
    fn a_message_is_bounded() {
        let orders = (0..1_001)
            .map(|number| order(&format!("a00{number:0>12}"), Source::Import, number))
            .collect();
        let sizes: Vec<usize> = stamps(orders).iter().map(|(_, links)| links.len()).collect();
        assert_eq!(sizes, [500, 500, 1]);
    }
}
