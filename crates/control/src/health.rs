//! How a tenant did lately, and which links wait.

use std::collections::BTreeMap;

use landbridge_model::{Outcome, SyncName, TenantId};
use landbridge_stage::ShardContext;
use landbridge_wire::{AskError, ParkedLink};

use crate::ask::{HistoryStretch, ParkedGroup, TenantHistory};
use crate::ledger::Series;
use crate::shard::{ControlShard, unavailable};

impl ControlShard {
    /// What became of a tenant's changes over time.
    pub(crate) async fn tenant_history(&self, tenant: &TenantId) -> Result<TenantHistory, AskError> {
        self.caught_up(tenant).await.map_err(unavailable)?;
        let ledger = self.ledger();
        let Some(account) = ledger.tenant(tenant) else {
            return Ok(TenantHistory::default());
        };
        Ok(TenantHistory {
            minutes: stretches(&account.history().minutes),
            hours: stretches(&account.history().hours),
        })
    }
}

fn stretches(series: &Series) -> Vec<HistoryStretch> {
    let told = series.stretches().map(|(begin_ms, stretch)| HistoryStretch {
        begin_ms,
        length_ms: series.length_ms(),
        outcomes: Outcome::ALL
            .into_iter()
            .zip(stretch.outcomes)
            .filter(|(_, count)| *count > 0)
            .collect(),
        samples: stretch.latency.count(),
        median_ms: stretch.latency.quantile(0.5),
        p99_ms: stretch.latency.quantile(0.99),
    });
    told.collect()
}

/// The links that wait, by lookup field, the one that has waited longest first.
pub(crate) async fn parked(context: &ShardContext, tenant: &TenantId) -> Result<Vec<ParkedGroup>, AskError> {
    let links = context.hub.parked(tenant, None).await.map_err(unavailable)?;
    let to = |sync: &SyncName, field: &str| {
        let sync = context.config.sync(tenant, sync)?;
        let rules = &sync.definition.spec.associations;
        let rule = rules.iter().find(|rule| rule.holds(field))?;
        Some(rule.to.clone())
    };
    Ok(grouped(&links, to))
}

fn grouped(links: &[ParkedLink], to: impl Fn(&SyncName, &str) -> Option<String>) -> Vec<ParkedGroup> {
    let mut groups: BTreeMap<(&SyncName, &str), ParkedGroup> = BTreeMap::new();
    for link in links {
        let (sync, field) = (&link.envelope.sync, link.field.as_str());
        let awaited = link.parent.unwrap_or(link.child);
        let group = groups.entry((sync, field)).or_insert_with(|| ParkedGroup {
            sync: sync.clone(),
            field: field.to_owned(),
            to: to(sync, field),
            links: 0,
            oldest_ms: link.since_ms,
            example: awaited,
        });
        group.links += 1;
        if link.since_ms < group.oldest_ms {
            (group.oldest_ms, group.example) = (link.since_ms, awaited);
        }
    }
    let mut groups: Vec<ParkedGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| group.oldest_ms);
    groups
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Envelope, Purpose, Revision, SalesforceId, Source, Version};

    use super::*;

    fn link(sync: &str, field: &str, parent: u32, since_ms: i64) -> ParkedLink {
        let id = |number: u32| SalesforceId::parse(&format!("a01{number:012}")).unwrap();
        ParkedLink {
            envelope: Envelope {
                tenant: TenantId::new("acme").unwrap(),
                sync: SyncName::new(sync).unwrap(),
                revision: Revision(1),
                purpose: Purpose::Apply,
                source: Source::Increment,
                run: None,
                force: false,
                only: None,
            },
            child: id(1),
            field: field.to_owned(),
            parent: (parent > 0).then(|| id(parent)),
            version: Version::new(1, 1),
            since_ms,
        }
    }

    #[test]
    fn links_that_wait_are_told_by_field_the_oldest_first() {
        let links = [
            link("vehicles", "Depot__c", 7, 500),
            link("visits", "Vehicle__c", 8, 300),
            link("vehicles", "Depot__c", 9, 400),
            link("vehicles", "Account__c", 0, 600),
        ];
        let groups = grouped(&links, |_, field| {
            (field == "Depot__c").then(|| "depots".to_owned())
        });
        let told: Vec<_> = groups
            .iter()
            .map(|group| {
                let to = group.to.as_deref().unwrap_or("-");
                format!(
                    "{} {} {to} {} {} {}",
                    group.sync, group.field, group.links, group.oldest_ms, group.example
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "visits Vehicle__c - 1 300 a01000000000008AAA",
                "vehicles Depot__c depots 2 400 a01000000000009AAA",
                "vehicles Account__c - 1 600 a01000000000001AAA",
            ]
        );
    }
}
