//! The lane `check`: reads where the others write, and reports what apply would do. Past every cache, remembering
//! nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_hubspot::{Error, Share};
use landbridge_model::config::Draft;
use landbridge_model::sync::DeleteRule;
use landbridge_model::{
    ChangeKind, Failure, FailureCategory, HubSpotId, SalesforceId, Source, StageKind, WriteBatch,
};
use landbridge_stage::{LaneContext, StageError};
use landbridge_wire::{Compared, Difference, DifferenceKind, Report, ReportBody, VersionedId, Wire};

use crate::compare;
use crate::flight::Airline;
use crate::portal::Portal;
use crate::predict::Found;
use crate::refusal::call_failure;
use crate::shard::LoaderShard;
use crate::target::{Target, find};

/// `None` means that this portal object is of no more use; an error that the call will never work.
type Read<T> = Result<Option<Result<T, Error>>, StageError>;

macro_rules! read {
    ($read:expr) => {
        match $read? {
            None => return Ok(None),
            Some(Err(error)) => return Ok(Some(Err(error))),
            Some(Ok(done)) => done,
        }
    };
}

mod dry_run;
mod reads;

/// Runs the lane until its inbox ends.
pub(crate) async fn run(shard: Arc<LoaderShard>, mut lane: LaneContext) -> Result<(), StageError> {
    let tenant = shard.tenant(&lane.tenant);
    while let Some(delivery) = lane.inbox.recv().await {
        let batch = match WriteBatch::decode(&delivery.payload) {
            Ok(batch) => batch,
            Err(error) => {
                delivery.poison(&error.to_string()).await?;
                continue;
            }
        };
        let body = loop {
            let Some(portal) = tenant.ready(&lane.shard).await else {
                return Ok(());
            };
            let airline = Airline {
                context: lane.shard.clone(),
                tenant: tenant.clone(),
                share: Share::Check,
                metrics: shard.metrics.clone(),
            };
            let answered = match basis(&lane, &batch).await {
                Basis::Nobody => break None,
                Basis::Missing => Some(ReportBody::Compared(refused(
                    &batch,
                    &Failure::new(FailureCategory::Internal, "the sync is not there"),
                ))),
                Basis::Target(target, draft) => {
                    let check = Check {
                        shard: &shard,
                        airline,
                        portal,
                        target,
                        batch: &batch,
                    };
                    match draft {
                        Some(draft) => check.predicted(&draft).await?.map(ReportBody::Predicted),
                        None => check.all().await?.map(ReportBody::Compared),
                    }
                }
            };
            match answered {
                Some(body) => break Some(body),
                None if lane.shard.stop.is_cancelled() => return Ok(()),
                None => {}
            }
        };
        let Some(body) = body else {
            delivery.ack().await?;
            continue;
        };
        let report = Report {
            envelope: batch.envelope.clone(),
            stage: StageKind::Loader,
            at_ms: lane.shard.hub.now_ms(),
            org_ahead_ms: 0,
            body,
        };
        lane.shard.hub.report(&report).await?;
        delivery.ack().await?;
    }
    Ok(())
}

/// What a batch is compared by.
enum Basis {
    /// A sync, or the draft of a dry run.
    Target(Target, Option<Arc<Draft>>),
    /// The sync is not there.
    Missing,
    /// The dry run is over: nobody waits for an answer.
    Nobody,
}

async fn basis(lane: &LaneContext, batch: &WriteBatch) -> Basis {
    let (context, envelope) = (&lane.shard, &batch.envelope);
    if envelope.source != Source::DryRun {
        let found = find(context, &lane.tenant, &envelope.sync).await;
        return found.map_or(Basis::Missing, |target| Basis::Target(target, None));
    }
    let draft = context.config.draft_of(&lane.tenant, envelope.run.as_ref()).await;
    let target = |draft: Arc<Draft>| {
        let target = Target::of(&Arc::new(draft.sync.clone()))?;
        Some(Basis::Target(target, Some(draft)))
    };
    draft.and_then(target).unwrap_or(Basis::Nobody)
}

