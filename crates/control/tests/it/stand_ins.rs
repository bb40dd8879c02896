//! Workers that answer as extractor and loader do, out of a small world that a test arranges.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use landbridge_model::ask::{
    AskFormulas, AskStatus, CallBudget, Count, CountRecords, CreateObjectType, CreateProperty, DecideHeld,
    Decided, DescribeObject, Estimate, EstimateReading, EstimateWriting, EstimatedCalls, Explain,
    FindIdentities, FormulaReading, FoundIdentities, GetLabels, GetSchema, HeldPage, HoldWritten,
    HubSpotTest, ListObjects, ListRecords, ListSchemas, ListedRecord, Provision, Provisioned, Question,
    ReconcileStatus, RecordPage, SalesforceTest, StageStatus, StartCompare, StartReconcile, Started,
    StopCompare, Story, TestHubSpot, TestSalesforce, UndoPage, UndonePage,
};
use landbridge_model::config::Sync;
use landbridge_model::hubspot::{AssociationLabel, ObjectSchema, PropertyDefinition};
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::{
    Envelope, HubSpotId, ObjectTypeId, PredictedRecord, Purpose, Revision, RunId, SalesforceId, Source,
    StageKind, SyncName, Version,
};
use landbridge_stage::{ShardContext, StageError, Worker, answer_with, parse_ask};
use landbridge_wire::{
    Ask, AskError, AskErrorCode, Compared, Difference, Report, ReportBody, RunPhase, RunProgress, VersionedId,
};
use serde_json::json;

/// One compare's answer: the records that are compared, and what differs.
pub(crate) type Look = (Vec<(SalesforceId, Version)>, Vec<Difference>);

#[derive(Default)]
pub(crate) struct World {
    /// Answers of the compares, in their order.
    pub(crate) looks: VecDeque<Look>,
    /// Which records each compare was asked for.
    pub(crate) asked: Vec<Vec<SalesforceId>>,
    /// What a listing of HubSpot shows.
    pub(crate) listed: BTreeMap<SalesforceId, HubSpotId>,
    /// What was provisioned: id properties.
    pub(crate) provisioned: Vec<String>,
    /// Object types that do not show until they have been looked for so many times more.
    pub(crate) late: BTreeMap<String, usize>,
    /// The object types that were looked for one by one.
    pub(crate) looked_for: Vec<String>,
    /// What mapper and loader say in a dry run.
    pub(crate) predicted: Vec<PredictedRecord>,
    /// Whether a dry run's reading never ends.
    pub(crate) reads_forever: bool,
    /// Runs whose reading was stopped.
    pub(crate) stopped: Vec<RunId>,
    /// Syncs whose records were to be looked for.
    pub(crate) reconciled: Vec<SyncName>,
    /// Drafts that records were counted by.
    pub(crate) counted: Vec<Sync>,
    /// What was decided about held deletes.
    pub(crate) decided: Vec<DecideHeld>,
    /// Documents of object types that were created.
    pub(crate) created_types: Vec<serde_json::Value>,
    /// Properties that were created, each with its object type.
    pub(crate) created_properties: Vec<(ObjectTypeId, PropertyDefinition)>,
    /// The association labels between any two types.
    pub(crate) labels: Vec<AssociationLabel>,
    /// Whether HubSpot shows single object types.
    pub(crate) shows_types: bool,
    /// Pages of what a sync wrote whose deletes were to be held.
    pub(crate) held_pages: Vec<HoldWritten>,
    /// What writing was reckoned for.
    pub(crate) reckoned: Vec<EstimateWriting>,
    /// Pages of undos that were asked for.
    pub(crate) undone: Vec<UndoPage>,
    /// Whether no page of an undo is the last.
    pub(crate) undo_waits: bool,
}

pub(crate) struct ExtractorStandIn(pub(crate) Arc<Mutex<World>>);

impl Worker for ExtractorStandIn {
    const KIND: StageKind = StageKind::Extractor;
    type Shard = ShardContext;

    async fn open(&self, context: ShardContext) -> Result<Arc<ShardContext>, StageError> {
        Ok(Arc::new(context))
    }

