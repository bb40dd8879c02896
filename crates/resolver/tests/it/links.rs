use std::time::Duration;

use landbridge_bus::{Filter, StreamName};
use landbridge_model::ask::{AskStatus, Explain};
use landbridge_model::{HubSpotId, Lane, LinkOutcome, SalesforceId, StageKind};

use crate::rig::{DEADLINE, Rig, id};

fn vehicles(count: u32) -> Vec<(SalesforceId, Option<HubSpotId>)> {
    (0..count)
        .map(|number| (id("v", number), Some(HubSpotId(1_000 + u64::from(number)))))
        .collect()
}

async fn nothing_is_left(rig: &Rig) {
    let waiting = async {
        loop {
            let filter = Filter::whole(StreamName::Links);
            if rig.hub.bus().counts(&filter).await.unwrap().is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting)
        .await
        .expect("every message is acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn late_parents_of_every_kind_are_linked_when_they_come() {
    let rig = Rig::new().await;
    let resolver = rig.resolver("one").await;
    let depots = |number: u32| (id("v", number), Some(id("d", number % 3)));
    let owners = |number: u32| (id("v", number), Some(id("c", number % 2)));
    let to_self = |number: u32| (id("v", number), Some(id("v", (number + 1) % 300)));
    rig.intents(Lane::Bulk, "Depot__c", &(0..300).map(depots).collect::<Vec<_>>())
        .await;
    rig.intents(Lane::Live, "Owner__c", &(0..300).map(owners).collect::<Vec<_>>())
        .await;
    rig.intents(Lane::Bulk, "Next__c", &(0..300).map(to_self).collect::<Vec<_>>())
        .await;
    rig.until_parked(900).await;
    rig.identities(Lane::Bulk, "vehicles", &vehicles(300)).await;
    rig.until("the ring of vehicles", |portal| portal.links.len() == 300)
        .await;

    rig.records("0-2", &[(id("c", 0), HubSpotId(50)), (id("c", 1), HubSpotId(51))]);
    rig.until("owners that nobody announces", |portal| portal.links.len() == 600)
        .await;
    let there: Vec<_> = (0..3)
        .map(|number| (id("d", number), Some(HubSpotId(u64::from(number) + 7))))
        .collect();
    rig.identities(Lane::Live, "depots", &there).await;
    rig.until("depots", |portal| portal.links.len() == 900).await;
    rig.until_parked(0).await;
    nothing_is_left(&rig).await;

    rig.intents(
        Lane::Live,
        "Depot__c",
        &[(id("v", 0), None), (id("v", 1), Some(id("d", 0)))],
    )
    .await;
    let link = |number: u32| (id("v", number), "Depot__c".to_owned());
    rig.until("another depot, and none", |portal| {
        portal.links[&link(0)].is_none() && portal.links[&link(1)] == Some(HubSpotId(7))
    })
    .await;
    resolver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_dies_with_its_cache_leaves_nothing_behind() {
    let rig = Rig::new().await;
    let victim = rig.resolver("victim").await;
    let depots: Vec<_> = (0..200)
        .map(|number| (id("v", number), Some(id("d", 0))))
        .collect();
    rig.intents(Lane::Bulk, "Depot__c", &depots).await;
    rig.until_parked(200).await;
    let in_hand: Vec<_> = (200..300)
        .map(|number| (id("v", number), Some(id("d", 0))))
        .collect();
    rig.intents(Lane::Bulk, "Depot__c", &in_hand).await;
    victim.kill().await;

    // Its vehicles are in HubSpot, but nobody will announce them again.
    let known: Vec<_> = vehicles(300)
        .into_iter()
        .map(|(id, at)| (id, at.unwrap()))
        .collect();
    rig.records("2-1", &known);
    let heir = rig.resolver("heir").await;
    rig.identities(Lane::Live, "depots", &[(id("d", 0), Some(HubSpotId(7)))])
        .await;
    rig.until("all links", |portal| {
        portal.links.len() == 300 && portal.links.values().all(|parent| *parent == Some(HubSpotId(7)))
    })
    .await;
    rig.until_parked(0).await;
    nothing_is_left(&rig).await;
    heir.stop().await;
}

/// One lookup of one record, carried by two syncs to two object types: neither forgets for the other.
#[tokio::test(flavor = "multi_thread")]
async fn two_syncs_of_one_object_wait_for_the_same_lookup() {
    let rig = Rig::new().await;
    let victim = rig.resolver("victim").await;
    let wishes = [(id("v", 0), Some(id("d", 0))), (id("v", 1), Some(id("d", 1)))];
    rig.intents(Lane::Live, "Depot__c", &wishes).await;
    rig.until_parked(2).await;
    rig.intents_of("trucks", Lane::Live, "Depot__c", &wishes).await;
    rig.until_parked(4).await;
    nothing_is_left(&rig).await;
    rig.identities(Lane::Live, "vehicles", &vehicles(2)).await;
    rig.identities(Lane::Live, "depots", &[(id("d", 0), Some(HubSpotId(7)))])
        .await;
    rig.until("the vehicle's link", |portal| {
        portal.pairs.contains(&(HubSpotId(1_000), HubSpotId(7)))
    })
    .await;
    // The truck's link to the same depot still waits, for the truck; what is parked is all that the next one has.
    rig.until_parked(3).await;
    victim.kill().await;
    let records = [
        ("2-1", "v", 0, 1_000),
        ("2-1", "v", 1, 1_001),
        ("2-3", "v", 0, 2_000),
        ("2-3", "v", 1, 2_001),
        ("2-2", "d", 0, 7),
    ];
    for (object_type, kind, number, hubspot_id) in records {
        rig.records(object_type, &[(id(kind, number), HubSpotId(hubspot_id))]);
    }
    let heir = rig.resolver("heir").await;
    rig.identities(Lane::Live, "depots", &[(id("d", 1), Some(HubSpotId(8)))])
        .await;
    rig.until("all links of both syncs", |portal| {
        [(1_000, 7), (1_001, 8), (2_000, 7), (2_001, 8)]
            .iter()
            .all(|(child, parent)| portal.pairs.contains(&(HubSpotId(*child), HubSpotId(*parent))))
    })
    .await;
    rig.until_parked(0).await;
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_claimants_fail_and_people_can_ask_why() {
    let rig = Rig::new().await;
    let resolver = rig.resolver("one").await;
    rig.records("0-2", &[(id("c", 0), HubSpotId(50)), (id("c", 0), HubSpotId(51))]);
    rig.identities(Lane::Live, "vehicles", &vehicles(1)).await;
    rig.intents(Lane::Live, "Owner__c", &[(id("v", 0), Some(id("c", 0)))])
        .await;
    rig.until_parked(1).await;
    let failed = async {
        loop {
            let failures = rig.hub.failures(&rig.tenant, None).await.unwrap();
            if let [failed] = failures.as_slice() {
                return failed.clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let failed = tokio::time::timeout(DEADLINE, failed)
        .await
        .expect("a failure is remembered");
    assert_eq!(failed.link_field.as_deref(), Some("Owner__c"));
    assert!(
        failed.failure.message.contains("50 and 51"),
        "{}",
        failed.failure.message
    );

    let soon = Duration::from_secs(20);
    let explain = Explain { id: id("v", 0) };
    let story = rig
        .hub
        .ask(StageKind::Resolver, &rig.tenant, &explain, soon)
        .await
        .unwrap();
    let text: Vec<String> = story.lines.iter().map(|line| line.text.clone()).collect();
    assert!(
        text.iter().any(|line| line.contains("parked until both records")),
        "{text:#?}"
    );
    let status = rig
        .hub
        .ask(StageKind::Resolver, &rig.tenant, &AskStatus {}, soon)
        .await
        .unwrap();
    assert_eq!(status.parked, 1);
    resolver.stop().await;
}

/// A lookup that may lead to a depot or to an account: each is a slot of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_moves_to_a_parent_of_another_object_leaves_the_former() {
    let rig = Rig::new().await;
    let resolver = rig.resolver("one").await;
    let (depot, account) = (id("d", 0), id("c", 0));
    rig.identities(Lane::Live, "vehicles", &vehicles(1)).await;
    rig.identities(Lane::Live, "depots", &[(depot, Some(HubSpotId(7)))])
        .await;
    let slot = |object: &str| (id("v", 0), format!("Place__c:{object}"));
    let place = async |in_depot: Option<SalesforceId>, of_account: Option<SalesforceId>| {
        let columns = [("Place__c:Depot__c", in_depot), ("Place__c:Account", of_account)];
        rig.row(Lane::Live, id("v", 0), &columns).await;
    };
    place(Some(depot), None).await;
    rig.until("the depot", |portal| {
        portal.links.get(&slot("Depot__c")) == Some(&Some(HubSpotId(7)))
    })
    .await;
    // The account is not in HubSpot yet: the depot is left all the same, and the account is waited for.
    place(None, Some(account)).await;
    rig.until("no depot", |portal| {
        portal.links.get(&slot("Depot__c")) == Some(&None)
    })
    .await;
    rig.until_parked(1).await;
    rig.records("0-2", &[(account, HubSpotId(50))]);
    rig.until("the account", |portal| {
        portal.links.get(&slot("Account")) == Some(&Some(HubSpotId(50)))
    })
    .await;
    place(Some(depot), None).await;
    rig.until("the depot again, and no account", |portal| {
        portal.links.get(&slot("Account")) == Some(&None)
            && portal.links.get(&slot("Depot__c")) == Some(&Some(HubSpotId(7)))
    })
    .await;
    rig.until_parked(0).await;
    resolver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_association_that_is_no_more_ends_as_unlinked() {
    let rig = Rig::new().await;
    let resolver = rig.resolver("one").await;
    rig.intents(
        Lane::Live,
        "Depot__c",
        &[(id("v", 0), Some(id("d", 0))), (id("v", 1), Some(id("d", 0)))],
    )
    .await;
    rig.intents(Lane::Live, "Next__c", &[(id("v", 0), Some(id("v", 1)))])
        .await;
    rig.until_parked(3).await;
    resolver.stop().await;
    rig.change_sync("vehicles", |sync| {
        let resolved = sync.resolved.as_mut().unwrap();
        resolved.associations.retain(|one| one.field != "Depot__c");
    })
    .await;
    let heir = rig.resolver("heir").await;
    rig.until_parked(1).await;
    let told = rig.verdicts().await;
    let of_depots: Vec<_> = told.iter().filter(|told| told.field == "Depot__c").collect();
    let ends: Vec<_> = of_depots.iter().map(|told| (told.outcome, told.parent)).collect();
    let (parked, unlinked) = (LinkOutcome::Parked, LinkOutcome::Unlinked);
    let depot = Some(id("d", 0));
    assert_eq!(
        ends,
        [
            (parked, depot),
            (parked, depot),
            (unlinked, None),
            (unlinked, None)
        ]
    );
    heir.stop().await;
}
