//! What HubSpot refused is sent again as it was: nobody asks Salesforce, for there is none here.

use landbridge_model::ask::{CreateProperty, SendAgain};
use landbridge_model::config::Sync;
use landbridge_model::hubspot::PropertyDefinition;
use landbridge_model::{FailureCategory, Lane, Outcome, Revision, SalesforceId, SyncKey, SyncName, Table};
use landbridge_sandbox::hubspot::Behaviour;
use landbridge_wire::{FailedRecord, Report, ReportBody};

use crate::rig::{Rig, car, outcomes};

/// Refused cars, each with a property that HubSpot does not have yet.
async fn refused(rig: &mut Rig, serials: &[u32]) {
    let rows: Vec<_> = serials
        .iter()
        .map(|serial| (*serial, 1_000, "red one", None))
        .collect();
    let mut batch = rig.cars(&rows);
    batch.table = Table::with_columns(["name", "colour"]);
    for _ in serials {
        batch.table.push_row([Some("red one"), Some("red")]);
    }
    let told = rig.apply(Lane::Bulk, &batch).await;
    for outcome in &told {
        let failure = outcome.failure.as_ref().expect("a failure");
        assert_eq!(failure.category, FailureCategory::SchemaChanged, "{failure:?}");
    }
}

async fn create_colour(rig: &Rig) {
    let property: PropertyDefinition = serde_json::from_value(serde_json::json!({
        "name": "colour", "label": "Colour", "type": "string", "fieldType": "text",
    }))
    .unwrap();
    let object_type = rig.object_type();
    rig.ask(&CreateProperty {
        object_type,
        property,
    })
    .await;
}

async fn send_again(rig: &Rig, ids: &[SalesforceId]) -> Vec<SalesforceId> {
    let question = SendAgain {
        sync: SyncName::new("cars").unwrap(),
        ids: ids.to_vec(),
    };
    let mut ids = rig.ask(&question).await.ids;
    ids.sort_unstable();
    ids
}

/// Waits for so many records to end otherwise than refused.
async fn landed(rig: &mut Rig, wanted: usize) -> Vec<Outcome> {
    let ended = |reports: &[Report]| -> Vec<Outcome> {
        let records = reports.iter().filter_map(|report| match &report.body {
            ReportBody::Records(records) => Some(outcomes(records)),
            _ => None,
        });
        records.flatten().collect()
    };
    let reports = rig.reports(|reports| ended(reports).len() >= wanted).await;
    ended(&reports)
}

async fn failures(rig: &Rig) -> Vec<FailedRecord> {
    rig.hub.failures(&rig.tenant, None).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cure_in_hubspot_and_one_retry_land_what_was_refused() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    refused(&mut rig, &[1, 2, 3]).await;
    assert_eq!(send_again(&rig, &[car(1)]).await, [car(1)]);
    assert_eq!(landed(&mut rig, 1).await, [Outcome::Failed], "nothing was cured");
    let again = failures(&rig)
        .await
        .into_iter()
        .find(|failed| failed.id == car(1));
    let again = again.expect("it is refused still");
    assert_eq!((again.attempts, again.retry), (2, false));

    create_colour(&rig).await;
    assert_eq!(
        send_again(&rig, &[car(1), car(2), car(9)]).await,
        [car(1), car(2)],
        "of what never failed nothing is sent"
    );
    assert_eq!(landed(&mut rig, 2).await, [Outcome::Created; 2]);
    assert!(rig.stored(1).await.is_some() && rig.stored(2).await.is_some());
    let left = failures(&rig).await;
    assert_eq!(left.iter().map(|failed| failed.id).collect::<Vec<_>>(), [car(3)]);

    // The wish outlives the worker that it was told to.
    rig.stop().await;
    let wished = FailedRecord {
        retry: true,
        ..left.into_iter().next().unwrap()
    };
    rig.hub.remember_failure(&wished).await.unwrap();
    rig.start().await;
    assert_eq!(landed(&mut rig, 1).await, [Outcome::Created]);
    assert!(failures(&rig).await.is_empty());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_revision_mapped_is_not_sent_again() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    refused(&mut rig, &[1]).await;
    let key = SyncKey {
        tenant: rig.tenant.clone(),
        name: SyncName::new("cars").unwrap(),
    };
    let put = |stored: Option<Sync>| {
        let mut sync = stored.unwrap();
        sync.revision = Revision(2);
        Ok::<_, std::convert::Infallible>(Some(sync))
    };
    let _stored = rig.view.change_sync(&key, put).await.unwrap();
    rig.restart_cold().await;
    assert!(send_again(&rig, &[car(1)]).await.is_empty());
    // A wish from before the edit: the record is to be read again instead.
    let failed = failures(&rig).await.remove(0);
    rig.stop().await;
    rig.hub
        .remember_failure(&FailedRecord {
            retry: true,
            ..failed
        })
        .await
        .unwrap();
    rig.start().await;
    let shard = rig.hub.shard_of(&rig.tenant);
    let reread = async {
        loop {
            let wishes = rig.hub.rereads(shard).await.unwrap();
            if let Some(wish) = wishes.into_iter().next() {
                return wish;
            }
            tokio::task::yield_now().await;
        }
    };
    let reread = tokio::time::timeout(crate::rig::PATIENCE, reread)
        .await
        .expect("a wish");
    assert_eq!(reread.0.id, car(1));
    rig.stop().await;
}
