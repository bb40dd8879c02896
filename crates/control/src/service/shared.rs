//! What is costly to find out and asked for by many at the same moment: found out once for all of them.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// For so long what was found counts as of now.
const FRESH: Duration = Duration::from_secs(1);
/// What took long to find counts for so many times as long, so that looking never takes more than a tenth of the time.
const TIMES_AS_LONG: u32 = 10;
/// For so long nobody's look is kept.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The latest look at each of many things.
#[derive(Debug)]
pub(super) struct Shared<K, V> {
    looks: Mutex<HashMap<K, Arc<Look<V>>>>,
}

#[derive(Debug)]
struct Look<V> {
    asked: Mutex<Instant>,
    /// Held while somebody looks: all others wait for what they find.
    found: tokio::sync::Mutex<Option<Found<V>>>,
}

#[derive(Debug)]
struct Found<V> {
    at: Instant,
    took: Duration,
    value: Arc<V>,
}

impl<V> Found<V> {
    fn is_fresh(&self, now: Instant) -> bool {
        now.duration_since(self.at) < FRESH.max(self.took * TIMES_AS_LONG)
    }
}

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self {
            looks: Mutex::default(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Shared<K, V> {
    /// What somebody found a moment ago, or what is found now.
    pub(super) async fn recent<E>(
        &self,
        key: &K,
        find: impl Future<Output = Result<V, E>>,
    ) -> Result<Arc<V>, E> {
        let look = self.look(key);
        let mut found = look.found.lock().await;
        match &*found {
            Some(found) if found.is_fresh(Instant::now()) => Ok(found.value.clone()),
            _ => find_out(&mut found, find).await,
        }
    }

    /// What is found now, for others as well: for somebody who has just changed it.
    pub(super) async fn now<E>(
        &self,
        key: &K,
        find: impl Future<Output = Result<V, E>>,
    ) -> Result<Arc<V>, E> {
        let look = self.look(key);
        let mut found = look.found.lock().await;
        find_out(&mut found, find).await
    }

    fn look(&self, key: &K) -> Arc<Look<V>> {
        let now = Instant::now();
        let mut looks = self.looks.lock();
        looks.retain(|_, look| now.duration_since(*look.asked.lock()) < FORGOTTEN);
        let look = looks.entry(key.clone()).or_insert_with(|| {
            Arc::new(Look {
                asked: Mutex::new(now),
                found: tokio::sync::Mutex::new(None),
            })
        });
        *look.asked.lock() = now;
        look.clone()
    }
}

async fn find_out<V, E>(
    found: &mut Option<Found<V>>,
    find: impl Future<Output = Result<V, E>>,
) -> Result<Arc<V>, E> {
    let begun = Instant::now();
    let value = Arc::new(find.await?);
    *found = Some(Found {
        at: Instant::now(),
        took: begun.elapsed(),
        value: value.clone(),
    });
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn many_who_look_at_the_same_moment_cost_one_look() {
        let (shared, looks) = (Shared::<&str, u32>::default(), AtomicU32::new(0));
        let find = || async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(looks.fetch_add(1, Ordering::Relaxed))
        };
        let many = futures::future::join_all((0..20).map(|_| shared.recent(&"acme", find()))).await;
        assert!(many.iter().all(|seen| **seen.as_ref().unwrap() == 0));
        assert_eq!(
            *shared.recent(&"globex", find()).await.unwrap(),
            1,
            "each tenant is looked at"
        );
        assert_eq!(
            *shared.now(&"acme", find()).await.unwrap(),
            2,
            "whoever changed something sees it"
        );
        assert_eq!(
            *shared.recent(&"acme", find()).await.unwrap(),
            2,
            "and so does everybody else"
        );
        assert_eq!(looks.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn what_could_not_be_found_is_looked_for_again() {
        let shared = Shared::<&str, u32>::default();
        assert_eq!(shared.recent(&"acme", async { Err("away") }).await, Err("away"));
        let found = shared.recent(&"acme", async { Ok::<_, &str>(7) }).await;
        assert_eq!(*found.unwrap(), 7);
    }

    #[test]
    fn what_takes_long_is_done_rarely() {
        let at = Instant::now();
        let found = |took: u64| Found {
            at,
            took: Duration::from_millis(took),
            value: Arc::new(()),
        };
        let fresh = |took, after: u64| found(took).is_fresh(at + Duration::from_millis(after));
        assert!(fresh(5, 900) && !fresh(5, 1_000));
        assert!(fresh(500, 4_900) && !fresh(500, 5_000));
    }
}
