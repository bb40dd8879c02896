//! What changed in the Salesforce schema that a sync reads, as a part of its tab.

use jiff::Timestamp;
use landbridge_model::drift::{Consequence, SchemaEvent};
use maud::{Markup, html};

use super::Shell;
use super::parts::{Icon, Table, ago, badge, cell};

/// What the part shows.
#[derive(Clone, Debug, Default)]
pub struct SchemaView {
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
