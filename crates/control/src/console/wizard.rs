//! The wizard: from "+ Sync custom object" to "Start continuous sync", a page for each step.
//!
//! The words are HubSpot's own where it has them. Each step is one form that posts to its own path; the button that
//! was pressed is [`super::fields::ACTION`]: `check`, `next`, `save`, or something of the step's own such as `add` or
//! `remove:3`. A step is saved as it is left, so that a draft survives a closed browser.

pub mod associations;
pub mod filter;
pub mod map_objects;
pub mod mappings;
pub mod prediction;
pub mod preview;
pub mod proposal;
pub mod read;
pub mod rules;
pub mod turn_on;

use jiff::Timestamp;
use landbridge_model::{Problem, Revision, SyncName, TenantId};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::parts::{Control, Icon, ago, icon};
use super::{Shell, Trouble, fields, parts, paths};

/// The steps, after the start on the tenant's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Which object becomes which.
    MapObjects,
    /// What happens on create, update and delete.
    Rules,
    /// Lookups.
    Associations,
    /// Fields.
    Mappings,
    /// Which records.
    Filter,
    /// The whole, and the dry run.
    Preview,
    /// Start, or save for later.
    TurnOn,
}

impl Step {
    /// In the order in which they are walked.
    pub const ALL: [Self; 7] = [
        Self::MapObjects,
        Self::Rules,
        Self::Associations,
        Self::Mappings,
        Self::Filter,
        Self::Preview,
        Self::TurnOn,
    ];

    /// The word in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MapObjects => "objects",
            Self::Rules => "rules",
            Self::Associations => "associations",
            Self::Mappings => "mappings",
            Self::Filter => "filter",
            Self::Preview => "preview",
            Self::TurnOn => "turn-on",
        }
    }

    /// The step of a word in a path.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }

    /// The title.
    pub fn title(self) -> &'static str {
        match self {
            Self::MapObjects => "Map objects",
            Self::Rules => "Sync rules",
            Self::Associations => "Associations",
            Self::Mappings => "Field mappings",
            Self::Filter => "Filter",
            Self::Preview => "Preview",
            Self::TurnOn => "Turn on sync",
        }
    }

    /// The step at which a problem is put right, by the definition's key.
    pub fn of_problem(problem: &Problem) -> Self {
        let place = problem.place.as_str();
        if place.starts_with("spec.rules") {
            Self::Rules
        } else if place.starts_with("spec.associations") {
            Self::Associations
        } else if place.starts_with("spec.fields") {
            Self::Mappings
        } else if place.starts_with("spec.filter") {
            Self::Filter
        } else {
            Self::MapObjects
        }
    }

    /// The one after; the last is its own.
    pub fn after(self) -> Self {
        let place = Self::ALL
            .iter()
            .position(|step| *step == self)
            .unwrap_or_default();
        Self::ALL.get(place + 1).copied().unwrap_or(self)
    }

    /// The one before.
    pub fn before(self) -> Option<Self> {
        let place = Self::ALL.iter().position(|step| *step == self)?;
        place.checked_sub(1).map(|place| Self::ALL[place])
    }
}

/// What stands around every step once the sync has a name.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Whose.
    pub tenant: TenantId,
    /// Which sync.
    pub sync: SyncName,
    /// The Salesforce object's label and API name.
    pub object: (String, String),
    /// The HubSpot object type's label and name.
    pub object_type: (String, String),
    /// The definition's ETag as it was read: a save over a newer one is refused.
    pub etag: String,
    /// The furthest step that can be opened.
    pub reached: Step,
    /// Steps with something to put right.
    pub wrong: Vec<Step>,
    /// The revision that is being edited; `None` for a sync that was never turned on.
    pub editing: Option<Revision>,
    /// When it was last saved.
    pub saved: Option<Timestamp>,
    /// Somebody else saved meanwhile, or the save failed otherwise: told at the top.
    pub trouble: Option<Trouble>,
}

impl Draft {
    /// Where this step's form posts to.
    pub(crate) fn action(&self, step: Step) -> String {
        paths::step(&self.tenant, &self.sync, step)
    }
}

