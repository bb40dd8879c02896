//! A synced object's own tab: how it stands, its definition's revisions, and what can be done with it.

use std::time::Duration;

use jiff::Timestamp;
use landbridge_model::ask::{ReconcileStatus, StreamStatus};
use landbridge_model::config::SyncStatus;
use landbridge_model::sync::{DeleteRule, SyncDefinition};
use landbridge_model::{LinkOutcome, Outcome, Problem, Revision, SyncName, TenantId};
use maud::{Markup, html};
use similar::{ChangeTag, TextDiff};

use super::connected::{SyncSummary, tabs};
use super::parts::{
    self, Choice, Control, Icon, Table, ago, cell, count, duration, icon, radios, status_badge, submit,
    text_input,
};
use super::schema::{self, SchemaView};
use super::wizard::Step;
use super::{Content, Role, Shell, Trouble, fields, paths};

/// What the page shows.
#[derive(Clone, Debug)]
pub struct SyncTab {
    /// The tenant's syncs, for the tabs; this one among them.
    pub syncs: Vec<SyncSummary>,
    /// The definition that runs.
    pub definition: SyncDefinition,
    /// Its revision.
    pub revision: Revision,
    /// Its ETag.
    pub etag: String,
    /// Whether it runs.
    pub status: SyncStatus,
    /// Why it is suspended, as a sentence.
    pub reason: Option<String>,
    /// How far HubSpot may be behind.
    pub behind: Option<Duration>,
    /// Changes by outcome since the account began.
    pub changes: Vec<(Outcome, u64)>,
    /// Links by outcome.
    pub links: Vec<(LinkOutcome, u64)>,
    /// Where live reading stands, and the last trouble with it.
    pub reading: Option<Reading>,
    /// Revisions, the newest first.
    pub revisions: Vec<RevisionRow>,
    /// The revision whose difference from the one before is shown.
    pub shown: Option<RevisionDiff>,
    /// Records that could be filled anew after an edit.
    pub back_fill: Option<BackFill>,
    /// What changed in the Salesforce schema that it reads.
    pub schema: SchemaView,
    /// Whether an edit is begun and not saved.
    pub has_draft: bool,
    /// Why its workers could not be asked how it stands.
    pub trouble: Option<Trouble>,
}

/// Where live reading stands.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Everything before this has been read.
    pub covered: Timestamp,
    /// The last trouble, if reading has not succeeded since.
    pub trouble: Option<String>,
    /// How its object's change events stand, where there are to be some.
    pub stream: Option<StreamStatus>,
    /// How its records are looked for in Salesforce, where that is known.
    pub reconcile: Option<ReconcileStatus>,
}

/// One revision.
#[derive(Clone, Debug)]
pub struct RevisionRow {
    /// Its number.
    pub revision: Revision,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub by: String,
    /// What it changes, in a line.
    pub summary: String,
    /// Whether it can be undone, or was.
    pub undo: RowUndo,
}

/// How a revision stands to being undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowUndo {
    /// There is none before it, or it has the same definition.
    Impossible,
    /// It can be.
    Possible,
    /// It was, or is just being undone.
    Begun,
}

/// The difference of two revisions, as lines of their files.
#[derive(Clone, Debug)]
pub struct RevisionDiff {
    /// The older one.
    pub from: Revision,
    /// The newer one.
    pub to: Revision,
    /// The lines.
    pub lines: Vec<DiffLine>,
}

/// One line of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiffLine {
    /// In both.
    Same(String),
    /// Only in the newer one.
    Added(String),
    /// Only in the older one.
    Removed(String),
}

/// The lines of two files, with what changed.
pub fn diff(older: &str, newer: &str) -> Vec<DiffLine> {
    let diff = TextDiff::from_lines(older, newer);
    diff.iter_all_changes()
        .map(|change| {
            let line = change.value().trim_end_matches('\n').to_owned();
            match change.tag() {
                ChangeTag::Equal => DiffLine::Same(line),
                ChangeTag::Insert => DiffLine::Added(line),
                ChangeTag::Delete => DiffLine::Removed(line),
            }
        })
        .collect()
}

