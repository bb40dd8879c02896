//! The result of a dry run: what would happen to each record, with what was read and nothing written.

mod build;

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::CallCount;
use landbridge_model::{Failure, HubSpotId, SalesforceId, TenantId};
use maud::{Markup, html};

use crate::console::parts::{self, Icon, Paging, ago, badge, bytes_as_text, count, duration, icon, pager};
use crate::console::{Shell, Trouble, paths};

pub use self::build::{prediction, record};

/// Where a dry run stands.
#[derive(Clone, Debug)]
pub enum DryRun {
    /// None was made of this definition.
    None {
        /// Records in Salesforce, when they could be counted.
        records: Option<u64>,
    },
    /// One is running.
    Running {
        /// What it is doing, in words.
        phase: String,
        /// Records compared so far.
        compared: u64,
        /// Of so many, when that is known.
        of: Option<u64>,
        /// The path of its events, for the script.
        events: String,
    },
    /// It is done.
    Done(Box<Prediction>),
    /// It ended without a result.
    Failed(Trouble),
}

/// What would happen to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WouldBe {
    /// HubSpot would get a record.
    Created,
    /// HubSpot's record would take other values.
    Updated,
    /// HubSpot's record has the values already.
    Unchanged,
    /// The filter leaves it out.
    Filtered,
    /// HubSpot's record would be archived.
    Deleted,
    /// It would be refused.
    Refused,
    /// It cannot be said.
    Unpredictable,
}

impl WouldBe {
    /// Every one, in the order of the totals.
    pub const ALL: [Self; 7] = [
        Self::Created,
        Self::Updated,
        Self::Unchanged,
        Self::Filtered,
        Self::Deleted,
        Self::Refused,
        Self::Unpredictable,
    ];

    /// The word in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Filtered => "filtered",
            Self::Deleted => "deleted",
            Self::Refused => "refused",
            Self::Unpredictable => "unpredictable",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Created => "would be created",
            Self::Updated => "would be updated",
            Self::Unchanged => "would stay as they are",
            Self::Filtered => "filtered out",
            Self::Deleted => "would be deleted",
            Self::Refused => "would be refused",
            Self::Unpredictable => "cannot be predicted",
        }
    }

    fn badge(self) -> Markup {
        match self {
            Self::Created => badge("good", Icon::Plus, "Create"),
            Self::Updated => badge("live", Icon::Draft, "Update"),
            Self::Unchanged => badge("unknown", Icon::Good, "No change"),
            Self::Filtered => badge("unknown", Icon::Search, "Filtered"),
            Self::Deleted => badge("attention", Icon::Attention, "Delete"),
            Self::Refused => badge("bad", Icon::Bad, "Refused"),
            Self::Unpredictable => badge("attention", Icon::Unknown, "Unpredictable"),
        }
    }
}

/// What a dry run found.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// When it ended.
    pub at: Timestamp,
    /// Records it looked at.
    pub looked_at: u64,
    /// Records that there are; more than were looked at for a sample.
    pub records: u64,
    /// Records by what would happen. What cannot be predicted is among them, never left out.
    pub totals: Vec<(WouldBe, u64)>,
    /// Links: would be made, stand already, would wait for their parent, would be refused, in words with counts.
    pub links: Vec<(String, u64)>,
    /// Only these are listed.
    pub shown: Option<WouldBe>,
    /// The records of this page of the list.
    pub list: Vec<PredictedRecord>,
    /// Where in the list.
    pub paging: Paging,
    /// What cannot be predicted, and why.
    pub unpredictable: Vec<Unpredictable>,
    /// Calls that an import would make to Salesforce.
    pub salesforce_calls: Vec<CallCount>,
    /// Calls that an import would make to HubSpot.
    pub hubspot_calls: Vec<CallCount>,
    /// What the numbers of calls leave out.
    pub cost_notes: Vec<String>,
    /// How long an import takes at the limits, when they are known.
    pub takes: Option<Duration>,
    /// What bounds it, such as "HubSpot's limits".
    pub bounded_by: String,
    /// What would be created in HubSpot first, as sentences.
    pub would_create: Vec<String>,
}

/// One record.
#[derive(Clone, Debug)]
pub struct PredictedRecord {
    /// The Salesforce record.
    pub id: SalesforceId,
    /// Its name.
    pub name: String,
    /// The HubSpot record, when there is one.
    pub hubspot_id: Option<HubSpotId>,
    /// What would happen.
    pub would_be: WouldBe,
    /// Properties that would change.
    pub changes: Vec<Change>,
    /// Links that would be made or removed, as sentences.
    pub links: Vec<PredictedLink>,
    /// Why it would be refused.
    pub refusal: Option<Failure>,
    /// For what is filtered or cannot be predicted: why.
    pub reason: Option<String>,
}

