//! The form that starts imports.

use std::time::Duration;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use futures::StreamExt as _;
use landbridge_model::SyncName;
use serde::Deserialize;

use super::routes::Routes;
use super::summary::length;
use super::visit::trouble;
use super::{Answer, Form, Visit};
use crate::ask::Writing;
use crate::console::start_import::{Estimate, Importable, StartImport, page};
use crate::console::{Content, Place, Trouble, paths};
use crate::service::{ImportCount, Role, ServiceError, TenantService};

/// Syncs that are counted at the same time.
const TOGETHER: usize = 8;

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/imports/new", show)
        .post("/tenants/{tenant}/imports/new", start)
}

#[derive(Default, Deserialize)]
struct Chosen {
    sync: Option<SyncName>,
}

/// What was chosen in the form.
#[derive(Clone, Debug, Default)]
struct Choice {
    syncs: Vec<SyncName>,
    overwrite: bool,
    keep_before: bool,
}

impl Choice {
    fn of(form: &Form) -> Self {
        Self {
            syncs: form
                .all("sync")
                .filter_map(|name| SyncName::new(name).ok())
                .collect(),
            overwrite: form.text("overwrite").is_some(),
            keep_before: form.text("keep-before").is_some(),
        }
    }

    fn writing(&self) -> Writing {
        if self.overwrite {
            Writing::Everything
        } else {
            Writing::Changes
        }
    }
}

fn estimate(count: &ImportCount) -> Estimate {
    Estimate {
        records: count.records,
        salesforce_calls: count.salesforce_calls,
        hubspot_calls: count.hubspot_calls,
        before_calls: count.before_calls,
        takes: count.seconds.and_then(length),
    }
}

/// What all that are chosen take together: they share the portal's limits, so their times add up. `None` when nothing is
/// chosen, or one of the chosen could not be counted: a sum of some would look like the sum of all.
fn sum(syncs: &[Importable]) -> Option<Estimate> {
    let chosen: Vec<&Importable> = syncs.iter().filter(|sync| sync.is_chosen).collect();
    if chosen.is_empty() {
        return None;
    }
    let nothing = Estimate {
        records: 0,
        salesforce_calls: 0,
        hubspot_calls: 0,
        before_calls: 0,
        takes: Some(Duration::ZERO),
    };
    chosen.iter().try_fold(nothing, |sum, sync| {
        let one = sync.estimate.as_ref().ok()?;
        Some(Estimate {
            records: sum.records + one.records,
            salesforce_calls: sum.salesforce_calls + one.salesforce_calls,
            hubspot_calls: sum.hubspot_calls + one.hubspot_calls,
            before_calls: sum.before_calls + one.before_calls,
            takes: sum.takes.zip(one.takes).map(|(sum, one)| sum + one),
        })
    })
}

async fn view(
    tenant: &TenantService,
    choice: &Choice,
    trouble: Option<Trouble>,
) -> Result<StartImport, ServiceError> {
    let running = tenant.running_imports().await?;
    let counted = futures::stream::iter(tenant.importable()?).map(|(name, parents)| {
        let is_chosen = choice.syncs.contains(&name);
        let running = running.iter().find(|(sync, _)| *sync == name);
        let blocked = running.map(|(_, id)| format!("{id} of it has not ended yet."));
        async move {
            let count = tenant.reckon_import(&name).await;
            Importable {
                objects: tenant.labels_of(&name),
                is_chosen: is_chosen && blocked.is_none(),
                is_filtered: count.as_ref().is_ok_and(|count| count.filtered),
                estimate: count
                    .map(|count| estimate(&count))
                    .map_err(|error| error.to_string()),
                blocked,
                after: parents,
                name,
            }
        }
    });
    let syncs: Vec<Importable> = counted.buffered(TOGETHER).collect().await;
    Ok(StartImport {
        chosen: sum(&syncs),
        syncs,
        overwrite: choice.overwrite,
        keep_before: choice.keep_before,
        trouble,
    })
}