/// What a changed or added mapping could fill in records that were written before.
#[derive(Clone, Debug)]
pub struct BackFill {
    /// The properties that the edit touched, and the lookups.
    pub properties: Vec<String>,
    /// Whether the sync reads or writes another type of record now, so that records are written whole.
    pub everything: bool,
    /// Records that would be read.
    pub records: Option<u64>,
    /// Calls to HubSpot at most.
    pub calls: Option<u64>,
    /// How long it takes at the portal's limits.
    pub takes: Option<Duration>,
}

/// The page.
pub fn page(shell: &Shell, tenant: &TenantId, name: &SyncName, content: &Content<SyncTab>) -> Markup {
    let body = html! {
        @match content {
            Ok(view) => (inner(shell, tenant, name, view)),
            Err(trouble) => {
                div.page-head { div { ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } } h1 { (name) } } }
                (parts::failed(trouble))
            }
        }
    };
    shell.document(&format!("{name} of {tenant}"), &body)
}

fn inner(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &SyncTab) -> Markup {
    let spec = &view.definition.spec;
    html! {
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } li { (name) } }
                h1 { (spec.salesforce.object) " → " (spec.hubspot.object_type) }
                p.actions { (status_badge(view.status)) span.quiet { (view.revision) } @if let Some(behind) = view.behind { span.quiet { (duration(behind)) " behind Salesforce" } } }
            }
            (buttons(shell, tenant, name, view))
        }
        (tabs(tenant, &view.syncs, Some(name)))
        (state(shell, tenant, name, view))
        @if let Some(trouble) = &view.trouble { (parts::trouble(trouble)) }
        @if let Some(back_fill) = &view.back_fill { (offer(shell, tenant, name, back_fill)) }
        @if view.trouble.is_none() { (outcomes(shell, tenant, name, view)) }
        (schema::section(shell, &view.schema))
        (schema::formulas(shell, &view.schema.formulas))
        @if view.status == SyncStatus::Active { (reconcile(shell, tenant, name, view)) }
        (definition(shell, tenant, name, view))
        (revisions(shell, tenant, name, view))
        @if shell.may(Role::Editor) {
            section.card {
                h2 { "Remove this sync" }
                p.quiet { "You are asked whether HubSpot keeps what was written." }
                div { a.button.danger href=(paths::sync_part(tenant, name, "delete")) { "Delete sync …" } }
            }
        }
    }
}

fn buttons(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &SyncTab) -> Markup {
    let part = |what: &str| paths::sync_part(tenant, name, what);
    let etag = [(fields::ETAG, view.etag.as_str())];
    html! {
        div.actions {
            @if shell.may(Role::Operator) {
                @match view.status {
                    SyncStatus::Active => (shell.button(&part("pause"), "Pause", "", &etag)),
                    SyncStatus::Paused | SyncStatus::Suspended => (shell.button(&part("resume"), "Resume", "", &etag)),
                    SyncStatus::Draft => {}
                }
            }
            @if shell.may(Role::Editor) {
                a.button href=(part("duplicate")) { "Duplicate" }
                a.button.primary href=(paths::step(tenant, name, Step::Mappings)) { @if view.has_draft { "Continue editing" } @else { "Edit" } }
            }
        }
    }
}

/// How what HubSpot has is looked for in Salesforce, and the way to have it looked for now.
fn reconcile(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &SyncTab) -> Markup {
    let status = view.reading.as_ref().and_then(|reading| reading.reconcile);
    html! {
        section.stack.tight aria-labelledby="reconcile-title" {
            div.card-head {
                h2 #reconcile-title { "Reconciliation" }
                @if shell.may(Role::Operator) { (shell.button(&paths::sync_part(tenant, name, "reconcile"), "Reconcile now", "small", &[])) }
            }
            p.quiet {
                "What HubSpot has is looked for in Salesforce from time to time: what was purged there is found, and what HubSpot is behind with is read again."
                @if let Some(status) = status { " " (looked(shell, &status)) }
            }
        }
    }
}

