//! A synced object's own tab: how it stands, what it was before, and what can be done with it.

mod duplicate;
mod undo;

use std::collections::BTreeMap;

use std::time::Duration;

use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use landbridge_model::ask::FormulaReading;
use landbridge_model::config::{Sync, SyncStatus};
use landbridge_model::sync::{AssociationRule, SyncDefinition};
use landbridge_model::{LinkOutcome, Outcome, Revision, SyncName, yaml};
use serde::Deserialize;

use super::form::Form;
use super::routes::Routes;
use super::summary::{behind, length, moment, summaries};
use super::visit::{Answer, Refusal, Visit, trouble};
use crate::ask::{RevisionUndoStatus, SchemaEvents, SyncLine, Writing, WrittenRecords};
use crate::console::schema::SchemaView;
use crate::console::sync::{
    BackFill, DeleteSync, DiffLine, Reading, RevisionDiff, RevisionRow, RowUndo, SyncTab, delete_page, diff,
    page,
};
use crate::console::{Place, Trouble, fields, parts, paths};
use crate::definitions::back_fill::Lacking;
use crate::service::{Draft, ImportCount, Role, ServiceError, StoredRevision, SyncView, TenantService};

/// Revisions that are listed.
const REVISIONS: usize = 50;
/// Changes of the schema that are listed.
const SCHEMA_EVENTS: usize = 20;
/// How long a page waits for what an import would take: it can do without.
const RECKONING: Duration = Duration::from_secs(3);

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/syncs/{sync}", show)
        .post("/tenants/{tenant}/syncs/{sync}/pause", pause)
        .post("/tenants/{tenant}/syncs/{sync}/resume", resume)
        .post("/tenants/{tenant}/syncs/{sync}/reconcile", reconcile)
        .get("/tenants/{tenant}/syncs/{sync}/duplicate", duplicate::ask)
        .post("/tenants/{tenant}/syncs/{sync}/duplicate", duplicate::copy)
        .post("/tenants/{tenant}/syncs/{sync}/back-fill", fill)
        .post("/tenants/{tenant}/syncs/{sync}/back-fill/dismiss", dismiss)
        .get(
            "/tenants/{tenant}/syncs/{sync}/revisions/{revision}/undo",
            undo::ask,
        )
        .post(
            "/tenants/{tenant}/syncs/{sync}/revisions/{revision}/undo",
            undo::undo,
        )
        .get(
            "/tenants/{tenant}/syncs/{sync}/revisions/{revision}/undo/events",
            undo::events,
        )
        .get("/tenants/{tenant}/syncs/{sync}/export", export)
        .get("/tenants/{tenant}/syncs/{sync}/delete", ask)
        .post("/tenants/{tenant}/syncs/{sync}/delete", delete)
}

/// The sync that a path names, of a tenant that this visitor may see.
fn sync_of(
    visit: &Visit,
    (tenant, sync): &(String, String),
) -> Result<(TenantService, SyncName, SyncView), Refusal> {
    let tenant = visit.tenant(tenant)?;
    let name = SyncName::new(sync).map_err(|_| ServiceError::NotFound(format!("there is no sync {sync}")));
    let found = name.and_then(|name| Ok((tenant.sync(&name)?, name)));
    let (view, name) = found.map_err(|error| visit.refuse(error))?;
    Ok((tenant, name, view))
}

#[derive(Deserialize)]
struct Wanted {
    revision: Option<u32>,
}

