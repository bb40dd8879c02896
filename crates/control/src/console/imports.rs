//! Imports: the table, and one import.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::ImportStatus;
use landbridge_model::{ImportId, LinkOutcome, Outcome, TenantId};
use maud::{Markup, html};

use super::parts::{
    self, Icon, Paging, Table, ago, badge, cell, count, decimal, duration, empty, icon, moment, pager,
    percent, progress,
};
use super::{Content, Role, Shell, paths};

/// What the table shows.
#[derive(Clone, Debug)]
pub struct Imports {
    /// The newest first.
    pub rows: Vec<ImportRow>,
    /// Where in the list.
    pub paging: Paging,
    /// The path of the events that move the bars; `None` when nothing runs.
    pub events: Option<String>,
}

/// One import.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// How it stands.
    pub status: ImportStatus,
    /// Labels of the objects: Salesforce's and HubSpot's.
    pub objects: (String, String),
}

impl ImportRow {
    fn settled(&self) -> u64 {
        self.status.outcomes.iter().map(|(_, number)| number).sum()
    }

    fn total(&self) -> Option<u64> {
        self.status
            .salesforce_total
            .map(|total| total.max(self.settled()))
    }

    fn of(&self, outcome: Outcome) -> u64 {
        self.status
            .outcomes
            .iter()
            .filter(|(known, _)| *known == outcome)
            .map(|(_, number)| number)
            .sum()
    }

    fn failed(&self) -> u64 {
        let links = self
            .status
            .links
            .iter()
            .filter(|(outcome, _)| *outcome == LinkOutcome::Failed);
        self.of(Outcome::Failed) + links.map(|(_, number)| number).sum::<u64>()
    }

    fn is_over(&self) -> bool {
        self.status.ended_ms.is_some()
    }

    /// How long it will still take, when that can be told.
    fn remaining(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.status.remaining_seconds?).ok()
    }

    /// How long it took, if it is over.
    fn took(&self) -> Option<Duration> {
        let milliseconds = self.status.ended_ms? - self.status.started_ms;
        Some(Duration::from_millis(milliseconds.try_into().unwrap_or(0)))
    }

    /// Records a second: lately, or of all the time that it took.
    fn rate(&self) -> Option<f64> {
        let rate = match self.took() {
            Some(took) => self.settled() as f64 / took.as_secs_f64().max(1.0),
            None => self.status.rate,
        };
        (rate > 0.0).then_some(rate)
    }
}

fn time_of(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}

fn state_badge(state: &str) -> Markup {
    match state {
        "Completed" => badge("good", Icon::Good, state),
        "Undone" => badge("good", Icon::Good, state),
        "Running" | "Counting" | "Undoing" => badge("live", Icon::Import, state),
        "Paused" => badge("attention", Icon::Pause, state),
        "Completed with errors" => badge("attention", Icon::Attention, state),
        "Failed" => badge("bad", Icon::Bad, state),
        _ => badge("unknown", Icon::Unknown, state),
    }
}