/// A step's page around its form.
pub(crate) fn step_page(
    shell: &Shell,
    draft: &Draft,
    step: Step,
    lead: &str,
    problems: &[Problem],
    form: Markup,
) -> Markup {
    let body = html! {
        (head(shell, draft, step, lead))
        @if let Some(trouble) = &draft.trouble { (parts::trouble(trouble)) }
        // What is wrong is told by us, with its cure: a button such as "Create" must work while another control is empty.
        form.wizard #step method="post" action=(draft.action(step)) novalidate data-check[true] {
            // The first button of a form is the one that Enter presses: it must not remove a row.
            button.hidden name=(fields::ACTION) value="check" tabindex="-1" aria-hidden="true" { "Check" }
            input type="hidden" name=(fields::CSRF) value=(shell.csrf);
            input type="hidden" name=(fields::ETAG) value=(draft.etag);
            (parts::error_summary(problems, |problem| Some(address(problem))))
            (form)
            (foot(draft, step, problems.len()))
        }
    };
    shell.document(&format!("{} · {}", step.title(), draft.object.0), &body)
}

/// A link to the control that a problem is about.
fn address(problem: &Problem) -> String {
    format!(
        "#{}",
        Control {
            name: control_of(&problem.place),
            ..Control::default()
        }
        .id()
    )
}

/// The control of a place: a problem with one picklist value (`spec.fields[3].values.Petrol`) is put right in the
/// row's values, one with an association in its lookup's row.
fn control_of(place: &str) -> &str {
    if place.starts_with("spec.associations[") {
        return place.find(']').map_or(place, |end| &place[..=end]);
    }
    place
        .find(".values")
        .map_or(place, |end| &place[..end + ".values".len()])
}

pub(crate) fn head(shell: &Shell, draft: &Draft, step: Step, lead: &str) -> Markup {
    html! {
        (stepper(step, |other| {
            (other <= draft.reached).then(|| paths::step(&draft.tenant, &draft.sync, other))
        }, &draft.wrong))
        div.page-head {
            div {
                ol.crumbs {
                    li { a href=(paths::tenant(&draft.tenant)) { "Connected apps" } }
                    li { (draft.object.0) " → " (draft.object_type.0) }
                }
                h1 { (step.title()) }
                p.quiet { (lead) }
            }
            p.quiet {
                @if let Some(revision) = draft.editing { "Editing " (revision) ", which keeps running until you save. " }
                @if let Some(saved) = draft.saved { "Draft saved " (ago(shell.now, saved)) "." }
            }
            @if draft.saved.is_some() {
                (shell.button(&paths::discard(&draft.tenant, &draft.sync), "Discard draft", "quiet small", &[]))
            }
        }
    }
}

/// The steps as a list of links; those that cannot be opened yet are plain words.
pub(crate) fn stepper(now: Step, path: impl Fn(Step) -> Option<String>, wrong: &[Step]) -> Markup {
    html! {
        nav aria-label="Steps" {
            // It scrolls on a narrow screen, by keyboard as well.
            ol.steps tabindex="0" {
                @for step in Step::ALL {
                    @let is_wrong = wrong.contains(&step) && step != now;
                    li.now[step == now].wrong[is_wrong].done[step < now && !is_wrong] {
                        @let name = html! {
                            span.step-name { (step.title()) }
                            @if is_wrong { span.hidden { ", something to put right" } } @else if step < now { span.hidden { ", done" } }
                        };
                        @match path(step).filter(|_| step != now) {
                            Some(path) => a.step href=(path) { (name) },
                            None => span.step aria-current=[(step == now).then_some("step")] { (name) },
                        }
                    }
                }
            }
        }
    }
}

/// The way on, and back. "Next" cannot be pressed while something is to be put right.
pub(crate) fn foot(draft: &Draft, step: Step, problems: usize) -> Markup {
    let back = match step.before() {
        Some(before) => paths::step(&draft.tenant, &draft.sync, before),
        None => paths::tenant(&draft.tenant),
    };
    html! {
        div.wizard-foot data-refresh="foot" {
            p #next-why.quiet aria-live="polite" data-check-status {
                @match problems {
                    0 => "",
                    1 => { "“Next” opens when " a href="#problems" { "1 thing" } " is put right." }
                    many => { "“Next” opens when " a href="#problems" { (many) " things" } " are put right." }
                }
            }
            div.actions {
                a.button.quiet href=(back) { "Back" }
                button.button.quiet name=(fields::ACTION) value="check" { "Check" }
                button.button name=(fields::ACTION) value="save" { "Save draft" }
                button.button.primary name=(fields::ACTION) value="next" disabled[problems > 0]
                    aria-describedby=[(problems > 0).then_some("next-why")] { "Next " (icon(Icon::Arrow)) }
            }
        }
    }
}