async fn show(visit: Visit, Path(place): Path<(String, String)>, Query(wanted): Query<Wanted>) -> Answer {
    let (tenant, name, sync) = sync_of(&visit, &place)?;
    let (status, drafts, revisions, undos, schema) = futures::join!(
        tenant.status(),
        tenant.drafts(),
        tenant.kept_revisions(&name),
        tenant.revision_undos(&name),
        tenant.schema_events(&name)
    );
    let (drafts, revisions, undos) = drafts
        .and_then(|drafts| Ok((drafts, revisions?, undos?)))
        .map_err(|error| visit.refuse(error))?;
    let touched = tenant.back_fill(&name, &revisions).await;
    let touched = touched.map_err(|error| visit.refuse(error))?;
    let (status, trouble) = match status {
        Ok(status) => (Some(status), None),
        Err(error) => (None, Some(trouble(&error))),
    };
    let line = status
        .as_ref()
        .and_then(|status| status.syncs.iter().find(|line| line.name == name));
    // Only what runs is read again; the others cost no call.
    let formulas = match sync.status {
        SyncStatus::Active => tenant.formulas(&name).await,
        SyncStatus::Draft | SyncStatus::Paused | SyncStatus::Suspended => Ok(FormulaReading::default()),
    };
    // Counting costs a call to Salesforce: only where something is offered.
    let reckoned = match touched.is_empty() {
        true => None,
        false => {
            let reckoned = tokio::time::timeout(RECKONING, tenant.reckon_import(&name)).await;
            reckoned.ok().and_then(Result::ok)
        }
    };
    let known = Known {
        line,
        trouble,
        drafts: &drafts,
        revisions: &revisions,
        undos: &undos,
        shown: wanted.revision.map(Revision),
        touched,
        reckoned,
        // Control that cannot be asked says so by its status.
        schema: schema_view(schema.unwrap_or_default(), formulas.unwrap_or_default()),
    };
    let view = SyncTab {
        syncs: summaries(&tenant.configured_syncs(), &drafts, status.as_ref()),
        ..tab(&sync, known)
    };
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(visit.page(page(&shell, tenant.id(), &name, &Ok(view))))
}

/// What is known of a sync besides its definition.
struct Known<'a> {
    line: Option<&'a SyncLine>,
    trouble: Option<Trouble>,
    drafts: &'a [Draft],
    revisions: &'a [StoredRevision],
    undos: &'a BTreeMap<Revision, RevisionUndoStatus>,
    shown: Option<Revision>,
    touched: Lacking,
    reckoned: Option<ImportCount>,
    schema: SchemaView,
}

fn schema_view(events: SchemaEvents, formulas: FormulaReading) -> SchemaView {
    let mut events_shown = events.events;
    events_shown.truncate(SCHEMA_EVENTS);
    SchemaView {
        formulas,
        looked: events.looked_ms.and_then(moment),
        events: events_shown,
    }
}

/// The offer to fill what older records lack, with what an import of all of them takes.
fn back_fill(touched: Lacking, reckoned: Option<&ImportCount>) -> Option<BackFill> {
    (!touched.is_empty()).then(|| BackFill {
        properties: touched
            .part
            .properties
            .into_iter()
            .chain(touched.part.lookups)
            .collect(),
        everything: touched.everything,
        records: reckoned.map(|reckoned| reckoned.records),
        calls: reckoned.map(|reckoned| reckoned.hubspot_calls),
        takes: reckoned.and_then(|reckoned| length(reckoned.seconds?)),
    })
}

fn tab(sync: &SyncView, known: Known<'_>) -> SyncTab {
    let line = known.line;
    let live = line.and_then(|line| line.live.as_ref());
    SyncTab {
        syncs: Vec::new(),
        definition: sync.definition.clone(),
        revision: sync.revision,
        etag: sync.tag.clone(),
        status: sync.status,
        reason: sync.reason.clone(),
        behind: line.and_then(behind),
        changes: line.map_or_else(Vec::<(Outcome, u64)>::new, |line| line.changes.clone()),
        links: line.map_or_else(Vec::new, |line| links(&line.links)),
        reading: live.and_then(|live| {
            Some(Reading {
                covered: moment(live.covered_ms)?,
                trouble: live.trouble.clone(),
                stream: live.stream.clone(),
                reconcile: live.reconcile,
            })
        }),
        revisions: revision_rows(known.revisions, known.undos),
        shown: known.shown.and_then(|shown| difference(known.revisions, shown)),
        back_fill: back_fill(known.touched, known.reckoned.as_ref()),
        schema: known.schema,
        has_draft: known.drafts.iter().any(|draft| draft.id == sync.name.as_str()),
        trouble: known.trouble,
    }
}

