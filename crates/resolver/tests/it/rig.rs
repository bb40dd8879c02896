//! A small installation: a server, a configuration, a loader that remembers what it was ordered and knows what it is
//! told to know, and resolvers that come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use landbridge_bus::{
    Bus, BusConfig, Filter, FollowFrom, Followed, LinkPart, LocalServer, LocalServerOptions, Subject,
    WorkerId,
};
use landbridge_model::ask::{FindIdentities, FoundIdentities};
use landbridge_model::config::{Sync, Tenant};
use landbridge_model::{
    Envelope, HubSpotId, Identities, Identity, Lane, LinkIntents, LinkVerdict, LinkWrites, ObjectTypeId,
    Purpose, Revision, SalesforceId, Source, StageKind, SyncKey, SyncName, Table, TenantId, TextColumn,
    Version,
};
use landbridge_resolver::{Resolver, ResolverSettings};
use landbridge_stage::{
    Caches, ConfigView, Hub, LaneContext, LaneSettings, OwnedShards, SecretOpener, ShardContext, StageError,
    Worker, WorkerRuntime, answer_with, parse_ask, run,
};
use landbridge_wire::{Ask, AskError, LinkMessage, Report, ReportBody, Wire};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// What HubSpot would hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Portal {
    /// By type and Salesforce id; two claimants make it ambiguous.
    pub(crate) records: BTreeMap<(String, SalesforceId), Vec<HubSpotId>>,
    /// The last order for each link.
    pub(crate) links: BTreeMap<(SalesforceId, String), Option<HubSpotId>>,
    /// All pairs of child and parent that were ever ordered.
    pub(crate) pairs: BTreeSet<(HubSpotId, HubSpotId)>,
}

/// A loader that only remembers.
#[derive(Clone)]
pub(crate) struct Loader {
    portal: watch::Sender<Portal>,
}

impl Worker for Loader {
    const KIND: StageKind = StageKind::Loader;
    type Shard = ();

    async fn open(&self, _context: ShardContext) -> Result<Arc<()>, StageError> {
        Ok(Arc::new(()))
    }

    async fn run_lane(&self, _shard: Arc<()>, mut lane: LaneContext) -> Result<(), StageError> {
        while let Some(delivery) = lane.inbox.recv().await {
            assert_eq!(lane.lane, Lane::Links);
            let writes = LinkWrites::decode(&delivery.payload).unwrap();
            self.portal.send_modify(|portal| {
                for link in writes.links {
                    let parent = link.parent.map(|(_, hubspot_id)| hubspot_id);
                    portal
                        .pairs
                        .extend(parent.map(|parent| (link.child_hubspot_id, parent)));
                    portal.links.insert((link.child, link.field), parent);
                }
            });
            delivery.ack().await?;
        }
        Ok(())
    }

    async fn answer(&self, _shard: Arc<()>, ask: Ask) -> Result<String, AskError> {
        let question: FindIdentities = parse_ask(&ask)?;
        let mut answer = FoundIdentities::default();
        let portal = self.portal.borrow();
        for id in question.ids {
            match portal
                .records
                .get(&(question.object_type.to_string(), id))
                .map(Vec::as_slice)
            {
                None | Some([]) => {}
                Some([one]) => answer.found.push((id, *one)),
                Some(many) => answer.ambiguous.push((id, many.to_vec())),
            }
        }
        answer_with(&answer)
    }
}

pub(crate) struct Rig {
    server: LocalServer,
    config: BusConfig,
    pub(crate) hub: Hub,
    pub(crate) tenant: TenantId,
    portal: watch::Sender<Portal>,
    loader: Mutex<Option<Running>>,
    clock: std::sync::atomic::AtomicI64,
}

/// `id("v", 1)` is a vehicle's id.
pub(crate) fn id(kind: &str, number: u32) -> SalesforceId {
    SalesforceId::parse(&format!("a0{kind}{number:0>12}")).unwrap()
}

impl Rig {
    /// A server, the configuration, and a loader at work.
    pub(crate) async fn new() -> Self {
        let config = BusConfig {
            shards: 1,
            lease_ttl: Duration::from_secs(2),
            deduplication: false,
            ..BusConfig::default()
        };
        let server = LocalServer::start(LocalServerOptions::default()).await.unwrap();
        let bus = Bus::open(&config, server.url(), "test").await.unwrap();
        let tenant = TenantId::new("acme").unwrap();
        let (portal, _) = watch::channel(Portal::default());
        let (hub, loader) = (Hub::new(bus), Mutex::new(None));
        let clock = std::sync::atomic::AtomicI64::new(1);
        let rig = Self {
            server,
            config,
            hub,
            tenant,
            portal,
            loader,
            clock,
        };
        rig.configure().await;
        let loader = rig
            .start(
                Loader {
                    portal: rig.portal.clone(),
                },
                "loader",
            )
            .await;
        *rig.loader.lock().unwrap() = Some(loader);
        rig
    }

