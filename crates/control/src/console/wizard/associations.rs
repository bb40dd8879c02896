//! Step 4: lookups that become associations.

mod build;

use landbridge_model::Problem;
use landbridge_model::batch::slot_name;
use landbridge_model::salesforce::FieldDescribe;
use landbridge_model::sync::AssociationRule;
use maud::{Markup, html};

use super::{Draft, Step, step_page};
use crate::console::parts::{
    Choice, Control, Icon, anchor, choice_list, combobox, empty, icon, problems_at, problems_of, select,
    toggle,
};
use crate::console::{Content, Shell};

pub use self::build::{Labels, lookup_rows};

/// What the step shows.
#[derive(Clone, Debug)]
pub struct Associations {
    /// Around the step.
    pub draft: Draft,
    /// Every lookup and master-detail field of the object, as Salesforce has it.
    pub lookups: Vec<LookupRow>,
    /// What is to be put right. Places count the rules that are on, in the definition's order.
    pub problems: Vec<Problem>,
}

/// One lookup; of one that may lead to several objects, its part for one of them.
#[derive(Clone, Debug)]
pub struct LookupRow {
    /// The field.
    pub field: FieldDescribe,
    /// Which of the objects, when there are several.
    pub object: Option<String>,
    /// Whether it is a master-detail field.
    pub is_master_detail: bool,
    /// The rule when it is on, with its place in the definition.
    pub rule: Option<(usize, AssociationRule)>,
    /// What it can become, the likeliest first; empty when it is blocked.
    pub ends: Vec<End>,
    /// Why it cannot be turned on.
    pub blocked: Option<Blocked>,
}

/// A HubSpot object that a lookup can become an association with.
#[derive(Clone, Debug)]
pub struct End {
    /// Name, as definitions write it.
    pub name: String,
    /// Label.
    pub label: String,
    /// Whose records they are, such as "synced by depots" or "kept by HubSpot's own integration".
    pub kept_by: String,
    /// Properties that can identify the parent: name and label. The first is the default.
    pub matches: Vec<(String, String)>,
    /// Labels that the portal has between the two.
    pub labels: Vec<String>,
}

/// Why a lookup cannot be turned on.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// The reason, as a sentence.
    pub reason: String,
    /// What would cure it: label and path of a link.
    pub cure: Option<(String, String)>,
}

/// The page.
pub fn page(shell: &Shell, content: &Content<Associations>) -> Markup {
    match content {
        Ok(view) => step_page(
            shell,
            &view.draft,
            Step::Associations,
            "A lookup in Salesforce becomes an association in HubSpot, and follows it when it changes.",
            &view.problems,
            inner(view),
        ),
        Err(trouble) => shell.document(
            Step::Associations.title(),
            &crate::console::parts::failed(trouble),
        ),
    }
}

fn inner(view: &Associations) -> Markup {
    html! {
        @if view.lookups.is_empty() {
            (empty(Icon::Box, "This object has no lookup",
                "A lookup or master-detail field in Salesforce would be listed here. You can go on: associations can be added later.", &html! {}))
        } @else {
            div.list-card {
                @for (place, lookup) in view.lookups.iter().enumerate() { (row(view, place, lookup)) }
            }
        }
        (missing_field(view))
    }
}

fn missing_field(view: &Associations) -> Markup {
    html! {
        details.card {
            summary { "A field is missing" }
            p { "This page shows the lookup and master-detail fields of " code { (view.draft.object.1) } " that the Salesforce user of Landbridge may see." }
            ul.plain-list {
                li { strong { "The field exists: " } "a Salesforce administrator opens Setup › Permission Sets, chooses the one that the integration user has, and gives it read access to the field." }
                li { strong { "The field does not exist: " } "an administrator creates it under Setup › Object Manager › " (view.draft.object.0) " › Fields & Relationships, as a lookup relationship." }
            }
            p.quiet { "Then load this page again; nothing has to be restarted." }
        }
    }
}

