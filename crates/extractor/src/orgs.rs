//! The clients of a shard's tenants, made when first needed and made anew when credentials or addresses change.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landbridge_model::TenantId;
use landbridge_model::ask::CallBudget;
use landbridge_model::config::{SalesforceCredentials, Tenant};
use landbridge_salesforce::{
    Admission, ApiUsage, Client, ClientConfig, DailyBudget, Family, Governor, SalesforceError, Verdict,
};
use landbridge_stage::{CallResult, ConfigView, Metrics, SecretOpener, Side};
use parking_lot::Mutex;

use crate::calls::OwnCalls;
use crate::settings::ExtractorSettings;
use crate::signing_in::{Resealer, signing_in};
use crate::trouble::Trouble;

/// For so long a client is used without looking whether its credentials were replaced.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How often our own counts of calls are kept.
const KEEP_COUNTS_EVERY: Duration = Duration::from_secs(10);
/// The part of the org's daily allocation that is left to others.
const RESERVE: f64 = 0.05;

/// The clients of a shard's tenants.
#[derive(Debug)]
pub struct Orgs {
    secrets: SecretOpener,
    config: ConfigView,
    settings: Arc<ExtractorSettings>,
    metrics: Metrics,
    own_calls: OwnCalls,
    known: Mutex<HashMap<TenantId, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    client: Client,
    /// As they are stored: a rotated token replaces them.
    credentials: Arc<Mutex<SalesforceCredentials>>,
    login_url: String,
    metered: Arc<Metered>,
    looked: Option<Instant>,
}

impl Orgs {
    /// None yet.
    #[must_use]
    pub fn new(
        secrets: SecretOpener,
        config: ConfigView,
        settings: Arc<ExtractorSettings>,
        metrics: Metrics,
        own_calls: OwnCalls,
    ) -> Self {
        Self {
            secrets,
            config,
            settings,
            metrics,
            own_calls,
            known: Mutex::default(),
        }
    }

    /// The client of a tenant, signed in to the org that the tenant is pinned to.
    pub async fn client(&self, id: &TenantId) -> Result<Client, Trouble> {
        let client = self.unpinned_client(id).await?;
        let found = client.org_id().await?.to_string();
        let tenant = self.tenant(id)?;
        match &tenant.salesforce.org_id {
            Some(expected) if *expected == found => {}
            Some(expected) => {
                return Err(Trouble::OtherOrg {
                    expected: expected.clone(),
                    found,
                });
            }
            None => self.pin(id, found).await?,
        }
        Ok(client)
    }

    /// The client of a tenant, whatever org it leads to.
    pub async fn unpinned_client(&self, id: &TenantId) -> Result<Client, Trouble> {
        let tenant = self.tenant(id)?;
        let connection = &tenant.salesforce;
        let known = self.known.lock().get(id).cloned();
        // One that was led to another org says so for ever; which org answers now is for another one to find out.
        let known = known.filter(|known| known.client.moved_to().is_none());
        let same_place = |known: &Known| known.login_url == connection.login_url;
        if let Some(known) = &known {
            known.metered.budget.allow_own_calls(connection.daily_calls);
        }
        if let Some(known) = &known
            && same_place(known)
            && known
                .looked
                .is_some_and(|looked| looked.elapsed() < LOOK_AGAIN_AFTER)
        {
            return Ok(known.client.clone());
        }
        let opened = self
            .secrets
            .open::<SalesforceCredentials>(id, Side::Salesforce)
            .await?;
        let credentials = opened.ok_or_else(|| Trouble::NoCredentials(id.clone()))?;
        let before = known.clone();
        let known = known.filter(|known| same_place(known) && *known.credentials.lock() == credentials);
        let entry = match known {
            Some(known) => Known {
                looked: Some(Instant::now()),
                ..known
            },
            None => {
                let entry = self.make(&tenant, credentials)?;
                let counted = match before {
                    Some(before) => before.metered.budget.own_by_hours(),
                    None => self.own_calls.get(id).await?,
                };
                entry.metered.budget.remember_own(&counted);
                entry
            }
        };
        let client = entry.client.clone();
        self.known.lock().insert(id.clone(), entry);
        Ok(client)
    }

    /// The next use looks whether the credentials were replaced: whoever tests them means those that are stored now.
    pub fn look_again(&self, id: &TenantId) {
        if let Some(known) = self.known.lock().get_mut(id) {
            known.looked = None;
        }
    }

    /// The clients made so far, for their counters.
    #[must_use]
    pub fn made(&self, id: &TenantId) -> Option<Client> {
        self.known.lock().get(id).map(|known| known.client.clone())
    }

