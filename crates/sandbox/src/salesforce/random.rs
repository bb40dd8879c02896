//! Repeatable chance: the same numbers for the same seed on every machine and in every release.

/// The next number of a run (SplitMix64).
pub fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A run of numbers.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Chance(u64);

impl Chance {
    /// The run of a seed, apart from the runs of other purposes with the same seed.
    pub fn new(seed: u64, purpose: u64) -> Chance {
        let mut state = seed.wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ purpose;
        mix(&mut state);
        Chance(state)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        mix(&mut self.0) % end.max(1)
    }

    /// True one time in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of a list.
    pub fn pick<'t, T>(&mut self, list: &'t [T]) -> Option<&'t T> {
        list.get(self.below(list.len() as u64) as usize)
    }
}
