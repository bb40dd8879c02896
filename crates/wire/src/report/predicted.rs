//! A dry run's answers on the wire: verdicts as an import's are, with changes and links beside them by row.

use landbridge_model::{
    HubSpotId, LinkStance, PredictedLink, PredictedRecord, PropertyChange, RecordOutcome,
};

use super::{back as value_of, out as number_of, records_in, records_out};
use crate::common::{failure_in, failure_out, invalid, parse_id};
use crate::{WireError, v1};

const STANCES: [(LinkStance, v1::LinkStance); 7] = [
    (LinkStance::Link, v1::LinkStance::Link),
    (LinkStance::Stands, v1::LinkStance::Stands),
    (LinkStance::Replace, v1::LinkStance::Replace),
    (LinkStance::Unlink, v1::LinkStance::Unlink),
    (LinkStance::Wait, v1::LinkStance::Wait),
    (LinkStance::Refuse, v1::LinkStance::Refuse),
    (LinkStance::Unknown, v1::LinkStance::Unknown),
];

pub(super) fn out(records: &[PredictedRecord]) -> v1::Predicted {
    let verdicts: Vec<RecordOutcome> = records
        .iter()
        .map(|record| RecordOutcome {
            id: record.id,
            version: record.version,
            outcome: record.outcome,
            hubspot_id: record.hubspot_id,
            failure: record.failure.clone(),
        })
        .collect();
    let mut predicted = v1::Predicted {
        records: Some(records_out(&verdicts)),
        ..v1::Predicted::default()
    };
    for (row, record) in (0u32..).zip(records) {
        let changes = record.changes.iter();
        predicted
            .changes
            .extend(changes.map(|change| change_out(row, change)));
        let links = record.links.iter();
        predicted.links.extend(links.map(|link| link_out(row, link)));
        if record.cut {
            predicted.cut.push(row);
        }
    }
    predicted
}

fn change_out(row: u32, change: &PropertyChange) -> v1::PropertyChange {
    v1::PropertyChange {
        row,
        property: change.property.clone(),
        has_before: change.before.is_some(),
        before: change.before.clone().unwrap_or_default(),
        has_after: change.after.is_some(),
        after: change.after.clone().unwrap_or_default(),
    }
}

fn link_out(row: u32, link: &PredictedLink) -> v1::PredictedLink {
    v1::PredictedLink {
        row,
        field: link.field.clone(),
        parent: link.parent.map(|parent| parent.to_string()).unwrap_or_default(),
        stance: number_of(&STANCES, link.stance),
        parent_hubspot_id: link.parent_hubspot_id.map_or(0, |id| id.0),
        former: link.former.iter().map(|id| id.0).collect(),
        waits_for: link.waits_for.map(|id| id.to_string()).unwrap_or_default(),
        failure: link.failure.as_ref().map(failure_out),
    }
}

pub(super) fn back(predicted: v1::Predicted) -> Result<Vec<PredictedRecord>, WireError> {
    let verdicts = records_in(predicted.records.unwrap_or_default())?;
    let mut records: Vec<PredictedRecord> = verdicts
        .into_iter()
        .map(|verdict| PredictedRecord {
            hubspot_id: verdict.hubspot_id,
            failure: verdict.failure,
            ..PredictedRecord::new(verdict.id, verdict.version, verdict.outcome)
        })
        .collect();
    for change in predicted.changes {
        at(&mut records, change.row)?.changes.push(PropertyChange {
            property: change.property,
            before: change.has_before.then_some(change.before),
            after: change.has_after.then_some(change.after),
        });
    }
    for link in predicted.links {
        let row = link.row;
        let link = link_in(link)?;
        at(&mut records, row)?.links.push(link);
    }
    for row in predicted.cut {
        at(&mut records, row)?.cut = true;
    }
    Ok(records)
}

fn at(records: &mut [PredictedRecord], row: u32) -> Result<&mut PredictedRecord, WireError> {
    let there_are = records.len();
    let place = usize::try_from(row).unwrap_or(usize::MAX);
    records
        .get_mut(place)
        .ok_or_else(|| invalid("prediction", format!("row {row} of {there_are} is named")))
}

fn link_in(link: v1::PredictedLink) -> Result<PredictedLink, WireError> {
    let id = |text: &str| match text {
        "" => Ok(None),
        text => parse_id(text).map(Some),
    };
    let known = |number: u64| (number != 0).then_some(HubSpotId(number));
    Ok(PredictedLink {
        parent: id(&link.parent)?,
        waits_for: id(&link.waits_for)?,
        field: link.field,
        stance: value_of(&STANCES, link.stance, "prediction")?,
        parent_hubspot_id: known(link.parent_hubspot_id),
        former: link.former.into_iter().map(HubSpotId).collect(),
        failure: link.failure.map(failure_in),
    })
}
