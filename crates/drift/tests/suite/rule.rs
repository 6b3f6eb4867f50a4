//! The calibrated rule: what it finds, what it leaves alone, and what it says.

use crate::oracle::Generator;
use drift::baseline::Baseline;
use drift::counts::Counts;
use drift::explain::{Severity, change_point, movements};
use drift::joint::joint_test;
use drift::looks::Looks;
use drift::npy::Matrix;
use drift::pooled::{PooledWindow, Row, RowKey};
use drift::rule::{Decision, Rule, SignalKind, Verdict};
use std::sync::Arc;

struct Monitor {
    counts: Counts,
    window: PooledWindow,
    seq: u64,
}

impl Monitor {
    fn new(columns: usize, values: Vec<f64>, size: usize) -> Self {
        let rows = values.len() / columns;
        let names = ["petal length", "petal width", "sepal length", "sepal width"];
        let names = names[..columns].iter().map(|name| (*name).to_owned()).collect();
        let matrix = Matrix {
            rows,
            columns,
            values,
        };
        let baseline = Baseline::new(names, &matrix, vec![rows as u64 / 2, rows as u64 / 2]).unwrap();
        let baseline = baseline.with_class_names(vec!["large".to_owned(), "small".to_owned()]);
        Self {
            counts: Counts::new(Arc::new(baseline)),
            window: PooledWindow::new("m", size, columns),
            seq: 0,
        }
    }

    fn push(&mut self, values: &[f64], class: u16) {
        self.seq += 1;
        let key = RowKey {
            time: self.seq,
            replica: 1,
            seq: self.seq,
        };
        let row = Row {
            key,
            class: Some(class),
            values: Arc::from(values),
        };
        self.counts.add(values, Some(class));
        if let drift::pooled::Offered::Added(Some(old)) = self.window.offer(row).unwrap() {
            self.counts.remove(&old.values, old.class);
        }
    }

    fn look(&mut self, rule: &Rule) -> Decision {
        let evaluation = self.counts.evaluate();
        rule.look(self.counts.baseline(), &evaluation, &self.window)
    }

    fn words(&mut self, decision: &Decision) -> Vec<(String, Option<u64>)> {
        let evaluation = self.counts.evaluate();
        movements(self.counts.baseline(), &evaluation, &self.window, decision, 3)
            .into_iter()
            .map(|movement| (movement.words, movement.since.map(|key| key.seq)))
            .collect()
    }
}

fn normal(random: &mut Generator, count: usize) -> Vec<f64> {
    (0..count)
        .map(|_| (random.normal() * 100.0).round() / 100.0)
        .collect()
}

/// Under the null hypothesis p-values are at most α with probability α, with and without ties.
#[test]
fn joint_p_values_are_valid() {
    let mut random = Generator::new(71);
    for ties in [false, true] {
        let mut below = [[0_u32; 2]; 3];
        for seed in 0..2_000 {
            let mut table = |rows: usize| -> Vec<f64> {
                (0..rows)
                    .flat_map(|_| {
                        let common = random.normal();
                        [common + random.normal(), common, random.normal() - common]
                    })
                    .map(|x| if ties { x.round() } else { x })
                    .collect()
            };
            let (a, b) = (table(25), table(18));
            let joint = joint_test(&a, &b, 3, [0.01; 2], seed).unwrap();
            for (level, below) in [0.01, 0.05, 0.3].into_iter().zip(&mut below) {
                below[0] += u32::from(joint.sparse <= level);
                below[1] += u32::from(joint.diffuse <= level);
            }
        }
        for (level, below) in [0.01, 0.05, 0.3_f64].into_iter().zip(below) {
            let most = 2_000.0 * level + 3.5 * (2_000.0 * level * (1.0 - level)).sqrt();
            assert!(
                below.iter().all(|&count| f64::from(count) < most),
                "{level} {below:?} {ties}"
            );
            // And they are not idle.
            assert!(
                below.iter().all(|&count| f64::from(count) > 800.0 * level),
                "{level} {below:?} {ties}"
            );
        }
    }
    assert_eq!(joint_test(&[], &[1.0], 1, [0.1; 2], 0), None);
    assert_eq!(joint_test(&[1.0, 1.0], &[1.0], 1, [0.1; 2], 0), None);
    // A value that is missing on one side only is a difference.
    let missing = joint_test(&[1.0; 30], &[f64::NAN; 30], 1, [0.01, 0.02], 0).unwrap();
    assert_eq!(
        (missing.sparse, missing.diffuse, missing.permutations),
        (1.0 / 101.0, 1.0 / 101.0, 100)
    );
}

#[test]
fn a_shift_is_found_named_and_dated() {
    let mut random = Generator::new(72);
    let mut monitor = Monitor::new(4, normal(&mut random, 4 * 300), 200);
    let rule = Rule::default();
    assert_eq!(monitor.look(&rule).verdict, Verdict::Collecting);
    for index in 0..300 {
        monitor.push(&normal(&mut random, 4), index % 2);
    }
    let quiet = monitor.look(&rule);
    assert_eq!(quiet.verdict, Verdict::Quiet);
    for index in 0..100 {
        let mut row = normal(&mut random, 4);
        row[0] += 1.5;
        row[2] = if index % 3 == 0 { f64::NAN } else { row[2] };
        monitor.push(&row, 0);
    }
    let decision = monitor.look(&rule);
    assert_eq!(decision.verdict, Verdict::Drift);
    let drifting: Vec<_> = decision
        .signals
        .iter()
        .filter(|signal| signal.drift)
        .map(|s| (s.kind, s.feature))
        .collect();
    assert_eq!(
        drifting,
        [
            (SignalKind::Distribution, Some(0)),
            (SignalKind::OutOfRange, Some(0)),
            (SignalKind::Missing, Some(2)),
            (SignalKind::Predictions, None)
        ]
    );
    let words = monitor.words(&decision);
    insta::assert_debug_snapshot!(words);
    // The shift began with row 301.
    assert!(
        words
            .iter()
            .any(|(_, since)| since.is_some_and(|seq| seq.abs_diff(301) < 20)),
        "{words:?}"
    );
}

