//! Watches what a tenant's syncs read change its schema: described again and again, cheaply, and held against what was seen
//! before by [`landbridge_model::drift`], which decides what follows.
//!
//! What stops a sync is done before the look is stored, and what control has to do is kept until control has done it: whoever
//! takes the shard over repeats at most what changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landbridge_model::ask::FollowSchema;
use landbridge_model::config::{Sync, SyncStatus};
use landbridge_model::drift::{self, Consequence, Look, SchemaEvent, SchemaRecord, Seen, Shape};
use landbridge_model::formula;
use landbridge_model::salesforce::ObjectDescribe;
use landbridge_model::sync::SyncDefinition;
use landbridge_model::{StageKind, SyncKey, TenantId};
use landbridge_salesforce::{Client, Verdict};
use landbridge_stage::StageError;
use parking_lot::Mutex;
use tracing::Instrument;

use crate::shard::Shard;
use crate::trouble::{Remedy, Trouble};

mod before;

use before::{absent, first_shape, whereabouts, with_resolved};

/// Pause after trouble that a person or the next day must cure; who reads the increment says so.
const RARELY: Duration = Duration::from_secs(600);
/// Pause after other trouble.
const SOON: Duration = Duration::from_secs(30);
/// Above this share of the budget no describe is asked for by the clock: a query that fails still asks for one.
const EASY_PRESSURE: f64 = 0.8;
/// A schema may change in the very second in which it is described.
const WITHIN: SignedDuration = SignedDuration::from_secs(2);
/// For so long a formula's text is taken as it was described.
const FORMULAS_KNOWN: SignedDuration = SignedDuration::from_hours(1);
/// Control resolves against both systems, and may create options.
const FOLLOW: Duration = Duration::from_secs(300);
/// Events of so long are told among a tenant's notes, in milliseconds.
const NOTED_MS: i64 = 24 * 3_600_000;

/// What is known of a shard's schemas. A cache: without it everything is described once more.
#[derive(Debug, Default)]
pub struct Schemas {
    described: Mutex<BTreeMap<(TenantId, String), Described>>,
    notes: Mutex<BTreeMap<SyncKey, Vec<String>>>,
    /// One look at a tenant at a time.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Described {
    object: Arc<ObjectDescribe>,
    since: Timestamp,
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// What changed since the last describe.
    Changes,
    /// All, whatever the org says of when it changed.
    All,
}

impl Schemas {
    /// What people should know of a tenant's schemas.
    #[must_use]
    pub fn notes(&self, tenant: &TenantId) -> Vec<String> {
        let notes = self.notes.lock();
        let of_tenant = notes.iter().filter(|(key, _)| key.tenant == *tenant);
        of_tenant.flat_map(|(_, notes)| notes.iter().cloned()).collect()
    }

    /// An object as it was described last, if it was since then.
    #[must_use]
    pub fn known(&self, tenant: &TenantId, object: &str, since: Timestamp) -> Option<Arc<ObjectDescribe>> {
        let key = (tenant.clone(), object.to_ascii_lowercase());
        let described = self.described.lock();
        let known = described.get(&key).filter(|known| known.since >= since)?;
        Some(known.object.clone())
    }
}

