//! What can be set.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hand::Patience;

/// Settings of the resolver. The defaults suit production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResolverSettings {
    /// How long a link may wait in hand, unacknowledged, for its two records before it is parked durably.
    #[serde(with = "humantime_serde")]
    pub patience: Duration,
    /// The same when a lane has `pressed_at` messages in hand.
    #[serde(with = "humantime_serde")]
    pub patience_pressed: Duration,
    /// From how many messages in hand on a lane is pressed; at most three quarters of the lane's capacity.
    pub pressed_at: usize,
    /// How often parents that nobody announces (those of HubSpot's own integration) are asked for again.
    #[serde(with = "humantime_serde")]
    pub recheck: Duration,
    /// How often all other awaited parents are asked for again: only a safety net, they are announced.
    #[serde(with = "humantime_serde")]
    pub recheck_announced: Duration,
    /// How long ids are gathered before the loader is asked for them.
    #[serde(with = "humantime_serde")]
    pub ask_linger: Duration,
    /// How long the loader may take to answer.
    #[serde(with = "humantime_serde")]
    pub ask_timeout: Duration,
    /// Most ids in one question.
    pub ask_ids_max: usize,
    /// Most questions of one tenant under way at once.
    pub asks_max: usize,
    /// How long a message may wait for the definition of its sync, which can be a moment behind.
    #[serde(with = "humantime_serde")]
    pub config_wait: Duration,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(2),
            patience_pressed: Duration::from_millis(300),
            pressed_at: 12,
            recheck: Duration::from_secs(15),
            recheck_announced: Duration::from_secs(600),
            ask_linger: Duration::from_millis(50),
            ask_timeout: Duration::from_secs(60),
            ask_ids_max: 500,
            asks_max: 2,
            config_wait: Duration::from_secs(30),
        }
    }
}

impl ResolverSettings {
    /// With lanes of this capacity: a lane that could never be pressed would always wait for its own end.
    pub(crate) fn patience(&self, lane_capacity: u32) -> Patience {
        let most = usize::try_from(lane_capacity)
            .unwrap_or(usize::MAX)
            .div_ceil(4)
            .saturating_mul(3);
        let pressed_at = self.pressed_at.clamp(1, most.max(1));
        Patience {
            usual: self.patience,
            pressed: self.patience_pressed,
            pressed_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_pressed_before_it_is_full() {
        let settings = ResolverSettings::default();
        for (capacity, pressed_at) in [(1, 1), (4, 3), (16, 12), (64, 12)] {
            let at = settings.patience(capacity).pressed_at;
            assert_eq!(at.min(capacity as usize), pressed_at, "with {capacity} places");
        }
    }
}
