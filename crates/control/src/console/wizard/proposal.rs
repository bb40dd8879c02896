//! The review of a HubSpot object before it is created: "Create this object in HubSpot".

use landbridge_model::ask::LimitUse;
use landbridge_model::hubspot::PropertyDefinition;
use landbridge_model::propose::Proposal;
use landbridge_model::{Problem, TenantId};
use maud::{Markup, html};

use super::mappings::property_type;
use super::{Step, stepper};
use crate::console::parts::{
    self, Control, Icon, Table, anchor, cell, check, choices, error_summary, icon, of_limit, select, submit,
    text_input,
};
use crate::console::{Content, Shell, paths};

/// What the review shows.
#[derive(Clone, Debug)]
pub struct ProposalReview {
    /// The Salesforce object's label and API name.
    pub object: (String, String),
    /// What is proposed, with a person's changes so far.
    pub proposal: Proposal,
    /// Names of properties that a new record must have: fields that Salesforce never leaves empty.
    pub required: Vec<String>,
    /// Names of properties that are left out by a person.
    pub excluded: Vec<String>,
    /// Associations that come with it: lookup field, its label, the HubSpot object at the other end.
    pub associations: Vec<(String, String, String)>,
    /// Custom objects that the portal has and may have.
    pub limit: Option<LimitUse>,
    /// What is to be put right.
    pub problems: Vec<Problem>,
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<ProposalReview>) -> Markup {
    let body = html! {
        (stepper(Step::MapObjects, |_| None, &[]))
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } li { a href=(paths::new_sync(tenant)) { "Map objects" } } li { "New HubSpot object" } }
                h1 { "Create this object in HubSpot" }
                p.quiet { "Proposed from what Salesforce says of the object. Change what you like; nothing exists until you press “Create”." }
            }
            @if let Ok(view) = content { @if let Some(limit) = view.limit { p.quiet { (of_limit(limit.used, limit.limit)) " custom objects" } } }
        }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document("Create this object in HubSpot", &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &ProposalReview) -> Markup {
    let proposal = &view.proposal;
    let text = |name: &str, label: &str, hint: &str, value: &str| {
        let wrong: Vec<&Problem> = parts::problems_of(&view.problems, name);
        text_input(
            Control {
                name,
                label,
                hint,
                value,
                required: true,
                problems: &wrong,
                ..Control::default()
            },
            "text",
            "off",
        )
    };
    let display: Vec<(&str, &str)> = proposal
        .properties
        .iter()
        .map(|property| (property.name.as_str(), property.label.as_str()))
        .collect();
    html! {
        (error_summary(&view.problems, |problem| Some(format!("#{}", anchor(&problem.place)))))
        (shell.form(&paths::new_object_type(tenant, &view.object.1), "wizard", html! {
            section.card {
                h2 { "The object" }
                div.row {
                    (text("singular", "Label, one", "", &proposal.singular))
                    (text("plural", "Label, several", "", &proposal.plural))
                    (text("name", "Name", "", &proposal.name))
                    (select(Control { name: "primaryDisplay", label: "Shown first", value: &proposal.primary_display, ..Control::default() }, &choices(&display)))
                }
                p.hint { "The name cannot be changed once the object exists. Labels can." }
            }
            (properties(view))
            (associations(view))
            @if !proposal.left_out.is_empty() { (left_out(view)) }
            div.wizard-foot {
                div.actions {
                    a.button.quiet href=(paths::new_sync(tenant)) { "Back" }
                    (submit(&format!("Create “{}” in HubSpot", proposal.singular), "create", "primary"))
                }
            }
        }))
    }
}

fn properties(view: &ProposalReview) -> Markup {
    let proposal = &view.proposal;
    let source = |property: &PropertyDefinition| {
        let rule = proposal.fields.iter().find(|rule| rule.to == property.name);
        rule.map_or("Id", |rule| rule.from.as_str())
    };
    let mut table = Table::new("Properties")
        .controls("Create")
        .column("From the field")
        .column("Label")
        .column("Name")
        .column("Type")
        .column("Required");
    for (place, property) in proposal.properties.iter().enumerate() {
        let at = format!("properties[{place}]");
        let locked = property.has_unique_value;
        let hidden = |what: &str| html! { span.hidden { (what) " " (property.label) } };
        table.row(vec![
            cell(html! {
                @if locked { span.hidden { (property.label) } (icon(Icon::Lock)) input type="hidden" name={ (at) ".include" } value="on"; }
                @else { (check(&format!("{at}.include"), "on", &hidden("Create"), !view.excluded.contains(&property.name), false)) }
            }),
            cell(html! { code { (source(property)) } input type="hidden" name={ (at) ".from" } value=(source(property)); }),
            cell(text_input(Control { name: &format!("{at}.label"), label: "Label", value: &property.label, is_label_hidden: true, required: true, ..Control::default() }, "text", "off")),
            cell(text_input(Control { name: &format!("{at}.name"), label: "Name", value: &property.name, is_label_hidden: true, required: true, locked: if locked { "Fixed." } else { "" }, ..Control::default() }, "text", "off")),
            cell(html! {
                (property_type(property))
                @if property.has_unique_value { ", unique" }
                @if property.options.len() > 2 {
                    details { summary { (property.options.len()) " options" } ul { @for option in &property.options { li { (option.label) } } } }
                }
            }),
            cell(if locked { html! { span.quiet { "always filled" } } } else {
                check(&format!("{at}.required"), "on", &hidden("Required:"), view.required.contains(&property.name), false)
            }),
        ]);
    }
    table.show()
}

fn associations(view: &ProposalReview) -> Markup {
    html! {
        section.card {
            h2 { "Associations" }
            @if view.associations.is_empty() {
                p.quiet { "The object has no lookup whose records come to HubSpot. You can add associations at any time." }
            } @else {
                p.quiet { "The new object can be associated with these; you choose which lookups travel two steps on." }
                ul.plain-list {
                    @for (field, label, to) in &view.associations {
                        li.map-line { (label) code.quiet { (field) } (icon(Icon::Arrow)) (to) }
                    }
                }
            }
        }
    }
}

fn left_out(view: &ProposalReview) -> Markup {
    html! {
        details.card {
            summary { (view.proposal.left_out.len()) " fields are left out" }
            ul.plain-list { @for (field, reason) in &view.proposal.left_out { li { code { (field) } " – " (reason) } } }
        }
    }
}
