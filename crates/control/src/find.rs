//! A record by its HubSpot id: what was reported of it says which Salesforce record it is.

use landbridge_bus::{Filter, StreamName};
use landbridge_model::{HubSpotId, Purpose, SalesforceId, TenantId};
use landbridge_stage::{ShardContext, StageError};
use landbridge_wire::{AskError, AskErrorCode, Report, ReportBody, Wire};
use tokio::time::{Duration, Instant};

use crate::ask::{FindByHubSpotId, FoundRecord};
use crate::shard::unavailable;

/// How long the outcomes are searched; a tenant's history can be long.
const SEARCH: Duration = Duration::from_secs(20);

/// Which Salesforce record a HubSpot record is.
pub(crate) async fn by_hubspot_id(
    context: &ShardContext,
    tenant: &TenantId,
    ask: &FindByHubSpotId,
) -> Result<FoundRecord, AskError> {
    let found = search(context, tenant, ask.id).await.map_err(unavailable)?;
    let id = found.ok_or_else(|| {
        let what = format!(
            "no outcome that is still kept names the HubSpot record {}: Landbridge did not write it, or longer ago than \
             outcomes are kept; its property with the Salesforce id tells which record it is",
            ask.id
        );
        AskError::new(AskErrorCode::NotFound, what)
    })?;
    Ok(FoundRecord { id })
}

async fn search(
    context: &ShardContext,
    tenant: &TenantId,
    wanted: HubSpotId,
) -> Result<Option<SalesforceId>, StageError> {
    let filter = Filter::tenant(StreamName::Outcomes, context.shard, tenant);
    let mut pages = context.hub.bus().pages(&filter);
    let deadline = Instant::now() + SEARCH;
    let mut found = None;
    while let Some(page) = pages.next().await? {
        let reports = page
            .iter()
            .filter_map(|stored| Report::decode(&stored.payload).ok());
        // The newest word counts: HubSpot gives an id to one record only, but merges make one of two.
        found = reports
            .filter_map(|report| in_report(&report, wanted))
            .last()
            .or(found);
        if Instant::now() > deadline {
            break;
        }
    }
    Ok(found)
}

fn in_report(report: &Report, wanted: HubSpotId) -> Option<SalesforceId> {
    if report.envelope.purpose == Purpose::Compare {
        return None;
    }
    let ReportBody::Records(records) = &report.body else {
        return None;
    };
    let named = records
        .iter()
        .rev()
        .find(|record| record.hubspot_id == Some(wanted));
    named.map(|record| record.id)
}
