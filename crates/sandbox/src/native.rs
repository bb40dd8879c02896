//! The stand-in for HubSpot's own Salesforce integration, which keeps companies for Accounts: some before
//! anybody can look, the rest and the newly created ones after a while.

use crate::{config::NativeIntegration, hubspot::Portal, salesforce::AccountRow, salesforce::OrgHandle};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Copies Accounts to companies, as it finds them.
pub(crate) struct NativeSync {
    org: Arc<OrgHandle>,
    portal: Arc<Portal>,
    settings: NativeIntegration,
    started: Instant,
    /// By Account id: when it was first seen, and the stamp that was copied, if any.
    known: HashMap<String, Known>,
}

struct Known {
    due: Instant,
    copied: Option<i64>,
}

impl NativeSync {
    pub(crate) fn new(org: Arc<OrgHandle>, portal: Arc<Portal>, settings: NativeIntegration) -> NativeSync {
        NativeSync {
            org,
            portal,
            settings,
            started: Instant::now(),
            known: HashMap::new(),
        }
    }

    /// The Accounts that are companies from the start; the others get their time.
    pub(crate) fn first_copy(&mut self) {
        let accounts = self.org.accounts();
        for (position, account) in accounts.iter().enumerate() {
            let due = due_share(position, self.settings.initial_share);
            let due = self.started + self.settings.delay.mul_f64(due);
            self.known.insert(account.id.clone(), Known { due, copied: None });
        }
        self.copy_due(accounts, self.started);
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.copy_due(self.org.accounts(), Instant::now());
        }
    }

    fn copy_due(&mut self, accounts: Vec<AccountRow>, now: Instant) {
        for account in accounts {
            let delay = self.settings.delay;
            let known = self.known.entry(account.id.clone()).or_insert_with(|| Known {
                due: now + delay,
                copied: None,
            });
            if known.due <= now && known.copied != Some(account.stamp) {
                self.portal.put_company(&account.name, &account.id);
                known.copied = Some(account.stamp);
            }
        }
    }
}

/// 0 for an Account that is there from the start, else its share of the delay. Spread evenly, so that any
/// run of Accounts holds some of both kinds.
fn due_share(position: usize, initial_share: f64) -> f64 {
    // The golden ratio's multiples are the evenest sequence there is.
    let place = (position as f64 * 0.618_033_988_749_895).fract();
    if place < initial_share {
        0.0
    } else {
        (place - initial_share) / (1.0 - initial_share).max(f64::EPSILON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_at_the_start_is_kept() {
        for share in [0.0, 0.5, 0.8, 1.0] {
            let at_start = (0..1000)
                .filter(|position| due_share(*position, share) == 0.0)
                .count();
            assert!(
                (at_start as f64 / 1000.0 - share).abs() < 0.01,
                "{share}: {at_start}"
            );
        }
        assert!((0..1000).all(|position| (0.0..=1.0).contains(&due_share(position, 0.3))));
    }
}
