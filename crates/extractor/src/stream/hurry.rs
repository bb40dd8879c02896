//! What the increment of a sync is asked for, by whoever knows that something must be looked at.

use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A wish that the increment looks at once, and keeps looking often until it has passed a moment.
#[derive(Debug, Default)]
pub struct Hurry {
    until: Mutex<Option<Timestamp>>,
    bell: Notify,
}

impl Hurry {
    /// Look now, and often until everything before `until` is read, by the org's clock.
    pub fn ask(&self, until: Timestamp) {
        let mut asked = self.until.lock();
        *asked = asked.max(Some(until));
        drop(asked);
        self.bell.notify_one();
    }

    /// Look now, whatever the pause.
    pub fn ring(&self) {
        self.bell.notify_one();
    }

    /// The moment that is to be passed.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        *self.until.lock()
    }

    /// Pauses for so long, or until somebody asks.
    pub async fn pause(&self, pause: Duration) {
        // It does not matter which of the two it was.
        let _ = tokio::time::timeout(pause, self.bell.notified()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_ends_a_pause_also_one_that_begins_later() {
        let hurry = Hurry::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        hurry.ask(at(5));
        hurry.ask(at(3));
        assert_eq!(hurry.until(), Some(at(5)), "the later moment stays");
        // An hour, unless the wish is heard.
        hurry.pause(Duration::from_secs(3_600)).await;
    }
}
