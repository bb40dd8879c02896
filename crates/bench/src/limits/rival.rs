//! Another client of the same key.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::installation::HubSpotAccess;

/// What it did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Took {
    pub(super) calls: u64,
    pub(super) refused: u64,
}

/// Calls at an even pace, whatever the portal says.
pub(super) struct Rival {
    stop: watch::Sender<bool>,
    task: JoinHandle<Took>,
}

impl Rival {
    /// Takes so many calls of each window.
    pub(super) fn start(access: &HubSpotAccess, calls: u64, window: Duration) -> anyhow::Result<Self> {
        let (stop, mut stopped) = watch::channel(false);
        let http = reqwest::Client::builder().timeout(window).build()?;
        let url = format!("{}/crm/objects/2026-09/companies?limit=1", access.base_url);
        let token = access.token.clone();
        let pause = window / u32::try_from(calls).unwrap_or(u32::MAX).max(1);
        let task = tokio::spawn(async move {
            let mut took = Took::default();
            let mut tick = tokio::time::interval(pause);
            loop {
                tokio::select! {
                    _ = stopped.changed() => return took,
                    _ = tick.tick() => {
                        took.calls += 1;
                        let answer = http.get(&url).bearer_auth(&token).send().await;
                        let is_refused = answer.is_ok_and(|answer| answer.status().as_u16() == 429);
                        took.refused += u64::from(is_refused);
                    }
                }
            }
        });
        Ok(Self { stop, task })
    }

    pub(super) async fn stop(self) -> Took {
        self.stop.send_replace(true);
        self.task.await.unwrap_or_default()
    }
}
