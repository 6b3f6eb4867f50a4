//! Labels that came to a replica which did not answer the request: kept until the one that did has them.
//!
//! A load balancer sends a label anywhere. Whoever does not know its request tells it to all who ask, in each
//! exchange, until one says that it has settled it. Said twice it changes nothing.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Labels that wait for one of the others, in milliseconds.
pub const PATIENCE_MS: u64 = 60_000;
/// Most requests whose labels wait.
const REQUESTS_MOST: usize = 5_000;
/// Most labels that wait.
const LABELS_MOST: usize = 50_000;
/// Most replicas whose labels we remember to have settled.
const REPLICAS_MOST: usize = 64;

/// Labels of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// The teller's number for it.
    pub seq: u64,
    /// The request's id.
    pub id: String,
    /// Read already: all replicas have the same classes.
    pub labels: Vec<Option<f64>>,
    /// When they came, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What became of labels for an unknown request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// They wait.
    Waits,
    /// Others wait for the same request.
    Conflict,
    /// There is no room.
    Full,
}

/// Which labels a replica has settled, by who told them.
pub type Settled = BTreeMap<u64, BTreeSet<u64>>;

/// What waits here, and what was settled for others.
#[derive(Debug, Default)]
pub struct Pending {
    waiting: VecDeque<Waiting>,
    labels: usize,
    seq: u64,
    settled: Settled,
}

impl Pending {
    /// Keeps labels.
    pub fn keep(&mut self, id: &str, labels: Vec<Option<f64>>, now_ms: u64) -> Kept {
        if let Some(waiting) = self.waiting.iter().find(|waiting| waiting.id == id) {
            return match waiting.labels == labels {
                true => Kept::Waits,
                false => Kept::Conflict,
            };
        }
        if self.waiting.len() == REQUESTS_MOST || self.labels + labels.len() > LABELS_MOST {
            return Kept::Full;
        }
        self.seq += 1;
        self.labels += labels.len();
        self.waiting.push_back(Waiting {
            seq: self.seq,
            id: id.to_owned(),
            labels,
            at_ms: now_ms,
        });
        Kept::Waits
    }

    /// Drops what has waited too long; says how many labels that were.
    pub fn expire(&mut self, now_ms: u64) -> usize {
        self.drop_where(|waiting| waiting.at_ms + PATIENCE_MS <= now_ms)
    }

    /// Drops what somebody has settled.
    pub fn settled(&mut self, seqs: &BTreeSet<u64>) {
        self.drop_where(|waiting| seqs.contains(&waiting.seq));
    }

    fn drop_where(&mut self, done: impl Fn(&Waiting) -> bool) -> usize {
        let before = self.labels;
        self.waiting.retain(|waiting| !done(waiting));
        self.labels = self.waiting.iter().map(|waiting| waiting.labels.len()).sum();
        before - self.labels
    }

    /// What waits.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.waiting.iter().cloned().collect()
    }

    /// Notes what of a replica's list is settled: its next question hears of it, and its list gets shorter.
    pub fn note(&mut self, replica: u64, seqs: BTreeSet<u64>) {
        if seqs.is_empty() {
            self.settled.remove(&replica);
        } else {
            if self.settled.len() == REPLICAS_MOST && !self.settled.contains_key(&replica) {
                // What is forgotten here is told again, and matches again without effect.
                self.settled.pop_first();
            }
            self.settled.insert(replica, seqs);
        }
    }

    /// What was settled for others.
    pub fn told(&self) -> Settled {
        self.settled.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_in_number_and_time() {
        let mut pending = Pending::default();
        for id in 0..REQUESTS_MOST {
            let kept = pending.keep(&id.to_string(), vec![Some(1.0)], id as u64);
            assert_eq!(kept, Kept::Waits);
        }
        assert_eq!(pending.keep("one more", vec![Some(1.0)], 0), Kept::Full);
        assert_eq!(pending.keep("7", vec![Some(1.0)], 0), Kept::Waits);
        assert_eq!(pending.keep("7", vec![Some(2.0)], 0), Kept::Conflict);
        // The first ten have waited a minute.
        assert_eq!(pending.expire(PATIENCE_MS + 9), 10);
        assert_eq!(pending.waiting().len(), REQUESTS_MOST - 10);
        assert_eq!(pending.expire(u64::MAX), REQUESTS_MOST - 10);
        let rows = vec![None; LABELS_MOST];
        assert_eq!(pending.keep("large", rows, 0), Kept::Waits);
        assert_eq!(pending.keep("small", vec![None], 0), Kept::Full);
    }

    #[test]
    fn what_others_have_settled_is_not_told_again() {
        let (mut teller, mut owner) = (Pending::default(), Pending::default());
        for id in ["a", "b", "c"] {
            teller.keep(id, vec![Some(0.0)], 0);
        }
        // The owner answered a and c.
        owner.note(7, BTreeSet::from([1, 3]));
        teller.settled(&owner.told()[&7]);
        let left: Vec<String> = teller.waiting().into_iter().map(|waiting| waiting.id).collect();
        assert_eq!(left, ["b"]);
        owner.note(7, BTreeSet::new());
        assert!(owner.told().is_empty());
        for replica in 0..1_000 {
            owner.note(replica, BTreeSet::from([1]));
        }
        assert_eq!(owner.told().len(), REPLICAS_MOST);
    }
}
