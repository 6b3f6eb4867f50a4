//! Episodes: alarms with a name that all replicas agree on.
//!
//! Each replica looks for itself, and those that have heard the same rows find the same. Where some rows
//! are still on the way they may raise an alarm some rows apart: episodes of the same number are one, opened
//! when the first replica said so and closed when the first one did. Merging takes the least of each
//! field and is thus idempotent, commutative and associative, as is the window's ([`crate::pooled`]).

use crate::explain::Severity;
use serde::{Deserialize, Serialize};

/// Episodes of a model that are remembered.
const MOST: usize = 32;
/// Of a list from elsewhere: what changed, in so many words of so many bytes.
const MOVEMENTS_MOST: usize = 8;
const MOVEMENT_BYTES_MOST: usize = 1_024;

/// One drift, from the look that found it to a window's worth of quiet looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// From 1, counted over the model's life.
    pub number: u64,
    /// Milliseconds since 1970.
    pub opened_at_ms: u64,
    /// Rows recorded by all replicas when it was opened.
    pub since_rows: u64,
    /// Milliseconds since 1970.
    pub closed_at_ms: Option<u64>,
    /// Of the largest change when it was opened.
    pub severity: Severity,
    /// What had moved furthest then, in words.
    pub movements: Vec<String>,
}

impl Episode {
    /// Whether it goes on.
    pub fn is_open(&self) -> bool {
        self.closed_at_ms.is_none()
    }

    /// What orders two accounts of the same episode.
    fn account(&self) -> (u64, u64, Severity, &[String]) {
        (self.opened_at_ms, self.since_rows, self.severity, &self.movements)
    }
}

/// The newest episodes of one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Episodes(Vec<Episode>);

impl Episodes {
    /// All that are remembered, oldest first.
    pub fn all(&self) -> &[Episode] {
        &self.0
    }

    /// The newest one.
    pub fn newest(&self) -> Option<&Episode> {
        self.0.last()
    }

    /// The newest one, if it goes on.
    pub fn open_one(&self) -> Option<&Episode> {
        self.newest().filter(|episode| episode.is_open())
    }

    /// A new one, unless one is open.
    pub fn open(&mut self, now_ms: u64, since_rows: u64, severity: Severity, movements: Vec<String>) {
        if self.open_one().is_some() {
            return;
        }
        self.0.push(Episode {
            number: self.newest().map_or(1, |newest| newest.number + 1),
            opened_at_ms: now_ms,
            since_rows,
            closed_at_ms: None,
            severity,
            movements,
        });
        self.forget();
    }

    /// Ends the open one, if there is one.
    pub fn close(&mut self, now_ms: u64) {
        if let Some(newest) = self.0.last_mut() {
            newest.closed_at_ms.get_or_insert(now_ms.max(newest.opened_at_ms));
        }
    }

    /// Takes in what another replica knows. An episode before the newest one is over, whoever says
    /// otherwise.
    pub fn merge(&mut self, other: &Self) {
        for theirs in &other.0 {
            let mut theirs = theirs.clone();
            theirs.movements.truncate(MOVEMENTS_MOST);
            theirs
                .movements
                .retain(|words| words.len() <= MOVEMENT_BYTES_MOST);
            match self.0.binary_search_by_key(&theirs.number, |ours| ours.number) {
                Err(place) => self.0.insert(place, theirs),
                Ok(place) => {
                    let ours = &mut self.0[place];
                    let closed_at_ms = match (ours.closed_at_ms, theirs.closed_at_ms) {
                        (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                        (ours, theirs) => ours.or(theirs),
                    };
                    if theirs.account() < ours.account() {
                        *ours = theirs;
                    }
                    ours.closed_at_ms = closed_at_ms;
                }
            }
        }
        // A replica that was cut off did not hear when it closed.
        for index in 1..self.0.len() {
            let next = self.0[index].opened_at_ms;
            let closed = &mut self.0[index - 1].closed_at_ms;
            *closed = Some(closed.map_or(next, |closed| closed.min(next)));
        }
        self.forget();
    }

    fn forget(&mut self) {
        let many = self.0.len().saturating_sub(MOST);
        self.0.drain(..many);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn episodes() -> impl Strategy<Value = Episodes> {
        let step = (any::<bool>(), 1..50_u64);
        prop::collection::vec(step, 0..40).prop_map(|steps| {
            let (mut episodes, mut now) = (Episodes::default(), 1_000);
            for (opens, later) in steps {
                now += later;
                match opens {
                    true => {
                        let words = vec![format!("moved at {now}")];
                        episodes.open(now, now / 7, Severity::of(later as f64 / 50.0), words);
                    }
                    false => episodes.close(now),
                }
            }
            episodes
        })
    }

    fn merged(a: &Episodes, b: &Episodes) -> Episodes {
        let mut a = a.clone();
        a.merge(b);
        a
    }

    proptest! {
        #[test]
        fn merging_has_no_order(a in episodes(), b in episodes()) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(&merged(&a, &a), &a);
            prop_assert_eq!(merged(&merged(&a, &b), &b), merged(&a, &b));
        }

        #[test]
        fn merging_has_no_grouping(a in episodes(), b in episodes(), c in episodes()) {
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
        }

        #[test]
        fn at_most_the_newest_is_open_and_numbers_count(a in episodes(), b in episodes()) {
            let both = merged(&a, &b);
            let all = both.all();
            prop_assert!(all.len() <= MOST);
            for pair in all.windows(2) {
                prop_assert!(!pair[0].is_open());
                prop_assert!(pair[0].number < pair[1].number);
            }
            for episode in a.all().iter().chain(b.all()) {
                let Some(kept) = all.iter().find(|kept| kept.number == episode.number) else {
                    prop_assert!(all.len() == MOST, "only a full list forgets");
                    continue;
                };
                prop_assert!(kept.opened_at_ms <= episode.opened_at_ms);
                prop_assert!(episode.is_open() || !kept.is_open(), "closed stays closed");
            }
        }
    }

    #[test]
    fn one_drift_is_one_episode() {
        let mut episodes = Episodes::default();
        episodes.close(5);
        assert_eq!(episodes.newest(), None);
        episodes.open(10, 70, Severity::Clear, vec!["a".to_owned()]);
        episodes.open(11, 77, Severity::Severe, vec!["b".to_owned()]);
        let open = episodes.open_one().unwrap();
        assert_eq!(
            (open.number, open.opened_at_ms, open.severity),
            (1, 10, Severity::Clear)
        );
        episodes.close(20);
        episodes.close(30);
        assert_eq!(episodes.newest().unwrap().closed_at_ms, Some(20));
        episodes.open(40, 300, Severity::Clear, Vec::new());
        assert_eq!(episodes.open_one().unwrap().number, 2);
    }
}
