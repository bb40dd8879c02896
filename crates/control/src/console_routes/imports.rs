//! Imports: the table, one of them, its errors, and the form that starts them.

use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::Response;
use landbridge_model::ImportId;
use landbridge_model::ask::{ImportStatus, UndoStatus};
use landbridge_model::config::ImportWish;

use super::listing::{Listing, ROWS};
use super::live::{self, Told};
use super::routes::Routes;
use super::visit::trouble;
use super::{Answer, Form, Refusal, Visit};
use crate::console::imports::{ImportDetail, ImportRow, Imports, detail_page, live_parts, live_rows, page};
use crate::console::{Content, Place, paths};
use crate::http::csv_file;
use crate::service::{Page, PageRequest, ServiceError, TenantService};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/imports", list)
        .get("/tenants/{tenant}/imports/events", list_events)
        .get("/tenants/{tenant}/imports/{import}", show)
        .get("/tenants/{tenant}/imports/{import}/events", events)
        .get("/tenants/{tenant}/imports/{import}/errors.csv", errors)
        .get("/tenants/{tenant}/imports/{import}/left.csv", left)
        .post("/tenants/{tenant}/imports/{import}/undo", undo)
        .post("/tenants/{tenant}/imports/{import}/pause", pause)
        .post("/tenants/{tenant}/imports/{import}/resume", resume)
        .post("/tenants/{tenant}/imports/{import}/cancel", cancel)
}

fn row_of(tenant: &TenantService, status: ImportStatus) -> ImportRow {
    let objects = tenant.labels_of(&status.sync);
    ImportRow { status, objects }
}

fn is_open(row: &ImportRow) -> bool {
    let is_undoing = |undo: &UndoStatus| undo.ended_ms.is_none();
    row.status.ended_ms.is_none() && row.status.undo.is_none()
        || row.status.undo.as_ref().is_some_and(is_undoing)
}

async fn rows(tenant: &TenantService, listing: &Listing) -> Result<(Vec<ImportRow>, Page<()>), ServiceError> {
    let request = PageRequest {
        cursor: listing.cursor.clone(),
        limit: Some(ROWS),
    };
    let found = tenant.imports(&request).await?;
    let rows = found.items.into_iter().map(|status| row_of(tenant, status));
    let rest = Page {
        items: Vec::new(),
        next: found.next,
    };
    Ok((rows.collect(), rest))
}

async fn list(visit: Visit, Path(tenant): Path<String>, Query(listing): Query<Listing>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let shell = visit.shell_in(&tenant, Place::Imports);
    let content = match rows(&tenant, &listing).await {
        Ok((rows, rest)) => {
            let events = (listing.cursor.is_none() && rows.iter().any(is_open))
                .then(|| paths::imports_events(tenant.id()));
            Ok(Imports {
                paging: listing.paging(&paths::imports(tenant.id()), &[], rows.len(), rest.next),
                rows,
                events,
            })
        }
        Err(error) => Err(trouble(&error)),
    };
    Ok(visit.page(page(&shell, tenant.id(), &content)))
}

async fn list_events(visit: Visit, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    visit.tenant(&name)?;
    Ok(live::follow(visit, &headers, move |visit| {
        let name = name.clone();
        async move {
            let tenant = visit.find_tenant(&name)?;
            let (rows, _) = rows(&tenant, &Listing::default()).await?;
            let shell = visit.shell_in(&tenant, Place::Imports);
            Ok(Told {
                goes_on: rows.iter().any(is_open),
                parts: live_rows(&shell, tenant.id(), &rows),
            })
        }
    }))
}

fn import_id(visit: &Visit, text: &str) -> Result<ImportId, Refusal> {
    ImportId::new(text)
        .map_err(|_| visit.refuse(ServiceError::NotFound(format!("there is no import {text}"))))
}

