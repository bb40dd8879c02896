//! An import is undone: what it wrote over comes back, what it made goes, what people edited since stays and is told.

use std::time::Duration;

use landbridge_hubspot::Share;
use landbridge_hubspot::records::{UpsertBody, UpsertColumns};
use landbridge_model::ask::{UndoPage, UndonePage};
use landbridge_model::before::{LeftValue, UndoCounts};
use landbridge_model::{
    Former, HubSpotId, ImportId, Lane, LinkOutcome, LinkWrite, LinkWrites, ObjectTypeId, Outcome, Purpose,
    RunId, StageKind, SyncKey, SyncName, Version, WriteBatch,
};
use landbridge_sandbox::hubspot::Behaviour;

use crate::rig::{Rig, account, car, outcomes};

const IMPORT: &str = "imp-1";

fn sync(rig: &Rig) -> SyncKey {
    SyncKey {
        tenant: rig.tenant.clone(),
        name: SyncName::new("cars").unwrap(),
    }
}

fn question() -> UndoPage {
    UndoPage {
        import: ImportId::new(IMPORT).unwrap(),
        sync: SyncName::new("cars").unwrap(),
    }
}

/// Somebody writes a car's properties in HubSpot, or makes the car.
async fn by_hand(rig: &Rig, serial: u32, values: &[(&str, &str)]) {
    let columns = UpsertColumns::new("salesforce_id", values.iter().map(|(name, _)| *name));
    let mut body = UpsertBody::new(&columns, "t");
    body.push(
        car(serial).as_str(),
        values
            .iter()
            .enumerate()
            .map(|(at, (_, value))| (at, Some(*value))),
    );
    let share = Share::Live;
    rig.client
        .upsert_records(share, &rig.object_type(), body.finish())
        .await
        .unwrap();
}

fn of_import(mut batch: WriteBatch) -> WriteBatch {
    batch.envelope.run = Some(RunId::new(IMPORT).unwrap());
    batch
}

/// Name, price and version of a car.
async fn stored(rig: &Rig, serial: u32) -> Option<[String; 3]> {
    rig.values(serial, ["name", "price", "landbridge_version"]).await
}

fn values(name: &str, price: &str, version: &str) -> Option<[String; 3]> {
    Some([name, price, version].map(str::to_owned))
}

async fn undo_all(rig: &Rig) {
    while !rig.ask(&question()).await.is_last {}
}

/// What the undo came to, and what it left, oldest image last.
async fn undone(rig: &Rig) -> (UndoCounts, Vec<LeftValue>) {
    let (mut counts, mut left) = (UndoCounts::default(), Vec::new());
    for part in rig
        .hub
        .undone(&sync(rig), &RunId::new(IMPORT).unwrap())
        .await
        .unwrap()
    {
        counts.add(part.counts());
        left.extend(part.left);
    }
    (counts, left)
}

fn told(left: &[LeftValue]) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut told: Vec<String> = left
        .iter()
        .map(|left| {
            format!(
                "{} {} {} {}",
                left.id,
                left.property,
                text(&left.now),
                text(&left.before)
            )
        })
        .collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_wrote_over_comes_back_and_what_was_edited_since_stays() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    by_hand(&rig, 1, &[("name", "one by hand"), ("price", "10")]).await;
    by_hand(&rig, 2, &[("name", "two by hand"), ("price", "20")]).await;
    // Written by the sync before the import.
    rig.apply(Lane::Live, &rig.cars(&[(3, 500, "three", Some("30"))]))
        .await;
    let of_three = stored(&rig, 3).await;
    rig.put_import(IMPORT).await;
    let rows = [
        (1, 1_000, "one", Some("11")),
        (2, 1_000, "two", Some("21")),
        (3, 1_000, "new three", None),
        (4, 1_000, "four", Some("4")),
        (5, 1_000, "five", Some("5")),
    ];
    let written = rig.apply(Lane::Bulk, &of_import(rig.cars(&rows))).await;
    let (updated, created) = (Outcome::Updated, Outcome::Created);
    assert_eq!(outcomes(&written), [updated, updated, updated, created, created]);
    // It catches up with a change that came meanwhile.
    let again = of_import(rig.cars(&[
        (1, 2_000, "one again", Some("12")),
        (4, 2_000, "four again", Some("4")),
    ]));
    rig.apply(Lane::Bulk, &again).await;
    by_hand(&rig, 2, &[("name", "edited since")]).await;
    by_hand(&rig, 5, &[("price", "55")]).await;
    undo_all(&rig).await;
    assert_eq!(stored(&rig, 1).await, values("one by hand", "10", ""));
    assert_eq!(stored(&rig, 2).await, values("edited since", "20", ""));
    assert_eq!(stored(&rig, 3).await, of_three);
    assert_eq!(
        stored(&rig, 4).await,
        None,
        "the import made it, and nobody touched it"
    );
    let five = stored(&rig, 5).await.expect("somebody touched it");
    assert_eq!(five[..2], ["five".to_owned(), "55".to_owned()]);
    let (counts, left) = undone(&rig).await;
    assert_eq!((counts.archived, counts.left), (1, 2), "{counts:?}");
    let (two, five) = (car(2), car(5));
    assert_eq!(
        told(&left),
        [
            format!("{two} name edited since two by hand"),
            format!("{five} price 55 -")
        ]
    );
    // What the worker remembers is what is there: the next import writes all of it again.
    rig.put_import("imp-2").await;
    let written = rig.apply(Lane::Bulk, &rig.cars(&rows)).await;
    assert_eq!(outcomes(&written)[..4], [updated, updated, updated, created]);
    assert_eq!(
        stored(&rig, 1).await.unwrap()[..2],
        ["one".to_owned(), "11".to_owned()]
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undo_that_is_interrupted_goes_on_where_it_was() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    rig.put_import(IMPORT).await;
    for serial in 1..=6 {
        by_hand(&rig, serial, &[("name", "by hand"), ("price", "1")]).await;
        let row = rig.cars(&[(serial, 1_000, "imported", Some("2"))]);
        rig.apply(Lane::Bulk, &of_import(row)).await;
    }
    // After two updates the answers are lost, though HubSpot does what it is asked for.
    *rig.mischief.updates_until_trouble.lock() = Some(2);
    let (hub, tenant) = (rig.hub.clone(), rig.tenant.clone());
    let asked = tokio::spawn(async move {
        let patience = Duration::from_secs(60);
        hub.ask(StageKind::Loader, &tenant, &question(), patience).await
    });
    rig.until(async |rig| {
        undone(rig).await.0.restored == 2 && stored(rig, 4).await == values("by hand", "1", "")
    })
    .await;
    rig.stop().await;
    let interrupted: Result<UndonePage, _> = asked.await.unwrap();
    assert!(interrupted.is_err(), "{interrupted:?}");
    *rig.mischief.updates_until_trouble.lock() = None;
    rig.start().await;
    undo_all(&rig).await;
    for serial in 1..=6 {
        assert_eq!(stored(&rig, serial).await, values("by hand", "1", ""), "{serial}");
    }
    let (counts, left) = undone(&rig).await;
    let all = UndoCounts {
        restored: 6,
        ..UndoCounts::default()
    };
    assert_eq!((counts, left), (all, Vec::new()));
    assert!(
        rig.ask(&question()).await.is_last,
        "an undo again finds nothing to do"
    );
    rig.stop().await;
}

