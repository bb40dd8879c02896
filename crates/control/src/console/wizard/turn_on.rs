//! Step 8: start, or save for later; and the page that follows.

use std::time::Duration;

use maud::{Markup, html};

use super::{Draft, Step, head};
use crate::console::parts::{self, Icon, count, duration, icon, submit};
use crate::console::{Content, Role, Shell, fields, paths};

/// What the step shows.
#[derive(Clone, Debug)]
pub struct TurnOn {
    /// Around the step.
    pub draft: Draft,
    /// Records that exist already, when they could be counted.
    pub existing: Option<u64>,
    /// How many things are to be put right first.
    pub problems: usize,
    /// What HubSpot lacks and turning on creates, as sentences.
    pub creates: Vec<String>,
}

/// What the page after turning on shows.
#[derive(Clone, Debug)]
pub struct TurnedOn {
    /// Around the step.
    pub draft: Draft,
    /// Records that exist already, when they could be counted.
    pub existing: Option<u64>,
    /// How long an import of them takes at the portal's limits.
    pub import_takes: Option<Duration>,
}

/// The step.
pub fn page(shell: &Shell, content: &Content<TurnOn>) -> Markup {
    match content {
        Ok(view) => {
            let body = html! {
                (head(shell, &view.draft, Step::TurnOn, "From then on, every record that is created or changed in Salesforce arrives in HubSpot."))
                @if let Some(trouble) = &view.draft.trouble { (parts::trouble(trouble)) }
                (shell.form(&view.draft.action(Step::TurnOn), "wizard", inner(shell, view)))
            };
            shell.document("Turn on sync", &body)
        }
        Err(trouble) => shell.document("Turn on sync", &parts::failed(trouble)),
    }
}

fn inner(shell: &Shell, view: &TurnOn) -> Markup {
    let may = shell.may(Role::Operator);
    let blocked = view.problems > 0 || !may;
    html! {
        input type="hidden" name=(fields::ETAG) value=(view.draft.etag);
        @if view.problems > 0 {
            div.banner.bad role="alert" {
                (icon(Icon::Bad))
                p { strong { "Not ready yet. " } (view.problems) " things are to be put right first; the steps above with “!” have them." }
            }
        }
        div.cards-row {
            @if let Some(revision) = view.draft.editing {
                section.card {
                    h2 { "Use the new revision" }
                    p { "It takes the place of " (revision) " at once: records that are created or changed from then on are carried as it says." }
                    p { "What it changes in records that were written before is offered afterwards, as a back-fill." }
                    (creates(view))
                    div { button.button.primary name=(fields::ACTION) value="start" disabled[blocked] { "Save as r" (revision.0 + 1) } }
                    (not_allowed(may))
                }
            } @else {
            section.card {
                h2 { "Start continuous sync" }
                p { "Records that are created or changed " strong { "from now on" } " are carried, within seconds." }
                p {
                    @match view.existing {
                        Some(0) => "There are no records in Salesforce yet.",
                        Some(records) => { "The " (count(records)) " records that exist already come with an import, which you can start on the next page." }
                        None => "Records that exist already come with an import, which you can start on the next page.",
                    }
                }
                (creates(view))
                div { button.button.primary name=(fields::ACTION) value="start" disabled[blocked] { "Start continuous sync" } }
                (not_allowed(may))
            }
            }
            section.card {
                h2 { "Save for later" }
                @match view.draft.editing {
                    Some(revision) => p { "Your changes are kept as a draft, and " (revision) " keeps running." },
                    None => p { "The sync is kept as a draft. Nothing is read and nothing is written until somebody turns it on." },
                }
                div { (submit("Save for later", "save", "")) }
            }
        }
        div.wizard-foot { div.actions { a.button.quiet href=(paths::step(&view.draft.tenant, &view.draft.sync, Step::Preview)) { "Back" } } }
    }
}

fn creates(view: &TurnOn) -> Markup {
    html! {
        @if !view.creates.is_empty() {
            p { "HubSpot lacks some things that this sync needs. They are created first:" }
            ul.plain-list { @for line in &view.creates { li.map-line.note { (icon(Icon::Plus)) span { (line) } } } }
        }
    }
}

fn not_allowed(may: bool) -> Markup {
    html! {
        @if !may {
            p.reason { (icon(Icon::Lock)) "Your role may edit syncs but not turn them on. Save it for later and ask an operator." }
        }
    }
}

/// The page after turning on: what happens now, and the import.
pub fn turned_on(shell: &Shell, view: &TurnedOn) -> Markup {
    let draft = &view.draft;
    let body = html! {
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::tenant(&draft.tenant)) { "Connected apps" } } li { (draft.object.0) } }
                h1 { (draft.object.0) " is syncing" }
                p.quiet { "Only records that are created or changed from now on arrive in HubSpot." }
            }
        }
        section.card {
            h2 { "Bring over what exists already" }
            p {
                @match (view.existing, view.import_takes) {
                    (Some(0), _) => "There are no records in Salesforce yet, so there is nothing to import.",
                    (Some(records), Some(takes)) => { (count(records)) " records are in Salesforce already. Importing them takes about " (duration(takes)) " at this portal's limits; you can watch, pause and cancel it." }
                    (Some(records), None) => { (count(records)) " records are in Salesforce already. An import carries them; you can watch, pause and cancel it." }
                    (None, _) => "Salesforce could not count the records just now. An import carries those that exist already.",
                }
            }
            div.actions {
                @if view.existing != Some(0) { a.button.primary href={ (paths::new_import(&draft.tenant)) "?sync=" (draft.sync) } { (icon(Icon::Import)) "Import existing records" } }
                a.button href=(paths::sync(&draft.tenant, &draft.sync)) { "Not now" }
            }
        }
    };
    shell.document(&format!("{} is syncing", draft.object.0), &body)
}
