//! Connected apps › Salesforce of a tenant.

use axum::extract::Path;
use landbridge_model::ask::{HubSpotTest, SalesforceTest};
use landbridge_model::config::Tenant;

use super::routes::Routes;
use super::summary::{moment, summaries};
use super::visit::{Answer, Visit, trouble};
use crate::console::connected::{Connected, Connection, page};
use crate::console::{Place, Trouble};
use crate::service::{SideSeen, SidesSeen};

pub(super) fn routes() -> Routes {
    Routes::default().get("/tenants/{tenant}", show)
}

async fn show(visit: Visit, Path(tenant): Path<String>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let (seen, status, drafts) = futures::join!(tenant.sides_seen(), tenant.status(), tenant.drafts());
    let content = match (seen, drafts) {
        (Ok(seen), Ok(drafts)) => {
            let (status, trouble) = match status {
                Ok(status) => (Some(status), None),
                Err(error) => (None, Some(trouble(&error))),
            };
            let (salesforce, hubspot) = connections(&tenant.view().tenant, seen);
            Ok(Connected {
                salesforce,
                hubspot,
                syncs: summaries(&tenant.configured_syncs(), &drafts, status.as_ref()),
                trouble,
            })
        }
        (Err(error), _) | (_, Err(error)) => Err(trouble(&error)),
    };
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(visit.page(page(&shell, tenant.id(), &content)))
}

/// Both connections as they were seen; another org or portal than the tenant's own is a problem.
fn connections(
    tenant: &Tenant,
    mut seen: SidesSeen,
) -> (Connection<SalesforceTest>, Connection<HubSpotTest>) {
    if let (Some(pinned), Some(test)) = (&tenant.salesforce.org_id, &mut seen.salesforce.test)
        && *pinned != test.org_id
    {
        let problem = format!(
            "This is the org {}, but the tenant was set up for {pinned}: restore the connection, or add a tenant of its \
             own for this org.",
            test.org_id
        );
        // The worker says the same in its own words.
        test.problems = vec![problem];
    }
    if let (Some(pinned), Some(test)) = (tenant.hubspot.portal_id, &mut seen.hubspot.test)
        && pinned != test.portal_id
    {
        let problem = format!(
            "This is the portal {}, but the tenant was set up for {pinned}: restore the key, or add a tenant of its own \
             for this portal.",
            test.portal_id
        );
        test.problems = vec![problem];
    }
    (side(seen.salesforce), side(seen.hubspot))
}

fn side<T>(seen: SideSeen<T>) -> Connection<T> {
    if !seen.has_credentials {
        return Connection::Missing;
    }
    match (seen.test, seen.trouble, seen.at_ms.and_then(moment)) {
        (Some(test), _, Some(at)) => Connection::Tested { test, at },
        (_, Some(what), _) => Connection::Broken(Trouble::new(
            what,
            "Check the address and the credentials under Repair. Nothing is lost: reading goes on where it stopped.",
        )),
        _ => Connection::Untested,
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::TenantId;
    use landbridge_model::config::{HubSpotConnection, SalesforceConnection};

    use super::*;

    fn acme() -> Tenant {
        Tenant {
            id: TenantId::new("acme").unwrap(),
            salesforce: SalesforceConnection {
                login_url: "https://acme.my.salesforce.com".to_owned(),
                org_id: Some("00DHs000001AbCdMAK".to_owned()),
                daily_calls: None,
                change_events: true,
                pubsub_url: None,
                adopted_ms: None,
            },
            hubspot: HubSpotConnection {
                base_url: "https://api.hubapi.com".to_owned(),
                portal_id: Some(7),
                calls_per_ten_seconds: None,
                api_version: None,
            },
            suspended: None,
        }
    }

    fn seen<T>(has_credentials: bool, test: Option<T>, trouble: Option<&str>) -> SideSeen<T> {
        let at_ms = (test.is_some() || trouble.is_some()).then_some(1_000);
        SideSeen {
            has_credentials,
            at_ms,
            test,
            trouble: trouble.map(str::to_owned),
        }
    }

    #[test]
    fn a_connection_is_missing_untested_broken_or_tested() {
        let test = || {
            Some(HubSpotTest {
                portal_id: 7,
                ..HubSpotTest::default()
            })
        };
        let none = || seen::<HubSpotTest>(false, None, Some("there are no credentials"));
        assert!(matches!(side(none()), Connection::Missing));
        assert!(matches!(
            side(seen(true, None::<HubSpotTest>, None)),
            Connection::Untested
        ));
        assert!(matches!(
            side(seen(true, None::<HubSpotTest>, Some("refused"))),
            Connection::Broken(trouble) if trouble.what == "refused"
        ));
        assert!(matches!(
            side(seen(true, test(), None)),
            Connection::Tested { test, .. } if test.problems.is_empty()
        ));
    }

    #[test]
    fn another_org_or_portal_than_the_tenants_own_is_told() {
        let other = SidesSeen {
            salesforce: seen(
                true,
                Some(SalesforceTest {
                    org_id: "00DHs000009ZzZzMAK".to_owned(),
                    ..SalesforceTest::default()
                }),
                None,
            ),
            hubspot: seen(
                true,
                Some(HubSpotTest {
                    portal_id: 8,
                    ..HubSpotTest::default()
                }),
                None,
            ),
        };
        let (salesforce, hubspot) = connections(&acme(), other);
        let Connection::Tested { test, .. } = salesforce else {
            panic!("{salesforce:?}")
        };
        assert!(
            test.problems[0].contains("00DHs000001AbCdMAK"),
            "{:?}",
            test.problems
        );
        let Connection::Tested { test, .. } = hubspot else {
            panic!("{hubspot:?}")
        };
        assert!(test.problems[0].contains("portal 8"), "{:?}", test.problems);
    }
}
