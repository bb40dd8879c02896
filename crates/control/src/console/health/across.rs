//! Sync health across tenants: the worst first.

use std::time::Duration;

use landbridge_model::TenantId;
use maud::{Markup, html};

use crate::console::parts::{
    self, Health, Icon, Paging, Table, cell, count, duration, health_badge, number, pager,
};
use crate::console::{Content, Shell, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct AllHealth {
    /// The worst first.
    pub rows: Vec<TenantHealth>,
    /// Where in the list.
    pub paging: Paging,
    /// Records carried in the last hour, over all.
    pub carried: u64,
    /// Records refused now, over all.
    pub failures: u64,
    /// Syncs that are suspended, over all.
    pub suspended: u64,
    /// Deletes that wait for a person, over all.
    pub held: u64,
}

/// One tenant.
#[derive(Clone, Debug)]
pub struct TenantHealth {
    /// Which one.
    pub id: TenantId,
    /// How it stands.
    pub health: Health,
    /// The worst thing about it, as a sentence; empty when all is well.
    pub note: String,
    /// The furthest that one of its syncs is behind.
    pub behind: Option<Duration>,
    /// p99 of the last day.
    pub p99: Option<Duration>,
    /// Messages that wait.
    pub backlog: u64,
    /// Links that wait.
    pub parked: u64,
    /// Records that are refused.
    pub failures: u64,
    /// Deletes that wait for a person.
    pub held: u64,
    /// Percent of the day's calls that are used: Salesforce, HubSpot.
    pub calls: (Option<u64>, Option<u64>),
}

/// The page.
pub fn page(shell: &Shell, content: &Content<AllHealth>) -> Markup {
    let body = html! {
        div.page-head { div { h1 { "Sync health" } p.quiet { "All tenants, the worst first." } } }
        (parts::loaded(content, inner))
    };
    shell.document("Sync health", &body)
}

fn inner(view: &AllHealth) -> Markup {
    if view.rows.is_empty() {
        return parts::empty(
            Icon::Pulse,
            "No tenant yet",
            "As soon as a tenant is connected, this page tells how it stands.",
            &html! { a.button href=(paths::TENANTS) { "To the tenants" } },
        );
    }
    let mut table = Table::new("Health by tenant")
        .hidden_caption()
        .column("Tenant")
        .column("Health")
        .numbers("Behind")
        .numbers("p99, 24 h")
        .numbers("Backlog")
        .numbers("Parked links")
        .numbers("Refused")
        .numbers("Held")
        .column("Calls used");
    let length = |length: Option<Duration>| {
        cell(html! { @match length { Some(length) => (duration(length)), None => span.quiet { "–" } } })
    };
    let share = |share: Option<u64>| html! { @match share { Some(share) => { (share) " %" }, None => "–" } };
    for row in &view.rows {
        table.row(vec![
            cell(html! { a href=(paths::health(&row.id)) { (row.id) } }),
            cell(html! { div.stack.tight { div { (health_badge(row.health)) } @if !row.note.is_empty() { span.quiet { (row.note) } } } }),
            length(row.behind),
            length(row.p99),
            number(row.backlog),
            number(row.parked),
            number(row.failures),
            number(row.held),
            cell(html! { span.quiet { "Salesforce " } (share(row.calls.0)) br; span.quiet { "HubSpot " } (share(row.calls.1)) }),
        ]);
    }
    html! {
        dl.figures {
            div { dt { "records carried in the last hour" } dd { (count(view.carried)) } }
            div.bad[view.failures > 0] { dt { "records refused" } dd { (count(view.failures)) } }
            div.bad[view.suspended > 0] { dt { "suspended syncs" } dd { (count(view.suspended)) } }
            div.attention[view.held > 0] { dt { "deletes held" } dd { (count(view.held)) } }
        }
        (table.show())
        (pager(&view.paging, "tenants"))
    }
}
