//! Scores of answers, watched beside the inputs.

use crate::oracle::Generator;
use drift::{
    Method,
    baseline::{Baseline, coarse},
    counts::{Counts, Evaluation},
    explain::movements,
    inbox::Inbox,
    npy::Matrix,
    pooled::PooledWindow,
    rule::{Decision, Rule, SignalKind, Verdict},
    two_sample,
};
use proptest::prelude::*;
use std::sync::Arc;

const FEATURES: usize = 2;

/// A probability of the answered class: many answers are sure.
fn score(random: &mut Generator, less: f64) -> f64 {
    (1.0 - (random.normal() * 0.1).abs() - less).clamp(0.0, 1.0)
}

fn row(random: &mut Generator) -> [f64; FEATURES] {
    [random.normal(), random.normal()]
}

fn baseline(random: &mut Generator, scores: &[f64]) -> Arc<Baseline> {
    let values: Vec<f64> = (0..200).flat_map(|_| row(random)).collect();
    let matrix = Matrix {
        rows: 200,
        columns: FEATURES,
        values,
    };
    let names = vec!["length".to_owned(), "width".to_owned()];
    let baseline = Baseline::new(names, &matrix, vec![100, 100]).unwrap();
    Arc::new(baseline.with_scores("the probability of the answered class", scores))
}

/// A look at `rows` rows with these scores; inputs and classes are as in training.
fn look(
    baseline: &Arc<Baseline>,
    random: &mut Generator,
    scores: &[f64],
) -> (Decision, Evaluation, PooledWindow) {
    let size = scores.len();
    let mut inbox = Inbox::new(1, size, FEATURES, 1).with_scores();
    for (place, score) in scores.iter().enumerate() {
        let class = Some(place as u16 % 2);
        inbox
            .record(place as u64, &row(random), class, *score, false)
            .unwrap();
    }
    let mut window = PooledWindow::new("m", size, baseline.columns().count());
    let mut counts = Counts::new(Arc::clone(baseline));
    inbox
        .drain(baseline, &mut window, |row, came| match came {
            true => counts.add(&row.values, row.class),
            false => counts.remove(&row.values, row.class),
        })
        .unwrap();
    let evaluation = counts.evaluate();
    let decision = Rule::default().look(baseline, &evaluation, &window);
    (decision, evaluation, window)
}

#[test]
fn scores_that_fall_are_drift_although_inputs_stay() {
    let mut random = Generator::new(91);
    let held_out: Vec<f64> = (0..100).map(|_| score(&mut random, 0.0)).collect();
    let baseline = baseline(&mut random, &held_out);

    let usual: Vec<f64> = (0..200).map(|_| score(&mut random, 0.0)).collect();
    let (quiet, evaluation, _) = look(&baseline, &mut random, &usual);
    assert_eq!(quiet.verdict, Verdict::Quiet);
    let found = quiet
        .signals
        .iter()
        .find(|s| s.kind == SignalKind::Score)
        .unwrap();
    let both = [&held_out, &usual].map(|scores| scores.iter().map(|x| coarse(*x)).collect::<Vec<_>>());
    let expected = two_sample(&both[0], &both[1], Method::Auto).unwrap();
    assert_eq!((found.effect, found.feature), (expected.statistic, None));
    assert!((found.p_value / expected.p_value - 1.0).abs() < 1e-9);
    assert_eq!(evaluation.features.len(), FEATURES);

    let unsure: Vec<f64> = (0..200).map(|_| score(&mut random, 0.2)).collect();
    let (drift, evaluation, window) = look(&baseline, &mut random, &unsure);
    assert_eq!(drift.verdict, Verdict::Drift);
    let drifting: Vec<SignalKind> = drift.signals.iter().filter(|s| s.drift).map(|s| s.kind).collect();
    assert_eq!(drifting, [SignalKind::Score]);
    let moved = movements(&baseline, &evaluation, &window, &drift, 3);
    insta::assert_snapshot!(
        moved[0].words,
        @"the probability of the answered class is 0.19 lower than in held-out rows (median 0.735, was 0.928)"
    );
    assert_eq!((moved[0].feature, moved[0].kind), (None, SignalKind::Score));
}

#[test]
fn answers_without_a_score_are_no_change_and_cost_no_test_more_or_less() {
    let mut random = Generator::new(92);
    let held_out: Vec<f64> = (0..100).map(|_| score(&mut random, 0.0)).collect();
    let watched = baseline(&mut random, &held_out);
    let tests = |(decision, evaluation, _): &(Decision, Evaluation, PooledWindow)| {
        Rule::default().thresholds(&decision.signals, evaluation).0
    };
    let none = look(&watched, &mut random, &[f64::NAN; 100]);
    assert_eq!(none.0.verdict, Verdict::Quiet);
    assert!(none.0.signals.iter().all(|s| s.kind != SignalKind::Score));
    let some = look(&watched, &mut random, &held_out);
    assert_eq!(tests(&none), tests(&some));

    let unwatched = baseline(&mut random, &[]);
    assert!(unwatched.scores().is_none() && unwatched.columns().count() == FEATURES);
}

proptest! {
    /// However a forest adds up, in whichever precision: one score.
    #[test]
    fn single_and_double_precision_give_one_score(votes in prop::collection::vec(0_u32..=20, 1..200)) {
        let double: f64 = votes.iter().map(|&v| f64::from(v) / 20.0).sum::<f64>() / votes.len() as f64;
        let single: f32 = votes.iter().map(|&v| v as f32 / 20.0).sum::<f32>() / votes.len() as f32;
        let gap = (coarse(double) - coarse(f64::from(single))).abs();
        // Beside a boundary they may fall apart by one step.
        prop_assert!(gap <= double * 2.0_f64.powi(-11), "{double} {single}");
        prop_assert_eq!(coarse(coarse(double)), coarse(double));
        prop_assert!((coarse(double) - double).abs() <= double * 2.0_f64.powi(-13));
    }
}

/// The scores that occur: shares of a hundred trees are told apart, and never split by precision.
#[test]
fn shares_of_trees_stay_apart_and_whole() {
    let mut before = -1.0;
    for votes in 0..=100_u32 {
        let double = f64::from(votes) / 100.0;
        let single = (0..votes).map(|_| 0.01_f32).sum::<f32>();
        assert!(coarse(double) > before, "{votes}");
        assert_eq!(coarse(double), coarse(f64::from(votes as f32 / 100.0)), "{votes}");
        assert_eq!(coarse(double), coarse(f64::from(single)), "{votes}");
        before = coarse(double);
    }
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(coarse(odd).to_bits(), odd.to_bits());
    }
    assert_eq!(coarse(f64::MAX), f64::INFINITY);
}
