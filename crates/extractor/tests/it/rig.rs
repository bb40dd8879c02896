//! A small installation: a real bus, a rehearsal org, the extractor, and a mapper that only writes down what it gets.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use landbridge_bus::seal::KeyPair;
use landbridge_bus::{
    Bus, BusConfig, FollowFrom, Followed, LocalServer, LocalServerOptions, StreamName, WorkerId,
};
use landbridge_extractor::{Extractor, ExtractorSettings, StreamSettings};
use landbridge_model::ask::{AskStatus, DescribeObject, StreamState, StreamStatus};
use landbridge_model::config::{
    HubSpotConnection, Import, ImportWish, SalesforceConnection, SalesforceCredentials, Sync, Tenant,
};
use landbridge_model::{ImportId, Revision, SalesforceId, StageKind, SyncKey, SyncName, TenantId};
use landbridge_salesforce::{Client, ClientConfig, Flow, Secret};
use landbridge_sandbox::salesforce::pubsub::PubSubHabits;
use landbridge_sandbox::{Sandbox, SandboxConfig};
use landbridge_stage::{
    Caches, ConfigView, Hub, LaneSettings, OwnedShards, SecretOpener, Side, StageError, Worker,
    WorkerRuntime, run,
};
use landbridge_wire::{Report, ReportBody, Wire};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Ledger, Recorder};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Longer than any test lasts.
const RARELY: Duration = Duration::from_secs(3_600);

/// A worker at work.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), StageError>>,
    owned: watch::Receiver<OwnedShards>,
    _folder: tempfile::TempDir,
}

impl Running {
    pub(crate) async fn ready(&mut self) {
        let ready = self
            .owned
            .wait_for(|owned| owned.is_ready() && !owned.open.is_empty());
        tokio::time::timeout(DEADLINE, ready).await.unwrap().unwrap();
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// Ends it in the middle of whatever it does: nothing is released, nothing said.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub(crate) struct Rig {
    pub(crate) sandbox: Sandbox,
    pub(crate) hub: Hub,
    pub(crate) config: ConfigView,
    pub(crate) ledger: Ledger,
    pub(crate) settings: ExtractorSettings,
    bus_config: BusConfig,
    key: String,
    server: LocalServer,
    mapper: Option<Running>,
}

/// Looks until there is what is wanted; what cannot tell of its changes has to be looked at. Panics after [`DEADLINE`].
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(DEADLINE, looking).await;
    found.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub(crate) fn key() -> SyncKey {
    SyncKey {
        tenant: tenant(),
        name: SyncName::new("vehicles").unwrap(),
    }
}

impl Rig {
    pub(crate) async fn new(sandbox: SandboxConfig) -> Self {
        Self::start(sandbox, false).await
    }

    /// One that hears of changes by change events, and polls beside them so rarely that no test lives to see it.
    pub(crate) async fn with_change_events(sandbox: SandboxConfig) -> Self {
        let mut rig = Self::start(sandbox, true).await;
        rig.settings.stream = StreamSettings {
            poll_interval: RARELY,
            window: Duration::from_millis(100),
            first_pause: Duration::from_millis(50),
            longest_pause: Duration::from_millis(400),
            first_probe: Duration::from_millis(100),
            longest_probe: Duration::from_millis(400),
            ..StreamSettings::default()
        };
        rig
    }

