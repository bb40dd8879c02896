//! The numbers of a tenant's health, from what control and the service say. Pure.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::SyncName;
use landbridge_model::ask::{CallBudget, StreamStatus};
use landbridge_model::config::SyncStatus;
use landbridge_model::sync::MaxDeletes;

use crate::ask::{HeldEntry, HistoryStretch, ParkedGroup, TenantHistory, TenantStatus};
use crate::console::health::{
    ApiBudget, Backlog, Budgets, FailureGroup, FreshnessBucket, Health, HeldDeletes, OutcomeBucket,
    ParkedLinks, SuspendedSync,
};
use crate::service::{self, AlertKind, HealthFacts, StandingAlert};

/// Held records that are named.
const EXAMPLES: usize = 5;
/// Hours of the chart.
const HOURS: i64 = 24;

pub(super) fn health(facts: &HealthFacts, now: Timestamp) -> Health {
    let status = &facts.status;
    let stretches = chart(&facts.history, now);
    let has_history = !facts.history.hours.is_empty()
        || !status.imports.is_empty()
        || status.syncs.iter().any(|sync| sync.status != SyncStatus::Draft);
    let behind = status.syncs.iter().filter_map(|sync| sync.behind_ms).max();
    Health {
        since: stretches.first().map_or(now, |stretch| time(stretch.begin_ms)),
        outcomes: stretches
            .iter()
            .map(|stretch| OutcomeBucket {
                time: clock(stretch.begin_ms),
                counts: stretch.outcomes.clone(),
            })
            .collect(),
        freshness: stretches
            .iter()
            .map(|stretch| FreshnessBucket {
                time: clock(stretch.begin_ms),
                median: stretch.median_ms.map(length),
                p99: stretch.p99_ms.map(length),
            })
            .collect(),
        behind: behind.map(length),
        p99: status.latency.p99_ms.map(length),
        bound: facts.bound,
        backlog: backlog(status),
        parked: facts.parked.iter().map(|group| parked(group, now)).collect(),
        budgets: Budgets {
            salesforce: status
                .salesforce_budget
                .map(|budget| api_budget(budget, "in any 24 hours")),
            hubspot: status
                .hubspot_budget
                .map(|budget| api_budget(budget, "since midnight where the portal is")),
            allocation: facts.allocation,
            etag: facts.tag.clone(),
            problems: Vec::new(),
        },
        failures: failures(&facts.failures),
        suspended: suspended(status, &facts.standing),
        held: held(&facts.held, &facts.limits),
        streams: streams(status),
        notes: status.notes.clone(),
        has_history,
        events: None,
    }
}

fn streams(status: &TenantStatus) -> Vec<(SyncName, StreamStatus)> {
    let live = status.syncs.iter().filter_map(|sync| sync.live.as_ref());
    live.filter_map(|live| Some((live.sync.clone(), live.stream.clone()?)))
        .collect()
}