/// Watches one tenant for ever; dropped when it is no longer to be read.
pub async fn watch(shard: Arc<Shard>, tenant: TenantId) {
    let span = tracing::info_span!("schema", %tenant);
    async {
        loop {
            let pause = match look(&shard, &tenant, Asking::Changes).await {
                Ok(()) => shard.settings.describe_interval,
                Err(trouble) => {
                    tracing::warn!(trouble = %trouble.chain(), "the schema cannot be looked at");
                    match trouble.remedy() {
                        Remedy::TryAgain | Remedy::NewJob => SOON.min(shard.settings.describe_interval),
                        Remedy::TryRarely | Remedy::Smaller | Remedy::Stop | Remedy::StopTenant => RARELY,
                    }
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
    .instrument(span)
    .await;
}

/// Looks at once, because Salesforce refused a query for its schema's sake. Whether the sync is suspended now, with a reason
/// that says more than the refusal did.
pub async fn explains(shard: &Arc<Shard>, key: &SyncKey, trouble: &Trouble) -> bool {
    let is_schema =
        matches!(trouble, Trouble::Salesforce(error) if error.verdict() == Verdict::SchemaChanged);
    if !is_schema {
        return false;
    }
    if let Err(error) = look(shard, &key.tenant, Asking::All).await {
        tracing::warn!(sync = %key, trouble = %error.chain(), "the schema cannot be looked at after a refusal");
        return false;
    }
    let stopped = shard.context.config.sync(&key.tenant, &key.name);
    stopped.is_some_and(|sync| sync.status == SyncStatus::Suspended)
}

async fn look(shard: &Arc<Shard>, tenant: &TenantId, asking: Asking) -> Result<(), Trouble> {
    let _one = shard.schemas.looking.lock().await;
    let mut syncs = shard.context.config.syncs(tenant);
    syncs.retain(|sync| is_watched(sync));
    if syncs.is_empty() {
        return Ok(());
    }
    let client = shard.orgs.client(tenant).await?;
    if asking == Asking::Changes && client.governor().pressure() > EASY_PRESSURE {
        return Ok(());
    }
    let objects = describe_all(shard, &client, &syncs, asking).await?;
    let now = client.org_now().await?;
    for sync in &syncs {
        look_at(shard, &client, sync, &objects, now).await?;
    }
    Ok(())
}

/// Whose schema is looked at: of what reads, and of what stopped and may come back.
#[must_use]
pub fn is_watched(sync: &Sync) -> bool {
    matches!(sync.status, SyncStatus::Active | SyncStatus::Suspended) && sync.resolved.is_some()
}

/// All objects that the syncs' definitions lead over, by name in lower case; each is described once.
async fn describe_all(
    shard: &Arc<Shard>,
    client: &Client,
    syncs: &[Arc<Sync>],
    asking: Asking,
) -> Result<BTreeMap<String, ObjectDescribe>, Trouble> {
    let tenant = &syncs[0].definition.metadata.tenant;
    let led_to = |objects: &BTreeMap<_, _>| {
        let led_to = syncs.iter().flat_map(|sync| drift::objects_of(sync, objects));
        led_to.collect()
    };
    describe_led_to((shard, client, tenant), led_to, asking, None).await
}

/// The objects that a definition's formulas and paths lead over, by name in lower case.
pub async fn described_for_formulas(
    shard: &Arc<Shard>,
    client: &Client,
    definition: &SyncDefinition,
) -> Result<BTreeMap<String, ObjectDescribe>, Trouble> {
    let tenant = &definition.metadata.tenant;
    let led_to = |objects: &BTreeMap<_, _>| formula::objects_of(definition, objects).into_iter().collect();
    let taken_for = Some(FORMULAS_KNOWN);
    describe_led_to((shard, client, tenant), led_to, Asking::Changes, taken_for).await
}

/// Describes one object after the other, as far as those that are described lead to more. What was described within
/// `taken_for` is not asked for.
async fn describe_led_to(
    (shard, client, tenant): (&Arc<Shard>, &Client, &TenantId),
    led_to: impl Fn(&BTreeMap<String, ObjectDescribe>) -> Vec<String>,
    asking: Asking,
    taken_for: Option<SignedDuration>,
) -> Result<BTreeMap<String, ObjectDescribe>, Trouble> {
    let mut objects: BTreeMap<String, ObjectDescribe> = BTreeMap::new();
    let mut asked: Vec<String> = Vec::new();
    loop {
        let wanted = led_to(&objects).into_iter();
        let mut wanted = wanted.map(|object| (object.to_ascii_lowercase(), object));
        let Some((key, object)) = wanted.find(|(key, _)| !asked.contains(key)) else {
            return Ok(objects);
        };
        let known = match taken_for {
            Some(taken_for) => {
                let since = client.org_now().await? - taken_for;
                shard.schemas.known(tenant, &object, since)
            }
            None => None,
        };
        let described = match known {
            Some(known) => Some(known),
            None => describe(shard, client, tenant, &object, asking).await?,
        };
        if let Some(described) = described {
            objects.insert(key.clone(), (*described).clone());
        }
        asked.push(key);
    }
}

/// One object as it is, asked for only if it may have changed; none when it is not shown.
async fn describe(
    shard: &Arc<Shard>,
    client: &Client,
    tenant: &TenantId,
    object: &str,
    asking: Asking,
) -> Result<Option<Arc<ObjectDescribe>>, Trouble> {
    let key = (tenant.clone(), object.to_ascii_lowercase());
    let known = shard.schemas.described.lock().get(&key).cloned();
    let known = known.filter(|_| asking == Asking::Changes);
    shard.context.lease.wait_to_send(Duration::ZERO).await?;
    let since = client.org_now().await? - WITHIN;
    let answer = match &known {
        Some(known) => client.describe_if_changed(object, known.since).await,
        None => client.describe(object).await.map(Some),
    };
    let object = match answer {
        Ok(Some(object)) => Arc::new(object),
        Ok(None) => return Ok(known.map(|known| known.object)),
        Err(error) if matches!(error.verdict(), Verdict::Gone | Verdict::SchemaChanged) => {
            shard.schemas.described.lock().remove(&key);
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let described = Described {
        object: object.clone(),
        since,
    };
    shard.schemas.described.lock().insert(key, described);
    Ok(Some(object))
}

async fn look_at(
    shard: &Arc<Shard>,
    client: &Client,
    sync: &Sync,
    objects: &BTreeMap<String, ObjectDescribe>,
    now: Timestamp,
) -> Result<(), Trouble> {
    let key = sync.key();
    let stored = shard.checkpoints.schema(&key).await?;
    let mut record = stored.clone().unwrap_or_default();
    let mut known = with_resolved(sync, objects);
    known.extend(objects.clone());
    let watched = drift::watched(sync, &known);
    let seen = Seen {
        version: record.version + 1,
        revision: sync.revision,
        at_ms: now.as_millisecond(),
    };
    let mut events = Vec::new();
    for object in drift::objects_of(sync, &known) {
        let name = object.to_ascii_lowercase();
        let first = first_shape(sync, &object, &watched);
        let before = match record.shapes.get(&name) {
            Some(before) => before.as_ref(),
            None => first.as_ref(),
        };
        let described = objects.get(&name);
        let absent = absent(before, described, &object, &watched);
        let whereabouts = whereabouts(client, &object, &absent).await?;
        let find = |field: Option<&str>| {
            let found = whereabouts.get(field.unwrap_or_default());
            found.copied().unwrap_or_default()
        };
        let look = Look {
            object: &object,
            before,
            now: described,
        };
        events.extend(drift::events(look, &watched, find, seen));
        let shape = described.map(|described| Shape::of(described, &watched, true));
        record.shapes.insert(name, shape);
    }
    tell(&key, &events);
    if let Some(reason) = drift::suspension(&events) {
        shard.suspend_sync(&key, &reason).await;
    }
    record.add(&events);
    record.looked_ms = seen.at_ms;
    note(shard, &key, &record);
    if stored.as_ref() != Some(&record) {
        shard.checkpoints.put_schema(&key, &record).await?;
    }
    follow(shard, &key, record).await
}

fn tell(key: &SyncKey, events: &[SchemaEvent]) {
    for event in events {
        let consequence = event.consequence.as_str();
        tracing::info!(sync = %key, consequence, "the schema changed: {}", event.text);
    }
}

/// What a tenant's people should know: what happened within a day and concerns what is carried.
fn note(shard: &Shard, key: &SyncKey, record: &SchemaRecord) {
    let concerns = |event: &&SchemaEvent| {
        let is_new = record.looked_ms - event.at_ms < NOTED_MS;
        is_new && (event.consequence == Consequence::BackFill || event.resolves)
    };
    let notes = record.events.iter().filter(concerns);
    let notes = notes
        .map(|event| format!("{}: {}", key.name, event.text))
        .collect();
    shard.schemas.notes.lock().insert(key.clone(), notes);
}

/// Asks control for what follows, until it has done it.
async fn follow(shard: &Arc<Shard>, key: &SyncKey, mut record: SchemaRecord) -> Result<(), Trouble> {
    let runs = shard
        .sync(key)
        .is_ok_and(|sync| sync.status == SyncStatus::Active);
    let Some(pending) = record.pending.filter(|_| runs) else {
        return Ok(());
    };
    let question = FollowSchema {
        sync: key.name.clone(),
        version: pending.version,
        back_fill: pending.back_fill,
    };
    let hub = &shard.context.hub;
    let answer = hub.ask(StageKind::Control, &key.tenant, &question, FOLLOW).await;
    let followed = answer.map_err(|error| {
        StageError::worker(format!("control cannot follow the schema of {key} yet: {error}"))
    })?;
    if !followed.problems.is_empty() {
        let reason = format!(
            "the schema changed, and the definition does not fit it: {}",
            followed.problems.join("; ")
        );
        shard.suspend_sync(key, &reason).await;
    }
    record.pending = None;
    Ok(shard.checkpoints.put_schema(key, &record).await?)
}
