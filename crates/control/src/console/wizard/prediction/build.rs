//! What a dry run's answers look like on the page. Pure.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::{CallCount, Estimate};
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{LinkStance, Outcome, PredictedLink as Link, PredictedRecord as Record};

use super::{Change, PredictedLink, PredictedRecord, Prediction, Unpredictable, WouldBe};
use crate::ask::DryRunReport;
use crate::console::parts::Paging;

impl WouldBe {
    /// What a record would be by the outcome that an import would end in.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Created => Self::Created,
            Outcome::Updated => Self::Updated,
            // What is newer there, or kept by the delete rule, stays.
            Outcome::Unchanged | Outcome::Superseded | Outcome::Kept => Self::Unchanged,
            Outcome::Filtered => Self::Filtered,
            Outcome::Deleted | Outcome::Held => Self::Deleted,
            Outcome::Failed => Self::Refused,
        }
    }

    /// The outcomes that it gathers; none for what cannot be predicted.
    pub fn outcomes(self) -> &'static [Outcome] {
        match self {
            Self::Created => &[Outcome::Created],
            Self::Updated => &[Outcome::Updated],
            Self::Unchanged => &[Outcome::Unchanged, Outcome::Superseded, Outcome::Kept],
            Self::Filtered => &[Outcome::Filtered],
            Self::Deleted => &[Outcome::Deleted, Outcome::Held],
            Self::Refused => &[Outcome::Failed],
            Self::Unpredictable => &[],
        }
    }

    /// The word of a query.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The result of a dry run; the list is the caller's.
pub fn prediction(report: &DryRunReport, at: Timestamp) -> Prediction {
    let count = |kind: WouldBe| -> u64 {
        let counted = report
            .outcomes
            .iter()
            .filter(|(outcome, _)| WouldBe::of(*outcome) == kind);
        counted.map(|(_, count)| count).sum()
    };
    let totals = WouldBe::ALL
        .into_iter()
        .filter(|kind| *kind != WouldBe::Unpredictable);
    let seconds = report
        .salesforce
        .seconds
        .into_iter()
        .chain(report.hubspot.seconds);
    let takes = seconds.fold(None, |longest: Option<f64>, next| {
        Some(longest.map_or(next, |longest| longest.max(next)))
    });
    let hubspot_is_slower = report.hubspot.seconds >= report.salesforce.seconds;
    Prediction {
        at,
        looked_at: report.compared,
        records: if report.extrapolated {
            report.records.matching.max(report.compared)
        } else {
            report.compared
        },
        totals: totals.map(|kind| (kind, count(kind))).collect(),
        links: links(report),
        shown: None,
        list: Vec::new(),
        paging: Paging::default(),
        unpredictable: report
            .unpredictable
            .iter()
            .map(|told| unpredictable(told))
            .collect(),
        salesforce_calls: calls(&report.salesforce),
        hubspot_calls: calls(&report.hubspot),
        cost_notes: report
            .salesforce
            .notes
            .iter()
            .chain(&report.hubspot.notes)
            .cloned()
            .collect(),
        takes: takes.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        bounded_by: if hubspot_is_slower {
            "HubSpot's limits"
        } else {
            "Salesforce's limits"
        }
        .to_owned(),
        would_create: report.would_create.clone(),
    }
}

fn calls(estimate: &Estimate) -> Vec<CallCount> {
    let of = |family: &landbridge_model::ask::EstimatedCalls| CallCount {
        family: family.family.clone(),
        calls: family.calls,
        refused: 0,
    };
    estimate.calls.iter().map(of).collect()
}

fn links(report: &DryRunReport) -> Vec<(String, u64)> {
    let all = || report.links.iter().flat_map(|lookup| &lookup.links);
    let total = |stance: LinkStance| -> u64 {
        let counted = all().filter(|(known, _)| *known == stance);
        counted.map(|(_, count)| count).sum()
    };
    let told = LinkStance::ALL
        .into_iter()
        .map(|stance| (of_stance(stance).to_owned(), total(stance)));
    // What there is always to say, and what else there is.
    let is_said = |place: usize, count: u64| place < 2 || count > 0;
    let told: Vec<(String, u64)> = told
        .enumerate()
        .filter(|(place, (_, count))| is_said(*place, *count))
        .map(|(_, line)| line)
        .collect();
    if report.links.is_empty() { Vec::new() } else { told }
}

