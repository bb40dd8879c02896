//! The story of one record: what each stage knows of it, merged by time with what was reported of it.

use std::time::Duration;

use landbridge_bus::{Filter, StreamName};
use landbridge_model::ask::{Explain, LatestOutcome, Story, StoryLine};
use landbridge_model::{
    Envelope, Failure, LinkOutcome, LinkVerdict, Outcome, Purpose, RecordOutcome, SalesforceId, StageKind,
    TenantId,
};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::{AskError, Report, ReportBody, Wire};
use tokio::time::Instant;

use crate::shard::unavailable;

/// How long a stage may think.
const STAGE: Duration = Duration::from_secs(10);
/// How long the outcomes are searched; a tenant's history can be long.
const SEARCH: Duration = Duration::from_secs(20);

/// Tells the story of a record.
pub(crate) async fn explain(
    context: &ShardContext,
    tenant: &TenantId,
    ask: &Explain,
) -> Result<Story, AskError> {
    let stages = [
        StageKind::Extractor,
        StageKind::Mapper,
        StageKind::Resolver,
        StageKind::Loader,
    ];
    let asked = stages.map(|stage| async move {
        match context.hub.ask(stage, tenant, ask, STAGE).await {
            Ok(story) => story.lines,
            Err(error) => vec![now(stage, format!("cannot be asked: {error}"))],
        }
    });
    let (reported, remembered, told) = futures::join!(
        reported(context, tenant, ask.id),
        remembered(context, tenant, ask.id),
        futures::future::join_all(asked),
    );
    let (mut lines, latest) = reported.map_err(unavailable)?;
    lines.extend(remembered.map_err(unavailable)?);
    lines.extend(told.into_iter().flatten());
    Ok(Story {
        lines: in_order(lines),
        latest,
    })
}

/// By time; facts without one are of now, and come last. A fact that is told twice in the same words is told once.
fn in_order(mut lines: Vec<StoryLine>) -> Vec<StoryLine> {
    lines.sort_by_key(|line| (line.at_ms.is_none(), line.at_ms));
    lines.dedup();
    if lines.is_empty() {
        lines.push(now(
            StageKind::Control,
            "nothing is known of this record: it was never read, or longer ago than outcomes are kept"
                .to_owned(),
        ));
    }
    lines
}

fn now(stage: StageKind, text: String) -> StoryLine {
    StoryLine {
        at_ms: None,
        stage,
        sync: None,
        text,
    }
}

/// What was reported of the record, from the outcomes themselves.
async fn reported(
    context: &ShardContext,
    tenant: &TenantId,
    id: SalesforceId,
) -> Result<(Vec<StoryLine>, Option<LatestOutcome>), StageError> {
    let filter = Filter::tenant(StreamName::Outcomes, context.shard, tenant);
    let mut pages = context.hub.bus().pages(&filter);
    let deadline = Instant::now() + SEARCH;
    let (mut lines, mut latest) = (Vec::new(), None);
    while let Some(page) = pages.next().await? {
        for report in page
            .iter()
            .filter_map(|stored| Report::decode(&stored.payload).ok())
        {
            lines.extend(of_report(&report, id));
            latest = verdict(&report, id, latest);
        }
        if Instant::now() > deadline {
            let newest = page
                .last()
                .map(|stored| stored.time.to_string())
                .unwrap_or_default();
            lines.push(now(
                StageKind::Control,
                format!("outcomes after {newest} were not searched: there are too many"),
            ));
            break;
        }
    }
    Ok((lines, latest))
}

/// What last became of the record, after one report more. The HubSpot record stays known when a verdict names none.
fn verdict(report: &Report, id: SalesforceId, before: Option<LatestOutcome>) -> Option<LatestOutcome> {
    let ReportBody::Records(records) = &report.body else {
        return before;
    };
    if report.envelope.purpose == Purpose::Compare {
        return before;
    }
    let of_record = records.iter().rfind(|record| record.id == id);
    let Some(record) = of_record else { return before };
    Some(LatestOutcome {
        outcome: record.outcome,
        at_ms: report.at_ms,
        hubspot_id: record.hubspot_id.or(before.and_then(|before| before.hubspot_id)),
    })
}

