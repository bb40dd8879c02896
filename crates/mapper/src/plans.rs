//! Plans, compiled once per revision of a sync.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landbridge_model::config::Sync;
use landbridge_model::plan::Plan;
use landbridge_model::{Envelope, Revision, SyncKey};
use landbridge_stage::ConfigView;

/// How long a sync that a batch names may lag behind the batch: the view of the configuration is a watch.
const SYNC_LAG_MAX: Duration = Duration::from_secs(30);

/// What there is to map a batch with.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// This plan.
    Plan(Arc<Plan>),
    /// The tenant is gone: nobody waits for these records.
    NoTenant,
    /// Nothing, and why.
    Unusable(String),
}

/// The compiled plans of one shard.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    compiled: Mutex<HashMap<SyncKey, Compiled>>,
    /// What was waited for in vain: not waited for again.
    given_up: Mutex<HashSet<(SyncKey, Revision)>>,
}

#[derive(Clone, Debug)]
struct Compiled {
    /// What it was compiled from; the view gives the same `Arc` until the sync changes.
    sync: Arc<Sync>,
    lookup: Lookup,
}

impl Plans {
    /// The plan for a batch: of the newest revision that is known, and not older than the batch's own.
    pub(crate) async fn find(&self, config: &ConfigView, envelope: &Envelope) -> Lookup {
        let key = envelope.sync_key();
        let ready = |view: &ConfigView| {
            view.sync(&key.tenant, &key.name)
                .filter(|sync| sync.revision >= envelope.revision && sync.resolved.is_some())
        };
        let wanted = (key.clone(), envelope.revision);
        let sync = match ready(config) {
            Some(sync) => Some(sync),
            None if lock(&self.given_up).contains(&wanted) => None,
            None => {
                tracing::info!(sync = %key, revision = %envelope.revision, "waiting for the sync that a batch names");
                tokio::time::timeout(SYNC_LAG_MAX, config.wait_for(ready))
                    .await
                    .ok()
            }
        };
        match sync {
            Some(sync) => self.compiled(&key, sync),
            None if config.tenant(&key.tenant).is_none() => Lookup::NoTenant,
            None => {
                lock(&self.given_up).insert(wanted);
                Lookup::Unusable(format!(
                    "there is no sync {key} of revision {} any more, or not yet; apply it again",
                    envelope.revision
                ))
            }
        }
    }

    fn compiled(&self, key: &SyncKey, sync: Arc<Sync>) -> Lookup {
        let mut compiled = lock(&self.compiled);
        if let Some(known) = compiled.get(key)
            && Arc::ptr_eq(&known.sync, &sync)
        {
            return known.lookup.clone();
        }
        let lookup = match Plan::of(&sync) {
            Ok(plan) => Lookup::Plan(Arc::new(plan)),
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let text = problems.join("; ");
                tracing::warn!(sync = %key, revision = %sync.revision, problems = %text, "the sync cannot be compiled");
                Lookup::Unusable(text)
            }
        };
        tracing::debug!(sync = %key, revision = %sync.revision, "compiled the sync's plan");
        compiled.insert(
            key.clone(),
            Compiled {
                sync,
                lookup: lookup.clone(),
            },
        );
        lookup
    }

    /// What is wrong with a tenant's syncs, as far as they were tried.
    pub(crate) fn troubles(&self, tenant: &landbridge_model::TenantId) -> Vec<String> {
        let compiled = lock(&self.compiled);
        let mut troubles: Vec<String> = compiled
            .iter()
            .filter(|(key, _)| key.tenant == *tenant)
            .filter_map(|(key, compiled)| match &compiled.lookup {
                Lookup::Unusable(why) => Some(format!("{} cannot be mapped: {why}", key.name)),
                Lookup::Plan(_) | Lookup::NoTenant => None,
            })
            .collect();
        troubles.sort();
        troubles
    }
}

/// A poisoned lock guards plain values here: they are whole whatever happened to the task that held it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