    async fn start(sandbox: SandboxConfig, change_events: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(sandbox).await.unwrap();
        let bus_config = BusConfig {
            shards: 2,
            lease_ttl: Duration::from_secs(2),
            ..BusConfig::default()
        };
        let server = LocalServer::start(LocalServerOptions::default()).await.unwrap();
        let bus = Bus::open(&bus_config, server.url(), "test").await.unwrap();
        let config = ConfigView::open(&bus).await.unwrap();
        let ledger = Ledger::default();
        let pair_folder = tempfile::tempdir().unwrap();
        let key_file = pair_folder.path().join("extractor.key");
        let pair = KeyPair::load_or_create(&key_file).unwrap();
        let key = std::fs::read_to_string(&key_file).unwrap();
        store_tenant(&bus, &config, &sandbox, &pair, change_events).await;
        let mut mapper = start(
            Recorder(ledger.clone()),
            &bus_config,
            server.url(),
            "mapper",
            None,
        )
        .await;
        let settings = ExtractorSettings {
            poll_interval: Duration::from_millis(200),
            lag: Duration::from_secs(1),
            overlap: Duration::from_secs(20),
            settle_interval: Duration::from_secs(300),
            batch_rows: 100,
            bulk_from: 500,
            ..ExtractorSettings::default()
        };
        mapper.ready().await;
        Self {
            sandbox,
            hub: Hub::new(bus),
            config,
            ledger,
            settings,
            bus_config,
            key,
            server,
            mapper: Some(mapper),
        }
    }

    /// Starts an extractor and waits until it owns its shards.
    pub(crate) async fn extractor(&self, name: &str) -> Running {
        let worker = Extractor::new(self.settings.clone());
        let pair = KeyPair::from_secret(&landbridge_bus::Secret::new(self.key.trim())).unwrap();
        let mut running = start(worker, &self.bus_config, self.server.url(), name, Some(pair)).await;
        running.ready().await;
        running
    }

    /// Another worker beside it, ready to work.
    pub(crate) async fn start_worker<W: Worker>(&self, worker: W, name: &str) -> Running {
        let mut running = start(worker, &self.bus_config, self.server.url(), name, None).await;
        running.ready().await;
        running
    }

    /// Ends the mapper: lanes fill from here on.
    pub(crate) async fn stop_mapper(&mut self) {
        self.mapper.take().unwrap().stop().await;
    }

    /// A mapper again.
    pub(crate) async fn start_mapper(&mut self) {
        let worker = Recorder(self.ledger.clone());
        let mut mapper = start(worker, &self.bus_config, self.server.url(), "mapper-2", None).await;
        mapper.ready().await;
        self.mapper = Some(mapper);
    }

    /// Messages in the lanes of changes.
    async fn changes(&self) -> u64 {
        self.hub.count(StreamName::Changes, &tenant()).await.unwrap()
    }

    /// Waits until no change is on its way.
    pub(crate) async fn lanes_are_empty(&self) {
        until("the lanes to be empty", async || {
            (self.changes().await == 0).then_some(())
        })
        .await;
    }

    /// Where an import is, once its checkpoint says that rows are on the bus.
    pub(crate) async fn checkpoint_with_rows(&self, id: &ImportId) -> serde_json::Value {
        let kv = self.hub.bus().kv(landbridge_bus::Bucket::Checkpoints);
        let key = landbridge_bus::Key::new(["import", "acme", id.as_str()]);
        until("a checkpoint with rows", async || {
            let stored: Option<(serde_json::Value, _)> = kv.get_json(&key).await.unwrap();
            let (checkpoint, _) = stored?;
            (checkpoint["job"]["position"]["rows"].as_u64() > Some(0)).then_some(checkpoint)
        })
        .await
    }

    /// Sets what no real org lets be set, such as the pace of its clock.
    pub(crate) async fn set_up_org(&self, settings: serde_json::Value) {
        let set = self.impatient_org();
        set.post_to("/__sandbox/settings", settings).await.unwrap();
    }

    /// Changes the org's schema while it runs.
    pub(crate) async fn edit_schema(&self, edit: serde_json::Value) {
        self.org().post_to("/__sandbox/schema", edit).await.unwrap();
    }

    /// Waits until a lane of changes holds as many messages as it may.
    pub(crate) async fn lane_is_full(&self) {
        let full = u64::from(self.bus_config.lane_capacity);
        until("a full lane", async || {
            (self.changes().await >= full).then_some(())
        })
        .await;
    }

    /// Changes what the org's change events are like.
    pub(crate) fn events(&self, change: impl FnOnce(&mut PubSubHabits)) {
        let bus = &self.sandbox.org().events();
        let mut habits = bus.habits();
        change(&mut habits);
        bus.set_habits(habits).unwrap();
    }

