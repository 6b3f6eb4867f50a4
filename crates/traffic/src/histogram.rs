//! Durations in bounded memory.

use std::time::Duration;

/// Buckets for each doubling: a percentile is at most 1/64 too high.
const PER_OCTAVE: u64 = 64;
/// Up to 2^40 ns, 18 minutes; longer ones fall into the last bucket.
const BUCKETS: usize = (PER_OCTAVE * (40 - 6 + 1)) as usize;

/// Counts of durations in buckets that grow with them (as HdrHistogram does it).
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum_ns: u128,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            count: 0,
            sum_ns: 0,
            max_ns: 0,
        }
    }
}

/// Numbers below 64 have their own buckets; then come 64 for each doubling.
fn bucket(ns: u64) -> usize {
    if ns < PER_OCTAVE {
        return ns as usize;
    }
    let octave = u64::from(ns.ilog2()) - 6;
    let within = (ns >> octave) - PER_OCTAVE;
    usize::try_from(PER_OCTAVE * (octave + 1) + within).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

/// The largest number in a bucket.
fn upper_end(bucket: usize) -> u64 {
    let (octave, within) = (bucket as u64 / PER_OCTAVE, bucket as u64 % PER_OCTAVE);
    if octave == 0 {
        within
    } else {
        ((PER_OCTAVE + within + 1) << (octave - 1)) - 1
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(ns)] += 1;
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds all of another one.
    pub fn merge(&mut self, other: &Self) {
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(mine, theirs)| *mine += theirs);
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The duration that `share` (0 to 1) of all do not exceed; zero if there are none.
    pub fn percentile(&self, share: f64) -> Duration {
        let rank = ((share * self.count as f64).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_end(index).min(self.max_ns));
            }
        }
        Duration::ZERO
    }

    /// The longest one.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The mean; zero if there are none.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos((self.sum_ns / u128::from(self.count.max(1))) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_contiguous_and_narrow() {
        let mut last = 0;
        for ns in (0..5_000).chain((0..1_000).map(|step| 5_000 + step * 997_991)) {
            let index = bucket(ns);
            assert!(index == last || index == last + 1 || ns > 5_000, "{ns}");
            assert!(upper_end(index) >= ns && upper_end(index) <= ns + ns / 64, "{ns}");
            last = index;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles() {
        let mut low = Histogram::default();
        assert_eq!(low.percentile(0.5), Duration::ZERO);
        let mut high = Histogram::default();
        for us in 1..=1_000 {
            let half = if us <= 500 { &mut low } else { &mut high };
            half.record(Duration::from_micros(us));
        }
        low.merge(&high);
        assert_eq!((low.count(), low.max()), (1_000, Duration::from_micros(1_000)));
        assert_eq!(low.mean(), Duration::from_nanos(500_500));
        for (share, us) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1_000.0), (0.0, 1.0)] {
            let found = low.percentile(share).as_secs_f64() * 1e6;
            assert!(
                found >= us && found <= us * (1.0 + 1.0 / 64.0),
                "{share}: {found}"
            );
        }
    }
}
