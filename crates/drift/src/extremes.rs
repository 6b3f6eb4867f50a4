//! Largest absolute prefix sum of a sequence whose entries change one at a time.

/// Entries summed up one after the other; above them a tree. Sixteen is where both cost the same.
const BLOCK: usize = 16;

/// Sum of a stretch, and the lowest and highest sum of a beginning of it (0 for the empty one).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stretch {
    sum: i64,
    lowest: i64,
    highest: i64,
}

impl Stretch {
    fn of(entries: &[i64]) -> Self {
        let mut stretch = Self::default();
        for &entry in entries {
            stretch.sum += entry;
            stretch.lowest = stretch.lowest.min(stretch.sum);
            stretch.highest = stretch.highest.max(stretch.sum);
        }
        stretch
    }

    fn then(self, next: Self) -> Self {
        Self {
            sum: self.sum + next.sum,
            lowest: self.lowest.min(self.sum + next.lowest),
            highest: self.highest.max(self.sum + next.highest),
        }
    }
}

/// Changing an entry costs O(log n), asking for the largest absolute prefix sum O(1).
///
/// With the two samples' steps as entries, that prefix sum is the KS statistic's numerator. This is
/// what lets the flag be exact after every request, whatever the sizes of reference and window.
#[derive(Clone, Debug)]
pub struct PrefixExtremes {
    entries: Vec<i64>,
    /// A complete binary tree, root at 1, children of k at 2k and 2k + 1; leaves are blocks.
    tree: Vec<Stretch>,
    leaves: usize,
}

impl PrefixExtremes {
    /// Takes the entries as they are at first.
    pub fn new(entries: Vec<i64>) -> Self {
        let leaves = entries.len().div_ceil(BLOCK).next_power_of_two();
        let mut tree = vec![Stretch::default(); 2 * leaves];
        for (leaf, block) in tree[leaves..].iter_mut().zip(entries.chunks(BLOCK)) {
            *leaf = Stretch::of(block);
        }
        for node in (1..leaves).rev() {
            tree[node] = tree[2 * node].then(tree[2 * node + 1]);
        }
        Self {
            entries,
            tree,
            leaves,
        }
    }

    /// Adds `change` to the entry at `index`.
    pub fn add(&mut self, index: usize, change: i64) {
        self.entries[index] += change;
        self.refresh(index / BLOCK);
    }

    fn refresh(&mut self, block: usize) {
        let start = block * BLOCK;
        let end = (start + BLOCK).min(self.entries.len());
        let mut node = self.leaves + block;
        self.tree[node] = Stretch::of(&self.entries[start..end]);
        while node > 1 {
            node /= 2;
            self.tree[node] = self.tree[2 * node].then(self.tree[2 * node + 1]);
        }
    }

    /// `max |prefix sum|` over all beginnings.
    pub fn largest(&self) -> u64 {
        let root = self.tree[1];
        root.highest.max(-root.lowest).unsigned_abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_plain_scan(
            start in prop::collection::vec(-50_i64..50, 1..200),
            changes in prop::collection::vec((0_usize..1_000, -50_i64..50), 0..40),
        ) {
            let mut plain = start.clone();
            let mut extremes = PrefixExtremes::new(start);
            for (place, change) in changes {
                let index = place % plain.len();
                plain[index] += change;
                extremes.add(index, change);
                let sums = plain.iter().scan(0_i64, |sum, x| { *sum += x; Some(*sum) });
                prop_assert_eq!(extremes.largest(), sums.map(i64::unsigned_abs).max().unwrap());
            }
        }
    }
}