    async fn answer(&self, context: Arc<ShardContext>, ask: Ask) -> Result<String, AskError> {
        match ask.service.as_str() {
            TestSalesforce::SERVICE => answer_with(&SalesforceTest {
                org_id: "00D000000000001EAA".into(),
                org_name: Some("Acme Rentals".into()),
                ..Default::default()
            }),
            DescribeObject::SERVICE => {
                let question: DescribeObject = parse_ask(&ask)?;
                if question.object != "Vehicle__c" {
                    return Err(AskError::new(AskErrorCode::NotFound, "no such object"));
                }
                answer_with(&vehicle())
            }
            ListObjects::SERVICE => {
                answer_with(&json!([{"name": "Vehicle__c", "label": "Vehicle", "custom": true}]))
            }
            AskStatus::SERVICE => answer_with(&StageStatus {
                budget: Some(CallBudget {
                    limit: 15_000,
                    used: 700,
                    own: Some(300),
                    allocated: 14_250,
                    reserved: 750,
                    forecast: None,
                }),
                ..StageStatus::default()
            }),
            CountRecords::SERVICE => {
                let question: CountRecords = parse_ask(&ask)?;
                let Some(draft) = question.draft else {
                    return answer_with(&Count {
                        count: 7,
                        total: 7,
                        exact: true,
                    });
                };
                self.0.lock().unwrap().counted.push(*draft);
                answer_with(&Count {
                    count: 40,
                    total: 100,
                    exact: true,
                })
            }
            EstimateReading::SERVICE => answer_with(&Estimate {
                calls: vec![calls("bulk-page", 1)],
                ..Estimate::default()
            }),
            StopCompare::SERVICE => {
                let question: StopCompare = parse_ask(&ask)?;
                self.0.lock().unwrap().stopped.push(question.run);
                answer_with(&Started {})
            }
            Explain::SERVICE => answer_with(&Story::default()),
            StartReconcile::SERVICE => {
                let question: StartReconcile = parse_ask(&ask)?;
                self.0.lock().unwrap().reconciled.push(question.sync);
                answer_with(&ReconcileStatus {
                    began_ms: 7_000,
                    is_running: true,
                    ..ReconcileStatus::default()
                })
            }
            AskFormulas::SERVICE => answer_with(&FormulaReading {
                every_seconds: Some(3_600),
                records: 7,
                ..FormulaReading::default()
            }),
            StartCompare::SERVICE => {
                let question: StartCompare = parse_ask(&ask)?;
                if question.draft {
                    let (predicted, forever) = {
                        let world = self.0.lock().unwrap();
                        (world.predicted.clone(), world.reads_forever)
                    };
                    predict(&context, &ask, &question, predicted, forever).await;
                    return answer_with(&Started {});
                }
                let (records, differences) = {
                    let mut world = self.0.lock().unwrap();
                    world.asked.push(question.ids.clone());
                    world.looks.pop_front().unwrap_or_default()
                };
                tell(&context, &ask, &question, records, differences).await;
                answer_with(&Started {})
            }
            _ => Err(AskError::new(AskErrorCode::Invalid, "not asked in these tests")),
        }
    }
}

fn calls(family: &str, calls: u64) -> EstimatedCalls {
    EstimatedCalls {
        family: family.to_owned(),
        calls,
    }
}

/// Answers a dry run as mapper and loader would, and ends it as the extractor would.
async fn predict(
    context: &ShardContext,
    ask: &Ask,
    question: &StartCompare,
    predicted: Vec<PredictedRecord>,
    forever: bool,
) {
    let rows = predicted.len() as u64;
    let report = |stage, body| Report {
        envelope: Envelope {
            tenant: ask.tenant.clone(),
            sync: question.sync.clone(),
            revision: Revision(1),
            purpose: Purpose::Compare,
            source: Source::DryRun,
            run: Some(question.run.clone()),
            force: false,
            only: None,
        },
        stage,
        at_ms: context.hub.now_ms(),
        org_ahead_ms: 0,
        body,
    };
    // Delivered twice, as everything may be.
    for _ in 0..2 {
        let answer = report(StageKind::Loader, ReportBody::Predicted(predicted.clone()));
        context.hub.report(&answer).await.unwrap();
    }
    let phase = if forever {
        RunPhase::Reading
    } else {
        RunPhase::Ended
    };
    let progress = RunProgress {
        phase,
        salesforce_total: Some(rows),
        rows,
        reason: None,
    };
    let progress = report(StageKind::Extractor, ReportBody::Progress(progress));
    context.hub.report(&progress).await.unwrap();
}

