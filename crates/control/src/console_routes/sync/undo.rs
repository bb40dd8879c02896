//! Undoing a revision: the page with the plan, what begins it, and how it goes.

use axum::extract::Path;
use axum::http::HeaderMap;
use landbridge_model::{Revision, SyncName};

use super::super::form::Form;
use super::super::live::{self, Told};
use super::super::visit::{Answer, Refusal, Visit, trouble};
use super::sync_of;
use crate::ask::RevisionUndo;
use crate::console::undo::{UndoPage, live_account, page};
use crate::console::{Content, Place, fields, paths};
use crate::service::{ServiceError, TenantService};

/// Tenant, sync and revision of a path.
type Named = (String, String, String);

fn revision_of(
    visit: &Visit,
    (tenant, sync, revision): Named,
) -> Result<(TenantService, SyncName, Revision), Refusal> {
    let (tenant, name, _) = sync_of(visit, &(tenant, sync))?;
    let unknown = |_| visit.refuse(ServiceError::NotFound(format!("there is no revision {revision}")));
    let number = revision.parse().map_err(unknown)?;
    Ok((tenant, name, Revision(number)))
}

fn goes_on(undo: &RevisionUndo) -> bool {
    undo.undo.as_ref().is_some_and(|undo| undo.ended_ms.is_none())
}

pub(super) async fn ask(visit: Visit, Path(place): Path<Named>) -> Answer {
    let (tenant, name, revision) = revision_of(&visit, place)?;
    let content: Content<UndoPage> = match tenant.revision_undo(&name, revision).await {
        Err(error @ ServiceError::NotFound(_)) => return Err(visit.refuse(error)),
        Err(error) => Err(trouble(&error)),
        Ok(undo) => {
            let path = paths::revision_undo(tenant.id(), &name, &revision.0.to_string());
            Ok(UndoPage {
                events: goes_on(&undo).then(|| format!("{path}/events")),
                undo,
            })
        }
    };
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(visit.page(page(&shell, tenant.id(), (&name, revision), &content)))
}

pub(super) async fn undo(visit: Visit, Path(place): Path<Named>, form: Form) -> Answer {
    let (tenant, name, revision) = revision_of(&visit, place)?;
    let path = paths::revision_undo(tenant.id(), &name, &revision.0.to_string());
    let seen = form.text(fields::ETAG).unwrap_or_default();
    match tenant.undo_revision(&name, revision, seen).await {
        Ok(undo) if goes_on(&undo) => Ok(visit.done(
            &path,
            "The revision is being undone. Its sync stands still until it is resumed.",
        )),
        Ok(_) => Ok(visit.done(&path, "The revision is undone.")),
        Err(error) => visit.not_done(&path, error),
    }
}

pub(super) async fn events(visit: Visit, Path(place): Path<Named>, headers: HeaderMap) -> Answer {
    let (tenant, name, revision) = revision_of(&visit, place)?;
    let id = tenant.id().to_string();
    Ok(live::follow(visit, &headers, move |visit| {
        let (id, name) = (id.clone(), name.clone());
        async move {
            let tenant = visit.find_tenant(&id)?;
            let undo = tenant.revision_undo(&name, revision).await?;
            Ok(Told {
                goes_on: goes_on(&undo),
                parts: live_account(tenant.id(), &undo),
            })
        }
    }))
}