fn looked(shell: &Shell, status: &ReconcileStatus) -> Markup {
    let number = |number: u64, one: &str, more: &str| parts::one_or_many(number, one, more);
    html! {
        @if status.is_running { "Under way since " } @else { "Last " }
        @if let Ok(began) = Timestamp::from_millisecond(status.began_ms) { (ago(shell.now, began)) }
        ": " (number(status.looked_for, "record was looked for", "records were looked for")) ", "
        (number(status.behind, "was read again", "were read again")) ", "
        (number(status.deleted, "lies in the recycle bin", "lie in the recycle bin")) ", "
        (number(status.absent, "is gone", "are gone"))
        @if status.kept > 0 { ", " (number(status.kept, "is gone and kept by a person's word", "are gone and kept by a person's word")) }
        "."
    }
}

/// The definition in a few words, each part with the step of the wizard that changes it.
fn definition(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &SyncTab) -> Markup {
    let spec = &view.definition.spec;
    let many = |number: usize, one: &str, more: &str| parts::one_or_many(number as u64, one, more);
    let on_delete = match spec.rules.delete {
        DeleteRule::DoNothing => "deletes in Salesforce change nothing in HubSpot",
        DeleteRule::DeleteRecord => "deletes in Salesforce delete in HubSpot too",
    };
    let conditions = match &spec.filter {
        None => "every record".to_owned(),
        Some(_) => "only records that match its conditions".to_owned(),
    };
    let rows = [
        (Step::Rules, on_delete.to_owned()),
        (
            Step::Associations,
            many(spec.associations.len(), "association", "associations"),
        ),
        (
            Step::Mappings,
            many(spec.fields.len(), "mapped field", "mapped fields"),
        ),
        (Step::Filter, conditions),
    ];
    html! {
        section.card aria-labelledby="definition-title" {
            div.card-head {
                h2 #definition-title { "Definition" }
                a.button.small.quiet href=(paths::sync_part(tenant, name, "export")) download={ (name) ".yaml" } { "Download as YAML" }
            }
            dl.facts {
                @for (step, words) in rows {
                    div {
                        dt { (step.title()) }
                        dd { (words) @if shell.may(Role::Editor) { " " a href=(paths::step(tenant, name, step)) { "Edit" span.hidden { " " (step.title()) } } } }
                    }
                }
            }
        }
    }
}

fn state(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &SyncTab) -> Markup {
    html! {
        @match view.status {
            SyncStatus::Suspended => {
                div.banner.stopped role="alert" {
                    (icon(Icon::Stopped))
                    p { strong { "Landbridge stopped this sync. " } (view.reason.as_deref().unwrap_or("The reason was not recorded.")) " Nothing is lost: it goes on from where it stopped." }
                }
            }
            SyncStatus::Paused if view.reason.is_some() => {
                div.banner.attention { (icon(Icon::Pause)) p { strong { "It stands still: " } @if let Some(reason) = &view.reason { (reason) "." } } }
            }
            SyncStatus::Paused => {
                div.banner.attention { (icon(Icon::Pause)) p { strong { "Paused. " } "Reading has stopped; what was on its way still arrives. Resuming goes on from where it stopped, so that nothing is missed." } }
            }
            SyncStatus::Draft => {
                div.banner {
                    (icon(Icon::Draft))
                    p { strong { "A draft. " } "Nothing is read or written yet." }
                    @if shell.may(Role::Editor) { div.actions { a.button.small href=(paths::step(tenant, name, Step::Preview)) { "Go on to Preview" } } }
                }
            }
            SyncStatus::Active => {}
        }
        @if let Some(reading) = &view.reading {
            @if let Some(trouble) = &reading.trouble { div.banner.attention { (icon(Icon::Attention)) p { "Reading is late: " (trouble) " It is tried again by itself." } } }
        }
    }
}

