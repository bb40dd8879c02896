//! Step 3: what happens on create, update and delete.

use landbridge_model::Problem;
use landbridge_model::sync::{DeleteRule, MaxDeletes, Rules};
use maud::{Markup, html};

use super::{Draft, Step, step_page};
use crate::console::parts::{Control, Icon, choices, icon, problems_of, radios, select, text_input};
use crate::console::{Content, Shell};

/// What the step shows.
#[derive(Clone, Debug)]
pub struct SyncRules {
    /// Around the step.
    pub draft: Draft,
    /// The rules as they are.
    pub rules: Rules,
    /// The safety limit as it was entered, when it could not be read.
    pub max_deletes_text: Option<String>,
    /// What is to be put right.
    pub problems: Vec<Problem>,
}

/// The page.
pub fn page(shell: &Shell, content: &Content<SyncRules>) -> Markup {
    match content {
        Ok(view) => step_page(
            shell,
            &view.draft,
            Step::Rules,
            "What HubSpot does when a record is created, changed or deleted in Salesforce.",
            &view.problems,
            inner(view),
        ),
        Err(trouble) => shell.document(Step::Rules.title(), &crate::console::parts::failed(trouble)),
    }
}

fn fixed(title: &str, what: &str) -> Markup {
    html! {
        div.part { h3 { (title) } p { (what) } p.reason { (icon(Icon::Lock)) "Always so." } }
    }
}

/// Count or share, and the number of it.
fn limit(view: &SyncRules) -> (&'static str, String) {
    let (unit, number) = match view.rules.max_deletes.unwrap_or_default() {
        MaxDeletes::Count(count) => ("records", count.to_string()),
        MaxDeletes::Percent(share) => ("percent", share.to_string()),
    };
    (unit, view.max_deletes_text.clone().unwrap_or(number))
}

fn inner(view: &SyncRules) -> Markup {
    let object = &view.draft.object_type.0;
    let chosen = match view.rules.delete {
        DeleteRule::DoNothing => "do-nothing",
        DeleteRule::DeleteRecord => "delete-record",
    };
    let (unit, number) = limit(view);
    let at = |place: &str| -> Vec<&Problem> { problems_of(&view.problems, place) };
    let reread_problems = at("spec.rules.reread");
    let (limit_problems, grace_problems) = (at("spec.rules.maxDeletes"), at("spec.rules.grace"));
    let delete = format!("Delete {object}");
    html! {
        div.card {
            (fixed("When a record is created in Salesforce", &format!("A new {object} is created in HubSpot.")))
            (fixed("When a record is changed in Salesforce", "The mapped properties of the HubSpot record are updated. Properties that are not mapped are left alone."))
            div.part {
                (radios("spec.rules.delete", "When a record is deleted in Salesforce", chosen, &[
                    ("do-nothing", "Do nothing", "HubSpot keeps the record as it is."),
                    ("delete-record", &delete, "The HubSpot record goes to HubSpot's recycle bin, from where it can be restored for 90 days. Only records that Landbridge wrote are ever deleted."),
                ]))
            }
        }
        section.card aria-labelledby="formulas-title" {
            h2 #formulas-title { "Formulas" }
            p.quiet { "A formula changes without its record being marked as changed. Records below a changed parent are read again by themselves, within minutes. For the rest, all records are read again by a schedule, and those that say something new are written." }
            (text_input(Control { name: "spec.rules.reread", label: "Read all records again", hint: "Such as 12h or 1d, or off. Left empty: daily when a mapped formula depends on the date or cannot be read, else never. The sync's page shows what it costs.",
                value: view.rules.reread.as_deref().unwrap_or_default(), rechecks: true, problems: &reread_problems, ..Control::default() }, "text", "off"))
        }
        section.card aria-labelledby="safety-title" {
            h2 #safety-title { "Safety of deletes" }
            p.quiet { "A mistake in Salesforce should not empty HubSpot. These hold while “" (delete) "” is chosen." }
            div.row {
                (text_input(Control { name: "spec.rules.maxDeletes", label: "Hold deletes above", hint: "In one hour. Further ones wait until somebody approves or discards them in Sync health.",
                    value: &number, rechecks: true, problems: &limit_problems, ..Control::default() }, "text", "off"))
                (select(Control { name: "spec.rules.maxDeletes.unit", label: "Of what", hint: "A share is of this sync's records in HubSpot.", value: unit, rechecks: true, ..Control::default() },
                    &choices(&[("percent", "percent"), ("records", "records")])))
                (text_input(Control { name: "spec.rules.grace", label: "Grace period", hint: "Optional. How long each delete waits, such as 15m or 24h. A record that is restored meanwhile is not deleted.",
                    value: view.rules.grace.as_deref().unwrap_or_default(), rechecks: true, problems: &grace_problems, ..Control::default() }, "text", "off"))
            }
        }
    }
}