/// The revisions, the newest first, each with how much it changed. They come sorted, the oldest first.
fn revision_rows(
    revisions: &[StoredRevision],
    undos: &BTreeMap<Revision, RevisionUndoStatus>,
) -> Vec<RevisionRow> {
    let before = std::iter::once(None).chain(revisions.iter().map(Some));
    let mut rows: Vec<RevisionRow> = before
        .zip(revisions)
        .filter_map(|(before, kept)| {
            let by = kept.by.as_deref().map(parts::who);
            Some(RevisionRow {
                revision: kept.revision,
                at: moment(kept.at_ms)?,
                by: by.map_or_else(|| "not noted".to_owned(), |(person, _)| person),
                summary: match undone_by(undos, kept.revision) {
                    Some(undone) => format!("{undone} is undone. {}", summary(before, kept)),
                    None => summary(before, kept),
                },
                undo: row_undo(before, kept, undos.get(&kept.revision)),
            })
        })
        .collect();
    rows.reverse();
    rows.truncate(REVISIONS);
    rows
}

/// The revision whose undo made this one.
fn undone_by(undos: &BTreeMap<Revision, RevisionUndoStatus>, made: Revision) -> Option<Revision> {
    let found = undos.iter().find(|(_, undo)| undo.made == Some(made));
    found.map(|(undone, _)| *undone)
}

fn row_undo(
    before: Option<&StoredRevision>,
    kept: &StoredRevision,
    undo: Option<&RevisionUndoStatus>,
) -> RowUndo {
    if undo.is_some_and(|undo| !undo.has_failed()) {
        return RowUndo::Begun;
    }
    let is_other = before.is_some_and(|before| before.definition != kept.definition);
    if is_other {
        RowUndo::Possible
    } else {
        RowUndo::Impossible
    }
}

fn summary(before: Option<&StoredRevision>, kept: &StoredRevision) -> String {
    let Some(before) = before else {
        let is_first = kept.revision.0 == 1;
        let words = if is_first {
            "Made."
        } else {
            "The first that is kept."
        };
        return words.to_owned();
    };
    let lines = lines_between(&before.definition, &kept.definition);
    let added = lines
        .iter()
        .filter(|line| matches!(line, DiffLine::Added(_)))
        .count() as u64;
    let removed = lines
        .iter()
        .filter(|line| matches!(line, DiffLine::Removed(_)))
        .count() as u64;
    if added + removed == 0 {
        // A revision is a definition against a pair of schemas.
        return "The same definition; the objects themselves changed.".to_owned();
    }
    let line = |number, what| format!("{} {what}", parts::one_or_many(number, "line", "lines"));
    match (added, removed) {
        (added, 0) => format!("{}.", line(added, "added")),
        (0, removed) => format!("{}.", line(removed, "removed")),
        (added, removed) => format!("{}, {}.", line(added, "added"), line(removed, "removed")),
    }
}

fn lines_between(older: &SyncDefinition, newer: &SyncDefinition) -> Vec<DiffLine> {
    let file = |definition| yaml::export(std::slice::from_ref(definition));
    diff(&file(older), &file(newer))
}

/// A revision beside the one before it.
fn difference(revisions: &[StoredRevision], shown: Revision) -> Option<RevisionDiff> {
    let place = revisions.iter().position(|kept| kept.revision == shown)?;
    let newer = &revisions[place];
    let older = revisions.get(place.checked_sub(1)?)?;
    Some(RevisionDiff {
        from: older.revision,
        to: newer.revision,
        lines: lines_between(&older.definition, &newer.definition),
    })
}

async fn pause(visit: Visit, Path(place): Path<(String, String)>, _form: Form) -> Answer {
    set(&visit, &place, SyncStatus::Paused).await
}

async fn resume(visit: Visit, Path(place): Path<(String, String)>, _form: Form) -> Answer {
    set(&visit, &place, SyncStatus::Active).await
}

async fn set(visit: &Visit, place: &(String, String), status: SyncStatus) -> Answer {
    let (tenant, name, before) = sync_of(visit, place)?;
    visit.require(&tenant, Role::Operator, "turn syncs on and off")?;
    let path = paths::sync(tenant.id(), &name);
    if before.status == SyncStatus::Draft {
        // What was never turned on is turned on at the end of the wizard, where it is said what that means.
        let error =
            ServiceError::Conflict(format!("{name} was never turned on; go on with it in the wizard"));
        return visit.not_done(&path, error);
    }
    match tenant.set_status(vec![name.clone()], status).await {
        Ok(_) => {
            let told = match status {
                SyncStatus::Active => "It runs again, from where it stopped.",
                _ => "Paused. What was on its way still arrives.",
            };
            tenant.wait_for_status(&name, status).await;
            Ok(visit.done(&path, told))
        }
        Err(error) => visit.not_done(&path, error),
    }
}