    /// Waits until the sync's change events stand like this.
    pub(crate) async fn stream(&self, what: &str, wanted: impl Fn(&StreamStatus) -> bool) -> StreamStatus {
        until(what, async || {
            let (acme, question) = (tenant(), AskStatus {});
            let asked = self.hub.ask(StageKind::Extractor, &acme, &question, DEADLINE);
            let status = asked.await.ok()?;
            let live = status.live.into_iter().find(|live| live.sync == key().name)?;
            live.stream.filter(|stream| wanted(stream))
        })
        .await
    }

    /// Waits until change events come, and the increment rests beside them.
    pub(crate) async fn increment_rests(&self) {
        self.streams().await;
        // Asked to pass two seconds more than now, with windows that end a second behind the clock and are cut by whole ones.
        for _ in 0..6 {
            self.second_is_over().await;
        }
    }

    /// Waits until change events come.
    pub(crate) async fn streams(&self) {
        self.stream("change events", |stream| stream.state == StreamState::Streaming)
            .await;
    }

    /// A client of the rehearsal org, as an integration of the customer's would have.
    pub(crate) fn org(&self) -> Client {
        let access = &self.sandbox.announcement().salesforce;
        let flow = Flow::ClientCredentials {
            client_id: access.client_id.clone(),
            client_secret: Secret::new(access.client_secret.clone()),
        };
        Client::new(ClientConfig::new(access.login_url.parse().unwrap(), flow)).unwrap()
    }

    /// A client that takes no care of how much an org can do at once, and tries once.
    pub(crate) fn impatient_org(&self) -> Client {
        let mut config = self.org().config().clone();
        config.calls_at_once = 1_000;
        config.retry = landbridge_salesforce::RetryPolicy::once();
        Client::new(config).unwrap()
    }

    /// Waits until the org's clock shows another second than now.
    pub(crate) async fn second_is_over(&self) {
        let org = self.org();
        let second = || async { org.org_now().await.unwrap().as_second() };
        let began = second().await;
        until("the org's next second", async || {
            (second().await != began).then_some(())
        })
        .await;
    }

