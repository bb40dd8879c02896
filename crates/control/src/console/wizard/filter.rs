//! Step 6: which records travel.

use landbridge_model::Problem;
use landbridge_model::salesforce::{FieldDescribe, FieldType};
use landbridge_model::sync::{Condition, DeleteRule, Filter, OnLeave, Operator};
use maud::{Markup, html};

use super::mappings::field_type;
use super::read::takes_list;
use super::{Draft, Step, step_page};
use crate::console::parts::{
    Choice, Control, Icon, anchor, choice_list, choices, combobox, count, empty, icon, problems_at,
    problems_of, radios, select, text_input, trouble,
};
use crate::console::{Content, Shell, Trouble, fields};

/// What the step shows.
#[derive(Clone, Debug)]
pub struct FilterStep {
    /// Around the step.
    pub draft: Draft,
    /// Fields to choose from.
    pub fields: Vec<FieldDescribe>,
    /// The filter; `None` lets every record travel.
    pub filter: Option<Filter>,
    /// The delete rule, which a record that stops matching may follow.
    pub delete: DeleteRule,
    /// How many records are in and out.
    pub counts: Counts,
    /// What is to be put right.
    pub problems: Vec<Problem>,
}

/// How many records match.
#[derive(Clone, Debug)]
pub enum Counts {
    /// Counted in Salesforce.
    Counted {
        /// Records that travel.
        matching: u64,
        /// Records that do not.
        others: u64,
    },
    /// Some condition cannot be asked of Salesforce: the number that travel is at most this.
    AtMost {
        /// Records that match the conditions that Salesforce can count.
        matching: u64,
        /// All records.
        all: u64,
        /// Which condition, and why.
        why: String,
    },
    /// There are problems in the way.
    NotYet,
    /// Salesforce could not count.
    Failed(Trouble),
}

/// The page.
pub fn page(shell: &Shell, content: &Content<FilterStep>) -> Markup {
    match content {
        Ok(view) => step_page(
            shell,
            &view.draft,
            Step::Filter,
            "Optional. Carry only the records that meet every condition.",
            &view.problems,
            inner(view),
        ),
        Err(trouble) => shell.document(Step::Filter.title(), &crate::console::parts::failed(trouble)),
    }
}

fn inner(view: &FilterStep) -> Markup {
    let conditions = view
        .filter
        .as_ref()
        .map(|filter| filter.all.as_slice())
        .unwrap_or_default();
    html! {
        (choice_list("filter-fields", &field_choices(view)))
        div id=(anchor("spec.filter.all")) { (counts(view)) }
        @if conditions.is_empty() {
            (empty(Icon::Search, "Every record travels", "Add a condition to leave some out, such as scrapped vehicles. A record that does not match is told as “filtered”, never lost.",
                &html! { button.button name=(fields::ACTION) value="add" { (icon(Icon::Plus)) "Add a condition" } }))
        } @else {
            section.list-card aria-label="Conditions" {
                @for (place, condition) in conditions.iter().enumerate() { (row(view, place, condition)) }
                div.add-row { button.button.small name=(fields::ACTION) value="add" { (icon(Icon::Plus)) "Add a condition" } span.quiet { "All of them must hold." } }
            }
            (on_leave(view))
        }
    }
}

fn counts(view: &FilterStep) -> Markup {
    html! {
        div data-refresh="counts" aria-live="polite" {
            @match &view.counts {
                Counts::Counted { matching, others } => {
                    dl.figures { div { dt { "records in" } dd { (count(*matching)) } } div { dt { "records out" } dd { (count(*others)) } } div { dt { "in all" } dd { (count(matching + others)) } } }
                }
                Counts::AtMost { matching, all, why } => {
                    dl.figures { div { dt { "records in, at most" } dd { (count(*matching)) } } div { dt { "in all" } dd { (count(*all)) } } }
                    p.quiet { "Salesforce cannot count exactly: " (why) "." }
                }
                Counts::NotYet => p.quiet { "Records are counted when every condition is complete." },
                Counts::Failed(reason) => (trouble(reason)),
            }
        }
    }
}

fn row(view: &FilterStep, place: usize, condition: &Condition) -> Markup {
    let at = format!("spec.filter.all[{place}]");
    let (field, op, value) = (format!("{at}.field"), format!("{at}.op"), format!("{at}.value"));
    let problems: Vec<&Problem> = problems_of(&view.problems, &at);
    let described = view
        .fields
        .iter()
        .find(|field| field.name.eq_ignore_ascii_case(&condition.field));
    let text = condition
        .value
        .as_ref()
        .map(|values| values.0.join(", "))
        .unwrap_or_default();
    html! {
        div.condition id=(anchor(&at)) role="group" aria-label={ "Condition " (place + 1) } data-refresh=(at) {
            (combobox(Control { name: &field, label: "Field", value: &condition.field, is_label_hidden: place > 0, required: true, rechecks: true, ..Control::default() }, "filter-fields", "Choose a field"))
            (select(Control { name: &op, label: "Is", value: operator_word(condition.op), is_label_hidden: place > 0, rechecks: true, ..Control::default() }, &operators(described, condition.op)))
            @if matches!(condition.op, Operator::IsEmpty | Operator::IsNotEmpty) { span {} }
            @else {
                (values(&value, &text, condition, described, place))
            }
            button.button.quiet.small name=(fields::ACTION) value={ "remove:" (place) } { "Remove" span.hidden { " condition " (place + 1) } }
            (problems_at(problems.iter().copied(), &format!("{}-errors", anchor(&at))))
        }
    }
}

