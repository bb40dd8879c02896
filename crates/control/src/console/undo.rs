//! Undoing a revision: what it would do, and then the account of it.

use jiff::Timestamp;
use landbridge_model::{Revision, SyncName, TenantId};
use maud::{Markup, html};

use super::parts::{self, Icon, Table, ago, cell, count, icon, moment};
use super::sync::{DiffLine, diff_lines};
use super::{Content, Role, Shell, fields, paths};
use crate::ask::{ImportFate, LiveWrites, PlannedImport, RevisionUndo, RevisionUndoPlan, RevisionUndoStatus};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct UndoPage {
    /// The undo, as it would be or as it stands.
    pub undo: RevisionUndo,
    /// The path of its events; `None` when nothing moves.
    pub events: Option<String>,
}

/// The page.
pub fn page(
    shell: &Shell,
    tenant: &TenantId,
    (name, revision): (&SyncName, Revision),
    content: &Content<UndoPage>,
) -> Markup {
    let body = html! {
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } li { a href=(paths::sync(tenant, name)) { (name) } } }
                h1 { "Undo " (revision) " of " (name) }
            }
        }
        (parts::loaded(content, |view| html! {
            div.stack.wide data-live=[view.events.as_deref()] { (live_account(tenant, &view.undo)) }
            @if let Some(plan) = &view.undo.plan { (planned(shell, tenant, &view.undo, plan)) }
        }))
    };
    shell.document(&format!("Undo {revision} of {name}"), &body)
}

