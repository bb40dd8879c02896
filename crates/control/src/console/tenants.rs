//! All tenants, with how they stand.

use std::time::Duration;

use landbridge_model::TenantId;
use maud::{Markup, html};

use super::parts::{
    self, Cell, Choice, Health, Icon, Paging, Table, cell, count, duration, empty, health_badge, icon,
    number, pager, search_form,
};
use super::{Content, Role, Shell, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Tenants {
    /// The tenants of this page of the list.
    pub rows: Vec<TenantRow>,
    /// What was searched for.
    pub query: String,
    /// Only those that stand so.
    pub health: Option<Health>,
    /// How many stand how, over all tenants that the visitor may see.
    pub counts: Vec<(Health, u64)>,
    /// Where in the list.
    pub paging: Paging,
}

/// One tenant.
#[derive(Clone, Debug)]
pub struct TenantRow {
    /// Its name.
    pub id: TenantId,
    /// The org's name or id, when it is known.
    pub org: Option<String>,
    /// The portal, when it is known.
    pub portal: Option<u64>,
    /// How it stands.
    pub health: Health,
    /// The worst thing about it, as a sentence; empty when all is well.
    pub note: String,
    /// Syncs that run.
    pub active: u64,
    /// Syncs in all.
    pub syncs: u64,
    /// The furthest that one of its syncs is behind Salesforce.
    pub behind: Option<Duration>,
    /// Records that are refused now, when its workers have been asked.
    pub failures: Option<u64>,
    /// Imports that have not ended, when its workers have been asked.
    pub imports: Option<u64>,
}

impl Tenants {
    fn total(&self) -> u64 {
        self.counts.iter().map(|(_, number)| number).sum()
    }
}

/// The page.
pub fn page(shell: &Shell, content: &Content<Tenants>) -> Markup {
    let body = html! {
        div.page-head {
            div { h1 { "Tenants" } p.quiet { "Each pairs one Salesforce org with one HubSpot portal." } }
            @if shell.may(Role::Admin) { div.actions { a.button.primary href=(paths::NEW_TENANT) { (icon(Icon::Plus)) "Add a tenant" } } }
        }
        (parts::loaded(content, |view| inner(shell, view)))
    };
    shell.document("Tenants", &body)
}

fn inner(shell: &Shell, view: &Tenants) -> Markup {
    if view.total() == 0 {
        return empty(
            Icon::Plug,
            "No tenant yet",
            "A tenant is one customer: a Salesforce org and the HubSpot portal that its custom objects go to. Add one, connect both sides, and sync the first object.",
            &html! { @if shell.may(Role::Admin) { a.button.primary href=(paths::NEW_TENANT) { "Add a tenant" } } @else { p.quiet { "None is shared with you. Ask an administrator." } } },
        );
    }
    let narrow = vec![(
        "health",
        "Health",
        view.health.map_or("", Health::as_str),
        health_choices(view),
    )];
    html! {
        dl.figures {
            @for (health, number) in &view.counts {
                div.bad[*health == Health::Stopped && *number > 0].attention[*health == Health::Attention && *number > 0] {
                    dt { (health.word()) }
                    dd { a href={ (paths::TENANTS) "?health=" (health.as_str()) } { (count(*number)) } }
                }
            }
        }
        (search_form(paths::TENANTS, "Search by tenant, org id or portal id", &view.query, &narrow))
        @if view.rows.is_empty() {
            (empty(Icon::Search, "No tenant matches", "Search for fewer letters, or show all.", &html! { a.button href=(paths::TENANTS) { "Show all" } }))
        } @else {
            (table(view))
            (pager(&view.paging, "tenants"))
        }
    }
}

fn health_choices(view: &Tenants) -> Vec<Choice> {
    let any = Choice {
        label: "Any".to_owned(),
        ..Choice::default()
    };
    let of = |(health, number): &(Health, u64)| Choice {
        value: health.as_str().to_owned(),
        label: health.word().to_owned(),
        note: count(*number),
        ..Choice::default()
    };
    std::iter::once(any).chain(view.counts.iter().map(of)).collect()
}

fn known(value: Option<u64>) -> Cell {
    match value {
        Some(value) => number(value),
        None => cell(html! { span.quiet { "–" } }),
    }
}

fn table(view: &Tenants) -> Markup {
    let mut table = Table::new("Tenants")
        .hidden_caption()
        .column("Tenant")
        .column("Portal")
        .column("Health")
        .numbers("Active syncs")
        .numbers("Behind")
        .numbers("Refused")
        .numbers("Imports");
    for row in &view.rows {
        table.row(vec![
            cell(html! {
                span.two-names { a href=(paths::tenant(&row.id)) { (row.id) } @if let Some(org) = &row.org { span.quiet { (org) } } }
            }),
            cell(html! { @match row.portal { Some(portal) => code { (portal) }, None => span.quiet { "not connected" } } }),
            cell(html! { div.stack.tight { div { (health_badge(row.health)) } @if !row.note.is_empty() { span.quiet { (row.note) } } } }),
            cell(html! { (count(row.active)) span.quiet { " of " (count(row.syncs)) } }),
            cell(html! { @match row.behind { Some(behind) => (duration(behind)), None => span.quiet { "–" } } }),
            known(row.failures),
            known(row.imports),
        ]);
    }
    table.show()
}
