//! The bus against a real server, one per test.

mod access;
mod audit;
mod lanes;
mod leases;
mod memories;
mod requests;

use std::time::Duration;

use landbridge_bus::{Bus, BusConfig, LocalServer, LocalServerOptions};
use landbridge_model::{Lane, Shard, TenantId};

/// A server of its own, and a connection to it.
struct Bench {
    bus: Bus,
    url: String,
    server: tokio::sync::Mutex<Option<LocalServer>>,
    config: BusConfig,
}

impl Bench {
    async fn new(config: BusConfig) -> Self {
        let server = LocalServer::start(LocalServerOptions::default())
            .await
            .expect("a server starts");
        Self::on(server, config).await
    }

    async fn on(server: LocalServer, config: BusConfig) -> Self {
        let url = server.url().to_owned();
        let bus = Bus::open(&config, &url, "test").await.expect("the bus opens");
        Self {
            bus,
            url,
            server: tokio::sync::Mutex::new(Some(server)),
            config,
        }
    }

    /// Another connection, as another process would have.
    async fn another(&self) -> Bus {
        Bus::open(&self.config, &self.url, "another")
            .await
            .expect("the bus opens again")
    }
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("a tenant's name")
}

fn writes(tenant_name: &str, lane: Lane) -> landbridge_bus::Subject {
    landbridge_bus::Subject::Writes {
        shard: Shard(3),
        tenant: tenant(tenant_name),
        lane,
    }
}

/// Waits for what must come, but not for ever.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what)
        .await
        .expect("it comes before the deadline")
}
