//! "Connected apps › Salesforce" of a tenant: both connections with their health, and a tab for each synced object.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::{HubSpotTest, SalesforceTest};
use landbridge_model::config::SyncStatus;
use landbridge_model::{SyncName, TenantId};
use maud::{Markup, html};

use super::connections::Side;
use super::parts::{
    self, Health, Icon, Meter, Table, Use, ago, badge, cell, count, empty, health_badge, icon, meter, number,
    of_limit, status_badge, two_names,
};
use super::wizard::Step;
use super::{Content, Role, Shell, Trouble, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Connected {
    /// The Salesforce connection.
    pub salesforce: Connection<SalesforceTest>,
    /// The HubSpot connection.
    pub hubspot: Connection<HubSpotTest>,
    /// The tenant's syncs, drafts among them.
    pub syncs: Vec<SyncSummary>,
    /// Why its workers could not be asked how the syncs stand.
    pub trouble: Option<Trouble>,
}

/// A connection as it stood when it was last tested.
#[derive(Clone, Debug)]
pub enum Connection<T> {
    /// Nobody has entered credentials.
    Missing,
    /// Credentials are there, and the first test of them has not ended yet.
    Untested,
    /// Credentials are there, and this is what a test of them gave.
    Tested {
        /// The answer; its `problems` say what is missing, each with its remedy.
        test: T,
        /// When.
        at: Timestamp,
    },
    /// It could not be tested, or sign-in was refused.
    Broken(Trouble),
}

impl<T> Connection<T> {
    fn may_work(&self) -> bool {
        matches!(self, Self::Tested { .. } | Self::Untested)
    }
}

/// One sync in the list.
#[derive(Clone, Debug)]
pub struct SyncSummary {
    /// Its name.
    pub name: SyncName,
    /// The Salesforce object's label and API name.
    pub object: (String, String),
    /// The HubSpot object type's label and name.
    pub object_type: (String, String),
    /// Whether it runs.
    pub status: SyncStatus,
    /// Why it is suspended.
    pub reason: Option<String>,
    /// How far HubSpot may be behind Salesforce; for an active sync.
    pub behind: Option<Duration>,
    /// Records that are refused now; `None` when the workers cannot be asked.
    pub failures: Option<u64>,
    /// When something last became of a change.
    pub last: Option<Timestamp>,
    /// For a draft: where the wizard goes on.
    pub draft_step: Option<Step>,
}

impl Connected {
    /// `3 of 10 custom objects`, by the portal's own limit.
    fn object_types(&self) -> Option<(u64, u64)> {
        match &self.hubspot {
            Connection::Tested { test, .. } => test.object_types.map(|limit| (limit.used, limit.limit)),
            _ => None,
        }
    }

    fn is_ready(&self) -> bool {
        self.salesforce.may_work() && self.hubspot.may_work()
    }
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<Connected>) -> Markup {
    let body = html! {
        div.page-head {
            div {
                ol.crumbs { li { "Connected apps" } li { "Salesforce" } }
                h1 { "Salesforce to HubSpot" }
            }
            @if let Ok(view) = content { (add_button(shell, tenant, view)) }
        }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document(&format!("Connected apps of {tenant}"), &body)
}

fn add_button(shell: &Shell, tenant: &TenantId, view: &Connected) -> Markup {
    html! {
        div.actions {
            @if let Some((used, limit)) = view.object_types() {
                span.quiet { (of_limit(used, limit)) " custom objects" }
            }
            @if shell.may(Role::Editor) && view.is_ready() {
                a.button.primary href=(paths::new_sync(tenant)) { (icon(Icon::Plus)) "Sync custom object" }
            }
        }
    }
}

fn inner(shell: &Shell, tenant: &TenantId, view: &Connected) -> Markup {
    html! {
        (tabs(tenant, &view.syncs, None))
        section.cards-row aria-label="Connections" {
            (salesforce_card(shell, tenant, &view.salesforce))
            (hubspot_card(shell, tenant, &view.hubspot))
        }
        @if let Some(trouble) = &view.trouble { (parts::trouble(trouble)) }
        @if view.syncs.is_empty() {
            (no_syncs(shell, tenant, view))
        } @else {
            (sync_table(shell, tenant, view))
        }
    }
}

/// The tabs of the synced objects; also stands above each sync's own page.
pub fn tabs(tenant: &TenantId, syncs: &[SyncSummary], open: Option<&SyncName>) -> Markup {
    html! {
        nav.tabs aria-label="Synced objects" {
            ul {
                li { a href=(paths::tenant(tenant)) aria-current=[open.is_none().then_some("page")] { "Overview" } }
                @for sync in syncs {
                    li {
                        a href=(paths::sync(tenant, &sync.name)) aria-current=[(open == Some(&sync.name)).then_some("page")] {
                            (sync.object.0)
                            @match sync.status {
                                SyncStatus::Active => {}
                                SyncStatus::Draft => { span.quiet { "draft" } }
                                SyncStatus::Paused => { span.quiet { "paused" } }
                                SyncStatus::Suspended => { (badge("stopped", Icon::Stopped, "suspended")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn card(title: &str, health: Health, path: &str, change: Option<&str>, content: &Markup) -> Markup {
    html! {
        section.card {
            div.card-head {
                h2 { (title) }
                div.actions {
                    (health_badge(health))
                    @if let Some(label) = change { a.button.small href=(path) { (label) span.hidden { " the connection to " (title) } } }
                }
            }
            (content)
        }
    }
}

fn not_connected(side: &str, what: &str) -> Markup {
    html! { p.quiet { "Not connected yet. " (what) " Landbridge reads nothing from " (side) " until then." } }
}

fn being_tested() -> Markup {
    html! { p.quiet { "Signing in takes longer than usual. Load the page again in a moment to see what came of it." } }
}

fn problems(problems: &[String]) -> Markup {
    html! {
        @for problem in problems {
            div.banner.attention { (icon(Icon::Attention)) p { (problem) } }
        }
    }
}

fn salesforce_card(shell: &Shell, tenant: &TenantId, connection: &Connection<SalesforceTest>) -> Markup {
    let path = paths::connection(tenant, Side::Salesforce);
    let change = |label| shell.may(Role::Admin).then_some(label);
    match connection {
        Connection::Missing => card(
            "Salesforce",
            Health::Stopped,
            &path,
            change("Connect"),
            &not_connected(
                "Salesforce",
                "Enter the credentials of a Salesforce integration user.",
            ),
        ),
        Connection::Untested => card(
            "Salesforce",
            Health::Unknown,
            &path,
            change("Change"),
            &being_tested(),
        ),
        Connection::Broken(trouble) => card(
            "Salesforce",
            Health::Stopped,
            &path,
            change("Repair"),
            &parts::trouble(trouble),
        ),
        Connection::Tested { test, at } => {
            let health = if test.problems.is_empty() {
                Health::Good
            } else {
                Health::Attention
            };
            let calls = test.daily_calls_max.zip(test.daily_calls_left);
            let content = html! {
                dl.facts {
                    @if let Some(name) = &test.org_name { div { dt { "Org" } dd { (name) } } }
                    div { dt { "Org id" } dd { code { (test.org_id) } } }
                    div { dt { "Signed in as" } dd { (test.user) } }
                    div { dt { "API version" } dd { (test.api_version) } }
                }
                @if let Some((limit, left)) = calls {
                    (meter(Meter { label: "API calls, last 24 hours", amount: Use { used: limit.saturating_sub(left), limit },
                        note: Some("by everything in this org") }))
                } @else { p.quiet { "Salesforce did not say how many API calls are left." } }
                (problems(&test.problems))
                p.quiet { "Tested " (ago(shell.now, *at)) }
            };
            card("Salesforce", health, &path, change("Change"), &content)
        }
    }
}

fn hubspot_card(shell: &Shell, tenant: &TenantId, connection: &Connection<HubSpotTest>) -> Markup {
    let path = paths::connection(tenant, Side::HubSpot);
    let change = |label| shell.may(Role::Admin).then_some(label);
    match connection {
        Connection::Missing => card(
            "HubSpot",
            Health::Stopped,
            &path,
            change("Connect"),
            &not_connected("HubSpot", "Enter a service key or the token of a private app."),
        ),
        Connection::Untested => card(
            "HubSpot",
            Health::Unknown,
            &path,
            change("Change"),
            &being_tested(),
        ),
        Connection::Broken(trouble) => card(
            "HubSpot",
            Health::Stopped,
            &path,
            change("Repair"),
            &parts::trouble(trouble),
        ),
        Connection::Tested { test, at } => {
            let health = if test.problems.is_empty() {
                Health::Good
            } else {
                Health::Attention
            };
            let calls = test.daily_max.zip(test.daily_left);
            let note = format!("starts anew at midnight, {}", test.time_zone);
            let content = html! {
                dl.facts {
                    div { dt { "Portal id" } dd { code { (test.portal_id) } } }
                    div { dt { "Account type" } dd { (test.account_type) } }
                    @if let Some(domain) = &test.ui_domain { div { dt { "Signed in to at" } dd { (domain) } } }
                    @if let Some(place) = &test.data_hosting { div { dt { "Data hosted in" } dd { code { (place) } } } }
                    div { dt { "Burst limit" } dd { @match test.burst_max { Some(calls) => { (count(calls)) " calls in 10 s" }, None => "not told" } } }
                }
                @if let Some((limit, left)) = calls {
                    (meter(Meter { label: "API calls today", amount: Use { used: limit.saturating_sub(left), limit }, note: Some(&note) }))
                } @else { p.quiet { "HubSpot did not say how many API calls are left." } }
                @if let Some(limit) = test.object_types {
                    (meter(Meter { label: "Custom objects", amount: Use { used: limit.used, limit: limit.limit }, note: None }))
                }
                (problems(&test.problems))
                p.quiet { "Tested " (ago(shell.now, *at)) }
            };
            card("HubSpot", health, &path, change("Change"), &content)
        }
    }
}

fn no_syncs(shell: &Shell, tenant: &TenantId, view: &Connected) -> Markup {
    if !view.is_ready() {
        return empty(
            Icon::Plug,
            "Connect both sides first",
            "A sync carries the records of one Salesforce object into one HubSpot custom object. It needs a working \
             connection to each.",
            &html! { @if !shell.may(Role::Admin) { p.quiet { "Ask an administrator of this tenant." } } },
        );
    }
    empty(
        Icon::Box,
        "No object is synced yet",
        "Choose a Salesforce object and the HubSpot custom object that it becomes. You see what would happen to real \
         records before anything is written.",
        &html! {
            @if shell.may(Role::Editor) {
                a.button.primary href=(paths::new_sync(tenant)) { (icon(Icon::Plus)) "Sync custom object" }
            } @else { p.quiet { "Ask an editor of this tenant." } }
        },
    )
}

fn sync_table(shell: &Shell, tenant: &TenantId, view: &Connected) -> Markup {
    let mut table = Table::new("Synced objects")
        .column("Salesforce object")
        .column("HubSpot object")
        .column("Status")
        .column("Behind Salesforce")
        .numbers("Refused records")
        .column("Last change");
    for sync in &view.syncs {
        let path = match sync.draft_step {
            Some(step) => paths::step(tenant, &sync.name, step),
            None => paths::sync(tenant, &sync.name),
        };
        let label = two_names(&sync.object.0, &sync.object.1);
        table.row(vec![
            cell(html! { a href=(path) { (label) } }),
            cell(two_names(&sync.object_type.0, &sync.object_type.1)),
            cell(html! {
                div.stack.tight {
                    div { (status_badge(sync.status)) }
                    @if let Some(reason) = &sync.reason { span.quiet { (reason) } }
                    @if sync.draft_step.is_some() && shell.may(Role::Editor) { a href=(path) { "Continue" } }
                }
            }),
            match sync.behind {
                Some(behind) => parts::duration(behind).into(),
                None => cell(html! { span.quiet { "–" } }),
            },
            match sync.failures {
                None => cell(html! { span.quiet { "–" } }),
                Some(0) => number(0),
                Some(failures) => cell(
                    html! { a href={ (paths::failures(tenant)) "?sync=" (sync.name) } { (count(failures)) } },
                ),
            },
            match sync.last {
                Some(last) => ago(shell.now, last).into(),
                None if view.trouble.is_some() => cell(html! { span.quiet { "–" } }),
                None => cell(html! { span.quiet { "nothing yet" } }),
            },
        ]);
    }
    table.show()
}
