//! Health over HTTP: `/healthz` says that the process lives, `/readyz` that it does its work, `/metrics` what it has
//! done.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use landbridge_bus::Bus;
use landbridge_model::StageKind;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ownership::OwnedShards;
use crate::telemetry::Telemetry;

/// What one part of the process says of itself: ready, or why not.
type Check = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// The readiness of a process: every part adds its check. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health {
    checks: Arc<RwLock<BTreeMap<String, Check>>>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether all parts are ready.
    pub ready: bool,
    /// What each says.
    pub parts: BTreeMap<String, PartReadiness>,
}

/// One part's readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartReadiness {
    /// Whether it is ready.
    pub ready: bool,
    /// In words.
    pub detail: String,
}

impl Health {
    /// Nothing to check yet: not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, or replaces it. The check must be quick: it is asked by every probe. `Ok` and `Err` both carry
    /// words for a person.
    pub fn add(&self, part: &str, check: impl Fn() -> Result<String, String> + Send + Sync + 'static) {
        let mut checks = self.checks.write().unwrap_or_else(PoisonError::into_inner);
        checks.insert(part.to_owned(), Box::new(check));
    }

    /// Ready while the connection to the bus stands.
    pub fn add_bus(&self, bus: &Bus) {
        let bus = bus.clone();
        self.add("bus", move || {
            if bus.is_connected() {
                Ok("connected".to_owned())
            } else {
                Err("not connected".to_owned())
            }
        });
    }

    /// Ready when the worker works on every shard that it should.
    pub fn add_worker(&self, stage: StageKind, owned: watch::Receiver<OwnedShards>) {
        self.add(stage.as_str(), move || {
            let owned = owned.borrow();
            let Some(wanted) = &owned.wanted else {
                return Err("looking for its shards".to_owned());
            };
            let text = format!(
                "works on {} shards of {} that it should",
                owned.open.len(),
                wanted.len()
            );
            if owned.is_ready() { Ok(text) } else { Err(text) }
        });
    }

    /// What `/readyz` says now.
    pub fn readiness(&self) -> Readiness {
        let checks = self.checks.read().unwrap_or_else(PoisonError::into_inner);
        let parts: BTreeMap<String, PartReadiness> = checks
            .iter()
            .map(|(part, check)| {
                let said = check();
                let ready = said.is_ok();
                let detail = said.unwrap_or_else(|why| why);
                (part.clone(), PartReadiness { ready, detail })
            })
            .collect();
        Readiness {
            ready: !parts.is_empty() && parts.values().all(|part| part.ready),
            parts,
        }
    }
}

/// Serves health on an address (port 0 takes a free one) until `stop` fires. Gives the address that was taken.
pub async fn serve_health(
    address: SocketAddr,
    health: Health,
    telemetry: Telemetry,
    stop: CancellationToken,
) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let router = health_routes(health, telemetry);
    let task = tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(%error, "the health endpoint stopped");
        }
    });
    tracing::info!(%address, "health is served");
    Ok((address, task))
}

/// The three routes, for a server that has others too.
pub fn health_routes(health: Health, telemetry: Telemetry) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(metrics).with_state(telemetry))
}

async fn ready(State(health): State<Health>) -> Response {
    let readiness = health.readiness();
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(telemetry): State<Telemetry>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        telemetry.metrics_text(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use landbridge_model::Shard;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn fetch(address: SocketAddr, path: &str) -> String {
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_worker_is_ready_when_it_works_on_what_it_should() {
        let (owned, seen) = watch::channel(OwnedShards::default());
        let health = Health::new();
        assert!(
            !health.readiness().ready,
            "nothing is ready before anything was added"
        );
        health.add_worker(StageKind::Mapper, seen);
        let telemetry = Telemetry::metrics_only("test").unwrap();
        telemetry.metrics(StageKind::Mapper).shards_owned(1);
        let stop = CancellationToken::new();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (address, server) = serve_health(any, health, telemetry, stop.clone()).await.unwrap();

        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let answer = fetch(address, "/readyz").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.contains("looking for its shards"),
            "{answer}"
        );
        let both = BTreeSet::from([Shard(1), Shard(2)]);
        owned.send_modify(|owned| {
            owned.wanted = Some(both.clone());
            owned.open.insert(Shard(1));
        });
        let answer = fetch(address, "/readyz").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.contains("1 shards of 2"),
            "{answer}"
        );
        owned.send_modify(|owned| owned.open = both);
        assert!(fetch(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(
            fetch(address, "/metrics")
                .await
                .contains("landbridge_shards_owned")
        );

        stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), server)
            .await
            .unwrap()
            .unwrap();
    }
}
