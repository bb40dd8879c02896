//! Another org behind a tenant's address, as after the refresh of a sandbox or with the wrong credentials: the extractor stops
//! the tenant and deletes nothing, and a person says what is meant.
//!
//! * **I1** An org is adopted by its id, as a person has read it, and never because it happens to answer.
//! * **I2** Nothing that was known of the org before is used for the one after: no position, no open import.
//! * **I3** What the org after does not have is held for a person, record by record.

use std::convert::Infallible;
use std::time::Duration;

use landbridge_bus::{Bucket, Key, KeyFilter};
use landbridge_model::ask::{SalesforceTest, TestSalesforce};
use landbridge_model::config::{ImportWish, SyncStatus, Tenant};
use landbridge_model::{StageKind, SyncName, TenantId};
use landbridge_stage::{SecretOpener, ShardContext, Side, StageError};
use landbridge_wire::{AskError, AskErrorCode};

use crate::ask::{
    AdoptOrg, Adopted, ConnectionSide, ConnectionsTest, Disconnect, Done, StartImports, StartedImports,
    Writing,
};
use crate::definitions;
use crate::imports::order::parents_first;
use crate::shard::{ControlShard, unavailable};

/// Signing in takes a few calls.
const SIGN_IN: Duration = Duration::from_secs(60);
/// How often imports are tried while the workers may not have seen yet that the org is meant.
const TRIES: u32 = 20;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Whether an org may be adopted, with the one that is pinned. Pure.
fn adoptable(tenant: &Tenant, ask: &AdoptOrg, test: &SalesforceTest) -> Result<(), String> {
    if test.org_id != ask.org_id {
        return Err(format!(
            "the org that answers is {}, and not {}: nothing was done; look at the connection again",
            test.org_id, ask.org_id
        ));
    }
    if tenant.suspended.is_none() && tenant.salesforce.org_id.as_deref() == Some(ask.org_id.as_str()) {
        return Err(format!("{} is the org that the tenant reads already", ask.org_id));
    }
    Ok(())
}

/// Whether what both sides say sets a suspended tenant going again: they are the ones that it was set up for. Pure.
fn restores(tenant: &Tenant, test: &ConnectionsTest) -> bool {
    let (Some(salesforce), Some(hubspot)) = (&test.salesforce, &test.hubspot) else {
        return false;
    };
    let org = tenant
        .salesforce
        .org_id
        .as_ref()
        .is_none_or(|pinned| *pinned == salesforce.org_id);
    let portal = tenant
        .hubspot
        .portal_id
        .is_none_or(|pinned| pinned == hubspot.portal_id);
    tenant.suspended.is_some() && org && portal && test.rival.is_none()
}

/// Sets a suspended tenant going again once both sides answer as those that it was set up for.
pub(crate) async fn restore(
    context: &ShardContext,
    tenant: &Tenant,
    test: &ConnectionsTest,
) -> Result<(), StageError> {
    if !restores(tenant, test) {
        return Ok(());
    }
    let lifted = context.config.change_tenant(&tenant.id, |stored| {
        Ok::<_, Infallible>(stored.map(|stored| Tenant {
            suspended: None,
            ..stored
        }))
    });
    lifted.await?.unwrap_or_else(|never| match never {});
    tracing::info!(tenant = %tenant.id, "both sides answer as before; the tenant goes on");
    Ok(())
}

/// Forgets the extractor's positions of a tenant, of the kinds that are meant.
pub(crate) async fn forget_positions(
    context: &ShardContext,
    tenant: &TenantId,
    is_meant: impl Fn(&str) -> bool,
) -> Result<(), StageError> {
    let bucket = context.hub.bus().kv(Bucket::Checkpoints);
    for entry in bucket.list(&KeyFilter::All).await? {
        if let [kind, of, ..] = entry.key.tokens().as_slice()
            && of == tenant.as_str()
            && is_meant(kind)
        {
            bucket.delete(&entry.key).await?;
        }
    }
    Ok(())
}

