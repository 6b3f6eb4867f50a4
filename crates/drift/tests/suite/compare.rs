//! Two tables compared once: what must hold whatever the tables are.

use crate::oracle::Generator;
use drift::compare::{Feature, MISSING, Picture, State, Tested, decide, feature, picture};
use drift::rates::unseen_p;
use drift::rule::{Rule, Verdict};
use drift::{Cells, Column, Comparison, Method, Sides};
use proptest::prelude::*;

fn rule() -> Rule {
    Rule {
        looks: 1,
        ..Rule::default()
    }
}

fn numbers(name: &str, values: &[f64]) -> Column {
    Column {
        name: name.to_owned(),
        cells: Cells::Numbers(values.to_vec()),
    }
}

/// `None` is a missing value.
fn categories(name: &str, values: &[Option<u8>], names: &[&str]) -> Column {
    let code = |value: &Option<u8>| value.map_or(MISSING, u32::from);
    Column {
        name: name.to_owned(),
        cells: Cells::Categories {
            codes: values.iter().map(code).collect(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        },
    }
}

fn one(reference: &Column, current: &Column) -> Feature {
    feature(reference, current, Method::Auto, &rule()).unwrap()
}

fn compare(reference: &[Column], current: &[Column], rule: Rule) -> Comparison {
    let pairs = reference.iter().zip(current);
    let features = pairs.map(|(a, b)| feature(a, b, Method::Auto, &rule).unwrap());
    let sides = [reference, current].map(|columns| columns.iter().collect::<Vec<_>>());
    decide(features.collect(), Sides::new(&sides[0], &sides[1]), rule)
}

#[test]
fn kinds_and_broken_references_are_errors() {
    let (text, number) = (categories("x", &[Some(0)], &["a"]), numbers("x", &[1.0]));
    let broken = numbers("x", &[1.0, f64::INFINITY]);
    let errors = [(&text, &number), (&broken, &number)].map(|(a, b)| {
        let error = feature(a, b, Method::Auto, &rule()).unwrap_err();
        let mut chain = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(source) = cause {
            chain += &format!(": {source}");
            cause = source.source();
        }
        chain
    });
    insta::assert_snapshot!(errors.join("\n"), @r#"
    column "x" holds numbers on one side and categories on the other
    column "x": reference sample: value 1 of the sample is inf, a finite number is needed
    "#);
}

#[test]
fn only_infinite_values_are_no_values() {
    let found = one(&numbers("x", &[1.0, 2.0]), &numbers("x", &[f64::INFINITY; 3]));
    assert_eq!(
        (found.state, found.numbers, found.signals.len()),
        (State::NoValues, None, 0)
    );
}

/// 20 categories of which each loses or gains 2.5 % of rows: no single one moved far, half of all rows did.
#[test]
fn many_small_moves_of_categories_add_up() {
    let names: Vec<String> = (0..20).map(|code| format!("c{code}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let before: Vec<_> = (0..4000).map(|row| Some((row % 20) as u8)).collect();
    let after: Vec<_> = (0..4000).map(|row| Some((row % 10) as u8)).collect();
    let comparison = compare(
        &[categories("x", &before, &names)],
        &[categories("x", &after, &names)],
        rule(),
    );
    let signal = &comparison.features[0].signals[0];
    assert_eq!((signal.kind, signal.drift), (Tested::Distribution, true));
    assert!((signal.effect - 0.5).abs() < 1e-12, "{signal:?}");
    // Chance moves a little of each, too, and that must not add up.
    let mut random = Generator::new(4);
    let mut draw = || -> Vec<_> { (0..400).map(|_| Some((20.0 * random.unit()) as u8)).collect() };
    let found = one(
        &categories("x", &draw(), &names),
        &categories("x", &draw(), &names),
    );
    assert!(found.signals[0].effect < 0.06, "{:?}", found.signals[0]);
}

/// Rows of one source, split at random: `P(p ≤ a) ≤ a`, whatever the categories.
#[test]
fn unseen_categories_are_no_surprise_where_nothing_changed() {
    let mut random = Generator::new(9);
    let (trials, mut hits) = (4000, [0_u32; 2]);
    for _ in 0..trials {
        let mut counts = [vec![0_u64; 40], vec![0_u64; 40]];
        for row in 0..90 {
            // Few frequent categories, many rare ones.
            let code = (40.0 * random.unit().powi(3)) as usize;
            counts[usize::from(row >= 60)][code] += 1;
        }
        let p_value = unseen_p(&counts[0], &counts[1]);
        assert!((0.0..=1.0).contains(&p_value));
        hits[0] += u32::from(p_value <= 0.2);
        hits[1] += u32::from(p_value <= 0.05);
    }
    assert!(f64::from(hits[0]) <= 0.2 * f64::from(trials), "{hits:?}");
    assert!(f64::from(hits[1]) <= 0.05 * f64::from(trials), "{hits:?}");
    // And it is not asleep: ten rows of a category that 90 reference rows do not have.
    assert!(unseen_p(&[90, 0], &[20, 10]) < 1e-5);
    assert_eq!(unseen_p(&[5, 0], &[5, 0]), 1.0);
}

#[test]
fn rows_of_one_source_are_quiet() {
    let mut random = Generator::new(2);
    let mut alarms = 0;
    let rule = Rule { level: 0.2, ..rule() };
    for _ in 0..300 {
        let mut table = |rows: usize| {
            let x: Vec<f64> = (0..rows).map(|_| random.normal()).collect();
            let y: Vec<f64> = x
                .iter()
                .map(|x| if *x > 1.0 { f64::NAN } else { x.round() })
                .collect();
            let words: Vec<_> = x
                .iter()
                .map(|x| (*x < 1.5).then_some((x.abs() * 3.0) as u8))
                .collect();
            let names: Vec<String> = (0..30).map(|code| code.to_string()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            [
                numbers("x", &x),
                numbers("y", &y),
                categories("z", &words, &names),
            ]
        };
        let comparison = compare(&table(120), &table(60), rule);
        alarms += u32::from(comparison.verdict == Verdict::Drift);
    }
    // 300 · 0.2 and four standard deviations.
    assert!(alarms <= 60 + 28, "{alarms} alarms");
    assert!(alarms > 0, "a level of 0.2 is not that careful");
}

fn cells() -> impl Strategy<Value = Vec<f64>> {
    let cell = prop_oneof![
        6 => (-20_i32..20).prop_map(|x| f64::from(x) / 4.0),
        1 => Just(f64::NAN),
        1 => -1e308..1e308_f64,
    ];
    prop::collection::vec(cell, 1..80)
}

fn words() -> impl Strategy<Value = Vec<Option<u8>>> {
    prop::collection::vec(prop::option::weighted(0.9, 0_u8..6), 1..80)
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// The same names in another order.
fn renamed(values: &[Option<u8>]) -> Column {
    let values: Vec<_> = values.iter().map(|value| value.map(|code| 5 - code)).collect();
    let mut names = NAMES;
    names.reverse();
    categories("x", &values, &names)
}

fn sound(feature: &Feature) {
    for signal in &feature.signals {
        assert!((0.0..=1.0).contains(&signal.effect), "{signal:?}");
        assert!((0.0..=1.0).contains(&signal.p_value), "{signal:?}");
    }
    match picture(feature) {
        Some(Picture::Numbers { bins, steps, gap }) => {
            for side in [|s: &Sides<f64>| s.reference, |s: &Sides<f64>| s.current] {
                let sum: f64 = bins.bins.iter().map(|bin| side(&bin.shares)).sum();
                assert!((sum - 1.0).abs() < 1e-9, "shares add up to {sum}");
                assert!(steps.is_sorted_by(|a, b| a.at < b.at && side(&a.shares) <= side(&b.shares)));
            }
            let ks = feature.numbers.as_ref().unwrap().ks;
            let drawn = gap.shares.reference - gap.shares.current;
            assert!((drawn.abs() - ks.statistic).abs() < 1e-12, "{gap:?} {ks:?}");
        }
        Some(Picture::Categories { bars, others }) => {
            assert!(!bars.is_empty() && others.is_none_or(|(count, _)| count > 0));
        }
        None => assert_ne!(feature.state, State::Compared),
    }
}

proptest! {
    #[test]
    fn numbers_are_sound(a in cells(), b in cells()) {
        let (before, now) = (numbers("x", &a), numbers("x", &b));
        let found = one(&before, &now);
        sound(&found);
        // The order of rows says nothing.
        let mut turned = b.clone();
        turned.reverse();
        prop_assert_eq!(&found, &one(&before, &numbers("x", &turned)));
        // A table is like itself.
        let same = one(&before, &before);
        prop_assert!(same.signals.iter().all(|signal| signal.effect == 0.0 && signal.p_value == 1.0), "{:?}", same);
    }

    #[test]
    fn categories_are_sound(a in words(), b in words()) {
        let (before, now) = (categories("x", &a, &NAMES), categories("x", &b, &NAMES));
        let found = one(&before, &now);
        sound(&found);
        // Neither does the order in which a reader met them.
        prop_assert_eq!(&found, &one(&renamed(&a), &now));
        let columns = |column: &Column| vec![column.clone()];
        let judged = |before: &Column, now: &Column| compare(&columns(before), &columns(now), Rule { least_rows: 2, ..rule() });
        prop_assert_eq!(judged(&before, &now), judged(&renamed(&a), &renamed(&b)));
        let same = one(&before, &before);
        prop_assert!(same.signals.iter().all(|signal| signal.effect == 0.0 && signal.p_value == 1.0), "{:?}", same);
    }
}
