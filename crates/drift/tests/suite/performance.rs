//! Live accuracy and errors beside SciPy, and the alarm's promise by counting.

use crate::oracle::{Generator, Oracle};
use drift::interval::{clopper_pearson, student_mean};
use drift::performance::{HeldOut, Pair, Quality, Watch, quality};
use drift::rates::Rate;
use drift::rule::{Rule, Verdict};

/// Reads JSON, writes numbers: exact intervals, Student's intervals, and both tests. Mathisen's by summing over where the k-th
/// smallest held-out error may stand among all, which is another way than the crate's.
const SCIPY: &str = r#"
import sys, json
from math import comb
from fractions import Fraction
import numpy as np
from scipy import stats

data = json.load(sys.stdin)
out = []
for k, n in data["shares"]:
    ci = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    out += [ci.low, ci.high]
for values in data["means"]:
    out += list(stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values)))
for held_wrong, held, wrong, live in data["tables"]:
    table = [[wrong, live - wrong], [held_wrong, held - held_wrong]]
    out.append(stats.fisher_exact(table, alternative="greater").pvalue)
for m, n, c in data["medians"]:
    k = (m + 1) // 2
    # P(at least c live ones above): j live ones below the k-th held-out one, j <= n - c.
    ways = sum(comb(k - 1 + j, j) * comb(m - k + n - j, n - j) for j in range(n - c + 1))
    out.append(float(Fraction(ways, comb(m + n, n))))
sys.stdout.buffer.write(np.array(out, "<f8").tobytes())
"#;

fn close(found: f64, expected: f64, what: &str) {
    let far = (found - expected).abs() / expected.abs().max(1e-300);
    assert!(
        far < 1e-8 || (found - expected).abs() < 1e-12,
        "{what}: {found} and not {expected}"
    );
}

fn errors(wrong: u64, of: u64) -> Vec<Pair> {
    (0..of).map(|i| (f64::from(u8::from(i < wrong)), 0.0)).collect()
}

#[test]
fn intervals_and_tests_are_scipys() {
    let Some(oracle) = Oracle::find("performance") else {
        return;
    };
    let mut random = Generator::new(20_261_122);
    let mut below = |most: u64| (random.unit() * most as f64) as u64;
    let (mut shares, mut tables, mut medians) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..300 {
        let (n, m) = (below(2_000) + 1, below(500) + 1);
        let k = below(n + 1);
        shares.push((k, n));
        tables.push((below(m + 1), m, k, n));
        medians.push((m, below(300) + 1, 0));
    }
    for (_, n, c) in &mut medians {
        *c = below(*n + 1);
    }
    let means: Vec<Vec<f64>> = (0..50)
        .map(|i| (0..2 + i * 7).map(|_| random.normal().abs() * 3.0).collect())
        .collect();
    let input = serde_json::json!({"shares": shares, "means": means, "tables": tables, "medians": medians});
    let mut answers = oracle.numbers(SCIPY, input.to_string().as_bytes()).into_iter();
    let mut next = || answers.next().unwrap();
    for (k, n) in shares {
        let (low, high) = clopper_pearson(k, n, 0.95);
        close(low, next(), &format!("low of {k} in {n}"));
        close(high, next(), &format!("high of {k} in {n}"));
    }
    for values in means {
        let (low, high) = student_mean(values.iter().copied(), 0.95).unwrap();
        close(low, next(), "low of a mean");
        close(high, next(), "high of a mean");
    }
    for (events, of, wrong, live) in tables {
        let judged = HeldOut::Wrong(Rate { events, of }).judge(&errors(wrong, live));
        close(
            judged.p_value,
            next(),
            &format!("{events}/{of} and {wrong}/{live}"),
        );
    }
    for (rows, n, c) in medians {
        let judged = HeldOut::MedianError { rows, error: 0.5 }.judge(&errors(c, n));
        close(
            judged.p_value,
            next(),
            &format!("{rows} held out, {c} of {n} above"),
        );
    }
}

