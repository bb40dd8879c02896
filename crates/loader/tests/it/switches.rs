//! What is not established about HubSpot, each way: a small import, edits, a delete, an undelete and links end as they should,
//! and a compare finds nothing to put right.

use std::time::Duration;

use landbridge_hubspot::Share;
use landbridge_model::{
    ChangeKind, Former, HubSpotId, Lane, LinkOutcome, LinkWrite, LinkWrites, ObjectTypeId, Outcome, Purpose,
    Table, Version,
};
use landbridge_sandbox::hubspot::Behaviour;

use crate::rig::{Rig, account, car, outcomes};

/// A switch turned from its default.
type Switch = (&'static str, fn(&mut Behaviour));

/// Every field of [`Behaviour`]; the pattern in [`covered`] fails to compile when there is one more.
const SWITCHES: [Switch; 15] = [
    ("mixed_status_2026_09", |on| on.mixed_status_2026_09 = Some(207)),
    ("echo_trace_ids", |on| on.echo_trace_ids = true),
    ("partial_updates", |on| on.partial_updates = true),
    ("conflicts_are_409", |on| on.conflicts_are_409 = false),
    ("unique_ignores_case", |on| on.unique_ignores_case = false),
    ("archived_keep_unique_values", |on| {
        on.archived_keep_unique_values = true
    }),
    ("upsert_fills_id_property", |on| {
        on.upsert_fills_id_property = true
    }),
    ("labels_max", |on| on.labels_max = 10),
    ("nulls_clear", |on| on.nulls_clear = true),
    ("retry_after_s", |on| on.retry_after_s = Some(1)),
    ("body_max", |on| on.body_max = 6_000),
    ("usage_hides_service_keys", |on| {
        on.usage_hides_service_keys = true
    }),
    ("in_values_max", |on| on.in_values_max = 3),
    ("association_archive_max", |on| on.association_archive_max = 1_000),
    ("taken_schema_names_merge", |on| {
        on.taken_schema_names_merge = true
    }),
];

fn covered(behaviour: Behaviour) -> usize {
    let Behaviour {
        mixed_status_2026_09: _,
        echo_trace_ids: _,
        partial_updates: _,
        conflicts_are_409: _,
        unique_ignores_case: _,
        archived_keep_unique_values: _,
        upsert_fills_id_property: _,
        labels_max: _,
        nulls_clear: _,
        retry_after_s: _,
        body_max: _,
        usage_hides_service_keys: _,
        in_values_max: _,
        association_archive_max: _,
        taken_schema_names_merge: _,
    } = behaviour;
    15
}

const CARS: u32 = 40;
const COMPANIES: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_switch_ends_where_the_default_does() {
    assert_eq!(covered(Behaviour::default()), SWITCHES.len());
    for (name, turn) in SWITCHES {
        let mut behaviour = Behaviour::default();
        turn(&mut behaviour);
        assert_ne!(behaviour, Behaviour::default(), "{name} is turned");
        a_small_life(name, behaviour).await;
    }
}

/// Everything that happens to a record, in a portal of its own.
async fn a_small_life(name: &str, behaviour: Behaviour) {
    let mut rig = Rig::ready(behaviour).await;
    let companies: Vec<HubSpotId> = (0..COMPANIES)
        .map(|number| HubSpotId(rig.portal.put_company("Company", account(number + 10).as_str())))
        .collect();

    // An import with one row that HubSpot refuses: its neighbours land.
    let mut rows: Vec<(u32, i64, &str, Option<&str>)> = (0..CARS)
        .map(|serial| (serial, 1_000, "a car with a name of some length", Some("1")))
        .collect();
    rows[17].3 = Some("dear");
    let told = rig.apply(Lane::Bulk, &rig.cars(&rows)).await;
    let failed: Vec<usize> = (0..told.len())
        .filter(|row| told[*row].outcome == Outcome::Failed)
        .collect();
    assert_eq!(failed, [17], "{name}: only the bad row fails");
    rows[17].3 = Some("17");
    let cured = rig
        .apply(Lane::Live, &rig.cars(&[(17, 2_000, "cured", Some("17"))]))
        .await;
    assert_eq!(outcomes(&cured), [Outcome::Created], "{name}");

    // Edits, one of which clears a value.
    let edits = [(1, 3_000, "edited", Some("2")), (2, 3_000, "cleared", None)];
    let told = rig.apply(Lane::Live, &rig.cars(&edits)).await;
    assert_eq!(outcomes(&told), [Outcome::Updated; 2], "{name}");
    assert_eq!(
        rig.stored(2).await,
        Some(("cleared".to_owned(), String::new())),
        "{name}: a null clears"
    );

    let ids = ids_of(&rig, 0..CARS).await;
    let link = |serial: u32, parent: Option<usize>, former: Former, stamp| LinkWrite {
        child: car(serial),
        child_hubspot_id: ids[serial as usize],
        field: "Account__c".to_owned(),
        parent: parent.map(|at| (account(u32::try_from(at).unwrap() + 10), companies[at])),
        former,
        version: Version::new(stamp, 0),
    };
    let at = |serial: u32| (serial % COMPANIES) as usize;
    let links = (0..CARS).map(|serial| link(serial, Some(at(serial)), Former::Nothing, 1_000));
    let made = send(&mut rig, "made", links.collect()).await;
    assert_eq!(made, [LinkOutcome::Linked; CARS as usize], "{name}");
    // More are taken apart than one call may on the default portal's terms.
    let moved = (0..CARS).map(|serial| link(serial, None, Former::Record(companies[at(serial)]), 2_000));
    let moved = send(&mut rig, "moved", moved.collect()).await;
    assert_eq!(moved, [LinkOutcome::Unlinked; CARS as usize], "{name}");
    let again = (0..CARS).map(|serial| link(serial, Some(at(serial)), Former::Unknown, 3_000));
    let again = send(&mut rig, "again", again.collect()).await;
    assert_eq!(again, [LinkOutcome::Linked; CARS as usize], "{name}");

    // A delete, then the record comes back, to a loader that remembers and to one that does not.
    for (serial, is_cold) in [(3, false), (4, true)] {
        let mut delete = rig.cars(&[(serial, 4_000, "", None)]);
        delete.kinds = vec![ChangeKind::Delete];
        assert_eq!(
            outcomes(&rig.apply(Lane::Live, &delete).await),
            [Outcome::Deleted],
            "{name}"
        );
        assert_eq!(rig.stored(serial).await, None, "{name}");
        if is_cold {
            rig.restart_cold().await;
        }
        let back = rig
            .apply(Lane::Live, &rig.cars(&[(serial, 5_000, "back", Some("3"))]))
            .await;
        after_the_recycle_bin(name, behaviour, &back);
    }
    is_clean(name, behaviour, &mut rig).await;
    rig.stop().await;
}

/// A record that comes back is made anew, except where one in the recycle bin keeps its unique values: there nothing can be
/// written by the API, and the failure says so.
fn after_the_recycle_bin(name: &str, behaviour: Behaviour, told: &[landbridge_model::RecordOutcome]) {
    if !behaviour.archived_keep_unique_values {
        assert_eq!(outcomes(told), [Outcome::Created], "{name}");
        return;
    }
    assert_eq!(outcomes(told), [Outcome::Failed], "{name}");
    let failure = told[0].failure.as_ref().expect("a failure");
    let category = landbridge_model::FailureCategory::DuplicateUniqueValue;
    assert_eq!(failure.category, category, "{name}: {}", failure.message);
}

/// What a compare of all cars finds.
async fn is_clean(name: &str, behaviour: Behaviour, rig: &mut Rig) {
    let value = |serial: u32| match serial {
        1 => ("edited", Some("2")),
        2 => ("cleared", None),
        3 | 4 => ("back", Some("3")),
        17 => ("cured", Some("17")),
        _ => ("a car with a name of some length", Some("1")),
    };
    let rows: Vec<_> = (0..CARS)
        .map(|serial| (serial, 6_000, value(serial).0, value(serial).1))
        .collect();
    let mut compare = rig.cars(&rows);
    compare.envelope = rig.envelope(Purpose::Compare);
    let mut links = Table::with_columns(["Account__c"]);
    for serial in 0..CARS {
        // Those that came back wait for the resolver to link them again.
        let parent = account(serial % COMPANIES + 10);
        links.push_row([(!matches!(serial, 3 | 4)).then_some(parent.as_str())]);
    }
    compare.links = links;
    rig.write(Lane::Check, &compare).await;
    let compared = rig.compared().await;
    let found: Vec<(String, &str)> = compared
        .differences
        .iter()
        .map(|one| (one.id.to_string(), one.kind.as_str()))
        .collect();
    let missing = [3, 4].map(|serial| (car(serial).to_string(), "missing"));
    let expected: &[(String, &str)] = if behaviour.archived_keep_unique_values {
        &missing
    } else {
        &[]
    };
    assert_eq!(found, expected, "{name}: {:?}", compared.differences);
    assert_eq!(compared.links, u64::from(CARS) - 2, "{name}");
}

async fn ids_of(rig: &Rig, serials: std::ops::Range<u32>) -> Vec<HubSpotId> {
    let wanted: Vec<_> = serials.map(car).collect();
    let texts: Vec<&str> = wanted
        .iter()
        .map(landbridge_model::SalesforceId::as_str)
        .collect();
    let reply = rig
        .client
        .read_records(
            Share::Live,
            &rig.object_type(),
            Some("salesforce_id"),
            &texts,
            &["salesforce_id"],
        )
        .await
        .unwrap();
    let answer = reply.records(&["salesforce_id"]).unwrap();
    let of = |id: &str| {
        let mut found = answer.results.iter();
        found
            .find(|record| record.values[0].as_deref() == Some(id))
            .map(|record| record.id)
    };
    texts.iter().map(|id| of(id).expect("a record")).collect()
}

async fn send(rig: &mut Rig, cause: &str, links: Vec<LinkWrite>) -> Vec<LinkOutcome> {
    let count = links.len();
    let writes = LinkWrites {
        envelope: rig.envelope(Purpose::Apply),
        links,
    };
    let subject = rig.hub.writes(&rig.tenant, Lane::Links);
    rig.hub.send(&subject, cause, &writes).await.unwrap();
    let told = rig.link_verdicts(count).await;
    told.into_iter().map(|verdict| verdict.outcome).collect()
}

/// Before a record is full people are told; a link too many is refused alone.
#[tokio::test(flavor = "multi_thread")]
async fn ceilings_of_associations_are_told_before_they_are_reached_and_refuse_one_link_alone() {
    let mut rig = Rig::ready(Behaviour::default()).await;
    let rows: Vec<_> = (0..7).map(|serial| (serial, 1_000, "a car", Some("1"))).collect();
    rig.apply(Lane::Bulk, &rig.cars(&rows)).await;
    let ids = ids_of(&rig, 0..7).await;
    let [full, free] =
        [11, 12].map(|number| HubSpotId(rig.portal.put_company("Company", account(number).as_str())));
    // A company may have five cars.
    let (cars, companies) = (rig.object_type(), ObjectTypeId::new("0-2"));
    rig.limit_associations(&companies, &cars, 5).await;
    let link = |serial: u32, (number, parent): (u32, HubSpotId), stamp| LinkWrite {
        child: car(serial),
        child_hubspot_id: ids[serial as usize],
        field: "Account__c".to_owned(),
        parent: Some((account(number), parent)),
        former: Former::Nothing,
        version: Version::new(stamp, 0),
    };
    let some = (0..4).map(|serial| link(serial, (11, full), 1));
    assert_eq!(
        send(&mut rig, "some", some.collect()).await,
        [LinkOutcome::Linked; 4]
    );
    rig.ceilings_every = Duration::from_secs(1);
    rig.restart_cold().await;
    let told = rig.full_condition("1 record with more than four fifths").await;
    assert!(told.contains(&full.to_string()), "{told}");
    let more = vec![
        link(4, (11, full), 2),
        link(5, (11, full), 2),
        link(6, (12, free), 2),
    ];
    let mut told = send(&mut rig, "more", more).await;
    told.sort_by_key(|outcome| outcome.as_str());
    assert_eq!(
        told,
        [LinkOutcome::Failed, LinkOutcome::Linked, LinkOutcome::Linked],
        "one is too many, and it alone is refused"
    );
    let failures = rig.hub.failures(&rig.tenant, None).await.unwrap();
    let categories: Vec<_> = failures.iter().map(|failed| failed.failure.category).collect();
    assert_eq!(categories, [landbridge_model::FailureCategory::AssociationLimit]);
    rig.restart_cold().await;
    rig.full_condition("1 record full").await;
    rig.stop().await;
}
