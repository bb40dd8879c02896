//! Sync health: of one tenant, and across tenants.

mod across;
mod budget;
mod waiting;

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::StreamStatus;
use landbridge_model::{FailureCategory, Lane, Outcome, SalesforceId, StageKind, SyncName, TenantId};
use maud::{Markup, html};

use super::failures::category_words;
use super::parts::{
    self, Band, Chart, Icon, Series, Table, Tone, ago, cell, count, duration, icon, lines, number,
    stacked_bars,
};
use super::{Content, Role, Shell, paths};

pub use across::{AllHealth, TenantHealth, page as across_page};
pub use budget::{ApiBudget, Budgets};

/// What a tenant's page shows.
#[derive(Clone, Debug)]
pub struct Health {
    /// Since when the charts tell.
    pub since: Timestamp,
    /// Records by outcome for each stretch of time.
    pub outcomes: Vec<OutcomeBucket>,
    /// How far behind, for each stretch of time.
    pub freshness: Vec<FreshnessBucket>,
    /// How far HubSpot is behind Salesforce now: the furthest of the active syncs.
    pub behind: Option<Duration>,
    /// All but one change in a hundred of the last day took no longer from Salesforce to HubSpot.
    pub p99: Option<Duration>,
    /// Freshness beyond this raises an alert.
    pub bound: Option<Duration>,
    /// Messages and records that wait, by stage and lane.
    pub backlog: Vec<Backlog>,
    /// Links that wait for a record, the oldest first.
    pub parked: Vec<ParkedLinks>,
    /// API budgets of both sides.
    pub budgets: Budgets,
    /// Failures by category.
    pub failures: Vec<FailureGroup>,
    /// Syncs that Landbridge stopped.
    pub suspended: Vec<SuspendedSync>,
    /// Deletes that wait for a person, by sync.
    pub held: Vec<HeldDeletes>,
    /// How the change events of each running sync's object stand.
    pub streams: Vec<(SyncName, StreamStatus)>,
    /// What people should know, such as "daily limit reached, resumes at …".
    pub notes: Vec<String>,
    /// Whether anything has ever been seen of this tenant.
    pub has_history: bool,
    /// The path of the events that move the numbers.
    pub events: Option<String>,
}

/// Records by outcome in one stretch of time.
#[derive(Clone, Debug)]
pub struct OutcomeBucket {
    /// When it begins, as written beneath the chart.
    pub time: String,
    /// Records.
    pub counts: Vec<(Outcome, u64)>,
}

/// Freshness in one stretch of time.
#[derive(Clone, Debug)]
pub struct FreshnessBucket {
    /// When it begins, as written beneath the chart.
    pub time: String,
    /// Half of the changes took no longer; `None` when there were none.
    pub median: Option<Duration>,
    /// All but one in a hundred took no longer.
    pub p99: Option<Duration>,
}

/// What waits in one lane.
#[derive(Clone, Debug)]
pub struct Backlog {
    /// Who reads it.
    pub stage: StageKind,
    /// Which lane.
    pub lane: Lane,
    /// Messages.
    pub messages: u64,
}

/// Links that wait for the same kind of record.
#[derive(Clone, Debug)]
pub struct ParkedLinks {
    /// Of which sync.
    pub sync: SyncName,
    /// By which lookup field.
    pub field: String,
    /// What they wait for, such as "Depot__c".
    pub parent: String,
    /// How many.
    pub links: u64,
    /// How long the oldest has waited.
    pub oldest: Duration,
    /// One of the records that are waited for.
    pub example: Option<SalesforceId>,
}

/// Failures of one category.
#[derive(Clone, Debug)]
pub struct FailureGroup {
    /// Why.
    pub category: FailureCategory,
    /// Records and links.
    pub count: u64,
    /// Which syncs they belong to.
    pub syncs: Vec<SyncName>,
    /// The newest.
    pub latest: Timestamp,
}