fn offer(shell: &Shell, tenant: &TenantId, name: &SyncName, back_fill: &BackFill) -> Markup {
    html! {
        section.card aria-labelledby="back-fill-title" {
            h2 #back-fill-title { "Fill the new mappings in existing records?" }
            p {
                "The last edit touched " @for (place, property) in back_fill.properties.iter().enumerate() { @if place > 0 { ", " } code { (property) } }
                ". Records that change from now on get it by themselves. The others can be filled now, by an import that reads every record again"
                @if back_fill.everything { " and writes it whole, for the sync has another type of record now." }
                @else { " and writes only these, of the records that HubSpot has from this sync. Other properties stay as they are in HubSpot." }
            }
            @if let (Some(records), Some(calls)) = (back_fill.records, back_fill.calls) {
                p.quiet { (parts::one_or_many(records, "record", "records")) ", at most " (parts::one_or_many(calls, "call", "calls")) " to HubSpot" @if let Some(takes) = back_fill.takes { ", about " (duration(takes)) } "." }
            }
            @if shell.may(Role::Operator) {
                (shell.form(&paths::sync_part(tenant, name, "back-fill"), "stack tight", html! {
                    (parts::check("keep-before", "on", &html! { "Keep what is there before it is written over" br; span.quiet { "The edit can then be undone with all that was filled. Costs a call to HubSpot for every 100 records." } }, true, false))
                    div.actions { (submit(if back_fill.properties.len() == 1 { "Back-fill this property" } else { "Back-fill these properties" }, "", "primary")) }
                }))
                div.actions {
                    (shell.button(&paths::sync_part(tenant, name, "back-fill/dismiss"), "Leave them as they are", "quiet", &[]))
                }
            } @else { p.reason { (icon(Icon::Lock)) "An operator can start it." } }
        }
    }
}

fn outcomes(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &SyncTab) -> Markup {
    let total: u64 = view.changes.iter().map(|(_, number)| number).sum();
    html! {
        section.stack.tight aria-labelledby="outcomes-title" {
            div.card-head {
                h2 #outcomes-title { "What became of every change" }
                @if let Some(reading) = &view.reading { span.quiet { "Read up to " (ago(shell.now, reading.covered)) } }
            }
            @if let Some(stream) = view.reading.as_ref().and_then(|reading| reading.stream.as_ref()) {
                p.quiet title=[stream.reason.as_deref()] { "Change events: " (stream.words()) "." }
            }
            @if total == 0 {
                p.quiet { "No change has been seen yet. Records that exist already come with an " a href={ (paths::new_import(tenant)) "?sync=" (name) } { "import" } "." }
            } @else {
                dl.figures {
                    @for (outcome, number) in view.changes.iter().filter(|(outcome, number)| *number > 0 || matches!(outcome, Outcome::Created | Outcome::Updated | Outcome::Failed)) {
                        div.bad[*outcome == Outcome::Failed && *number > 0] { dt { (outcome) } dd { (count(*number)) } }
                    }
                }
                @if view.links.iter().any(|(_, number)| *number > 0) {
                    p.quiet { "Links: " @for (place, (outcome, number)) in view.links.iter().enumerate() { @if place > 0 { ", " } (count(*number)) " " (outcome) } "." }
                }
            }
        }
    }
}

