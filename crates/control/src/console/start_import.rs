//! Starting imports: choose objects, see counts, calls and duration, start.

use std::time::Duration;

use landbridge_model::{SyncName, TenantId};
use maud::{Markup, html};

use super::parts::{self, Icon, Table, cell, check, count, duration, empty, icon, submit};
use super::{Content, Shell, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct StartImport {
    /// The syncs, parents first: the order in which they would run.
    pub syncs: Vec<Importable>,
    /// The sum over those that are chosen.
    pub chosen: Option<Estimate>,
    /// Whether records that HubSpot already has are written again.
    pub overwrite: bool,
    /// Whether what is there is kept before it is written over.
    pub keep_before: bool,
    /// What was wrong with the last attempt.
    pub trouble: Option<super::Trouble>,
}

/// A sync that could be imported.
#[derive(Clone, Debug)]
pub struct Importable {
    /// Its name.
    pub name: SyncName,
    /// Labels of the objects: Salesforce's and HubSpot's.
    pub objects: (String, String),
    /// Whether it is chosen.
    pub is_chosen: bool,
    /// What it would take; an error is told in words.
    pub estimate: Result<Estimate, String>,
    /// Why it cannot be imported now, such as an import that runs already.
    pub blocked: Option<String>,
    /// Parents that are imported before it when they are chosen as well.
    pub after: Vec<SyncName>,
    /// Whether the sync's filter leaves records out.
    pub is_filtered: bool,
}

/// What an import takes.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// Records, counted in Salesforce with the filter applied.
    pub records: u64,
    /// Calls to Salesforce.
    pub salesforce_calls: u64,
    /// Calls to HubSpot.
    pub hubspot_calls: u64,
    /// Calls to HubSpot more when what is there is kept before it is written over.
    pub before_calls: u64,
    /// How long at the portal's limits, when these are known.
    pub takes: Option<Duration>,
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<StartImport>) -> Markup {
    let body = html! {
        div.page-head { div { ol.crumbs { li { a href=(paths::imports(tenant)) { "Imports" } } li { "Custom objects" } } h1 { "Start an import" } p.quiet { "Choose one object or several. They run parents first, so that associations find the record at their other end." } } }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document("Start an import", &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &StartImport) -> Markup {
    if view.syncs.is_empty() {
        return empty(
            Icon::Import,
            "There is nothing to import yet",
            "An import carries the records of a synced object. Sync an object first; a draft can be imported as well.",
            &html! { a.button.primary href=(paths::new_sync(tenant)) { "Sync custom object" } },
        );
    }
    html! {
        @if let Some(trouble) = &view.trouble { (parts::trouble(trouble)) }
        form.wizard method="post" action=(paths::new_import(tenant)) data-check {
            input type="hidden" name=(super::fields::CSRF) value=(shell.csrf);
            (table(view))
            div.card data-refresh="total" aria-live="polite" { (total(view)) }
            div.card {
                (check("overwrite", "on", &html! { "Write again even what HubSpot already has" br; span.quiet { "Puts right values that somebody changed in HubSpot. Costs a call for every record." } }, view.overwrite, false))
                (check("keep-before", "on", &html! { "Keep what is there before it is written over" br; span.quiet { "The import can then be undone: values that nobody changed since come back, and records that it made go. " @match view.chosen { Some(estimate) => { "Costs " (count(estimate.before_calls)) " calls to HubSpot more." }, None => "Costs a call to HubSpot for every 100 records." } } }, view.keep_before, false))
            }
            div.wizard-foot {
                p.quiet data-check-status data-refresh="status" { }
                div.actions {
                    a.button.quiet href=(paths::imports(tenant)) { "Back" }
                    (submit("Reckon again", "check", ""))
                    (submit("Start import", "start", "primary"))
                }
            }
        }
    }
}

fn table(view: &StartImport) -> Markup {
    let mut table = Table::new("Objects")
        .hidden_caption()
        .controls("Choose")
        .column("Object")
        .numbers("Records")
        .numbers("Salesforce calls")
        .numbers("HubSpot calls")
        .column("Takes about");
    for sync in &view.syncs {
        let label = html! { span.hidden { "Import " (sync.name) } };
        let mut cells = vec![
            cell(check(
                "sync",
                sync.name.as_str(),
                &label,
                sync.is_chosen && sync.blocked.is_none(),
                sync.blocked.is_some(),
            )),
            cell(html! {
                (sync.objects.0) " → " (sync.objects.1)
                @if sync.is_filtered { br; span.quiet { "filtered" } }
                @if !sync.after.is_empty() { br; span.quiet { "after " @for (place, parent) in sync.after.iter().enumerate() { @if place > 0 { ", " } (parent) } } }
                @if let Some(reason) = &sync.blocked { p.reason { (icon(Icon::Lock)) (reason) } }
            }),
        ];
        match &sync.estimate {
            Ok(estimate) => cells.extend([
                parts::number(estimate.records),
                parts::number(estimate.salesforce_calls),
                parts::number(estimate.hubspot_calls),
                takes(estimate.takes).into(),
            ]),
            Err(reason) => cells.extend([
                cell(html! { span.quiet { "not counted" } }),
                "–".into(),
                "–".into(),
                cell(html! { span.quiet { (reason) } }),
            ]),
        }
        table.row(cells);
    }
    table.show()
}

fn takes(length: Option<Duration>) -> String {
    // Reckoned from limits: below a second it says nothing.
    let seconds = length
        .map(|length| Duration::from_secs(length.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)));
    seconds.map_or_else(|| "not known yet".to_owned(), duration)
}

fn total(view: &StartImport) -> Markup {
    html! {
        @match &view.chosen {
            None => p.quiet { "Choose an object to see what its import takes." },
            Some(estimate) => {
                dl.facts {
                    div { dt { "Records in total" } dd { strong { (count(estimate.records)) } } }
                    div { dt { "Calls to Salesforce" } dd { strong { (count(estimate.salesforce_calls)) } } }
                    div { dt { "Calls to HubSpot, at most" } dd { strong { (count(estimate.hubspot_calls)) } } }
                    @if view.keep_before { div { dt { "More, to keep what is there" } dd { strong { (count(estimate.before_calls)) } } } }
                    div { dt { "Takes about" } dd { strong { (takes(estimate.takes)) } } }
                }
            }
        }
    }
}
