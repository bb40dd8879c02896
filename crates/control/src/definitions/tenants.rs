//! Tenants: added, removed, and their connections tried.

mod changes;

use std::convert::Infallible;
use std::time::Duration;

use landbridge_bus::{Filter, StreamName};
use landbridge_model::ask::{HubSpotTest, SalesforceTest, TestHubSpot, TestSalesforce};
use landbridge_model::config::Tenant;
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::{SecretOpener, ShardContext, Side, StageError};
use landbridge_wire::{AskError, AskErrorCode};
use sha2::{Digest, Sha256};

use super::tenant;
use crate::alerts::settings::AlertStore;
use crate::ask::{Change, ConnectionsTest, Done, PutTenant, Seen};
use crate::shard::{ControlShard, unavailable};
use changes::{merged, unmoved};

pub(crate) use changes::change_tenant;

/// Signing in and reading limits takes a few calls.
const SIGN_IN: Duration = Duration::from_secs(60);

/// Adds a tenant, or changes its connections.
pub(crate) async fn put_tenant(
    context: &ShardContext,
    tenant_id: &TenantId,
    ask: PutTenant,
    seen: &Seen,
) -> Result<Change, AskError> {
    if ask.tenant.id != *tenant_id {
        return Err(AskError::new(
            AskErrorCode::Invalid,
            "the tenant's name is not the one that is asked for",
        ));
    }
    // Before any secret is replaced, and once more where the tenant is written.
    still_so(seen, tenant_id, context.config.tenant(tenant_id).as_deref())?;
    // What is refused changes no secret.
    let stored = context
        .config
        .change_tenant(tenant_id, |stored| unmoved(stored.as_ref(), &ask).map(|()| None));
    stored.await.map_err(unavailable)??;
    let bus = context.hub.bus();
    for (side, sealed) in [(Side::Salesforce, &ask.salesforce), (Side::HubSpot, &ask.hubspot)] {
        if let Some(sealed) = sealed {
            SecretOpener::store(bus, tenant_id, side, sealed)
                .await
                .map_err(unavailable)?;
        }
    }
    let mut change = Change::Unchanged;
    let written = context
        .config
        .change_tenant(tenant_id, |stored| {
            still_so(seen, tenant_id, stored.as_ref())?;
            unmoved(stored.as_ref(), &ask)?;
            let wanted = merged(stored.as_ref(), ask.tenant.clone(), &ask.keep);
            change = match &stored {
                None => Change::Created,
                Some(stored) if *stored == wanted => Change::Unchanged,
                Some(_) => Change::Changed,
            };
            Ok((change != Change::Unchanged).then_some(wanted))
        })
        .await;
    written.map_err(unavailable)??;
    let has_new_secret = ask.salesforce.is_some() || ask.hubspot.is_some();
    Ok(if change == Change::Unchanged && has_new_secret {
        Change::Changed
    } else {
        change
    })
}

/// Stands for what people can change of a tenant.
pub fn tenant_tag(tenant: &Tenant) -> String {
    let (salesforce, hubspot) = (&tenant.salesforce, &tenant.hubspot);
    let changeable = (
        (&salesforce.login_url, salesforce.daily_calls),
        (salesforce.change_events, &salesforce.pubsub_url),
        (
            &hubspot.base_url,
            hubspot.calls_per_ten_seconds,
            &hubspot.api_version,
        ),
    );
    let json = serde_json::to_vec(&changeable).expect("texts and numbers can be written as JSON");
    hex::encode(&Sha256::digest(&json)[..16])
}

fn still_so(seen: &Seen, id: &TenantId, stored: Option<&Tenant>) -> Result<(), AskError> {
    if seen.holds(stored.map(tenant_tag).as_deref()) {
        return Ok(());
    }
    let what = match (seen, stored) {
        (Seen::Nothing, _) => format!("there is a tenant {id} already; look at it before you change it"),
        (_, None) => format!("the tenant {id} was removed since"),
        (_, Some(_)) => format!("the tenant {id} was changed since; look at it again, and repeat the change"),
    };
    Err(AskError::new(AskErrorCode::Conflict, what))
}

/// Removes a tenant with all that is kept for it.
pub(crate) async fn remove_tenant(shard: &ControlShard, tenant_id: &TenantId) -> Result<Done, AskError> {
    let context = &shard.context;
    tenant(context, tenant_id)?;
    forget_everything(shard, tenant_id).await.map_err(unavailable)?;
    Ok(Done {})
}

async fn forget_everything(shard: &ControlShard, tenant_id: &TenantId) -> Result<(), StageError> {
    let context = &shard.context;
    // First the definitions, so that nobody goes on working for it; then what waits; the secrets last.
    context.config.remove_tenant(tenant_id).await?;
    let definitions = context.hub.bus().kv(landbridge_bus::Bucket::Config);
    super::revisions::forget_tenant(&definitions, tenant_id).await?;
    crate::undo::forget(context, tenant_id).await?;
    for stream in StreamName::ALL {
        context
            .hub
            .bus()
            .purge(&Filter::tenant(stream, context.shard, tenant_id))
            .await?;
    }
    crate::identity::forget_positions(context, tenant_id, |_| true).await?;
    SecretOpener::forget(context.hub.bus(), tenant_id).await?;
    AlertStore::new(context.hub.bus()).forget(tenant_id).await?;
    crate::dry_run::kept::forget(context.hub.bus(), tenant_id).await?;
    shard.forget(tenant_id)
}