/// A sync that Landbridge stopped.
#[derive(Clone, Debug)]
pub struct SuspendedSync {
    /// Which one.
    pub name: SyncName,
    /// Why, as a sentence that says what to do.
    pub reason: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
}

/// Deletes of one sync that wait for a person.
#[derive(Clone, Debug)]
pub struct HeldDeletes {
    /// Of which sync.
    pub sync: SyncName,
    /// How many wait for approval.
    pub waiting: u64,
    /// How many are in their grace period.
    pub in_grace: u64,
    /// The limit that held them, such as "5 % of the records in one hour".
    pub limit: String,
    /// Since when.
    pub since: Timestamp,
    /// Some of the records.
    pub examples: Vec<SalesforceId>,
}

/// The tenant's page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<Health>) -> Markup {
    let body = html! {
        div.page-head { div { h1 { "Sync health" } p.quiet { "What became of every change, how far HubSpot is behind, and what waits for you." } } }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document(&format!("Sync health of {tenant}"), &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &Health) -> Markup {
    if !view.has_history {
        return parts::empty(
            Icon::Pulse,
            "Nothing has happened yet",
            "As soon as a sync is on or an import runs, this page tells what became of each record, how fresh HubSpot is, and what was refused and why.",
            &html! { a.button href=(paths::tenant(tenant)) { "To the connected apps" } },
        );
    }
    html! {
        @for note in &view.notes { div.banner.attention { (icon(Icon::Attention)) p { (note) } } }
        (waiting::suspended(shell, tenant, &view.suspended))
        (waiting::held(shell, tenant, &view.held))
        div.stack data-live=[view.events.as_deref()] { (live_figures(view)) }
        div.cards-row {
            section.card { (stacked_bars(&outcome_chart(view))) }
            section.card { (lines(&freshness_chart(view))) }
        }
        (streams(&view.streams))
        (failures(shell, tenant, &view.failures))
        div.cards-row {
            (waiting::backlog(&view.backlog))
            (waiting::parked(tenant, &view.parked))
        }
        (budget::section(shell, tenant, &view.budgets))
    }
}

/// How changes are heard of, sync by sync.
fn streams(streams: &[(SyncName, StreamStatus)]) -> Markup {
    html! {
        @if !streams.is_empty() {
            section.card aria-labelledby="streams-title" {
                h2 #streams-title { "Change events" }
                ul {
                    @for (sync, stream) in streams {
                        li { strong { (sync) } ": " (stream.words()) "." @if let Some(reason) = &stream.reason { " " span.quiet { (reason) } } }
                    }
                }
            }
        }
    }
}

/// The numbers that move: what an event of the page carries.
pub fn live_figures(view: &Health) -> Markup {
    let failures: u64 = view.failures.iter().map(|group| group.count).sum();
    let parked: u64 = view.parked.iter().map(|group| group.links).sum();
    let waiting: u64 = view.backlog.iter().map(|lane| lane.messages).sum();
    let or_dash = |length: Option<Duration>| length.map_or("–".to_owned(), duration);
    html! {
        dl.figures #health-figures {
            div { dt { "behind Salesforce now" } dd { (or_dash(view.behind)) } }
            div { dt { "p99 of the last day" } dd { (or_dash(view.p99)) } }
            div.bad[failures > 0] { dt { "records refused" } dd { (count(failures)) } }
            div { dt { "links that wait" } dd { (count(parked)) } }
            div { dt { "messages on their way" } dd { (count(waiting)) } }
        }
    }
}

