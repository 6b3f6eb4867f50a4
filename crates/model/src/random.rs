//! SplitMix64: one stream for each tree, so that the trees' order and threads do not matter.

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014); constants as
/// in Vigna's public-domain splitmix64.c.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64 {
    state: u64,
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl SplitMix64 {
    /// The stream of tree number `tree` under `seed`. Mixed twice, so that neighbouring seeds and
    /// trees do not share a stretch of one sequence.
    pub(crate) fn for_tree(seed: u64, tree: u64) -> Self {
        let state =
            mix(mix(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)) ^ tree.wrapping_mul(0xD1B5_4A32_D192_ED03));
        SplitMix64 { state }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number below `bound` (at least 1), each equally likely: Lemire, "Fast random integer
    /// generation in an interval" (ACM TOMACS 29, 2019).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        loop {
            let product = (self.next() >> 32) * u64::from(bound);
            let low = product as u32;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 32) as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn known_sequence() {
        // First outputs of splitmix64.c from state 1234567.
        let mut random = SplitMix64 { state: 1_234_567 };
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(expected, [random.next(), random.next(), random.next()]);
    }

    #[test]
    fn draws_are_even() {
        let mut random = SplitMix64::for_tree(1, 2);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        // Six standard deviations of a count around 10,000.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 560),
            "{counts:?}"
        );
    }
}
