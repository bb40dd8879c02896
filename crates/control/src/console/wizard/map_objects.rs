//! Step 2: which Salesforce object becomes which HubSpot object.

use landbridge_model::ask::{LimitUse, ObjectSummary};
use landbridge_model::{Problem, SyncName, TenantId};
use maud::{Markup, html};

use super::{Draft, Step, step_page, stepper};
use crate::console::parts::{
    self, Choice, Control, Icon, choice_list, combobox, count, empty, error_summary, icon, of_limit, submit,
    text_input,
};
use crate::console::{Content, Shell, fields, paths};

/// What the step shows.
#[derive(Clone, Debug)]
pub struct MapObjects {
    /// The org's objects.
    pub objects: Vec<ObjectChoice>,
    /// The portal's custom objects.
    pub object_types: Vec<TypeChoice>,
    /// API name of the Salesforce object as it was chosen; empty for none.
    pub object: String,
    /// Name of the HubSpot object type as it was chosen; empty for none.
    pub object_type: String,
    /// Name of the sync as it was entered; empty to derive it from the object.
    pub name: String,
    /// Custom objects that the portal has and may have.
    pub limit: Option<LimitUse>,
    /// What is to be put right.
    pub problems: Vec<Problem>,
}

/// A Salesforce object to choose.
#[derive(Clone, Debug)]
pub struct ObjectChoice {
    /// The object.
    pub object: ObjectSummary,
    /// The sync that carries it already; it can be carried to another object as well.
    pub synced_by: Option<SyncName>,
    /// Why it cannot be chosen.
    pub blocked: Option<String>,
}

/// A HubSpot object to choose.
#[derive(Clone, Debug)]
pub struct TypeChoice {
    /// Name, as definitions write it.
    pub name: String,
    /// Label.
    pub label: String,
    /// The sync that fills it already.
    pub synced_by: Option<SyncName>,
}

/// The step for a sync that has a name: its two ends stay what they are.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Around the step.
    pub draft: Draft,
    /// The property that holds the Salesforce id.
    pub id_property: String,
    /// Why the property cannot be changed any more; empty when it can.
    pub locked: String,
    /// What is to be put right.
    pub problems: Vec<Problem>,
}

/// The page for a sync that has a name.
pub fn chosen(shell: &Shell, content: &Content<Chosen>) -> Markup {
    let view = match content {
        Ok(view) => view,
        Err(trouble) => return shell.document(Step::MapObjects.title(), &parts::failed(trouble)),
    };
    let of_property = parts::problems_of(&view.problems, "spec.hubspot.idProperty");
    let side = |(label, name): &(String, String)| {
        html! { span.two-names { span { (label) } code { (name) } } }
    };
    let form = html! {
        div.card {
            p.map-line id=(parts::anchor("spec.hubspot.objectType")) { (side(&view.draft.object)) (icon(Icon::Arrow)) (side(&view.draft.object_type)) }
            p.reason { (icon(Icon::Lock)) "The two objects of a sync do not change. For another pair, make another sync." }
        }
        div.card {
            (text_input(Control { name: "spec.hubspot.idProperty", label: "Property that holds the Salesforce id",
                hint: "Unique; created in HubSpot when it is missing. Records are found again by it.", value: &view.id_property,
                required: true, rechecks: true, locked: &view.locked, problems: &of_property, ..Control::default() }, "text", "off"))
        }
    };
    let lead = "Which Salesforce object becomes which HubSpot object.";
    step_page(shell, &view.draft, Step::MapObjects, lead, &view.problems, form)
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, content: &Content<MapObjects>) -> Markup {
    let body = html! {
        (stepper(Step::MapObjects, |_| None, &[]))
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } li { "Sync custom object" } }
                h1 { "Map objects" }
                p.quiet { "Choose the Salesforce object whose records you want in HubSpot, and the HubSpot object that they become." }
            }
        }
        (parts::loaded(content, |view| inner(shell, tenant, view)))
    };
    shell.document("Map objects", &body)
}