/// What one report says of the record.
fn of_report(report: &Report, id: SalesforceId) -> Vec<StoryLine> {
    if report.envelope.purpose == Purpose::Compare {
        return Vec::new();
    }
    let texts: Vec<String> = match &report.body {
        ReportBody::Extracted(changes) => changes
            .iter()
            .filter(|change| change.id == id)
            .map(|change| {
                format!(
                    "read from Salesforce{}, as of {}",
                    cause(&report.envelope),
                    time(change.version.stamp_ms)
                )
            })
            .collect(),
        ReportBody::Records(records) => records
            .iter()
            .filter(|record| record.id == id)
            .map(|record| of_record(&report.envelope, record))
            .collect(),
        ReportBody::Links(links) => links
            .iter()
            .filter(|link| link.child == id)
            .map(of_link)
            .collect(),
        ReportBody::Progress(_) | ReportBody::Compared(_) | ReportBody::Predicted(_) => Vec::new(),
    };
    let line = |text| StoryLine {
        at_ms: Some(report.at_ms),
        stage: report.stage,
        sync: Some(report.envelope.sync.clone()),
        text,
    };
    texts.into_iter().map(line).collect()
}

fn cause(envelope: &Envelope) -> String {
    match &envelope.run {
        Some(run) => format!(" by {run}"),
        None => format!(" by {}", envelope.source.as_str()),
    }
}

fn of_record(envelope: &Envelope, record: &RecordOutcome) -> String {
    let mut text = match record.outcome {
        Outcome::Created => "created in HubSpot".to_owned(),
        Outcome::Updated => "updated in HubSpot".to_owned(),
        Outcome::Unchanged => "HubSpot already had it like this".to_owned(),
        Outcome::Superseded => "superseded: a newer version was already applied".to_owned(),
        Outcome::Filtered => "left out by the filter".to_owned(),
        Outcome::Deleted => "archived in HubSpot".to_owned(),
        Outcome::Kept => "gone in Salesforce, kept in HubSpot by the sync's rule".to_owned(),
        Outcome::Held => "its delete is held".to_owned(),
        Outcome::Failed => "refused".to_owned(),
    };
    if let Some(hubspot_id) = record.hubspot_id {
        text.push_str(&format!(" as {hubspot_id}"));
    }
    text.push_str(&cause(envelope));
    text.push_str(&format!(", as of {}", time(record.version.stamp_ms)));
    if let Some(failure) = &record.failure {
        text.push_str(": ");
        text.push_str(&of_failure(record.outcome == Outcome::Failed, failure));
    }
    text
}

fn of_link(link: &LinkVerdict) -> String {
    let parent = link
        .parent
        .map_or_else(|| "nothing".to_owned(), |parent| parent.to_string());
    let mut text = match link.outcome {
        LinkOutcome::Linked => format!("{} linked to {parent}", link.field),
        LinkOutcome::Unlinked => format!("{} unlinked", link.field),
        LinkOutcome::Parked => format!("{} waits for {parent}", link.field),
        LinkOutcome::Failed => format!("{} could not be linked to {parent}", link.field),
    };
    if let Some(failure) = &link.failure {
        text.push_str(": ");
        text.push_str(&of_failure(link.outcome == LinkOutcome::Failed, failure));
    }
    text
}

fn of_failure(with_category: bool, failure: &Failure) -> String {
    let mut text = failure.message.clone();
    let about = [
        with_category.then(|| failure.category.as_str().to_owned()),
        failure.field.as_ref().map(|field| format!("field {field}")),
        failure
            .property
            .as_ref()
            .map(|property| format!("property {property}")),
        failure.value.as_ref().map(|value| format!("value {value:?}")),
        failure
            .correlation_id
            .as_ref()
            .map(|id| format!("HubSpot's correlation id {id}")),
    ];
    let about: Vec<String> = about.into_iter().flatten().collect();
    if !about.is_empty() {
        text.push_str(&format!(" ({})", about.join(", ")));
    }
    text
}