fn revisions(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &SyncTab) -> Markup {
    let mut table = Table::new("Revisions")
        .column("Revision")
        .column("What changed")
        .column("By")
        .column("When")
        .controls("Difference")
        .controls("Undo");
    for row in &view.revisions {
        table.row(vec![
            row.revision.to_string().into(),
            row.summary.clone().into(),
            row.by.clone().into(),
            ago(shell.now, row.at).into(),
            cell(html! { @if row.revision.0 > 1 { a href={ (paths::sync(tenant, name)) "?revision=" (row.revision.0) "#difference" } { "Show" span.hidden { " the difference of " (row.revision) } } } }),
            cell(undo_link(shell, tenant, name, row)),
        ]);
    }
    html! {
        (table.show())
        @if let Some(shown) = &view.shown {
            section.stack.tight #difference aria-labelledby="difference-title" {
                h2 #difference-title { "From " (shown.from) " to " (shown.to) }
                (diff_lines(&shown.lines))
            }
        }
    }
}

fn undo_link(shell: &Shell, tenant: &TenantId, name: &SyncName, row: &RevisionRow) -> Markup {
    let path = paths::revision_undo(tenant, name, &row.revision.0.to_string());
    html! {
        @match row.undo {
            RowUndo::Possible if shell.may(Role::Editor) => a href=(path) { "Undo " span.hidden { (row.revision) } "…" },
            RowUndo::Begun => a href=(path) { "Undone" span.hidden { ": how that of " (row.revision) " stands" } },
            RowUndo::Possible | RowUndo::Impossible => {}
        }
    }
}

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// Added and removed lines are told by sign as well as by colour; long stretches of equal lines are left out.
pub(super) fn diff_lines(lines: &[DiffLine]) -> Markup {
    let is_change = |line: &DiffLine| !matches!(line, DiffLine::Same(_));
    let is_near = |place: usize| {
        let from = place.saturating_sub(CONTEXT);
        lines.iter().take(place + CONTEXT + 1).skip(from).any(is_change)
    };
    let mut shown = Vec::new();
    let mut skipped = 0u64;
    for (place, line) in lines.iter().enumerate() {
        if !is_near(place) {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            shown.push(html! { span.skipped { "  … " (parts::one_or_many(skipped, "line is", "lines are")) " the same" } });
            skipped = 0;
        }
        shown.push(match line {
            DiffLine::Same(text) => html! { span { "  " (text) } },
            DiffLine::Added(text) => html! { span.added { "+ " (text) } },
            DiffLine::Removed(text) => html! { span.removed { "- " (text) } },
        });
    }
    html! {
        pre.diff tabindex="0" role="region" aria-label="Lines that changed" {
            @for line in shown { (line) }
            @if skipped > 0 { span.skipped { "  … " (parts::one_or_many(skipped, "line is", "lines are")) " the same" } }
        }
    }
}

/// What the page that asks what a copy shall carry shows.
#[derive(Clone, Debug, Default)]
pub struct DuplicateSync {
    /// The copy's name.
    pub name: String,
    /// The Salesforce object's API name.
    pub object: String,
    /// The HubSpot object type's name.
    pub object_type: String,
    /// Objects to choose from; empty when the org could not be asked.
    pub objects: Vec<Choice>,
    /// Object types to choose from; empty when the portal could not be asked.
    pub object_types: Vec<Choice>,
    /// What is wrong with it. Places are the names of the fields.
    pub problems: Vec<Problem>,
}

