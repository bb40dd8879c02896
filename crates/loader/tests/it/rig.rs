//! A bus, a portal, and a loader between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use landbridge_bus::seal::KeyPair;
use landbridge_bus::{
    Bus, BusConfig, Filter, FollowFrom, Followed, LocalServer, LocalServerOptions, StreamName, Subject,
    WorkerId,
};
use landbridge_loader::{Loader, LoaderSettings};
use landbridge_model::ask::{CreateObjectType, Provision, Provisioned, Question, WantedAssociation};
use landbridge_model::config::{
    Draft, HubSpotConnection, HubSpotCredentials, Import, ImportWish, Missing, Resolved,
    SalesforceConnection, Sync, SyncStatus, Tenant,
};
use landbridge_model::hubspot::ObjectSchema;
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::sync::{Rules, SyncDefinition};
use landbridge_model::{
    ChangeKind, Envelope, ImportId, Lane, LinkVerdict, ObjectTypeId, Outcome, PredictedRecord, Purpose,
    RecordOutcome, Revision, RunId, SalesforceId, Source, StageKind, SyncName, Table, TenantId, Version,
    WriteBatch,
};
use landbridge_sandbox::Limits;
use landbridge_sandbox::fault::{Fault, FaultSpec, Faults};
use landbridge_sandbox::hubspot::{Behaviour, Habits, Lags, Portal, PortalConfig};
use landbridge_sandbox::server::dress;
use landbridge_sandbox::stats::Stats;
use landbridge_stage::{
    Caches, ConfigView, Hub, LaneSettings, OwnedShards, SecretOpener, Side, WorkerRuntime, run,
};
use landbridge_wire::{Compared, Report, ReportBody, Wire};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a state may take to come about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    server: LocalServer,
    config: BusConfig,
    key: Arc<[u8]>,
    pub(crate) hub: Hub,
    pub(crate) view: ConfigView,
    pub(crate) portal: Portal,
    pub(crate) stats: Arc<Stats>,
    pub(crate) mischief: Arc<Mischief>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) client: landbridge_hubspot::Client,
    pub(crate) tenant: TenantId,
    folder: tempfile::TempDir,
    worker: Option<(CancellationToken, JoinHandle<()>)>,
    loaders: u32,
    sent: u32,
    /// Outcomes seen so far in the stream.
    told: usize,
    /// How often the next loader asks how full records are.
    pub(crate) ceilings_every: Duration,
}

/// What goes wrong between the loader and the portal.
#[derive(Debug, Default)]
pub(crate) struct Mischief {
    /// Trace ids do not arrive: batches are taken whole or not at all.
    pub(crate) strip_traces: AtomicBool,
    /// So many answers to writes are lost after the portal did its part.
    pub(crate) lost_answers: AtomicU32,
    /// So many writes are refused for the burst limit.
    pub(crate) refusals: AtomicU32,
    /// The next write is not answered in time, and is carried out only after the one behind it.
    pub(crate) late: AtomicBool,
    /// The write that is carried out late: its path and its body.
    waiting: parking_lot::Mutex<Option<(String, Vec<u8>)>>,
    /// Counts updates down when set: from the last on, their answers are lost after the portal did its part.
    pub(crate) updates_until_trouble: parking_lot::Mutex<Option<u32>>,
    /// A text at which the portal fails when a write carries it.
    poison: parking_lot::Mutex<Option<String>>,
}

impl Mischief {
    fn takes_one(counter: &AtomicU32) -> bool {
        counter
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
            .is_ok()
    }

    pub(crate) fn fails_at(&self, text: &str) {
        *self.poison.lock() = Some(text.to_owned());
    }

    fn is_poisoned(&self, body: &[u8]) -> bool {
        let poison = self.poison.lock();
        let carries = |text: &String| std::str::from_utf8(body).is_ok_and(|body| body.contains(text));
        poison.as_ref().is_some_and(carries)
    }