fn outcome_chart(view: &Health) -> Chart {
    let series = [
        ("created", Tone::One, vec![Outcome::Created]),
        ("updated", Tone::Two, vec![Outcome::Updated]),
        (
            "unchanged or filtered",
            Tone::Three,
            vec![
                Outcome::Unchanged,
                Outcome::Superseded,
                Outcome::Filtered,
                Outcome::Kept,
            ],
        ),
        (
            "deleted or held",
            Tone::Four,
            vec![Outcome::Deleted, Outcome::Held],
        ),
        ("failed", Tone::Bad, vec![Outcome::Failed]),
    ];
    let values = |kinds: &[Outcome]| {
        let of = |bucket: &OutcomeBucket| -> u64 {
            bucket
                .counts
                .iter()
                .filter(|(outcome, _)| kinds.contains(outcome))
                .map(|(_, number)| number)
                .sum()
        };
        view.outcomes.iter().map(|bucket| Some(of(bucket))).collect()
    };
    let total = |kinds: &[Outcome]| -> u64 {
        let counts = view.outcomes.iter().flat_map(|bucket| &bucket.counts);
        counts
            .filter(|(outcome, _)| kinds.contains(outcome))
            .map(|(_, number)| number)
            .sum()
    };
    let all: Vec<String> = series
        .iter()
        .map(|(name, _, kinds)| format!("{} {name}", count(total(kinds))))
        .collect();
    Chart {
        id: "outcomes",
        title: "Records by outcome".to_owned(),
        summary: format!("In all: {}.", all.join(", ")),
        times: view.outcomes.iter().map(|bucket| bucket.time.clone()).collect(),
        unit: count,
        series: series
            .iter()
            .map(|(name, tone, kinds)| Series {
                name: (*name).to_owned(),
                tone: *tone,
                values: values(kinds),
            })
            .collect(),
        bound: None,
    }
}

fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn as_duration(milliseconds: u64) -> String {
    duration(Duration::from_millis(milliseconds))
}

fn freshness_chart(view: &Health) -> Chart {
    let of = |pick: fn(&FreshnessBucket) -> Option<Duration>| {
        view.freshness
            .iter()
            .map(|bucket| pick(bucket).map(milliseconds))
            .collect()
    };
    let worst = view.freshness.iter().filter_map(|bucket| bucket.p99).max();
    Chart {
        id: "freshness",
        title: "From Salesforce to HubSpot".to_owned(),
        summary: match worst {
            Some(worst) => format!("The slowest stretch had a p99 of {}.", duration(worst)),
            None => "No change was carried in this time.".to_owned(),
        },
        times: view.freshness.iter().map(|bucket| bucket.time.clone()).collect(),
        unit: as_duration,
        series: vec![
            Series {
                name: "p99".to_owned(),
                tone: Tone::Four,
                values: of(|bucket| bucket.p99),
            },
            Series {
                name: "half of them".to_owned(),
                tone: Tone::One,
                values: of(|bucket| bucket.median),
            },
        ],
        bound: view.bound.map(|bound| Band {
            name: format!("alert beyond {}", duration(bound)),
            value: milliseconds(bound),
        }),
    }
}

fn failures(shell: &Shell, tenant: &TenantId, groups: &[FailureGroup]) -> Markup {
    if groups.is_empty() {
        return html! { div.banner.good { (icon(Icon::Good)) p { strong { "No record is refused. " } "A record that HubSpot refuses is listed here until it succeeds." } } };
    }
    let mut table = Table::new("Refused records, by reason")
        .column("Reason")
        .numbers("Records")
        .column("Syncs")
        .column("Latest")
        .controls("Actions");
    for group in groups {
        let (title, cure) = category_words(group.category);
        let word = group.category.as_str();
        table.row(vec![
            cell(html! { a href={ (paths::failures(tenant)) "?category=" (word) } { (title) } br; span.quiet { (cure) } }),
            number(group.count),
            group.syncs.iter().map(SyncName::as_str).collect::<Vec<_>>().join(", ").into(),
            ago(shell.now, group.latest).into(),
            cell(html! {
                @if shell.may(Role::Operator) {
                    (shell.button(&format!("{}/retry", paths::failures(tenant)), "Retry all", "small", &[("category", word)]))
                }
            }),
        ]);
    }
    table.show()
}
