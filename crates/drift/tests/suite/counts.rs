//! Statistics kept up to date beside the same statistics computed afresh from the rows.

use crate::oracle::Generator;
use drift::baseline::{Baseline, BaselineError};
use drift::counts::{Counts, FeatureState};
use drift::ks::p_value_of;
use drift::npy::Matrix;
use drift::{Ecdf, Method, distances, two_sample};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

fn baseline(columns: &[Vec<f64>]) -> Result<Baseline, BaselineError> {
    let rows = columns.first().map_or(0, Vec::len);
    let matrix = Matrix {
        rows,
        columns: columns.len(),
        values: (0..rows)
            .flat_map(|row| columns.iter().map(move |column| column[row]))
            .collect(),
    };
    Baseline::new(
        (0..columns.len()).map(|i| format!("c{i}")).collect(),
        &matrix,
        vec![3, 1],
    )
}

/// Mostly numbers with ties, sometimes a hole or something broken.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        12 => (-20_i32..40).prop_map(|x| f64::from(x) / 2.0),
        1 => Just(f64::NAN),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e300), Just(-1e300)],
    ]
}

proptest! {
    #[test]
    fn counts_equal_recomputation(
        training in prop::collection::vec(-10_i32..20, 1..60),
        traffic in prop::collection::vec(value(), 1..80),
        leave in 0_usize..80,
    ) {
        let training: Vec<f64> = training.into_iter().map(|x| f64::from(x) / 2.0).collect();
        let baseline = Arc::new(baseline(std::slice::from_ref(&training)).unwrap());
        let mut counts = Counts::new(baseline);
        traffic.iter().for_each(|&x| counts.add(&[x], Some(1)));
        let leave = leave.min(traffic.len());
        traffic[..leave].iter().for_each(|&x| counts.remove(&[x], Some(1)));
        let rest = &traffic[leave..];
        let evaluation = counts.evaluate();
        let feature = evaluation.features[0];
        prop_assert_eq!((evaluation.rows, evaluation.classes), (rest.len() as u64, vec![0, rest.len() as u64]));
        prop_assert_eq!(feature.missing.events, rest.iter().filter(|x| x.is_nan()).count() as u64);
        let (low, high) = training.iter().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x), h.max(x)));
        prop_assert_eq!(feature.outside.events, rest.iter().filter(|&&x| x < low || x > high).count() as u64);
        let finite: Vec<f64> = rest.iter().copied().filter(|x| x.is_finite()).collect();
        prop_assert_eq!(feature.values, finite.len() as u64);
        if finite.is_empty() {
            prop_assert_eq!(feature.state, FeatureState::NoValues);
            return Ok(());
        }
        let expected = two_sample(&training, &finite, Method::Auto).unwrap();
        prop_assert_eq!(feature.state, FeatureState::Compared);
        prop_assert!((feature.ks - expected.statistic).abs() < 1e-15);
        let p = p_value_of(feature.numerator, training.len() as u64, feature.values, Method::Auto);
        prop_assert_eq!(p, (expected.p_value, expected.method));
        let (a, b) = (Ecdf::new(&training).unwrap(), Ecdf::new(&finite).unwrap());
        prop_assert_eq!(feature.psi, distances::psi(&a, &b).unwrap());
        prop_assert_eq!(feature.jensen_shannon, distances::jensen_shannon(&a, &b).unwrap());
        // Values between two training values are taken as their middle; broken giants saturate.
        if finite.iter().all(|x| x.abs() < 1e6) {
            let widest = a.values().windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
            let error = (feature.wasserstein - distances::wasserstein(&a, &b)).abs();
            prop_assert!(error <= widest / 2.0 + 1e-9, "{error}");
        }
        // Both sides' functions are as far apart as told, where it is told.
        let upto = |ecdf: &Ecdf, x: f64, equal: bool| {
            let place = ecdf.values().partition_point(|&value| if equal { value <= x } else { value < x });
            if place == 0 { 0.0 } else { ecdf.cumulative()[place - 1] as f64 / ecdf.count() as f64 }
        };
        let gap = |equal| f64::from(feature.sign) * (upto(&a, feature.location, equal) - upto(&b, feature.location, equal));
        prop_assert!((gap(true).max(gap(false)) - feature.ks).abs() < 1e-12);
    }
}

/// A reference of many values, where only what has changed is walked again, beside a walk over everything.
#[test]
fn updates_equal_recomputation() {
    for decimals in [1.0, 1e6] {
        let mut random = Generator::new(81);
        let mut draw = move |shift: f64| ((random.normal() + shift) * 40.0 * decimals).round() / decimals;
        let training: Vec<f64> = (0..1_000).map(|_| draw(0.0)).collect();
        let baseline = Arc::new(baseline(std::slice::from_ref(&training)).unwrap());
        let mut counts = Counts::new(Arc::clone(&baseline));
        let mut window = VecDeque::new();
        for step in 0..600 {
            // Out and back, with holes: the number of values changes now and then.
            let shift = if (200..400).contains(&step) { 1.5 } else { 0.0 };
            let x = if step % 31 == 0 { f64::NAN } else { draw(shift) };
            window.push_back(x);
            counts.add(&[x], None);
            if window.len() > 150 {
                counts.remove(&[window.pop_front().unwrap()], None);
            }
            let mut afresh = Counts::new(Arc::clone(&baseline));
            window.iter().for_each(|&x| afresh.add(&[x], None));
            let evaluation = counts.evaluate();
            assert_eq!(evaluation, afresh.evaluate(), "step {step}");
            let feature = evaluation.features[0];
            let finite: Vec<f64> = window.iter().copied().filter(|x| x.is_finite()).collect();
            if let Ok(current) = Ecdf::new(&finite) {
                let ks = two_sample(&training, &finite, Method::Auto).unwrap();
                assert!((feature.ks - ks.statistic).abs() < 1e-15 && feature.sign == ks.sign);
                let exact = distances::wasserstein(&Ecdf::new(&training).unwrap(), &current);
                assert!(
                    (feature.wasserstein - exact).abs() < 2.0,
                    "{} {exact}",
                    feature.wasserstein
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_a_baseline_says_so() {
    let errors = [
        baseline(&[]),
        baseline(&[vec![]]),
        baseline(&[vec![1.0, f64::INFINITY]]),
        Baseline::new(
            vec![],
            &Matrix {
                rows: 1,
                columns: 1,
                values: vec![1.0],
            },
            vec![],
        ),
    ]
    .map(|result| result.unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r#"
    the baseline has 0 rows of 0 columns, at least one of each is needed
    the baseline has 0 rows of 1 columns, at least one of each is needed
    value 1 of column "c0" of the baseline is infinite
    0 names for the 1 columns of the baseline
    "#);
    // A column without any value is named, not compared.
    let baseline = Arc::new(baseline(&[vec![f64::NAN, f64::NAN], vec![1.0, 1.0]]).unwrap());
    let mut counts = Counts::new(baseline);
    let empty = counts.evaluate();
    assert_eq!(
        [empty.features[0].state, empty.features[1].state],
        [FeatureState::NoReference, FeatureState::NoValues]
    );
    counts.add(&[4.0, 1.0], None);
    let one = counts.evaluate();
    assert_eq!(
        [one.features[0].state, one.features[1].state],
        [FeatureState::NoReference, FeatureState::Compared]
    );
    assert_eq!((one.features[1].ks, one.features[1].outside.events), (0.0, 0));
}
