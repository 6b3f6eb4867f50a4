//! A small source of random numbers for permutations: the same on every machine, for ever.

/// SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, OOPSLA 2014): passes BigCrush, any seed is good.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Equal seeds give equal numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `0..below`, without bias (D. Lemire, "Fast random integer generation in an
    /// interval", ACM TOMACS 29, 2019).
    pub fn below(&mut self, below: u64) -> u64 {
        loop {
            let wide = u128::from(self.bits()) * u128::from(below);
            if wide as u64 >= below.wrapping_neg() % below {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A uniformly random order in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}