/// One value of a picklist is chosen; anything else is typed.
fn values(
    name: &str,
    text: &str,
    condition: &Condition,
    field: Option<&FieldDescribe>,
    place: usize,
) -> Markup {
    let is_list = takes_list(condition.op);
    let control = Control {
        name,
        label: "Value",
        value: text,
        is_label_hidden: place > 0,
        rechecks: true,
        hint: if is_list {
            "Several, separated by commas."
        } else {
            ""
        },
        ..Control::default()
    };
    match field {
        Some(field) if !field.picklist_values.is_empty() && !is_list => {
            let mut options = vec![Choice {
                label: "Choose a value".to_owned(),
                ..Choice::default()
            }];
            options.extend(field.picklist_values.iter().map(|value| Choice {
                value: value.value.clone(),
                label: value.label.clone().unwrap_or_else(|| value.value.clone()),
                ..Choice::default()
            }));
            if options.iter().all(|option| option.value != text) {
                options.push(Choice {
                    value: text.to_owned(),
                    label: text.to_owned(),
                    note: "not a value of the picklist".to_owned(),
                    ..Choice::default()
                });
            }
            select(control, &options)
        }
        Some(field) => text_input(control, input_type(field, text), "off"),
        None => text_input(control, "text", "off"),
    }
}

/// A control for days shows nothing but days: what is none is shown as text, with what is wrong with it.
fn input_type(field: &FieldDescribe, text: &str) -> &'static str {
    match field.kind {
        FieldType::Date if text.is_empty() || text.parse::<jiff::civil::Date>().is_ok() => "date",
        _ => "text",
    }
}

fn on_leave(view: &FilterStep) -> Markup {
    let chosen = match view
        .filter
        .as_ref()
        .map(|filter| filter.on_leave)
        .unwrap_or_default()
    {
        OnLeave::Keep => "keep",
        OnLeave::DeleteRule => "delete-rule",
    };
    let rule = match view.delete {
        DeleteRule::DoNothing => {
            "As if it were deleted in Salesforce. The delete rule of this sync says: do nothing.".to_owned()
        }
        DeleteRule::DeleteRecord => format!(
            "As if it were deleted in Salesforce. The delete rule of this sync says: delete the {}, within the safety limit.",
            view.draft.object_type.0
        ),
    };
    html! {
        div.card {
            (radios("spec.filter.onLeave", "When a record stops matching", chosen, &[
                ("keep", "Keep it", "HubSpot keeps the record as it was last written. It is no longer updated."),
                ("delete-rule", "Follow the delete rule", &rule),
            ]))
        }
    }
}

fn field_choices(view: &FilterStep) -> Vec<Choice> {
    let mut choices: Vec<Choice> = view
        .fields
        .iter()
        .map(|field| Choice {
            value: field.name.clone(),
            label: field.label.clone(),
            note: field_type(field).to_owned(),
            group: if field.custom {
                "Custom fields"
            } else {
                "Standard fields"
            }
            .to_owned(),
            disabled: false,
        })
        .collect();
    choices.sort_by(|a, b| (&a.group, &a.label).cmp(&(&b.group, &b.label)));
    choices
}

/// Every operator with its word in the definition and on pages.
const OPERATORS: [(Operator, &str, &str); 14] = [
    (Operator::Equals, "equals", "is"),
    (Operator::NotEquals, "not-equals", "is not"),
    (Operator::LessThan, "less-than", "is less than"),
    (Operator::LessOrEqual, "less-or-equal", "is at most"),
    (Operator::GreaterThan, "greater-than", "is more than"),
    (Operator::GreaterOrEqual, "greater-or-equal", "is at least"),
    (Operator::In, "in", "is one of"),
    (Operator::NotIn, "not-in", "is none of"),
    (Operator::Contains, "contains", "contains"),
    (Operator::StartsWith, "starts-with", "starts with"),
    (Operator::Includes, "includes", "includes all of"),
    (Operator::Excludes, "excludes", "includes none of"),
    (Operator::IsEmpty, "is-empty", "is empty"),
    (Operator::IsNotEmpty, "is-not-empty", "is not empty"),
];

/// The word of an operator in the definition and in forms.
pub fn operator_word(operator: Operator) -> &'static str {
    OPERATORS
        .iter()
        .find(|(known, _, _)| *known == operator)
        .map_or("", |(_, word, _)| word)
}

/// The operator of a word.
pub fn operator_of(word: &str) -> Option<Operator> {
    let found = OPERATORS.iter().find(|(_, known, _)| *known == word);
    found.map(|(operator, _, _)| *operator)
}

/// The words of an operator on pages.
pub(crate) fn operator_phrase(operator: Operator) -> &'static str {
    OPERATORS
        .iter()
        .find(|(known, _, _)| *known == operator)
        .map_or("", |(_, _, phrase)| phrase)
}

/// Those that make sense for a field; all while none is chosen.
fn operators(field: Option<&FieldDescribe>, chosen: Operator) -> Vec<Choice> {
    let is_set = field.is_some_and(|field| field.kind == FieldType::MultiPicklist);
    let is_flag = field.is_some_and(|field| field.kind == FieldType::Boolean);
    let fits = |operator: &Operator| match operator {
        Operator::Includes | Operator::Excludes => field.is_none() || is_set,
        Operator::IsEmpty | Operator::IsNotEmpty => true,
        Operator::Equals | Operator::NotEquals => !is_set,
        _ => !is_set && !is_flag,
    };
    let pairs: Vec<(&str, &str)> = OPERATORS
        .iter()
        // One that makes none is shown all the same, with what is wrong with it.
        .filter(|(operator, _, _)| fits(operator) || *operator == chosen)
        .map(|(_, word, phrase)| (*word, *phrase))
        .collect();
    choices(&pairs)
}
