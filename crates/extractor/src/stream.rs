//! Change events: the fast path of the live source.
//!
//! **An event only marks an id as changed.** Ids are collected for a moment, read together, and sent on as the increment
//! would send them; the increment goes on all the while and is what nothing escapes. So a stream may lose, repeat or
//! garble events, end, or never begin: changes come later then, and none is missed.
//!
//! * **C1** A place in the stream is stored only after the rows that it covers are on the bus.
//! * **C2** A place of another org is not gone on from.
//! * **C3** Whatever a stream cannot tell, the increment is asked for at once, and polls as without a stream until it has
//!   passed that moment.
//! * **C4** A stream that did not tell what the increment finds is not trusted for a while: polls are as frequent as
//!   without it.
//!
//! One subscription for each tenant and object, however many syncs read the object: Salesforce counts every delivery, and
//! its channel of all objects would deliver what nobody wants, and drop without a word what the user may not see (facts:
//! Salesforce, 13.1 and 13.2). [`heard`], [`pace`], [`course`] and [`trust`] decide, and are pure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use landbridge_model::ask::StreamState;
use landbridge_model::config::{SalesforceConnection, Sync, Tenant};
use landbridge_model::{SyncKey, TenantId};
use landbridge_salesforce::SalesforceError;
use landbridge_salesforce::pubsub::{Schemas, Wire};
use parking_lot::Mutex;

use crate::settings::StreamSettings;
use crate::shard::Shard;

pub mod course;
pub mod heard;
pub mod hurry;
pub mod pace;
mod place;
mod reading;
pub mod standing;
mod subscriber;
pub mod trust;

pub use hurry::Hurry;
pub use standing::Standing;
pub use subscriber::Subscriber;

/// One object's changes in one org.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Channel {
    /// Whose org.
    pub tenant: TenantId,
    /// The object, as describe names it.
    pub object: String,
}

/// What a shard's subscriptions share with each other and with the increment.
#[derive(Debug, Default)]
pub struct Streams {
    wires: Mutex<HashMap<String, Wire>>,
    schemas: Mutex<HashMap<TenantId, Arc<Schemas>>>,
    standings: Mutex<HashMap<Channel, Arc<Standing>>>,
    hurries: Mutex<HashMap<SyncKey, Arc<Hurry>>>,
}

impl Streams {
    /// The connection to an address, shared by all tenants of the shard.
    pub fn wire(&self, address: &str) -> Result<Wire, SalesforceError> {
        let mut wires = self.wires.lock();
        if let Some(wire) = wires.get(address) {
            return Ok(wire.clone());
        }
        let wire = Wire::new(address)?;
        wires.insert(address.to_owned(), wire.clone());
        Ok(wire)
    }

    /// The schemas that are known of a tenant's org.
    pub fn schemas(&self, tenant: &TenantId) -> Arc<Schemas> {
        self.schemas.lock().entry(tenant.clone()).or_default().clone()
    }

    /// How a channel stands, if it is subscribed to or should be.
    pub fn standing(&self, channel: &Channel) -> Option<Arc<Standing>> {
        self.standings.lock().get(channel).cloned()
    }

    /// A channel that is subscribed to from now on.
    pub(crate) fn begin(&self, channel: &Channel) -> Arc<Standing> {
        self.standings.lock().entry(channel.clone()).or_default().clone()
    }

    /// All channels with how they stand.
    pub(crate) fn all(&self) -> Vec<Arc<Standing>> {
        self.standings.lock().values().cloned().collect()
    }

    /// Forgets channels that are no longer subscribed to. The increments of their tenants look at once: they may be in the
    /// long pause that a stream allows.
    pub fn retain(&self, wanted: &HashSet<Channel>) {
        let mut gone = HashSet::new();
        self.standings.lock().retain(|channel, _| {
            let stays = wanted.contains(channel);
            if !stays {
                gone.insert(channel.tenant.clone());
            }
            stays
        });
        let hurries = self.hurries.lock();
        for (_, hurry) in hurries.iter().filter(|(key, _)| gone.contains(&key.tenant)) {
            hurry.ring();
        }
    }

    /// What the increment of a sync is asked for.
    pub fn hurry(&self, key: &SyncKey) -> Arc<Hurry> {
        self.hurries.lock().entry(key.clone()).or_default().clone()
    }
}

/// Measures how many of a shard's channels stand in each way.
pub(crate) fn note_states(shard: &Shard) {
    let standings = shard.streams.all();
    for state in StreamState::ALL {
        let channels = standings
            .iter()
            .filter(|standing| standing.state() == state)
            .count() as u64;
        shard
            .metrics
            .streams(shard.context.shard, state.as_str(), channels);
    }
}

/// The object that a sync reads, as describe names it.
#[must_use]
pub fn channel_of(sync: &Sync) -> Option<Channel> {
    let resolved = sync.resolved.as_ref()?;
    Some(Channel {
        tenant: sync.key().tenant,
        object: resolved.object.name.clone(),
    })
}

/// Where a tenant's change events are to be had; none if they are not wanted. A token goes to Salesforce's own address only
/// for an org that is Salesforce's: a sandbox on this machine has to say where its own is.
#[must_use]
pub fn address(settings: &StreamSettings, tenant: &Tenant) -> Option<String> {
    let SalesforceConnection {
        login_url,
        change_events,
        pubsub_url,
        ..
    } = &tenant.salesforce;
    if !settings.enabled || !change_events {
        return None;
    }
    if pubsub_url.is_some() {
        return pubsub_url.clone();
    }
    (!login_url.starts_with("http://")).then(|| settings.address.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_asked_for_where_they_are_wanted_and_at_nobody_elses() {
        let settings = StreamSettings::default();
        let salesforce = "https://acme.my.salesforce.com";
        let here = "http://127.0.0.1:4000";
        let of_installation = Some(settings.address.clone());
        for (login_url, change_events, pubsub_url, wanted) in [
            (salesforce, true, None, of_installation),
            (
                salesforce,
                true,
                Some("https://api.deu.pubsub.salesforce.com"),
                Some("https://api.deu.pubsub.salesforce.com".to_owned()),
            ),
            (salesforce, false, None, None),
            (here, true, None, None),
            (
                here,
                true,
                Some("http://127.0.0.1:4001"),
                Some("http://127.0.0.1:4001".to_owned()),
            ),
            (here, false, Some("http://127.0.0.1:4001"), None),
        ] {
            let tenant: Tenant = serde_json::from_value(serde_json::json!({
                "id": "acme",
                "salesforce": { "login_url": login_url, "change_events": change_events, "pubsub_url": pubsub_url },
                "hubspot": { "base_url": "https://api.hubapi.com" },
            }))
            .unwrap();
            assert_eq!(
                address(&settings, &tenant),
                wanted,
                "{login_url} {change_events} {pubsub_url:?}"
            );
            let off = StreamSettings {
                enabled: false,
                ..settings.clone()
            };
            assert_eq!(address(&off, &tenant), None);
        }
    }
}
