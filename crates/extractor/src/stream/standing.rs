//! How one channel stands: written by its subscriber, read by the increment and by whoever asks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landbridge_model::SalesforceId;
use landbridge_model::ask::{FallBack, StreamState, StreamStatus};
use parking_lot::Mutex;

use super::course::Step;
use super::trust::Beside;
use crate::rows::RowKey;

/// How one channel stands.
#[derive(Debug, Default)]
pub struct Standing {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: StreamState,
    why: Option<FallBack>,
    reason: Option<String>,
    /// Everything that is stamped from here on should be told, by the org's clock.
    since: Option<Timestamp>,
    events: u64,
    unheard: u64,
    unheard_at: Option<Instant>,
    /// Records that are marked and not yet on the bus, with the commit of their oldest event.
    marks: BTreeMap<SalesforceId, Timestamp>,
}

impl Default for Inner {
    fn default() -> Self {
        Self {
            state: StreamState::Opening,
            why: None,
            reason: None,
            since: None,
            events: 0,
            unheard: 0,
            unheard_at: None,
            marks: BTreeMap::new(),
        }
    }
}

impl Standing {
    /// Events come, and tell of everything that is stamped from here on, by the org's clock.
    pub(crate) fn opened(&self, since: Timestamp) {
        let mut inner = self.inner.lock();
        inner.state = StreamState::Streaming;
        (inner.why, inner.reason) = (None, None);
        inner.since = Some(since);
    }

    /// Events come no more.
    pub(crate) fn ended(&self, step: &Step, reason: String) {
        let mut inner = self.inner.lock();
        (inner.state, inner.why, inner.reason) = (step.state, step.why, Some(reason));
        inner.since = None;
        inner.marks.clear();
    }

    /// An event was heard, of these records.
    pub(crate) fn mark(&self, ids: &[SalesforceId], committed: Option<Timestamp>) {
        let mut inner = self.inner.lock();
        inner.events += 1;
        for id in ids {
            let at = committed.unwrap_or(Timestamp::MAX);
            let known = inner.marks.entry(*id).or_insert(at);
            *known = (*known).min(at);
        }
    }

    /// The records that are marked.
    pub(crate) fn marked(&self) -> Vec<SalesforceId> {
        self.inner.lock().marks.keys().copied().collect()
    }

    pub(crate) fn marks(&self) -> usize {
        self.inner.lock().marks.len()
    }

    /// These are on the bus.
    pub(crate) fn read(&self, ids: &[SalesforceId]) {
        let mut inner = self.inner.lock();
        for id in ids {
            inner.marks.remove(id);
        }
    }

    /// What the increment found that was not sent before. Of it, what the stream should have told by now is counted, and
    /// the stream is trusted less for a while.
    pub fn compare<'k>(&self, fresh: impl Iterator<Item = &'k RowKey>) {
        let mut inner = self.inner.lock();
        let Some(since) = inner.since else { return };
        let unheard = fresh
            .filter(|key| {
                key.version.stamp_ms >= since.as_millisecond() && !inner.marks.contains_key(&key.id)
            })
            .count() as u64;
        if unheard > 0 {
            inner.unheard += unheard;
            inner.unheard_at = Some(Instant::now());
        }
    }

    /// What the increment needs to know.
    #[must_use]
    pub fn beside(&self, asked_until: Option<Timestamp>) -> Beside {
        let inner = self.inner.lock();
        Beside {
            streaming: inner.state == StreamState::Streaming,
            since_unheard: inner.unheard_at.map(|at| at.elapsed()),
            asked_until,
        }
    }

    /// Whether events come.
    #[must_use]
    pub fn state(&self) -> StreamState {
        self.inner.lock().state
    }

    /// As it is told; `now` is the org's, if it is known. A stream that did not tell something lately is not believed to be
    /// up to date.
    #[must_use]
    pub fn status(&self, now: Option<Timestamp>, distrust: Duration) -> StreamStatus {
        let inner = self.inner.lock();
        let is_trusted = inner.state == StreamState::Streaming
            && inner.unheard_at.is_none_or(|at| at.elapsed() >= distrust);
        let oldest = inner.marks.values().min().copied();
        let behind = |now: Timestamp| {
            let waits = oldest.map_or(0, |oldest| now.as_millisecond() - oldest.as_millisecond());
            waits.max(0)
        };
        StreamStatus {
            state: inner.state,
            why: inner.why,
            reason: inner.reason.clone(),
            events: inner.events,
            unheard: inner.unheard,
            behind_ms: now.filter(|_| is_trusted).map(behind),
        }
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{ChangeKind, Version};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn id(number: u8) -> SalesforceId {
        SalesforceId::parse(&format!("a02xx000000000{number}")).unwrap()
    }

    fn row(number: u8, stamp_ms: i64) -> RowKey {
        let version = Version::new(stamp_ms, stamp_ms);
        RowKey {
            id: id(number),
            version,
            kind: ChangeKind::Upsert,
        }
    }

    #[test]
    fn what_the_stream_should_have_told_is_counted() {
        let standing = Standing::default();
        let opened = Timestamp::from_second(100).unwrap();
        standing.compare([row(1, 100_000)].iter());
        assert_eq!(standing.status(None, LONG).unheard, 0, "no events come yet");
        standing.opened(opened);
        standing.mark(&[id(2)], Some(opened));
        standing.compare([row(1, 99_999), row(2, 100_001)].iter());
        assert_eq!(
            standing.status(None, LONG).unheard,
            0,
            "older than the stream, or just being read"
        );
        assert_eq!(standing.beside(None).since_unheard, None);
        standing.compare([row(1, 100_000), row(3, 100_001)].iter());
        assert_eq!(standing.status(None, LONG).unheard, 2);
        assert!(standing.beside(None).since_unheard.is_some());
    }

    #[test]
    fn a_stream_is_behind_by_its_oldest_mark() {
        let standing = Standing::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(standing.status(Some(at(110)), LONG).behind_ms, None);
        standing.opened(at(100));
        assert_eq!(standing.status(Some(at(110)), LONG).behind_ms, Some(0));
        standing.mark(&[id(1)], Some(at(105)));
        standing.mark(&[id(1), id(2)], Some(at(107)));
        assert_eq!(standing.status(Some(at(110)), LONG).behind_ms, Some(5_000));
        standing.read(&[id(1)]);
        assert_eq!(standing.status(Some(at(110)), LONG).behind_ms, Some(3_000));
        assert_eq!(standing.marked(), [id(2)]);
        assert_eq!(standing.status(None, LONG).events, 2);
        standing.compare([row(3, 100_001)].iter());
        assert_eq!(
            standing.status(Some(at(110)), LONG).behind_ms,
            None,
            "it missed one"
        );
        assert_eq!(
            standing.status(Some(at(110)), Duration::ZERO).behind_ms,
            Some(3_000)
        );
    }
}