/// The table's page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<Imports>) -> Markup {
    let body = html! {
        div.page-head {
            div { ol.crumbs { li { "Import" } li { "Integrations" } li { "Salesforce" } li { "Custom objects" } } h1 { "Imports" } p.quiet { "Bring records that exist already. What changes meanwhile is carried as well." } }
            @if shell.may(Role::Operator) { div.actions { a.button.primary href=(paths::new_import(tenant)) { (icon(Icon::Import)) "Start an import" } } }
        }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document(&format!("Imports of {tenant}"), &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &Imports) -> Markup {
    if view.rows.is_empty() {
        return empty(
            Icon::Import,
            "Nothing has been imported",
            "An import carries the records that exist already. A sync that is turned on carries only what is created or changed from then on.",
            &html! { @if shell.may(Role::Operator) { a.button.primary href=(paths::new_import(tenant)) { "Start an import" } } },
        );
    }
    html! {
        div data-live=[view.events.as_deref()] { (table(shell, tenant, &view.rows).show()) }
        (pager(&view.paging, "imports"))
    }
}

fn table(shell: &Shell, tenant: &TenantId, rows: &[ImportRow]) -> Table {
    let mut table = Table::new("Imports")
        .hidden_caption()
        .column("Import")
        .column("State")
        .column("Progress")
        .column("Outcomes")
        .numbers("Records a second")
        .column("Remaining")
        .column("Started");
    for row in rows {
        table.live_row(
            format!("import-{}", row.status.id),
            vec![
                cell(html! { (row.status.sync) br; span.quiet { (row.objects.0) " → " (row.objects.1) } br; a href=(paths::import(tenant, &row.status.id)) { (row.status.id) } }),
                cell(html! { (state_badge(&row.status.state)) @if let Some(before) = row.status.waits_for.first() { br; span.quiet { "after " (before) } } }),
                cell(bar(row)),
                cell(tallies(&row.status)),
                cell(html! { @match row.rate() { Some(rate) => (decimal(rate)), None => span.quiet { "–" } } }),
                cell(remaining(row)),
                cell(html! { (ago(shell.now, time_of(row.status.started_ms))) @if !row.status.started_by.is_empty() { br; span.quiet { "by " (row.status.started_by) } } }),
            ],
        );
    }
    table
}

/// The rows by themselves: what an event of the imports' page carries.
pub fn live_rows(shell: &Shell, tenant: &TenantId, rows: &[ImportRow]) -> Markup {
    table(shell, tenant, rows).lines()
}

fn bar(row: &ImportRow) -> Markup {
    if row.is_over() {
        return html! { span.numeric { (count(row.settled())) " records" } };
    }
    progress(
        &format!("Records settled by {}", row.status.id),
        row.settled(),
        row.total(),
    )
}

/// What became of its records and links, without what became of none.
fn tallies(status: &ImportStatus) -> Markup {
    let records = || status.outcomes.iter().filter(|(_, number)| *number > 0);
    let links = || status.links.iter().filter(|(_, number)| *number > 0);
    if records().next().is_none() && links().next().is_none() {
        return html! { span.quiet { "none yet" } };
    }
    html! {
        ul.tallies {
            @for (outcome, number) in records() {
                li.bad[*outcome == Outcome::Failed].attention[*outcome == Outcome::Held] { (count(*number)) " " (outcome) }
            }
            @for (outcome, number) in links() {
                li.quiet[*outcome != LinkOutcome::Failed].bad[*outcome == LinkOutcome::Failed] { (count(*number)) " " (link_words(*outcome)) }
            }
        }
    }
}

/// Links beside records: those that a record's outcome goes by the name of are told apart.
fn link_words(outcome: LinkOutcome) -> &'static str {
    match outcome {
        LinkOutcome::Linked => "linked",
        LinkOutcome::Unlinked => "unlinked",
        LinkOutcome::Parked => "links parked",
        LinkOutcome::Failed => "links failed",
    }
}

fn remaining(row: &ImportRow) -> Markup {
    html! {
        @match (row.took(), row.remaining()) {
            (Some(took), _) => span.quiet { "took " (duration(took)) },
            (None, Some(remaining)) => { "about " (duration(remaining)) }
            (None, None) => span.quiet { "not known yet" },
        }
    }
}

/// What one import's page shows.
#[derive(Clone, Debug)]
pub struct ImportDetail {
    /// The import.
    pub row: ImportRow,
    /// Whether a person paused it.
    pub is_paused: bool,
    /// The import that it goes on with.
    pub continues: Option<ImportId>,
    /// The import that goes on with it.
    pub continued_by: Option<ImportId>,
    /// The path of its events; `None` when it is over.
    pub events: Option<String>,
}

