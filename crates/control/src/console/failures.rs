//! Refused records: the list, and one of them with the refused value and its history.

use jiff::Timestamp;
use landbridge_model::ask::{FailureEntry, StoryLine};
use landbridge_model::{FailureCategory, StageKind, TenantId};
use maud::{Markup, html};

use super::parts::{
    self, Choice, Icon, Paging, Table, ago, badge, bytes_as_text, cell, empty, icon, number, pager,
    search_form,
};
use super::record::story;
use super::{Content, Role, Shell, fields, paths};

/// A category as people say it, and what usually cures it.
pub fn category_words(category: FailureCategory) -> (&'static str, &'static str) {
    match category {
        FailureCategory::InvalidValue => (
            "Invalid value",
            "Correct it in Salesforce, or map the field to a property that takes it.",
        ),
        FailureCategory::MissingRequiredProperty => (
            "Required property is empty",
            "Fill the field in Salesforce, or make the property optional in HubSpot.",
        ),
        FailureCategory::PicklistOption => (
            "No such option",
            "Map the value, add the option, or choose what happens to such values.",
        ),
        FailureCategory::DuplicateUniqueValue => (
            "Value is taken",
            "Another HubSpot record has this value of a unique property.",
        ),
        FailureCategory::AssociationLimit => (
            "Too many associations",
            "Raise the limit of the pair or label in HubSpot.",
        ),
        FailureCategory::WaitingForParent => ("Parent did not come", "Sync or import the parent's object."),
        FailureCategory::Permission => (
            "Not permitted",
            "Give the missing scope or permission, then retry.",
        ),
        FailureCategory::Authentication => (
            "Sign-in refused",
            "Repair the connection; these are tried again by themselves.",
        ),
        FailureCategory::SchemaChanged => (
            "Field or property changed",
            "Edit the sync: it was made for another schema.",
        ),
        FailureCategory::RateLimit => (
            "API limit reached",
            "Tried again by themselves as soon as calls are left.",
        ),
        FailureCategory::SalesforceError => ("Salesforce error", "Tried again by themselves."),
        FailureCategory::HubSpotError => ("HubSpot error", "Tried again by themselves."),
        FailureCategory::Internal => ("Fault of Landbridge", "Please report it with the logs."),
    }
}

/// What the list shows.
#[derive(Clone, Debug)]
pub struct Failures {
    /// The newest first.
    pub rows: Vec<FailureEntry>,
    /// Only of this category.
    pub category: Option<FailureCategory>,
    /// Only of this sync; empty for all.
    pub sync: String,
    /// The tenant's syncs, to narrow by.
    pub syncs: Vec<String>,
    /// A record id that was searched for.
    pub query: String,
    /// Where in the list.
    pub paging: Paging,
}

