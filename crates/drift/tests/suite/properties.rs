//! What must hold for every sample, without a witness.

use drift::ks::critical_distance;
use drift::{KsError, Method, SampleError, two_sample};
use proptest::prelude::*;

/// Values with many ties.
fn sample(largest: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((-12_i32..12).prop_map(|x| f64::from(x) / 4.0), 1..largest)
}

fn p_value(a: &[f64], b: &[f64]) -> f64 {
    two_sample(a, b, Method::Exact).unwrap().p_value
}

/// Share of all orders of m + n distinct values that are at least as extreme: the definition.
fn p_by_enumeration(m: u32, n: u32, numerator: u64) -> f64 {
    let (mut all, mut extreme) = (0_u64, 0_u64);
    for order in 0_u32..1 << (m + n) {
        if order.count_ones() != m {
            continue;
        }
        let (mut a, mut b, mut largest) = (0_u64, 0_u64, 0_u64);
        for place in 0..m + n {
            if order >> place & 1 == 1 {
                a += 1
            } else {
                b += 1
            }
            largest = largest.max((a * u64::from(n)).abs_diff(b * u64::from(m)));
        }
        all += 1;
        extreme += u64::from(largest >= numerator);
    }
    extreme as f64 / all as f64
}

proptest! {
    #[test]
    fn exact_p_is_the_share_of_extreme_orders(m in 1_u32..9, n in 1_u32..9, shift in 0_u32..9) {
        let a: Vec<f64> = (0..m).map(f64::from).collect();
        let b: Vec<f64> = (0..n).map(|x| f64::from(x + shift) + 0.5).collect();
        let result = two_sample(&a, &b, Method::Exact).unwrap();
        let numerator = (result.statistic * f64::from(m * n)).round() as u64;
        let expected = p_by_enumeration(m, n, numerator);
        prop_assert!((result.p_value - expected).abs() < 1e-13, "{} instead of {expected}", result.p_value);
    }

    #[test]
    fn sides_can_be_exchanged(a in sample(60), b in sample(60)) {
        for method in [Method::Exact, Method::Asymp] {
            let there = two_sample(&a, &b, method).unwrap();
            let back = two_sample(&b, &a, method).unwrap();
            prop_assert_eq!((there.statistic, there.p_value), (back.statistic, back.p_value));
        }
    }

    #[test]
    fn order_does_not_matter((a, shuffled) in sample(60).prop_flat_map(|a| (Just(a.clone()), Just(a).prop_shuffle())), b in sample(60)) {
        prop_assert_eq!(two_sample(&a, &b, Method::Auto), two_sample(&shuffled, &b, Method::Auto));
    }

    #[test]
    fn only_ranks_matter(a in sample(60), b in sample(60)) {
        let stretch = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| (2.0 * x).exp()).collect() };
        prop_assert_eq!(p_value(&a, &b), p_value(&stretch(&a), &stretch(&b)));
    }

    #[test]
    fn p_is_a_probability(a in sample(90), b in sample(90)) {
        for method in [Method::Exact, Method::Asymp, Method::Auto] {
            let result = two_sample(&a, &b, method).unwrap();
            prop_assert!((0.0..=1.0).contains(&result.p_value) && (0.0..=1.0).contains(&result.statistic));
            prop_assert!(a.contains(&result.location) || b.contains(&result.location));
        }
    }

    /// The critical distance is where the p-value crosses the threshold, for two samples built to
    /// lie exactly `steps` apart.
    #[test]
    fn critical_distance_parts_p_values(m in 1_usize..60, n in 1_usize..60, threshold in 1e-4..1.0_f64) {
        let critical = critical_distance(m as u64, n as u64, threshold);
        for steps in 0..=m {
            let a = vec![1.0; m];
            let b = vec![1.0; n];
            let a: Vec<f64> = a.iter().enumerate().map(|(i, x)| if i < steps { 0.0 } else { *x }).collect();
            let drift = critical.is_some_and(|critical| (steps * n) as u64 >= critical);
            prop_assert_eq!(drift, p_value(&a, &b) < threshold);
        }
    }
}

#[test]
fn extreme_thresholds() {
    assert_eq!(critical_distance(120, 100, 0.0), None);
    assert_eq!(critical_distance(120, 100, 1.5), Some(0));
    // The most extreme order of 120 and 100 values has p = 2/C(220, 100) = 3.7e-65.
    // No distance lies between 11,900 and complete separation.
    assert_eq!(critical_distance(120, 100, 1e-64), Some(11_901));
    assert_eq!(critical_distance(120, 100, 1e-65), None);
    // Two values a side cannot differ significantly.
    assert_eq!(critical_distance(2, 2, 0.05), None);
}

#[test]
fn unusable_samples_are_named() {
    let nan = f64::NAN;
    let empty = two_sample(&[], &[1.0], Method::Auto);
    assert_eq!(empty, Err(KsError::Reference(SampleError::Empty)));
    let infinite = two_sample(&[1.0], &[0.0, f64::INFINITY], Method::Auto);
    let cause = SampleError::NotFinite {
        index: 1,
        value: f64::INFINITY,
    };
    assert_eq!(infinite, Err(KsError::Current(cause)));
    let message = two_sample(&[nan], &[1.0], Method::Auto).unwrap_err().to_string();
    assert_eq!(message, "reference sample");
}

/// Sizes at which a careless recurrence needs minutes, or never ends.
#[test]
fn nothing_hangs() {
    let line = |count: u32, start: f64| -> Vec<f64> { (0..count).map(|x| f64::from(x) + start).collect() };
    let same = vec![1.0; 10_000];
    assert_eq!(p_value(&same, &same[1..]), 1.0);
    assert_eq!(two_sample(&same, &same[1..], Method::Asymp).unwrap().p_value, 1.0);
    assert_eq!(p_value(&line(10_000, 0.0), &line(9_999, 1e6)), 0.0);
    // Too many paths to count, even if asked to: the answer says that it is asymptotic.
    let huge = two_sample(&line(200_000, 0.0), &line(100_000, 50_000.0), Method::Exact).unwrap();
    assert_eq!(huge.method, Method::Asymp);
}
