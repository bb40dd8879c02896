//! What becomes of picklist values: an option each, and a policy for those without one.

use landbridge_model::Problem;
use landbridge_model::convert::Family;
use landbridge_model::hubspot::{PropertyDefinition, PropertyType};
use landbridge_model::salesforce::FieldDescribe;
use landbridge_model::sync::Unmatched;
use maud::{Markup, html};

use super::MappingRow;
use crate::console::parts::{Choice, Control, Icon, anchor, icon, option_tags, problems_at, select};

/// Whether values of the field are translated to options of the property.
pub(super) fn takes_values(field: &FieldDescribe, property: &PropertyDefinition) -> bool {
    matches!(Family::of(field.kind), Family::Choice | Family::Choices)
        && matches!(property.kind, PropertyType::Enumeration | PropertyType::Bool)
        && !property.options.is_empty()
}

/// Each picklist value with the option that it becomes, and what happens to a value that has none.
pub(super) fn values(
    at: &str,
    row: &MappingRow,
    field: &FieldDescribe,
    property: &PropertyDefinition,
    problems: &[&Problem],
) -> Markup {
    let has_option = |value: &str| property.options.iter().any(|option| option.value == value);
    let target = |value: &str| row.rule.values.get(value).map(String::as_str);
    let is_unmatched = |value: &str| !target(value).map_or_else(|| has_option(value), has_option);
    let unmatched = field
        .picklist_values
        .iter()
        .filter(|value| is_unmatched(&value.value))
        .count();
    let policy_name = format!("{at}.unmatched");
    html! {
        details.values.below id=(anchor(&format!("{at}.values"))) open[unmatched > 0 || !problems.is_empty()] {
            summary {
                "Picklist values: " (field.picklist_values.len())
                @if unmatched > 0 { " · " (unmatched) " without an option" } @else { ", each with an option" }
            }
            div.stack {
                (problems_at(problems.iter().copied(), &format!("{}-errors", anchor(&format!("{at}.values")))))
                div.value-grid {
                    @for (number, value) in field.picklist_values.iter().enumerate() {
                        @let name = format!("{at}.values[{number}]");
                        div.value-row {
                            span { (value.label.as_deref().unwrap_or(&value.value)) @if !value.active { span.quiet { " · inactive, old records may have it" } } }
                            (icon(Icon::Arrow))
                            input type="hidden" name={ (name) ".from" } value=(value.value);
                            select name={ (name) ".to" } data-recheck aria-label={ "Option for " (value.value) } {
                                @if has_option(&value.value) { option value="" selected[target(&value.value).is_none()] { (value.value) " (the same)" } }
                                @else { option value="" selected[target(&value.value).is_none()] { "No option" } }
                                (option_tags(&options(property, &value.value, target(&value.value)), target(&value.value).unwrap_or_default()))
                            }
                            @if is_unmatched(&value.value) { p.verdict.converts { (icon(Icon::Attention)) span { (fate(row.rule.unmatched)) } } } @else { span {} }
                        }
                    }
                }
                (select(Control { name: &policy_name, label: "A value without an option", value: policy_word(row.rule.unmatched), rechecks: true,
                    hint: "Also for values that are added in Salesforce later.", ..Control::default() }, &policies()))
            }
        }
    }
}

fn options(property: &PropertyDefinition, same: &str, chosen: Option<&str>) -> Vec<Choice> {
    let others = property.options.iter().filter(|option| option.value != same);
    let mut choices: Vec<Choice> = others
        .map(|option| Choice {
            value: option.value.clone(),
            label: if option.label.is_empty() {
                option.value.clone()
            } else {
                option.label.clone()
            },
            ..Choice::default()
        })
        .collect();
    // What the definition says is shown even when it leads nowhere.
    if let Some(lost) = chosen.filter(|value| !value.is_empty() && *value != same)
        && choices.iter().all(|choice| choice.value != lost)
    {
        choices.push(Choice {
            value: lost.to_owned(),
            label: lost.to_owned(),
            note: "no such option".to_owned(),
            ..Choice::default()
        });
    }
    choices
}

/// The word of a policy in the definition and in forms.
pub fn policy_word(policy: Unmatched) -> &'static str {
    match policy {
        Unmatched::Fail => "fail",
        Unmatched::LeaveEmpty => "leave-empty",
        Unmatched::AddOption => "add-option",
    }
}

fn fate(policy: Unmatched) -> &'static str {
    match policy {
        Unmatched::Fail => "Its records fail.",
        Unmatched::LeaveEmpty => "Left empty.",
        Unmatched::AddOption => "The option is added to HubSpot.",
    }
}

fn policies() -> Vec<Choice> {
    crate::console::parts::choices(&[
        ("fail", "Fail the record, and say so in Sync health"),
        ("leave-empty", "Leave the property empty"),
        ("add-option", "Add the option to HubSpot"),
    ])
}
