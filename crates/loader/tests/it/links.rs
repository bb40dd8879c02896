//! Associations: made, moved, and refused alone.

use landbridge_hubspot::Share;
use landbridge_model::{
    Former, HubSpotId, Lane, LinkOutcome, LinkWrite, LinkWrites, ObjectTypeId, Purpose, Version,
};
use landbridge_sandbox::hubspot::Behaviour;

use crate::rig::{Rig, account, car};

async fn linked(rig: &Rig, child: HubSpotId) -> Vec<HubSpotId> {
    let companies = ObjectTypeId::new("0-2");
    let found = rig
        .client
        .read_associations(Share::Live, &rig.object_type(), &companies, &[child])
        .await
        .unwrap();
    found
        .get(&child)
        .into_iter()
        .flatten()
        .map(|other| other.to)
        .collect()
}

async fn send(rig: &mut Rig, cause: &str, links: Vec<LinkWrite>) -> Vec<LinkOutcome> {
    let count = links.len();
    let writes = LinkWrites {
        envelope: rig.envelope(Purpose::Apply),
        links,
    };
    let subject = rig.hub.writes(&rig.tenant, Lane::Links);
    rig.hub.send(&subject, cause, &writes).await.unwrap();
    rig.link_verdicts(count)
        .await
        .into_iter()
        .map(|verdict| verdict.outcome)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_made_moved_and_taken_away() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let told = rig.apply(Lane::Live, &rig.cars(&[(1, 1_000, "one", None)])).await;
    let child = told[0].hubspot_id.unwrap();
    let [first, second, third] = [1, 2, 3].map(|n| {
        HubSpotId(
            rig.portal
                .put_company(&format!("Company {n}"), account(n + 10).as_str()),
        )
    });
    let link = |parent: Option<(u32, HubSpotId)>, former: Former, stamp| LinkWrite {
        child: car(1),
        child_hubspot_id: child,
        field: "Account__c".to_owned(),
        parent: parent.map(|(serial, id)| (account(serial + 10), id)),
        former,
        version: Version::new(stamp, 0),
    };
    let made = send(&mut rig, "1", vec![link(Some((1, first)), Former::Nothing, 1)]).await;
    assert_eq!(made, [LinkOutcome::Linked]);
    assert_eq!(linked(&rig, child).await, [first]);
    // Two moves in one message are done one after the other.
    let moves = vec![
        link(Some((2, second)), Former::Record(first), 2),
        link(Some((3, third)), Former::Record(second), 3),
    ];
    assert_eq!(send(&mut rig, "2", moves).await, [LinkOutcome::Linked; 2]);
    assert_eq!(linked(&rig, child).await, [third]);
    // The resolver forgot what was linked before.
    let forgotten = send(&mut rig, "3", vec![link(Some((1, first)), Former::Unknown, 4)]).await;
    assert_eq!(forgotten, [LinkOutcome::Linked]);
    assert_eq!(linked(&rig, child).await, [first]);
    let gone = HubSpotId(999_999_999);
    let refused = send(
        &mut rig,
        "4",
        vec![
            link(Some((4, gone)), Former::Nothing, 5),
            LinkWrite {
                ..link(None, Former::Record(first), 6)
            },
        ],
    );
    assert_eq!(refused.await, [LinkOutcome::Failed, LinkOutcome::Unlinked]);
    assert!(linked(&rig, child).await.is_empty());
    rig.stop().await;
}
