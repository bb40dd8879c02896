//! What changed in the Salesforce schema that a sync reads, as a part of its tab.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::FormulaReading;
use landbridge_model::drift::{Consequence, SchemaEvent};
use landbridge_model::formula::Unstamped;
use maud::{Markup, html};

use super::Shell;
use super::parts::{self, Icon, Table, ago, badge, cell, count, duration};

/// How mapped fields that change without a stamp are read again; nothing for a sync that has none.
pub(super) fn formulas(shell: &Shell, reading: &FormulaReading) -> Markup {
    if reading.fields.is_empty() && reading.every_seconds.is_none() {
        return html! {};
    }
    let mut table = Table::new("Fields that change without a stamp")
        .column("Field")
        .column("Changes with");
    for field in &reading.fields {
        table.row(vec![field.field.clone().into(), changes_with(field).into()]);
    }
    let every = reading.every_seconds.map(Duration::from_secs);
    html! {
        section.stack.tight aria-labelledby="formulas-title" {
            div.card-head { h2 #formulas-title { "Formulas and parents' fields" } }
            @if !reading.fields.is_empty() { (table.show()) }
            p.quiet {
                @match every {
                    Some(every) => { "All " (count(reading.records)) " records are read again every " (duration(every)) ": " (parts::one_or_many(reading.calls, "call", "calls")) " each time. " }
                    None => "Not all records are read again by a schedule. "
                }
                "In all about " (parts::one_or_many(reading.calls_per_day, "call", "calls")) " to Salesforce a day."
                @if let Some(last) = reading.last_ms.and_then(|last| Timestamp::from_millisecond(last).ok()) {
                    " Last " (ago(shell.now, last)) ": " (count(reading.last_read)) " read, of which " (count(reading.last_sent)) " said something new."
                }
            }
        }
    }
}

fn changes_with(field: &Unstamped) -> String {
    let mut what: Vec<String> = Vec::new();
    if field.depends_on_time {
        what.push("the date or the hour".to_owned());
    }
    what.extend(
        field
            .parents
            .iter()
            .map(|parent| format!("{} above it ({})", parent.object, parent.lookup)),
    );
    if field.is_unreadable {
        what.push("more than can be read of it".to_owned());
    }
    what.join(", ")
}

/// What the part shows.
#[derive(Clone, Debug, Default)]
pub struct SchemaView {
    /// How fields that change without a stamp are read again.
    pub formulas: FormulaReading,
    /// When Salesforce was asked last; none before the first time.
    pub looked: Option<Timestamp>,
    /// The latest changes, the newest first.
    pub events: Vec<SchemaEvent>,
}

/// The part; nothing while no change was seen.
pub(super) fn section(shell: &Shell, view: &SchemaView) -> Markup {
    if view.events.is_empty() {
        return html! {};
    }
    let mut table = Table::new("Changes of the Salesforce schema")
        .column("What changed")
        .column("Then")
        .column("When");
    for event in &view.events {
        let then = match event.consequence {
            Consequence::Continue => html! { (badge("", Icon::Good, "went on")) },
            Consequence::BackFill => {
                html! { (badge("attention", Icon::Attention, "read all records again")) }
            }
            Consequence::Suspend => html! { (badge("stopped", Icon::Stopped, "stopped the sync")) },
        };
        let at = Timestamp::from_millisecond(event.at_ms).unwrap_or_default();
        table.row(vec![
            event.text.clone().into(),
            cell(then),
            ago(shell.now, at).into(),
        ]);
    }
    html! {
        section.stack.tight aria-labelledby="schema-title" {
            div.card-head {
                h2 #schema-title { "Changes in Salesforce" }
                @if let Some(looked) = view.looked { span.quiet { "Looked " (ago(shell.now, looked)) } }
            }
            (table.show())
        }
    }
}
