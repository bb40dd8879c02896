//! Another org behind a tenant's address, as after the refresh of a sandbox or with the wrong credentials: the extractor stops
//! the tenant and deletes nothing, and a person says what is meant: to adopt it ([`adoption`]), or to disconnect a side.

mod adoption;

pub(crate) use adoption::InHand;

use std::convert::Infallible;

use landbridge_bus::{Bucket, KeyFilter};
use landbridge_model::TenantId;
use landbridge_model::config::{ImportWish, Tenant};
use landbridge_stage::{SecretOpener, ShardContext, Side, StageError};
use landbridge_wire::AskError;

use crate::ask::{ConnectionSide, ConnectionsTest, Disconnect, Done};
use crate::definitions;
use crate::shard::{ControlShard, unavailable};

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
    /// Stops a tenant, and waits until that is seen here.
    pub(crate) async fn stand_still(&self, tenant: &TenantId, reason: &str) -> Result<(), AskError> {
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

    /// Forgets the credentials of a side. Nothing is read or written until others are entered and both sides answer.
    pub(crate) async fn disconnect(&self, tenant: &TenantId, ask: &Disconnect) -> Result<Done, AskError> {
        definitions::tenant(&self.context, tenant)?;
        let name = ask.side.name();
        let reason = format!(
            "{name} was disconnected by {}; enter its credentials again and test the connection to go on",
            ask.by
        );
        // Whoever disconnects means that nothing goes on.
        self.forget_adoption(tenant).await.map_err(unavailable)?;
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
    use landbridge_model::ask::{HubSpotTest, SalesforceTest};
    use landbridge_model::config::{HubSpotConnection, SalesforceConnection};

    use super::*;

    pub(super) fn tenant(org: Option<&str>, suspended: bool) -> Tenant {
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
                api_version: None,
            },
            suspended: suspended.then(|| "another org answers".to_owned()),
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
