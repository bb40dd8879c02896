//! Another org behind a tenant's address: shown, adopted, or disconnected.

use axum::extract::Path;
use landbridge_model::config::SyncStatus;

use super::form::Form;
use super::routes::Routes;
use super::visit::{Answer, Visit, trouble};
use crate::ask::ConnectionSide;
use crate::console::identity::{IdentityView, page};
use crate::console::{Place, Trouble, paths};
use crate::service::{Role, ServiceError};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/identity", show)
        .post("/tenants/{tenant}/identity/adopt", adopt)
        .post("/tenants/{tenant}/identity/disconnect", disconnect)
}

async fn show(visit: Visit, Path(tenant): Path<String>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    visit.require(&tenant, Role::Admin, "say which org is meant")?;
    let answers = match tenant.test_connections().await {
        Ok(test) => match test.salesforce {
            Some(salesforce) => Ok(salesforce.org_id),
            None => Err(Trouble {
                what: test.problems.join("; "),
                remedy: "enter the credentials again under Connected apps".to_owned(),
                reference: None,
            }),
        },
        Err(error) => Err(trouble(&error)),
    };
    // The test may have set it going again.
    let tenant = visit.tenant(tenant.id().as_str())?;
    let stored = tenant.view().tenant;
    let syncs = tenant.configured_syncs();
    let view = IdentityView {
        pinned: stored.salesforce.org_id,
        answers,
        is_suspended: stored.suspended.is_some(),
        active: syncs
            .iter()
            .filter(|sync| sync.status == SyncStatus::Active)
            .count() as u64,
    };
    let shell = visit.shell_in(&tenant, Place::Connected);
    Ok(visit.page(page(&shell, tenant.id(), &Ok(view))))
}

async fn adopt(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    visit.require(&tenant, Role::Admin, "adopt another org")?;
    let org = form.text("org").unwrap_or_default().to_owned();
    match tenant.adopt_org(org).await {
        Ok(adopted) if adopted.problems.is_empty() => {
            let told = format!(
                "The tenant reads the org {} now. Every active sync is imported again; what the org does not have is held here.",
                adopted.to
            );
            Ok(visit.done(&paths::health(tenant.id()), &told))
        }
        Ok(adopted) => {
            let told = format!(
                "The tenant reads the org {} now. Not imported: {}",
                adopted.to,
                adopted.problems.join("; ")
            );
            Ok(visit.done(&paths::tenant(tenant.id()), &told))
        }
        Err(error) => visit.not_done(&paths::identity(tenant.id()), error),
    }
}

async fn disconnect(visit: Visit, Path(tenant): Path<String>, form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    visit.require(&tenant, Role::Admin, "disconnect a side")?;
    let here = paths::identity(tenant.id());
    let side = match form.text("side") {
        Some("salesforce") => ConnectionSide::Salesforce,
        Some("hubspot") => ConnectionSide::HubSpot,
        _ => return visit.not_done(&here, ServiceError::invalid("which side is to be disconnected?")),
    };
    match tenant.disconnect(side).await {
        Ok(()) => {
            let told = format!("{} is disconnected. All syncs stand still.", side.name());
            Ok(visit.done(&paths::tenant(tenant.id()), &told))
        }
        Err(error) => visit.not_done(&here, error),
    }
}
