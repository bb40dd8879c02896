//! How long the console's pages take with a full store, beside a page that asks nothing; too long is a failure.
//!
//! The tenants and syncs are written as control would have written them, without credentials: what is measured is the
//! console, not two hundred orgs. One more tenant is connected to the sandbox, with imports, links that wait, and records
//! that HubSpot refuses. Every page goes over HTTP to the control of separate processes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::{Bucket, Bus, BusConfig, Key};
use landbridge_model::config::{HubSpotConnection, SalesforceConnection, Sync, SyncStatus, Tenant};
use landbridge_model::{Revision, TenantId, yaml};
use serde::Serialize;

use crate::binary::repository;
use crate::installation::{Events, Installation, TENANT};
use crate::tables;

/// The page that the others are compared with: it asks nothing of what is stored.
const PLAIN: &str = "/sign-in";
/// Asked before anything is measured, so that connections are open and answers are cached.
const WARM_UP: usize = 5;
/// A page whose median is longer is too slow.
const AT_MOST: Duration = Duration::from_millis(100);
/// Records of the org that the connected tenant imports.
const RECORDS: u64 = 5_000;
/// The syncs of the connected tenant, as its files name them.
const SYNCS: [&str; 3] = ["depots", "vehicles", "service-visits"];
/// How long the imports may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// The pause between two looks at them.
const PAUSE: Duration = Duration::from_millis(250);

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

    /// Fails when a page is too slow, with all that are.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let bound_ms = AT_MOST.as_secs_f64() * 1_000.0;
        let slow = self.pages.iter().filter(|page| page.median_ms > bound_ms);
        let slow: Vec<String> = slow
            .map(|page| format!("{} in {:.1} ms", page.path, page.median_ms))
            .collect();
        anyhow::ensure!(
            slow.is_empty(),
            "pages are to answer in {bound_ms} ms at the median; these do not: {}",
            slow.join(", ")
        );
        Ok(())
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
    let mut installation = Installation::start(binary, folder, RECORDS).await?;
    let definitions = repository().join("deploy/examples/demo");
    installation.add_tenant(&definitions, Events::Off).await?;
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
    refuse_some(&installation, &visitor.http).await?;
    let lived = visitor.live(&mut installation).await?;
    let mut pages: Vec<Page> = Vec::new();
    for path in paths(tenants).into_iter().chain(lived.paths()) {
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
        "/health".to_owned(),
    ]
}

/// What the connected tenant has come to.
struct Lived {
    import: String,
    /// A record that is refused.
    refused: String,
    /// By which sync.
    refused_by: String,
}

impl Lived {
    /// The pages of a tenant at work, and the wizard's.
    fn paths(&self) -> Vec<String> {
        let Self {
            import,
            refused,
            refused_by,
        } = self;
        let mut parts = vec![
            String::new(),
            "/health".to_owned(),
            "/imports".to_owned(),
            "/imports/new".to_owned(),
            format!("/imports/{import}"),
            "/failures".to_owned(),
            format!("/failures?sync={refused_by}"),
            format!("/failures/{refused_by}/{refused}"),
            format!("/records?q={refused}"),
            "/alerts".to_owned(),
            "/identity".to_owned(),
            "/connections/hubspot".to_owned(),
            "/audit".to_owned(),
            "/syncs/new".to_owned(),
        ];
        let sync = "/syncs/vehicles";
        parts.push(sync.to_owned());
        for step in [
            "rules",
            "associations",
            "mappings",
            "filter",
            "preview",
            "turn-on",
        ] {
            parts.push(format!("{sync}/edit/{step}"));
        }
        parts
            .into_iter()
            .map(|part| format!("/tenants/{TENANT}{part}"))
            .collect()
    }
}

