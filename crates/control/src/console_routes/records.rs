//! Find a record.

use axum::extract::{Path, Query};
use landbridge_model::ask::LatestOutcome;
use landbridge_model::{HubSpotId, Outcome, SalesforceId};
use serde::Deserialize;

use super::routes::Routes;
use super::visit::trouble;
use super::{Answer, Form, Visit};
use crate::console::record::{FindRecord, RecordStory, Standing, page};
use crate::console::{Content, Place, Trouble, paths};
use crate::service::{self, Role, ServiceError, TenantService};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/tenants/{tenant}/records", show)
        .post("/tenants/{tenant}/records/{record}/read-again", read_again)
}

#[derive(Deserialize)]
struct Search {
    q: Option<String>,
}

/// Where a record stands, by what last became of it.
fn standing(story: &service::RecordStory) -> Standing {
    let was_read = story
        .lines
        .iter()
        .any(|line| line.text.starts_with("read from Salesforce"));
    if story.refused {
        return Standing::Refused;
    }
    match story.latest.map(|latest| latest.outcome) {
        Some(
            Outcome::Created
            | Outcome::Updated
            | Outcome::Unchanged
            | Outcome::Superseded
            | Outcome::Kept
            | Outcome::Held,
        ) => Standing::Current,
        Some(Outcome::Filtered) => Standing::Filtered,
        Some(Outcome::Deleted) => Standing::Deleted,
        Some(Outcome::Failed) => Standing::Refused,
        None if was_read => Standing::OnItsWay,
        None => Standing::NeverSeen,
    }
}

/// The HubSpot record, unless it is gone.
fn hubspot_id(latest: Option<LatestOutcome>) -> Option<HubSpotId> {
    latest
        .filter(|latest| latest.outcome != Outcome::Deleted)
        .and_then(|latest| latest.hubspot_id)
}

fn view(tenant: &TenantService, story: service::RecordStory) -> RecordStory {
    let hubspot_id = hubspot_id(story.latest);
    RecordStory {
        standing: standing(&story),
        hubspot_link: hubspot_id.and_then(|id| tenant.hubspot_url(story.syncs.first()?, id)),
        hubspot_id,
        id: story.id,
        // Control sees no values: what a record is called it does not know.
        name: None,
        salesforce_link: Some(story.salesforce_url),
        syncs: story.syncs,
        lines: story.lines,
    }
}

async fn show(visit: Visit, Path(tenant): Path<String>, Query(search): Query<Search>) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    let shell = visit.shell_in(&tenant, Place::Record);
    let query = search.q.as_deref().unwrap_or_default().trim();
    let content: Content<FindRecord> = if query.is_empty() {
        Ok(FindRecord::Nothing)
    } else {
        match tenant.explain(query).await {
            Ok(story) => Ok(FindRecord::Found(Box::new(view(&tenant, story)))),
            Err(error @ (ServiceError::Invalid { .. } | ServiceError::NotFound(_))) => {
                Ok(FindRecord::NotAnId(not_found(&error)))
            }
            Err(error) => Err(trouble(&error)),
        }
    };
    Ok(visit.page(page(&shell, tenant.id(), query, &content)))
}

fn not_found(error: &ServiceError) -> Trouble {
    Trouble::new(
        error.to_string(),
        "Copy the id from the record's address in Salesforce or HubSpot.",
    )
}

async fn read_again(visit: Visit, Path((tenant, record)): Path<(String, String)>, _form: Form) -> Answer {
    let tenant = visit.tenant(&tenant)?;
    tenant
        .require(Role::Operator)
        .map_err(|error| visit.refuse(error))?;
    let Ok(id) = SalesforceId::parse(&record) else {
        return Err(visit.refuse(ServiceError::NotFound(format!("there is no record {record}"))));
    };
    let path = paths::record(tenant.id(), &id);
    for sync in tenant.syncs_of(id) {
        if let Err(error) = tenant.repair(&sync, vec![id]).await {
            return visit.not_done(&path, error);
        }
    }
    Ok(visit.done(
        &path,
        "It is read again from Salesforce, and written as it is there.",
    ))
}

#[cfg(test)]
mod tests {
    use landbridge_model::StageKind;
    use landbridge_model::ask::StoryLine;

    use super::*;

    #[test]
    fn a_record_stands_where_its_latest_verdict_put_it() {
        let story = |outcome: Option<Outcome>, refused, text: &str| service::RecordStory {
            id: SalesforceId::parse("a00Hs000001ABCd").unwrap(),
            salesforce_url: String::new(),
            syncs: Vec::new(),
            latest: outcome.map(|outcome| LatestOutcome {
                outcome,
                at_ms: 1,
                hubspot_id: Some(HubSpotId(7)),
            }),
            refused,
            lines: vec![StoryLine {
                at_ms: None,
                stage: StageKind::Control,
                sync: None,
                text: text.to_owned(),
            }],
        };
        for (story, expected, hubspot) in [
            (
                story(Some(Outcome::Updated), false, ""),
                Standing::Current,
                Some(HubSpotId(7)),
            ),
            (
                story(Some(Outcome::Updated), true, ""),
                Standing::Refused,
                Some(HubSpotId(7)),
            ),
            (
                story(Some(Outcome::Filtered), false, ""),
                Standing::Filtered,
                Some(HubSpotId(7)),
            ),
            (story(Some(Outcome::Deleted), false, ""), Standing::Deleted, None),
            (
                story(None, false, "read from Salesforce by imp-1"),
                Standing::OnItsWay,
                None,
            ),
            (story(None, false, "nothing is known"), Standing::NeverSeen, None),
        ] {
            assert_eq!(
                (standing(&story), hubspot_id(story.latest)),
                (expected, hubspot),
                "{story:?}"
            );
        }
    }
}
