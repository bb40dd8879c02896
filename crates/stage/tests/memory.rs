//! What the cache's batches replace is given back. A test binary of its own: it looks at the memory of its process.

use landbridge_model::{Shard, StageKind};
use landbridge_stage::{CacheBatch, Caches};

/// Resident memory of this process, in MiB.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1024
}

/// What the resolver writes for records with two links each: an identity, two wishes, two places in an index by parent.
fn links_of(records: std::ops::Range<u32>) -> CacheBatch {
    let mut batch = CacheBatch::new();
    for record in records {
        let child = record.to_be_bytes();
        // Parents come in no order.
        let parent = record.wrapping_mul(2_654_435_761).to_be_bytes();
        batch.put(&[b"acme e", child.as_slice()].concat(), &[1; 33]);
        for field in [b"0", b"1"] {
            batch.put(&[b"acme w", child.as_slice(), field].concat(), &[2; 90]);
            batch.put(&[b"acme k", parent.as_slice(), &child, field].concat(), &[]);
        }
    }
    batch
}

#[tokio::test]
async fn what_batches_replace_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let caches = Caches::open(folder.path(), 4 << 20).unwrap();
    let cache = caches.shard(StageKind::Resolver, Shard(3)).unwrap();
    let before = resident_mib();
    for batch in 0..120 {
        cache
            .apply(links_of(batch * 500..(batch + 1) * 500))
            .await
            .unwrap();
    }
    let grown = resident_mib().saturating_sub(before);
    assert_eq!(cache.len(), 300_000);
    assert!(grown < 200, "300,000 keys of 60 bytes left {grown} MiB in memory");
}