/// Signs in to both sides, and pins org and portal at the first time.
pub(crate) async fn test_connections(
    context: &ShardContext,
    tenant_id: &TenantId,
) -> Result<ConnectionsTest, AskError> {
    let tenant = tenant(context, tenant_id)?;
    let hub = &context.hub;
    let (salesforce, hubspot) = futures::join!(
        hub.ask(StageKind::Extractor, tenant_id, &TestSalesforce {}, SIGN_IN),
        hub.ask(StageKind::Loader, tenant_id, &TestHubSpot {}, SIGN_IN),
    );
    let others = context.config.tenants();
    let mut result = judge(&tenant, &others, salesforce, hubspot);
    if result.problems.is_empty()
        && let Err(error) = pin(context, tenant_id, &result).await
    {
        result
            .problems
            .push(format!("org and portal could not be pinned: {}", error.chain()));
    }
    if let Err(error) = crate::identity::restore(context, &tenant, &result).await {
        let what = format!("the tenant could not be set going again: {}", error.chain());
        result.problems.push(what);
    }
    Ok(result)
}

/// What both answers mean for this tenant.
fn judge(
    tenant: &Tenant,
    others: &[std::sync::Arc<Tenant>],
    salesforce: Result<SalesforceTest, AskError>,
    hubspot: Result<HubSpotTest, AskError>,
) -> ConnectionsTest {
    let mut result = ConnectionsTest::default();
    match salesforce {
        Err(error) => result.problems.push(format!("Salesforce: {error}")),
        Ok(test) => {
            let named = test
                .problems
                .iter()
                .map(|problem| format!("Salesforce: {problem}"));
            result.problems.extend(named);
            if let Some(pinned) = &tenant.salesforce.org_id
                && *pinned != test.org_id
            {
                result.problems.push(format!(
                    "Salesforce: this is the org {}, but the tenant was set up for {pinned}; restore the connection, \
                     adopt this org, or add a tenant of its own for it",
                    test.org_id
                ));
            }
            result.salesforce = Some(test);
        }
    }
    match hubspot {
        Err(error) => result.problems.push(format!("HubSpot: {error}")),
        Ok(test) => {
            result
                .problems
                .extend(test.problems.iter().map(|problem| format!("HubSpot: {problem}")));
            if let Some(pinned) = tenant.hubspot.portal_id
                && pinned != test.portal_id
            {
                result.problems.push(format!(
                    "HubSpot: this is the portal {}, but the tenant was set up for {pinned}; restore the token, or add \
                     a tenant of its own for this portal",
                    test.portal_id
                ));
            }
            let rival = others.iter().find(|other| {
                other.id != tenant.id
                    && other.hubspot.base_url == tenant.hubspot.base_url
                    && other.hubspot.portal_id == Some(test.portal_id)
            });
            if let Some(rival) = rival {
                // The name stands apart: not everybody who sees this tenant may know of that one.
                result.problems.push(format!(
                    "HubSpot: the portal {} belongs to another tenant already; a portal belongs to one tenant, so remove \
                     one of the two",
                    test.portal_id
                ));
                result.rival = Some(rival.id.clone());
            }
            result.hubspot = Some(test);
        }
    }
    result
}

async fn pin(context: &ShardContext, tenant_id: &TenantId, test: &ConnectionsTest) -> Result<(), StageError> {
    let (Some(salesforce), Some(hubspot)) = (&test.salesforce, &test.hubspot) else {
        return Ok(());
    };
    let written = context
        .config
        .change_tenant(tenant_id, |stored| {
            let Some(mut tenant) = stored else {
                return Ok::<_, Infallible>(None);
            };
            let before = tenant.clone();
            tenant
                .salesforce
                .org_id
                .get_or_insert_with(|| salesforce.org_id.clone());
            tenant.hubspot.portal_id.get_or_insert(hubspot.portal_id);
            Ok((tenant != before).then_some(tenant))
        })
        .await?;
    written.unwrap_or_else(|never| match never {});
    Ok(())
}

#[cfg(test)]
mod tests {
    use landbridge_model::config::{HubSpotConnection, SalesforceConnection};

    use super::*;

    fn acme(portal: Option<u64>) -> Tenant {
        Tenant {
            id: TenantId::new("acme").unwrap(),
            salesforce: SalesforceConnection {
                login_url: "https://acme.my.salesforce.com".into(),
                org_id: None,
                daily_calls: None,
                change_events: true,
                pubsub_url: None,
                adopted_ms: None,
            },
            hubspot: HubSpotConnection {
                base_url: "https://api.hubapi.com".into(),
                portal_id: portal,
                calls_per_ten_seconds: None,
                api_version: None,
            },
            suspended: None,
        }
    }

    #[test]
    fn a_portal_belongs_to_one_tenant() {
        let mut other = acme(Some(7));
        other.id = TenantId::new("globex").unwrap();
        let hubspot = HubSpotTest {
            portal_id: 7,
            ..HubSpotTest::default()
        };
        let found = judge(
            &acme(None),
            &[other.into()],
            Ok(SalesforceTest::default()),
            Ok(hubspot),
        );
        assert_eq!(found.problems.len(), 1);
        assert!(!found.problems[0].contains("globex"), "{}", found.problems[0]);
        assert_eq!(found.rival.as_ref().map(TenantId::as_str), Some("globex"));
    }

    #[test]
    fn another_org_than_the_pinned_one_is_a_problem() {
        let mut tenant = acme(None);
        tenant.salesforce.org_id = Some("00Dxx0000001gPFEAY".into());
        let salesforce = SalesforceTest {
            org_id: "00Dxx0000001gPGEAY".into(),
            ..Default::default()
        };
        let refused = AskError::new(
            AskErrorCode::Unauthorized,
            "the token is refused; create another one",
        );
        let found = judge(&tenant, &[], Ok(salesforce), Err(refused));
        assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
        assert_eq!(found.hubspot, None);
    }
}