fn time(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

fn length(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// The time of day, in UTC.
fn clock(milliseconds: i64) -> String {
    time(milliseconds).strftime("%H:%M").to_string()
}

/// What the charts show: the last day by hours; or, while everything that ever happened is of the last three hours, these
/// by five minutes. Where nothing happened, zero is told: nothing was written.
fn chart(history: &TenantHistory, now: Timestamp) -> Vec<HistoryStretch> {
    let (now, hour) = (now.as_millisecond(), 3_600_000);
    let is_young = history
        .hours
        .iter()
        .all(|stretch| stretch.begin_ms > now - 4 * hour)
        && !history.minutes.is_empty();
    let (known, step, count) = if is_young {
        (&history.minutes, 5 * 60_000, 36)
    } else {
        (&history.hours, hour, HOURS)
    };
    let last = now.div_euclid(step) * step;
    let wanted = (0..count).map(|place| last - (count - 1 - place) * step);
    let mut stretches: Vec<HistoryStretch> = wanted
        .map(|begin_ms| {
            let found = known.iter().find(|stretch| stretch.begin_ms == begin_ms);
            found.cloned().unwrap_or(HistoryStretch {
                begin_ms,
                length_ms: step,
                outcomes: Vec::new(),
                samples: 0,
                median_ms: None,
                p99_ms: None,
            })
        })
        .collect();
    if is_young {
        // The hour before anything happened says nothing; a chart of one bar says little: an hour at least.
        let first = stretches.iter().position(|stretch| !stretch.outcomes.is_empty());
        let cut = first.unwrap_or(0).min(stretches.len().saturating_sub(12));
        stretches.drain(..cut);
    }
    stretches
}

fn backlog(status: &TenantStatus) -> Vec<Backlog> {
    let lanes = status.backlog.iter().map(|lane| Backlog {
        stage: lane.stage,
        lane: lane.lane,
        messages: lane.messages,
    });
    lanes.collect()
}

fn parked(group: &ParkedGroup, now: Timestamp) -> ParkedLinks {
    ParkedLinks {
        sync: group.sync.clone(),
        field: group.field.clone(),
        parent: group
            .to
            .clone()
            .unwrap_or_else(|| "a lookup that is no longer mapped".to_owned()),
        links: group.links,
        oldest: length(now.as_millisecond() - group.oldest_ms),
        example: Some(group.example),
    }
}

fn api_budget(budget: CallBudget, renews: &str) -> ApiBudget {
    ApiBudget {
        limit: budget.limit,
        used: budget.used,
        used_by_landbridge: budget.own,
        allocated: budget.allocated,
        reserved: budget.reserved,
        forecast: budget.forecast,
        renews: renews.to_owned(),
    }
}

/// By category, over all syncs, the most first.
fn failures(groups: &[service::FailureGroup]) -> Vec<FailureGroup> {
    let mut told: Vec<FailureGroup> = Vec::new();
    for group in groups {
        let latest = time(group.latest_ms);
        match told.iter_mut().find(|known| known.category == group.category) {
            Some(known) => {
                known.count += group.count;
                known.syncs.push(group.sync.clone());
                known.latest = known.latest.max(latest);
            }
            None => told.push(FailureGroup {
                category: group.category,
                count: group.count,
                syncs: vec![group.sync.clone()],
                latest,
            }),
        }
    }
    told.sort_by_key(|group| std::cmp::Reverse(group.count));
    told
}

/// Since when is known where it was told to people.
fn suspended(status: &TenantStatus, standing: &[StandingAlert]) -> Vec<SuspendedSync> {
    let since = |name: &SyncName| {
        let of_sync = |told: &&StandingAlert| {
            told.alert == AlertKind::SyncSuspended && told.subject.as_deref() == Some(name.as_str())
        };
        standing.iter().find(of_sync).map(|told| time(told.since_ms))
    };
    let stopped = status
        .syncs
        .iter()
        .filter(|sync| sync.status == SyncStatus::Suspended);
    let told = stopped.map(|sync| SuspendedSync {
        name: sync.name.clone(),
        reason: sync
            .reason
            .clone()
            .unwrap_or_else(|| "No reason was noted.".to_owned()),
        since: since(&sync.name),
    });
    told.collect()
}

/// By sync, the one that has waited longest first.
fn held(entries: &[HeldEntry], limits: &[(SyncName, MaxDeletes)]) -> Vec<HeldDeletes> {
    let mut told: Vec<HeldDeletes> = Vec::new();
    for entry in entries {
        let place = told
            .iter()
            .position(|known| known.sync == entry.sync)
            .unwrap_or_else(|| {
                told.push(HeldDeletes {
                    sync: entry.sync.clone(),
                    waiting: 0,
                    in_grace: 0,
                    limit: limit(&entry.sync, limits),
                    since: time(entry.deleted_ms),
                    examples: Vec::new(),
                });
                told.len() - 1
            });
        let group = &mut told[place];
        if entry.until_ms.is_some() {
            group.in_grace += 1;
        } else {
            group.waiting += 1;
        }
        group.since = group.since.min(time(entry.deleted_ms));
        if group.examples.len() < EXAMPLES {
            group.examples.push(entry.id);
        }
    }
    told
}

fn limit(sync: &SyncName, limits: &[(SyncName, MaxDeletes)]) -> String {
    let found = limits
        .iter()
        .find(|(name, _)| name == sync)
        .map(|(_, limit)| *limit);
    match found.unwrap_or_default() {
        MaxDeletes::Count(count) => format!("{count} records in one hour"),
        MaxDeletes::Percent(share) => format!("{share} % of the records in one hour"),
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{FailureCategory, Outcome, Revision, SalesforceId};

    use super::*;
    use crate::ask::SyncLine;

    fn stretch(begin_ms: i64, length_ms: i64, created: u64) -> HistoryStretch {
        HistoryStretch {
            begin_ms,
            length_ms,
            outcomes: vec![(Outcome::Created, created)],
            samples: 0,
            median_ms: None,
            p99_ms: None,
        }
    }

    #[test]
    fn a_young_tenant_is_told_by_minutes_and_an_older_one_by_hours() {
        let now: Timestamp = "2026-03-01T10:17:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let mut history = TenantHistory {
            minutes: vec![stretch(at("2026-03-01T10:10:00Z"), 300_000, 7)],
            hours: vec![stretch(at("2026-03-01T10:00:00Z"), 3_600_000, 7)],
        };
        let young = chart(&history, now);
        assert_eq!(young.len(), 12);
        assert_eq!(
            (
                clock(young[0].begin_ms).as_str(),
                clock(young[11].begin_ms).as_str()
            ),
            ("09:20", "10:15")
        );
        assert_eq!(young[10].outcomes, [(Outcome::Created, 7)]);
        history
            .hours
            .insert(0, stretch(at("2026-03-01T02:00:00Z"), 3_600_000, 9));
        let old = chart(&history, now);
        assert_eq!(old.len(), 24);
        assert_eq!(
            (clock(old[0].begin_ms).as_str(), clock(old[23].begin_ms).as_str()),
            ("11:00", "10:00")
        );
        assert_eq!(old.iter().filter(|hour| !hour.outcomes.is_empty()).count(), 2);
    }

    #[test]
    fn a_suspended_sync_tells_since_when_where_people_were_told() {
        let line = |name: &str, status| SyncLine {
            name: SyncName::new(name).unwrap(),
            object: "Vehicle__c".to_owned(),
            object_type: "vehicles".to_owned(),
            status,
            reason: Some("a field is gone".to_owned()),
            revision: Revision(1),
            changes: Vec::new(),
            links: Vec::new(),
            failures: 0,
            behind_ms: None,
            live: None,
            last_ms: None,
        };
        let status = TenantStatus {
            syncs: vec![
                line("vehicles", SyncStatus::Suspended),
                line("depots", SyncStatus::Suspended),
                line("visits", SyncStatus::Active),
            ],
            ..TenantStatus::default()
        };
        let told = |alert, subject: &str| StandingAlert {
            alert,
            subject: Some(subject.to_owned()),
            text: String::new(),
            since_ms: 7_000,
            away_since_ms: None,
        };
        let standing = [
            told(AlertKind::SyncSuspended, "vehicles"),
            told(AlertKind::Freshness, "depots"),
        ];
        let suspended = suspended(&status, &standing);
        let since: Vec<_> = suspended
            .iter()
            .map(|sync| (sync.name.as_str(), sync.since.map(|since| since.as_second())))
            .collect();
        assert_eq!(since, [("vehicles", Some(7)), ("depots", None)]);
    }

    #[test]
    fn failures_of_several_syncs_are_one_group() {
        let group = |sync: &str, category, count, latest_ms| service::FailureGroup {
            sync: SyncName::new(sync).unwrap(),
            category,
            count,
            latest_ms,
        };
        let told = failures(&[
            group("vehicles", FailureCategory::InvalidValue, 3, 10),
            group("visits", FailureCategory::Permission, 4, 20),
            group("visits", FailureCategory::InvalidValue, 2, 30),
        ]);
        let told: Vec<_> = told
            .iter()
            .map(|group| {
                (
                    group.category,
                    group.count,
                    group.syncs.len(),
                    group.latest.as_millisecond(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (FailureCategory::InvalidValue, 5, 2, 30),
                (FailureCategory::Permission, 4, 1, 20)
            ]
        );
    }

    #[test]
    fn held_deletes_tell_what_waits_and_for_what() {
        let entry = |number: u32, deleted_ms, until_ms| HeldEntry {
            sync: SyncName::new("vehicles").unwrap(),
            id: SalesforceId::parse(&format!("a01{number:012}")).unwrap(),
            deleted_ms,
            until_ms,
            reason: String::new(),
        };
        let entries = [entry(1, 50, None), entry(2, 40, Some(90)), entry(3, 60, None)];
        let limits = [(SyncName::new("vehicles").unwrap(), MaxDeletes::Count(20))];
        let told = held(&entries, &limits);
        assert_eq!(told.len(), 1);
        assert_eq!(
            (told[0].waiting, told[0].in_grace, told[0].examples.len()),
            (2, 1, 3)
        );
        assert_eq!(
            (told[0].limit.as_str(), told[0].since.as_millisecond()),
            ("20 records in one hour", 40)
        );
    }
}
