//! Plans, compiled once per revision of a sync.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landbridge_model::config::{Draft, Sync};
use landbridge_model::plan::Plan;
use landbridge_model::{Envelope, Revision, Source, SyncKey};
use landbridge_stage::ConfigView;

/// How long a sync that a batch names may lag behind the batch: the view of the configuration is a watch.
const SYNC_LAG_MAX: Duration = Duration::from_secs(30);

/// Dry runs whose plans are kept.
const DRAFTS_MAX: usize = 16;

/// What there is to map a batch with.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// This plan.
    Plan(Arc<Plan>),
    /// The tenant is gone, or the dry run is over: nobody waits for these records.
    Nobody,
    /// Nothing, and why.
    Unusable(String),
}

/// The compiled plans of one shard.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    compiled: Mutex<HashMap<SyncKey, Compiled>>,
    /// What was waited for in vain: not waited for again.
    given_up: Mutex<HashSet<(SyncKey, Revision)>>,
    /// Those of dry runs, the latest first.
    drafts: Mutex<Vec<(Arc<Draft>, Lookup)>>,
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
        if envelope.source == Source::DryRun {
            return self.of_draft(config, envelope).await;
        }
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
            None if config.tenant(&key.tenant).is_none() => Lookup::Nobody,
            None => {
                lock(&self.given_up).insert(wanted);
                Lookup::Unusable(format!(
                    "there is no sync {key} of revision {} any more, or not yet; apply it again",
                    envelope.revision
                ))
            }
        }
    }

    /// The plan of a dry run's draft. It stands apart from the sync of that name, and goes with the run.
    async fn of_draft(&self, config: &ConfigView, envelope: &Envelope) -> Lookup {
        let Some(draft) = config.draft_of(&envelope.tenant, envelope.run.as_ref()).await else {
            return Lookup::Nobody;
        };
        let mut drafts = lock(&self.drafts);
        let known = drafts.iter().find(|(known, _)| known.run == draft.run);
        if let Some((_, lookup)) = known {
            return lookup.clone();
        }
        let lookup = compile(&draft.sync);
        drafts.retain(|(known, _)| config.draft(&envelope.tenant, &known.run).is_some());
        drafts.truncate(DRAFTS_MAX);
        drafts.insert(0, (draft, lookup.clone()));
        lookup
    }

    fn compiled(&self, key: &SyncKey, sync: Arc<Sync>) -> Lookup {
        let mut compiled = lock(&self.compiled);
        if let Some(known) = compiled.get(key)
            && Arc::ptr_eq(&known.sync, &sync)
        {
            return known.lookup.clone();
        }
        let lookup = compile(&sync);
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
                Lookup::Plan(_) | Lookup::Nobody => None,
            })
            .collect();
        troubles.sort();
        troubles
    }
}

fn compile(sync: &Sync) -> Lookup {
    match Plan::of(sync) {
        Ok(plan) => Lookup::Plan(Arc::new(plan)),
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let text = problems.join("; ");
            tracing::warn!(sync = %sync.key(), revision = %sync.revision, problems = %text, "the sync cannot be compiled");
            Lookup::Unusable(text)
        }
    }
}

/// A poisoned lock guards plain values here: they are whole whatever happened to the task that held it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