/// One property, before and after.
#[derive(Clone, Debug)]
pub struct Change {
    /// The property.
    pub property: String,
    /// What HubSpot has; `None` is empty.
    pub before: Option<String>,
    /// What it would have; `None` is empty.
    pub after: Option<String>,
}

/// One link.
#[derive(Clone, Debug)]
pub struct PredictedLink {
    /// The lookup field.
    pub field: String,
    /// What would happen, as a sentence.
    pub what: String,
    /// Whether it would wait for its parent.
    pub waits: bool,
}

/// Something that cannot be predicted.
#[derive(Clone, Debug)]
pub struct Unpredictable {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// How many records it concerns, when that is known.
    pub records: Option<u64>,
}

/// The dry run's part of the preview. `path` is the page's own.
pub fn section(shell: &Shell, tenant: &TenantId, path: &str, dry_run: &DryRun, ready: bool) -> Markup {
    html! {
        section.stack #dry-run aria-labelledby="dry-run-title" {
            div.card-head {
                h2 #dry-run-title { "Dry run on real records" }
                @if let DryRun::Done(prediction) = dry_run { span.quiet { "Made " (ago(shell.now, prediction.at)) } }
            }
            @match dry_run {
                DryRun::None { records } => (offer(shell, path, *records, ready)),
                DryRun::Running { phase, compared, of, events } => (running(shell, path, phase, *compared, *of, events)),
                DryRun::Done(prediction) => { (result(tenant, path, prediction)) (again(shell, path, ready)) }
                DryRun::Failed(trouble) => { (parts::trouble(trouble)) (again(shell, path, ready)) }
            }
        }
    }
}

fn offer(shell: &Shell, path: &str, records: Option<u64>, ready: bool) -> Markup {
    html! {
        div.card {
            p { "See what would be created, updated field by field, linked and refused, with the calls and the time that it takes. Records are read on both sides; " strong { "nothing is written" } "." }
            @if ready { (buttons(shell, path, records)) } @else { p.reason { (icon(Icon::Lock)) "Put the errors right first: a dry run takes the same road as the sync." } }
        }
    }
}

fn buttons(shell: &Shell, path: &str, records: Option<u64>) -> Markup {
    let target = format!("{path}/dry-run");
    html! {
        div.actions {
            (shell.button(&target, "Try a sample of 200", "primary", &[("scope", "sample")]))
            @match records {
                Some(records) => (shell.button(&target, &format!("Try all {}", count(records)), "", &[("scope", "all")])),
                None => (shell.button(&target, "Try all records", "", &[("scope", "all")])),
            }
        }
    }
}

fn again(shell: &Shell, path: &str, ready: bool) -> Markup {
    html! { @if ready { (buttons(shell, path, None)) } }
}

fn running(shell: &Shell, path: &str, phase: &str, compared: u64, of: Option<u64>, events: &str) -> Markup {
    html! {
        div.card #dry-run-progress data-live=(events) {
            p aria-live="polite" { (phase) ". Nothing is written." }
            div.progress.large { (parts::progress("Records compared", compared, of)) }
            p.quiet { (count(compared)) @if let Some(of) = of { " of " (count(of)) } " records compared" }
            (shell.button(&format!("{path}/dry-run/cancel"), "Stop", "", &[]))
            p.hint { "You may leave this page; the result waits here." }
        }
    }
}

fn result(tenant: &TenantId, path: &str, prediction: &Prediction) -> Markup {
    let is_sample = prediction.looked_at < prediction.records;
    html! {
        p {
            @if is_sample { "Of a sample of " (count(prediction.looked_at)) " of " (count(prediction.records)) " records:" }
            @else { "Of all " (count(prediction.records)) " records:" }
        }
        dl.figures {
            @for (kind, number) in &prediction.totals {
                div.bad[*kind == WouldBe::Refused && *number > 0].attention[matches!(kind, WouldBe::Unpredictable | WouldBe::Deleted) && *number > 0] {
                    dt { (kind.words()) } dd { (count(*number)) }
                }
            }
        }
        @if !prediction.would_create.is_empty() {
            section.card { h3 { "Created in HubSpot first" } ul.plain-list { @for line in &prediction.would_create { li.map-line.note { (icon(Icon::Plus)) span { (line) } } } } }
        }
        (unpredictable(prediction))
        (cost(prediction, is_sample))
        (list(tenant, path, prediction))
    }
}