    fn loses_update(&self) -> bool {
        match self.updates_until_trouble.lock().as_mut() {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    fn body(&self, body: &[u8]) -> Vec<u8> {
        if !self.strip_traces.load(Ordering::SeqCst) {
            return body.to_vec();
        }
        let text = std::str::from_utf8(body).unwrap();
        let mut parts = text.split("\"objectWriteTraceId\":\"");
        let mut stripped = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            stripped.push_str(part.split_once("\",").map_or("", |(_, rest)| rest));
        }
        stripped.into_bytes()
    }
}

/// Serves a portal with mischief in between; gives its address.
async fn serve(portal: Portal, mischief: Arc<Mischief>, faults: Arc<Faults>, stats: Arc<Stats>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |request: Request| {
        let (portal, mischief) = (portal.clone(), mischief.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let path = parts.uri.path_and_query().unwrap().as_str();
            let writes = path.ends_with("/upsert");
            if writes && Mischief::takes_one(&mischief.refusals) {
                let body = r#"{"message":"You have reached your secondly limit.","policyName":"SECONDLY"}"#;
                return (StatusCode::TOO_MANY_REQUESTS, body).into_response();
            }
            if writes && mischief.is_poisoned(&body) {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
            if writes && mischief.late.swap(false, Ordering::SeqCst) {
                *mischief.waiting.lock() = Some((path.to_owned(), mischief.body(&body)));
                return StatusCode::GATEWAY_TIMEOUT.into_response();
            }
            let answer = portal.answer(parts.method.as_str(), path, &parts.headers, &mischief.body(&body));
            let late = if writes {
                mischief.waiting.lock().take()
            } else {
                None
            };
            if let Some((path, body)) = late {
                let _late = portal.answer("POST", &path, &parts.headers, &body);
            }
            let is_lost = path.ends_with("/batch/update") && mischief.loses_update();
            if is_lost || (writes && Mischief::takes_one(&mischief.lost_answers)) {
                return StatusCode::BAD_GATEWAY.into_response();
            }
            answer
        }
    };
    let router = dress(axum::Router::new().fallback(answer), faults, stats);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The definition of the sync `cars`, with a lookup to companies.
const CARS: &str = r#"{
    "apiVersion": "landbridge/v1", "kind": "Sync", "metadata": { "tenant": "acme", "name": "cars" },
    "spec": { "salesforce": { "object": "Car__c" },
        "hubspot": { "objectType": "cars", "idProperty": "salesforce_id" },
        "rules": { "delete": "delete-record" },
        "associations": [{ "field": "Account__c", "to": "companies", "match": "salesforceaccountid" }],
        "fields": [{ "from": "Name", "to": "name" }, { "from": "Price__c", "to": "price" }] } }"#;

impl Rig {
    /// With a portal that behaves as said.
    pub(crate) async fn new(behaviour: Behaviour) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let config = BusConfig {
            shards: 1,
            deduplication: false,
            ..BusConfig::default()
        };
        let server = LocalServer::start(LocalServerOptions::default()).await.unwrap();
        let bus = Bus::open(&config, server.url(), "test").await.unwrap();
        let stats = Arc::new(Stats::default());
        let habits = Habits {
            lags: Lags::NONE,
            behaviour,
            ..Habits::default()
        };
        let portal_config = PortalConfig {
            limits: Limits::Off,
            habits,
            ..PortalConfig::default()
        };
        let portal = Portal::with_config(portal_config, stats.clone());
        let mischief = Arc::new(Mischief::default());
        let faults = Arc::new(Faults::new(landbridge_sandbox::hubspot::fault_body));
        let url = serve(portal.clone(), mischief.clone(), faults.clone(), stats.clone()).await;
        let token = portal.credentials().token;
        let secret = landbridge_hubspot::Secret::new(token.clone());
        let credentials = landbridge_hubspot::Credentials::Token(secret);
        let settings = landbridge_hubspot::Settings::new(url.parse().unwrap(), credentials);
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("loader.key");
        let key = KeyPair::load_or_create(&key_file).unwrap();
        let tenant = TenantId::new("acme").unwrap();
        let credentials = serde_json::to_vec(&HubSpotCredentials::Token { token }).unwrap();
        let sealed = key.public().seal(&credentials).unwrap();
        SecretOpener::store(&bus, &tenant, Side::HubSpot, &sealed)
            .await
            .unwrap();
        let rig = Self {
            key: std::fs::read(&key_file).unwrap().into(),
            hub: Hub::new(bus.clone()),
            view: ConfigView::open(&bus).await.unwrap(),
            client: landbridge_hubspot::Client::new(settings).unwrap(),
            server,
            config,
            portal,
            stats,
            mischief,
            faults,
            tenant,
            folder,
            worker: None,
            loaders: 0,
            sent: 0,
            told: 0,
            ceilings_every: LoaderSettings::default().ceilings_every,
        };
        rig.put_tenant(url).await;
        rig
    }

    /// With the sync `cars` ready and a loader at work.
    pub(crate) async fn ready(behaviour: Behaviour) -> Self {
        let mut rig = Self::new(behaviour).await;
        rig.start().await;
        rig.put_sync().await;
        rig
    }

    async fn put_tenant(&self, url: String) {
        let tenant = Tenant {
            id: self.tenant.clone(),
            salesforce: SalesforceConnection {
                login_url: String::new(),
                org_id: None,
                daily_calls: None,
                change_events: true,
                pubsub_url: None,
                adopted_ms: None,
            },
            hubspot: HubSpotConnection {
                base_url: url,
                portal_id: None,
                calls_per_ten_seconds: None,
                api_version: None,
            },
            suspended: None,
        };
        let put = |_: Option<Tenant>| Ok::<_, std::convert::Infallible>(Some(tenant.clone()));
        let _stored = self.view.change_tenant(&self.tenant, put).await.unwrap();
    }

    /// Changes how the tenant reaches its portal.
    pub(crate) async fn change_connection(
        &self,
        change: impl Fn(&mut HubSpotConnection) + std::marker::Sync,
    ) {
        let put = |stored: Option<Tenant>| {
            let mut tenant = stored.unwrap();
            change(&mut tenant.hubspot);
            Ok::<_, std::convert::Infallible>(Some(tenant))
        };
        let _stored = self.view.change_tenant(&self.tenant, put).await.unwrap();
    }

    /// Asks the loader.
    pub(crate) async fn ask<Q: Question>(&self, question: &Q) -> Q::Answer {
        self.hub
            .ask(StageKind::Loader, &self.tenant, question, PATIENCE)
            .await
            .unwrap()
    }

    /// Creates the object type.
    pub(crate) async fn create_cars(&self) -> ObjectSchema {
        let schema = serde_json::json!({
            "name": "cars", "labels": { "singular": "Car", "plural": "Cars" },
            "primaryDisplayProperty": "name", "requiredProperties": [], "searchableProperties": [],
            "secondaryDisplayProperties": [], "allowsSensitiveProperties": false,
            "associatedObjects": ["0-2"],
            "properties": [
                { "name": "name", "label": "Name", "type": "string", "fieldType": "text" },
                { "name": "price", "label": "Price", "type": "number", "fieldType": "number" },
            ],
        });
        self.ask(&CreateObjectType { schema }).await
    }

    /// Creates the object type, lets the loader provision it, and stores the sync.
    pub(crate) async fn put_sync(&self) {
        let created = self.create_cars().await;
        let provision = Provision {
            object_type: created.object_type_id.clone(),
            id_property: "salesforce_id".to_owned(),
            associations: vec![WantedAssociation {
                field: "Account__c".to_owned(),
                target: None,
                to: ObjectTypeId::new("0-2"),
                match_property: "salesforceaccountid".to_owned(),
                label: None,
            }],
            options: Vec::new(),
        };
        // The property of HubSpot's own integration appears with its first company.
        self.portal.put_company("First", "001000000000001AAA");
        let first = self.ask(&provision).await;
        assert_eq!(first.created.len(), 2, "{:?}", first.created);
        let provisioned: Provisioned = self.ask(&provision).await;
        assert!(
            provisioned.created.is_empty(),
            "the second time everything is there: {:?}",
            provisioned.created
        );
        let definition: SyncDefinition = serde_json::from_str(CARS).unwrap();
        let key = definition.key();
        let object: ObjectDescribe = serde_json::from_str(
            r#"{"name":"Car__c","label":"Car","custom":true,"queryable":true,"fields":[]}"#,
        )
        .unwrap();
        let sync = Sync {
            definition,
            revision: Revision(1),
            status: SyncStatus::Active,
            reason: None,
            resolved: Some(Resolved {
                object,
                parent_fields: Vec::new(),
                object_type: provisioned.object_type,
                associations: provisioned.associations,
            }),
            activation: 1,
        };
        let put = |_: Option<Sync>| Ok::<_, std::convert::Infallible>(Some(sync.clone()));
        let _stored = self.view.change_sync(&key, put).await.unwrap();
    }

    /// Changes the sync's rules; the next loader sees them.
    pub(crate) async fn change_rules(&mut self, change: fn(&mut Rules)) {
        let key = landbridge_model::SyncKey {
            tenant: self.tenant.clone(),
            name: SyncName::new("cars").unwrap(),
        };
        let put = |stored: Option<Sync>| {
            let mut sync = stored.unwrap();
            change(&mut sync.definition.spec.rules);
            Ok::<_, std::convert::Infallible>(Some(sync))
        };
        let _stored = self.view.change_sync(&key, put).await.unwrap();
        self.restart_cold().await;
    }

    /// Starts a loader with an empty cache.
    pub(crate) async fn start(&mut self) {
        self.loaders += 1;
        self.start_again().await;
    }

    /// Starts the loader before once more, with what its cache holds.
    pub(crate) async fn start_again(&mut self) {
        let name = format!("loader-{}", self.loaders);
        let bus = Bus::open(&self.config, self.server.url(), &name).await.unwrap();
        let key_file = self.folder.path().join("loader.key");
        std::fs::write(&key_file, &self.key).unwrap();
        let runtime = WorkerRuntime {
            hub: Hub::new(bus.clone()),
            config: ConfigView::open(&bus).await.unwrap(),
            caches: Caches::open(&self.folder.path().join(&name), 8 << 20).unwrap(),
            worker: WorkerId::new(name),
            secrets: SecretOpener::new(bus, Some(KeyPair::load_or_create(&key_file).unwrap())),
            call_timeout: Duration::from_millis(200),
            drain_timeout: Duration::from_secs(10),
            lanes: LaneSettings::default(),
            owned: Arc::new(watch::channel(OwnedShards::default()).0),
        };
        let stop = CancellationToken::new();
        let settings = LoaderSettings {
            call_timeout: Duration::from_secs(5),
            ceilings_every: self.ceilings_every,
            ..LoaderSettings::default()
        };
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { run(Loader::new(settings), runtime, stop).await.unwrap() }
        });
        self.worker = Some((stop, task));
    }

    /// Stops the loader in peace.
    pub(crate) async fn stop(&mut self) {
        let (stop, task) = self.worker.take().unwrap();
        stop.cancel();
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
    }

    /// The next loader finds an empty cache.
    pub(crate) async fn restart_cold(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// Changes the object type that the stored sync was resolved against.
    pub(crate) async fn change_type(&self, change: fn(&mut ObjectSchema)) {
        let key = landbridge_model::SyncKey {
            tenant: self.tenant.clone(),
            name: SyncName::new("cars").unwrap(),
        };
        let put = |stored: Option<Sync>| {
            let mut sync = stored.unwrap();
            change(&mut sync.resolved.as_mut().unwrap().object_type);
            Ok::<_, std::convert::Infallible>(Some(sync))
        };
        let _stored = self.view.change_sync(&key, put).await.unwrap();
    }

    /// Puts the stored sync beside itself as the draft of a dry run, with what is said to be missing of it.
    pub(crate) async fn put_draft(&self, missing: Missing, detail_bytes: usize) {
        let name = SyncName::new("cars").unwrap();
        let draft = Draft {
            run: RunId::new("dry").unwrap(),
            sync: (*self.view.sync(&self.tenant, &name).unwrap()).clone(),
            missing,
            detail_bytes,
            over: false,
        };
        let ttl = Duration::from_secs(600);
        self.view.put_draft(&draft, ttl).await.unwrap();
    }

    /// What a dry run makes of a batch.
    pub(crate) async fn predicted(&mut self, mut batch: WriteBatch) -> Vec<PredictedRecord> {
        batch.envelope = Envelope {
            source: Source::DryRun,
            run: Some(RunId::new("dry").unwrap()),
            ..self.envelope(Purpose::Compare)
        };
        self.write(Lane::Check, &batch).await;
        let is_it = |report: &Report| matches!(report.body, ReportBody::Predicted(_));
        let reports = self.reports(|reports| reports.iter().any(is_it)).await;
        let predicted = reports.into_iter().find_map(|report| match report.body {
            ReportBody::Predicted(predicted) => Some(predicted),
            _ => None,
        });
        predicted.unwrap()
    }

    pub(crate) fn envelope(&self, purpose: Purpose) -> Envelope {
        Envelope {
            tenant: self.tenant.clone(),
            sync: SyncName::new("cars").unwrap(),
            revision: Revision(1),
            purpose,
            source: Source::Import,
            run: None,
            force: false,
            only: None,
        }
    }

    /// Stores an import that keeps what was there before it.
    pub(crate) async fn put_import(&self, id: &str) {
        let id = ImportId::new(id).unwrap();
        let import = Import {
            id: id.clone(),
            tenant: self.tenant.clone(),
            sync: SyncName::new("cars").unwrap(),
            revision: Revision(1),
            wish: ImportWish::Run,
            overwrite: false,
            only: None,
            keep_before: true,
            undo_ms: None,
            started_by: "test".to_owned(),
            started_ms: 0,
            continues: None,
            after: Vec::new(),
        };
        let put = |_: Option<Import>| Ok::<_, std::convert::Infallible>(Some(import.clone()));
        let _stored = self.view.change_import(&self.tenant, &id, put).await.unwrap();
    }

    /// Puts a batch into a lane.
    pub(crate) async fn write(&mut self, lane: Lane, batch: &WriteBatch) {
        self.sent += 1;
        let subject = self.hub.writes(&self.tenant, lane);
        self.hub
            .send(&subject, &format!("write {}", self.sent), batch)
            .await
            .unwrap();
    }

    /// A batch of upserts: serial number, stamp, name, price.
    pub(crate) fn cars(&self, rows: &[(u32, i64, &str, Option<&str>)]) -> WriteBatch {
        let mut table = Table::with_columns(["name", "price"]);
        for (_, _, name, price) in rows {
            table.push_row([Some(*name), *price]);
        }
        WriteBatch {
            envelope: self.envelope(Purpose::Apply),
            ids: rows.iter().map(|row| car(row.0)).collect(),
            versions: rows.iter().map(|row| Version::new(row.1, 0)).collect(),
            kinds: vec![ChangeKind::Upsert; rows.len()],
            table,
            links: Table::default(),
        }
    }

    /// Writes a batch and gives the outcomes in the order of its rows.
    pub(crate) async fn apply(&mut self, lane: Lane, batch: &WriteBatch) -> Vec<RecordOutcome> {
        self.write(lane, batch).await;
        let mut told = BTreeMap::new();
        let wanted = batch.ids.len();
        let reports = self.reports(|reports| {
            let records = |report: &Report| match &report.body {
                ReportBody::Records(records) => records.len(),
                _ => 0,
            };
            reports.iter().map(records).sum::<usize>() >= wanted
        });
        for report in reports.await {
            if let ReportBody::Records(records) = report.body {
                told.extend(records.into_iter().map(|record| (record.id, record)));
            }
        }
        batch.ids.iter().map(|id| told[id].clone()).collect()
    }

    /// Waits until every message of the lanes is acknowledged.
    pub(crate) async fn acknowledged(&self) {
        let shard = self.hub.shard_of(&self.tenant);
        let filter = Filter::tenant(StreamName::Writes, shard, &self.tenant);
        self.until(async |rig| rig.hub.bus().counts(&filter).await.unwrap().is_empty())
            .await;
    }

    /// Waits for a state.
    pub(crate) async fn until(&self, reached: impl AsyncFn(&Self) -> bool) {
        let waiting = async {
            while !reached(self).await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the state comes about in time");
    }

    /// New reports until there are enough.
    pub(crate) async fn reports(&mut self, enough: impl Fn(&[Report]) -> bool) -> Vec<Report> {
        let shard = self.hub.shard_of(&self.tenant);
        let filter = Filter::exact(&Subject::Outcomes {
            shard,
            tenant: self.tenant.clone(),
        });
        let mut follow = self.hub.bus().follow(&filter, FollowFrom::Start).await.unwrap();
        let waiting = async {
            let (mut seen, mut new) = (0, Vec::new());
            while !enough(&new) {
                if let Followed::Message(stored) = follow.next().await {
                    seen += 1;
                    if seen > self.told {
                        new.push(Report::decode(&stored.payload).unwrap());
                    }
                }
            }
            (seen.max(self.told), new)
        };
        let (told, new) = tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the loader reports in time");
        self.told = told;
        new
    }

    pub(crate) async fn link_verdicts(&mut self, wanted: usize) -> Vec<LinkVerdict> {
        let links = |report: Report| match report.body {
            ReportBody::Links(links) => links,
            _ => Vec::new(),
        };
        let reports = self.reports(|reports| {
            reports
                .iter()
                .cloned()
                .map(|report| links(report).len())
                .sum::<usize>()
                >= wanted
        });
        reports.await.into_iter().flat_map(links).collect()
    }

    pub(crate) async fn compared(&mut self) -> Compared {
        let is_compared = |report: &Report| matches!(report.body, ReportBody::Compared(_));
        let reports = self.reports(|reports| reports.iter().any(is_compared)).await;
        let compared = reports.into_iter().find_map(|report| match report.body {
            ReportBody::Compared(compared) => Some(compared),
            _ => None,
        });
        compared.unwrap()
    }

    /// Lets a record of one type have so many plain associations with another.
    pub(crate) async fn limit_associations(&self, from: &ObjectTypeId, to: &ObjectTypeId, most: u32) {
        let labels = self.client.labels(landbridge_hubspot::Share::Live, from, to);
        let labels = labels.await.unwrap();
        let plain = labels.iter().find(|one| one.label.is_none()).unwrap();
        let body = serde_json::json!({ "inputs": [{
            "category": plain.kind.category, "typeId": plain.kind.type_id, "maxToObjectIds": most,
        }] });
        let path = format!("/crm/associations/2026-09/definitions/configurations/{from}/{to}/batch/create");
        let mut headers = axum::http::HeaderMap::new();
        let bearer = format!("Bearer {}", self.portal.credentials().token);
        headers.insert("authorization", bearer.parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        let answer = self
            .portal
            .answer("POST", &path, &headers, body.to_string().as_bytes());
        assert!(answer.status().is_success(), "{}", answer.status());
    }

    /// Waits until people are told that records are full, in these words; gives all that they are told of it.
    pub(crate) async fn full_condition(&self, words: &str) -> String {
        // Whatever is asked of it opens the portal.
        let _opened = self.ask(&landbridge_model::ask::TestHubSpot {}).await;
        let waiting = async {
            loop {
                let status = self.ask(&landbridge_model::ask::AskStatus {}).await;
                let mut conditions = status.conditions.into_iter();
                let full = |one: &landbridge_model::ask::Condition| {
                    one.kind == landbridge_model::ask::ConditionKind::Full && one.text.contains(words)
                };
                if let Some(found) = conditions.find(full) {
                    return found.text;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("people are told in time")
    }

    /// Lets so many calls of a place go wrong; with `effect`, after the portal did its part.
    pub(crate) fn fault(&self, place: &str, what: Fault, times: u32, effect: bool) {
        self.faults.add(vec![FaultSpec {
            place: place.to_owned(),
            what,
            times: Some(times),
            after: 0,
            for_ms: None,
            effect,
            body: None,
            headers: BTreeMap::new(),
        }]);
    }

    /// Calls that the portal has counted, by family.
    pub(crate) fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.stats.counts().by_family.into_iter().collect()
    }

    /// The id of the type `cars`.
    pub(crate) fn object_type(&self) -> ObjectTypeId {
        let sync = self
            .view
            .sync(&self.tenant, &SyncName::new("cars").unwrap())
            .unwrap();
        sync.resolved.as_ref().unwrap().object_type.object_type_id.clone()
    }

    /// A car's name and price in HubSpot.
    pub(crate) async fn stored(&self, serial: u32) -> Option<(String, String)> {
        let [name, price] = self.values(serial, ["name", "price"]).await?;
        Some((name, price))
    }

    /// Some of a car's values in HubSpot.
    pub(crate) async fn values<const N: usize>(&self, serial: u32, wanted: [&str; N]) -> Option<[String; N]> {
        let id = car(serial);
        let reply = self
            .client
            .read_records(
                landbridge_hubspot::Share::Live,
                &self.object_type(),
                Some("salesforce_id"),
                &[id.as_str()],
                &wanted,
            )
            .await
            .unwrap();
        let answer = reply.records(&wanted).unwrap();
        let record = answer.results.first()?;
        Some(std::array::from_fn(|at| {
            record.values[at].as_deref().unwrap_or_default().to_owned()
        }))
    }
}

/// A car's Salesforce id.
pub(crate) fn car(serial: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a00{serial:012}")).unwrap()
}

/// An account's Salesforce id.
pub(crate) fn account(serial: u32) -> SalesforceId {
    SalesforceId::parse(&format!("001{serial:012}")).unwrap()
}

pub(crate) fn outcomes(records: &[RecordOutcome]) -> Vec<Outcome> {
    records.iter().map(|record| record.outcome).collect()
}