/// The list's page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<Failures>) -> Markup {
    let body = html! {
        div.page-head {
            div { ol.crumbs { li { a href=(paths::health(tenant)) { "Sync health" } } li { "Refused records" } } h1 { "Refused records" } p.quiet { "Each stays listed until it succeeds." } }
        }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document("Refused records", &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &Failures) -> Markup {
    let path = paths::failures(tenant);
    let category = view.category.map_or("", FailureCategory::as_str);
    let is_narrowed = view.category.is_some() || !view.sync.is_empty() || !view.query.is_empty();
    let any = Choice {
        label: "Any".to_owned(),
        ..Choice::default()
    };
    let categories = FailureCategory::ALL.iter().map(|category| Choice {
        value: category.as_str().to_owned(),
        label: category_words(*category).0.to_owned(),
        ..Choice::default()
    });
    let syncs = view.syncs.iter().map(|name| Choice {
        value: name.clone(),
        label: name.clone(),
        ..Choice::default()
    });
    let narrow = vec![
        (
            "category",
            "Reason",
            category,
            std::iter::once(any.clone()).chain(categories).collect(),
        ),
        (
            "sync",
            "Sync",
            view.sync.as_str(),
            std::iter::once(any).chain(syncs).collect(),
        ),
    ];
    html! {
        (search_form(&path, "Salesforce id", &view.query, &narrow))
        @if view.rows.is_empty() && is_narrowed {
            (empty(Icon::Search, "No refused record matches", "Choose another reason or sync, or show all.", &html! { a.button href=(path) { "Show all" } }))
        } @else if view.rows.is_empty() {
            (empty(Icon::Good, "No record is refused", "A record that HubSpot refuses is listed here with the value and the reason, until it succeeds.", &html! {}))
        } @else {
            @if shell.may(Role::Operator) {
                div.actions { (shell.button(&format!("{path}/retry"), "Retry all of these", "", &[("category", category), ("sync", &view.sync), (fields::QUERY, &view.query)])) }
            }
            (table(shell, tenant, view))
            (pager(&view.paging, "refused records"))
        }
    }
}

fn table(shell: &Shell, tenant: &TenantId, view: &Failures) -> Markup {
    let mut table = Table::new("Refused records")
        .hidden_caption()
        .column("Record")
        .column("Reason")
        .column("Property")
        .column("Refused value")
        .numbers("Tries")
        .column("When");
    for entry in &view.rows {
        let failure = &entry.failure;
        table.row(vec![
            cell(html! { a href=(paths::failure(tenant, &entry.sync, &entry.id)) { code { (entry.id) } } br; span.quiet { (entry.sync) @if let Some(field) = &entry.link_field { ", link " (field) } } }),
            cell(html! { (category_words(failure.category).0) br; span.quiet { (failure.message) } }),
            cell(html! { @match failure.property.as_ref().or(failure.field.as_ref()) { Some(name) => code { (name) }, None => span.quiet { "–" } } }),
            cell(html! { @match &failure.value { Some(value) => (bytes_as_text(Some(value))), None => span.quiet { "–" } } }),
            number(u64::from(entry.attempts)),
            ago(shell.now, Timestamp::from_millisecond(entry.at_ms).unwrap_or_default()).into(),
        ]);
    }
    table.show()
}

/// What one refused record's page shows.
#[derive(Clone, Debug)]
pub struct FailureDetail {
    /// The failure.
    pub entry: FailureEntry,
    /// The record in Salesforce, as an address.
    pub salesforce_link: Option<String>,
    /// What became of the record so far, oldest first.
    pub history: Vec<StoryLine>,
}

/// One refused record's page.
pub fn detail_page(shell: &Shell, tenant: &TenantId, content: &Content<FailureDetail>) -> Markup {
    let body = html! {
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::health(tenant)) { "Sync health" } } li { a href=(paths::failures(tenant)) { "Refused records" } } @if let Ok(view) = content { li { (view.entry.id) } } }
                h1 { @match content { Ok(view) => (category_words(view.entry.failure.category).0), Err(_) => "Refused record" } }
            }
            @if let Ok(view) = content { (buttons(shell, tenant, view)) }
        }
        (parts::loaded(content, |view| detail(shell, view)))
    };
    shell.document("Refused record", &body)
}

fn buttons(shell: &Shell, tenant: &TenantId, view: &FailureDetail) -> Markup {
    let base = paths::failure(tenant, &view.entry.sync, &view.entry.id);
    html! {
        @if shell.may(Role::Operator) {
            div.actions {
                (shell.button(&format!("{base}/dismiss"), "Dismiss", "quiet", &[]))
                (shell.button(&format!("{base}/retry"), "Retry", "primary", &[]))
            }
        }
    }
}

fn detail(shell: &Shell, view: &FailureDetail) -> Markup {
    let (entry, failure) = (&view.entry, &view.entry.failure);
    html! {
        div.banner.bad {
            (icon(Icon::Bad))
            div { p { strong { (failure.message) } } p { (category_words(failure.category).1) } }
        }
        section.card {
            div.card-head { h2 { "The refused record" } @if failure.category.is_transient() && entry.stage == StageKind::Loader { (badge("live", Icon::Pulse, "Tried again by itself")) } @else { (badge("attention", Icon::Attention, "Waits for you")) } }
            dl.facts {
                div { dt { "Salesforce record" } dd { @match &view.salesforce_link { Some(link) => a href=(link) rel="noreferrer" { code { (entry.id) } }, None => code { (entry.id) } } } }
                div { dt { "Sync" } dd { (entry.sync) } }
                @if let Some(field) = failure.field.as_ref().or(entry.link_field.as_ref()) { div { dt { "Field" } dd { code { (field) } } } }
                @if let Some(property) = &failure.property { div { dt { "Property" } dd { code { (property) } } } }
                div { dt { "Refused value" } dd { @match &failure.value { Some(value) => (bytes_as_text(Some(value))), None => span.quiet { "not about a value" } } } }
                div { dt { "Refused by the" } dd { (entry.stage) } }
                div { dt { "Tries" } dd { (parts::count(u64::from(entry.attempts))) } }
                @if let Some(id) = &failure.correlation_id { div { dt { "HubSpot's correlation id" } dd { code { (id) } } } }
            }
        }
        section.card { h2 { "Its history" } (story(shell, &view.history)) }
    }
}
