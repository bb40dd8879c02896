//! Dry runs: started, followed, paged through, cancelled; nothing stays behind.

use landbridge_bus::{Bucket, Key, KeyFilter};
use landbridge_control::ask::{
    CancelDryRun, CountMatching, DryRunPage, DryRunPart, DryRunProgress, DryRunReport, DryRunScope,
    DryRunState, ListDryRuns, StartDryRun,
};
use landbridge_model::{
    Failure, FailureCategory, HubSpotId, LinkStance, Outcome, PredictedLink, PredictedRecord, PropertyChange,
    RunId, TenantId,
};
use landbridge_wire::AskErrorCode;

use crate::rig::{Rig, VEHICLES, definition, id, soon, tenant, version};

/// A draft with a lookup to its own object.
const TOWING: &str = "
apiVersion: landbridge/v1
kind: Sync
metadata: { tenant: acme, name: vehicles }
spec:
  salesforce: { object: Vehicle__c }
  hubspot: { objectType: vehicles }
  associations: [ { field: Tows__c, to: vehicles, label: tows } ]
  fields: [ { from: Name, to: name } ]
";

fn start(text: &str, scope: DryRunScope) -> StartDryRun {
    StartDryRun {
        definition: definition(text),
        scope,
        together: Vec::new(),
        assuming: Vec::new(),
        proposed: None,
    }
}

fn record(number: u32, outcome: Outcome) -> PredictedRecord {
    PredictedRecord::new(id(number), version(10), outcome)
}

fn tows(number: u32, parent: u32) -> PredictedRecord {
    let link = PredictedLink {
        field: "Tows__c".to_owned(),
        parent: Some(id(parent)),
        stance: LinkStance::Wait,
        parent_hubspot_id: None,
        former: Vec::new(),
        waits_for: Some(id(parent)),
        failure: None,
    };
    PredictedRecord {
        links: vec![link],
        ..record(number, Outcome::Created)
    }
}

impl Rig {
    async fn dry_run(&self, question: &StartDryRun) -> RunId {
        let started = self.ask(question).await.unwrap();
        started
            .run
            .unwrap_or_else(|| panic!("there are problems: {:?}", started.checked.problems))
    }

    async fn until(
        &self,
        run: &RunId,
        what: &str,
        wanted: impl Fn(&DryRunProgress) -> bool,
    ) -> DryRunProgress {
        let question = DryRunState { run: run.clone() };
        soon(what, async {
            loop {
                let progress = self.ask(&question).await.unwrap();
                assert_eq!(progress.trouble, None);
                if wanted(&progress) {
                    return progress;
                }
            }
        })
        .await
    }

    async fn dry_run_to_end(&self, question: &StartDryRun) -> (RunId, DryRunReport) {
        let run = self.dry_run(question).await;
        let over = |progress: &DryRunProgress| progress.over;
        let progress = self.until(&run, "the end of the dry run", over).await;
        (run, progress.report.unwrap())
    }