/// Has what HubSpot has looked for in Salesforce now.
async fn reconcile(visit: Visit, Path(place): Path<(String, String)>, _form: Form) -> Answer {
    let (tenant, name, _) = sync_of(&visit, &place)?;
    visit.require(&tenant, Role::Operator, "have records looked for")?;
    let here = paths::sync(tenant.id(), &name);
    match tenant.start_reconcile(&name).await {
        Ok(_) => Ok(visit.done(
            &here,
            "What HubSpot has is being looked for in Salesforce. This page says what is found.",
        )),
        Err(error) => visit.not_done(&here, error),
    }
}

/// Starts the import that fills what older records lack.
async fn fill(visit: Visit, Path(place): Path<(String, String)>, form: Form) -> Answer {
    let (tenant, name, _) = sync_of(&visit, &place)?;
    visit.require(&tenant, Role::Operator, "start imports")?;
    let here = paths::sync(tenant.id(), &name);
    match tenant
        .start_imports(
            std::slice::from_ref(&name),
            Writing::Touched,
            form.text("keep-before").is_some(),
        )
        .await
    {
        Ok(started) => {
            let to = started
                .first()
                .map_or(here, |import| paths::import(tenant.id(), &import.id));
            Ok(visit.done(
                &to,
                "Every record is read again, and what the edits touched is written.",
            ))
        }
        Err(error) => visit.not_done(&here, error),
    }
}

/// Leaves older records as they are.
async fn dismiss(visit: Visit, Path(place): Path<(String, String)>, _form: Form) -> Answer {
    let (tenant, name, _) = sync_of(&visit, &place)?;
    visit.require(&tenant, Role::Operator, "decide about older records")?;
    let here = paths::sync(tenant.id(), &name);
    match tenant.decline_back_fill(&name).await {
        Ok(()) => Ok(visit.done(&here, "Records that were written before stay as they are.")),
        Err(error) => visit.not_done(&here, error),
    }
}

/// The definition as a file, byte for byte what `landbridge sync export` prints.
async fn export(visit: Visit, Path(place): Path<(String, String)>) -> Answer {
    let (tenant, name, _) = sync_of(&visit, &place)?;
    let text = tenant.export(std::slice::from_ref(&name));
    let text = text.map_err(|error| visit.refuse(error))?;
    let headers = [
        (header::CONTENT_TYPE, "application/yaml".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.yaml\""),
        ),
    ];
    Ok((headers, text).into_response())
}

/// What the page that asks before a sync is deleted shows.
fn delete_view(name: &SyncName, sync: &SyncView, syncs: &[std::sync::Arc<Sync>]) -> DeleteSync {
    let object_type = &sync.definition.spec.hubspot.object_type;
    let leads_here = |rule: &AssociationRule| rule.to == *object_type;
    let children = syncs
        .iter()
        .map(|other| &other.definition)
        .filter(|other| other.metadata.name != *name && other.spec.associations.iter().any(leads_here));
    DeleteSync {
        children: children.map(|child| child.metadata.name.clone()).collect(),
        is_mistyped: false,
        etag: sync.tag.clone(),
    }
}

async fn ask(visit: Visit, Path(place): Path<(String, String)>) -> Answer {
    let (tenant, name, sync) = sync_of(&visit, &place)?;
    visit.require(&tenant, Role::Editor, "delete syncs")?;
    let view = delete_view(&name, &sync, &tenant.configured_syncs());
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(visit.page(delete_page(&shell, tenant.id(), &name, &Ok(view))))
}