#[test]
fn quality_of_classes_and_numbers() {
    assert_eq!(quality(true, &[]), None);
    let Some(Quality::Accuracy(accuracy)) = quality(true, &errors(1, 4)) else {
        panic!("classes have an accuracy");
    };
    assert_eq!(
        (accuracy.value, (accuracy.low, accuracy.high)),
        (0.75, clopper_pearson(3, 4, 0.95))
    );
    let rows = [(1.0, 2.0), (5.0, 2.0), (0.0, 0.5)];
    let Some(Quality::Errors { rmse, mae }) = quality(false, &rows) else {
        panic!("numbers have errors");
    };
    assert_eq!((mae.value, rmse.value), (1.5, (10.25_f64 / 3.0).sqrt()));
    let (low, high) = student_mean([1.0, 9.0, 0.25].into_iter(), 0.95).unwrap();
    assert!(low < 0.0, "it would be negative");
    assert_eq!((rmse.low, rmse.high), (0.0, high.sqrt()));
    let Some(Quality::Errors { mae, .. }) = quality(false, &rows[..1]) else {
        panic!("one row has an error");
    };
    assert_eq!((mae.low, mae.value, mae.high), (0.0, 1.0, f64::MAX));
}

/// Looks while labels come one by one; says how many alarms there were.
fn alarms(
    rule: Rule,
    size: usize,
    held_out: HeldOut,
    mut wrong: impl FnMut(usize) -> bool,
    labels: usize,
) -> u32 {
    let mut watch = Watch::new(rule, size);
    let mut rows: Vec<Pair> = Vec::new();
    let (mut count, mut open) = (0, false);
    for i in 0..labels {
        rows.push((f64::from(u8::from(wrong(i))), 0.0));
        let from = rows.len().saturating_sub(size);
        watch.look(rows.len() as u64, Some(held_out), || rows[from..].to_vec());
        count += u32::from(watch.alarm().is_some() && !open);
        open = watch.alarm().is_some();
    }
    count
}

/// Expected false alarms in n windows' worth are at most n · level, here at a level that can be counted; held-out rows are drawn
/// anew each time, as the promise is an average over them.
#[test]
fn the_promise_holds_by_counting() {
    let mut random = Generator::new(7);
    let rule = Rule {
        level: 0.2,
        least_effect: 0.0,
        least_rows: 1,
        ..Rule::default()
    };
    let (size, windows, rounds) = (160, 5, 400);
    let mut found = 0;
    for _ in 0..rounds {
        let events = (0..60).filter(|_| random.unit() < 0.2).count() as u64;
        let held_out = HeldOut::Wrong(Rate { events, of: 60 });
        found += alarms(rule, size, held_out, |_| random.unit() < 0.2, size * windows);
    }
    let most = rule.level * windows as f64 * f64::from(rounds);
    assert!(
        f64::from(found) <= most,
        "{found} alarms, promised at most {most}"
    );
    assert!(found > 0, "a test that never finds anything holds every promise");
}

#[test]
fn a_fall_in_accuracy_is_found_and_a_rise_is_not() {
    let rule = Rule::default();
    let held_out = HeldOut::Wrong(Rate { events: 10, of: 200 });
    let after = |worse: usize| move |i: usize| i.is_multiple_of(if i < 1_000 { 20 } else { worse });
    assert_eq!(alarms(rule, 320, held_out, after(20), 3_000), 0);
    assert_eq!(
        alarms(rule, 320, held_out, after(1_000), 3_000),
        0,
        "it has become better"
    );
    assert_eq!(alarms(rule, 320, held_out, after(3), 3_000), 1);
    // Sure, and too small to matter: 12 % of errors and not 5 %.
    let many = HeldOut::Wrong(Rate {
        events: 5_000,
        of: 100_000,
    });
    assert_eq!(alarms(rule, 1_600, many, after(8), 6_000), 0);
    let mut watch = Watch::new(rule, 320);
    watch.look(20, Some(held_out), || errors(20, 20));
    assert_eq!(watch.verdict(), Verdict::Collecting, "fewer rows than are judged");
    watch.look(400, None, Vec::new);
    assert_eq!(watch.verdict(), Verdict::Nothing);
}