impl ControlShard {
    /// Takes the org that answers in the place of the one before: everything is read again, and deletes are held.
    pub(crate) async fn adopt_org(&self, tenant_id: &TenantId, ask: AdoptOrg) -> Result<Adopted, AskError> {
        let context = &self.context;
        let tenant = definitions::tenant(context, tenant_id)?;
        let hub = &context.hub;
        let test = hub
            .ask(StageKind::Extractor, tenant_id, &TestSalesforce {}, SIGN_IN)
            .await?;
        adoptable(&tenant, &ask, &test).map_err(|what| AskError::new(AskErrorCode::Invalid, what))?;
        self.stand_still(tenant_id, &format!("the org {} is being adopted", ask.org_id))
            .await?;
        for import in self.open_imports(tenant_id).await.map_err(unavailable)? {
            self.stop_reading(tenant_id, &import.id).await?;
        }
        // An import that has ended says so by its position, which is looked at by nobody else.
        let positions = forget_positions(context, tenant_id, |kind| kind != "import");
        positions.await.map_err(unavailable)?;
        self.mark_adopting(tenant_id, &ask.org_id)
            .await
            .map_err(unavailable)?;
        let now_ms = hub.now_ms().max(test.clock_ms.unwrap_or_default());
        let adopted = context.config.change_tenant(tenant_id, |stored| {
            let Some(mut tenant) = stored else {
                return Ok::<_, Infallible>(None);
            };
            tenant.salesforce.org_id = Some(ask.org_id.clone());
            tenant.salesforce.adopted_ms = Some(now_ms);
            tenant.suspended = None;
            Ok(Some(tenant))
        });
        adopted
            .await
            .map_err(unavailable)?
            .unwrap_or_else(|never| match never {});
        tracing::info!(tenant = %tenant_id, from = ?tenant.salesforce.org_id, to = ask.org_id, by = ask.by, "another org is adopted");
        let (imports, problems) = self.read_again(tenant_id, &ask).await;
        Ok(Adopted {
            from: tenant.salesforce.org_id.clone(),
            to: ask.org_id,
            imports: imports.imports,
            problems,
        })
    }

    /// Stops a tenant, and waits until that is seen here.
    async fn stand_still(&self, tenant: &TenantId, reason: &str) -> Result<(), AskError> {
        let stopped = self.context.config.change_tenant(tenant, |stored| {
            Ok::<_, Infallible>(stored.map(|stored| Tenant {
                suspended: Some(reason.to_owned()),
                ..stored
            }))
        });
        stopped
            .await
            .map_err(unavailable)?
            .unwrap_or_else(|never| match never {});
        Ok(())
    }

    /// Every sync that may have written something looks at once for what the org does not have.
    async fn mark_adopting(&self, tenant: &TenantId, org: &str) -> Result<(), StageError> {
        let bucket = self.context.hub.bus().kv(Bucket::Checkpoints);
        for sync in self.context.config.syncs(tenant) {
            if sync.resolved.is_some() {
                let name = sync.definition.metadata.name.as_str();
                let key = Key::new(["adopting", tenant.as_str(), name]);
                bucket.put_json(&key, &org).await?;
            }
        }
        Ok(())
    }

    /// Imports of all active syncs, parents first, that write over what is there; and why there are none.
    async fn read_again(&self, tenant: &TenantId, ask: &AdoptOrg) -> (StartedImports, Vec<String>) {
        let mut syncs = self.context.config.syncs(tenant);
        syncs.retain(|sync| sync.status == SyncStatus::Active);
        let definitions: Vec<_> = syncs.iter().map(|sync| sync.definition.clone()).collect();
        let mut started = StartedImports::default();
        let mut problems = Vec::new();
        for sync in parents_first(&definitions) {
            match self.import_when_seen(tenant, &sync, &ask.by).await {
                Ok(one) => {
                    started.imports.extend(one.imports);
                    let lines = one.problems.iter();
                    let told = lines
                        .flat_map(|line| line.problems.iter().map(|problem| format!("{sync}: {problem}")));
                    problems.extend(told);
                }
                Err(error) => problems.push(format!("{sync}: {error}")),
            }
        }
        (started, problems)
    }

