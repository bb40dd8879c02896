//! Refused records: the list, one of them, tried again, let be.

use axum::extract::{Path, Query};
use landbridge_model::{FailureCategory, SalesforceId, SyncName};
use serde::Deserialize;

use super::listing::{Listing, ROWS};
use super::routes::Routes;
use super::visit::trouble;
use super::{Answer, Form, Refusal, Visit};
use crate::console::failures::{FailureDetail, Failures, detail_page, page};
use crate::console::{Content, Place, Trouble, fields, paths};
use crate::service::{FailureFilter, PageRequest, RetryRequest, ServiceError, TenantService};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/failures", list)
        .post("/tenants/{tenant}/failures/retry", retry_all)
        .get("/tenants/{tenant}/failures/{sync}/{record}", show)
        .post("/tenants/{tenant}/failures/{sync}/{record}/retry", retry)
        .post("/tenants/{tenant}/failures/{sync}/{record}/dismiss", dismiss)
}

/// How the list is narrowed, as its form has it. What cannot be read narrows nothing.
#[derive(Clone, Debug, Default, Deserialize)]
struct Narrowed {
    category: Option<String>,
    sync: Option<String>,
    q: Option<String>,
}

impl Narrowed {
    fn category(&self) -> Option<FailureCategory> {
        let word = self.category.as_deref()?;
        FailureCategory::ALL
            .into_iter()
            .find(|category| category.as_str() == word)
    }

    fn sync(&self) -> Option<SyncName> {
        self.sync.as_deref().and_then(|name| SyncName::new(name).ok())
    }

    fn query(&self) -> &str {
        self.q.as_deref().unwrap_or_default().trim()
    }

    /// `None` when something else than a Salesforce id is searched for: nothing matches that.
    fn filter(&self) -> Option<FailureFilter> {
        let id = match self.query() {
            "" => None,
            text => Some(SalesforceId::parse(text).ok()?),
        };
        Some(FailureFilter {
            sync: self.sync(),
            category: self.category(),
            id,
            import: None,
        })
    }
}

async fn view(
    tenant: &TenantService,
    narrowed: &Narrowed,
    listing: &Listing,
) -> Result<Failures, ServiceError> {
    let request = PageRequest {
        cursor: listing.cursor.clone(),
        limit: Some(ROWS),
    };
    let (rows, next) = match narrowed.filter() {
        Some(filter) => {
            let found = tenant.failures(&filter, &request).await?;
            (found.items, found.next)
        }
        None => (Vec::new(), None),
    };
    let category = narrowed.category();
    let sync = narrowed.sync().map(|name| name.to_string()).unwrap_or_default();
    let kept = [
        ("category", category.map_or("", FailureCategory::as_str)),
        ("sync", sync.as_str()),
        (fields::QUERY, narrowed.query()),
    ];
    Ok(Failures {
        paging: listing.paging(&paths::failures(tenant.id()), &kept, rows.len(), next),
        rows,
        category,
        syncs: tenant.sync_names().iter().map(SyncName::to_string).collect(),
        query: narrowed.query().to_owned(),
        sync,
    })
}

async fn list(
    visit: Visit,
    Path(tenant): Path<String>,
    Query(narrowed): Query<Narrowed>,
    Query(listing): Query<Listing>,
) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let shell = visit.shell_in(&tenant, Place::Health);
    let content: Content<Failures> = view(&tenant, &narrowed, &listing)
        .await
        .map_err(|error| trouble(&error));
    Ok(visit.page(page(&shell, tenant.id(), &content)))
}

/// What a retry came to, as a sentence.
fn retried(records: u64) -> String {
    match records {
        0 => "Nothing is refused any more: there was nothing to read again.".to_owned(),
        1 => "1 record is read again from Salesforce. What is refused again comes back to this list."
            .to_owned(),
        records => format!(
            "{records} records are read again from Salesforce. What is refused again comes back to this list."
        ),
    }
}