async fn detail(tenant: &TenantService, id: &ImportId) -> Result<ImportDetail, ServiceError> {
    let row = row_of(tenant, tenant.import(id).await?);
    let stored = tenant.stored_import(id);
    Ok(ImportDetail {
        is_paused: stored
            .as_ref()
            .is_some_and(|import| import.wish == ImportWish::Pause),
        continues: stored.and_then(|import| import.continues.clone()),
        continued_by: tenant.continued_by(id),
        events: is_open(&row).then(|| paths::import_events(tenant.id(), id)),
        row,
    })
}

async fn show(visit: Visit, Path((tenant, import)): Path<(String, String)>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let id = import_id(&visit, &import)?;
    let content: Content<ImportDetail> = match detail(&tenant, &id).await {
        Err(error @ ServiceError::NotFound(_)) => return Err(visit.refuse(error)),
        found => found.map_err(|error| trouble(&error)),
    };
    let shell = visit.shell_in(&tenant, Place::Imports);
    Ok(visit.page(detail_page(&shell, tenant.id(), &content)))
}

async fn events(visit: Visit, Path((name, import)): Path<(String, String)>, headers: HeaderMap) -> Answer {
    visit.tenant(&name)?;
    let id = import_id(&visit, &import)?;
    Ok(live::follow(visit, &headers, move |visit| {
        let (name, id) = (name.clone(), id.clone());
        async move {
            let tenant = visit.find_tenant(&name)?;
            let view = detail(&tenant, &id).await?;
            let shell = visit.shell_in(&tenant, Place::Imports);
            Ok(Told {
                goes_on: is_open(&view.row),
                parts: live_parts(&shell, tenant.id(), &view),
            })
        }
    }))
}

async fn errors(visit: Visit, Path((tenant, import)): Path<(String, String)>) -> Result<Response, Refusal> {
    let tenant = visit.tenant(&tenant)?;
    let id = import_id(&visit, &import)?;
    let file = tenant.import_errors_csv(&id).await;
    let file = file.map_err(|error| visit.refuse(error))?;
    Ok(csv_file(&format!("{id}-errors.csv"), file))
}

async fn left(visit: Visit, Path((tenant, import)): Path<(String, String)>) -> Result<Response, Refusal> {
    let tenant = visit.tenant(&tenant)?;
    let id = import_id(&visit, &import)?;
    let file = tenant.left_by_undo_csv(&id).await;
    let file = file.map_err(|error| visit.refuse(error))?;
    Ok(csv_file(&format!("{id}-left.csv"), file))
}

async fn undo(visit: Visit, Path((tenant, import)): Path<(String, String)>, _form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let id = import_id(&visit, &import)?;
    let path = paths::import(tenant.id(), &id);
    match tenant.undo_import(&id).await {
        Ok(_) => Ok(visit.done(
            &path,
            "The import is being undone. Its sync stands still until it is resumed.",
        )),
        Err(error) => visit.not_done(&path, error),
    }
}

async fn pause(visit: Visit, Path((tenant, import)): Path<(String, String)>, _form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let id = import_id(&visit, &import)?;
    let path = paths::import(tenant.id(), &id);
    match tenant.pause_import(&id).await {
        Ok(_) => Ok(visit.done(
            &path,
            "Paused: nothing more is read. What is on its way still arrives.",
        )),
        Err(error) => visit.not_done(&path, error),
    }
}

async fn resume(visit: Visit, Path((tenant, import)): Path<(String, String)>, _form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let id = import_id(&visit, &import)?;
    match tenant.resume_import(&id).await {
        Ok(status) => {
            let text = if status.id == id {
                "Resumed: it goes on where it was."
            } else {
                "This import goes on where the other one stopped."
            };
            Ok(visit.done(&paths::import(tenant.id(), &status.id), text))
        }
        Err(error) => visit.not_done(&paths::import(tenant.id(), &id), error),
    }
}

async fn cancel(visit: Visit, Path((tenant, import)): Path<(String, String)>, _form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let id = import_id(&visit, &import)?;
    let path = paths::import(tenant.id(), &id);
    match tenant.cancel_import(&id).await {
        Ok(_) => Ok(visit.done(
            &path,
            "Canceled: nothing more is read. What is on its way still arrives.",
        )),
        Err(error) => visit.not_done(&path, error),
    }
}
