//! Our own count of a tenant's Salesforce calls of the last day, in `lb_checkpoints`: the org tells what everybody together has
//! used, and nobody but us knows our part. So it outlasts the process, and a move to another worker.

use std::time::Duration;

use landbridge_bus::{Bucket, Key, Kv};
use landbridge_model::TenantId;
use landbridge_stage::{Hub, StageError};
use serde::{Deserialize, Serialize};

/// Calls by hours: for how long they still count, and how many they are.
pub type Hours = Vec<(Duration, u64)>;

/// Where the counts are kept.
#[derive(Clone, Debug)]
pub struct OwnCalls {
    hub: Hub,
    kv: Kv,
}

/// A tenant's count: until when each hour's calls count, in milliseconds since 1970, and how many they are.
#[derive(Debug, Serialize, Deserialize)]
struct Kept(Vec<(i64, u64)>);

impl Kept {
    fn of(hours: &[(Duration, u64)], now_ms: i64) -> Self {
        let until =
            |rest: Duration| now_ms.saturating_add(i64::try_from(rest.as_millis()).unwrap_or(i64::MAX));
        Self(hours.iter().map(|(rest, calls)| (until(*rest), *calls)).collect())
    }

    fn hours(&self, now_ms: i64) -> Hours {
        let counting = self.0.iter().filter(|(until_ms, _)| *until_ms > now_ms);
        counting
            .map(|(until_ms, calls)| (Duration::from_millis(until_ms.abs_diff(now_ms)), *calls))
            .collect()
    }
}

impl OwnCalls {
    /// Over the bus.
    #[must_use]
    pub fn new(hub: &Hub) -> Self {
        Self {
            hub: hub.clone(),
            kv: hub.bus().kv(Bucket::Checkpoints),
        }
    }

    /// What was counted by whoever read this tenant before.
    pub async fn get(&self, tenant: &TenantId) -> Result<Hours, StageError> {
        let kept = self.kv.get_json::<Kept>(&key(tenant)).await?;
        Ok(kept.map_or_else(Hours::new, |(kept, _)| kept.hours(self.hub.now_ms())))
    }

    /// Keeps what is counted.
    pub async fn put(&self, tenant: &TenantId, hours: &[(Duration, u64)]) -> Result<(), StageError> {
        let kept = Kept::of(hours, self.hub.now_ms());
        self.kv.put_json(&key(tenant), &kept).await?;
        Ok(())
    }
}

fn key(tenant: &TenantId) -> Key {
    Key::new(["calls", tenant.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_counts_for_as_long_as_it_would_have() {
        let hour = Duration::from_secs(3_600);
        let kept = Kept::of(&[(hour, 5), (3 * hour, 7)], 1_000);
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(text, "[[3601000,5],[10801000,7]]");
        let kept: Kept = serde_json::from_str(&text).unwrap();
        assert_eq!(kept.hours(1_000), [(hour, 5), (3 * hour, 7)]);
        assert_eq!(kept.hours(3_601_000), [(2 * hour, 7)], "the first hour is over");
    }
}