    /// How a tenant's daily calls stand, once an answer of its org has told.
    #[must_use]
    pub fn budget(&self, id: &TenantId) -> Option<CallBudget> {
        let metered = self.known.lock().get(id).map(|known| known.metered.clone())?;
        let usage = metered.budget.usage()?;
        Some(CallBudget {
            limit: usage.allowed,
            used: usage.used,
            own: Some(metered.budget.own_calls()),
            allocated: metered.budget.allocated(usage),
            reserved: usage.allowed.saturating_sub(metered.budget.limit(usage)),
            forecast: None,
        })
    }

    /// Keeps our own counts of calls from time to time, for whoever reads these tenants next.
    pub async fn keep_counts(&self) -> Infallible {
        let mut kept = HashMap::new();
        loop {
            tokio::time::sleep(KEEP_COUNTS_EVERY).await;
            self.put_counts_down(&mut kept).await;
        }
    }

    /// Keeps the counts that are not among those that are `kept` already.
    pub async fn put_counts_down(&self, kept: &mut HashMap<TenantId, Vec<u64>>) {
        let known = self.known.lock().clone();
        for (id, known) in known {
            let hours = known.metered.budget.own_by_hours();
            let counts: Vec<u64> = hours.iter().map(|(_, calls)| *calls).collect();
            if counts.is_empty() || kept.get(&id) == Some(&counts) {
                continue;
            }
            match self.own_calls.put(&id, &hours).await {
                Ok(()) => drop(kept.insert(id, counts)),
                Err(error) => {
                    tracing::warn!(tenant = %id, error = %error.chain(), "the day's count of Salesforce calls is not kept");
                }
            }
        }
    }

    fn tenant(&self, id: &TenantId) -> Result<Arc<Tenant>, Trouble> {
        self.config
            .tenant(id)
            .ok_or_else(|| Trouble::Missing(format!("there is no tenant {id}")))
    }

    async fn pin(&self, id: &TenantId, found: String) -> Result<(), Trouble> {
        let pinned = self
            .config
            .change_tenant(id, |tenant| {
                let mut tenant = tenant.ok_or(())?;
                if tenant.salesforce.org_id.is_some() {
                    return Ok(None);
                }
                tenant.salesforce.org_id = Some(found.clone());
                Ok::<_, ()>(Some(tenant))
            })
            .await?;
        if pinned.is_err() {
            return Err(Trouble::Missing(format!("there is no tenant {id}")));
        }
        Ok(())
    }

    fn make(&self, tenant: &Tenant, credentials: SalesforceCredentials) -> Result<Known, Trouble> {
        let address = &tenant.salesforce.login_url;
        let login_url = address.parse().map_err(|error| {
            SalesforceError::Setting(format!(
                "the Salesforce address {address:?} cannot be used: {error}"
            ))
        })?;
        let flow = signing_in(&self.secrets, credentials.clone())?;
        let credentials = Arc::new(Mutex::new(credentials));
        let keeper = Resealer::new(self.secrets.clone(), tenant.id.clone(), credentials.clone());
        let mut config = ClientConfig::new(login_url, flow);
        config.keeper = Some(Arc::new(keeper));
        config.api_version.clone_from(&self.settings.api_version);
        config.call_timeout = self.settings.call_timeout;
        config.silence_timeout = self.settings.call_timeout;
        config.retry = self.settings.retry.clone();
        let budget = DailyBudget::new(1.0 - RESERVE)
            .with_own_calls(tenant.salesforce.daily_calls)
            .probing_every(self.settings.probe_interval);
        let metered = Arc::new(Metered {
            budget,
            metrics: self.metrics.clone(),
        });
        Ok(Known {
            client: Client::with_governor(config, metered.clone())?,
            credentials,
            login_url: address.clone(),
            metered,
            looked: Some(Instant::now()),
        })
    }
}

/// A budget whose calls are measured.
#[derive(Debug)]
struct Metered {
    budget: DailyBudget,
    metrics: Metrics,
}

impl Governor for Metered {
    fn admit(&self, family: Family) -> Admission {
        self.budget.admit(family)
    }

    fn observe(&self, usage: ApiUsage) {
        self.budget.observe(usage);
        self.metrics.budget_used(Side::Salesforce, self.budget.pressure());
    }

    fn exhausted(&self) {
        self.budget.exhausted();
    }

    fn pressure(&self) -> f64 {
        self.budget.pressure()
    }

    fn usage(&self) -> Option<ApiUsage> {
        self.budget.usage()
    }

    fn ended(&self, family: Family, verdict: Option<Verdict>, took: Duration) {
        let result = match verdict {
            None => CallResult::Ok,
            Some(Verdict::WaitForWindow) => CallResult::Limited,
            Some(Verdict::Retry { .. } | Verdict::Refresh) => CallResult::Failed,
            Some(
                Verdict::Configuration
                | Verdict::SchemaChanged
                | Verdict::Shrink
                | Verdict::Gone
                | Verdict::Refused
                | Verdict::Bug,
            ) => CallResult::Refused,
        };
        self.metrics
            .call_ended(Side::Salesforce, family.as_str(), result, took);
    }
}
