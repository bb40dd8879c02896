//! The portal's own counts.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::installation::HubSpotAccess;

/// Between two looks while an import writes.
const LOOK: Duration = Duration::from_millis(100);
/// The longest that one look may take.
const CALL: Duration = Duration::from_secs(30);
/// A portal that is not written to for so long is given up.
const PATIENCE: Duration = Duration::from_secs(300);
const UPSERTS: &str = "objects_batch_upsert";

/// Calls since some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) refused: u64,
    pub(super) upserts: u64,
}

impl Counts {
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            calls: self.calls - before.calls,
            refused: self.refused - before.refused,
            upserts: self.upserts - before.upserts,
        }
    }

    fn of(stats: &Value) -> Self {
        let refused = stats["refused"].as_object();
        Self {
            calls: stats["calls"].as_u64().unwrap_or(0),
            refused: refused.map_or(0, |refused| refused.values().filter_map(Value::as_u64).sum()),
            upserts: stats["by_family"][UPSERTS].as_u64().unwrap_or(0),
        }
    }
}

/// When records were written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    first: Option<Instant>,
    last: Option<Instant>,
    /// Batch upserts in it.
    pub(super) upserts: u64,
}

impl Span {
    pub(super) fn lasted(&self) -> Duration {
        match (self.first, self.last) {
            (Some(first), Some(last)) => last - first,
            _ => Duration::ZERO,
        }
    }

    fn note(&mut self, upserts: u64, now: Instant) {
        if upserts > self.upserts {
            self.first.get_or_insert(now);
            (self.last, self.upserts) = (Some(now), upserts);
        }
    }
}

/// Reads them.
#[derive(Clone)]
pub(super) struct Witness {
    http: reqwest::Client,
    url: String,
}

/// A look at the portal again and again.
pub(super) struct Watching {
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<Span>>,
}

impl Watching {
    pub(super) async fn stop(self) -> anyhow::Result<Span> {
        self.stop.send_replace(true);
        self.task.await.context("the look at the portal ended")?
    }
}

impl Witness {
    pub(super) fn open(access: &HubSpotAccess) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder().timeout(CALL).build()?,
            url: format!("{}/__sandbox/stats", access.base_url),
        })
    }

    pub(super) async fn counts(&self) -> anyhow::Result<Counts> {
        let answer = self.http.get(&self.url).send().await?.error_for_status()?;
        Ok(Counts::of(&serde_json::from_slice(&answer.bytes().await?)?))
    }

    /// Notes the first and the last batch upsert from now on.
    pub(super) fn watch(&self) -> Watching {
        let (stop, mut stopped) = watch::channel(false);
        let witness = self.clone();
        let task = tokio::spawn(async move {
            let before = witness.counts().await?;
            let mut span = Span::default();
            loop {
                let counts = witness.counts().await?;
                span.note(counts.upserts - before.upserts, Instant::now());
                if *stopped.borrow() {
                    return Ok(span);
                }
                let _over = tokio::time::timeout(LOOK, stopped.changed()).await;
            }
        });
        Watching { stop, task }
    }

    /// Waits until a record is written.
    pub(super) async fn first_upsert(&self) -> anyhow::Result<()> {
        let before = self.counts().await?;
        let began = Instant::now();
        while self.counts().await?.upserts == before.upserts {
            anyhow::ensure!(began.elapsed() < PATIENCE, "nothing is written");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_goes_from_the_first_write_to_the_last() {
        let began = Instant::now();
        let mut span = Span::default();
        for (second, upserts) in [(0, 0), (1, 3), (2, 3), (4, 9), (7, 9)] {
            span.note(upserts, began + Duration::from_secs(second));
        }
        assert_eq!((span.lasted(), span.upserts), (Duration::from_secs(3), 9));
    }

    #[test]
    fn counts_are_of_the_time_between() {
        let stats = serde_json::json!({
            "calls": 9, "by_family": { "objects_batch_upsert": 4 }, "refused": { "rate_limit": 1, "other": 1 }
        });
        let counts = Counts::of(&stats);
        let expected = Counts {
            calls: 9,
            refused: 2,
            upserts: 4,
        };
        assert_eq!(counts, expected);
        assert_eq!(counts.since(&counts), Counts::default());
    }
}