/// Answers a compare as mapper and loader would, and ends it as the extractor would.
async fn tell(
    context: &ShardContext,
    ask: &Ask,
    question: &StartCompare,
    records: Vec<(SalesforceId, Version)>,
    differences: Vec<Difference>,
) {
    let report = |stage, body| Report {
        envelope: Envelope {
            tenant: ask.tenant.clone(),
            sync: question.sync.clone(),
            revision: Revision(1),
            purpose: Purpose::Compare,
            source: Source::Compare,
            run: Some(question.run.clone()),
            force: false,
            only: None,
        },
        stage,
        at_ms: context.hub.now_ms(),
        org_ahead_ms: 0,
        body,
    };
    let rows = records.len() as u64;
    let records = records
        .into_iter()
        .map(|(id, version)| VersionedId { id, version })
        .collect();
    let answer = ReportBody::Compared(Compared {
        records,
        links: 0,
        differences,
    });
    // Delivered twice, as everything may be.
    context
        .hub
        .report(&report(StageKind::Loader, answer.clone()))
        .await
        .unwrap();
    context
        .hub
        .report(&report(StageKind::Loader, answer))
        .await
        .unwrap();
    let ended = RunProgress {
        phase: RunPhase::Ended,
        salesforce_total: Some(rows),
        rows,
        reason: None,
    };
    context
        .hub
        .report(&report(StageKind::Extractor, ReportBody::Progress(ended)))
        .await
        .unwrap();
}

pub(crate) struct LoaderStandIn(pub(crate) Arc<Mutex<World>>);

