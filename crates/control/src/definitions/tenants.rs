//! Tenants: added, removed, and their connections tried.

use std::convert::Infallible;
use std::time::Duration;

use landbridge_bus::{Filter, StreamName};
use landbridge_model::ask::{HubSpotTest, SalesforceTest, TestHubSpot, TestSalesforce};
use landbridge_model::config::Tenant;
use landbridge_model::{StageKind, TenantId};
use landbridge_stage::{SecretOpener, ShardContext, Side, StageError};
use landbridge_wire::{AskError, AskErrorCode};

use super::tenant;
use crate::alerts::settings::AlertStore;
use crate::ask::{
    Change, ChangeTenant, ConnectionSide, ConnectionsTest, Done, PutTenant, TenantPart,
};
use crate::shard::{ControlShard, unavailable};

/// Signing in and reading limits takes a few calls.
const SIGN_IN: Duration = Duration::from_secs(60);

/// Adds a tenant, or changes its connections.
pub(crate) async fn put_tenant(
    context: &ShardContext,
    tenant_id: &TenantId,
    ask: PutTenant,
) -> Result<Change, AskError> {
    if ask.tenant.id != *tenant_id {
        return Err(AskError::new(
            AskErrorCode::Invalid,
            "the tenant's name is not the one that is asked for",
        ));
    }
    // What is refused changes no secret.
    let stored = context.config.change_tenant(tenant_id, |stored| {
        unmoved(stored.as_ref(), &ask).map(|()| None)
    });
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

/// Refuses to move a side that keeps its secret: no secret is sent to another address than the one it was given for.
/// Who asked looked too, but at what was stored a moment ago.
fn unmoved(stored: Option<&Tenant>, ask: &PutTenant) -> Result<(), AskError> {
    let Some(stored) = stored else { return Ok(()) };
    let (before, after) = (&stored.salesforce, &ask.tenant.salesforce);
    let listens_elsewhere = after.pubsub_url.is_some()
        && after.pubsub_url != before.pubsub_url
        && !ask.keep.contains(&TenantPart::PubsubUrl);
    let salesforce = after.login_url != before.login_url || listens_elsewhere;
    let hubspot = ask.tenant.hubspot.base_url != stored.hubspot.base_url;
    if (salesforce && ask.salesforce.is_none()) || (hubspot && ask.hubspot.is_none()) {
        return Err(AskError::new(
            AskErrorCode::Invalid,
            format!(
                "the address of a side of {} changes: give that side's credentials as well",
                stored.id
            ),
        ));
    }
    Ok(())
}

/// What is not somebody's to say stays as it is stored: why a tenant stands still, and what was pinned at the first
/// sign-in for as long as the address stays.
fn merged(stored: Option<&Tenant>, mut wanted: Tenant, keep: &[TenantPart]) -> Tenant {
    let Some(stored) = stored else { return wanted };
    wanted.suspended.clone_from(&stored.suspended);
    if wanted.salesforce.login_url == stored.salesforce.login_url {
        wanted.salesforce.org_id.clone_from(&stored.salesforce.org_id);
        wanted.salesforce.adopted_ms = stored.salesforce.adopted_ms;
    }
    if wanted.hubspot.base_url == stored.hubspot.base_url {
        wanted.hubspot.portal_id = stored.hubspot.portal_id;
    }
    for part in keep {
        match part {
            TenantPart::DailyCalls => wanted.salesforce.daily_calls = stored.salesforce.daily_calls,
            TenantPart::ChangeEvents => wanted.salesforce.change_events = stored.salesforce.change_events,
            TenantPart::PubsubUrl => {
                wanted.salesforce.pubsub_url.clone_from(&stored.salesforce.pubsub_url);
            }
            TenantPart::CallsPerTenSeconds => {
                wanted.hubspot.calls_per_ten_seconds = stored.hubspot.calls_per_ten_seconds;
            }
        }
    }
    wanted
}

/// Changes one thing of a tenant, and nothing else of it, whatever was changed since the asker looked.
pub(crate) async fn change_tenant(
    context: &ShardContext,
    tenant_id: &TenantId,
    ask: ChangeTenant,
) -> Result<Done, AskError> {
    tenant(context, tenant_id)?;
    let changed = context.config.change_tenant(tenant_id, |stored| {
        let missing = || AskError::new(AskErrorCode::NotFound, format!("there is no tenant {tenant_id}"));
        changed(stored.ok_or_else(missing)?, &ask)
    });
    changed.await.map_err(unavailable)??;
    if let ChangeTenant::Credentials { side, sealed, .. } = &ask {
        let side = match side {
            ConnectionSide::Salesforce => Side::Salesforce,
            ConnectionSide::HubSpot => Side::HubSpot,
        };
        SecretOpener::store(context.hub.bus(), tenant_id, side, sealed)
            .await
            .map_err(unavailable)?;
    }
    Ok(Done {})
}

/// The tenant with that change; `None` when it is to stay as it is. Pure.
fn changed(stored: Tenant, ask: &ChangeTenant) -> Result<Option<Tenant>, AskError> {
    match ask {
        ChangeTenant::Allocate { daily_calls } => {
            let mut next = stored.clone();
            next.salesforce.daily_calls = *daily_calls;
            Ok((next != stored).then_some(next))
        }
        ChangeTenant::Credentials { side, address, .. } => {
            let now = match side {
                ConnectionSide::Salesforce => &stored.salesforce.login_url,
                ConnectionSide::HubSpot => &stored.hubspot.base_url,
            };
            if now == address {
                return Ok(None);
            }
            Err(AskError::new(
                AskErrorCode::Invalid,
                format!(
                    "the address of {} of {} was changed at the same moment: look at the connection again, and enter \
                     the credentials for the address that it has now",
                    side.name(),
                    stored.id
                ),
            ))
        }
    }
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
            },
            suspended: None,
        }
    }

    #[test]
    fn pins_stay_while_the_address_stays() {
        let stored = acme(Some(7));
        assert_eq!(merged(Some(&stored), acme(None), &[]).hubspot.portal_id, Some(7));
        let mut moved = acme(None);
        moved.hubspot.base_url = "http://127.0.0.1:1".into();
        assert_eq!(merged(Some(&stored), moved, &[]).hubspot.portal_id, None);
    }

    /// As after the tenant was read by whoever writes it: it was suspended, another org was adopted, calls allocated.
    fn later() -> Tenant {
        let mut later = acme(Some(7));
        later.suspended = Some("another org answers".into());
        later.salesforce.org_id = Some("00D2".into());
        later.salesforce.adopted_ms = Some(5);
        later.salesforce.daily_calls = Some(1_000);
        later.salesforce.change_events = false;
        later.salesforce.pubsub_url = Some("https://api.deu.pubsub.salesforce.com:7443".into());
        later.hubspot.calls_per_ten_seconds = Some(100);
        later
    }

    #[test]
    fn an_old_look_undoes_nothing() {
        let mut seen = acme(Some(7));
        seen.salesforce.org_id = Some("00D1".into());
        let all = [
            TenantPart::DailyCalls,
            TenantPart::ChangeEvents,
            TenantPart::PubsubUrl,
            TenantPart::CallsPerTenSeconds,
        ];
        assert_eq!(merged(Some(&later()), seen.clone(), &all), later());
        let mut expected = later();
        expected.salesforce.daily_calls = None;
        assert_eq!(merged(Some(&later()), seen, &all[1..]), expected);
        let allocate = ChangeTenant::Allocate { daily_calls: Some(2) };
        expected.salesforce.daily_calls = Some(2);
        assert_eq!(changed(later(), &allocate), Ok(Some(expected)));
        let allocate = ChangeTenant::Allocate { daily_calls: Some(1_000) };
        assert_eq!(changed(later(), &allocate), Ok(None));
    }

    #[test]
    fn a_secret_goes_to_no_other_address_than_its_own() {
        let sealed = || landbridge_bus::seal::Sealed {
            to: String::new(),
            sealed: String::new(),
        };
        for (side, address, fits) in [
            (ConnectionSide::Salesforce, "https://acme.my.salesforce.com", true),
            (ConnectionSide::Salesforce, "https://api.hubapi.com", false),
            (ConnectionSide::HubSpot, "https://api.hubapi.com", true),
            (ConnectionSide::HubSpot, "https://acme.my.salesforce.com", false),
        ] {
            let credentials = ChangeTenant::Credentials {
                side,
                sealed: sealed(),
                address: address.to_owned(),
            };
            assert_eq!(changed(later(), &credentials).is_ok(), fits, "{side:?} {address}");
        }
        let put = |with_secret: bool, keep: &[TenantPart]| PutTenant {
            tenant: Tenant {
                suspended: None,
                ..later()
            },
            salesforce: with_secret.then(sealed),
            hubspot: None,
            keep: keep.to_vec(),
        };
        assert!(unmoved(Some(&later()), &put(false, &[])).is_ok());
        let mut elsewhere = later();
        elsewhere.salesforce.login_url = "https://other.my.salesforce.com".into();
        assert!(unmoved(Some(&elsewhere), &put(false, &[])).is_err());
        assert!(unmoved(Some(&elsewhere), &put(true, &[])).is_ok());
        assert!(unmoved(Some(&acme(None)), &put(false, &[])).is_err(), "its events are heard elsewhere");
        assert!(unmoved(Some(&acme(None)), &put(false, &[TenantPart::PubsubUrl])).is_ok());
        assert!(unmoved(None, &put(false, &[])).is_ok());
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