fn inner(shell: &Shell, tenant: &TenantId, view: &MapObjects) -> Markup {
    if view.objects.is_empty() {
        return empty(
            Icon::Box,
            "The org shows no object",
            "The Salesforce user that Landbridge signs in as may read no object. Give it a permission set with read access to the objects you want to sync, then load this page again.",
            &html! { a.button href=(paths::tenant(tenant)) { "Back to connected apps" } },
        );
    }
    let at = |place: &str| -> Vec<&Problem> { parts::problems_of(&view.problems, place) };
    let (object, object_type, name) = (
        at("spec.salesforce.object"),
        at("spec.hubspot.objectType"),
        at("metadata.name"),
    );
    html! {
        (choice_list("salesforce-objects", &object_choices(view)))
        (choice_list("hubspot-objects", &type_choices(view)))
        (shell.form(&paths::new_sync(tenant), "wizard", html! {
            button.hidden name=(fields::ACTION) value="next" tabindex="-1" aria-hidden="true" { "Next" }
            (error_summary(&view.problems, |problem| Some(format!("#{}", parts::anchor(&problem.place)))))
            div.card {
                div.pair {
                    (combobox(Control { name: "spec.salesforce.object", label: "Salesforce object", hint: "Custom objects come first.",
                        value: &view.object, required: true, problems: &object, ..Control::default() }, "salesforce-objects", "Search by label or API name"))
                    (icon(Icon::Arrow))
                    div.stack {
                        (combobox(Control { name: "spec.hubspot.objectType", label: "HubSpot object", hint: "Custom objects of this portal.",
                            value: &view.object_type, problems: &object_type, ..Control::default() }, "hubspot-objects", "Search by label or name"))
                        (create(view))
                    }
                }
            }
            details open[!name.is_empty()] {
                summary { "Name of the sync" }
                (text_input(Control { name: "metadata.name", label: "Name", hint: "Optional. In files and on the command line; taken from the HubSpot object when left empty.",
                    value: &view.name, problems: &name, ..Control::default() }, "text", "off"))
            }
            div.wizard-foot {
                div.actions {
                    a.button.quiet href=(paths::tenant(tenant)) { "Back" }
                    (submit("Next", "next", "primary"))
                }
            }
        }))
    }
}

/// The way out when the portal has no object for it.
fn create(view: &MapObjects) -> Markup {
    let is_full = view.limit.is_some_and(|limit| limit.used >= limit.limit);
    html! {
        div.stack.tight {
            p.quiet {
                @if view.object_types.is_empty() { "This portal has no custom object yet. " } @else { "Not there? " }
                @if let Some(limit) = view.limit { "The portal has " (of_limit(limit.used, limit.limit)) " custom objects." }
            }
            @if is_full {
                p.reason { (icon(Icon::Lock)) "No further object can be created: the portal's limit of " (count(view.limit.map_or(0, |limit| limit.limit))) " is reached. Delete one that is not used in HubSpot, or raise the limit there." }
            } @else {
                div { button.button name=(fields::ACTION) value="create-object-type" { (icon(Icon::Plus)) "Create this object in HubSpot" } }
                p.hint { "You review its properties before anything is created." }
            }
        }
    }
}

fn object_choices(view: &MapObjects) -> Vec<Choice> {
    let choice = |object: &ObjectChoice| Choice {
        value: object.object.name.clone(),
        label: object.object.label.clone(),
        note: match (&object.blocked, &object.synced_by) {
            (Some(reason), _) => reason.clone(),
            (None, Some(sync)) => format!("already synced by {sync}"),
            (None, None) => String::new(),
        },
        group: if object.object.custom {
            "Custom objects"
        } else {
            "Standard objects"
        }
        .to_owned(),
        disabled: object.blocked.is_some(),
    };
    let mut choices: Vec<Choice> = view.objects.iter().map(choice).collect();
    choices.sort_by(|a, b| (&a.group, &a.label).cmp(&(&b.group, &b.label)));
    choices
}

fn type_choices(view: &MapObjects) -> Vec<Choice> {
    let choice = |object: &TypeChoice| Choice {
        value: object.name.clone(),
        label: object.label.clone(),
        note: object
            .synced_by
            .as_ref()
            .map(|sync| format!("filled by {sync}"))
            .unwrap_or_default(),
        ..Choice::default()
    };
    let mut choices: Vec<Choice> = view.object_types.iter().map(choice).collect();
    choices.sort_by(|a, b| a.label.cmp(&b.label));
    choices
}
