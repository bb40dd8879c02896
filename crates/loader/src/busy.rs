//! Which records are somebody's to write just now. Lanes, retries, due deletes and undos of one tenant run at the same time;
//! whoever has a record is the only one who judges and writes it.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::portal::RecordKey;

/// The records that are taken, each with whether somebody else wanted it meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    taken: Mutex<HashMap<RecordKey, bool>>,
    released: Notify,
}

impl Busy {
    /// Whether somebody has this record.
    pub(crate) fn has(&self, key: &RecordKey) -> bool {
        self.taken.lock().contains_key(key)
    }

    /// Takes a record, unless somebody has it: then [`Busy::released`] tells when to ask again.
    pub(crate) fn try_begin(&self, key: &RecordKey) -> bool {
        let mut taken = self.taken.lock();
        match taken.get_mut(key) {
            Some(wanted) => {
                *wanted = true;
                false
            }
            None => {
                taken.insert(key.clone(), false);
                true
            }
        }
    }

    /// Takes all of these records or none, until what it gives is dropped.
    pub(crate) fn try_begin_all<'b>(&'b self, keys: &'b [RecordKey]) -> Option<Had<'b>> {
        let mut taken = self.taken.lock();
        let mut is_free = true;
        for key in keys {
            if let Some(wanted) = taken.get_mut(key) {
                *wanted = true;
                is_free = false;
            }
        }
        if is_free {
            taken.extend(keys.iter().map(|key| (key.clone(), false)));
        }
        drop(taken);
        is_free.then(|| Had { busy: self, keys })
    }

    /// Gives records back. Only who was refused one of them is woken: a lane looks at its rows again and again while they
    /// wait for company, and must not wake the others each time.
    pub(crate) fn end<'k>(&self, keys: impl IntoIterator<Item = &'k RecordKey>) {
        let mut taken = self.taken.lock();
        let mut wanted = false;
        for key in keys {
            wanted |= taken.remove(key).unwrap_or(false);
        }
        drop(taken);
        if wanted {
            self.released.notify_waiters();
        }
    }

    /// Becomes ready when a record is given back that somebody was refused.
    pub(crate) fn released(&self) -> tokio::sync::futures::Notified<'_> {
        self.released.notified()
    }
}

/// Records that are had until this is dropped: by whom it may concern that nobody waits for him any more.
#[must_use]
pub(crate) struct Had<'b> {
    busy: &'b Busy,
    keys: &'b [RecordKey],
}

impl Drop for Had<'_> {
    fn drop(&mut self) {
        self.busy.end(self.keys);
    }
}

#[cfg(test)]
mod tests {
    use landbridge_model::{ObjectTypeId, SalesforceId};

    use super::*;

    fn key(serial: u32) -> RecordKey {
        let id = SalesforceId::parse(&format!("a00{serial:012}")).unwrap();
        (ObjectTypeId::new("2-1"), id)
    }

    #[test]
    fn a_record_is_one_writers_at_a_time() {
        let busy = Busy::default();
        assert!(busy.try_begin(&key(1)));
        assert!(!busy.try_begin(&key(1)));
        let both = [key(2), key(1)];
        assert!(busy.try_begin_all(&both).is_none(), "all or none");
        assert!(busy.try_begin(&key(2)));
        busy.end(&both);
        let had = busy.try_begin_all(&both);
        assert!(had.is_some() && busy.has(&key(2)) && !busy.has(&key(3)));
        drop(had);
        assert!(!busy.has(&key(1)));
    }

    #[test]
    fn of_many_who_want_a_record_at_once_one_has_it() {
        let busy = Busy::default();
        for round in 0..1_000 {
            let key = key(round);
            let start = std::sync::Barrier::new(2);
            let begin = || {
                start.wait();
                busy.try_begin(&key)
            };
            let (one, two) = std::thread::scope(|scope| {
                let (one, two) = (scope.spawn(begin), scope.spawn(begin));
                (one.join().unwrap(), two.join().unwrap())
            });
            assert!(one ^ two, "round {round}");
        }
    }

    #[tokio::test]
    async fn only_who_was_refused_is_woken() {
        let busy = Busy::default();
        let woken = |refused: bool| {
            let released = busy.released();
            let mut released = Box::pin(released);
            released.as_mut().enable();
            assert!(busy.try_begin(&key(1)));
            if refused {
                assert!(!busy.try_begin(&key(1)));
            }
            busy.end(&[key(1)]);
            futures::FutureExt::now_or_never(released).is_some()
        };
        assert!(!woken(false));
        assert!(woken(true));
    }
}