/// Every feature moves less than the test of any one of them sees.
#[test]
fn many_small_moves_are_one_large_one() {
    let mut random = Generator::new(77);
    let mut monitor = Monitor::new(4, normal(&mut random, 4 * 200), 150);
    let rule = Rule::default();
    for index in 0..150 {
        let row: Vec<f64> = normal(&mut random, 4).iter().map(|x| x + 0.33).collect();
        monitor.push(&row, index % 2);
    }
    let decision = monitor.look(&rule);
    assert!(
        decision.signals.iter().all(|signal| !signal.drift),
        "{decision:?}"
    );
    assert_eq!(decision.verdict, Verdict::Drift);
    assert!(decision.joint.unwrap().diffuse <= decision.joint_levels[1]);
    // Significant or not: below the smallest effect nothing is drift.
    let deaf = Rule {
        least_effect: 0.9,
        ..rule
    };
    assert_eq!(monitor.look(&deaf).verdict, Verdict::Quiet);
    assert_eq!(monitor.look(&rule), decision, "the same rows, the same answer");
}

#[test]
fn rows_without_meaning_have_a_state() {
    let rule = Rule::default();
    let mut monitor = Monitor::new(1, vec![f64::NAN; 60], 100);
    (0..60).for_each(|_| monitor.push(&[f64::NAN], 9));
    let decision = monitor.look(&rule);
    // Both sides have no value at all: the only signal is that as many are missing as ever.
    assert_eq!(decision.verdict, Verdict::Quiet);
    assert!(
        decision
            .signals
            .iter()
            .all(|signal| signal.kind == SignalKind::Missing && signal.p_value == 1.0)
    );
    let mut monitor = Monitor::new(1, vec![2.0; 60], 100);
    (0..60).for_each(|_| monitor.push(&[f64::INFINITY], 0));
    let decision = monitor.look(&rule);
    assert_eq!(decision.verdict, Verdict::Drift);
    let words = monitor.words(&decision);
    assert_eq!(
        words[0].0,
        "petal length lies outside of its training range (2 to 2) in 100 % of requests"
    );
    let mut same = Monitor::new(1, vec![2.0; 60], 100);
    (0..60).for_each(|index| same.push(&[2.0], index % 2));
    assert_eq!(same.look(&rule).verdict, Verdict::Quiet);
}

#[test]
fn settings_out_of_range_are_refused() {
    assert_eq!(Rule::default().check(), Ok(()));
    assert!((16.0 * Rule::default().levels().iter().sum::<f64>() - 0.001).abs() < 1e-15);
    for rule in [
        Rule {
            level: 0.0,
            ..Rule::default()
        },
        Rule {
            level: f64::NAN,
            ..Rule::default()
        },
        Rule {
            looks: 0,
            ..Rule::default()
        },
        Rule {
            least_effect: 1.5,
            ..Rule::default()
        },
    ] {
        assert!(rule.check().is_err(), "{rule:?}");
    }
    let error = Rule {
        looks: 100,
        ..Rule::default()
    }
    .check()
    .unwrap_err()
    .to_string();
    assert_eq!(error, "drift rule: looks is 100, expected 1 to 64");
}

#[test]
fn one_drift_is_one_alarm() {
    let rule = Rule {
        looks: 4,
        ..Rule::default()
    };
    let mut looks = Looks::new(&rule, 100);
    assert!(!looks.due(24) && looks.due(25));
    let drifting = |total: u64| (100..300).contains(&total) && total.is_multiple_of(50);
    let mut alarms = Vec::new();
    for total in 1..600 {
        if looks.due(total) {
            let verdict = if drifting(total) {
                Verdict::Drift
            } else {
                Verdict::Quiet
            };
            if looks.looked(total, verdict) {
                alarms.push(total);
            }
        }
    }
    assert_eq!(alarms, [100]);
    assert_eq!((looks.alarm(), looks.looked_at()), (None, Some(575)));
    // Rows that came all at once are one look.
    assert!(looks.due(10_000));
    looks.looked(10_000, Verdict::Drift);
    assert!(!looks.due(10_024));
    assert_eq!(looks.alarm().map(|alarm| alarm.since), Some(10_000));
}

#[test]
fn changes_are_dated() {
    let key = |seq| RowKey {
        time: seq,
        replica: 1,
        seq,
    };
    let rows = |count: u64, from: u64| (1..=count).map(move |seq| (key(seq), seq >= from || seq % 10 == 0));
    assert_eq!(change_point(rows(200, 120), 0.1), Some(key(120)));
    assert_eq!(change_point(rows(200, 1), 0.1), Some(key(1)));
    assert_eq!(change_point(rows(200, 201), 0.1), None);
    assert_eq!(change_point(std::iter::empty(), 0.1), None);
    let levels = [0.05, 0.2, 0.3, 0.9].map(Severity::of);
    assert_eq!(
        levels,
        [
            Severity::Negligible,
            Severity::Slight,
            Severity::Clear,
            Severity::Severe
        ]
    );
}