    async fn configure(&self) {
        let view = ConfigView::open(self.hub.bus()).await.unwrap();
        let tenant: Tenant = serde_json::from_value(json!({
            "id": "acme",
            "salesforce": { "login_url": "http://127.0.0.1:1" },
            "hubspot": { "base_url": "http://127.0.0.1:1" },
        }))
        .unwrap();
        let made = view
            .change_tenant::<()>(&self.tenant, |_| Ok(Some(tenant.clone())))
            .await;
        made.unwrap().unwrap();
        let associations = json!([
            { "field": "Depot__c", "to": "2-2", "match_property": "salesforce_id", "match_unique": true, "label": null },
            { "field": "Owner__c", "to": "0-2", "match_property": "salesforceaccountid", "match_unique": false, "label": null },
            { "field": "Next__c", "to": "2-1", "match_property": "salesforce_id", "match_unique": true, "label": null },
            { "field": "Place__c", "target": { "object": "Depot__c", "keyPrefix": "a0d" }, "to": "2-2", "match_property": "salesforce_id", "match_unique": true, "label": null },
            { "field": "Place__c", "target": { "object": "Account", "keyPrefix": "a0c" }, "to": "0-2", "match_property": "salesforceaccountid", "match_unique": false, "label": null },
        ]);
        let to_depot = json!([associations[0]]);
        for (name, object, object_type, associations) in [
            ("vehicles", "vehicles__c", "2-1", associations),
            ("depots", "depots__c", "2-2", json!([])),
            // The same Salesforce object once more, to another object type.
            ("trucks", "vehicles__c", "2-3", to_depot),
        ] {
            let sync: Sync = serde_json::from_value(json!({
                "definition": {
                    "apiVersion": "landbridge/v1", "kind": "Sync",
                    "metadata": { "tenant": "acme", "name": name },
                    "spec": {
                        "salesforce": { "object": object },
                        "hubspot": { "objectType": name },
                        "fields": [],
                    },
                },
                "revision": 1,
                "status": "active",
                "resolved": {
                    "object": { "name": object, "label": name, "custom": true, "queryable": true, "fields": [] },
                    "object_type": { "objectTypeId": object_type, "name": name, "properties": [] },
                    "associations": associations,
                },
            }))
            .unwrap();
            let key = SyncKey {
                tenant: self.tenant.clone(),
                name: SyncName::new(name).unwrap(),
            };
            view.change_sync::<()>(&key, |_| Ok(Some(sync.clone())))
                .await
                .unwrap()
                .unwrap();
        }
    }