async fn retry_all(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let narrowed = Narrowed {
        category: form.text("category").map(str::to_owned),
        sync: form.text("sync").map(str::to_owned),
        q: form.text(fields::QUERY).map(str::to_owned),
    };
    let path = paths::failures(tenant.id());
    let is_understood = narrowed.category.is_some() == narrowed.category().is_some()
        && narrowed.sync.is_some() == narrowed.sync().is_some();
    // What cannot be understood must not widen the retry to everything.
    let Some(filter) = narrowed.filter().filter(|_| is_understood) else {
        let error = ServiceError::invalid("this names no reason, sync or record: nothing was tried again");
        return visit.not_done(&path, error);
    };
    let request = RetryRequest {
        sync: filter.sync,
        category: filter.category,
        ids: filter.id.into_iter().collect(),
    };
    match tenant.retry_failures(request).await {
        Ok(done) => Ok(visit.done(&path, &retried(done.records))),
        Err(error) => visit.not_done(&path, error),
    }
}

/// The record that a path names.
fn named(visit: &Visit, sync: &str, record: &str) -> Result<(SyncName, SalesforceId), Refusal> {
    match (SyncName::new(sync), SalesforceId::parse(record)) {
        (Ok(sync), Ok(id)) => Ok((sync, id)),
        _ => Err(visit.refuse(ServiceError::NotFound(format!(
            "there is no record {record} of {sync}"
        )))),
    }
}

async fn detail(tenant: &TenantService, sync: &SyncName, id: SalesforceId) -> Result<FailureDetail, Trouble> {
    let gone = || {
        Trouble::new(
            format!("{id} is not refused any more."),
            "It has succeeded since, or somebody dismissed it. Find the record to see its story.",
        )
    };
    let entries = match tenant.failures_of_record(id).await {
        Ok(entries) => entries,
        Err(ServiceError::NotFound(_)) => return Err(gone()),
        Err(error) => return Err(trouble(&error)),
    };
    let entry = entries
        .into_iter()
        .find(|entry| entry.sync == *sync)
        .ok_or_else(gone)?;
    let story = tenant
        .explain(id.as_str())
        .await
        .map_err(|error| trouble(&error))?;
    Ok(FailureDetail {
        entry,
        salesforce_link: Some(story.salesforce_url),
        history: story.lines,
    })
}

async fn show(visit: Visit, Path((tenant, sync, record)): Path<(String, String, String)>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let (sync, id) = named(&visit, &sync, &record)?;
    let content = detail(&tenant, &sync, id).await;
    let shell = visit.shell_in(&tenant, Place::Health);
    Ok(visit.page(detail_page(&shell, tenant.id(), &content)))
}

async fn retry(
    visit: Visit,
    Path((tenant, sync, record)): Path<(String, String, String)>,
    _form: Form,
) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let (sync, id) = named(&visit, &sync, &record)?;
    let path = paths::failures(tenant.id());
    let request = RetryRequest {
        sync: Some(sync),
        category: None,
        ids: vec![id],
    };
    match tenant.retry_failures(request).await {
        Ok(done) => Ok(visit.done(&path, &retried(done.records))),
        Err(error) => visit.not_done(&path, error),
    }
}

async fn dismiss(
    visit: Visit,
    Path((tenant, sync, record)): Path<(String, String, String)>,
    _form: Form,
) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let (sync, id) = named(&visit, &sync, &record)?;
    let path = paths::failures(tenant.id());
    match tenant.dismiss_failure(&sync, id).await {
        Ok(()) => Ok(visit.done(
            &path,
            "Dismissed. It comes back only if the record is refused again.",
        )),
        Err(error) => visit.not_done(&path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_and_is_no_id_matches_nothing() {
        let narrowed = |q: &str, category: &str| Narrowed {
            category: Some(category.to_owned()),
            sync: Some(String::new()),
            q: Some(q.to_owned()),
        };
        assert_eq!(narrowed("", "").filter(), Some(FailureFilter::default()));
        assert_eq!(narrowed("Truck 7", "").filter(), None);
        let found = narrowed(" a00Hs000001ABCd ", "picklist-option").filter().unwrap();
        assert_eq!(found.id, SalesforceId::parse("a00Hs000001ABCd").ok());
        assert_eq!(found.category, Some(FailureCategory::PicklistOption));
    }
}
