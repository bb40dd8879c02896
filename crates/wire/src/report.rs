//! What stages tell control.

use landbridge_model::{
    Envelope, HubSpotId, LinkOutcome, LinkVerdict, Outcome, PredictedRecord, RecordOutcome, SalesforceId,
    StageKind, Version,
};
use prost::Message as _;

use crate::common::{
    decode, envelope_in, envelope_out, failure_in, failure_out, invalid, optional, parse_id, rows_in,
    rows_out,
};
use crate::{Wire, WireError, v1};

mod predicted;

/// One message of the outcomes stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose and why.
    pub envelope: Envelope,
    /// Who tells.
    pub stage: StageKind,
    /// When it happened, by the teller's clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// The org's clock less the teller's, in milliseconds; 0 where it is not known.
    pub org_ahead_ms: i64,
    /// What is told.
    pub body: ReportBody,
}

/// What a report tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportBody {
    /// Verdicts on records.
    Records(Vec<RecordOutcome>),
    /// Verdicts on links.
    Links(Vec<LinkVerdict>),
    /// These records are on the bus.
    Extracted(Vec<VersionedId>),
    /// Where a run stands.
    Progress(RunProgress),
    /// A compare's answer for some records.
    Compared(Compared),
    /// A dry run's answer for some records.
    Predicted(Vec<PredictedRecord>),
}

/// One change of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionedId {
    /// The record.
    pub id: SalesforceId,
    /// The change.
    pub version: Version,
}

/// Where a run stands, by the extractor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunProgress {
    /// The phase.
    pub phase: RunPhase,
    /// Salesforce's own total, when known.
    pub salesforce_total: Option<u64>,
    /// Rows put on the bus so far.
    pub rows: u64,
    /// Why it failed.
    pub reason: Option<String>,
}

/// The phases of a run, as the extractor sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunPhase {
    /// Seen, not begun.
    Queued,
    /// Salesforce counts or prepares.
    Counting,
    /// Rows are read.
    Reading,
    /// What changed meanwhile is read.
    CatchingUp,
    /// Everything is on the bus.
    Ended,
    /// Stopped by a person.
    Canceled,
    /// Stopped by trouble.
    Failed,
}

impl RunPhase {
    const ALL: [Self; 7] = [
        Self::Queued,
        Self::Counting,
        Self::Reading,
        Self::CatchingUp,
        Self::Ended,
        Self::Canceled,
        Self::Failed,
    ];

    /// The word on the wire and in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Counting => "counting",
            Self::Reading => "reading",
            Self::CatchingUp => "catching-up",
            Self::Ended => "ended",
            Self::Canceled => "canceled",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will be read.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Canceled | Self::Failed)
    }
}

/// A compare's answer: all of `records` were compared.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Compared {
    /// The records that were compared.
    pub records: Vec<VersionedId>,
    /// How many links of theirs were compared.
    pub links: u64,
    /// What was found.
    pub differences: Vec<Difference>,
}

/// One difference between the two systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What kind.
    pub kind: DifferenceKind,
    /// The Salesforce record.
    pub id: SalesforceId,
    /// The HubSpot record, when there is one.
    pub hubspot_id: Option<HubSpotId>,
    /// The property, or the lookup field.
    pub name: String,
    /// What Salesforce says, mapped.
    pub expected: Option<String>,
    /// What HubSpot says.
    pub actual: Option<String>,
    /// In words.
    pub message: String,
}

/// Kinds of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// In Salesforce, not in HubSpot.
    Missing,
    /// In HubSpot, not (or no longer) in Salesforce.
    Extra,
    /// A property has another value.
    Different,
    /// A link is missing, or one is there that should not be.
    Link,
    /// The record could not be mapped or compared.
    Refused,
}

impl DifferenceKind {
    /// The word in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
            Self::Link => "wrongly-linked",
            Self::Refused => "refused",
        }
    }
}

const OUTCOMES: [(Outcome, v1::Outcome); 9] = [
    (Outcome::Created, v1::Outcome::Created),
    (Outcome::Updated, v1::Outcome::Updated),
    (Outcome::Unchanged, v1::Outcome::Unchanged),
    (Outcome::Superseded, v1::Outcome::Superseded),
    (Outcome::Filtered, v1::Outcome::Filtered),
    (Outcome::Deleted, v1::Outcome::Deleted),
    (Outcome::Kept, v1::Outcome::Kept),
    (Outcome::Held, v1::Outcome::Held),
    (Outcome::Failed, v1::Outcome::Failed),
];

