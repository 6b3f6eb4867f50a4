//! One window over several replicas: whatever is split, lost, doubled or late, all end with one answer.

use crate::oracle::{Generator, Oracle, SCIPY_KS};
use drift::baseline::Baseline;
use drift::counts::Counts;
use drift::inbox::Inbox;
use drift::npy::Matrix;
use drift::pooled::{MergeError, Offered, PooledWindow, Row, RowKey};
use drift::{Method, two_sample, wire};
use proptest::prelude::*;
use std::sync::Arc;

fn row(time: u64, replica: u64, seq: u64) -> Row {
    // Ties, and a value that depends on the row alone.
    let value = (time * 7 + replica * 3 + seq) % 11;
    Row {
        key: RowKey { time, replica, seq },
        class: None,
        values: Arc::from([value as f64 / 2.0, (value * value % 5) as f64]),
    }
}

fn window(size: usize) -> PooledWindow {
    PooledWindow::new("sha256:a", size, 2)
}

fn of(rows: &[Row], size: usize) -> PooledWindow {
    let mut window = window(size);
    for row in rows {
        window.offer(row.clone()).unwrap();
    }
    window
}

fn merged(a: &PooledWindow, b: &PooledWindow) -> PooledWindow {
    let mut a = a.clone();
    a.merge(b, |_, _| {}).unwrap();
    a
}

/// A replica's number names one row, so that its time follows from it.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row = |(replica, seq): (u64, u64)| row((seq * 17 + replica * 5) % 40, replica, seq);
    prop::collection::vec((0_u64..4, 1_u64..30).prop_map(row), 0..80)
}

