//! How long the console's pages take with a full store, beside a page that asks nothing.
//!
//! The tenants and syncs are written as control would have written them, without credentials: what is measured is the
//! console, not two hundred orgs. Every page goes over HTTP to the control of separate processes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::{Bucket, Bus, BusConfig, Key};
use landbridge_model::config::{HubSpotConnection, SalesforceConnection, Sync, SyncStatus, Tenant};
use landbridge_model::{Revision, TenantId, yaml};
use serde::Serialize;

use crate::installation::Installation;
use crate::tables;

/// The page that the others are compared with: it asks nothing of what is stored.
const PLAIN: &str = "/sign-in";
/// Asked before anything is measured, so that connections are open and answers are cached.
const WARM_UP: usize = 5;

/// What one page took.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    /// Where it is.
    pub(crate) path: String,
    /// Bytes of the page.
    pub(crate) bytes: usize,
    /// Half of the answers took no longer, in milliseconds.
    pub(crate) median_ms: f64,
    /// The slowest answer, in milliseconds.
    pub(crate) slowest_ms: f64,
    /// The median beside that of the page that asks nothing.
    pub(crate) ratio: f64,
}

/// What all pages took.
#[derive(Debug, Serialize)]
pub(crate) struct Pages {
    bench: &'static str,
    tenants: usize,
    syncs: usize,
    requests: usize,
    pub(crate) pages: Vec<Page>,
}

impl Pages {
    /// For people.
    pub(crate) fn told(&self) -> String {
        let mut table = tables::table(&["page", "bytes", "median ms", "slowest ms", "of a plain page"]);
        for page in &self.pages {
            table.add_row([
                page.path.clone(),
                page.bytes.to_string(),
                format!("{:.1}", page.median_ms),
                format!("{:.1}", page.slowest_ms),
                format!("{:.1}", page.ratio),
            ]);
        }
        let (tenants, syncs, requests) = (self.tenants, self.syncs, self.requests);
        format!("{tenants} tenants, {syncs} syncs, {requests} requests a page\n{table}")
    }
}

/// Measures every page over so many tenants with so many syncs each.
pub(crate) async fn run(
    binary: &Path,
    folder: &Path,
    tenants: usize,
    syncs_each: usize,
    requests: usize,
) -> anyhow::Result<Pages> {
    let mut installation = Installation::start(binary, folder, 10).await?;
    fill(installation.bus_url(), tenants, syncs_each).await?;
    let token = installation
        .token()
        .await
        .context("no token could be made for the visitor")?;
    let visitor = Visitor {
        origin: installation.control_url(),
        token,
        http: reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .build()?,
    };
    let mut pages: Vec<Page> = Vec::new();
    for path in paths(tenants) {
        let page = visitor.measure(&path, requests).await?;
        installation.all_run()?;
        pages.push(page);
    }
    let plain = pages.first().map_or(f64::NAN, |page| page.median_ms);
    for page in &mut pages {
        page.ratio = page.median_ms / plain;
    }
    installation.stop().await;
    Ok(Pages {
        bench: "console",
        tenants,
        syncs: tenants * syncs_each,
        requests,
        pages,
    })
}

/// The plain page first.
fn paths(tenants: usize) -> Vec<String> {
    let some = name(tenants / 2);
    vec![
        PLAIN.to_owned(),
        "/".to_owned(),
        "/?page=3".to_owned(),
        format!("/?q={some}"),
        "/?health=good".to_owned(),
        format!("/tenants/{some}"),
        format!("/tenants/{some}/syncs/sync-0"),
        format!("/tenants/{some}/audit"),
        "/audit".to_owned(),
        "/people".to_owned(),
    ]
}

fn name(number: usize) -> String {
    format!("tenant-{number:04}")
}

/// Writes tenants and syncs, and returns once all are written.
async fn fill(bus_url: &str, tenants: usize, syncs_each: usize) -> anyhow::Result<()> {
    let bus = Bus::open(&BusConfig::default(), bus_url, "bench").await?;
    let config = bus.kv(Bucket::Config);
    for number in 0..tenants {
        let id = TenantId::new(&name(number))?;
        let portal = u64::try_from(number)? + 1_000_000;
        let tenant = Tenant {
            id: id.clone(),
            salesforce: SalesforceConnection {
                login_url: "https://org.example".to_owned(),
                org_id: None,
                daily_calls: None,
                change_events: true,
                pubsub_url: None,
                adopted_ms: None,
            },
            hubspot: HubSpotConnection {
                base_url: "https://portal.example".to_owned(),
                portal_id: Some(portal),
                calls_per_ten_seconds: None,
                api_version: None,
            },
            suspended: None,
        };
        config
            .put_json(&Key::new(["tenant", id.as_str()]), &tenant)
            .await?;
        for place in 0..syncs_each {
            let sync = sync(&id, place)?;
            let own = format!("sync-{place}");
            config
                .put_json(&Key::new(["sync", id.as_str(), &own]), &sync)
                .await?;
        }
    }
    Ok(())
}

/// A sync with as many mappings as people have, which stands still: nobody signs in for it.
fn sync(tenant: &TenantId, place: usize) -> anyhow::Result<Sync> {
    let fields: String = (0..30)
        .map(|field| format!("    - {{ from: Field_{field}__c, to: field_{field} }}\n"))
        .collect();
    let text = format!(
        "apiVersion: landbridge/v1\nkind: Sync\nmetadata: {{ tenant: {tenant}, name: sync-{place} }}\nspec:\n  \
         salesforce: {{ object: Object_{place}__c }}\n  hubspot: {{ objectType: objects_{place} }}\n  fields:\n{fields}"
    );
    let definitions = yaml::load("bench.yaml", &text);
    let definitions =
        definitions.map_err(|error| anyhow::anyhow!("a definition cannot be read: {error:?}"))?;
    let definition = definitions
        .into_iter()
        .next()
        .context("a file of one sync is empty")?;
    Ok(Sync {
        definition,
        revision: Revision(1),
        status: SyncStatus::Paused,
        reason: None,
        resolved: None,
        activation: 1,
    })
}

/// Somebody who loads one page after the other.
struct Visitor {
    origin: String,
    token: String,
    http: reqwest::Client,
}

impl Visitor {
    async fn measure(&self, path: &str, requests: usize) -> anyhow::Result<Page> {
        let mut bytes = 0;
        for _ in 0..WARM_UP {
            bytes = self.load(path).await?;
        }
        let mut took = Vec::with_capacity(requests);
        for _ in 0..requests.max(1) {
            let began = Instant::now();
            bytes = self.load(path).await?;
            took.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        took.sort_unstable_by(f64::total_cmp);
        Ok(Page {
            path: path.to_owned(),
            bytes,
            median_ms: took[took.len() / 2],
            slowest_ms: took[took.len() - 1],
            ratio: f64::NAN,
        })
    }

    async fn load(&self, path: &str) -> anyhow::Result<usize> {
        let request = self.http.get(format!("{}{path}", self.origin));
        let answer = request.bearer_auth(&self.token).send().await?;
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "{path} was answered with {status}");
        Ok(answer.bytes().await?.len())
    }
}