const LINK_OUTCOMES: [(LinkOutcome, v1::LinkOutcome); 4] = [
    (LinkOutcome::Linked, v1::LinkOutcome::Linked),
    (LinkOutcome::Unlinked, v1::LinkOutcome::Unlinked),
    (LinkOutcome::Parked, v1::LinkOutcome::Parked),
    (LinkOutcome::Failed, v1::LinkOutcome::Failed),
];

const DIFFERENCES: [(DifferenceKind, v1::DifferenceKind); 5] = [
    (DifferenceKind::Missing, v1::DifferenceKind::Missing),
    (DifferenceKind::Extra, v1::DifferenceKind::Extra),
    (DifferenceKind::Different, v1::DifferenceKind::Different),
    (DifferenceKind::Link, v1::DifferenceKind::Link),
    (DifferenceKind::Refused, v1::DifferenceKind::Refused),
];

fn out<M: Copy + PartialEq, W: Copy + Into<i32>>(table: &[(M, W)], value: M) -> i32 {
    let found = table.iter().find(|(model, _)| *model == value);
    found.expect("the table names every value of the enum").1.into()
}

fn back<M: Copy, W: Copy + Into<i32>>(
    table: &[(M, W)],
    number: i32,
    what: &'static str,
) -> Result<M, WireError> {
    let found = table.iter().find(|(_, wire)| (*wire).into() == number);
    found
        .map(|(model, _)| *model)
        .ok_or_else(|| invalid(what, format!("{number} is not known here")))
}

fn versioned_out(records: &[VersionedId]) -> v1::Rows {
    let ids: Vec<SalesforceId> = records.iter().map(|record| record.id).collect();
    let versions: Vec<Version> = records.iter().map(|record| record.version).collect();
    rows_out(&ids, &versions, &[])
}

fn versioned_in(rows: Option<v1::Rows>) -> Result<Vec<VersionedId>, WireError> {
    let rows = rows_in(rows)?;
    Ok(rows
        .ids
        .into_iter()
        .zip(rows.versions)
        .map(|(id, version)| VersionedId { id, version })
        .collect())
}

fn records_out(records: &[RecordOutcome]) -> v1::RecordOutcomes {
    let ids: Vec<SalesforceId> = records.iter().map(|record| record.id).collect();
    let versions: Vec<Version> = records.iter().map(|record| record.version).collect();
    let failures = records.iter().zip(0u32..).filter_map(|(record, row)| {
        let failure = record.failure.as_ref()?;
        Some((row, failure_out(failure)))
    });
    v1::RecordOutcomes {
        rows: Some(rows_out(&ids, &versions, &[])),
        outcomes: records
            .iter()
            .map(|record| out(&OUTCOMES, record.outcome))
            .collect(),
        hubspot_ids: records
            .iter()
            .map(|record| record.hubspot_id.map_or(0, |id| id.0))
            .collect(),
        failures: failures.collect(),
    }
}

fn records_in(mut records: v1::RecordOutcomes) -> Result<Vec<RecordOutcome>, WireError> {
    let rows = versioned_in(records.rows.take())?;
    if records.outcomes.len() != rows.len() || records.hubspot_ids.len() != rows.len() {
        return Err(invalid(
            "record outcomes",
            "records and verdicts differ in number",
        ));
    }
    let mut result = Vec::with_capacity(rows.len());
    for (row, (index, (outcome, hubspot_id))) in rows
        .into_iter()
        .zip((0u32..).zip(records.outcomes.into_iter().zip(records.hubspot_ids)))
    {
        result.push(RecordOutcome {
            id: row.id,
            version: row.version,
            outcome: back(&OUTCOMES, outcome, "record outcomes")?,
            hubspot_id: (hubspot_id != 0).then_some(HubSpotId(hubspot_id)),
            failure: records.failures.remove(&index).map(failure_in),
        });
    }
    Ok(result)
}

fn link_out(link: &LinkVerdict) -> v1::LinkVerdict {
    v1::LinkVerdict {
        child: link.child.to_string(),
        field: link.field.clone(),
        parent: link.parent.map(|parent| parent.to_string()).unwrap_or_default(),
        stamp_ms: link.version.stamp_ms,
        read_ms: link.version.read_ms,
        outcome: out(&LINK_OUTCOMES, link.outcome),
        failure: link.failure.as_ref().map(failure_out),
    }
}

fn link_in(link: v1::LinkVerdict) -> Result<LinkVerdict, WireError> {
    Ok(LinkVerdict {
        child: parse_id(&link.child)?,
        field: link.field,
        parent: if link.parent.is_empty() {
            None
        } else {
            Some(parse_id(&link.parent)?)
        },
        version: Version::new(link.stamp_ms, link.read_ms),
        outcome: back(&LINK_OUTCOMES, link.outcome, "link outcomes")?,
        failure: link.failure.map(failure_in),
    })
}

