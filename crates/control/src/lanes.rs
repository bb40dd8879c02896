//! Which records of a run are in the lanes at this moment, read from the messages themselves.
//!
//! A message leaves a lane only after what it caused is stored further down. So whoever reads the lanes from upstream
//! to downstream, and the outcomes last, meets every record at least once.

use landbridge_bus::{Bus, Filter, LinkPart, StreamName, Subject};
use landbridge_model::{
    ChangeBatch, Envelope, Lane, LinkWrites, RunId, SalesforceId, SyncKey, TenantId, Version, WriteBatch,
};
use landbridge_stage::{Hub, StageError};
use landbridge_wire::{LinkMessage, Reread, Wire};

use crate::ledger::InFlight;

/// Reads everything that belongs to an import: bulk lanes, live lanes (where what was read again travels), and the
/// wishes to read again. Those take a record from the changes back to the changes, which are therefore read twice.
pub(crate) async fn of_import(hub: &Hub, tenant: &TenantId, run: &RunId) -> Result<InFlight, StageError> {
    let mut seen = InFlight::default();
    let mut add = |id, version| seen.add(id, version);
    let ours = |found: &Option<RunId>| found.as_ref() == Some(run);
    changes(hub, tenant, &[Lane::Bulk, Lane::Live], ours, &mut add).await?;
    let wishes = rereads(hub, tenant, ours).await?;
    changes(hub, tenant, &[Lane::Bulk, Lane::Live], ours, &mut add).await?;
    writes(hub, tenant, &[Lane::Bulk, Lane::Live], ours, &mut add).await?;
    wishes.into_iter().for_each(|id| seen.add_reread(id));
    Ok(seen)
}

/// Reads what belongs to a compare.
pub(crate) async fn of_compare(hub: &Hub, tenant: &TenantId, run: &RunId) -> Result<InFlight, StageError> {
    let mut seen = InFlight::default();
    let mut add = |id, version| seen.add(id, version);
    let ours = |found: &Option<RunId>| found.as_ref() == Some(run);
    changes(hub, tenant, &[Lane::Check], ours, &mut add).await?;
    writes(hub, tenant, &[Lane::Check], ours, &mut add).await?;
    Ok(seen)
}

/// Reads every record that is on its way to be written, of whatever run.
pub(crate) async fn of_tenant(hub: &Hub, tenant: &TenantId) -> Result<InFlight, StageError> {
    let mut seen = InFlight::default();
    let mut add = |id, version| seen.add(id, version);
    let all = |_: &Option<RunId>| true;
    changes(hub, tenant, &[Lane::Live, Lane::Bulk], all, &mut add).await?;
    let wishes = rereads(hub, tenant, all).await?;
    changes(hub, tenant, &[Lane::Live, Lane::Bulk], all, &mut add).await?;
    writes(hub, tenant, &[Lane::Live, Lane::Bulk], all, &mut add).await?;
    wishes.into_iter().for_each(|id| seen.add_reread(id));
    Ok(seen)
}

/// Whether anything of a sync is on its way: records, links, or wishes to read records again.
pub(crate) async fn carry(hub: &Hub, sync: &SyncKey) -> Result<bool, StageError> {
    let (bus, tenant) = (hub.bus(), &sync.tenant);
    let ours = |envelope: &Envelope| envelope.sync == sync.name;
    let filter = Filter::tenant(StreamName::Reread, hub.shard_of(tenant), tenant);
    for lane in [Lane::Live, Lane::Bulk] {
        let changes = stored::<ChangeBatch>(bus, &hub.changes(tenant, lane)).await?;
        let rereads = bus.list(&filter).await?;
        let rereads = rereads.iter().filter_map(|one| Reread::decode(&one.payload).ok());
        let writes = stored::<WriteBatch>(bus, &hub.writes(tenant, lane)).await?;
        let intents = stored::<LinkMessage>(bus, &hub.links(tenant, lane, LinkPart::Intents)).await?;
        if changes.iter().any(|batch| ours(&batch.envelope))
            || rereads.map(|wish| wish.envelope).any(|envelope| ours(&envelope))
            || writes.iter().any(|batch| ours(&batch.envelope))
            || intents.iter().any(|message| ours(envelope_of(message)))
        {
            return Ok(true);
        }
    }
    let links = stored::<LinkWrites>(bus, &hub.writes(tenant, Lane::Links)).await?;
    Ok(links.iter().any(|writes| ours(&writes.envelope)))
}

fn envelope_of(message: &LinkMessage) -> &Envelope {
    match message {
        LinkMessage::Intents(intents) => &intents.envelope,
        LinkMessage::Identities(identities) => &identities.envelope,
    }
}

/// Whether no link of the tenant is on its way.
pub(crate) async fn links_are_quiet(hub: &Hub, tenant: &TenantId) -> Result<bool, StageError> {
    for lane in [Lane::Bulk, Lane::Live] {
        for part in [LinkPart::Intents, LinkPart::Identities] {
            if holds_something(hub.bus(), &hub.links(tenant, lane, part)).await? {
                return Ok(false);
            }
        }
    }
    Ok(!holds_something(hub.bus(), &hub.writes(tenant, Lane::Links)).await?)
}

async fn holds_something(bus: &Bus, subject: &Subject) -> Result<bool, StageError> {
    Ok(bus.last(subject).await?.is_some())
}

async fn changes(
    hub: &Hub,
    tenant: &TenantId,
    lanes: &[Lane],
    ours: impl Fn(&Option<RunId>) -> bool,
    add: &mut impl FnMut(SalesforceId, Version),
) -> Result<(), StageError> {
    for lane in lanes {
        for batch in stored::<ChangeBatch>(hub.bus(), &hub.changes(tenant, *lane)).await? {
            if ours(&batch.envelope.run) {
                batch
                    .ids
                    .iter()
                    .zip(&batch.versions)
                    .for_each(|(id, version)| add(*id, *version));
            }
        }
    }
    Ok(())
}

async fn writes(
    hub: &Hub,
    tenant: &TenantId,
    lanes: &[Lane],
    ours: impl Fn(&Option<RunId>) -> bool,
    add: &mut impl FnMut(SalesforceId, Version),
) -> Result<(), StageError> {
    for lane in lanes {
        for batch in stored::<WriteBatch>(hub.bus(), &hub.writes(tenant, *lane)).await? {
            if ours(&batch.envelope.run) {
                batch
                    .ids
                    .iter()
                    .zip(&batch.versions)
                    .for_each(|(id, version)| add(*id, *version));
            }
        }
    }
    Ok(())
}

async fn rereads(
    hub: &Hub,
    tenant: &TenantId,
    ours: impl Fn(&Option<RunId>) -> bool,
) -> Result<Vec<SalesforceId>, StageError> {
    let filter = Filter::tenant(StreamName::Reread, hub.shard_of(tenant), tenant);
    let stored = hub.bus().list(&filter).await?;
    let wishes = stored
        .iter()
        .filter_map(|stored| Reread::decode(&stored.payload).ok());
    Ok(wishes
        .filter(|wish| ours(&wish.envelope.run))
        .map(|wish| wish.id)
        .collect())
}

/// The batches that a lane holds. One that cannot be read is poison: its reader sets it aside.
async fn stored<B: Wire>(bus: &Bus, subject: &Subject) -> Result<Vec<B>, StageError> {
    let stored = bus.list(&Filter::exact(subject)).await?;
    Ok(stored
        .iter()
        .filter_map(|stored| B::decode(&stored.payload).ok())
        .collect())
}
