//! Step 5: which field becomes which property, with a verdict for each pair, and what becomes of picklist values.

mod choices;
mod suggest;
mod values;

use landbridge_model::convert::{Verdict, verdict};
use landbridge_model::hubspot::{ObjectSchema, PropertyDefinition};
use landbridge_model::salesforce::{FieldDescribe, FieldType, ObjectDescribe};
use landbridge_model::sync::{FieldRule, SyncDefinition, Unmatched};
use landbridge_model::validate::{Surroundings, validate};
use landbridge_model::{Problem, propose};
use maud::{Markup, html};

use self::choices::{field_choices, property_choices};
pub(crate) use self::choices::{field_type, property_type};
pub use self::suggest::{suggested_property, suggested_rule, suggestions};
pub use self::values::policy_word;
use self::values::{takes_values, values};
use super::{Draft, Step, step_page};
use crate::console::parts::{Control, Icon, anchor, choice_list, combobox, icon, problems_at, problems_of};
use crate::console::{Content, Shell, fields, paths};

/// What the step shows.
#[derive(Clone, Debug)]
pub struct Mappings {
    /// Around the step.
    pub draft: Draft,
    /// Fields to choose from.
    pub fields: Vec<FieldDescribe>,
    /// Properties to choose from.
    pub properties: Vec<PropertyDefinition>,
    /// Properties that HubSpot requires; their rows come first.
    pub required: Vec<String>,
    /// The property that holds the Salesforce id.
    pub id_property: String,
    /// The rows, in the definition's order.
    pub rows: Vec<MappingRow>,
    /// Pairs that match by name, label and type and are not mapped yet.
    pub suggestions: Vec<Suggestion>,
    /// Everything that this step must put right.
    pub problems: Vec<Problem>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct MappingRow {
    /// As the definition has it.
    pub rule: FieldRule,
    /// The field, when there is one of that name.
    pub field: Option<FieldDescribe>,
    /// The property, when there is one of that name.
    pub property: Option<PropertyDefinition>,
    /// Why it was suggested, when a person has not chosen it.
    pub suggested: Option<String>,
    /// The property that could be created for the field, when the one that is named does not exist.
    pub creatable: Option<PropertyDefinition>,
}

/// A pair that matches and is not mapped yet.
#[derive(Clone, Debug)]
pub struct Suggestion {
    /// The field.
    pub field: FieldDescribe,
    /// The property.
    pub property: PropertyDefinition,
    /// What matches, such as "same name and type".
    pub why: String,
}

impl Mappings {
    /// The step for a definition, judged against what it is held against. Suggestions are the caller's.
    pub fn of(draft: Draft, definition: &SyncDefinition, around: &Surroundings<'_>) -> Self {
        let problems = validate(definition, around)
            .into_iter()
            .filter(|problem| problem.place.starts_with("spec.fields"))
            .collect();
        let row = |rule: &FieldRule| {
            let field = around.object.and_then(|object| field_of(rule, object, around));
            let property = around
                .object_type
                .and_then(|schema| schema.property(&rule.to))
                .cloned();
            let creatable = field
                .as_ref()
                .filter(|_| property.is_none())
                .and_then(|field| creatable(field, &rule.to));
            MappingRow {
                rule: rule.clone(),
                field,
                property,
                suggested: None,
                creatable,
            }
        };
        let schema_of = |schema: Option<&ObjectSchema>| {
            schema.map(|schema| schema.properties.clone()).unwrap_or_default()
        };
        Self {
            draft,
            fields: around
                .object
                .map(|object| object.fields.clone())
                .unwrap_or_default(),
            properties: schema_of(around.object_type),
            required: around
                .object_type
                .map(|schema| schema.required_properties.clone())
                .unwrap_or_default(),
            id_property: definition.spec.hubspot.id_property.clone(),
            rows: definition.spec.fields.iter().map(row).collect(),
            suggestions: Vec::new(),
            problems,
        }
    }