proptest! {
    #[test]
    fn merging_is_a_semilattice(a in rows(), b in rows(), c in rows(), size in 1_usize..40) {
        let (a, b, c) = (of(&a, size), of(&b, size), of(&c, size));
        prop_assert_eq!(merged(&a, &a), a.clone());
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    /// The definition: the newest of the set, each once.
    #[test]
    fn order_and_doubles_do_not_matter(rows in rows(), size in 1_usize..40, seed in any::<u64>()) {
        let mut shuffled: Vec<Row> = rows.iter().chain(&rows).cloned().collect();
        drift::random::Random::new(seed).shuffle(&mut shuffled);
        let mut expected = rows.clone();
        expected.sort_by_key(|row| row.key);
        expected.dedup_by_key(|row| row.key);
        let newest = expected.split_off(expected.len().saturating_sub(size));
        let window = of(&shuffled, size);
        prop_assert_eq!(Vec::from(window.rows().clone()), newest);
        prop_assert_eq!(window, of(&rows, size));
    }

    /// What is sent is what the other lacks, and enough.
    #[test]
    fn parts_are_enough(a in rows(), b in rows(), size in 1_usize..40) {
        let (a, b) = (of(&a, size), of(&b, size));
        let part = a.lacking(&b.held());
        prop_assert!(part.rows().iter().all(|row| !b.rows().contains(row)));
        prop_assert_eq!(merged(&b, &part), merged(&b, &a));
        prop_assert!(a.lacking(&a.held()).rows().is_empty());
    }

    #[test]
    fn bytes_read_back(rows in rows(), size in 1_usize..40, cut in 0_usize..400, byte in any::<u8>()) {
        let window = of(&rows, size);
        let bytes = wire::write(&window);
        prop_assert_eq!(wire::read(&bytes, 40, 2), Ok(window));
        let mut broken = bytes.clone();
        let place = cut % broken.len();
        broken[place] = byte;
        let _ = wire::read(&broken, 40, 2);
        broken.truncate(place);
        prop_assert!(wire::read(&broken, 40, 2).is_err());
    }
}

/// A number of replicas, rows spread over them, and an exchange with loss, doubles and wrong order.
struct World {
    random: Generator,
    replicas: Vec<PooledWindow>,
    /// What every row so far should have made of the window.
    all: PooledWindow,
}

impl World {
    fn pick(&mut self, below: usize) -> usize {
        (self.random.unit() * below as f64) as usize
    }

    fn run(seed: u64, size: usize, count: usize) -> Self {
        let mut random = Generator::new(seed);
        let replicas = 1 + (random.unit() * 16.0) as usize;
        let mut world = World {
            random,
            replicas: vec![window(size); replicas],
            all: window(size),
        };
        let mut seqs = vec![0; replicas];
        let mut letters: Vec<(usize, PooledWindow)> = Vec::new();
        let mut alive = replicas;
        for time in 0..count as u64 {
            // Clocks are not one: rows of several replicas share a time or overtake each other.
            let who = world.pick(alive);
            seqs[who] += 1;
            let late = world.pick(4) as u64;
            let new = row(time.saturating_sub(late), who as u64, seqs[who]);
            world.replicas[who].offer(new.clone()).unwrap();
            world.all.offer(new).unwrap();
            if world.pick(5) == 0 {
                let (from, to) = (world.pick(alive), world.pick(alive));
                let letter = world.replicas[from].lacking(&world.replicas[to].held());
                // Half of the letters are lost, some come twice.
                for _ in 0..[0, 0, 1, 2][world.pick(4)] {
                    letters.push((to, letter.clone()));
                }
            }
            if !letters.is_empty() && world.pick(3) == 0 {
                let (to, letter) = letters.swap_remove(world.pick(letters.len()));
                if to < alive {
                    world.replicas[to].merge(&letter, |_, _| {}).unwrap();
                }
            }
            // One is scaled down: it hands its window over; letters to it are lost.
            if alive > 1 && world.pick(200) == 0 {
                alive -= 1;
                let left = world.replicas[alive].clone();
                let heir = world.pick(alive);
                world.replicas[heir].merge(&left, |_, _| {}).unwrap();
            }
        }
        world.replicas.truncate(alive);
        world
    }

    /// One period in which every replica asks every other one for what it lacks.
    fn exchange(&mut self) {
        for to in 0..self.replicas.len() {
            for from in 0..self.replicas.len() {
                let part = self.replicas[from].lacking(&self.replicas[to].held());
                self.replicas[to].merge(&part, |_, _| {}).unwrap();
            }
        }
    }
}

#[test]
fn ten_thousand_worlds_end_with_one_answer() {
    let reference: Vec<f64> = (0..40).map(|x| f64::from(x % 13) / 2.0).collect();
    for seed in 0..10_000 {
        let mut world = World::run(seed, 20 + (seed as usize % 3) * 10, 60 + seed as usize % 60);
        world.exchange();
        let expected = two_sample(&reference, &world.all.column(0), Method::Auto).unwrap();
        for replica in &world.replicas {
            assert_eq!(replica.rows(), world.all.rows(), "seed {seed}");
            assert_eq!(replica.total(), world.all.total(), "seed {seed}");
            let ours = two_sample(&reference, &replica.column(0), Method::Auto).unwrap();
            assert_eq!(ours, expected, "seed {seed}");
        }
    }
}

#[test]
fn the_pooled_answer_equals_scipy() {
    let Some(oracle) = Oracle::find("the_pooled_answer_equals_scipy") else {
        return;
    };
    let reference: Vec<f64> = (0..40).map(|x| f64::from(x % 13) / 2.0).collect();
    let mut bytes = 200_u64.to_le_bytes().to_vec();
    let mut ours = Vec::new();
    for seed in 0..200 {
        let mut world = World::run(seed, 100, 300);
        world.exchange();
        let last = world.replicas.last().unwrap();
        ours.push(two_sample(&reference, &last.column(0), Method::Auto).unwrap());
        for side in [&reference, &world.all.column(0)] {
            bytes.extend((side.len() as u64).to_le_bytes());
            side.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
        }
    }
    let answers = oracle.numbers(SCIPY_KS, &bytes);
    for (ours, scipy) in ours.iter().zip(answers.as_chunks::<12>().0) {
        // The last four of each case: method `auto`.
        let scipy = &scipy[8..];
        assert!(
            (ours.statistic - scipy[0]).abs() <= 1e-9 * scipy[0],
            "{ours:?} {scipy:?}"
        );
        assert!(
            (ours.p_value - scipy[1]).abs() <= 1e-9 * scipy[1],
            "{ours:?} {scipy:?}"
        );
        assert_eq!((ours.location, f64::from(ours.sign)), (scipy[2], scipy[3]));
    }
}

#[test]
fn windows_that_do_not_belong_together_stay_apart() {
    let mut ours = of(&[row(1, 1, 1)], 5);
    let before = ours.clone();
    let other_model = PooledWindow::new("sha256:b", 5, 2);
    let error = ours.merge(&other_model, |_, _| {}).unwrap_err();
    assert!(matches!(error, MergeError::Model { .. }), "{error}");
    let error = ours.merge(&window(6), |_, _| {}).unwrap_err();
    assert!(matches!(error, MergeError::Shape { .. }), "{error}");
    let mut short = row(2, 1, 2);
    short.values = Arc::from([1.0]);
    assert_eq!(
        ours.offer(short),
        Err(MergeError::Row {
            found: 1,
            expected: 2
        })
    );
    assert_eq!(ours, before);
    assert_eq!(ours.offer(row(1, 1, 1)), Ok(Offered::Known));
    let mut full = of(&[row(5, 1, 1)], 1);
    assert_eq!(full.offer(row(4, 2, 1)), Ok(Offered::TooOld));
    assert_eq!((full.total(), full.replicas()), (2, 1));
}

/// Rows go from the request path into the window, and counts follow every change.
#[test]
fn rows_travel_from_inbox_to_counts() {
    let mut random = Generator::new(9);
    let values: Vec<f64> = (0..60).map(|_| (random.normal() * 4.0).round()).collect();
    let matrix = Matrix {
        rows: 30,
        columns: 2,
        values,
    };
    let names = vec!["a".to_owned(), "b".to_owned()];
    let baseline = Arc::new(Baseline::new(names, &matrix, vec![10, 20]).unwrap());
    let mut counts = Counts::new(Arc::clone(&baseline));
    let mut ours = PooledWindow::new("m", 25, 2);
    let (mut inbox, mut spare) = (Inbox::new(7, 10, 2, 1), Inbox::new(7, 10, 2, 1));
    let mut other = PooledWindow::new("m", 25, 2);
    for time in 0..200_u64 {
        let new = [(random.normal() * 5.0).round(), random.normal()];
        inbox.push(time, &new, Some((time % 2) as u16)).unwrap();
        if time % 7 == 0 {
            let key = RowKey {
                time,
                replica: 8,
                seq: time / 7 + 1,
            };
            other
                .offer(Row {
                    key,
                    class: Some(1),
                    values: Arc::from([f64::NAN, 3.0]),
                })
                .unwrap();
        }
        // Sometimes later than the inbox can hold: the oldest rows are then lost.
        if time % 13 == 12 {
            inbox.swap(&mut spare);
            let mut follow = |row: &Row, came: bool| {
                if came {
                    counts.add(&row.values, row.class)
                } else {
                    counts.remove(&row.values, row.class)
                }
            };
            spare.drain(&baseline, &mut ours, &mut follow).unwrap();
            ours.merge(&other, &mut follow).unwrap();
            assert!(inbox.is_empty() && spare.is_empty());
            let mut afresh = Counts::new(Arc::clone(&baseline));
            ours.rows()
                .iter()
                .for_each(|row| afresh.add(&row.values, row.class));
            assert_eq!(counts.evaluate(), afresh.evaluate());
        }
    }
    assert_eq!(ours.rows().len(), 25);
    assert!(inbox.push(0, &[1.0], None).is_err());
    let mut third = Inbox::new(1, 100, 1, 3);
    (0..10).for_each(|time| third.push(time, &[0.0], None).unwrap());
    assert_eq!(third.len(), 4);
}