/// One import's page.
pub fn detail_page(shell: &Shell, tenant: &TenantId, content: &Content<ImportDetail>) -> Markup {
    let body = html! {
        @match content {
            Ok(view) => {
                div.page-head {
                    div {
                        ol.crumbs { li { a href=(paths::imports(tenant)) { "Imports" } } li { (view.row.status.id) } }
                        h1 { (view.row.objects.0) " → " (view.row.objects.1) }
                        p.quiet { "Started " (moment(time_of(view.row.status.started_ms))) @if !view.row.status.started_by.is_empty() { " by " (view.row.status.started_by) } ", for " a href=(paths::sync(tenant, &view.row.status.sync)) { (view.row.status.sync) } " " (view.row.status.revision) }
                    }
                    (buttons(shell, tenant, view))
                }
                @if let Some(before) = &view.continues { p.quiet { "Goes on where " a href=(paths::import(tenant, before)) { (before) } " stopped; what that one read is counted there." } }
                @if let Some(next) = &view.continued_by { div.banner { (icon(Icon::Import)) p { "This import stopped before its end. " a href=(paths::import(tenant, next)) { (next) } " goes on where it was." } } }
                div.stack.wide data-live=[view.events.as_deref()] { (live_detail(tenant, &view.row)) (undo(shell, tenant, view)) }
            }
            Err(trouble) => {
                div.page-head { div { ol.crumbs { li { a href=(paths::imports(tenant)) { "Imports" } } } h1 { "Import" } } }
                (parts::failed(trouble))
            }
        }
    };
    shell.document("Import", &body)
}

fn buttons(shell: &Shell, tenant: &TenantId, view: &ImportDetail) -> Markup {
    let row = &view.row;
    let path = paths::import(tenant, &row.status.id);
    let has_stopped = matches!(row.status.state.as_str(), "Canceled" | "Failed");
    let can_go_on = has_stopped && view.continued_by.is_none();
    html! {
        div.actions #import-actions {
            @if row.failed() > 0 { a.button href=(paths::import_errors(tenant, &row.status.id)) { "Download errors (CSV)" } }
            @if shell.may(Role::Operator) {
                @if !row.is_over() && !has_stopped {
                    @if view.is_paused { (shell.button(&format!("{path}/resume"), "Resume", "primary", &[])) }
                    @else { (shell.button(&format!("{path}/pause"), "Pause", "", &[])) }
                    (shell.button(&format!("{path}/cancel"), "Cancel import", "danger", &[]))
                } @else if can_go_on { (shell.button(&format!("{path}/resume"), "Resume where it was", "primary", &[])) }
            }
        }
    }
}

/// What an event of an import's page carries: what moves, and what can be done about it now.
pub fn live_parts(shell: &Shell, tenant: &TenantId, view: &ImportDetail) -> Markup {
    html! { (buttons(shell, tenant, view)) (live_detail(tenant, &view.row)) (undo(shell, tenant, view)) }
}

/// How the import can be undone, or how that goes.
fn undo(shell: &Shell, tenant: &TenantId, view: &ImportDetail) -> Markup {
    let status = &view.row.status;
    let has_stopped = view.row.is_over() || matches!(status.state.as_str(), "Canceled" | "Failed");
    html! {
        div #import-undo {
            @match &status.undo {
                Some(undo) => div.card {
                    h2 { @if undo.ended_ms.is_some() { "Undone" } @else { "Being undone" } }
                    p.quiet { "Begun " (moment(time_of(undo.began_ms))) " by " (undo.by) @if let Some(ended) = undo.ended_ms { ", ended " (moment(time_of(ended))) } "." }
                    dl.figures {
                        div { dt { "Put back" } dd { (count(undo.counts.restored)) } }
                        div { dt { "Archived" } dd { (count(undo.counts.archived)) } }
                        div { dt { "Associations" } dd { (count(undo.counts.links)) } }
                        div.attention[undo.counts.left > 0] { dt { "Left" } dd { (count(undo.counts.left)) } }
                    }
                    @if let Some(trouble) = &undo.trouble { div.banner.attention { (icon(Icon::Attention)) p { "It does not go on at the moment: " (trouble) ". It is tried again." } } }
                    @if undo.counts.left > 0 {
                        p { "What was changed since the import stays as it is. " a href=(paths::import_left(tenant, &status.id)) { "Download what was left (CSV)" } }
                    }
                    @if undo.ended_ms.is_some() { p.quiet { "The sync stands still until it is resumed. Its next import writes every record again." } }
                },
                None if status.keeps_before && has_stopped && shell.may(Role::Operator) => details.card {
                    summary { "Undo this import …" }
                    p { "Its sync is paused first. Then every value that still is what the import wrote becomes what it was before; records that the import made and nobody touched are archived; associations are as they were. What was changed since stays, and is listed." }
                    div.actions { (shell.button(&format!("{}/undo", paths::import(tenant, &status.id)), "Undo the import", "danger", &[])) }
                },
                None => {}
            }
        }
    }
}

