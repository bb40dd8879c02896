//! API calls on both sides: used, allocated, reserved; Salesforce's allocation can be changed.

use landbridge_model::{Problem, TenantId};
use maud::{Markup, html};

use crate::console::parts::{self, Control, Icon, Meter, Use, count, icon, submit, text_input};
use crate::console::{Role, Shell, fields, paths};

/// API budgets of both sides.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// Salesforce, in 24 hours.
    pub salesforce: Option<ApiBudget>,
    /// HubSpot, in a day.
    pub hubspot: Option<ApiBudget>,
    /// Calls a day that Landbridge may make to Salesforce; `None` leaves only the reserve alone.
    pub allocation: Option<u64>,
    /// Stands for the tenant as the page shows it.
    pub etag: String,
    /// What was wrong with the allocation that was entered.
    pub problems: Vec<Problem>,
}

/// One side's budget.
#[derive(Clone, Debug)]
pub struct ApiBudget {
    /// What the account may make.
    pub limit: u64,
    /// What everything in the account has made.
    pub used: u64,
    /// What Landbridge has made of them, where that is counted apart.
    pub used_by_landbridge: Option<u64>,
    /// What Landbridge may make.
    pub allocated: u64,
    /// What Landbridge always leaves to others.
    pub reserved: u64,
    /// What everything will have made when it starts anew, at the pace of the last minutes.
    pub forecast: Option<u64>,
    /// When it starts anew, in words.
    pub renews: String,
}

pub(super) fn section(shell: &Shell, tenant: &TenantId, budgets: &Budgets) -> Markup {
    html! {
        section.stack.tight aria-labelledby="budget-title" {
            h2 #budget-title { "API budget" }
            div.cards-row {
                div.card { h3 { "Salesforce" } (side(budgets.salesforce.as_ref(), "Salesforce")) (allocation(shell, tenant, budgets)) }
                div.card { h3 { "HubSpot" } (side(budgets.hubspot.as_ref(), "HubSpot")) p.quiet { "HubSpot's burst limit is shared out by itself: live changes before links, links before imports." } }
            }
        }
    }
}

fn side(budget: Option<&ApiBudget>, name: &str) -> Markup {
    let Some(budget) = budget else {
        return html! { p.quiet { (name) " has not told its limits yet; they are read with the first call." } };
    };
    html! {
        @if let Some(used) = budget.used_by_landbridge {
            (parts::meter(Meter { label: "Used by Landbridge", amount: Use { used, limit: budget.allocated }, note: Some("of what is allocated to it") }))
        }
        (parts::meter(Meter { label: "Used by everything", amount: Use { used: budget.used, limit: budget.limit }, note: Some(&budget.renews) }))
        dl.facts {
            div { dt { "Allocated to Landbridge" } dd { (count(budget.allocated)) } }
            div { dt { "Reserved for others" } dd { (count(budget.reserved)) } }
            @if let Some(forecast) = budget.forecast {
                div { dt { "At this pace, by the end of the day" } dd { (count(forecast)) @if forecast > budget.allocated { " (imports slow down before it comes to that)" } } }
            }
        }
    }
}

fn allocation(shell: &Shell, tenant: &TenantId, budgets: &Budgets) -> Markup {
    let value = budgets
        .allocation
        .map(|calls| calls.to_string())
        .unwrap_or_default();
    let wrong: Vec<&Problem> = budgets.problems.iter().collect();
    html! {
        @if shell.may(Role::Operator) {
            (shell.form(&paths::health_part(tenant, "allocation"), "row", html! {
                input type="hidden" name=(fields::ETAG) value=(budgets.etag);
                (text_input(Control { name: "dailyCalls", label: "Allocated to Landbridge, calls a day", hint: "Optional. Reading slows down before it and stops at it; empty leaves only the reserve alone.",
                    value: &value, problems: &wrong, ..Control::default() }, "number", "off"))
                (submit("Save", "", ""))
            }))
        } @else { p.reason { (icon(Icon::Lock)) "An operator can change the allocation." } }
    }
}