    /// Starts a worker with a connection and an empty cache of its own, and waits until it works.
    async fn start<W: Worker>(&self, worker: W, name: &str) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let bus = Bus::open(&self.config, self.server.url(), name).await.unwrap();
        let (owned, mut seen) = watch::channel(OwnedShards::default());
        let runtime = WorkerRuntime {
            hub: Hub::new(bus.clone()),
            config: ConfigView::open(&bus).await.unwrap(),
            caches: Caches::open(&folder.path().join("cache"), 8 << 20).unwrap(),
            worker: WorkerId::new(name),
            secrets: SecretOpener::new(bus, None),
            call_timeout: Duration::from_millis(200),
            drain_timeout: Duration::from_secs(10),
            lanes: LaneSettings::default(),
            owned: Arc::new(owned),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move {
                let ended = run(worker, runtime, stop).await;
                drop(folder);
                ended
            }
        });
        let ready = seen.wait_for(|owned| owned.open.len() == 1 && owned.is_ready());
        tokio::time::timeout(DEADLINE, ready)
            .await
            .expect("it owns the shard")
            .unwrap();
        Running { stop, task }
    }

    /// Starts a resolver that parks soon and asks often.
    pub(crate) async fn resolver(&self, name: &str) -> Running {
        let settings = ResolverSettings {
            patience: Duration::from_millis(300),
            recheck: Duration::from_millis(200),
            ..ResolverSettings::default()
        };
        self.start(Resolver::new(settings), name).await
    }

    pub(crate) fn next_version(&self) -> Version {
        let now = self.clock.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Version::new(now, now)
    }

    fn envelope(&self, sync: &str) -> Envelope {
        Envelope {
            tenant: self.tenant.clone(),
            sync: SyncName::new(sync).unwrap(),
            revision: Revision(1),
            purpose: Purpose::Apply,
            source: Source::Increment,
            run: None,
            force: false,
            only: None,
        }
    }

    /// What the mapper would send: each vehicle's wish for one field.
    pub(crate) async fn intents(
        &self,
        lane: Lane,
        field: &str,
        wishes: &[(SalesforceId, Option<SalesforceId>)],
    ) {
        self.intents_of("vehicles", lane, field, wishes).await;
    }

    /// The same for another sync.
    pub(crate) async fn intents_of(
        &self,
        sync: &str,
        lane: Lane,
        field: &str,
        wishes: &[(SalesforceId, Option<SalesforceId>)],
    ) {
        for wishes in wishes.chunks(100) {
            let version = self.next_version();
            let mut table = Table::default();
            let cells: TextColumn = wishes
                .iter()
                .map(|(_, parent)| parent.as_ref().map(SalesforceId::as_str))
                .collect();
            table.add(field, cells);
            let intents = LinkIntents {
                envelope: self.envelope(sync),
                children: wishes.iter().map(|(child, _)| *child).collect(),
                versions: vec![version; wishes.len()],
                deleted: vec![false; wishes.len()],
                table,
            };
            let subject = self.hub.links(&self.tenant, lane, LinkPart::Intents);
            let cause = format!("{version}");
            self.hub
                .send(&subject, &cause, &LinkMessage::Intents(intents))
                .await
                .unwrap();
        }
    }

    /// What the mapper would send of one vehicle: what each of its slots holds.
    pub(crate) async fn row(
        &self,
        lane: Lane,
        child: SalesforceId,
        columns: &[(&str, Option<SalesforceId>)],
    ) {
        let version = self.next_version();
        let mut table = Table::default();
        for (slot, parent) in columns {
            let cells = std::iter::once(parent.as_ref().map(SalesforceId::as_str));
            table.add(slot, cells.collect());
        }
        let intents = LinkIntents {
            envelope: self.envelope("vehicles"),
            children: vec![child],
            versions: vec![version],
            deleted: vec![false],
            table,
        };
        let subject = self.hub.links(&self.tenant, lane, LinkPart::Intents);
        let message = LinkMessage::Intents(intents);
        self.hub
            .send(&subject, &format!("{version}"), &message)
            .await
            .unwrap();
    }

    /// What the loader would announce.
    pub(crate) async fn identities(
        &self,
        lane: Lane,
        sync: &str,
        pairs: &[(SalesforceId, Option<HubSpotId>)],
    ) {
        let object_type = match sync {
            "vehicles" => "2-1",
            "trucks" => "2-3",
            _ => "2-2",
        };
        let version = self.next_version();
        for pairs in pairs.chunks(100) {
            let identities = pairs
                .iter()
                .map(|(id, hubspot_id)| Identity {
                    id: *id,
                    hubspot_id: *hubspot_id,
                    version,
                })
                .collect();
            let object_type = ObjectTypeId::new(object_type);
            let identities = Identities {
                envelope: self.envelope(sync),
                object_type,
                identities,
            };
            let subject = self.hub.links(&self.tenant, lane, LinkPart::Identities);
            let message = LinkMessage::Identities(identities);
            self.hub
                .send(&subject, &format!("{version}"), &message)
                .await
                .unwrap();
        }
    }

    /// HubSpot has these records; nobody announces them.
    pub(crate) fn records(&self, object_type: &str, records: &[(SalesforceId, HubSpotId)]) {
        self.portal.send_modify(|portal| {
            for (id, hubspot_id) in records {
                portal
                    .records
                    .entry((object_type.to_owned(), *id))
                    .or_default()
                    .push(*hubspot_id);
            }
        });
    }

    /// Waits until the loader was ordered what is wanted.
    pub(crate) async fn until(&self, what: &str, wanted: impl Fn(&Portal) -> bool) {
        let mut portal = self.portal.subscribe();
        let waiting = portal.wait_for(|portal| wanted(portal));
        if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
            let links = self.portal.borrow().links.clone();
            panic!(
                "{what} did not come to pass; {} links: {:?}",
                links.len(),
                links.iter().take(5)
            );
        }
    }

    /// Changes a stored sync.
    pub(crate) async fn change_sync(&self, name: &str, change: impl Fn(&mut Sync) + std::marker::Sync) {
        let view = ConfigView::open(self.hub.bus()).await.unwrap();
        let key = SyncKey {
            tenant: self.tenant.clone(),
            name: SyncName::new(name).unwrap(),
        };
        let changed = |stored: Option<Sync>| {
            let mut sync = stored.unwrap();
            change(&mut sync);
            Ok::<_, std::convert::Infallible>(Some(sync))
        };
        let _stored = view.change_sync(&key, changed).await.unwrap();
    }

    /// What resolvers have told of links so far.
    pub(crate) async fn verdicts(&self) -> Vec<LinkVerdict> {
        let shard = self.hub.shard_of(&self.tenant);
        let filter = Filter::exact(&Subject::Outcomes {
            shard,
            tenant: self.tenant.clone(),
        });
        let mut follow = self.hub.bus().follow(&filter, FollowFrom::Start).await.unwrap();
        let mut verdicts = Vec::new();
        while let Followed::Message(stored) = follow.next().await {
            if let ReportBody::Links(links) = Report::decode(&stored.payload).unwrap().body {
                verdicts.extend(links);
            }
        }
        verdicts
    }

    /// Waits until so many links are parked.
    pub(crate) async fn until_parked(&self, count: usize) {
        let waiting = async {
            while self.hub.parked(&self.tenant, None).await.unwrap().len() != count {
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
            let parked = self.hub.parked(&self.tenant, None).await.unwrap().len();
            panic!("{count} links should be parked, not {parked}");
        }
    }
}

/// A worker at work.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), StageError>>,
}

impl Running {
    /// Asks it to stop and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// Ends it in the middle of whatever it does, and its cache with it.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