fn unpredictable(prediction: &Prediction) -> Markup {
    html! {
        @if !prediction.unpredictable.is_empty() {
            div.banner.attention {
                (icon(Icon::Unknown))
                div {
                    p { strong { "What cannot be predicted" } }
                    ul.plain-list {
                        @for item in &prediction.unpredictable {
                            li {
                                (item.what) @if let Some(records) = item.records { " (" (count(records)) " records)" }
                                @if !item.why.is_empty() { ": " (item.why) } "."
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cost(prediction: &Prediction, is_sample: bool) -> Markup {
    let side = |title: &str, calls: &[CallCount]| {
        let total: u64 = calls.iter().map(|family| family.calls).sum();
        html! {
            div {
                dt { (title) }
                dd {
                    strong { (count(total)) } " calls"
                    @if !calls.is_empty() { br; span.quiet { @for (place, family) in calls.iter().enumerate() { @if place > 0 { ", " } (count(family.calls)) " " (family.family) } } }
                }
            }
        }
    };
    html! {
        div.cards-row {
            section.card {
                h3 { "What an import of all records costs" @if is_sample { span.quiet { " (reckoned from the sample)" } } }
                dl.facts {
                    (side("To Salesforce", &prediction.salesforce_calls))
                    (side("To HubSpot", &prediction.hubspot_calls))
                    @if let Some(takes) = prediction.takes {
                        div { dt { "Time" } dd { strong { "about " (duration(takes)) } br; span.quiet { "at " (prediction.bounded_by) } } }
                    }
                }
                @for note in &prediction.cost_notes { p.hint { (note) } }
            }
            section.card {
                h3 { "Links" }
                @if prediction.links.is_empty() { p.quiet { "No lookup becomes an association." } }
                @else { dl.facts { @for (what, number) in &prediction.links { div { dt { (what) } dd { strong { (count(*number)) } } } } } }
            }
        }
    }
}

fn list(tenant: &TenantId, path: &str, prediction: &Prediction) -> Markup {
    html! {
        nav.tabs aria-label="Records by what would happen" {
            ul {
                li { a href={ (path) "#dry-run" } aria-current=[prediction.shown.is_none().then_some("true")] { "All" } }
                @for (kind, number) in prediction.totals.iter().filter(|(_, number)| *number > 0) {
                    li { a href={ (path) "?show=" (kind.as_str()) "#dry-run" } aria-current=[(prediction.shown == Some(*kind)).then_some("true")] {
                        (kind.words()) " " span.quiet { (count(*number)) }
                    } }
                }
            }
        }
        div.list-card {
            @if prediction.list.is_empty() { p.add-row.quiet { "No record is in this list." } }
            @for record in &prediction.list { (one(tenant, record)) }
        }
        (pager(&prediction.paging, "records"))
    }
}

fn one(tenant: &TenantId, record: &PredictedRecord) -> Markup {
    html! {
        details.predicted open[record.refusal.is_some()] {
            summary {
                span.two-names { @if !record.name.is_empty() { span { (record.name) } } code { (record.id) } }
                (record.would_be.badge())
            }
            div.predicted-body {
                @if let Some(failure) = &record.refusal {
                    div.banner.bad {
                        (icon(Icon::Bad))
                        p {
                            strong { (failure.message) }
                            @if let Some(property) = &failure.property { " Property " code { (property) } "." }
                            @if let Some(value) = &failure.value { " Value " (bytes_as_text(Some(value))) "." }
                        }
                    }
                }
                @if let Some(reason) = &record.reason { p { (reason) } }
                @if !record.changes.is_empty() { (changes(record)) }
                @for link in &record.links {
                    p.map-line { (icon(if link.waits { Icon::Pause } else { Icon::Arrow })) code { (link.field) } span { (link.what) } }
                }
                p.actions {
                    a href=(paths::record(tenant, &record.id)) { "The story of this record" }
                    @if let Some(hubspot) = record.hubspot_id { span.quiet { "HubSpot record " code { (hubspot) } } }
                }
            }
        }
    }
}

fn changes(record: &PredictedRecord) -> Markup {
    html! {
        div role="list" aria-label={ "Properties of " @if record.name.is_empty() { (record.id) } @else { (record.name) } } {
            @for change in &record.changes {
                div.change role="listitem" {
                    code { (change.property) }
                    @if record.would_be == WouldBe::Created { span {} } @else { del { span.hidden { "before: " } (bytes_as_text(change.before.as_deref())) } }
                    (icon(Icon::Arrow))
                    ins { span.hidden { "after: " } (bytes_as_text(change.after.as_deref())) }
                }
            }
        }
    }
}