/// What an event of the page carries.
pub fn live_account(tenant: &TenantId, undo: &RevisionUndo) -> Markup {
    html! { div #revision-undo { @if let Some(status) = &undo.undo { (account(tenant, &undo.sync, status)) } } }
}

fn time_of(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

fn account(tenant: &TenantId, name: &SyncName, undo: &RevisionUndoStatus) -> Markup {
    let title = match (undo.ended_ms, undo.made) {
        (None, _) => "Being undone",
        (Some(_), Some(_)) => "Undone",
        (Some(_), None) => "Not undone",
    };
    html! {
        section.card aria-labelledby="undo-title" {
            h2 #undo-title { (title) }
            p.quiet { "Begun " (moment(time_of(undo.began_ms))) " by " (parts::who(&undo.by).0) @if let Some(ended) = undo.ended_ms { ", ended " (moment(time_of(ended))) } "." }
            @if let Some(trouble) = &undo.trouble { div.banner.attention { (icon(Icon::Attention)) p { (trouble) } } }
            @if let Some(made) = undo.made { p { (made) " has the definition of " (undo.back_to) ". " a href=(paths::sync(tenant, name)) { "See the sync" } } }
            @if !undo.imports.is_empty() {
                dl.figures {
                    div { dt { "Put back" } dd { (count(undo.counts.restored)) } }
                    div { dt { "Archived" } dd { (count(undo.counts.archived)) } }
                    div { dt { "Associations" } dd { (count(undo.counts.links)) } }
                    div.attention[undo.counts.left > 0] { dt { "Left" } dd { (count(undo.counts.left)) } }
                }
                ul { @for id in &undo.imports { li { a href=(paths::import(tenant, id)) { (id) } " is undone. " a href=(paths::import_left(tenant, id)) { "Download what was left" span.hidden { " of " (id) } " (CSV)" } } } }
                @if undo.made.is_some() { p.quiet { "The sync stands still until it is resumed. Its next import writes every record again." } }
            }
            @if !undo.stays.is_empty() {
                p { "What these imports wrote stays:" }
                ul { @for import in &undo.stays { li { a href=(paths::import(tenant, &import.id)) { (import.id) } ": " (import.reason) "." } } }
            }
            (live_writes(undo.live, &[]))
        }
    }
}

fn planned(shell: &Shell, tenant: &TenantId, undo: &RevisionUndo, plan: &RevisionUndoPlan) -> Markup {
    let undoes_imports = plan.undone().next().is_some();
    let needed = if undoes_imports {
        Role::Operator
    } else {
        Role::Editor
    };
    let number = undo.revision.0.to_string();
    html! {
        @if let Some(obstacle) = &plan.obstacle { div.banner.attention { (icon(Icon::Attention)) p { strong { "It cannot be undone now: " } (obstacle) "." } } }
        section.stack.tight aria-labelledby="back-title" {
            h2 #back-title { "The definition goes back to " (plan.back_to) }
            @if plan.lines.is_empty() { p.quiet { "It is back already." } }
            @else { p.quiet { "As a new revision: the others stay in the list." } (diff_lines(&lines(&plan.lines))) }
            @if !plan.later.is_empty() {
                p { "Undone with it, for they came after it: " @for (place, later) in plan.later.iter().enumerate() { @if place > 0 { ", " } (later) } "." }
            }
        }
        @if plan.imports.is_empty() { p.quiet { "No import wrote under it, so that nothing is put back in HubSpot." @if undo.undo.is_none() { " The sync runs on." } } }
        @else { (imports(shell, tenant, &plan.imports).show()) }
        (live_writes(plan.live, &plan.stays))
        @if undoes_imports { p { "The sync is paused first. Then every value that still is what these imports wrote becomes what it was before; records that they made and nobody touched are archived; associations are as they were. What was changed since stays, and is listed." } }
        @if plan.obstacle.is_none() {
            @if shell.may(needed) {
                div.actions {
                    (shell.button(&paths::revision_undo(tenant, &undo.sync, &number), &format!("Undo {}", undo.revision), "danger", &[(fields::ETAG, undo.tag.as_str())]))
                    a.button.quiet href=(paths::sync(tenant, &undo.sync)) { "Cancel" }
                }
            } @else { p.reason { (icon(Icon::Lock)) @if undoes_imports { "An operator can undo it." } @else { "An editor can undo it." } } }
        }
    }
}

fn imports(shell: &Shell, tenant: &TenantId, imports: &[PlannedImport]) -> Table {
    let mut table = Table::new("Imports under it")
        .column("Import")
        .column("Revision")
        .column("Began")
        .numbers("Before-images")
        .column("What becomes of it");
    for import in imports {
        let fate = match import.fate {
            ImportFate::Undo => "Undone",
            ImportFate::Undone => "Undone before",
            ImportFate::Stays => "Stays",
        };
        table.row(vec![
            cell(html! { a href=(paths::import(tenant, &import.id)) { (import.id) } @if import.back_fill { br; span.quiet { "back-fill" } } }),
            import.revision.to_string().into(),
            ago(shell.now, time_of(import.started_ms)).into(),
            parts::number(import.images),
            cell(html! { (fate) @if let Some(reason) = &import.reason { br; span.quiet { (reason) "." } } }),
        ]);
    }
    table
}

/// What no undo takes back: nothing was kept of what was there before.
fn live_writes(live: LiveWrites, properties: &[String]) -> Markup {
    html! {
        @if !live.is_empty() {
            div.banner.attention {
                (icon(Icon::Attention))
                p {
                    (parts::one_or_many(live.records, "change of a record", "changes of records")) " and " (parts::one_or_many(live.links, "change of a link", "changes of links")) " were written outside of imports and stay, for nothing was kept of what was there before. The records are written by the former mapping with their next change or import."
                    @if !properties.is_empty() { " What they wrote to " @for (place, property) in properties.iter().enumerate() { @if place > 0 { ", " } code { (property) } } " stays for good, for nothing maps it any more." }
                }
            }
        }
    }
}

/// The lines of a difference, which carry their signs.
fn lines(marked: &[String]) -> Vec<DiffLine> {
    let line = |marked: &String| {
        let mut characters = marked.chars();
        let mark = characters.next();
        let text = characters.as_str().to_owned();
        match mark {
            Some('+') => DiffLine::Added(text),
            Some('-') => DiffLine::Removed(text),
            _ => DiffLine::Same(text),
        }
    };
    marked.iter().map(line).collect()
}