    /// The extractor may not have seen yet that the org is meant: it is asked again for a moment.
    async fn import_when_seen(
        &self,
        tenant: &TenantId,
        sync: &SyncName,
        by: &str,
    ) -> Result<StartedImports, AskError> {
        let wanted = || StartImports {
            syncs: vec![sync.clone()],
            writing: Writing::Everything,
            keep_before: false,
            started_by: by.to_owned(),
        };
        let mut tries = 1;
        loop {
            match self.start_imports(tenant, wanted()).await {
                Err(error)
                    if matches!(error.code, AskErrorCode::Forbidden | AskErrorCode::Invalid)
                        && tries < TRIES =>
                {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    }

    /// Forgets the credentials of a side. Nothing is read or written until others are entered and both sides answer.
    pub(crate) async fn disconnect(&self, tenant: &TenantId, ask: &Disconnect) -> Result<Done, AskError> {
        definitions::tenant(&self.context, tenant)?;
        let name = ask.side.name();
        let reason = format!(
            "{name} was disconnected by {}; enter its credentials again and test the connection to go on",
            ask.by
        );
        // First the standstill, so that nobody misses the credentials.
        self.stand_still(tenant, &reason).await?;
        let side = match ask.side {
            ConnectionSide::Salesforce => Side::Salesforce,
            ConnectionSide::HubSpot => Side::HubSpot,
        };
        let bus = self.context.hub.bus();
        SecretOpener::forget_side(bus, tenant, side)
            .await
            .map_err(unavailable)?;
        let open = self.context.config.imports(tenant).into_iter();
        let running = open.filter(|import| import.wish == ImportWish::Run).count();
        tracing::info!(%tenant, side = name, running, by = ask.by, "a side is disconnected");
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::ask::HubSpotTest;
    use landbridge_model::config::{HubSpotConnection, SalesforceConnection};

    use super::*;

    fn tenant(org: Option<&str>, suspended: bool) -> Tenant {
        Tenant {
            id: TenantId::new("acme").unwrap(),
            salesforce: SalesforceConnection {
                login_url: "https://acme.my.salesforce.com".into(),
                org_id: org.map(str::to_owned),
                daily_calls: None,
                change_events: true,
                pubsub_url: None,
                adopted_ms: None,
            },
            hubspot: HubSpotConnection {
                base_url: "https://api.hubapi.com".into(),
                portal_id: Some(7),
                calls_per_ten_seconds: None,
            },
            suspended: suspended.then(|| "another org answers".to_owned()),
        }
    }

    #[test]
    fn an_org_is_adopted_only_by_the_id_that_a_person_has_read() {
        let ask = AdoptOrg {
            org_id: "00D2".into(),
            by: "user:ann".into(),
        };
        let answers = |org: &str| SalesforceTest {
            org_id: org.to_owned(),
            ..SalesforceTest::default()
        };
        for (pinned, suspended, answering, may) in [
            (Some("00D1"), true, "00D2", true),
            (Some("00D1"), true, "00D3", false),
            (Some("00D1"), true, "00D1", false),
            (Some("00D1"), false, "00D2", true),
            (Some("00D2"), false, "00D2", false),
            // The positions are of another org, though this one is pinned.
            (Some("00D2"), true, "00D2", true),
            (None, true, "00D2", true),
        ] {
            let judged = adoptable(&tenant(pinned, suspended), &ask, &answers(answering));
            assert_eq!(
                judged.is_ok(),
                may,
                "{pinned:?} {suspended} {answering}: {judged:?}"
            );
        }
    }

    #[test]
    fn a_tenant_goes_on_when_both_sides_are_those_that_it_was_set_up_for() {
        let test = |org: Option<&str>, portal: Option<u64>| ConnectionsTest {
            salesforce: org.map(|org| SalesforceTest {
                org_id: org.to_owned(),
                ..SalesforceTest::default()
            }),
            hubspot: portal.map(|portal_id| HubSpotTest {
                portal_id,
                ..HubSpotTest::default()
            }),
            ..ConnectionsTest::default()
        };
        let stopped = tenant(Some("00D1"), true);
        assert!(restores(&stopped, &test(Some("00D1"), Some(7))));
        for (org, portal) in [
            (Some("00D2"), Some(7)),
            (Some("00D1"), Some(8)),
            (None, Some(7)),
            (Some("00D1"), None),
        ] {
            assert!(!restores(&stopped, &test(org, portal)), "{org:?} {portal:?}");
        }
        assert!(!restores(
            &tenant(Some("00D1"), false),
            &test(Some("00D1"), Some(7))
        ));
    }
}
