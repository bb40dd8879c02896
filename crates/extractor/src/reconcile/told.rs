//! What is known of looks in this process: who is to begin one at once, and how they stand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use landbridge_model::SyncKey;
use landbridge_model::ask::ReconcileStatus;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// By sync.
#[derive(Debug, Default)]
pub struct Looks {
    of: Mutex<HashMap<SyncKey, One>>,
}

#[derive(Debug, Default)]
struct One {
    bell: Arc<Notify>,
    status: Option<ReconcileStatus>,
}

impl Looks {
    fn bell(&self, key: &SyncKey) -> Arc<Notify> {
        self.of.lock().entry(key.clone()).or_default().bell.clone()
    }

    /// Ends the pause that is, or the next one.
    pub fn ring(&self, key: &SyncKey) {
        self.bell(key).notify_one();
    }

    /// Pauses for so long, or until a look is asked for.
    pub async fn pause(&self, key: &SyncKey, pause: Duration) {
        // It does not matter which of the two it was.
        let _ = tokio::time::timeout(pause, self.bell(key).notified()).await;
    }

    /// How a sync's look stands from now on.
    pub fn tell(&self, key: &SyncKey, status: ReconcileStatus) {
        self.of.lock().entry(key.clone()).or_default().status = Some(status);
    }

    /// How it stands, or how the last one ended, as far as this process has seen it.
    #[must_use]
    pub fn status(&self, key: &SyncKey) -> Option<ReconcileStatus> {
        self.of.lock().get(key)?.status
    }
}