/// Asks what a copy shall carry: rules, associations, mappings and filter are taken over, the pair of objects is another.
pub fn duplicate_page(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &DuplicateSync) -> Markup {
    let wrong = |place: &str| -> Vec<&Problem> { parts::problems_of(&view.problems, place) };
    let (own, object, object_type) = (wrong("name"), wrong("object"), wrong("objectType"));
    let body = html! {
        div.page-head {
            div {
                ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } li { a href=(paths::sync(tenant, name)) { (name) } } }
                h1 { "Duplicate " (name) }
                p.quiet { "Rules, associations, mappings and filter are copied into a draft. A pair of objects is carried by one sync only, so the copy carries another." }
            }
        }
        (parts::error_summary(&view.problems, |problem| (!problem.place.is_empty()).then(|| format!("#{}", parts::anchor(&problem.place)))))
        (shell.form(&paths::sync_part(tenant, name, "duplicate"), "form", html! {
            (text_input(Control { name: "name", label: "Name of the copy", hint: "Lower-case letters, digits, hyphens and underscores.", value: &view.name, required: true, problems: &own, ..Control::default() }, "text", "off"))
            (parts::combobox(Control { name: "object", label: "Salesforce object", value: &view.object, required: true, problems: &object, ..Control::default() }, "objects", "Search objects"))
            (parts::combobox(Control { name: "objectType", label: "HubSpot custom object", value: &view.object_type, required: true, problems: &object_type, ..Control::default() }, "object-types", "Search custom objects"))
            (parts::choice_list("objects", &view.objects))
            (parts::choice_list("object-types", &view.object_types))
            div.actions { (submit("Duplicate as a draft", "", "primary")) a.button.quiet href=(paths::sync(tenant, name)) { "Cancel" } }
        }))
    };
    shell.document(&format!("Duplicate {name}"), &body)
}

/// What the page that asks before a sync is deleted shows.
#[derive(Clone, Debug)]
pub struct DeleteSync {
    /// Syncs whose associations lead to this one's records.
    pub children: Vec<SyncName>,
    /// Whether the name that was typed was another one.
    pub is_mistyped: bool,
    /// The definition's ETag.
    pub etag: String,
}

/// Asks before a sync is deleted.
pub fn delete_page(
    shell: &Shell,
    tenant: &TenantId,
    name: &SyncName,
    content: &Content<DeleteSync>,
) -> Markup {
    let body = html! {
        div.page-head { div { ol.crumbs { li { a href=(paths::tenant(tenant)) { "Connected apps" } } li { a href=(paths::sync(tenant, name)) { (name) } } } h1 { "Delete the sync " (name) } } }
        (parts::loaded(content, |view| delete_form(shell, tenant, name, view)))
    };
    shell.document(&format!("Delete {name}"), &body)
}

fn delete_form(shell: &Shell, tenant: &TenantId, name: &SyncName, view: &DeleteSync) -> Markup {
    let mistyped = Problem::new("confirm", "that is not the sync's name", format!("type {name}"));
    let wrong: Vec<&Problem> = if view.is_mistyped {
        vec![&mistyped]
    } else {
        Vec::new()
    };
    html! {
        @if !view.children.is_empty() {
            div.banner.attention {
                (icon(Icon::Attention))
                p { "Associations of " @for (place, child) in view.children.iter().enumerate() { @if place > 0 { ", " } a href=(paths::sync(tenant, child)) { (child) } } " lead to its records. They would wait for parents that no longer come." }
            }
        }
        (shell.form(&paths::sync_part(tenant, name, "delete"), "form", html! {
            input type="hidden" name=(fields::ETAG) value=(view.etag);
            (radios("records", "The records that it wrote to HubSpot", "keep", &[
                ("keep", "Keep them", "They stay in HubSpot as they are."),
                ("delete", "Delete them", "As many as the safety limit allows at once, the others when a person approves them under Sync health. The sync stands still meanwhile, and goes when no delete of it waits any more."),
            ]))
            (text_input(Control { name: "confirm", label: "Type the sync's name to go on", required: true, problems: &wrong, ..Control::default() }, "text", "off"))
            p.quiet { "Its last definition stays in the audit log, and can be applied again; its place in Salesforce's changes is gone." }
            div.actions { (submit("Delete sync", "", "danger")) a.button.quiet href=(paths::sync(tenant, name)) { "Cancel" } }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_keeps_every_line_of_both_in_order() {
        let lines = diff("a\nb\nc\n", "a\nc\nd\n");
        let expected = [
            DiffLine::Same("a".to_owned()),
            DiffLine::Removed("b".to_owned()),
            DiffLine::Same("c".to_owned()),
            DiffLine::Added("d".to_owned()),
        ];
        assert_eq!(lines, expected);
    }
}