/// What the memories hold of the record at this moment.
async fn remembered(
    context: &ShardContext,
    tenant: &TenantId,
    id: SalesforceId,
) -> Result<Vec<StoryLine>, StageError> {
    let hub = &context.hub;
    let line = |sync: &landbridge_model::SyncName, text: String| StoryLine {
        at_ms: None,
        stage: StageKind::Control,
        sync: Some(sync.clone()),
        text,
    };
    let mut lines = Vec::new();
    for failed in hub
        .failures(tenant, None)
        .await?
        .iter()
        .filter(|failed| failed.id == id)
    {
        let what = failed
            .link_field
            .as_ref()
            .map_or_else(|| "the record".to_owned(), |field| format!("its link {field}"));
        let times = if failed.attempts > 1 {
            format!(" after {} attempts", failed.attempts)
        } else {
            String::new()
        };
        let text = format!(
            "{what} is among the failures{times}: {}",
            of_failure(true, &failed.failure)
        );
        lines.push(line(&failed.envelope.sync, text));
    }
    for held in hub.held(tenant, None).await?.iter().filter(|held| held.id == id) {
        let until = held
            .until_ms
            .map_or_else(|| "a person approves it".to_owned(), time);
        lines.push(line(
            &held.envelope.sync,
            format!("its delete is held until {until}: {}", held.reason),
        ));
    }
    for link in hub
        .parked(tenant, None)
        .await?
        .iter()
        .filter(|link| link.child == id || link.parent == Some(id))
    {
        let parent = link
            .parent
            .map_or_else(|| "itself".to_owned(), |parent| parent.to_string());
        let text = format!(
            "the link {} of {} has waited for {parent} since {}",
            link.field,
            link.child,
            time(link.since_ms)
        );
        lines.push(line(&link.envelope.sync, text));
    }
    Ok(lines)
}

/// A moment as people read it, in UTC.
fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use landbridge_model::{FailureCategory, HubSpotId, Revision, RunId, Source, SyncName, Version};

    use super::*;

    fn report(source: Source, run: Option<&str>, at_ms: i64, stage: StageKind, body: ReportBody) -> Report {
        Report {
            envelope: Envelope {
                tenant: TenantId::new("acme").unwrap(),
                sync: SyncName::new("vehicles").unwrap(),
                revision: Revision(1),
                purpose: Purpose::Apply,
                source,
                run: run.map(|run| RunId::new(run).unwrap()),
                force: false,
                only: None,
            },
            stage,
            at_ms,
            org_ahead_ms: 0,
            body,
        }
    }

    #[test]
    fn a_story_reads_in_the_order_of_time() {
        let id = SalesforceId::parse("a00Hs000001ABCd").unwrap();
        let version = Version::new(1_767_225_600_000, 1_767_225_601_000);
        let outcome = |outcome, failure| RecordOutcome {
            id,
            version,
            outcome,
            hubspot_id: (outcome == Outcome::Created).then_some(HubSpotId(77)),
            failure,
        };
        let refusal = Failure::new(FailureCategory::PicklistOption, "there is no such option")
            .property("fuel_type")
            .value("Petrol");
        let parked = LinkVerdict {
            child: id,
            field: "Depot__c".into(),
            parent: Some(SalesforceId::parse("a01Hs000001ABCd").unwrap()),
            version,
            outcome: LinkOutcome::Parked,
            failure: None,
        };
        let extracted = landbridge_wire::VersionedId { id, version };
        let reports = [
            report(
                Source::Increment,
                None,
                3_000,
                StageKind::Loader,
                ReportBody::Records(vec![outcome(Outcome::Created, None)]),
            ),
            report(
                Source::Import,
                Some("imp-1"),
                1_000,
                StageKind::Extractor,
                ReportBody::Extracted(vec![extracted]),
            ),
            report(
                Source::Import,
                Some("imp-1"),
                2_000,
                StageKind::Mapper,
                ReportBody::Records(vec![outcome(Outcome::Failed, Some(refusal))]),
            ),
            report(
                Source::Increment,
                None,
                2_500,
                StageKind::Resolver,
                ReportBody::Links(vec![parked]),
            ),
        ];
        let lines = in_order(reports.iter().flat_map(|report| of_report(report, id)).collect());
        let text: String = lines
            .iter()
            .map(|line| format!("{} {}: {}\n", line.at_ms.unwrap(), line.stage, line.text))
            .collect();
        expect![[r#"
            1000 extractor: read from Salesforce by imp-1, as of 2026-01-01T00:00:00Z
            2000 mapper: refused by imp-1, as of 2026-01-01T00:00:00Z: there is no such option (picklist-option, property fuel_type, value "Petrol")
            2500 resolver: Depot__c waits for a01Hs000001ABCdIAO
            3000 loader: created in HubSpot as 77 by increment, as of 2026-01-01T00:00:00Z
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn a_record_that_nobody_knows_gets_an_answer() {
        assert_eq!(in_order(Vec::new()).len(), 1);
    }
}
