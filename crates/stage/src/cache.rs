//! sled, as a cache of the truth: one database a process, one tree a shard.

use std::path::Path;
use std::sync::Arc;

use landbridge_model::{Shard, StageKind};
use tokio_util::task::TaskTracker;

use crate::error::StageError;

/// Puts longer than this are applied off the runtime's threads.
const INLINE_WRITES_MAX: usize = 64;
/// How many writes may leave garbage behind before some is cleared away. Each round clears 512 objects, and a write
/// leaves two or three.
const WRITES_PER_CLEARING: usize = 128;

/// The database of one worker process.
#[derive(Clone, Debug)]
pub struct Caches {
    database: sled::Db,
    folder: Arc<str>,
}

impl Caches {
    /// Opens the database in a folder of its own, with sled's cache bounded to `cache_bytes`.
    ///
    /// A snapshot file that a hard stop left empty makes sled refuse to open: it is set aside and the log is read
    /// instead. What then still cannot be opened is removed: it is a cache.
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StageError> {
        let name: Arc<str> = folder.display().to_string().into();
        let failed = |source| StageError::Cache {
            folder: name.to_string(),
            source,
        };
        let open = || {
            sled::Config::new()
                .path(folder)
                .cache_capacity(cache_bytes)
                .flush_every_ms(Some(500))
                .mode(sled::Mode::HighThroughput)
                .open()
        };
        let database = match open() {
            Ok(database) => database,
            Err(sled::Error::Corruption { .. }) => {
                tracing::warn!(folder = %name, "the cache is damaged; reading its log instead of its snapshot");
                set_snapshots_aside(folder);
                match open() {
                    Ok(database) => database,
                    Err(error) => {
                        tracing::warn!(folder = %name, %error, "the cache cannot be read and starts empty");
                        std::fs::remove_dir_all(folder).map_err(|error| failed(error.into()))?;
                        open().map_err(failed)?
                    }
                }
            }
            Err(error) => return Err(failed(error)),
        };
        Ok(Self {
            database,
            folder: name,
        })
    }

    /// The tree of one shard at one stage.
    pub fn shard(&self, stage: StageKind, shard: Shard) -> Result<Cache, StageError> {
        let tree = self
            .database
            .open_tree(format!("{stage}.{shard}"))
            .map_err(|source| StageError::Cache {
                folder: self.folder.to_string(),
                source,
            })?;
        Ok(Cache {
            tree,
            folder: self.folder.clone(),
            writes: TaskTracker::new(),
        })
    }
}

fn set_snapshots_aside(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            let aside = folder.join(format!("aside-{}", entry.file_name().to_string_lossy()));
            // Best effort: if it cannot be moved, the second opening fails and the cache starts empty.
            let _moved = std::fs::rename(entry.path(), aside);
        }
    }
}

/// Applies a batch, and clears away what it replaced.
///
/// sled leaves the pages that a write replaces to a collector that takes a few with every 128th entry into the
/// database. A batch enters once, however many writes it has, so that batches alone leave garbage faster than it is
/// collected: memory grew by more than a kilobyte for every key written, without bound. The collector is asked here as
/// often as single writes would have asked it.
fn apply_and_clear(tree: &sled::Tree, batch: CacheBatch) -> sled::Result<()> {
    tree.apply_batch(batch.batch)?;
    for _ in 0..=batch.writes / WRITES_PER_CLEARING {
        crossbeam_epoch::pin().flush();
    }
    Ok(())
}

fn change_one(tree: &sled::Tree, key: &[u8], change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> sled::Result<()> {
    let mut old = tree.get(key)?;
    while let Some(new) = old.as_deref().and_then(&change) {
        match tree.compare_and_swap(key, old, Some(new))? {
            Ok(()) => break,
            Err(changed) => old = changed.current,
        }
    }
    Ok(())
}

/// One shard's cache. Cheap to clone. Reads and small writes are memory-speed and may be called from async code.
#[derive(Clone, Debug)]
pub struct Cache {
    tree: sled::Tree,
    folder: Arc<str>,
    /// Counts the writes that go on when nobody waits for them any more.
    writes: TaskTracker,
}

/// Changes that become visible together.
#[derive(Clone, Debug, Default)]
pub struct CacheBatch {
    batch: sled::Batch,
    writes: usize,
}

impl CacheBatch {
    /// No changes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        self.batch.insert(key, value);
        self.writes += 1;
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &[u8]) {
        self.batch.remove(key);
        self.writes += 1;
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes == 0
    }
}