    fn lookups(&self) -> usize {
        self.fields
            .iter()
            .filter(|field| field.kind == FieldType::Reference && field.custom)
            .count()
    }
}

fn field_of(rule: &FieldRule, object: &ObjectDescribe, around: &Surroundings<'_>) -> Option<FieldDescribe> {
    object.field(&rule.from).cloned().or_else(|| {
        let parent = around
            .parents
            .iter()
            .find(|parent| parent.path.eq_ignore_ascii_case(&rule.from))?;
        Some(parent.field.clone())
    })
}

/// The property that a proposal would make of the field, by the name that the rule gives it.
fn creatable(field: &FieldDescribe, name: &str) -> Option<PropertyDefinition> {
    let mut property = propose::property(field).ok()?;
    if !name.is_empty() {
        name.clone_into(&mut property.name);
    }
    Some(property)
}

/// The page.
pub fn page(shell: &Shell, content: &Content<Mappings>) -> Markup {
    match content {
        Ok(view) => step_page(
            shell,
            &view.draft,
            Step::Mappings,
            "Choose which Salesforce field fills which HubSpot property.",
            &view.problems,
            inner(view),
        ),
        Err(trouble) => shell.document(Step::Mappings.title(), &crate::console::parts::failed(trouble)),
    }
}

fn inner(view: &Mappings) -> Markup {
    let is_required = |row: &MappingRow| view.required.contains(&row.rule.to);
    let placed: Vec<(usize, &MappingRow)> = view.rows.iter().enumerate().collect();
    let (required, others): (Vec<_>, Vec<_>) = placed.into_iter().partition(|(_, row)| is_required(row));
    let missing: Vec<&String> = view
        .required
        .iter()
        .filter(|name| !view.rows.iter().any(|row| row.rule.to == **name))
        .collect();
    html! {
        (choice_list("salesforce-fields", &field_choices(view)))
        (choice_list("hubspot-properties", &property_choices(view)))
        section.stack.tight aria-labelledby="required-title" {
            h2 #required-title { "Required" }
            div.mapping {
                (row_head())
                (identity(view))
                @for (place, row) in &required { (mapping_row(view, *place, row, true)) }
                @for (extra, name) in missing.iter().enumerate() { (missing_row(view, view.rows.len() + extra, name)) }
            }
        }
        section.stack.tight aria-labelledby="others-title" {
            h2 #others-title { "Other fields" }
            div.mapping id=(anchor("spec.fields")) {
                @if others.is_empty() {
                    p.add-row.quiet { "No other field is mapped. Add one below, or take a suggestion." }
                } @else {
                    (row_head())
                    @for (place, row) in &others { (mapping_row(view, *place, row, false)) }
                }
                (new_row(view.rows.len() + missing.len()))
            }
        }
        @if !view.suggestions.is_empty() { (suggested(view)) }
        @if view.lookups() > 0 {
            div.banner { (icon(Icon::Arrow)) p {
                @if view.lookups() == 1 { "1 lookup field is" } @else { (view.lookups()) " lookup fields are" }
                " not listed here: a lookup becomes an association. "
                a href=(paths::step(&view.draft.tenant, &view.draft.sync, Step::Associations)) { "Go to Associations" }
            } }
        }
    }
}

fn row_head() -> Markup {
    html! {
        div.mapping-head aria-hidden="true" {
            span { "Salesforce field" } span {} span { "HubSpot property" } span { "What happens" } span {}
        }
    }
}

/// The line that nobody can change: how Landbridge knows its records again.
fn identity(view: &Mappings) -> Markup {
    html! {
        div.mapping-row {
            div { strong { "Record ID" } br; code.quiet { "Id" } }
            (icon(Icon::Arrow))
            div { strong { "Salesforce id" } br; code.quiet { (view.id_property) } }
            p.verdict { (icon(Icon::Lock)) span { "Filled by Landbridge: it finds each record again by it." } }
            span {}
        }
    }
}

fn mapping_row(view: &Mappings, place: usize, row: &MappingRow, required: bool) -> Markup {
    let at = format!("spec.fields[{place}]");
    let from_name = format!("{at}.from");
    let to_name = format!("{at}.to");
    let of_control = |name: &str| -> Vec<&Problem> { problems_of(&view.problems, name) };
    let from_problems = of_control(&from_name);
    let to_problems = of_control(&to_name);
    let of_row: Vec<&Problem> = of_control(&at);
    let of_values: Vec<&Problem> = view
        .problems
        .iter()
        .filter(|problem| problem.place.starts_with(&format!("{at}.values")))
        .collect();
    let is_wrong =
        !(from_problems.is_empty() && to_problems.is_empty() && of_row.is_empty() && of_values.is_empty());
    html! {
        div.mapping-row.wrong[is_wrong] id=(anchor(&at)) role="group" aria-label={ "Mapping of " (row.rule.from) } data-refresh=(at) {
            div {
                (combobox(Control { name: &from_name, label: "Salesforce field", value: &row.rule.from, is_label_hidden: true, required: true,
                    rechecks: true, problems: &from_problems, ..Control::default() }, "salesforce-fields", "Choose a field"))
                @if let Some(field) = &row.field { p.types { (field.label) " · " (field_type(field)) } }
            }
            (icon(Icon::Arrow))
            div {
                @if required {
                    input type="hidden" name=(to_name) value=(row.rule.to);
                    strong id=(anchor(&to_name)) { (row.property.as_ref().map_or(row.rule.to.as_str(), |property| property.label.as_str())) }
                    (problems_at(to_problems.iter().copied(), &format!("{}-errors", anchor(&to_name))))
                } @else {
                    (combobox(Control { name: &to_name, label: "HubSpot property", value: &row.rule.to, is_label_hidden: true, required: true,
                        rechecks: true, problems: &to_problems, ..Control::default() }, "hubspot-properties", "Choose a property"))
                }
                @if let Some(property) = &row.property { p.types { @if required { code { (property.name) } } @else { (property.label) } " · " (property_type(property)) } }
                @if let Some(property) = &row.creatable {
                    button.button.small name=(fields::ACTION) value={ "create-property:" (place) } {
                        (icon(Icon::Plus)) "Create " (property.name) " (" (property_type(property)) ")"
                    }
                }
            }
            (verdict_of(row))
            div.row-end {
                @if !required {
                    button.button.quiet.small name=(fields::ACTION) value={ "remove:" (place) } { "Remove" span.hidden { " the mapping of " (row.rule.from) } }
                }
            }
            (problems_at(of_row.iter().copied(), &format!("{}-errors", anchor(&at))))
            @if let (Some(field), Some(property)) = (&row.field, &row.property) {
                @if takes_values(field, property) { (values(&at, row, field, property, &of_values)) }
            }
        }
    }
}

fn verdict_of(row: &MappingRow) -> Markup {
    let (Some(field), Some(property)) = (&row.field, &row.property) else {
        return html! { p.verdict.quiet { (icon(Icon::Unknown)) span { "Not judged until both are chosen." } } };
    };
    let (class, shape, words) = match verdict(field, property) {
        Verdict::Fits => ("fits", Icon::Good, "Arrives as it is.".to_owned()),
        Verdict::Converts(note) => ("converts", Icon::Attention, format!("Converts: {note}.")),
        Verdict::Impossible(reason) => ("impossible", Icon::Bad, format!("Impossible: {reason}.")),
    };
    html! {
        p class={ "verdict " (class) } {
            (icon(shape))
            span { (words) @if let Some(why) = &row.suggested { br; span.quiet { "Suggested: " (why) "." } } }
        }
    }
}

/// A property that HubSpot requires and nothing fills yet.
fn missing_row(view: &Mappings, place: usize, property: &str) -> Markup {
    let at = format!("spec.fields[{place}]");
    let label = view
        .properties
        .iter()
        .find(|known| known.name == property)
        .map_or(property, |known| known.label.as_str());
    html! {
        div.mapping-row.wrong role="group" aria-label={ "Mapping to " (label) } data-refresh={ "required-" (property) } {
            (combobox(Control { name: &format!("{at}.from"), label: "Salesforce field", is_label_hidden: true, rechecks: true, ..Control::default() },
                "salesforce-fields", "Choose a field"))
            (icon(Icon::Arrow))
            div {
                input type="hidden" name={ (at) ".to" } value=(property);
                strong { (label) } br; code.quiet { (property) }
            }
            p.verdict.impossible { (icon(Icon::Bad)) span { "Required by HubSpot: choose a field that is never empty." } }
            span {}
        }
    }
}

fn new_row(place: usize) -> Markup {
    let at = format!("spec.fields[{place}]");
    html! {
        div.add-row {
            (combobox(Control { name: &format!("{at}.from"), label: "Add a field", ..Control::default() }, "salesforce-fields", "Search by label or name"))
            (combobox(Control { name: &format!("{at}.to"), label: "To the property", ..Control::default() }, "hubspot-properties", "Search, or leave empty to be suggested one"))
            button.button name=(fields::ACTION) value="add" { (icon(Icon::Plus)) "Add" }
        }
    }
}

fn suggested(view: &Mappings) -> Markup {
    html! {
        section.stack.tight aria-labelledby="suggested-title" {
            div.card-head {
                h2 #suggested-title { "Suggested" }
                button.button.small name=(fields::ACTION) value="add-suggested" { "Add all " (view.suggestions.len()) }
            }
            div.mapping {
                @for suggestion in &view.suggestions {
                    div.mapping-row {
                        div { strong { (suggestion.field.label) } p.types { code { (suggestion.field.name) } " · " (field_type(&suggestion.field)) } }
                        (icon(Icon::Arrow))
                        div { strong { (suggestion.property.label) } p.types { code { (suggestion.property.name) } " · " (property_type(&suggestion.property)) } }
                        (verdict_of(&MappingRow {
                            rule: FieldRule { from: suggestion.field.name.clone(), to: suggestion.property.name.clone(), values: indexmap::IndexMap::new(), unmatched: Unmatched::Fail },
                            field: Some(suggestion.field.clone()), property: Some(suggestion.property.clone()),
                            suggested: Some(suggestion.why.clone()), creatable: None,
                        }))
                        button.button.small name=(fields::ACTION) value={ "suggested:" (suggestion.field.name) } { "Add" span.hidden { " " (suggestion.field.label) } }
                    }
                }
            }
        }
    }
}
