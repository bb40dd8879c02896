//! Find a record: a Salesforce id, a Salesforce address or a HubSpot id gives its story.

use jiff::Timestamp;
use landbridge_model::ask::StoryLine;
use landbridge_model::{HubSpotId, SalesforceId, TenantId};
use maud::{Markup, html};

use super::parts::{self, Icon, ago, badge, empty, search_form};
use super::{Content, Role, Shell, Trouble, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub enum FindRecord {
    /// Nothing was searched for.
    Nothing,
    /// What was entered is neither an id nor an address of one.
    NotAnId(Trouble),
    /// The story.
    Found(Box<RecordStory>),
}

/// One record's story.
#[derive(Clone, Debug)]
pub struct RecordStory {
    /// The Salesforce record.
    pub id: SalesforceId,
    /// Its name, when it is known.
    pub name: Option<String>,
    /// Where it stands, in a few words: "In HubSpot", "Filtered", "Refused", "Never seen".
    pub standing: Standing,
    /// The HubSpot record.
    pub hubspot_id: Option<HubSpotId>,
    /// The record in Salesforce, as an address.
    pub salesforce_link: Option<String>,
    /// The record in HubSpot, as an address.
    pub hubspot_link: Option<String>,
    /// The syncs it belongs to.
    pub syncs: Vec<landbridge_model::SyncName>,
    /// Facts, oldest first; those without a time are of now and come last.
    pub lines: Vec<StoryLine>,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In HubSpot, as Salesforce has it.
    Current,
    /// On its way.
    OnItsWay,
    /// The filter leaves it out.
    Filtered,
    /// Refused.
    Refused,
    /// Deleted.
    Deleted,
    /// Nothing is known of it.
    NeverSeen,
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, query: &str, content: &Content<FindRecord>) -> Markup {
    let body = html! {
        div.page-head { div { h1 { "Find a record" } p.quiet { "A Salesforce id, the address of a record in Salesforce, or a HubSpot record id. You get its story: when it was seen, what it was mapped to, what HubSpot said." } } }
        (search_form(&paths::find(tenant), "Salesforce id or address, or HubSpot id", query, &[]))
        (parts::loaded(content, |view| match view {
            FindRecord::Nothing => empty(Icon::Search, "Which record?", "Paste what you have at hand. Records that were filtered, refused or never seen have a story as well.", &html! {}),
            FindRecord::NotAnId(trouble) => parts::trouble(trouble),
            FindRecord::Found(view) => found(shell, tenant, view),
        }))
    };
    shell.document("Find a record", &body)
}

fn standing(standing: Standing) -> Markup {
    match standing {
        Standing::Current => badge("good", Icon::Good, "In HubSpot"),
        Standing::OnItsWay => badge("live", Icon::Arrow, "On its way"),
        Standing::Filtered => badge("unknown", Icon::Search, "Filtered out"),
        Standing::Refused => badge("bad", Icon::Bad, "Refused"),
        Standing::Deleted => badge("unknown", Icon::Stopped, "Deleted"),
        Standing::NeverSeen => badge("unknown", Icon::Unknown, "Never seen"),
    }
}

fn found(shell: &Shell, tenant: &TenantId, view: &RecordStory) -> Markup {
    html! {
        section.card {
            div.card-head {
                h2 { @match &view.name { Some(name) => (name), None => (view.id) } }
                div.actions {
                    (standing(view.standing))
                    @if shell.may(Role::Operator) && !view.syncs.is_empty() {
                        (shell.button(&format!("{}/{}/read-again", paths::find(tenant), view.id), "Read it again", "small", &[]))
                    }
                }
            }
            dl.facts {
                div { dt { "Salesforce" } dd { @match &view.salesforce_link { Some(link) => a href=(link) rel="noreferrer" { code { (view.id) } }, None => code { (view.id) } } } }
                div { dt { "HubSpot" } dd {
                    @match (view.hubspot_id, &view.hubspot_link) {
                        (Some(id), Some(link)) => a href=(link) rel="noreferrer" { code { (id) } },
                        (Some(id), None) => code { (id) },
                        (None, _) => span.quiet { "no record" },
                    }
                } }
                div { dt { "Synced by" } dd {
                    @if view.syncs.is_empty() { span.quiet { "no sync carries its object" } }
                    @for (place, sync) in view.syncs.iter().enumerate() { @if place > 0 { ", " } a href=(paths::sync(tenant, sync)) { (sync) } }
                } }
            }
        }
        section.card { h2 { "Its story" } (story(shell, &view.lines)) }
    }
}

/// Facts as a line of time. What went wrong and what waits is told by the words; the marks only repeat it.
pub(super) fn story(shell: &Shell, lines: &[StoryLine]) -> Markup {
    html! {
        @if lines.is_empty() { p.quiet { "Nothing is known of this record: it was never read, or longer ago than outcomes are kept." } }
        ol.story {
            @for line in lines {
                li.bad[tells(&line.text, &["refused", "failed"])].waits[tells(&line.text, &["wait", "held", "parked"])] {
                    p { (sentence(&line.text)) }
                    p.when {
                        @match line.at_ms.and_then(|at| Timestamp::from_millisecond(at).ok()) { Some(at) => (ago(shell.now, at)), None => "now" }
                        span { (line.stage) }
                        @if let Some(sync) = &line.sync { span { (sync) } }
                    }
                }
            }
        }
    }
}

fn tells(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else {
        return String::new();
    };
    format!("{}{}", first.to_uppercase(), letters.as_str())
}
