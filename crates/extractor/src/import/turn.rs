//! Whose turn it is: imports of one request are read parents first.
//!
//! An import waits until those that it comes after have ended: read to their end, failed or cancelled. Read is enough, and
//! written is not asked for: a tenant's bulk lane is one queue, so that all that was read before arrives before, and a link
//! that overtakes its parent all the same is parked by the resolver and made later. The order spares that work; it is
//! nothing that an import may stand for ever for. So none waits for an import that stands still itself: one that a person
//! paused, whose sync is paused or suspended, or that is in trouble which waiting does not cure. Control names only imports
//! earlier in the request, so that no circle can close.

use std::collections::HashSet;

use landbridge_model::{FailureCategory, ImportId, TenantId};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Importer;
use crate::checkpoint::ImportStep;
use crate::trouble::{Remedy, Trouble};

/// What a shard's imports know of each other.
#[derive(Debug, Default)]
pub struct Turns {
    moved: watch::Sender<()>,
    stuck: Mutex<HashSet<(TenantId, ImportId)>>,
}

impl Turns {
    /// Hears of every import that ends or stands still from now on.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    /// An import has ended.
    pub fn ended(&self, tenant: &TenantId, id: &ImportId) {
        self.stuck.lock().remove(&(tenant.clone(), id.clone()));
        self.moved.send_replace(());
    }

    /// An import met trouble, or none any more.
    pub fn met(&self, tenant: &TenantId, id: &ImportId, trouble: Option<&Trouble>) {
        let key = (tenant.clone(), id.clone());
        let changed = if trouble.is_some_and(holds_it_alone) {
            self.stuck.lock().insert(key)
        } else {
            self.stuck.lock().remove(&key)
        };
        if changed {
            self.moved.send_replace(());
        }
    }

    fn is_stuck(&self, tenant: &TenantId, id: &ImportId) -> bool {
        self.stuck.lock().contains(&(tenant.clone(), id.clone()))
    }
}

/// Whether trouble may last, and holds one import without its siblings: what holds the whole tenant gives no reason to let
/// another go first.
fn holds_it_alone(trouble: &Trouble) -> bool {
    let of_all = matches!(
        trouble.category(),
        FailureCategory::RateLimit | FailureCategory::Authentication
    );
    trouble.remedy() == Remedy::TryRarely && !of_all
}

impl Importer {
    /// Of these imports, those that go on by themselves.
    fn going<'a>(&self, ids: &'a [ImportId]) -> impl Iterator<Item = &'a ImportId> {
        let (config, tenant) = (&self.shard.context.config, &self.import.tenant);
        ids.iter().filter(move |id| {
            let import = config.import(tenant, id);
            import.is_some_and(|import| {
                let sync = config.sync(tenant, &import.sync);
                import.is_waited_for(sync.as_deref()) && !self.shard.turns.is_stuck(tenant, id)
            })
        })
    }

    /// Those that this import waits for.
    pub(super) async fn read_before(&self) -> Result<Vec<ImportId>, Trouble> {
        let mut open = Vec::new();
        for id in self.going(&self.import.after) {
            let checkpoint = self.shard.checkpoints.import(&self.import.tenant, id).await?;
            if checkpoint.is_none_or(|checkpoint| checkpoint.step() != ImportStep::Ended) {
                open.push(id.clone());
            }
        }
        Ok(open)
    }

    /// Waits until one of these has ended or stands still, or this import is to stop or stand itself.
    pub(super) async fn wait_for_turn(&self, before: &[ImportId], moved: &mut watch::Receiver<()>) {
        let config = &self.shard.context.config;
        let going = self.going(before).count();
        let changed = config.wait_for(|_| {
            (self.interruption().is_some() || self.going(before).count() < going).then_some(())
        });
        tokio::select! {
            () = changed => {}
            // The sender lives in the shard, which outlives its imports.
            _ = moved.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_stuck_alone_is_passed_by() {
        let (tenant, id) = (TenantId::new("acme").unwrap(), ImportId::new("imp-1").unwrap());
        let turns = Turns::default();
        let mut watch = turns.watch();
        for (trouble, is_stuck) in [
            (Trouble::Missing("there is no sync".into()), true),
            (Trouble::OnlyLive { percent: 90 }, false),
            (Trouble::NoCredentials(tenant.clone()), false),
        ] {
            turns.met(&tenant, &id, Some(&trouble));
            assert_eq!(turns.is_stuck(&tenant, &id), is_stuck, "{trouble}");
            turns.met(&tenant, &id, None);
            assert!(!turns.is_stuck(&tenant, &id), "{trouble}");
        }
        watch.mark_unchanged();
        turns.met(&tenant, &id, None);
        assert!(!watch.has_changed().unwrap(), "nothing has moved");
        turns.ended(&tenant, &id);
        assert!(watch.has_changed().unwrap());
    }
}