fn progress_out(progress: &RunProgress) -> v1::RunProgress {
    v1::RunProgress {
        phase: progress.phase.as_str().to_owned(),
        salesforce_total: progress.salesforce_total.unwrap_or_default(),
        has_salesforce_total: progress.salesforce_total.is_some(),
        rows: progress.rows,
        reason: progress.reason.clone().unwrap_or_default(),
    }
}

fn progress_in(progress: v1::RunProgress) -> Result<RunProgress, WireError> {
    let phase = RunPhase::ALL
        .into_iter()
        .find(|phase| phase.as_str() == progress.phase);
    Ok(RunProgress {
        phase: phase.ok_or_else(|| invalid("run progress", format!("{} is no phase", progress.phase)))?,
        salesforce_total: progress.has_salesforce_total.then_some(progress.salesforce_total),
        rows: progress.rows,
        reason: optional(progress.reason),
    })
}

fn difference_out(difference: &Difference) -> v1::Difference {
    v1::Difference {
        kind: out(&DIFFERENCES, difference.kind),
        id: difference.id.to_string(),
        hubspot_id: difference.hubspot_id.map_or(0, |id| id.0),
        name: difference.name.clone(),
        has_expected: difference.expected.is_some(),
        expected: difference.expected.clone().unwrap_or_default(),
        has_actual: difference.actual.is_some(),
        actual: difference.actual.clone().unwrap_or_default(),
        message: difference.message.clone(),
    }
}

fn difference_in(difference: v1::Difference) -> Result<Difference, WireError> {
    Ok(Difference {
        kind: back(&DIFFERENCES, difference.kind, "difference")?,
        id: parse_id(&difference.id)?,
        hubspot_id: (difference.hubspot_id != 0).then_some(HubSpotId(difference.hubspot_id)),
        name: difference.name,
        expected: difference.has_expected.then_some(difference.expected),
        actual: difference.has_actual.then_some(difference.actual),
        message: difference.message,
    })
}

impl Wire for Report {
    fn encode(&self) -> Vec<u8> {
        use v1::report::Body;
        let body = match &self.body {
            ReportBody::Records(records) => Body::Records(records_out(records)),
            ReportBody::Links(links) => Body::Links(v1::LinkVerdicts {
                links: links.iter().map(link_out).collect(),
            }),
            ReportBody::Extracted(records) => Body::Extracted(v1::Extracted {
                rows: Some(versioned_out(records)),
            }),
            ReportBody::Progress(progress) => Body::Progress(progress_out(progress)),
            ReportBody::Compared(compared) => Body::Compared(v1::Compared {
                rows: Some(versioned_out(&compared.records)),
                differences: compared.differences.iter().map(difference_out).collect(),
                links: compared.links,
            }),
            ReportBody::Predicted(records) => Body::Predicted(predicted::out(records)),
        };
        v1::Report {
            envelope: Some(envelope_out(&self.envelope)),
            stage: self.stage.as_str().to_owned(),
            at_ms: self.at_ms,
            org_ahead_ms: self.org_ahead_ms,
            body: Some(body),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        use v1::report::Body;
        let report: v1::Report = decode("report", bytes)?;
        let body = match report.body {
            Some(Body::Records(records)) => ReportBody::Records(records_in(records)?),
            Some(Body::Links(links)) => {
                ReportBody::Links(links.links.into_iter().map(link_in).collect::<Result<_, _>>()?)
            }
            Some(Body::Extracted(extracted)) => ReportBody::Extracted(versioned_in(extracted.rows)?),
            Some(Body::Progress(progress)) => ReportBody::Progress(progress_in(progress)?),
            Some(Body::Compared(compared)) => ReportBody::Compared(Compared {
                records: versioned_in(compared.rows)?,
                links: compared.links,
                differences: compared
                    .differences
                    .into_iter()
                    .map(difference_in)
                    .collect::<Result<_, _>>()?,
            }),
            Some(Body::Predicted(predicted)) => ReportBody::Predicted(predicted::back(predicted)?),
            None => return Err(invalid("report", "it is of a kind that is not known here")),
        };
        Ok(Self {
            envelope: envelope_in(report.envelope)?,
            stage: report.stage.parse().map_err(|error| invalid("report", error))?,
            at_ms: report.at_ms,
            org_ahead_ms: report.org_ahead_ms,
            body,
        })
    }
}
