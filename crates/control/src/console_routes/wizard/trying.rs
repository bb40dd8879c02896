//! The dry run of the work: started, stopped, watched, and shown record by record.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect};
use futures::stream::unfold;
use jiff::Timestamp;
use landbridge_model::SalesforceId;
use maud::Markup;
use serde::Deserialize;

use super::work::{Opened, Tried};
use crate::ask::{DryRunPage, DryRunPart, DryRunProgress, DryRunScope, StartDryRun};
use crate::console::parts::Paging;
use crate::console::wizard::Step;
use crate::console::wizard::prediction::{self, DryRun, Prediction, WouldBe};
use crate::console::{Place, Shell, Trouble, paths};
use crate::console_routes::form::Form;
use crate::console_routes::visit::{self, Answer, Refusal, Visit};
use crate::service::{Role, Service, ServiceError, TenantService, definition_tag};

/// Records of a sample.
const SAMPLE: u64 = 200;
/// Records on a page of the list.
const LISTED: usize = 25;
/// Between two looks at a dry run that somebody watches.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Which records of a dry run are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct ShownQuery {
    /// Only these.
    show: Option<String>,
    /// Where the page before ended.
    after: Option<String>,
    /// The number of the first on the page.
    first: Option<u64>,
}

impl FromRequestParts<Service> for ShownQuery {
    type Rejection = Infallible;

    /// A query that makes no sense wants nothing in particular.
    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Infallible> {
        let read = Query::<Self>::from_request_parts(parts, service).await;
        Ok(read.map(|Query(query)| query).unwrap_or_default())
    }
}

async fn opened(visit: &Visit, tenant: &str, sync: &str) -> Result<(TenantService, Opened), Refusal> {
    let tenant = visit.tenant(tenant)?;
    tenant
        .require(Role::Editor)
        .map_err(|error| visit.refuse(error))?;
    let opened = Opened::open(&tenant, sync)
        .await
        .map_err(|error| visit.refuse(error))?;
    Ok((tenant, opened))
}

pub(super) async fn start(visit: Visit, Path((tenant, sync)): Path<(String, String)>, form: Form) -> Answer {
    let (tenant, mut opened) = opened(&visit, &tenant, &sync).await?;
    let path = paths::step(tenant.id(), &opened.name, Step::Preview);
    let scope = match form.text("scope") {
        Some("all") => DryRunScope::All,
        _ => DryRunScope::Sample(SAMPLE),
    };
    let wanted = StartDryRun {
        definition: opened.work.definition.clone(),
        scope,
        together: Vec::new(),
        assuming: Vec::new(),
        proposed: opened.work.created_type.clone(),
    };
    let started = match tenant.start_dry_run(wanted).await {
        Ok(started) => started,
        Err(error) => return visit.not_done(&path, error),
    };
    let Some(run) = started.run else {
        let problems = ServiceError::of_syncs("the definition has problems", &[started.checked]);
        return visit.not_done(&path, problems);
    };
    opened.work.dry_run = Some(Tried {
        run,
        of: definition_tag(&opened.work.definition),
        at_ms: visit.now().as_millisecond(),
    });
    match opened.save(&tenant).await {
        Ok(()) => Ok(Redirect::to(&format!("{path}#dry-run")).into_response()),
        Err(error) => visit.not_done(&path, error),
    }
}

pub(super) async fn cancel(
    visit: Visit,
    Path((tenant, sync)): Path<(String, String)>,
    _form: Form,
) -> Answer {
    let (tenant, opened) = opened(&visit, &tenant, &sync).await?;
    let path = paths::step(tenant.id(), &opened.name, Step::Preview);
    let Some(tried) = opened.work.dry_run() else {
        return Ok(Redirect::to(&path).into_response());
    };
    match tenant.cancel_dry_run(&tried.run).await {
        Ok(()) => Ok(visit.done(&path, "The dry run is stopped.")),
        Err(error) => visit.not_done(&path, error),
    }
}

/// Where the dry run of the work stands, and its records.
pub(super) async fn dry_run(tenant: &TenantService, opened: &Opened, query: &ShownQuery) -> DryRun {
    let Some(tried) = opened.work.dry_run() else {
        let counted = tenant.count_matching(&opened.work.definition).await;
        return DryRun::None {
            records: counted.ok().map(|counted| counted.matching),
        };
    };
    match state(tenant, opened, tried, query).await {
        Ok(state) => state,
        // Results are remembered for a while only.
        Err(ServiceError::NotFound(what)) => DryRun::Failed(Trouble::new(what, "Start it again.")),
        Err(error) => DryRun::Failed(visit::trouble(&error)),
    }
}

async fn state(
    tenant: &TenantService,
    opened: &Opened,
    tried: &Tried,
    query: &ShownQuery,
) -> Result<DryRun, ServiceError> {
    let progress = tenant.dry_run(&tried.run).await?;
    let path = paths::step(tenant.id(), &opened.name, Step::Preview);
    let at = Timestamp::from_millisecond(tried.at_ms).unwrap_or_default();
    let mut seen = match stands(&progress, &path, at) {
        DryRun::Done(seen) => seen,
        other => return Ok(other),
    };
    list(tenant, opened, tried, query, &path, &mut seen).await?;
    Ok(DryRun::Done(seen))
}