async fn delete(visit: Visit, Path(place): Path<(String, String)>, form: Form) -> Answer {
    let (tenant, name, sync) = sync_of(&visit, &place)?;
    visit.require(&tenant, Role::Editor, "delete syncs")?;
    if form.text("confirm") != Some(name.as_str()) {
        let view = DeleteSync {
            is_mistyped: true,
            ..delete_view(&name, &sync, &tenant.configured_syncs())
        };
        let shell = visit.shell_in(&tenant, Place::Connected);
        let page = delete_page(&shell, tenant.id(), &name, &Ok(view));
        return Ok(visit.page_with(StatusCode::UNPROCESSABLE_ENTITY, page));
    }
    let seen = form.text(fields::ETAG).map(str::to_owned);
    let records = match form.text("records") {
        Some("delete") => WrittenRecords::Delete,
        _ => WrittenRecords::Keep,
    };
    if records == WrittenRecords::Delete {
        visit.require(&tenant, Role::Operator, "delete what a sync wrote")?;
    }
    match tenant.remove_sync(&name, seen, records).await {
        Ok(()) if records == WrittenRecords::Delete => {
            let told = format!(
                "The sync {name} is being deleted with what it wrote. What is more than its safety limit allows waits for \
                 your approval here."
            );
            Ok(visit.done(&paths::health(tenant.id()), &told))
        }
        Ok(()) => {
            tenant.wait_until_gone(&name).await;
            let told = format!("The sync {name} is deleted. HubSpot keeps what it wrote.");
            Ok(visit.done(&paths::tenant(tenant.id()), &told))
        }
        Err(error) => visit.not_done(&paths::sync_part(tenant.id(), &name, "delete"), error),
    }
}

/// Verdicts on links so far. That a link was parked once is no account of what waits now.
fn links(verdicts: &[(LinkOutcome, u64)]) -> Vec<(LinkOutcome, u64)> {
    let lasting = verdicts
        .iter()
        .filter(|(outcome, _)| *outcome != LinkOutcome::Parked);
    lasting.copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(name: &str, fields: &str) -> SyncDefinition {
        let text = format!(
            "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: acme, name: {name} }}\nspec:\n  \
             salesforce: {{ object: Vehicle__c }}\n  hubspot: {{ objectType: vehicles }}\n  fields: [ {fields} ]\n"
        );
        yaml::load("test.yaml", &text).unwrap().remove(0)
    }

    fn kept(number: u32, fields: &str) -> StoredRevision {
        StoredRevision {
            revision: Revision(number),
            definition: definition("vehicles", fields),
            by: Some("user:ann".to_owned()),
            at_ms: i64::from(number) * 1_000,
        }
    }

    const ONE: &str = "{ from: Name, to: name }";
    const TWO: &str = "{ from: Name, to: name }, { from: Price__c, to: price }";

    #[test]
    fn revisions_say_how_much_they_changed() {
        let rows = revision_rows(&[kept(1, ONE), kept(2, TWO), kept(3, TWO)], &BTreeMap::new());
        let told: Vec<(u32, &str, &str)> = rows
            .iter()
            .map(|row| (row.revision.0, row.by.as_str(), row.summary.as_str()))
            .collect();
        assert_eq!(
            told[0],
            (3, "ann", "The same definition; the objects themselves changed.")
        );
        assert_eq!((told[1].0, told[1].1), (2, "ann"));
        assert!(told[1].2.contains("added"), "{}", told[1].2);
        assert_eq!(told[2], (1, "ann", "Made."));
        let undos: Vec<RowUndo> = rows.iter().map(|row| row.undo).collect();
        assert_eq!(
            undos,
            [RowUndo::Impossible, RowUndo::Possible, RowUndo::Impossible]
        );
    }

    #[test]
    fn a_revision_is_shown_beside_the_one_before_it() {
        let all = [kept(1, ONE), kept(2, TWO)];
        let shown = difference(&all, Revision(2)).unwrap();
        assert_eq!((shown.from, shown.to), (Revision(1), Revision(2)));
        let added = shown
            .lines
            .iter()
            .any(|line| matches!(line, DiffLine::Added(text) if text.contains("Price__c")));
        assert!(added, "{:?}", shown.lines);
        assert!(
            difference(&all, Revision(1)).is_none(),
            "nothing was before the first"
        );
        assert!(difference(&all, Revision(9)).is_none());
    }
}