fn of_stance(stance: LinkStance) -> &'static str {
    match stance {
        LinkStance::Link => "would be made",
        LinkStance::Stands => "stand already",
        LinkStance::Replace => "would move to another record",
        LinkStance::Unlink => "would be taken away",
        LinkStance::Wait => "would wait for their parent",
        LinkStance::Refuse => "would be refused",
        LinkStance::Unknown => "cannot be predicted",
    }
}

/// `what: why`, as reports write it; a sentence without a reason is all of it.
fn unpredictable(told: &str) -> Unpredictable {
    let (what, why) = told.split_once(": ").unwrap_or((told, ""));
    Unpredictable {
        what: what.to_owned(),
        why: why.to_owned(),
        records: None,
    }
}

/// One record. It is called by what its name would become in HubSpot, where the definition carries the name.
pub fn record(record: &Record, definition: &SyncDefinition) -> PredictedRecord {
    let would_be = WouldBe::of(record.outcome);
    let names = definition
        .spec
        .fields
        .iter()
        .filter(|rule| rule.from.eq_ignore_ascii_case("Name"));
    let name = names
        .filter_map(|rule| {
            let change = record.changes.iter().find(|change| change.property == rule.to)?;
            change.after.clone()
        })
        .next();
    let changes = record.changes.iter().map(|change| Change {
        property: change.property.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
    });
    PredictedRecord {
        id: record.id,
        name: name.unwrap_or_default(),
        hubspot_id: record.hubspot_id,
        would_be,
        changes: changes.collect(),
        links: record.links.iter().map(link).collect(),
        refusal: record.failure.clone().filter(|_| would_be == WouldBe::Refused),
        reason: reason(record),
    }
}

fn reason(record: &Record) -> Option<String> {
    let of_failure = record.failure.as_ref().map(|failure| failure.message.clone());
    match record.outcome {
        Outcome::Filtered => of_failure.map(|what| format!("The filter leaves it out: {what}.")),
        Outcome::Superseded => Some("HubSpot has a newer version of it already.".to_owned()),
        Outcome::Kept => Some("It is deleted in Salesforce; the delete rule keeps it in HubSpot.".to_owned()),
        Outcome::Held => Some("Its delete would be held for approval.".to_owned()),
        Outcome::Updated if record.changes.is_empty() && !record.cut => {
            Some("Only Landbridge's own properties would be written.".to_owned())
        }
        _ if record.cut => Some("Its values are too large to be shown here.".to_owned()),
        _ => None,
    }
}

