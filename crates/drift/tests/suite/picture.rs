//! What is drawn is what was counted.

use drift::{
    Ecdf,
    correct::Correction,
    ks::Distance,
    picture::{BINS, histogram, steps},
};
use proptest::prelude::*;

/// Ties and fractions.
fn sample(largest: usize) -> impl Strategy<Value = Vec<f64>> {
    let tied = (-12_i32..12).prop_map(|x| f64::from(x) / 4.0);
    prop::collection::vec(prop_oneof![tied, -50.0..50.0_f64], 1..largest)
}

fn share(values: &[f64], x: f64) -> f64 {
    values.iter().filter(|value| **value <= x).count() as f64 / values.len() as f64
}

proptest! {
    #[test]
    fn few_points_stay_close(values in sample(700), most in 3_usize..60, exact in prop::option::of(-60.0..60.0_f64)) {
        let ecdf = Ecdf::new(&values).unwrap();
        let points = steps(&ecdf, exact, most);
        prop_assert!(points.len() <= most, "{} points", points.len());
        for pair in points.windows(2) {
            prop_assert!(pair[0].value < pair[1].value && pair[0].share <= pair[1].share);
        }
        for point in &points {
            prop_assert_eq!(point.share, share(&values, point.value));
        }
        prop_assert_eq!(points[points.len() - 1].share, 1.0);
        let drawn = |x: f64| match points.partition_point(|point| point.value <= x) {
            0 => 0.0,
            place => points[place - 1].share,
        };
        let off = 1.0 / (most - 2) as f64;
        for x in values.iter().copied().chain((-60..60).map(f64::from)) {
            let missing = share(&values, x) - drawn(x);
            prop_assert!((0.0..=off + 1e-12).contains(&missing), "{missing} at {x}");
        }
    }

    /// However few points there are, the gap between both drawn functions is the statistic.
    #[test]
    fn the_gap_is_exact(a in sample(300), b in sample(300)) {
        let (a, b) = (Ecdf::new(&a).unwrap(), Ecdf::new(&b).unwrap());
        let distance = Distance::between(&a, &b);
        let at = |ecdf: &Ecdf| {
            let points = steps(ecdf, Some(distance.location), 5);
            points.iter().find(|point| point.value == distance.location).unwrap().share
        };
        prop_assert_eq!((at(&a) - at(&b)) * f64::from(distance.sign), distance.statistic);
    }

    #[test]
    fn bins_hold_every_value_once(a in sample(300), b in sample(300), scale in prop_oneof![Just(1.0), Just(4.0), Just(1e-300), Just(3e306)]) {
        let [a, b] = [a, b].map(|values| values.iter().map(|x| x * scale).collect::<Vec<f64>>());
        let found = histogram(&Ecdf::new(&a).unwrap(), Some(&Ecdf::new(&b).unwrap()));
        prop_assert!(found.edges.len() <= BINS + 1, "{:?}", found.edges);
        prop_assert!(found.edges.windows(2).all(|pair| pair[0] < pair[1] || found.edges.len() == 2), "{:?}", found.edges);
        for (side, values, bins) in [(0, &a, &found.reference), (1, &b, &found.window)] {
            let last = bins.len() - 1;
            for (bin, &count) in bins.iter().enumerate() {
                let (low, high) = (found.edges[bin], found.edges[bin + 1]);
                let within = |x: &&f64| **x >= low && (**x < high || bin == last && **x == high);
                prop_assert_eq!(values.iter().filter(within).count() as u64, count);
            }
            let all = bins.iter().sum::<u64>() + found.below[side] + found.above[side];
            prop_assert_eq!(all, values.len() as u64);
        }
        // Training values are never in the open ends.
        prop_assert_eq!((found.below[0], found.above[0]), (0, 0));
    }

    /// To go through the thresholds finds what the adjusted p-values find.
    #[test]
    fn thresholds_decide_as_adjusted_p_values_do(
        mut p_values in prop::collection::vec(prop_oneof![4 => 0.0..1.0_f64, 4 => 0.0..0.02_f64, 1 => Just(0.005), 1 => Just(f64::NAN)], 1..30),
        level in 0.001..0.2_f64,
    ) {
        p_values[0] = 0.0;
        let mut order: Vec<usize> = (0..p_values.len()).filter(|&i| !p_values[i].is_nan()).collect();
        for correction in [Correction::Holm, Correction::BenjaminiYekutieli] {
            let thresholds = correction.thresholds(&p_values, level);
            order.sort_by_key(|&i| thresholds[i].rank);
            let small = |&&i: &&usize| p_values[i] <= thresholds[i].p_value;
            let rejected = match correction {
                Correction::Holm => order.iter().take_while(small).count(),
                Correction::BenjaminiYekutieli => order.iter().rposition(|i| small(&i)).map_or(0, |last| last + 1),
            };
            let adjusted = correction.adjust(&p_values);
            for (place, &i) in order.iter().enumerate() {
                // Multiplied on one side and divided on the other: apart by a rounding.
                let near = (adjusted[i] / level - 1.0).abs() < 1e-9;
                prop_assert!(near || (adjusted[i] <= level) == (place < rejected), "{:?} {place} {rejected}", p_values);
            }
        }
    }
}

#[test]
fn categories_have_a_bin_each() {
    let classes = Ecdf::new(&[0.0, 1.0, 1.0, 3.0]).unwrap();
    let found = histogram(&classes, Some(&Ecdf::new(&[2.0, 3.0, 900.0, -900.0]).unwrap()));
    assert_eq!(
        found.edges,
        [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]
    );
    assert_eq!(found.reference, [0, 0, 0, 1, 2, 0, 1, 0, 0, 0]);
    assert_eq!(found.window, [0, 0, 0, 0, 0, 1, 1, 0, 0, 0]);
    assert_eq!((found.below, found.above), ([0, 1], [0, 1]));
}

#[test]
fn one_value_is_one_bin() {
    for value in [0.25, 7.0, -1e300, f64::MIN_POSITIVE] {
        let found = histogram(&Ecdf::new(&[value, value]).unwrap(), None);
        assert_eq!((&found.reference[..], &found.window[..]), (&[2][..], &[0][..]));
        assert!(
            found.edges[0] <= value && value <= found.edges[1],
            "{:?}",
            found.edges
        );
    }
}
