//! A server, a mapper at work, and readers of what it sends.

use std::sync::Arc;
use std::time::Duration;

use landbridge_bus::{
    Bus, BusConfig, ConsumeSettings, Epoch, Filter, Follow, FollowFrom, Followed, LaneConsumer, LocalServer,
    LocalServerOptions, Message, Queue, StreamName, WorkerId,
};
use landbridge_mapper::Mapper;
use landbridge_model::config::{
    Draft, HubSpotConnection, Missing, Resolved, SalesforceConnection, Sync, SyncStatus, Tenant,
};
use landbridge_model::ids::{ObjectTypeId, Revision, RunId};
use landbridge_model::{
    Association, ChangeBatch, ChangeKind, Envelope, Lane, Purpose, SalesforceId, Shard, Source, StageKind,
    SyncKey, SyncName, Table, TenantId, Version, yaml,
};
use landbridge_stage::{
    Caches, ConfigView, Hub, LaneSettings, Metrics, OwnedShards, SecretOpener, WorkerRuntime, run,
};
use landbridge_wire::{Report, Wire};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SYNC: &str = r#"
apiVersion: landbridge/v1
kind: Sync
metadata: { tenant: acme, name: vehicles }
spec:
  salesforce: { object: Vehicle__c }
  hubspot: { objectType: vehicles }
  filter: { all: [ { field: Status__c, op: not-equals, value: Scrapped } ] }
  associations: [ { field: Depot__c, to: depots } ]
  fields: [ { from: Name, to: name }, { from: Price__c, to: price } ]
"#;

/// What is waited for must come, but not for ever.
pub(crate) async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), waiting).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come to pass"),
    }
}

pub(crate) struct Rig {
    pub(crate) hub: Hub,
    pub(crate) config: ConfigView,
    bus_config: BusConfig,
    server: LocalServer,
    folder: tempfile::TempDir,
}

pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), landbridge_stage::StageError>>,
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        soon("the end", self.task).await.unwrap().unwrap();
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let bus_config = BusConfig {
            shards: 1,
            lease_ttl: Duration::from_secs(2),
            deduplication: false,
            ..BusConfig::default()
        };
        let server = LocalServer::start(LocalServerOptions::default()).await.unwrap();
        let bus = Bus::open(&bus_config, server.url(), "test").await.unwrap();
        let rig = Self {
            config: ConfigView::open(&bus).await.unwrap(),
            hub: Hub::new(bus),
            bus_config,
            server,
            folder: tempfile::tempdir().unwrap(),
        };
        let tenant = Tenant {
            id: tenant(),
            salesforce: SalesforceConnection {
                login_url: "http://127.0.0.1:1".to_owned(),
                org_id: None,
                daily_calls: None,
                change_events: true,
                pubsub_url: None,
                adopted_ms: None,
            },
            hubspot: HubSpotConnection {
                base_url: "http://127.0.0.1:1".to_owned(),
                portal_id: None,
                calls_per_ten_seconds: None,
                api_version: None,
            },
            suspended: None,
        };
        let id = tenant.id.clone();
        let put = rig.config.change_tenant::<()>(&id, |_| Ok(Some(tenant.clone())));
        put.await.unwrap().unwrap();
        rig
    }

    /// Puts the draft of the run of [`batch`] beside the syncs: the sync of the tests without its filter.
    pub(crate) async fn put_draft(&self, over: bool) {
        let mut sync = sync(1);
        sync.definition.spec.filter = None;
        let draft = Draft {
            run: RunId::new("run").unwrap(),
            sync,
            missing: Missing::default(),
            detail_bytes: 1_000,
            over,
        };
        self.config
            .put_draft(&draft, Duration::from_secs(600))
            .await
            .unwrap();
    }

    /// Stores the sync of the tests with this revision.
    pub(crate) async fn put_sync(&self, revision: u32) {
        let sync = sync(revision);
        let key = SyncKey {
            tenant: tenant(),
            name: sync_name(),
        };
        let put = self.config.change_sync::<()>(&key, |_| Ok(Some(sync.clone())));
        put.await.unwrap().unwrap();
    }

    /// Starts a mapper with a connection of its own and the rig's one cache.
    pub(crate) async fn mapper(&self) -> Running {
        let bus = Bus::open(&self.bus_config, self.server.url(), "mapper")
            .await
            .unwrap();
        let (owned, _seen) = watch::channel(OwnedShards::default());
        let runtime = WorkerRuntime {
            hub: Hub::new(bus.clone()),
            config: ConfigView::open(&bus).await.unwrap(),
            caches: Caches::open(&self.folder.path().join("cache"), 8 << 20).unwrap(),
            worker: WorkerId::generate(),
            secrets: SecretOpener::new(bus, None),
            call_timeout: Duration::from_millis(200),
            drain_timeout: Duration::from_secs(10),
            lanes: LaneSettings::default(),
            owned: Arc::new(owned),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(
            Mapper::new(Metrics::new(StageKind::Mapper)),
            runtime,
            stop.clone(),
        ));
        Running { stop, task }
    }

    pub(crate) async fn publish(&self, lane: Lane, batch: &ChangeBatch) {
        self.publish_bytes(lane, batch.encode()).await;
    }

    pub(crate) async fn publish_bytes(&self, lane: Lane, bytes: Vec<u8>) {
        let subject = self.hub.changes(&tenant(), lane);
        let message = Message::new("test", bytes);
        self.hub.bus().publish(&subject, &message).await.unwrap();
    }

    /// A reader of what the mapper sends.
    pub(crate) async fn reader(&self, queue: Queue, lane: Lane) -> LaneConsumer {
        let settings = ConsumeSettings::default();
        LaneConsumer::open(self.hub.bus(), queue, Shard(0), lane, Epoch(1), settings)
            .await
            .unwrap()
    }

    /// A reader of what control is told.
    pub(crate) async fn reports(&self) -> Reports {
        let filter = Filter::whole(StreamName::Outcomes);
        Reports(self.hub.bus().follow(&filter, FollowFrom::Start).await.unwrap())
    }

    /// Waits until no batch is left in the lanes of changes.
    pub(crate) async fn until_all_is_acknowledged(&self) {
        let filter = Filter::whole(StreamName::Changes);
        soon("that every batch is acknowledged", async {
            while !self.hub.bus().counts(&filter).await.unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

pub(crate) struct Reports(Follow);

impl Reports {
    pub(crate) async fn next(&mut self) -> Report {
        soon("a report", async {
            loop {
                if let Followed::Message(stored) = self.0.next().await {
                    return Report::decode(&stored.payload).unwrap();
                }
            }
        })
        .await
    }
}

/// The next message of a lane, taken off it.
pub(crate) async fn take<W: Wire>(reader: &mut LaneConsumer) -> W {
    let delivery = soon("a message", reader.next()).await.unwrap();
    delivery.acker.ack().await.unwrap();
    W::decode(&delivery.payload).unwrap()
}

pub(crate) fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

pub(crate) fn sync_name() -> SyncName {
    SyncName::new("vehicles").unwrap()
}

pub(crate) fn id(number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a01{number:012}")).unwrap()
}

/// One row: record, stamp in seconds, Name, Price__c, Status__c.
pub(crate) type Row = (u32, i64, &'static str, &'static str, &'static str);

pub(crate) fn batch(purpose: Purpose, revision: u32, rows: &[Row]) -> ChangeBatch {
    let mut table = Table::with_columns(["Name", "Price__c", "Status__c", "Depot__c"]);
    for (_, _, name, price, status) in rows {
        table.push_row([Some(*name), Some(*price), Some(*status), Some("a02000000000007")]);
    }
    ChangeBatch {
        envelope: Envelope {
            tenant: tenant(),
            sync: sync_name(),
            revision: Revision(revision),
            purpose,
            source: Source::Import,
            run: Some(RunId::new("run").unwrap()),
            force: false,
            only: None,
        },
        ids: rows.iter().map(|row| id(row.0)).collect(),
        versions: rows.iter().map(|row| Version::new(row.1 * 1000, 0)).collect(),
        kinds: rows.iter().map(|_| ChangeKind::Upsert).collect(),
        table,
    }
}

fn sync(revision: u32) -> Sync {
    Sync {
        definition: yaml::load("test.yaml", SYNC).unwrap().remove(0),
        revision: Revision(revision),
        status: SyncStatus::Active,
        reason: None,
        resolved: Some(resolved()),
        activation: 1,
    }
}

fn resolved() -> Resolved {
    let field = |name: &str, kind: &str| serde_json::json!({"name": name, "label": name, "type": kind});
    let resolved = serde_json::json!({
        "object": {
            "name": "Vehicle__c", "label": "Vehicle", "custom": true, "queryable": true,
            "fields": [
                field("Name", "string"), field("Price__c", "currency"), field("Status__c", "picklist"),
                {"name": "Depot__c", "label": "Depot", "type": "reference", "referenceTo": ["Depot__c"]},
            ],
        },
        "object_type": {
            "objectTypeId": "2-1", "name": "vehicles",
            "properties": [{"name": "name", "type": "string"}, {"name": "price", "type": "number"}],
        },
    });
    let mut resolved: Resolved = serde_json::from_value(resolved).unwrap();
    resolved.associations.push(Association {
        field: "Depot__c".to_owned(),
        target: None,
        to: ObjectTypeId::new("2-2"),
        match_property: "salesforce_id".to_owned(),
        match_unique: true,
        label: None,
    });
    resolved
}
