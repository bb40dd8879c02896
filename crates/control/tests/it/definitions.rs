//! Applying, turning on, removing.

use std::time::Duration;

use landbridge_control::Settings;
use landbridge_control::ask::{
    ApplySyncs, Change, PutTenant, RemoveSyncs, RemoveTenant, SetSyncs, TestConnections, WrittenRecords,
};
use landbridge_model::config::SyncStatus;
use landbridge_model::{Envelope, Purpose, Revision, Source, SyncName};
use landbridge_wire::{AskErrorCode, ParkedLink};

use crate::rig::{Rig, VEHICLES, acme, definition, id, sync_name, tenant, version};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_where_anything_is_wrong() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let wrong = VEHICLES
        .replace("name: vehicles", "name: trucks")
        .replace("Name, to: name", "Nam, to: nam");
    let both = vec![definition(VEHICLES), definition(&wrong)];
    let applied = rig
        .ask(&ApplySyncs {
            definitions: both,
            dry_run: false,
        })
        .await
        .unwrap();
    assert!(!applied.written);
    let places: Vec<&str> = applied.syncs[1]
        .problems
        .iter()
        .map(|problem| problem.place.as_str())
        .collect();
    assert!(
        places.iter().any(|place| place.starts_with("spec.fields[0]")),
        "{places:?}"
    );
    assert!(
        applied.syncs[1]
            .problems
            .iter()
            .all(|problem| !problem.remedy.is_empty())
    );
    assert!(rig.config.syncs(&tenant()).is_empty());
    assert!(rig.world.lock().unwrap().provisioned.is_empty());
}