/// A rule of the portal by which some vehicles are refused.
async fn refuse_some(installation: &Installation, http: &reqwest::Client) -> anyhow::Result<()> {
    let hubspot = installation.hubspot();
    let (base, token) = (&hubspot.base_url, &hubspot.token);
    let schemas = http.get(format!("{base}/crm-object-schemas/2026-09/schemas"));
    let answer = schemas.bearer_auth(token).send().await?.error_for_status()?;
    let schemas: serde_json::Value = answer.json().await?;
    let mut types = schemas["results"].as_array().into_iter().flatten();
    let vehicles = types
        .find(|one| one["name"] == "vehicles")
        .context("the portal has no vehicles")?;
    // Custom object types go by their ids.
    let id = text(&vehicles["objectTypeId"])?;
    let rule = format!("{base}/crm/property-validations/2026-09/{id}/mileage/rule-type/MAX_NUMBER");
    let body = serde_json::json!({ "ruleArguments": ["200000"] });
    let answer = http.put(rule).bearer_auth(token).json(&body).send().await?;
    answer
        .error_for_status()
        .map(drop)
        .context("the rule was refused")
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

    /// Imports everything and turns it on.
    async fn live(&self, installation: &mut Installation) -> anyhow::Result<Lived> {
        let imports = "imports";
        self.send(imports, &serde_json::json!({ "syncs": SYNCS })).await?;
        let deadline = Instant::now() + PATIENCE;
        let import = loop {
            installation.all_run()?;
            let found = self.ask(imports).await?;
            let items = found["items"].as_array().context("imports are no list")?;
            if items.len() == SYNCS.len() && items.iter().all(|one| one["ended_ms"].is_i64()) {
                break text(&items[0]["id"])?;
            }
            anyhow::ensure!(Instant::now() < deadline, "the imports do not end: {found}");
            tokio::time::sleep(PAUSE).await;
        };
        for sync in SYNCS {
            let activate = format!("syncs/{sync}/activate");
            self.send(&activate, &serde_json::Value::Null).await?;
        }
        let failures = self.ask("failures?limit=1").await?;
        let failure = &failures["items"][0];
        Ok(Lived {
            import,
            refused: text(&failure["id"]).context("no record was refused")?,
            refused_by: text(&failure["sync"])?,
        })
    }

    /// Asks the REST API of the connected tenant.
    async fn ask(&self, path: &str) -> anyhow::Result<serde_json::Value> {
        let request = self.http.get(self.api(path)).bearer_auth(&self.token);
        Ok(request.send().await?.error_for_status()?.json().await?)
    }

    async fn send(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<()> {
        let request = self.http.post(self.api(path)).bearer_auth(&self.token).json(body);
        let answer = request.send().await?;
        let status = answer.status();
        anyhow::ensure!(
            status.is_success(),
            "{path} was answered with {status}: {}",
            answer.text().await?
        );
        Ok(())
    }

    fn api(&self, path: &str) -> String {
        format!("{}/api/v1/tenants/{TENANT}/{path}", self.origin)
    }

    async fn load(&self, path: &str) -> anyhow::Result<usize> {
        let request = self.http.get(format!("{}{path}", self.origin));
        let answer = request.bearer_auth(&self.token).send().await?;
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "{path} was answered with {status}");
        Ok(answer.bytes().await?.len())
    }
}

fn text(value: &serde_json::Value) -> anyhow::Result<String> {
    value
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("{value} is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_too_slow_is_a_failure() {
        let page = |path: &str, median_ms| Page {
            path: path.to_owned(),
            bytes: 1,
            median_ms,
            slowest_ms: 1_000.0,
            ratio: 1.0,
        };
        let pages = |pages| Pages {
            bench: "console",
            tenants: 1,
            syncs: 1,
            requests: 1,
            pages,
        };
        let fast = pages(vec![page("/", 99.9), page("/audit", 100.0)]);
        assert!(fast.check().is_ok(), "the slowest answer does not count");
        let slow = pages(vec![page("/", 20.0), page("/audit", 100.1)]);
        let told = slow.check().unwrap_err().to_string();
        assert!(told.ends_with("/audit in 100.1 ms"), "{told}");
    }
}
