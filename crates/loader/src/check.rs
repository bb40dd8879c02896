//! The lane `check`: reads where the others write, and reports what apply would do. Past every cache, remembering
//! nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use landbridge_hubspot::associations::{AssociatedRecord, READ_INPUTS_MAX};
use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_hubspot::{Error, Share};
use landbridge_model::sync::{DeleteRule, VERSION_PROPERTY};
use landbridge_model::{
    Association, ChangeKind, Failure, FailureCategory, HubSpotId, SalesforceId, StageKind, WriteBatch,
};
use landbridge_stage::{LaneContext, StageError};
use landbridge_wire::{Compared, Difference, DifferenceKind, Report, ReportBody, VersionedId, Wire};

use crate::compare::{self, LinkState};
use crate::flight::Airline;
use crate::links::calls::{came_from_salesforce, patiently};
use crate::portal::Portal;
use crate::refusal::call_failure;
use crate::shard::LoaderShard;
use crate::target::{Target, find};

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
        let compared = loop {
            let Some(portal) = tenant.ready(&lane.shard).await else {
                return Ok(());
            };
            let airline = Airline {
                context: lane.shard.clone(),
                tenant: tenant.clone(),
                share: Share::Check,
                metrics: shard.metrics.clone(),
            };
            let compared = match find(&lane.shard, &lane.tenant, &batch.envelope.sync).await {
                Some(target) => {
                    Check {
                        shard: &shard,
                        airline,
                        portal,
                        target,
                        batch: &batch,
                    }
                    .all()
                    .await?
                }
                None => Some(refused(
                    &batch,
                    &Failure::new(FailureCategory::Internal, "the sync is not there"),
                )),
            };
            match compared {
                Some(compared) => break compared,
                None if lane.shard.stop.is_cancelled() => return Ok(()),
                None => {}
            }
        };
        let report = Report {
            envelope: batch.envelope.clone(),
            stage: StageKind::Loader,
            at_ms: lane.shard.hub.now_ms(),
            org_ahead_ms: 0,
            body: ReportBody::Compared(compared),
        };
        lane.shard.hub.report(&report).await?;
        delivery.ack().await?;
    }
    Ok(())
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
            let differences = read!(self.records(chunk, &mut found).await);
            compared.differences.extend(differences);
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
            let differences = read!(self.links(association, &wanted, &found).await);
            compared.differences.extend(differences);
        }
        Ok(Some(Ok(compared)))
    }

    async fn records(
        &self,
        places: &[usize],
        found: &mut HashMap<usize, HubSpotId>,
    ) -> Read<Vec<Difference>> {
        let batch = self.batch;
        let schema = self
            .target
            .sync
            .resolved
            .as_ref()
            .map(|resolved| &resolved.object_type);
        let ids: Vec<&str> = places.iter().map(|&place| batch.ids[place].as_str()).collect();
        let id_property = self.target.id_property.as_str();
        let mut wanted = vec![id_property, VERSION_PROPERTY];
        wanted.extend(batch.table.names());
        let (client, object_type) = (&self.portal.client, &self.target.object_type);
        let reply = read!(
            patiently(&self.airline, &self.portal, || {
                client.read_records(Share::Check, object_type, Some(id_property), &ids, &wanted)
            })
            .await
        );
        let answer = match reply.records(&wanted) {
            Ok(answer) => answer,
            Err(error) => return Ok(Some(Err(error))),
        };
        let mut there = HashMap::new();
        for record in &answer.results {
            if let Some(id) = record.values[0]
                .as_deref()
                .and_then(|text| SalesforceId::parse(text).ok())
            {
                there.insert(id, record);
            }
        }
        let mut differences = Vec::new();
        for &place in places {
            let id = batch.ids[place];
            let record = there.get(&id);
            if let Some(record) = record {
                found.insert(place, record.id);
            }
            match (batch.kinds[place], record) {
                (ChangeKind::Upsert, None) => differences.push(compare::missing(id)),
                (ChangeKind::Upsert, Some(record)) => {
                    if let Some(schema) = schema {
                        let actual = &record.values[2..];
                        differences.extend(compare::values(batch, place, schema, record.id, actual));
                    }
                }
                (ChangeKind::Delete | ChangeKind::Leave, Some(record))
                    if self.deletes(id, record.values[1].is_some()) =>
                {
                    differences.push(compare::extra(id, record.id));
                }
                (ChangeKind::Delete | ChangeKind::Leave, _) => {}
            }
        }
        Ok(Some(Ok(differences)))
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

    async fn links(
        &self,
        association: &Association,
        wanted: &BTreeMap<usize, Option<SalesforceId>>,
        found: &HashMap<usize, HubSpotId>,
    ) -> Read<Vec<Difference>> {
        let parents: HashSet<SalesforceId> = wanted.values().copied().flatten().collect();
        let parents = read!(self.identities(association, &parents).await);
        let children: Vec<HubSpotId> = wanted.keys().map(|place| found[place]).collect();
        let client = &self.portal.client;
        let (from, to) = (&self.target.object_type, &association.to);
        let mut linked: BTreeMap<HubSpotId, Vec<AssociatedRecord>> = BTreeMap::new();
        for chunk in children.chunks(READ_INPUTS_MAX) {
            let part = read!(
                patiently(&self.airline, &self.portal, || {
                    client.read_associations(Share::Check, from, to, chunk)
                })
                .await
            );
            linked.extend(part);
        }
        let states: Vec<LinkState<'_>> = wanted
            .iter()
            .map(|(place, parent)| {
                let parent_hubspot_id = parent.and_then(|parent| parents.get(&parent).copied());
                let records = linked.get(&found[place]).map_or(&[][..], Vec::as_slice);
                LinkState {
                    child: self.batch.ids[*place],
                    child_hubspot_id: found[place],
                    field: &association.field,
                    parent: *parent,
                    parent_hubspot_id,
                    linked: of_field(records, association, parent_hubspot_id, from == to),
                }
            })
            .collect();
        let others: HashSet<HubSpotId> = states
            .iter()
            .flat_map(|state| {
                state
                    .linked
                    .iter()
                    .filter(|other| Some(**other) != state.parent_hubspot_id)
            })
            .copied()
            .collect();
        let others: Vec<HubSpotId> = others.into_iter().collect();
        // A plain association with a record that Salesforce does not know was made by somebody in HubSpot.
        let salesforce = if association.label.is_none() && !others.is_empty() {
            let property = &association.match_property;
            read!(came_from_salesforce(&self.airline, &self.portal, to, property, &others).await)
        } else {
            others.into_iter().collect()
        };
        let mut differences = Vec::new();
        for mut state in states {
            let wanted = state.parent_hubspot_id;
            state
                .linked
                .retain(|other| Some(*other) == wanted || salesforce.contains(other));
            differences.extend(compare::link(&state));
        }
        Ok(Some(Ok(differences)))
    }

    /// The HubSpot records of parents that are there.
    async fn identities(
        &self,
        association: &Association,
        ids: &HashSet<SalesforceId>,
    ) -> Read<HashMap<SalesforceId, HubSpotId>> {
        let ids: Vec<SalesforceId> = ids.iter().copied().collect();
        let (client, to) = (&self.portal.client, &association.to);
        let property = association.match_property.as_str();
        let mut found = HashMap::new();
        if !association.match_unique {
            let scans = &self.airline.tenant.scans;
            let answer = read!(
                patiently(&self.airline, &self.portal, || scans
                    .find(client, to, property, &ids))
                .await
            );
            found.extend(answer.found);
            return Ok(Some(Ok(found)));
        }
        for chunk in ids.chunks(BATCH_INPUTS_MAX) {
            let texts: Vec<&str> = chunk.iter().map(SalesforceId::as_str).collect();
            let wanted = [property];
            let reply = read!(
                patiently(&self.airline, &self.portal, || {
                    client.read_records(Share::Check, to, Some(property), &texts, &wanted)
                })
                .await
            );
            let answer = match reply.records(&wanted) {
                Ok(answer) => answer,
                Err(error) => return Ok(Some(Err(error))),
            };
            found.extend(answer.results.iter().filter_map(|record| {
                Some((SalesforceId::parse(record.values[0].as_deref()?).ok()?, record.id))
            }));
        }
        Ok(Some(Ok(found)))
    }
}

/// The records that a field's association connects: with its label, or plainly.
fn of_field(
    records: &[AssociatedRecord],
    association: &Association,
    wanted: Option<HubSpotId>,
    one_type: bool,
) -> Vec<HubSpotId> {
    let belongs = |record: &&AssociatedRecord| match &association.label {
        Some(label) => record.types.iter().any(|held| held.kind == *label),
        // Between records of one type a plain association does not tell who names whom.
        None => {
            Some(record.to) == wanted || (!one_type && record.types.iter().all(|held| held.label.is_none()))
        }
    };
    records.iter().filter(belongs).map(|record| record.to).collect()
}