/// What a dry run's state is on the page; its list is empty still. Pure.
fn stands(progress: &DryRunProgress, path: &str, at: Timestamp) -> DryRun {
    if let Some(report) = &progress.report {
        return DryRun::Done(Box::new(prediction::prediction(report, at)));
    }
    if progress.over {
        let why = progress.trouble.clone().unwrap_or_else(|| progress.phase.clone());
        return DryRun::Failed(Trouble::new(
            format!("The dry run ended without a result: {why}."),
            "Start it again.",
        ));
    }
    let phase = match progress.phase.as_str() {
        "counting" => "Counting records in Salesforce",
        "comparing" => "Reading Salesforce and comparing with HubSpot",
        "estimating" => "Reckoning the calls and the time",
        _ => "Starting",
    };
    DryRun::Running {
        phase: phase.to_owned(),
        compared: progress.answered,
        of: progress.expected,
        events: format!("{path}/dry-run/events"),
    }
}

/// Fills the list: of one kind a page at a time, of all kinds the first of each.
async fn list(
    tenant: &TenantService,
    opened: &Opened,
    tried: &Tried,
    query: &ShownQuery,
    path: &str,
    seen: &mut Prediction,
) -> Result<(), ServiceError> {
    seen.shown = query.show.as_deref().and_then(WouldBe::parse);
    let of_kind = |kind: &WouldBe| seen.shown.is_none_or(|shown| shown == *kind);
    // What is refused is what people look for.
    let mut kinds: Vec<WouldBe> = WouldBe::ALL.into_iter().filter(of_kind).collect();
    kinds.sort_by_key(|kind| *kind != WouldBe::Refused);
    let after = query.after.as_deref().and_then(|id| SalesforceId::parse(id).ok());
    let mut go_on = None;
    for outcome in kinds.iter().flat_map(|kind| kind.outcomes()) {
        let room = LISTED.saturating_sub(seen.list.len());
        if room == 0 {
            break;
        }
        let wanted = DryRunPage {
            run: tried.run.clone(),
            part: DryRunPart::Outcome(*outcome),
            after: after.filter(|_| seen.shown.is_some()),
            limit: room,
        };
        let page = tenant.dry_run_records(&wanted).await?;
        let definition = &opened.work.definition;
        seen.list.extend(
            page.records
                .iter()
                .map(|record| prediction::record(record, definition)),
        );
        go_on = page.after.or(go_on);
    }
    seen.paging = paging(seen, query, path, go_on);
    Ok(())
}

fn paging(seen: &Prediction, query: &ShownQuery, path: &str, go_on: Option<SalesforceId>) -> Paging {
    let shown = seen.list.len() as u64;
    let total = match seen.shown {
        Some(kind) => seen
            .totals
            .iter()
            .find(|(known, _)| *known == kind)
            .map(|(_, count)| *count),
        None => Some(seen.looked_at),
    };
    let first = query.first.filter(|_| seen.shown.is_some()).unwrap_or(1);
    let link = |kind: WouldBe, after: SalesforceId| {
        format!(
            "{path}?show={}&after={after}&first={}#dry-run",
            kind.as_str(),
            first + shown
        )
    };
    Paging {
        first: if shown == 0 { 0 } else { first },
        last: first + shown - u64::from(shown > 0) - u64::from(shown == 0 && first > 0),
        total,
        previous: (first > 1).then(|| {
            let kind = seen.shown.map_or("", WouldBe::as_str);
            format!("{path}?show={kind}#dry-run")
        }),
        next: seen.shown.zip(go_on).map(|(kind, after)| link(kind, after)),
    }
}

/// The dry run's part of the page, as often as it changes, until it is over.
pub(super) async fn events(visit: Visit, Path((tenant, sync)): Path<(String, String)>) -> Answer {
    let (tenant, opened) = opened(&visit, &tenant, &sync).await?;
    let watch = Watch {
        shell: visit.shell_in(&tenant, Place::Connected),
        path: paths::step(tenant.id(), &opened.name, Step::Preview),
        tenant,
        opened,
        told: String::new(),
        is_over: false,
    };
    let stream = unfold(watch, |mut watch| async move {
        let told = watch.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(told)), watch))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

/// Somebody who watches a dry run.
struct Watch {
    shell: Shell,
    path: String,
    tenant: TenantService,
    opened: Opened,
    told: String,
    is_over: bool,
}

impl Watch {
    /// What is to be seen next; none when there will be nothing more.
    async fn next(&mut self) -> Option<String> {
        while !self.is_over {
            let state = dry_run(&self.tenant, &self.opened, &ShownQuery::default()).await;
            self.is_over = !matches!(state, DryRun::Running { .. });
            let shown: Markup = prediction::section(&self.shell, self.tenant.id(), &self.path, &state, true);
            let shown = shown.into_string();
            if shown != self.told {
                self.told.clone_from(&shown);
                return Some(shown);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        None
    }
}
