//! The window's flag against plain recomputation.

use crate::oracle::Generator;
use drift::{Method, PushError, Reference, Window, WindowError, two_sample};
use proptest::prelude::*;
use std::sync::Arc;

fn window(columns: Vec<Vec<f64>>, size: usize, threshold: f64) -> Window {
    Window::new(Arc::new(Reference::new(columns).unwrap()), size, threshold).unwrap()
}

/// The newest `size` values of one column, as the source documents' detector keeps them.
fn newest(rows: &[Vec<f64>], size: usize, feature: usize) -> Vec<f64> {
    rows[rows.len().saturating_sub(size)..]
        .iter()
        .map(|row| row[feature])
        .collect()
}

/// Returns the flag.
fn assert_equals_recomputation(window: &Window, columns: &[Vec<f64>], rows: &[Vec<f64>]) -> bool {
    assert_eq!(window.len(), rows.len().min(window.size()));
    let drifts = |(index, column): (usize, &Vec<f64>)| {
        let ks = two_sample(column, &newest(rows, window.size(), index), Method::Auto).unwrap();
        ks.p_value < window.threshold()
    };
    let expected = window.is_full() && columns.iter().enumerate().any(drifts);
    assert_eq!(window.flag(), expected);
    expected
}

proptest! {
    #[test]
    fn every_push_equals_recomputation(
        table in prop::collection::vec(prop::collection::vec(0_i32..30, 2), 1..40),
        traffic in prop::collection::vec(prop::collection::vec(-4_i32..40, 2), 0..90),
        size in 1_usize..30,
        threshold in prop_oneof![Just(0.0), Just(0.05), Just(1.0), 0.001..0.9_f64],
        reset_at in 0_usize..90,
    ) {
        let halves = |rows: Vec<Vec<i32>>| -> Vec<Vec<f64>> {
            rows.into_iter().map(|row| row.into_iter().map(|x| f64::from(x) / 2.0).collect()).collect()
        };
        let (table, traffic) = (halves(table), halves(traffic));
        let columns: Vec<Vec<f64>> = (0..2).map(|i| table.iter().map(|row| row[i]).collect()).collect();
        let mut window = window(columns.clone(), size, threshold);
        let mut seen = Vec::new();
        for (index, row) in traffic.into_iter().enumerate() {
            if index == reset_at {
                window.reset();
                seen.clear();
            }
            window.push(&row).unwrap();
            seen.push(row);
            assert_equals_recomputation(&window, &columns, &seen);
        }
    }
}

/// Continuous values, a window above the automatic method's limit, and a shift that comes and goes.
#[test]
fn large_windows_equal_recomputation() {
    let mut random = Generator::new(3);
    for (rows, size) in [(120, 100), (1_000, 700), (300, 10_001)] {
        let columns: Vec<Vec<f64>> = (0..2)
            .map(|_| (0..rows).map(|_| random.normal()).collect())
            .collect();
        let mut window = window(columns.clone(), size, 0.05);
        let mut seen = Vec::new();
        let mut flags = [0; 2];
        for index in 0..3 * size {
            let shift = if index > size && index < 2 * size {
                0.8
            } else {
                0.0
            };
            let row = vec![random.normal(), random.normal() + shift];
            window.push(&row).unwrap();
            seen.push(row);
            flags[usize::from(window.flag())] += 1;
            if index % (size / 20) == 0 {
                assert_equals_recomputation(&window, &columns, &seen);
            }
        }
        assert!(
            flags[0] > size && flags[1] > size / 2,
            "{rows} rows, window {size}: {flags:?}"
        );
    }
}

#[test]
fn bad_rows_and_settings_change_nothing() {
    let mut window = window(vec![vec![1.0, 2.0], vec![1.0, 2.0]], 3, 0.05);
    window.push(&[1.0, 2.0]).unwrap();
    let before = (window.len(), window.flag(), window.pushed());
    assert_eq!(
        window.push(&[1.0]),
        Err(PushError::Length {
            found: 1,
            expected: 2
        })
    );
    let infinite = window.push(&[1.0, f64::INFINITY]);
    assert_eq!(
        infinite,
        Err(PushError::NotFinite {
            index: 1,
            value: f64::INFINITY
        })
    );
    assert!(window.push(&[f64::NAN, 1.0]).is_err());
    assert_eq!((window.len(), window.flag(), window.pushed()), before);

    let reference = Arc::clone(window.reference());
    for size in [0, 100_001] {
        assert_eq!(
            Window::new(Arc::clone(&reference), size, 0.05).unwrap_err(),
            WindowError::Size(size)
        );
    }
    for threshold in [-0.1, 1.1] {
        let error = Window::new(Arc::clone(&reference), 10, threshold).unwrap_err();
        assert_eq!(error, WindowError::Threshold(threshold));
    }
    assert!(Window::new(reference, 10, f64::NAN).is_err());
}