/// HubSpot shows a type only some seconds after it was created.
#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_shows_late_is_waited_for() {
    let rig = Rig::new().await;
    let settings = Settings {
        object_type_patience: Duration::from_secs(60),
        ..Settings::default()
    };
    let _control = rig.control_with(settings).await;
    rig.world.lock().unwrap().late.insert("trucks".to_owned(), 2);
    rig.apply(&VEHICLES.replace("objectType: vehicles", "objectType: trucks"))
        .await;
    assert_eq!(rig.world.lock().unwrap().looked_for, ["trucks"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_definitions_share_one_wait_for_types_that_never_show() {
    let rig = Rig::new().await;
    let settings = Settings {
        object_type_patience: Duration::from_secs(1),
        ..Settings::default()
    };
    let _control = rig.control_with(settings).await;
    let names = ["trucks", "boats", "trains"];
    let apply = ApplySyncs {
        definitions: names
            .iter()
            .map(|name| definition(&VEHICLES.replace("vehicles", name)))
            .collect(),
        dry_run: false,
    };
    let applied = rig.ask(&apply).await.unwrap();
    for line in &applied.syncs {
        let problem = &line.problems[0];
        assert_eq!(problem.place, "spec.hubspot.objectType");
        assert!(problem.remedy.contains("created moments ago"), "{problem}");
    }
    let looked_for = &rig.world.lock().unwrap().looked_for;
    let times = |name: &str| looked_for.iter().filter(|looked| *looked == name).count();
    assert!(times("trucks") > 1, "{looked_for:?}");
    assert_eq!((times("boats"), times("trains")), (1, 1), "{looked_for:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_lives_from_draft_to_removal() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let apply = |text: &str| ApplySyncs {
        definitions: vec![definition(text)],
        dry_run: false,
    };
    for change in [Change::Created, Change::Unchanged] {
        let applied = rig.ask(&apply(VEHICLES)).await.unwrap();
        assert_eq!(
            (applied.syncs[0].change, applied.syncs[0].revision),
            (change, Revision(1))
        );
    }
    let stored = async || {
        let found = rig
            .config
            .wait_for(|config| config.sync(&tenant(), &sync_name()))
            .await;
        (*found).clone()
    };
    assert_eq!(
        (stored().await.status, stored().await.resolved),
        (SyncStatus::Draft, None)
    );

    let turn = |status| SetSyncs {
        names: vec![sync_name()],
        status,
    };
    let applied = rig.ask(&turn(SyncStatus::Active)).await.unwrap();
    assert!(applied.written && !applied.has_problems(), "{applied:?}");
    let active = rig
        .config
        .wait_for(|config| {
            config
                .sync(&tenant(), &sync_name())
                .filter(|sync| sync.status == SyncStatus::Active)
        })
        .await;
    let resolved = active.resolved.clone().unwrap();
    assert!(
        resolved.object.field("Price__c").is_none(),
        "fields that nobody names are left out"
    );
    assert!(resolved.object_type.property("landbridge_version").is_some());
    assert_eq!((active.activation, active.revision), (1, Revision(1)));

    rig.ask(&turn(SyncStatus::Paused)).await.unwrap();
    rig.ask(&turn(SyncStatus::Active)).await.unwrap();
    let edited = VEHICLES.replace(
        "{ from: Name, to: name }",
        "{ from: Name, to: name }, { from: Name, to: other }",
    );
    let applied = rig.ask(&apply(&edited)).await.unwrap();
    assert_eq!(
        (applied.syncs[0].change, applied.syncs[0].revision),
        (Change::Changed, Revision(2))
    );
    let second = rig
        .config
        .wait_for(|config| {
            config
                .sync(&tenant(), &sync_name())
                .filter(|sync| sync.revision == Revision(2))
        })
        .await;
    assert_eq!(second.activation, 1, "it was paused and resumed, not begun anew");
    assert!(
        second
            .resolved
            .as_ref()
            .unwrap()
            .object_type
            .property("other")
            .is_some(),
        "what runs is resolved at once"
    );

    let [own, other] = ["vehicles", "trucks"].map(parked);
    rig.hub.park(&[own, other.clone()]).await.unwrap();
    rig.ask(&RemoveSyncs {
        expected: Vec::new(),
        names: vec![sync_name()],
        records: WrittenRecords::Keep,
        by: String::new(),
    })
    .await
    .unwrap();
    assert_eq!(
        rig.hub.parked(&tenant(), None).await.unwrap(),
        [other],
        "what waits for the sync goes with it, and nothing else"
    );
    let gone = rig.ask(&turn(SyncStatus::Active)).await.unwrap_err();
    assert_eq!(gone.code, AskErrorCode::NotFound, "{gone}");
}

/// A link of a sync that waits for its parent.
fn parked(sync: &str) -> ParkedLink {
    let envelope = Envelope {
        tenant: tenant(),
        sync: SyncName::new(sync).unwrap(),
        revision: Revision(1),
        purpose: Purpose::Apply,
        source: Source::Increment,
        run: None,
        force: false,
        only: None,
    };
    ParkedLink {
        envelope,
        child: id(1),
        field: "Depot__c".to_owned(),
        parent: Some(id(2)),
        version: version(1),
        since_ms: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_pinned_and_a_tenant_can_be_removed() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let test = rig.ask(&TestConnections {}).await.unwrap();
    assert_eq!(test.problems, Vec::<String>::new());
    let pinned = rig
        .config
        .wait_for(|config| {
            config
                .tenant(&tenant())
                .filter(|tenant| tenant.hubspot.portal_id == Some(42))
        })
        .await;
    assert_eq!(pinned.salesforce.org_id.as_deref(), Some("00D000000000001EAA"));
    let again = PutTenant {
        tenant: acme(),
        salesforce: None,
        hubspot: None,
        keep: Vec::new(),
    };
    assert_eq!(
        rig.ask(&again).await.unwrap(),
        Change::Unchanged,
        "what was pinned stays"
    );
    rig.apply(VEHICLES).await;
    rig.ask(&RemoveTenant {}).await.unwrap();
    let gone = rig.ask(&TestConnections {}).await.unwrap_err();
    assert_eq!(gone.code, AskErrorCode::NotFound);
    rig.config
        .wait_for(|config| config.syncs(&tenant()).is_empty().then_some(()))
        .await;
}