    /// Stores the sync of vehicles, resolved by asking the extractor.
    pub(crate) async fn store_sync(&self, status: &str, filter: serde_json::Value) {
        let question = DescribeObject {
            object: "Vehicle__c".into(),
        };
        let object = self
            .hub
            .ask(StageKind::Extractor, &tenant(), &question, DEADLINE)
            .await
            .unwrap();
        let parent = object.field("Name").unwrap().clone();
        let mut spec = serde_json::json!({
            "salesforce": { "object": "Vehicle__c" },
            "hubspot": { "objectType": "vehicles" },
            "associations": [{ "field": "Depot__c", "to": "depots" }],
            "fields": [
                { "from": "Name", "to": "name" },
                { "from": "Price__c", "to": "price" },
                { "from": "Fuel__c", "to": "fuel" },
                { "from": "Notes__c", "to": "notes" },
                { "from": "Last_Service_At__c", "to": "last_service" },
                { "from": "Mileage__c", "to": "mileage" },
                { "from": "Active__c", "to": "active" },
                { "from": "Depot__r.Name", "to": "depot_name" },
            ],
        });
        if !filter.is_null() {
            spec["filter"] = filter;
        }
        let sync: Sync = serde_json::from_value(serde_json::json!({
            "definition": {
                "apiVersion": "landbridge/v1", "kind": "Sync",
                "metadata": { "tenant": "acme", "name": "vehicles" }, "spec": spec,
            },
            "revision": 1,
            "status": status,
            "activation": 1,
            "resolved": {
                "object": object,
                "parent_fields": [{ "path": "Depot__r.Name", "field": parent }],
                "object_type": { "objectTypeId": "2-1", "name": "vehicles", "properties": [] },
                "associations": [],
            },
        }))
        .unwrap();
        self.config
            .change_sync(&key(), |_| Ok::<_, ()>(Some(sync.clone())))
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn change_sync(&self, change: impl Fn(&mut Sync) + Send + std::marker::Sync) {
        let key = key();
        let changed = self.config.change_sync(&key, |sync| {
            let mut sync = sync.ok_or(())?;
            change(&mut sync);
            Ok::<_, ()>(Some(sync))
        });
        changed.await.unwrap().unwrap();
    }

    pub(crate) async fn start_import(&self, id: &str) -> ImportId {
        self.store_import(id, ImportWish::Run, None).await
    }

    /// Starts an import that goes on with another.
    pub(crate) async fn start_import_after(&self, id: &str, continues: Option<&ImportId>) -> ImportId {
        self.store_import(id, ImportWish::Run, continues).await
    }

    pub(crate) async fn store_import(
        &self,
        id: &str,
        wish: ImportWish,
        continues: Option<&ImportId>,
    ) -> ImportId {
        self.store_import_of(&key().name, id, wish, continues, &[]).await
    }

    /// An import of a sync that is read after others.
    pub(crate) async fn store_import_of(
        &self,
        sync: &SyncName,
        id: &str,
        wish: ImportWish,
        continues: Option<&ImportId>,
        after: &[&ImportId],
    ) -> ImportId {
        let id: ImportId = id.parse().unwrap();
        let import = Import {
            id: id.clone(),
            tenant: tenant(),
            sync: sync.clone(),
            revision: Revision(1),
            wish,
            overwrite: false,
            only: None,
            started_by: "test".into(),
            started_ms: self.hub.now_ms(),
            continues: continues.cloned(),
            after: after.iter().map(|id| (*id).clone()).collect(),
            keep_before: false,
            undo_ms: None,
        };
        let tenant = tenant();
        let stored = self
            .config
            .change_import(&tenant, &id, |_| Ok::<_, ()>(Some(import.clone())));
        stored.await.unwrap().unwrap();
        id
    }

    /// Stores the sync of vehicles once more, by another name.
    pub(crate) async fn copy_sync(&self, name: &str) -> SyncName {
        let copied = self.config.sync(&tenant(), &key().name);
        let name = SyncName::new(name).unwrap();
        let copy = SyncKey {
            tenant: tenant(),
            name: name.clone(),
        };
        let mut sync = Sync::clone(&copied.unwrap());
        sync.definition.metadata.name = name.clone();
        let stored = self
            .config
            .change_sync(&copy, |_| Ok::<_, ()>(Some(sync.clone())));
        stored.await.unwrap().unwrap();
        name
    }

    pub(crate) async fn cancel_import(&self, id: &ImportId) {
        self.wish(id, ImportWish::Cancel).await;
    }

    /// Says what is wanted of an import.
    pub(crate) async fn wish(&self, id: &ImportId, wish: ImportWish) {
        let tenant = tenant();
        let changed = self.config.change_import(&tenant, id, |import| {
            let mut import = import.ok_or(())?;
            import.wish = wish;
            Ok::<_, ()>(Some(import))
        });
        changed.await.unwrap().unwrap();
    }

    /// All reports so far.
    pub(crate) async fn reports(&self) -> Vec<Report> {
        let filter = landbridge_bus::Filter::whole(StreamName::Outcomes);
        let stored = self.hub.bus().list(&filter).await.unwrap();
        stored
            .iter()
            .map(|stored| Report::decode(&stored.payload).unwrap())
            .collect()
    }

    /// Reads reports from the beginning until one is as wanted; gives all of them.
    pub(crate) async fn reports_until(&self, what: &str, wanted: impl Fn(&Report) -> bool) -> Vec<Report> {
        let filter = landbridge_bus::Filter::whole(StreamName::Outcomes);
        let mut follow = self.hub.bus().follow(&filter, FollowFrom::Start).await.unwrap();
        let mut reports = Vec::new();
        let reading = async {
            loop {
                if let Followed::Message(stored) = follow.next().await {
                    let report = Report::decode(&stored.payload).unwrap();
                    let found = wanted(&report);
                    reports.push(report);
                    if found {
                        return;
                    }
                }
            }
        };
        if tokio::time::timeout(DEADLINE, reading).await.is_err() {
            panic!("{what} was not reported; {} reports: {reports:?}", reports.len());
        }
        reports
    }

    /// Ids of all live vehicles, by the org itself.
    pub(crate) async fn vehicles(&self) -> BTreeSet<SalesforceId> {
        let columns = landbridge_salesforce::Columns::text(["Id"]);
        let (org, mut ids, mut after) = (self.org(), BTreeSet::new(), None);
        loop {
            let text = landbridge_salesforce::soql::by_id("Vehicle__c", &columns, None, after.as_ref(), 2000);
            let mut page = org
                .query(landbridge_salesforce::Scope::Live, &text, &columns)
                .await
                .unwrap();
            let before = ids.len();
            loop {
                ids.extend(
                    page.rows
                        .at(0)
                        .iter()
                        .map(|id| SalesforceId::parse(id.unwrap()).unwrap()),
                );
                let Some(next) = page.next else { break };
                page = org.query_next(&next, &columns).await.unwrap();
            }
            if ids.len() == before {
                return ids;
            }
            after = ids.last().copied();
        }
    }
}

/// Ids that were reported as extracted.
pub(crate) fn extracted(reports: &[Report]) -> BTreeSet<SalesforceId> {
    let ids = reports.iter().filter_map(|report| match &report.body {
        ReportBody::Extracted(rows) => Some(rows.iter().map(|row| row.id)),
        _ => None,
    });
    ids.flatten().collect()
}

async fn store_tenant(
    bus: &Bus,
    config: &ConfigView,
    sandbox: &Sandbox,
    pair: &KeyPair,
    change_events: bool,
) {
    let access = &sandbox.announcement().salesforce;
    let new = Tenant {
        id: tenant(),
        salesforce: SalesforceConnection {
            login_url: access.login_url.clone(),
            org_id: None,
            daily_calls: None,
            change_events,
            pubsub_url: access.pubsub.clone(),
            adopted_ms: None,
        },
        hubspot: HubSpotConnection {
            base_url: sandbox.announcement().hubspot.base_url.clone(),
            portal_id: None,
            calls_per_ten_seconds: None,
            api_version: None,
        },
        suspended: None,
    };
    config
        .change_tenant(&tenant(), |_| Ok::<_, ()>(Some(new.clone())))
        .await
        .unwrap()
        .unwrap();
    let credentials = SalesforceCredentials::ClientCredentials {
        client_id: access.client_id.clone(),
        client_secret: access.client_secret.clone(),
    };
    let sealed = pair
        .public()
        .seal(&serde_json::to_vec(&credentials).unwrap())
        .unwrap();
    SecretOpener::store(bus, &tenant(), Side::Salesforce, &sealed)
        .await
        .unwrap();
}

async fn start<W: Worker>(
    worker: W,
    config: &BusConfig,
    url: &str,
    name: &str,
    pair: Option<KeyPair>,
) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let bus = Bus::open(config, url, name).await.unwrap();
    let (owned, seen) = watch::channel(OwnedShards::default());
    let runtime = WorkerRuntime {
        hub: Hub::new(bus.clone()),
        config: ConfigView::open(&bus).await.unwrap(),
        caches: Caches::open(&folder.path().join("cache"), 8 << 20).unwrap(),
        worker: WorkerId::new(name),
        secrets: SecretOpener::new(bus, pair),
        call_timeout: Duration::from_millis(200),
        drain_timeout: Duration::from_secs(10),
        lanes: LaneSettings::default(),
        owned: Arc::new(owned),
    };
    let stop = CancellationToken::new();
    let task = tokio::spawn(run(worker, runtime, stop.clone()));
    Running {
        stop,
        task,
        owned: seen,
        _folder: folder,
    }
}
