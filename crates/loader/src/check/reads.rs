//! The reads of a compare: records by their Salesforce ids, parents by theirs, associations. Past every cache.

use std::collections::{BTreeMap, HashMap, HashSet};

use landbridge_hubspot::Share;
use landbridge_hubspot::associations::{AssociatedRecord, READ_INPUTS_MAX};
use landbridge_hubspot::records::BATCH_INPUTS_MAX;
use landbridge_model::sync::VERSION_PROPERTY;
use landbridge_model::{Association, HubSpotId, SalesforceId};

use super::{Check, Read};
use crate::compare::LinkState;
use crate::links::calls::{came_from_salesforce, patiently};
use crate::predict::{Found, Parents, Whereabouts};

impl Check<'_> {
    /// The HubSpot records of these rows that are there, a batch's inputs at most.
    pub(super) async fn records(&self, places: &[usize]) -> Read<HashMap<usize, Found>> {
        let batch = self.batch;
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
            let text = |at: usize| record.values[at].as_deref();
            let Some(id) = text(0).and_then(|text| SalesforceId::parse(text).ok()) else {
                continue;
            };
            let values = record.values[2..].iter();
            let found = Found {
                id: record.id,
                is_ours: text(1).is_some(),
                version: text(1).and_then(|text| text.parse().ok()),
                values: values.map(|value| value.as_deref().map(str::to_owned)).collect(),
            };
            there.insert(id, found);
        }
        let of_row = |&place: &usize| Some((place, there.get(&batch.ids[place])?.clone()));
        Ok(Some(Ok(places.iter().filter_map(of_row).collect())))
    }

    /// What the association of a slot connects now, for the rows that HubSpot has.
    pub(super) async fn links<'a>(
        &self,
        slot: &'a str,
        association: &Association,
        wanted: &BTreeMap<usize, Option<SalesforceId>>,
        found: &HashMap<usize, HubSpotId>,
        parents: &Parents,
    ) -> Read<Vec<LinkState<'a>>> {
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
        let mut states: Vec<LinkState<'a>> = wanted
            .iter()
            .map(|(place, parent)| {
                let parent_hubspot_id = parent.and_then(|parent| match parents.of(parent) {
                    Whereabouts::Here(id) => Some(id),
                    Whereabouts::Absent | Whereabouts::Ambiguous(_) => None,
                });
                let records = linked.get(&found[place]).map_or(&[][..], Vec::as_slice);
                LinkState {
                    child: self.batch.ids[*place],
                    child_hubspot_id: found[place],
                    field: slot,
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
        for state in &mut states {
            let wanted = state.parent_hubspot_id;
            state
                .linked
                .retain(|other| Some(*other) == wanted || salesforce.contains(other));
        }
        Ok(Some(Ok(states)))
    }

    /// The HubSpot records of parents.
    pub(super) async fn parents(
        &self,
        association: &Association,
        ids: &HashSet<SalesforceId>,
    ) -> Read<Parents> {
        let ids: Vec<SalesforceId> = ids.iter().copied().collect();
        let (client, to) = (&self.portal.client, &association.to);
        let property = association.match_property.as_str();
        let mut found = Parents::default();
        if !association.match_unique {
            let scans = &self.airline.tenant.scans;
            let answer = read!(
                patiently(&self.airline, &self.portal, || scans
                    .find(client, to, property, &ids))
                .await
            );
            let single = answer.found.into_iter().map(|(id, record)| (id, vec![record]));
            found.0.extend(single.chain(answer.ambiguous));
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
            found.0.extend(answer.results.iter().filter_map(|record| {
                let id = SalesforceId::parse(record.values[0].as_deref()?).ok()?;
                Some((id, vec![record.id]))
            }));
        }
        Ok(Some(Ok(found)))
    }

    /// Which HubSpot records have these values of a unique property.
    pub(super) async fn holders(&self, property: &str, values: &[&str]) -> Read<HashMap<String, HubSpotId>> {
        let (client, object_type) = (&self.portal.client, &self.target.object_type);
        let mut holders = HashMap::new();
        for chunk in values.chunks(BATCH_INPUTS_MAX) {
            let wanted = [property];
            let reply = read!(
                patiently(&self.airline, &self.portal, || {
                    client.read_records(Share::Check, object_type, Some(property), chunk, &wanted)
                })
                .await
            );
            let answer = match reply.records(&wanted) {
                Ok(answer) => answer,
                Err(error) => return Ok(Some(Err(error))),
            };
            holders.extend(answer.results.iter().filter_map(|record| {
                let value = record.values[0].as_deref()?;
                Some((value.to_owned(), record.id))
            }));
        }
        Ok(Some(Ok(holders)))
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