fn live_detail(tenant: &TenantId, row: &ImportRow) -> Markup {
    let status = &row.status;
    html! {
        section.card #import-progress aria-label="Progress" {
            div.card-head {
                (state_badge(&status.state))
                span.quiet.numeric {
                    @if !row.is_over() { (decimal(status.rate)) " records a second" }
                    @if let Some(took) = row.took() { "Took " (duration(took)) }
                }
            }
            div.progress.large { (progress("Records settled", row.settled(), row.total())) }
            p {
                (count(row.settled())) @if let Some(total) = row.total() { " of " (count(total)) } " records settled"
                @if status.in_flight > 0 { ", " (count(status.in_flight)) " on their way" }
                @if let Some(remaining) = row.remaining() { ", about " (duration(remaining)) " left" }
                "."
            }
            // Told to screen readers in steps of ten percent, not with every record.
            p.hidden aria-live="polite" { (status.state) @if let Some(total) = row.total() { ", " (percent(row.settled(), total) / 10 * 10) " percent" } }
            @if let Some(reason) = &status.reason { div.banner.attention { (icon(Icon::Attention)) p { (reason) } } }
            @if !status.waits_for.is_empty() {
                p { "Waits until " @for (place, before) in status.waits_for.iter().enumerate() { @if place > 0 { " and " } a href=(paths::import(tenant, before)) { (before) } } " " (if status.waits_for.len() == 1 { "has" } else { "have" }) " been read: its records look theirs up." }
                p.quiet { "It waits for nothing that stands still. When you pause or cancel the other, this one begins." }
            }
            @if status.state == "Paused" { p.quiet { "Imports that were to come after this one begin without it. Links to records that are not there yet are made when they come." } }
            @if status.unaccounted != 0 {
                div.banner.bad role="alert" { (icon(Icon::Bad)) p { strong { (status.unaccounted) " records are unaccounted for. " } "They were extracted, and neither settled nor are they on their way. This is a fault of Landbridge: please report it with the logs of control." } }
            }
        }
        dl.figures #import-outcomes {
            @for (outcome, number) in &status.outcomes {
                div.bad[*outcome == Outcome::Failed && *number > 0].attention[*outcome == Outcome::Held && *number > 0] { dt { (outcome) } dd { (count(*number)) } }
            }
        }
        section.card #import-links aria-labelledby="links-title" {
            h2 #links-title { "Links" }
            @if status.links.iter().all(|(_, number)| *number == 0) { p.quiet { "No lookup of these records became an association." } }
            @else {
                dl.facts { @for (outcome, number) in &status.links { div { dt { (outcome) } dd { (count(*number)) } } } }
                @if status.links.iter().any(|(outcome, number)| *outcome == LinkOutcome::Parked && *number > 0) {
                    p.quiet { "Parked links wait for the record at their other end, and are made when it comes. They do not hold the import open. " a href=(paths::health(tenant)) { "See what waits" } }
                }
            }
        }
        @if row.failed() > 0 {
            div.banner.attention #import-failures {
                (icon(Icon::Attention))
                p { (count(row.failed())) " records or links were refused. They stay listed until they succeed." }
                div.actions { a.button.small href={ (paths::failures(tenant)) "?sync=" (status.sync) } { "See why, and retry" } }
            }
        }
    }
}