async fn answer(
    visit: &Visit,
    tenant: &TenantService,
    choice: &Choice,
    status: StatusCode,
    wrong: Option<Trouble>,
) -> Response {
    let content: Content<StartImport> = view(tenant, choice, wrong).await.map_err(|error| trouble(&error));
    let shell = visit.shell_in(tenant, Place::Imports);
    visit.page_with(status, page(&shell, tenant.id(), &content))
}

async fn show(visit: Visit, Path(tenant): Path<String>, Query(chosen): Query<Chosen>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Operator)
        .map_err(|error| visit.refuse(error))?;
    let choice = Choice {
        syncs: chosen.sync.into_iter().collect(),
        overwrite: false,
        keep_before: false,
    };
    Ok(answer(&visit, &tenant, &choice, StatusCode::OK, None).await)
}

async fn start(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Operator)
        .map_err(|error| visit.refuse(error))?;
    let choice = Choice::of(&form);
    if form.action() == "check" {
        return Ok(answer(&visit, &tenant, &choice, StatusCode::OK, None).await);
    }
    if choice.syncs.is_empty() {
        let wrong = Trouble::new("No object is chosen.", "Choose at least one, then start.");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(answer(&visit, &tenant, &choice, status, Some(wrong)).await);
    }
    match tenant
        .start_imports(&choice.syncs, choice.writing(), choice.keep_before)
        .await
    {
        Ok(started) => {
            let path = match started.as_slice() {
                [one] => paths::import(tenant.id(), &one.id),
                _ => paths::imports(tenant.id()),
            };
            let text = match started.len() {
                1 => "The import has started.".to_owned(),
                number => format!("{number} imports have started, parents first."),
            };
            Ok(visit.done(&path, &text))
        }
        Err(error @ (ServiceError::NotFound(_) | ServiceError::Forbidden(_) | ServiceError::Internal(_))) => {
            Err(visit.refuse(error))
        }
        Err(error) => {
            let (status, wrong) = (super::visit::status_of(&error), told(&error));
            Ok(answer(&visit, &tenant, &choice, status, Some(wrong)).await)
        }
    }
}

/// An error with each of its problems.
fn told(error: &ServiceError) -> Trouble {
    let mut wrong = trouble(error);
    if let ServiceError::Invalid { problems, .. } = error {
        let each = problems
            .iter()
            .map(|problem| format!("{}: {}; {}.", problem.place, problem.what, problem.remedy));
        let each: Vec<String> = each.collect();
        if !each.is_empty() {
            wrong.remedy = each.join(" ");
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn importable(is_chosen: bool, estimate: Result<Estimate, String>) -> Importable {
        Importable {
            name: SyncName::new("vehicles").unwrap(),
            objects: (String::new(), String::new()),
            is_chosen,
            estimate,
            blocked: None,
            after: Vec::new(),
            is_filtered: false,
        }
    }

    fn of(records: u64, seconds: Option<u64>) -> Result<Estimate, String> {
        Ok(Estimate {
            records,
            salesforce_calls: 1,
            hubspot_calls: 2,
            before_calls: 1,
            takes: seconds.map(Duration::from_secs),
        })
    }

    #[test]
    fn a_sum_is_of_all_that_is_chosen_or_none() {
        let told = |syncs: &[Importable]| {
            sum(syncs).map(|sum| {
                (
                    sum.records,
                    sum.hubspot_calls,
                    sum.takes.map(|takes| takes.as_secs()),
                )
            })
        };
        assert_eq!(told(&[importable(false, of(5, Some(1)))]), None);
        let two = [
            importable(true, of(5, Some(1))),
            importable(false, of(7, Some(1))),
            importable(true, of(9, Some(2))),
        ];
        assert_eq!(told(&two), Some((14, 4, Some(3))));
        let unknown = [importable(true, of(5, Some(1))), importable(true, of(9, None))];
        assert_eq!(
            told(&unknown),
            Some((14, 4, None)),
            "a time that is not known is not zero"
        );
        let uncounted = [
            importable(true, of(5, Some(1))),
            importable(true, Err("refused".into())),
        ];
        assert_eq!(told(&uncounted), None);
    }
}
