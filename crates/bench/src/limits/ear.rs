//! Who listens to the outcomes: when which record, and how many links, were settled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use landbridge_bus::{Bus, BusConfig, Filter, FollowFrom, Followed, StreamName};
use landbridge_model::{Shard, StageKind, TenantId};
use landbridge_wire::{Report, ReportBody, Wire as _};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::installation::TENANT;

/// Without news for so long it is given up.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
struct Heard {
    /// Outcomes of live changes, by record, each with its place among all that were heard.
    records: HashMap<String, (u64, Instant)>,
    reports: u64,
    links: u64,
}

/// Listens while it lives.
pub(super) struct Ear {
    heard: Arc<Mutex<Heard>>,
    news: Arc<Notify>,
    _task: JoinSet<()>,
}

impl Ear {
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let config = BusConfig::default();
        let shard = Shard::of(&TenantId::new(TENANT)?, config.shards);
        let bus = Bus::open(&config, url, "landbridge-bench").await;
        let bus = bus.context("the bus cannot be used")?;
        let filter = Filter::shard(StreamName::Outcomes, shard);
        let mut follow = bus.follow(&filter, FollowFrom::New).await?;
        let (heard, news) = (Arc::<Mutex<Heard>>::default(), Arc::<Notify>::default());
        let mut task = JoinSet::new();
        let (into, told) = (heard.clone(), news.clone());
        task.spawn(async move {
            // The bus goes with whoever reads it.
            let _bus = bus;
            loop {
                if let Followed::Message(stored) = follow.next().await
                    && let Ok(report) = Report::decode(&stored.payload)
                {
                    note(&mut into.lock().unwrap_or_else(PoisonError::into_inner), &report);
                    told.notify_waiters();
                }
            }
        });
        Ok(Self {
            heard,
            news,
            _task: task,
        })
    }

    /// Reports until now.
    pub(super) fn now(&self) -> u64 {
        self.look(|heard| heard.reports)
    }

    /// When a live change of this record was settled after so many reports.
    pub(super) async fn record(&self, id: &str, since: u64) -> Instant {
        loop {
            let notified = self.news.notified();
            let found = self.look(|heard| heard.records.get(id).copied());
            if let Some((place, at)) = found
                && place > since
            {
                return at;
            }
            notified.await;
        }
    }

    /// Waits until so many links were settled since they were forgotten.
    pub(super) async fn links(&self, wanted: u64) -> anyhow::Result<()> {
        let waiting = async {
            loop {
                let notified = self.news.notified();
                if self.look(|heard| heard.links) >= wanted {
                    return;
                }
                notified.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.with_context(|| {
            format!(
                "{wanted} links were not settled: {}",
                self.look(|heard| heard.links)
            )
        })
    }

    /// Counts links from nothing again.
    pub(super) fn forget_links(&self) {
        self.look(|heard| heard.links = 0);
    }

    fn look<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn note(heard: &mut Heard, report: &Report) {
    heard.reports += 1;
    match &report.body {
        ReportBody::Records(records)
            if report.envelope.run.is_none() && report.stage == StageKind::Loader =>
        {
            let (place, now) = (heard.reports, Instant::now());
            for record in records {
                heard.records.insert(record.id.to_string(), (place, now));
            }
        }
        ReportBody::Links(links) if report.stage == StageKind::Loader => heard.links += links.len() as u64,
        _ => {}
    }
}