impl Cache {
    /// The same cache, whose writes are counted among these tasks.
    pub(crate) fn tracked_by(mut self, tasks: &TaskTracker) -> Self {
        self.writes = tasks.clone();
        self
    }

    fn failed(&self, source: sled::Error) -> StageError {
        StageError::Cache {
            folder: self.folder.to_string(),
            source,
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Result<Option<sled::IVec>, StageError> {
        self.tree.get(key).map_err(|source| self.failed(source))
    }

    /// Sets one key.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StageError> {
        self.tree
            .insert(key, value)
            .map(drop)
            .map_err(|source| self.failed(source))
    }

    /// Sets a key that has no value yet; gives whether it did.
    pub fn put_if_new(&self, key: &[u8], value: &[u8]) -> Result<bool, StageError> {
        self.tree
            .compare_and_swap(key, None::<&[u8]>, Some(value))
            .map(|swapped| swapped.is_ok())
            .map_err(|source| self.failed(source))
    }

    /// Changes values, each in one step whoever else writes it; many of them off the runtime's threads. `change` gives
    /// nothing for a value that stays.
    pub async fn change<T: Send + 'static>(
        &self,
        entries: Vec<(Vec<u8>, T)>,
        change: impl Fn(&T, &[u8]) -> Option<Vec<u8>> + Send + 'static,
    ) -> Result<(), StageError> {
        let tree = self.tree.clone();
        let is_long = entries.len() > INLINE_WRITES_MAX;
        let change_all = move || -> sled::Result<()> {
            for (key, with) in &entries {
                change_one(&tree, key, |old| change(with, old))?;
            }
            Ok(())
        };
        if !is_long {
            return change_all().map_err(|source| self.failed(source));
        }
        match self.writes.spawn_blocking(change_all).await {
            Ok(result) => result.map_err(|source| self.failed(source)),
            Err(error) => Err(StageError::caused("the cache's writer stopped", error)),
        }
    }

    /// Removes one key.
    pub fn remove(&self, key: &[u8]) -> Result<(), StageError> {
        self.tree
            .remove(key)
            .map(drop)
            .map_err(|source| self.failed(source))
    }

    /// Applies changes together; large ones off the runtime's threads.
    pub async fn apply(&self, batch: CacheBatch) -> Result<(), StageError> {
        if batch.is_empty() {
            return Ok(());
        }
        if batch.writes <= INLINE_WRITES_MAX {
            return apply_and_clear(&self.tree, batch).map_err(|source| self.failed(source));
        }
        let tree = self.tree.clone();
        let applied = self
            .writes
            .spawn_blocking(move || apply_and_clear(&tree, batch))
            .await;
        match applied {
            Ok(result) => result.map_err(|source| self.failed(source)),
            Err(error) => Err(StageError::caused("the cache's writer stopped", error)),
        }
    }

    /// All keys and values under a prefix, in the order of the keys.
    pub fn scan_prefix(
        &self,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<(sled::IVec, sled::IVec), StageError>> + use<> {
        let folder = self.folder.clone();
        self.tree.scan_prefix(prefix).map(move |entry| {
            entry.map_err(|source| StageError::Cache {
                folder: folder.to_string(),
                source,
            })
        })
    }

    /// Number of keys; counts them, so not for a hot path.
    pub fn len(&self) -> usize {
        self.tree.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.tree.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&self) -> Result<(), StageError> {
        self.tree.clear().map_err(|source| self.failed(source))
    }

    /// Waits until everything is on disk.
    ///
    /// One flush at a time in the process, and on a thread of the runtime's: sled writes on a small pool that all its
    /// databases share, and flushes that wait inside that pool for each other's writes never end.
    pub async fn flush(&self) -> Result<(), StageError> {
        static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _turn = TURN.lock().await;
        let tree = self.tree.clone();
        match tokio::task::spawn_blocking(move || tree.flush()).await {
            Ok(flushed) => flushed.map(drop).map_err(|source| self.failed(source)),
            Err(error) => Err(StageError::caused("the cache's writer stopped", error)),
        }
    }
}
