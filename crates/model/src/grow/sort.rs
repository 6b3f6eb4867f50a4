//! Sorting of `rank << 32 | load` by rank: radix where it pays, the standard library's sort below.

/// Below this a comparison sort is faster than clearing the counters.
const RADIX_FROM: usize = 160;
const MAX_DIGIT_BITS: u32 = 11;

/// Scratch memory, kept from node to node.
#[derive(Default)]
pub(super) struct Sorter {
    scratch: Vec<u64>,
    counts: Vec<u32>,
}

impl Sorter {
    /// The keys in ascending order of rank, all of which lie in `lowest..=highest`. The order of equal
    /// ranks depends on nothing but the keys and their order.
    pub(super) fn sort<'a>(&'a mut self, keys: &'a mut [u64], lowest: u32, highest: u32) -> &'a [u64] {
        if keys.len() < RADIX_FROM {
            keys.sort_unstable();
            return keys;
        }
        let bits = 32 - (highest - lowest).leading_zeros();
        let passes = bits.div_ceil(MAX_DIGIT_BITS);
        let digit_bits = bits.div_ceil(passes);
        if self.scratch.len() < keys.len() {
            self.scratch.resize(keys.len(), 0);
        }
        let mut from = keys;
        let mut to = &mut self.scratch[..from.len()];
        for pass in 0..passes {
            scatter(from, to, &mut self.counts, lowest, pass * digit_bits, digit_bits);
            (from, to) = (to, from);
        }
        from
    }
}

/// One stable pass over one digit of `rank - lowest`.
fn scatter(from: &[u64], to: &mut [u64], counts: &mut Vec<u32>, lowest: u32, shift: u32, bits: u32) {
    let buckets = 1usize << bits;
    let digit = |key: u64| ((((key >> 32) as u32 - lowest) >> shift) as usize) & (buckets - 1);
    counts.clear();
    counts.resize(buckets, 0);
    let counts = &mut counts[..buckets];
    for &key in from {
        counts[digit(key)] += 1;
    }
    let mut before = 0;
    for count in counts.iter_mut() {
        before += std::mem::replace(count, before);
    }
    for &key in from {
        let place = &mut counts[digit(key)];
        to[*place as usize] = key;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_by_rank(ranks in proptest::collection::vec(5u32..100_000, 1..600)) {
            let mut keys: Vec<u64> = (0u64..).zip(&ranks).map(|(i, &rank)| u64::from(rank) << 32 | i).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            let (lowest, highest) = (*ranks.iter().min().unwrap(), *ranks.iter().max().unwrap());
            let mut sorter = Sorter::default();
            prop_assert_eq!(sorter.sort(&mut keys, lowest, highest), &expected[..]);
        }
    }
}