impl Worker for LoaderStandIn {
    const KIND: StageKind = StageKind::Loader;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn answer(&self, _shard: Arc<()>, ask: Ask) -> Result<String, AskError> {
        let mut world = self.0.lock().unwrap();
        match ask.service.as_str() {
            TestHubSpot::SERVICE => answer_with(&HubSpotTest {
                portal_id: 42,
                ui_domain: Some("app-eu1.hubspot.com".into()),
                data_hosting: Some("eu1".into()),
                ..Default::default()
            }),
            ListSchemas::SERVICE => answer_with(&vec![vehicles()]),
            GetSchema::SERVICE => {
                let question: GetSchema = parse_ask(&ask)?;
                world.looked_for.push(question.object_type.clone());
                if world.shows_types && ["vehicles", "2-1"].contains(&question.object_type.as_str()) {
                    return answer_with(&vehicles());
                }
                match world.late.get_mut(&question.object_type) {
                    Some(0) => answer_with(&ObjectSchema {
                        object_type_id: ObjectTypeId::new("2-2"),
                        name: question.object_type,
                        ..vehicles()
                    }),
                    Some(times) => {
                        *times -= 1;
                        Err(AskError::new(AskErrorCode::NotFound, "not yet"))
                    }
                    None => Err(AskError::new(AskErrorCode::NotFound, "no such type")),
                }
            }
            CreateObjectType::SERVICE => {
                let question: CreateObjectType = parse_ask(&ask)?;
                let name = question.schema["name"].as_str().unwrap().to_owned();
                world.created_types.push(question.schema);
                answer_with(&ObjectSchema {
                    object_type_id: ObjectTypeId::new("2-7"),
                    name,
                    ..vehicles()
                })
            }
            CreateProperty::SERVICE => {
                let question: CreateProperty = parse_ask(&ask)?;
                if question.property.name.starts_with("hs_") {
                    let what = "HubSpot keeps names that begin with hs_ for itself";
                    return Err(AskError::new(AskErrorCode::Invalid, what));
                }
                let answer = answer_with(&question.property);
                world
                    .created_properties
                    .push((question.object_type, question.property));
                answer
            }
            AskStatus::SERVICE => answer_with(&StageStatus::default()),
            GetLabels::SERVICE => answer_with(&world.labels),
            EstimateWriting::SERVICE => {
                world.reckoned.push(parse_ask(&ask)?);
                answer_with(&Estimate {
                    calls: vec![calls("write", 1)],
                    seconds: Some(2.5),
                    ..Estimate::default()
                })
            }
            Explain::SERVICE => answer_with(&Story::default()),
            DecideHeld::SERVICE => {
                world.decided.push(parse_ask(&ask)?);
                answer_with(&Decided { count: 2 })
            }
            Provision::SERVICE => {
                let question: Provision = parse_ask(&ask)?;
                world.provisioned.push(question.id_property.clone());
                let mut object_type = vehicles();
                for name in [question.id_property.as_str(), "landbridge_version"] {
                    object_type.properties.push(property(name));
                }
                let created = vec![format!("property {}", question.id_property)];
                answer_with(&Provisioned {
                    object_type,
                    associations: Vec::new(),
                    created,
                })
            }
            ListRecords::SERVICE => {
                let question: ListRecords = parse_ask(&ask)?;
                // A page each, to see that all are asked for.
                let place: usize = question.after.as_deref().unwrap_or("0").parse().unwrap();
                let record = world
                    .listed
                    .iter()
                    .nth(place)
                    .map(|(id, hubspot_id)| ListedRecord {
                        hubspot_id: *hubspot_id,
                        salesforce_id: Some(id.to_string()),
                        version: Some("0000000000001-0000000000001".to_owned()),
                    });
                let after = (place + 1 < world.listed.len()).then(|| (place + 1).to_string());
                answer_with(&RecordPage {
                    records: record.into_iter().collect(),
                    after,
                })
            }
            HoldWritten::SERVICE => {
                let question: HoldWritten = parse_ask(&ask)?;
                // Two pages.
                let after = question.after.is_none().then(|| "1".to_owned());
                world.held_pages.push(question);
                answer_with(&HeldPage {
                    due: 0,
                    waiting: 1,
                    after,
                })
            }
            UndoPage::SERVICE => {
                world.undone.push(parse_ask(&ask)?);
                answer_with(&UndonePage {
                    is_last: !world.undo_waits,
                    ..UndonePage::default()
                })
            }
            FindIdentities::SERVICE => {
                let question: FindIdentities = parse_ask(&ask)?;
                let found = question
                    .ids
                    .iter()
                    .filter_map(|id| Some((*id, *world.listed.get(id)?)));
                answer_with(&FoundIdentities {
                    found: found.collect(),
                    ..FoundIdentities::default()
                })
            }
            _ => Err(AskError::new(AskErrorCode::Invalid, "not asked in these tests")),
        }
    }
}

fn vehicle() -> ObjectDescribe {
    let field = |name: &str, kind: &str| json!({ "name": name, "label": name, "type": kind });
    serde_json::from_value(json!({
        "name": "Vehicle__c", "label": "Vehicle", "custom": true, "queryable": true,
        "fields": [
            field("Id", "id"), field("Name", "string"), field("SystemModstamp", "datetime"), field("Price__c", "currency"),
            {"name": "Tows__c", "label": "Tows", "type": "reference", "referenceTo": ["Vehicle__c"]},
        ],
    }))
    .unwrap()
}

fn vehicles() -> ObjectSchema {
    serde_json::from_value(json!({
        "objectTypeId": "2-1", "name": "vehicles", "label": "Vehicle", "requiredProperties": ["name"],
        "properties": [property("name"), property("other")],
    }))
    .unwrap()
}

fn property(name: &str) -> PropertyDefinition {
    serde_json::from_value(json!({
        "name": name, "label": name, "type": "string", "fieldType": "text", "hasUniqueValue": name == "salesforce_id",
    }))
    .unwrap()
}