fn row(view: &Associations, place: usize, lookup: &LookupRow) -> Markup {
    let on = format!("associations[{place}].on");
    let label = match &lookup.object {
        Some(object) => format!(
            "Associate by {} when it is a record of {object}",
            lookup.field.label
        ),
        None => format!("Associate by {}", lookup.field.label),
    };
    let group = match &lookup.object {
        Some(object) => format!("{}, {object}", lookup.field.label),
        None => lookup.field.label.clone(),
    };
    let slot = slot_name(&lookup.field.name, lookup.object.as_deref());
    let why = lookup.blocked.as_ref().map(|blocked| blocked.reason.as_str());
    html! {
        div.lookup.off[lookup.blocked.is_some()] id=(lookup.rule.as_ref().map_or_else(|| anchor(&format!("associations[{place}]")), |(at, _)| anchor(&format!("spec.associations[{at}]"))))
            data-refresh={ "lookup-" (slot) } role="group" aria-label=(group) {
            (toggle(&on, &label, lookup.rule.is_some(), why))
            div.lookup-body {
                div.lookup-head {
                    span.two-names.lookup-name { strong { (lookup.field.label) } code { (lookup.field.name) } }
                    span.quiet {
                        @if let Some(object) = &lookup.object { "Records of " (object) ", one of the objects that this lookup may lead to" }
                        @else if lookup.is_master_detail { "Master-detail to " (lookup.field.reference_to.join(", ")) }
                        @else { "Lookup to " (lookup.field.reference_to.join(", ")) }
                    }
                }
                input type="hidden" name={ "associations[" (place) "].field" } value=(lookup.field.name);
                @if let Some(object) = &lookup.object { input type="hidden" name={ "associations[" (place) "].object" } value=(object); }
                @match (&lookup.blocked, &lookup.rule) {
                    (Some(blocked), _) => {
                        p.reason { (icon(Icon::Lock)) span { (blocked.reason) @if let Some((text, path)) = &blocked.cure { " " a href=(path) { (text) } } } }
                    }
                    (None, Some((at, rule))) => (chosen(view, place, *at, lookup, rule)),
                    (None, None) => {
                        p.quiet { "Can become an association with " (lookup.ends.first().map_or("a HubSpot object", |end| end.label.as_str())) "." }
                    }
                }
            }
        }
    }
}

fn chosen(
    view: &Associations,
    place: usize,
    at: usize,
    lookup: &LookupRow,
    rule: &AssociationRule,
) -> Markup {
    let name = |what: &str| format!("associations[{place}].{what}");
    let wrong = |what: &str| -> Vec<&Problem> {
        let key = format!("spec.associations[{at}]{what}");
        problems_of(&view.problems, &key)
    };
    let end = lookup
        .ends
        .iter()
        .find(|end| end.name == rule.to)
        .or(lookup.ends.first());
    let ends: Vec<Choice> = lookup
        .ends
        .iter()
        .map(|end| Choice {
            value: end.name.clone(),
            label: end.label.clone(),
            note: end.kept_by.clone(),
            ..Choice::default()
        })
        .collect();
    let matches: Vec<Choice> = end
        .map(|end| {
            end.matches
                .iter()
                .enumerate()
                .map(|(number, (value, label))| Choice {
                    // The first is the default: leaving it out keeps the definition as short as a person would write it.
                    value: if number == 0 { String::new() } else { value.clone() },
                    label: label.clone(),
                    note: if number == 0 {
                        format!("{value}, default")
                    } else {
                        value.clone()
                    },
                    ..Choice::default()
                })
                .collect()
        })
        .unwrap_or_default();
    let is_default = end
        .and_then(|end| end.matches.first())
        .is_some_and(|(value, _)| rule.match_property.as_ref() == Some(value));
    let labels: Vec<Choice> = end
        .map(|end| {
            end.labels
                .iter()
                .map(|label| Choice {
                    value: label.clone(),
                    label: label.clone(),
                    note: "label of this portal".to_owned(),
                    ..Choice::default()
                })
                .collect()
        })
        .unwrap_or_default();
    let list = format!("labels-{place}");
    let (of_row, to, matching, label) = (wrong(""), wrong(".to"), wrong(".match"), wrong(".label"));
    let (of_field, of_object) = (wrong(".field"), wrong(".object"));
    html! {
        (problems_at(of_row.iter().chain(&of_field).chain(&of_object).copied(), &format!("{}-errors", anchor(&name("row")))))
        (choice_list(&list, &labels))
        div.row {
            (select(Control { name: &name("to"), label: "HubSpot object", hint: "Whose records the parents are.", value: &rule.to, rechecks: true, problems: &to, ..Control::default() }, &ends))
            (select(Control { name: &name("match"), label: "Found by the property", hint: "Holds the parent's Salesforce id.", value: if is_default { "" } else { rule.match_property.as_deref().unwrap_or_default() }, rechecks: true, problems: &matching, ..Control::default() }, &matches))
            (combobox(Control { name: &name("label"), label: "Label", hint: "Optional. One of the portal's, or a new one.", value: rule.label.as_deref().unwrap_or_default(), rechecks: true, problems: &label, ..Control::default() }, &list, "No label"))
        }
    }
}
