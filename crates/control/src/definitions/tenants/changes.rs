//! What a change of a tenant changes, and what of it stays as it is stored.

use landbridge_model::TenantId;
use landbridge_model::config::Tenant;
use landbridge_stage::{SecretOpener, ShardContext, Side};
use landbridge_wire::{AskError, AskErrorCode};

use crate::ask::{ChangeTenant, ConnectionSide, Done, PutTenant, TenantPart};
use crate::definitions::tenant;
use crate::shard::unavailable;

/// Refuses to move a side that keeps its secret: no secret is sent to another address than the one it was given for.
/// Who asked looked too, but at what was stored a moment ago.
pub(super) fn unmoved(stored: Option<&Tenant>, ask: &PutTenant) -> Result<(), AskError> {
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
pub(super) fn merged(stored: Option<&Tenant>, mut wanted: Tenant, keep: &[TenantPart]) -> Tenant {
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
                wanted
                    .salesforce
                    .pubsub_url
                    .clone_from(&stored.salesforce.pubsub_url);
            }
            TenantPart::CallsPerTenSeconds => {
                wanted.hubspot.calls_per_ten_seconds = stored.hubspot.calls_per_ten_seconds;
            }
            TenantPart::ApiVersion => {
                wanted.hubspot.api_version.clone_from(&stored.hubspot.api_version);
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
        ChangeTenant::Allocate { daily_calls, seen } => {
            super::still_so(seen, &stored.id, Some(&stored))?;
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

#[cfg(test)]
mod tests {
    use landbridge_model::config::{HubSpotConnection, SalesforceConnection};

    use super::*;
    use crate::ask::Seen;

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
        let allocate = ChangeTenant::Allocate {
            daily_calls: Some(2),
            seen: Seen::Anything,
        };
        expected.salesforce.daily_calls = Some(2);
        assert_eq!(changed(later(), &allocate), Ok(Some(expected)));
        let allocate = ChangeTenant::Allocate {
            daily_calls: Some(1_000),
            seen: Seen::Anything,
        };
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
        assert!(
            unmoved(Some(&acme(None)), &put(false, &[])).is_err(),
            "its events are heard elsewhere"
        );
        assert!(unmoved(Some(&acme(None)), &put(false, &[TenantPart::PubsubUrl])).is_ok());
        assert!(unmoved(None, &put(false, &[])).is_ok());
    }
}