    async fn page(
        &self,
        run: &RunId,
        part: DryRunPart,
        after: Option<u32>,
        limit: usize,
    ) -> (Vec<u32>, u64, bool) {
        let question = DryRunPage {
            run: run.clone(),
            part,
            after: after.map(id),
            limit,
        };
        let page = self.ask(&question).await.unwrap();
        let numbers = page.records.iter().map(|record| {
            (0..50)
                .find(|number| id(*number) == record.id)
                .expect("a record of this test")
        });
        (numbers.collect(), page.total, page.after.is_some())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_outlasts_the_control_that_found_it() {
    let rig = Rig::new().await;
    let control = rig.control().await;
    let changed = PredictedRecord {
        hubspot_id: Some(HubSpotId(7)),
        changes: vec![PropertyChange::new("name", Some("Van"), Some("Truck"))],
        ..record(4, Outcome::Updated)
    };
    rig.world.lock().unwrap().predicted = vec![record(1, Outcome::Created), tows(2, 9), changed];
    let (run, _) = rig.dry_run_to_end(&start(TOWING, DryRunScope::Sample(3))).await;
    let parts = [
        DryRunPart::Outcome(Outcome::Created),
        DryRunPart::Outcome(Outcome::Updated),
        DryRunPart::Link(LinkStance::Unknown),
        DryRunPart::Link(LinkStance::Wait),
    ];
    let all = async || {
        let mut pages = Vec::new();
        for part in parts {
            let question = DryRunPage {
                run: run.clone(),
                part,
                after: None,
                limit: 10,
            };
            pages.push(rig.ask(&question).await.unwrap());
        }
        let state = rig.ask(&DryRunState { run: run.clone() }).await.unwrap();
        (rig.ask(&ListDryRuns {}).await.unwrap(), state, pages)
    };
    let before = all().await;
    assert!(before.2.iter().any(|page| page.total > 0), "{before:?}");
    soon("that the result is kept", async {
        let results = KeyFilter::Under(Key::new(["dry-run-result", "acme"]));
        let kv = rig.hub.bus().kv(Bucket::Config);
        while kv.list(&results).await.unwrap().is_empty() {}
    })
    .await;
    drop(control);
    rig.forget_control_cache().await;
    let _control = rig.control().await;
    assert_eq!(all().await, before);
    // Another one may build on it no more, and says so.
    let next = StartDryRun {
        assuming: vec![run.clone()],
        ..start(VEHICLES, DryRunScope::Sample(3))
    };
    let refused = rig.ask(&next).await.unwrap_err();
    assert_eq!(refused.code, AskErrorCode::Invalid);
    assert!(refused.message.contains("start it again"), "{}", refused.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_import_would_do_is_told_and_nothing_is_stored() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let refusal = Failure::new(FailureCategory::PicklistOption, "no option").value("Steam");
    rig.world.lock().unwrap().predicted = vec![
        record(1, Outcome::Created),
        record(2, Outcome::Created),
        record(3, Outcome::Created),
        PredictedRecord {
            hubspot_id: Some(HubSpotId(7)),
            changes: vec![PropertyChange::new("name", Some("Van"), Some("Truck"))],
            ..record(4, Outcome::Updated)
        },
        PredictedRecord {
            failure: Some(refusal),
            ..record(5, Outcome::Failed)
        },
    ];
    let (run, report) = rig.dry_run_to_end(&start(VEHICLES, DryRunScope::Sample(5))).await;
    assert_eq!(
        report.outcomes,
        [(Outcome::Created, 3), (Outcome::Updated, 1), (Outcome::Failed, 1)]
    );
    assert_eq!(report.compared, 5);
    assert_eq!(report.failures, [(FailureCategory::PicklistOption, 1)]);
    assert_eq!((report.records.matching, report.records.total), (40, 100));
    assert_eq!(
        report.would_create,
        [
            "property salesforce_id of vehicles",
            "property landbridge_version of vehicles"
        ]
    );
    assert_eq!(report.hubspot.seconds, Some(2.5));
    assert!(
        report
            .unpredictable
            .iter()
            .any(|what| what.contains("becomes a new one"))
    );
    {
        let world = rig.world.lock().unwrap();
        // Four of five would be written, and forty match.
        assert_eq!(world.reckoned[0].writes, 32);
        assert!(world.provisioned.is_empty());
    }
    assert!(rig.config.syncs(&tenant()).is_empty());

    let created = DryRunPart::Outcome(Outcome::Created);
    assert_eq!(rig.page(&run, created, None, 2).await, (vec![1, 2], 3, true));
    assert_eq!(rig.page(&run, created, Some(2), 2).await, (vec![3], 3, false));
    let failed = DryRunPart::Outcome(Outcome::Failed);
    assert_eq!(rig.page(&run, failed, None, 10).await, (vec![5], 1, false));
    let none = DryRunPart::Link(LinkStance::Wait);
    assert_eq!(rig.page(&run, none, None, 10).await, (vec![], 0, false));

    // The draft says that it is over, and goes by itself.
    soon("the draft to be over", async {
        rig.config
            .wait_for(|view| view.draft(&tenant(), &run).filter(|draft| draft.over))
            .await
    })
    .await;
    assert_eq!(
        rig.world.lock().unwrap().stopped.as_slice(),
        std::slice::from_ref(&run)
    );
    let stranger = TenantId::new("globex").unwrap();
    let question = DryRunState { run };
    let asked = rig.hub.ask(
        landbridge_model::StageKind::Control,
        &stranger,
        &question,
        std::time::Duration::from_secs(10),
    );
    assert_eq!(asked.await.unwrap_err().code, AskErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_with_problems_is_not_run() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let wrong = VEHICLES.replace("Name, to: name", "Nam, to: nam");
    let started = rig.ask(&start(&wrong, DryRunScope::All)).await.unwrap();
    assert_eq!(started.run, None);
    assert!(!started.checked.problems.is_empty());
    let nobody = rig.ask(&start(VEHICLES, DryRunScope::Ids(vec![]))).await;
    assert_eq!(nobody.unwrap_err().code, AskErrorCode::Invalid);
    assert!(rig.world.lock().unwrap().counted.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_at_once_and_keeps_what_it_found() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    {
        let mut world = rig.world.lock().unwrap();
        world.predicted = vec![record(1, Outcome::Created)];
        world.reads_forever = true;
    }
    let run = rig.dry_run(&start(VEHICLES, DryRunScope::All)).await;
    let some = |progress: &DryRunProgress| progress.answered == 1 && !progress.over;
    let progress = rig.until(&run, "the first answer", some).await;
    assert_eq!(progress.expected, Some(40));
    let created = DryRunPart::Outcome(Outcome::Created);
    assert_eq!(rig.page(&run, created, None, 10).await.0, [1], "while it runs");
    let draft = rig.config.draft(&tenant(), &run).expect("the run has a draft");
    assert!(!draft.over && draft.missing.id_property);
    // Twice, as people do.
    for _ in 0..2 {
        rig.ask(&CancelDryRun { run: run.clone() }).await.unwrap();
    }
    let progress = rig.ask(&DryRunState { run: run.clone() }).await.unwrap();
    assert_eq!((progress.phase.as_str(), progress.over), ("canceled", true));
    assert_eq!((progress.answered, progress.report), (1, None));
    assert_eq!(
        rig.world.lock().unwrap().stopped.as_slice(),
        std::slice::from_ref(&run)
    );
    assert_eq!(rig.page(&run, created, None, 10).await.0, [1], "afterwards");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_wait_only_for_what_no_run_brings() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    // 2 comes with the run itself, 9 does not.
    rig.world.lock().unwrap().predicted = vec![tows(1, 2), record(2, Outcome::Created), tows(3, 9)];
    let (all, report) = rig.dry_run_to_end(&start(TOWING, DryRunScope::All)).await;
    assert_eq!(
        report.links[0].links,
        [(LinkStance::Link, 1), (LinkStance::Wait, 1)]
    );
    assert_eq!(
        report.would_create[2..],
        [
            "association from vehicles to vehicles",
            "label \"tows\" from vehicles to vehicles"
        ]
    );
    let waits = DryRunPart::Link(LinkStance::Wait);
    assert_eq!(rig.page(&all, waits, None, 10).await, (vec![3], 1, false));

    // Of a sample nobody can say what else comes.
    let (sampled, report) = rig.dry_run_to_end(&start(TOWING, DryRunScope::Sample(3))).await;
    assert_eq!(
        report.links[0].links,
        [(LinkStance::Link, 1), (LinkStance::Unknown, 1)]
    );

    // Another run that would go before brings it.
    rig.world.lock().unwrap().predicted = vec![record(9, Outcome::Updated)];
    let (before, _) = rig.dry_run_to_end(&start(TOWING, DryRunScope::All)).await;
    rig.world.lock().unwrap().predicted = vec![tows(3, 9)];
    let mut question = start(TOWING, DryRunScope::All);
    question.assuming = vec![before];
    let (_, report) = rig.dry_run_to_end(&question).await;
    assert_eq!(report.links[0].links, [(LinkStance::Link, 1)]);
    question.assuming = vec![RunId::new("never-was").unwrap()];
    assert_eq!(rig.ask(&question).await.unwrap_err().code, AskErrorCode::NotFound);
    assert_ne!(sampled, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_type_may_be_proposed_only() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let text = VEHICLES.replace("objectType: vehicles", "objectType: boats");
    let mut question = start(&text, DryRunScope::All);
    let started = rig.ask(&question).await.unwrap();
    assert!(started.run.is_none(), "the portal has no boats");
    let proposed = serde_json::json!({
        "objectTypeId": "", "name": "boats", "properties": [{ "name": "name", "type": "string" }],
    });
    question.proposed = Some(serde_json::from_value(proposed).unwrap());
    rig.world.lock().unwrap().predicted = vec![record(1, Outcome::Created)];
    let (run, report) = rig.dry_run_to_end(&question).await;
    assert_eq!(report.would_create[0], "object type boats");
    let draft = rig.config.draft(&tenant(), &run).unwrap();
    assert!(draft.missing.object_type && draft.missing.records());
    assert_eq!(rig.world.lock().unwrap().reckoned[0].object_type, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_is_counted_before_the_rest_is_finished() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let text = VEHICLES
        .replace(
            "  fields:",
            "  filter: { all: [ { field: Price__c, op: greater-than, value: 5 } ] }\n  fields:",
        )
        .replace("Name, to: name", "Nonsense__c, to: nothing");
    let question = CountMatching {
        definition: definition(&text),
    };
    let counted = rig.ask(&question).await.unwrap();
    assert_eq!((counted.matching, counted.total, counted.exact), (40, 100, true));
    let drafts = rig.world.lock().unwrap().counted.clone();
    let spec = &drafts[0].definition.spec;
    assert!(spec.fields.is_empty() && spec.filter.is_some());
    let unknown = CountMatching {
        definition: definition(&text.replace("Vehicle__c", "Boat__c")),
    };
    assert_eq!(rig.ask(&unknown).await.unwrap_err().code, AskErrorCode::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_results_make_room_and_runs_under_way_do_not() {
    let rig = Rig::new().await;
    let _control = rig.control().await;
    let question = start(VEHICLES, DryRunScope::Sample(1));
    let mut runs = Vec::new();
    for _ in 0..17 {
        runs.push(rig.dry_run_to_end(&question).await.0);
    }
    let gone = rig.ask(&DryRunState { run: runs[0].clone() }).await;
    assert_eq!(gone.unwrap_err().code, AskErrorCode::NotFound);
    assert!(rig.ask(&DryRunState { run: runs[1].clone() }).await.unwrap().over);
    rig.world.lock().unwrap().reads_forever = true;
    for _ in 0..16 {
        rig.dry_run(&question).await;
    }
    assert_eq!(rig.ask(&question).await.unwrap_err().code, AskErrorCode::Limited);
}
