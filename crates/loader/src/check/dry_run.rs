//! A dry run's answer: the reads of a compare, judged as apply judges. Nothing is written, and what this worker
//! remembers is looked into and not changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Instant;

use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_model::config::Draft;
use landbridge_model::{
    Association, ChangeKind, Failure, HubSpotId, Outcome, PredictedLink, PredictedRecord, SalesforceId,
    TextColumn,
};
use landbridge_stage::StageError;

use super::{Check, Read};
use crate::decide::fingerprint;
use crate::known::Known;
use crate::predict::{self, Deleting, Found, Parents};
use crate::refusal::call_failure;

/// Records of the batch that HubSpot has, by row.
type There = HashMap<usize, Found>;

impl Check<'_> {
    /// What apply would make of the batch; `None` when this portal object is of no more use.
    pub(super) async fn predicted(&self, draft: &Draft) -> Result<Option<Vec<PredictedRecord>>, StageError> {
        let Some(predicted) = self.predict(draft).await? else {
            return Ok(None);
        };
        let mut records = match predicted {
            Ok(records) => records,
            Err(error) => self.all_refused(&call_failure(&error)),
        };
        let mut left = draft.detail_bytes;
        for record in &mut records {
            match left.checked_sub(record.detail_bytes()) {
                Some(rest) => left = rest,
                None => record.cut(),
            }
        }
        Ok(Some(records))
    }

    fn all_refused(&self, failure: &Failure) -> Vec<PredictedRecord> {
        let batch = self.batch;
        let refused = |(id, version): (&SalesforceId, &landbridge_model::Version)| PredictedRecord {
            failure: Some(failure.clone()),
            ..PredictedRecord::new(*id, *version, Outcome::Failed)
        };
        batch.ids.iter().zip(&batch.versions).map(refused).collect()
    }

    async fn predict(&self, draft: &Draft) -> Read<Vec<PredictedRecord>> {
        let places: Vec<usize> = (0..self.batch.ids.len()).collect();
        let mut there = There::new();
        if !draft.missing.records() {
            for chunk in places.chunks(BATCH_INPUTS_MAX) {
                there.extend(read!(self.records(chunk).await));
            }
        }
        let mut records = Vec::with_capacity(places.len());
        for &place in &places {
            records.push(self.verdict(draft, place, there.get(&place))?);
        }
        if !draft.missing.object_type {
            read!(self.refuse_duplicates(&mut records, &there).await);
        }
        for (field, column) in self.batch.links.iter() {
            if let Some(association) = self.target.association(field) {
                let links = read!(self.lookup(draft, association, column, &records, &there).await);
                for (place, link) in links {
                    records[place].links.push(link);
                }
            }
        }
        Ok(Some(Ok(records)))
    }

    fn verdict(
        &self,
        draft: &Draft,
        place: usize,
        found: Option<&Found>,
    ) -> Result<PredictedRecord, StageError> {
        let batch = self.batch;
        let (id, version) = (batch.ids[place], batch.versions[place]);
        let (memory, object_type) = (&self.airline.tenant.memory, &self.target.object_type);
        let known = if draft.missing.object_type {
            Known::Nothing
        } else {
            memory.look(object_type, id, memory.is_complete(object_type)?)?
        };
        let outcome = if batch.kinds[place] == ChangeKind::Upsert {
            predict::upsert(known, found, version, fingerprint(batch, place))
        } else {
            let (sync, limit) = (draft.sync.key(), self.target.max_deletes);
            let records = || memory.count(object_type);
            let deleting = Deleting {
                rule: self.target.deletes,
                has_grace: self.target.grace.is_some(),
                is_allowed: self
                    .shard
                    .deletes
                    .would_allow(&sync, limit, records, Instant::now()),
            };
            predict::delete(deleting, known, found, version)
        };
        let mut record = PredictedRecord {
            hubspot_id: found.map(|found| found.id),
            ..PredictedRecord::new(id, version, outcome)
        };
        let shows_values = match outcome {
            Outcome::Created | Outcome::Updated => true,
            // What differs though nothing would be done about it.
            Outcome::Unchanged => found.is_some(),
            _ => false,
        };
        if shows_values && let Some(resolved) = &self.target.sync.resolved {
            record.changes = predict::changes(batch, place, &resolved.object_type, found);
        }
        Ok(record)
    }

    /// Refuses the rows whose value of a unique property another HubSpot record has now. One of this batch that gets
    /// another value does not stand in the way.
    async fn refuse_duplicates(&self, records: &mut [PredictedRecord], there: &There) -> Read<()> {
        let Some(resolved) = &self.target.sync.resolved else {
            return Ok(Some(Ok(())));
        };
        for (property, column) in self.batch.table.iter() {
            let is_unique = resolved.object_type.property(property).is_some_and(|property| {
                property.has_unique_value && property.name != self.target.id_property
            });
            if !is_unique {
                continue;
            }
            let gets_it = |record: &PredictedRecord| {
                let written = matches!(record.outcome, Outcome::Created | Outcome::Updated);
                written && record.changes.iter().any(|change| change.property == property)
            };
            let rows: Vec<(usize, &str)> = (0..records.len())
                .filter(|&place| gets_it(&records[place]))
                .filter_map(|place| Some((place, column.get(place)?)))
                .collect();
            let values: HashSet<&str> = rows.iter().map(|(_, value)| *value).collect();
            let values: Vec<&str> = values.into_iter().collect();
            let holders = read!(self.holders(property, &values).await);
            let leaving: HashSet<HubSpotId> = there
                .iter()
                .filter(|(place, _)| gets_it(&records[**place]))
                .map(|(_, found)| found.id)
                .collect();
            for (place, value) in rows {
                let Some(holder) = holders.get(value).filter(|holder| !leaving.contains(holder)) else {
                    continue;
                };
                if there.get(&place).is_none_or(|found| found.id != *holder) {
                    let record = &mut records[place];
                    record.outcome = Outcome::Failed;
                    record.changes.clear();
                    record.failure = Some(predict::duplicate(property, value, *holder));
                }
            }
        }
        Ok(Some(Ok(())))
    }

    /// One lookup of all rows that would be in HubSpot afterwards.
    async fn lookup(
        &self,
        draft: &Draft,
        association: &Association,
        column: &TextColumn,
        records: &[PredictedRecord],
        there: &There,
    ) -> Read<Vec<(usize, PredictedLink)>> {
        let slot = association.slot();
        let has = |fields: &[String]| fields.iter().any(|field| field.eq_ignore_ascii_case(&slot));
        let is_carried = |place: &usize| {
            let outcome = records[*place].outcome;
            self.batch.kinds[*place] == ChangeKind::Upsert && outcome != Outcome::Superseded
        };
        let wanted: BTreeMap<usize, Option<SalesforceId>> = (0..records.len())
            .filter(is_carried)
            .map(|place| {
                let parent = column.get(place).and_then(|text| SalesforceId::parse(text).ok());
                (place, parent)
            })
            .collect();
        let named: HashSet<SalesforceId> = wanted.values().copied().flatten().collect();
        let parents = if has(&draft.missing.parents) || named.is_empty() {
            Parents::default()
        } else {
            read!(self.parents(association, &named).await)
        };
        let mut present = wanted.clone();
        present.retain(|place, _| there.contains_key(place));
        let states = if has(&draft.missing.labels) || present.is_empty() {
            Vec::new()
        } else {
            let found = there.iter().map(|(place, found)| (*place, found.id)).collect();
            read!(self.links(&slot, association, &present, &found, &parents).await)
        };
        let mut links = Vec::new();
        for (place, parent) in wanted {
            let record = &records[place];
            let link = match parent {
                // Without a record of its own there is nothing to link from.
                Some(parent) if record.outcome == Outcome::Failed && record.hubspot_id.is_none() => {
                    Some(predict::waits_for_itself(&slot, parent, record.id))
                }
                parent => {
                    let parent = parent.map(|id| (id, parents.of(id)));
                    let linked = predict::linked(&states, record.id);
                    predict::link(&slot, parent, linked, &association.match_property)
                }
            };
            links.extend(link.map(|link| (place, link)));
        }
        Ok(Some(Ok(links)))
    }
}
