//! The extractor as a worker: which live readers and imports run in a shard, and who answers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use landbridge_model::{ImportId, StageKind, SyncKey, TenantId};
use landbridge_stage::{ShardContext, StageError, Worker};
use landbridge_wire::{Ask, AskError};
use tokio_util::task::AbortOnDropHandle;

use crate::formulas::FormulaReader;
use crate::import::Importer;
use crate::live::{LiveReader, is_live};
use crate::reconcile::Reconciler;
use crate::settings::{ExtractorSettings, StreamSettings};
use crate::shard::Shard;
use crate::stream::{Channel, Subscriber, address, channel_of, note_states};
use crate::{answers, reread, schema};

/// The extractor.
#[derive(Clone, Debug, Default)]
pub struct Extractor {
    settings: Arc<ExtractorSettings>,
}

impl Extractor {
    /// With its settings.
    #[must_use]
    pub fn new(settings: ExtractorSettings) -> Self {
        Self {
            settings: Arc::new(settings),
        }
    }
}

/// Something that runs in a shard for as long as the configuration wants it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// A sync's increment, since an activation.
    Live(SyncKey, u32),
    /// An object's change events, from an address.
    Stream(Channel, String),
    /// Looking for a sync's records in Salesforce.
    Reconcile(SyncKey),
    /// Reading a sync's records again for the sake of formulas.
    Formulas(SyncKey),
    /// Watching the schema that a tenant's syncs read.
    Schema(TenantId),
    /// An import.
    Import(TenantId, ImportId),
}

/// What should run in a shard by the configuration.
pub fn wanted(context: &ShardContext, stream: &StreamSettings) -> HashSet<Job> {
    let mut jobs = HashSet::new();
    for tenant in context.config.tenants() {
        if context.hub.shard_of(&tenant.id) != context.shard {
            continue;
        }
        for import in context.config.imports(&tenant.id) {
            // A cancelled import still has to say so; it ends at once if it has said so before.
            jobs.insert(Job::Import(tenant.id.clone(), import.id.clone()));
        }
        if tenant.suspended.is_some() {
            continue;
        }
        let syncs = context.config.syncs(&tenant.id);
        if syncs.iter().any(|sync| schema::is_watched(sync)) {
            jobs.insert(Job::Schema(tenant.id.clone()));
        }
        for sync in syncs {
            if is_live(&sync) {
                if let (Some(channel), Some(address)) = (channel_of(&sync), address(stream, &tenant)) {
                    jobs.insert(Job::Stream(channel, address));
                }
                jobs.insert(Job::Live(sync.key(), sync.activation));
                jobs.insert(Job::Reconcile(sync.key()));
                jobs.insert(Job::Formulas(sync.key()));
            }
        }
    }
    jobs
}

fn spawn(shard: &Arc<Shard>, job: &Job) -> Option<AbortOnDropHandle<()>> {
    let task = match job {
        Job::Live(key, _) => tokio::spawn(LiveReader::new(shard.clone(), key.clone()).run()),
        Job::Formulas(_) if shard.settings.formula_interval.is_zero() => return None,
        Job::Formulas(key) => tokio::spawn(FormulaReader::new(shard.clone(), key.clone()).run()),
        Job::Schema(_) if shard.settings.describe_interval.is_zero() => return None,
        Job::Schema(tenant) => tokio::spawn(schema::watch(shard.clone(), tenant.clone())),
        Job::Stream(channel, address) => {
            tokio::spawn(Subscriber::new(shard.clone(), channel.clone(), address.clone()).run())
        }
        Job::Reconcile(key) => tokio::spawn(Reconciler::new(shard.clone(), key.clone()).run()),
        Job::Import(tenant, id) => {
            let import = shard.context.config.import(tenant, id)?;
            tokio::spawn(Importer::new(shard.clone(), import).run())
        }
    };
    Some(AbortOnDropHandle::new(task))
}

impl Worker for Extractor {
    const KIND: StageKind = StageKind::Extractor;

    type Shard = Shard;

    async fn open(&self, context: ShardContext) -> Result<Arc<Shard>, StageError> {
        Ok(Arc::new(Shard::new(context, self.settings.clone())))
    }

    /// Keeps what runs equal to what the configuration wants. What runs is cut off where it stands when it is no
    /// longer wanted: a checkpoint says how far it came.
    async fn background(&self, shard: Arc<Shard>, context: ShardContext) -> Result<(), StageError> {
        let mut changed = context.config.changed();
        let mut running: HashMap<Job, AbortOnDropHandle<()>> = HashMap::new();
        let rereads = reread::run(shard.clone());
        let counting = shard.orgs.keep_counts();
        tokio::pin!(rereads, counting);
        loop {
            changed.mark_unchanged();
            let wanted = wanted(&context, &shard.settings.stream);
            running.retain(|job, _| wanted.contains(job));
            for job in wanted {
                if !running.contains_key(&job)
                    && let Some(task) = spawn(&shard, &job)
                {
                    running.insert(job, task);
                }
            }
            let channels = running.keys().filter_map(|job| match job {
                Job::Stream(channel, _) => Some(channel.clone()),
                _ => None,
            });
            shard.streams.retain(&channels.collect());
            note_states(&shard);
            shard.live.lock().retain(|key, _| {
                running
                    .keys()
                    .any(|job| matches!(job, Job::Live(running, _) if running == key))
            });
            tokio::select! {
                biased;
                () = context.stop.cancelled() => return Ok(()),
                ended = &mut rereads => return ended,
                never = &mut counting => match never {},
                seen = changed.changed() => if seen.is_err() {
                    return Err(StageError::worker("the configuration is no longer watched"));
                },
            }
        }
    }

    async fn answer(&self, shard: Arc<Shard>, ask: Ask) -> Result<String, AskError> {
        answers::answer(&shard, &ask).await
    }

    async fn close(&self, shard: Arc<Shard>) {
        shard.compares.lock().clear();
        shard.orgs.put_counts_down(&mut HashMap::new()).await;
    }
}