async fn linked(rig: &Rig, child: HubSpotId) -> Vec<HubSpotId> {
    let companies = ObjectTypeId::new("0-2");
    let found = rig
        .client
        .read_associations(Share::Live, &rig.object_type(), &companies, &[child])
        .await
        .unwrap();
    let linked = found.get(&child).into_iter().flatten();
    linked.map(|other| other.to).collect()
}

async fn link(rig: &mut Rig, cause: &str, links: Vec<LinkWrite>) -> Vec<LinkOutcome> {
    let count = links.len();
    let mut envelope = rig.envelope(Purpose::Apply);
    envelope.run = Some(RunId::new(IMPORT).unwrap());
    let subject = rig.hub.writes(&rig.tenant, Lane::Links);
    rig.hub
        .send(&subject, cause, &LinkWrites { envelope, links })
        .await
        .unwrap();
    let verdicts = rig.link_verdicts(count).await;
    verdicts.into_iter().map(|verdict| verdict.outcome).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn associations_are_as_they_were() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    by_hand(&rig, 1, &[("name", "one")]).await;
    let told = rig
        .apply(
            Lane::Live,
            &rig.cars(&[(1, 500, "one", None), (2, 500, "two", None)]),
        )
        .await;
    let [one, two] = [0, 1].map(|at: usize| told[at].hubspot_id.unwrap());
    let [first, second] = [1, 2].map(|n| {
        HubSpotId(
            rig.portal
                .put_company(&format!("Company {n}"), account(n + 10).as_str()),
        )
    });
    rig.put_import(IMPORT).await;
    let wish = |child, child_hubspot_id, parent: (u32, HubSpotId), former, stamp| LinkWrite {
        child: car(child),
        child_hubspot_id,
        field: "Account__c".to_owned(),
        parent: Some((account(parent.0 + 10), parent.1)),
        former,
        version: Version::new(stamp, 0),
    };
    // The first car belongs to a company already; the import moves it, and gives the second car one.
    let companies = ObjectTypeId::new("0-2");
    let pair = landbridge_hubspot::associations::Pair { from: one, to: first };
    rig.client
        .associate_plainly(Share::Live, &rig.object_type(), &companies, &[pair])
        .await
        .unwrap();
    let links = vec![
        wish(1, one, (2, second), Former::Record(first), 1_000),
        wish(2, two, (2, second), Former::Nothing, 1_000),
    ];
    assert_eq!(link(&mut rig, "1", links).await, [LinkOutcome::Linked; 2]);
    assert_eq!(linked(&rig, one).await, [second]);
    assert_eq!(linked(&rig, two).await, [second]);
    undo_all(&rig).await;
    assert_eq!(linked(&rig, one).await, [first]);
    assert!(linked(&rig, two).await.is_empty());
    let (counts, left) = undone(&rig).await;
    assert_eq!((counts.links, left), (3, Vec::new()));
    rig.stop().await;
}
