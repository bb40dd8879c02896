//! Places in streams, in `lb_checkpoints`.

use landbridge_bus::{Bucket, Key, Kv};
use landbridge_model::SalesforceId;
use landbridge_salesforce::pubsub::ReplayId;
use landbridge_stage::{Hub, StageError};
use serde::{Deserialize, Serialize};

use super::Channel;

/// Up to where a channel's events are read and on the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The org that it belongs to: in another one it means nothing, or something else.
    pub(super) org_id: SalesforceId,
    /// The place.
    pub(super) replay_id: ReplayId,
}

/// The bucket, typed.
#[derive(Clone, Debug)]
pub(super) struct Places {
    kv: Kv,
}

impl Places {
    pub(super) fn new(hub: &Hub) -> Self {
        Self {
            kv: hub.bus().kv(Bucket::Checkpoints),
        }
    }

    pub(super) async fn get(&self, channel: &Channel) -> Result<Option<Place>, StageError> {
        let found = self.kv.get_json(&key(channel)).await?;
        Ok(found.map(|(place, _)| place))
    }

    pub(super) async fn put(&self, channel: &Channel, place: &Place) -> Result<(), StageError> {
        self.kv.put_json(&key(channel), place).await?;
        Ok(())
    }

    pub(super) async fn forget(&self, channel: &Channel) -> Result<(), StageError> {
        Ok(self.kv.delete(&key(channel)).await?)
    }
}

fn key(channel: &Channel) -> Key {
    Key::new(["stream", channel.tenant.as_str(), channel.object.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_stored_byte_by_byte_with_its_org() {
        let text = r#"{"org_id":"00D000000000000EAA","replay_id":"00000000000487440000"}"#;
        let place: Place = serde_json::from_str(text).unwrap();
        assert_eq!(place.replay_id.as_bytes(), [0, 0, 0, 0, 0, 4, 0x87, 0x44, 0, 0]);
        assert_eq!(serde_json::to_string(&place).unwrap(), text);
    }
}
