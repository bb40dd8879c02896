//! Repeatable chance: the same seed gives the same ids, shuffles and secrets.

use std::{
    fmt::Write,
    hash::{BuildHasherDefault, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 behind one atomic, so that anybody may draw without a lock.
#[derive(Debug)]
pub(super) struct Dice {
    state: AtomicU64,
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice {
            state: AtomicU64::new(mix(seed.wrapping_add(GOLDEN))),
        }
    }

    /// Where the sequence is.
    pub(super) fn state(&self) -> u64 {
        self.state.load(Ordering::Relaxed)
    }

    /// Goes on from there.
    pub(super) fn restore(&self, state: u64) {
        self.state.store(state, Ordering::Relaxed);
    }

    pub(super) fn draw(&self) -> u64 {
        mix(self
            .state
            .fetch_add(GOLDEN, Ordering::Relaxed)
            .wrapping_add(GOLDEN))
    }

    /// From 0 to below `bound` (which is at least 1).
    pub(super) fn below(&self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// The numbers 0 to below `count`, in some order.
    pub(super) fn order(&self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            order.swap(last, other);
        }
        order
    }

    /// A version 4 UUID.
    pub(super) fn uuid(&self) -> String {
        let (high, low) = (self.draw(), self.draw());
        let mut text = String::with_capacity(36);
        let _ = write!(
            text,
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48 & 0x3fff),
            low & 0xffff_ffff_ffff
        );
        text
    }
}

/// Hash maps on hot paths, whose keys come from ourselves or from a rehearsal: speed before malice.
pub(super) type FastMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<FastHasher>>;
/// See [`FastMap`].
pub(super) type FastSet<K> = std::collections::HashSet<K, BuildHasherDefault<FastHasher>>;

/// Multiply and fold, eight bytes at a time.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct FastHasher {
    state: u64,
}

impl FastHasher {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(GOLDEN | 1);
        self.state = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.add(u64::from_le_bytes(
                chunk.try_into().expect("chunks_exact gives eight bytes"),
            ));
        }
        let mut tail = [0; 8];
        tail[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        self.add(u64::from_le_bytes(tail) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, value: u8) {
        self.add(value.into());
    }

    fn write_u16(&mut self, value: u16) {
        self.add(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.add(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn finish(&self) -> u64 {
        // hashbrown takes its tag from the top bits and its bucket from the bottom ones.
        mix(self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_order() {
        let order = Dice::new(7).order(50);
        assert_eq!(order, Dice::new(7).order(50));
        assert_ne!(order, Dice::new(8).order(50));
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        let mut sorted = order;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn uuids_have_their_form() {
        let text = Dice::new(1).uuid();
        assert_eq!(
            uuid::Uuid::parse_str(&text).map(|parsed| parsed.get_version_num()),
            Ok(4)
        );
    }
}
