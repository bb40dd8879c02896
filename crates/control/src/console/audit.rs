//! The audit log: who changed what and when. It only ever grows.

use jiff::Timestamp;
use landbridge_model::TenantId;
use maud::{Markup, html};

use super::parts::{self, Choice, Icon, Paging, Table, cell, empty, icon, moment, pager, search_form};
use super::sync::DiffLine;
use super::{Content, Shell, paths};
use crate::service::AuditState;

/// What the page shows.
#[derive(Clone, Debug)]
pub struct Audit {
    /// The newest first.
    pub rows: Vec<AuditRow>,
    /// What was searched for.
    pub query: String,
    /// Kinds of action, to narrow by: what actions begin with.
    pub actions: Vec<String>,
    /// Only of this kind; empty for all.
    pub action: String,
    /// Where in the list.
    pub paging: Paging,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who, and by what: "Mira Okonkwo", "token deploy", "Landbridge".
    pub who: String,
    /// By which way: console, command line, API.
    pub via: String,
    /// Whose; none for what concerns the whole installation.
    pub tenant: Option<TenantId>,
    /// The kind of action, such as "sync.paused".
    pub action: String,
    /// What was done, as a sentence.
    pub what: String,
    /// Whether it is known that it was done.
    pub state: AuditState,
    /// For a changed definition: the lines that changed.
    pub diff: Vec<DiffLine>,
}

/// The page; of one tenant, or of all.
pub fn page(shell: &Shell, tenant: Option<&TenantId>, content: &Content<Audit>) -> Markup {
    let path = tenant.map_or(paths::AUDIT.to_owned(), paths::tenant_audit);
    let body = html! {
        div.page-head { div { h1 { "Audit log" } p.quiet { "Who changed what, and when. Entries cannot be changed or removed." } } }
        (parts::loaded(content, |view| inner(&path, tenant.is_none(), view)))
    };
    shell.document("Audit log", &body)
}

fn inner(path: &str, is_wide: bool, view: &Audit) -> Markup {
    let any = Choice {
        label: "Any".to_owned(),
        ..Choice::default()
    };
    let of = |action: &String| Choice {
        value: action.clone(),
        label: action.clone(),
        ..Choice::default()
    };
    let choices = std::iter::once(any).chain(view.actions.iter().map(of)).collect();
    let is_narrowed = !view.query.is_empty() || !view.action.is_empty();
    if view.rows.is_empty() && !is_narrowed {
        return empty(
            Icon::Log,
            "Nothing has been changed yet",
            "Every change to connections, syncs, imports, users and tokens is written here.",
            &html! {},
        );
    }
    html! {
        (search_form(path, "Search by person, sync or words", &view.query, &[("kind", "Kind", &view.action, choices)]))
        @if view.rows.is_empty() {
            (empty(Icon::Search, "No entry matches", "Search for fewer letters, or show all.", &html! { a.button href=(path) { "Show all" } }))
        } @else {
            (table(is_wide, view))
            (pager(&view.paging, "entries"))
        }
    }
}

fn table(is_wide: bool, view: &Audit) -> Markup {
    let mut table = Table::new("Audit log")
        .hidden_caption()
        .column("When")
        .column("Who");
    if is_wide {
        table = table.column("Tenant");
    }
    table = table.column("What");
    for row in &view.rows {
        let mut cells = vec![
            cell(html! { span.numeric { (moment(row.at)) } }),
            cell(html! { (row.who) br; span.quiet { (row.via) } }),
        ];
        if is_wide {
            cells.push(cell(html! { @match &row.tenant { Some(tenant) => a href=(paths::tenant(tenant)) { (tenant) }, None => span.quiet { "all" } } }));
        }
        cells.push(cell(html! {
            div.stack.tight {
                p { (row.what) } code.quiet { (row.action) }
                @match row.state {
                    AuditState::Done => {},
                    AuditState::Asked => p.quiet { (icon(Icon::Attention)) " This was asked for. It is under way, or was cut off: look whether it is done." },
                    AuditState::Unclear => p.quiet { (icon(Icon::Attention)) " This was asked for and ended with an error. Look whether it is done." },
                }
                @if !row.diff.is_empty() { details { summary { "What changed" } (super::sync::diff_lines(&row.diff)) } }
            }
        }));
        table.row(cells);
    }
    table.show()
}
