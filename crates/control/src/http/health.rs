//! How tenants stand, now and as it changes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use landbridge_model::ImportId;
use landbridge_model::ask::ImportStatus;
use tokio::time::{Interval, MissedTickBehavior};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Asked, InTenant, PageQuery};
use super::problem::Problem;
use super::session::Session;
use crate::ask::TenantStatus;
use crate::service::{Overview, Page, Service, ServiceError, TenantService};

/// How often a listener is told what changed.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list_status))
        .routes(routes!(get_status))
        .routes(routes!(follow_events))
}

/// Read how the tenants stand that you may see.
#[utoipa::path(get, path = "/api/v1/status", tag = "health", params(PageQuery),
    responses((status = 200, body = Page<Overview>)))]
async fn list_status(
    State(service): State<Service>,
    session: Session,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Overview>>, Problem> {
    Ok(Json(service.overview(&session.caller, &page.into()).await?))
}

/// Read how a tenant stands: syncs, imports, backlog, freshness, calls, failures.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/status", tag = "health",
    responses((status = 200, body = TenantStatus)))]
async fn get_status(InTenant(tenant): InTenant) -> Result<Json<TenantStatus>, Problem> {
    Ok(Json(tenant.status().await?))
}

/// Follow a tenant as server-sent events: `status` with how it stands, `import` with each import that moved, `trouble`
/// when it cannot be asked, `end` when you may not follow it any more.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/events", tag = "health",
    responses((status = 200, body = String, content_type = "text/event-stream")))]
async fn follow_events(
    State(service): State<Service>,
    session: Session,
    InTenant(tenant): InTenant,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let listener = Listener::new(service, session, tenant);
    let events = futures::stream::unfold(Some(listener), |listener| async {
        let mut listener = listener?;
        let (events, goes_on) = listener.next().await;
        Some((futures::stream::iter(events), goes_on.then_some(listener)))
    });
    use futures::StreamExt as _;
    Sse::new(events.flatten().map(Ok)).keep_alive(KeepAlive::default())
}

/// Somebody who follows a tenant.
struct Listener {
    service: Service,
    session: Session,
    tenant: TenantService,
    tick: Interval,
    told: String,
    imports: BTreeMap<ImportId, ImportStatus>,
}

impl Listener {
    fn new(service: Service, session: Session, tenant: TenantService) -> Self {
        let mut tick = tokio::time::interval(TELL_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            service,
            session,
            tenant,
            tick,
            told: String::new(),
            imports: BTreeMap::new(),
        }
    }

    /// What changed, and whether there will be more. Whoever was signed out or lost the role is told no more.
    async fn next(&mut self) -> (Vec<Event>, bool) {
        self.tick.tick().await;
        match self.look().await {
            Ok(events) => (events, true),
            Err(error) => {
                let is_over = matches!(
                    error,
                    ServiceError::Unauthenticated(_) | ServiceError::NotFound(_) | ServiceError::Forbidden(_)
                );
                let name = if is_over { "end" } else { "trouble" };
                (
                    vec![Event::default().event(name).data(error.to_string())],
                    !is_over,
                )
            }
        }
    }

    async fn look(&mut self) -> Result<Vec<Event>, ServiceError> {
        self.session = self.session.again(&self.service).await?;
        self.tenant = self.service.tenant(&self.session.caller, self.tenant.id())?;
        let status = self.tenant.status().await?;
        let mut events = Vec::new();
        let text = serde_json::to_string(&status)?;
        if text != self.told {
            events.push(Event::default().event("status").data(&text));
            self.told = text;
        }
        let mut open: BTreeMap<ImportId, ImportStatus> = BTreeMap::new();
        for import in status.imports {
            open.insert(import.id.clone(), import);
        }
        // One that is no longer open has ended since: its last word is still to be told.
        let ended: Vec<ImportId> = self
            .imports
            .keys()
            .filter(|id| !open.contains_key(*id))
            .cloned()
            .collect();
        for id in ended {
            let import = self.tenant.import(&id).await?;
            events.push(
                Event::default()
                    .event("import")
                    .data(serde_json::to_string(&import)?),
            );
        }
        for import in open
            .values()
            .filter(|import| self.imports.get(&import.id) != Some(*import))
        {
            events.push(
                Event::default()
                    .event("import")
                    .data(serde_json::to_string(import)?),
            );
        }
        self.imports = open;
        Ok(events)
    }
}
