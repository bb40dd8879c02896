//! Watching live edits arrive: the outcomes of their records, and how long each took.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use landbridge_bus::{Bus, Filter, FollowFrom, Followed, StreamName};
use landbridge_model::{Outcome, SalesforceId, Shard, TenantId};
use landbridge_wire::{Report, ReportBody, Wire};

use super::org_user::Edit;

/// A verdict on one live edit.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// What was done.
    pub what: String,
    /// What became of it.
    pub outcome: Outcome,
    /// From commit to acknowledgement.
    pub took: Duration,
}

#[derive(Default)]
struct State {
    waiting: HashMap<SalesforceId, Vec<Edit>>,
    arrived: Vec<Arrival>,
}

/// Edits on their way. Cheap to clone.
#[derive(Clone, Default)]
pub struct Arrivals {
    state: Arc<Mutex<State>>,
}

impl Arrivals {
    /// Follows a tenant's outcomes until the returned task is dropped.
    pub async fn follow(bus: &Bus, shard: Shard, tenant: &TenantId) -> anyhow::Result<(Self, FollowTask)> {
        let arrivals = Self::default();
        let filter = Filter::tenant(StreamName::Outcomes, shard, tenant);
        let mut follow = bus.follow(&filter, FollowFrom::New).await?;
        let told = arrivals.clone();
        let task = tokio::spawn(async move {
            loop {
                if let Followed::Message(message) = follow.next().await
                    && let Ok(report) = Report::decode(&message.payload)
                {
                    told.take(&report);
                }
            }
        });
        Ok((arrivals, FollowTask(task)))
    }

    /// Waits for an edit's outcome from now on.
    pub fn expect(&self, edit: Edit) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .waiting
            .entry(edit.id)
            .or_default()
            .push(edit);
    }

    /// How many have not arrived.
    pub fn waiting(&self) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.values().map(Vec::len).sum()
    }

    /// Waits until a record's edits have arrived.
    pub async fn settled(&self, id: SalesforceId) {
        let mut look = tokio::time::interval(super::LOOK);
        loop {
            look.tick().await;
            if !self
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .waiting
                .contains_key(&id)
            {
                return;
            }
        }
    }

    /// What has arrived since the last call.
    pub fn news(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).arrived)
    }

    /// An outcome settles every edit of its record that its version covers: several edits of a record within one
    /// window arrive as one change.
    fn take(&self, report: &Report) {
        let ReportBody::Records(records) = &report.body else {
            return;
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { waiting, arrived } = &mut *state;
        for record in records {
            if record.outcome == Outcome::Superseded {
                continue; // the newer version that was applied settles it
            }
            let Some(edits) = waiting.get_mut(&record.id) else {
                continue;
            };
            // Stamps have a grain of one second.
            let covered_ms = record.version.stamp_ms + 1_000 - report.org_ahead_ms;
            edits.retain(|edit| {
                let committed_ms = millis(edit);
                let is_settled = committed_ms < covered_ms;
                if is_settled {
                    let took = u64::try_from(report.at_ms - committed_ms).unwrap_or(0);
                    let took = Duration::from_millis(took);
                    arrived.push(Arrival {
                        what: edit.what.clone(),
                        outcome: record.outcome,
                        took,
                    });
                }
                !is_settled
            });
            if edits.is_empty() {
                waiting.remove(&record.id);
            }
        }
    }
}

fn millis(edit: &Edit) -> i64 {
    let since = edit.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Ends the following when it is dropped.
pub struct FollowTask(tokio::task::JoinHandle<()>);

impl Drop for FollowTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