fn link(link: &Link) -> PredictedLink {
    let parent = match (&link.parent, link.parent_hubspot_id) {
        (Some(parent), Some(hubspot)) => format!("{parent} (HubSpot record {hubspot})"),
        (Some(parent), None) => parent.to_string(),
        (None, _) => "nothing".to_owned(),
    };
    let former: Vec<String> = link.former.iter().map(ToString::to_string).collect();
    let what = match link.stance {
        LinkStance::Link => format!("would be associated with {parent}"),
        LinkStance::Stands => format!("is associated with {parent} already"),
        LinkStance::Replace => format!("would move from {} to {parent}", former.join(", ")),
        LinkStance::Unlink => format!("would no longer be associated with {}", former.join(", ")),
        LinkStance::Wait => {
            let wanted = link.waits_for.or(link.parent);
            let wanted = wanted.map_or_else(|| "its parent".to_owned(), |id| id.to_string());
            format!("would wait for {wanted}, which is not in HubSpot yet")
        }
        LinkStance::Refuse => {
            let why = link
                .failure
                .as_ref()
                .map_or("", |failure| failure.message.as_str());
            format!("would be refused: {why}")
        }
        LinkStance::Unknown => format!("cannot be predicted: whether {parent} comes is not looked at"),
    };
    PredictedLink {
        field: link.field.clone(),
        what,
        waits: matches!(link.stance, LinkStance::Wait | LinkStance::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{Failure, FailureCategory, PropertyChange, SalesforceId, Version, yaml};

    use super::*;
    use crate::ask::{DryRunScope, LookupTotals, MatchingCount};

    fn report() -> DryRunReport {
        let estimate = |family: &str, calls, seconds| Estimate {
            calls: vec![landbridge_model::ask::EstimatedCalls {
                family: family.to_owned(),
                calls,
            }],
            seconds,
            daily_left: None,
            before_calls: 0,
            notes: vec![format!("{family} alone")],
        };
        DryRunReport {
            sync: landbridge_model::SyncName::new("vehicles").unwrap(),
            scope: DryRunScope::Sample(200),
            records: MatchingCount {
                matching: 1_000,
                total: 1_200,
                exact: true,
            },
            compared: 200,
            outcomes: vec![
                (Outcome::Created, 150),
                (Outcome::Superseded, 4),
                (Outcome::Unchanged, 40),
                (Outcome::Failed, 6),
            ],
            marked_only: 0,
            failures: Vec::new(),
            filtered_by: Vec::new(),
            links: vec![
                LookupTotals {
                    field: "A__c".to_owned(),
                    to: "a".to_owned(),
                    links: vec![(LinkStance::Link, 10), (LinkStance::Wait, 2)],
                },
                LookupTotals {
                    field: "B__c".to_owned(),
                    to: "b".to_owned(),
                    links: vec![(LinkStance::Link, 5)],
                },
            ],
            would_create: Vec::new(),
            salesforce: estimate("bulk", 2, Some(3.0)),
            hubspot: estimate("write", 10, Some(8.0)),
            extrapolated: true,
            unseen: Vec::new(),
            shown_max: 500,
            unpredictable: vec![
                "rules that nobody can read: what they refuse, fails".to_owned(),
                "the future".to_owned(),
            ],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_report_is_summed_up_and_nothing_is_left_out() {
        let seen = prediction(&report(), Timestamp::UNIX_EPOCH);
        assert_eq!((seen.looked_at, seen.records), (200, 1_000));
        let of = |kind| seen.totals.iter().find(|(known, _)| *known == kind).unwrap().1;
        assert_eq!(
            (of(WouldBe::Created), of(WouldBe::Unchanged), of(WouldBe::Refused)),
            (150, 44, 6)
        );
        assert_eq!(seen.totals.iter().map(|(_, count)| count).sum::<u64>(), 200);
        let links: Vec<(&str, u64)> = seen
            .links
            .iter()
            .map(|(what, count)| (what.as_str(), *count))
            .collect();
        assert_eq!(
            links,
            [
                ("would be made", 15),
                ("stand already", 0),
                ("would wait for their parent", 2)
            ]
        );
        assert_eq!(
            (seen.takes, seen.bounded_by.as_str()),
            (Some(Duration::from_secs(8)), "HubSpot's limits")
        );
        assert_eq!(seen.unpredictable[0].why, "what they refuse, fails");
        assert_eq!(
            (
                seen.unpredictable[1].what.as_str(),
                seen.unpredictable[1].why.as_str()
            ),
            ("the future", "")
        );
        let unlimited = DryRunReport {
            salesforce: Estimate::default(),
            hubspot: Estimate::default(),
            ..report()
        };
        assert_eq!(
            prediction(&unlimited, Timestamp::UNIX_EPOCH).takes,
            None,
            "what nobody knows is not told"
        );
    }

    #[test]
    fn every_outcome_is_in_one_kind() {
        for kind in WouldBe::ALL {
            assert!(
                kind.outcomes()
                    .iter()
                    .all(|outcome| WouldBe::of(*outcome) == kind),
                "{kind:?}"
            );
            assert_eq!(WouldBe::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_record_is_called_by_its_name() {
        let text = "apiVersion: landbridge/v1\nkind: Sync\nmetadata: { tenant: acme, name: v }\nspec:\n  salesforce: { object: V__c }\n  \
                    hubspot: { objectType: v }\n  fields: [{ from: Name, to: title }]\n";
        let definition = yaml::load("test", text).unwrap().remove(0);
        let id = SalesforceId::parse("a01000000000001").unwrap();
        let mut seen = Record::new(id, Version::new(0, 0), Outcome::Created);
        seen.changes = vec![PropertyChange::new("title", None, Some("Van 7"))];
        assert_eq!(record(&seen, &definition).name, "Van 7");
        let mut left = Record::new(id, Version::new(0, 0), Outcome::Filtered);
        left.failure = Some(Failure::new(
            FailureCategory::InvalidValue,
            "Status__c is Scrapped",
        ));
        let left = record(&left, &definition);
        assert_eq!(
            left.reason.as_deref(),
            Some("The filter leaves it out: Status__c is Scrapped.")
        );
        assert_eq!(left.refusal, None);
    }
}