fn records_of(batch: &WriteBatch) -> Vec<VersionedId> {
    batch
        .ids
        .iter()
        .zip(&batch.versions)
        .map(|(id, version)| VersionedId {
            id: *id,
            version: *version,
        })
        .collect()
}

/// All rows could not be compared, for one reason.
fn refused(batch: &WriteBatch, failure: &Failure) -> Compared {
    let tell = |id: &SalesforceId| Difference {
        kind: DifferenceKind::Refused,
        id: *id,
        hubspot_id: None,
        name: String::new(),
        expected: None,
        actual: None,
        message: failure.message.clone(),
    };
    Compared {
        records: records_of(batch),
        links: 0,
        differences: batch.ids.iter().map(tell).collect(),
    }
}

struct Check<'c> {
    shard: &'c LoaderShard,
    airline: Airline,
    portal: Arc<Portal>,
    target: Target,
    batch: &'c WriteBatch,
}

impl Check<'_> {
    async fn all(&self) -> Result<Option<Compared>, StageError> {
        Ok(self
            .compare()
            .await?
            .map(|compared| compared.unwrap_or_else(|error| refused(self.batch, &call_failure(&error)))))
    }

    async fn compare(&self) -> Read<Compared> {
        let mut compared = Compared {
            records: records_of(self.batch),
            ..Compared::default()
        };
        let mut found: HashMap<usize, HubSpotId> = HashMap::new();
        let places: Vec<usize> = (0..self.batch.ids.len()).collect();
        for chunk in places.chunks(BATCH_INPUTS_MAX) {
            let there = read!(self.records(chunk).await);
            compared.differences.extend(self.differences(chunk, &there));
            found.extend(there.into_iter().map(|(place, record)| (place, record.id)));
        }
        for (field, column) in self.batch.links.iter() {
            let Some(association) = self.target.association(field) else {
                continue;
            };
            let wanted: BTreeMap<usize, Option<SalesforceId>> = found
                .keys()
                .filter(|place| self.batch.kinds[**place] == ChangeKind::Upsert)
                .map(|place| {
                    (
                        *place,
                        column.get(*place).and_then(|text| SalesforceId::parse(text).ok()),
                    )
                })
                .collect();
            compared.links += wanted.values().flatten().count() as u64;
            let named: HashSet<SalesforceId> = wanted.values().copied().flatten().collect();
            let parents = read!(self.parents(association, &named).await);
            let states = read!(self.links(field, association, &wanted, &found, &parents).await);
            compared.differences.extend(states.iter().flat_map(compare::link));
        }
        Ok(Some(Ok(compared)))
    }

    /// What differs between these rows and what HubSpot has of them.
    fn differences(&self, places: &[usize], there: &HashMap<usize, Found>) -> Vec<Difference> {
        let batch = self.batch;
        let resolved = self.target.sync.resolved.as_ref();
        let schema = resolved.map(|resolved| &resolved.object_type);
        let mut differences = Vec::new();
        for &place in places {
            let id = batch.ids[place];
            match (batch.kinds[place], there.get(&place)) {
                (ChangeKind::Upsert, None) => differences.push(compare::missing(id)),
                (ChangeKind::Upsert, Some(record)) => {
                    if let Some(schema) = schema {
                        differences.extend(compare::values(batch, place, schema, record.id, &record.values));
                    }
                }
                (ChangeKind::Delete | ChangeKind::Leave, Some(record))
                    if self.deletes(id, record.is_ours) =>
                {
                    differences.push(compare::extra(id, record.id));
                }
                (ChangeKind::Delete | ChangeKind::Leave, _) => {}
            }
        }
        differences
    }

    /// Whether apply would delete this record: ours, by rule, and not held.
    fn deletes(&self, id: SalesforceId, ours: bool) -> bool {
        let held = self
            .shard
            .held
            .lock()
            .contains_key(&(self.batch.envelope.sync_key(), id));
        ours && !held && self.target.deletes == DeleteRule::DeleteRecord
    }
}
