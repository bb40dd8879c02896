//! How close records are to as many associations as HubSpot lets them have: people are told before the first link is refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_hubspot::account::AssociationUse;
use landbridge_model::ObjectTypeId;
use landbridge_model::ask::{Condition, ConditionKind};
use landbridge_stage::ShardContext;

use crate::portal::Tenant;
use crate::shard::LoaderShard;
use crate::target::Target;

/// How often it is looked whether it is time to.
const SWEEP: Duration = Duration::from_secs(2);
/// How long one tenant's portal may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
const TOPIC: &str = "association ceilings";

/// The two types of an association, in one direction, and what they are called.
type Direction = (ObjectTypeId, ObjectTypeId);

/// Runs until the shard is given up. Nothing waits for it, and a portal that lets nothing through keeps the others' from being
/// asked for no longer than [`PATIENCE`].
pub(crate) async fn run(shard: Arc<LoaderShard>, context: ShardContext) {
    let stop = context.stop.clone();
    while stop
        .run_until_cancelled(tokio::time::sleep(SWEEP))
        .await
        .is_some()
    {
        for tenant in shard.tenants() {
            let look =
                tokio::time::timeout(PATIENCE, watch(&context, &tenant, shard.settings.ceilings_every));
            if stop.run_until_cancelled(look).await.is_none() {
                return;
            }
        }
    }
}

/// Asks how full records are, when it is time to, and tells people.
async fn watch(context: &ShardContext, tenant: &Tenant, every: Duration) {
    let Some(portal) = tenant.opened().await else {
        return;
    };
    if !tenant.ceilings_due(Instant::now(), every) {
        return;
    }
    let mut full = Vec::new();
    for ((from, to), (from_name, to_name)) in directions(context, tenant) {
        let lease = context.lease.wait_to_send(portal.client.timeout());
        if lease.await.is_err() {
            return;
        }
        match portal.client.association_use(&from, &to).await {
            Ok(usage) => full.extend(told(&from_name, &to_name, &usage)),
            // Not every credential may ask, and it is asked again later: links are made and counted all the same.
            Err(error) => {
                tracing::debug!(tenant = %tenant.id, %error, "the ceilings of associations are not told")
            }
        }
    }
    let condition = (!full.is_empty()).then(|| Condition::new(ConditionKind::Full, full.join("; ")));
    tenant.note(TOPIC, condition);
}

/// Both directions of every association of a tenant's syncs, each once: either end can be full.
fn directions(context: &ShardContext, tenant: &Tenant) -> BTreeMap<Direction, (String, String)> {
    let mut all = BTreeMap::new();
    for sync in context.config.syncs(&tenant.id).iter() {
        let Some(target) = Target::of(sync) else { continue };
        let spec = &sync.definition.spec;
        for association in target.associations() {
            let slot = association.slot();
            let rule = spec.associations.iter().find(|rule| rule.holds(&slot));
            let to = rule.map_or_else(|| association.to.to_string(), |rule| rule.to.clone());
            let from = spec.hubspot.object_type.clone();
            let there = (target.object_type.clone(), association.to.clone());
            let back = (there.1.clone(), there.0.clone());
            all.insert(there, (from.clone(), to.clone()));
            all.insert(back, (to, from));
        }
    }
    all
}

/// What people should know of one direction; nothing while no record is near its ceiling. Pure.
fn told(from: &str, to: &str, usage: &AssociationUse) -> Option<String> {
    let (at, near) = (usage.total_records_at_limit, usage.total_records_near_limit);
    if at == 0 && near == 0 {
        return None;
    }
    let limit = usage.limit;
    let counted = |count: u64, what: &str| match count {
        0 => None,
        1 => Some(format!("1 record {what}")),
        many => Some(format!("{many} records {what}")),
    };
    let parts = [
        counted(at, "full, whose further links are refused"),
        counted(near, "with more than four fifths of that"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let samples = usage.at_limit.iter().chain(&usage.near_limit);
    let samples: Vec<String> = samples
        .take(3)
        .map(|record| record.object_id.to_string())
        .collect();
    let such_as = if samples.is_empty() {
        String::new()
    } else {
        format!(" (such as {})", samples.join(", "))
    };
    Some(format!(
        "of {from}, which HubSpot lets be associated with {limit} of {to} each: {}{such_as}; associate them with fewer, or ask \
         HubSpot for a higher limit",
        parts.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_before_a_record_is_full() {
        let usage = |text: &str| serde_json::from_str::<AssociationUse>(text).unwrap();
        assert_eq!(told("companies", "cars", &usage(r#"{"limit": 10}"#)), None);
        let near = usage(
            r#"{"limit": 10, "totalRecordsAtLimit": 0, "totalRecordsNearLimit": 1, "nearLimitFromRecordSamples": [{"objectId": "7", "usage": 9}]}"#,
        );
        let text = told("companies", "cars", &near).unwrap();
        assert!(
            text.contains("1 record with more than four fifths") && text.contains("such as 7"),
            "{text}"
        );
        assert!(!text.contains("refused"), "none is full yet: {text}");
        let full = usage(
            r#"{"limit": 10, "totalRecordsAtLimit": 2, "totalRecordsNearLimit": 3, "atLimitFromRecordSamples": [{"objectId": 8}]}"#,
        );
        let text = told("companies", "cars", &full).unwrap();
        assert!(
            text.contains("2 records full") && text.contains("3 records with"),
            "{text}"
        );
    }
}
