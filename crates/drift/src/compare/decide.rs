//! All columns together: one look.

use super::{Cells, Column, Comparison, Feature, MISSING, Sides, State, Tested};
use crate::explain::Severity;
use crate::joint::joint_test;
use crate::rule::{Rule, Verdict, spread};
use serde::Serialize;
use std::collections::HashMap;

/// So many movements are told.
const MOVED_MAX: usize = 10;
/// Where no column drifts by itself, those with a p-value up to this are told.
const LIKELY: f64 = 0.05;

/// One change in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Movement {
    /// The column.
    pub column: String,
    /// How it changed.
    pub kind: Tested,
    /// From 0 to 1.
    pub effect: f64,
    /// Of that effect.
    pub severity: Severity,
    /// Whether it is drift of its own; where it is not, it may be what the joint tests have seen.
    pub drift: bool,
    /// A sentence.
    pub words: String,
}

/// Decides by what [`super::feature`] has found; `tables` hold the same columns in the order of `features`.
///
/// [`Rule::looks`] should be 1: the level is that of one look.
pub fn decide(mut features: Vec<Feature>, tables: Sides<&[&Column]>, rule: Rule) -> Comparison {
    let rows = tables.map(|columns| columns.first().map_or(0, |column| column.cells.len()) as u64);
    let [signal_level, sparse, diffuse] = rule.levels();
    let mut comparison = Comparison {
        drift_detected: false,
        verdict: Verdict::Collecting,
        severity: None,
        rows,
        rule,
        signal_level,
        joint_levels: [sparse, diffuse],
        joint: None,
        moved: Vec::new(),
        features: Vec::new(),
    };
    let judged = rows.reference.min(rows.current) >= rule.least_rows;
    let largest = adjust(&mut features, &rule, signal_level, judged);
    comparison.verdict = if !judged {
        Verdict::Collecting
    } else if features.iter().all(|feature| feature.signals.is_empty()) {
        Verdict::Nothing
    } else if features.iter().any(|feature| feature.drift) {
        Verdict::Drift
    } else {
        Verdict::Quiet
    };
    // Permutations are drawn only where they can change the answer.
    if comparison.verdict == Verdict::Quiet && largest >= rule.least_effect {
        let [reference, current] = matrices(tables, rule.joint_rows);
        let width = tables.reference.len();
        comparison.joint = joint_test(&reference, &current, width, [sparse, diffuse], rule.seed);
        let found = comparison
            .joint
            .is_some_and(|joint| joint.sparse <= sparse || joint.diffuse <= diffuse);
        comparison.verdict = if found { Verdict::Drift } else { Verdict::Quiet };
    }
    comparison.drift_detected = comparison.verdict == Verdict::Drift;
    let together = comparison.drift_detected && features.iter().all(|feature| !feature.drift);
    comparison.moved = moved(&features, together);
    let most = comparison.moved.iter().map(|movement| movement.effect);
    let most = most.fold(0.0, f64::max);
    comparison.severity = comparison.drift_detected.then(|| Severity::of(most));
    comparison.features = features;
    comparison
}

/// Corrects over all columns and says which drift; gives the largest effect.
fn adjust(features: &mut [Feature], rule: &Rule, level: f64, judged: bool) -> f64 {
    let signals = features.iter().flat_map(|feature| &feature.signals);
    let mut p_values: Vec<f64> = signals.map(|signal| signal.p_value).collect();
    // A column that could not be compared counts as one that shows nothing: the number of tests must
    // not depend on which rows are the current ones.
    let silent = features.iter().filter(|feature| feature.state != State::Compared);
    p_values.extend(std::iter::repeat_n(1.0, silent.count()));
    let mut adjusted = rule.correction.adjust(&p_values).into_iter();
    let mut largest = 0.0_f64;
    for feature in features {
        for (signal, adjusted) in feature.signals.iter_mut().zip(&mut adjusted) {
            signal.adjusted = adjusted;
            signal.drift = judged && adjusted <= level && signal.effect >= rule.least_effect;
            largest = largest.max(signal.effect);
        }
        feature.drift = feature.signals.iter().any(|signal| signal.drift);
        let counted = feature
            .signals
            .iter()
            .filter(|signal| signal.drift || !feature.drift);
        feature.effect = counted.map(|signal| signal.effect).fold(0.0, f64::max);
        feature.severity = Severity::of(feature.effect);
    }
    largest
}

/// Each column that drifts; where only all together do, those that are most likely to be why.
fn moved(features: &[Feature], together: bool) -> Vec<Movement> {
    let mut moved: Vec<(f64, Movement)> = features
        .iter()
        .filter_map(|feature| {
            let signals = feature.signals.iter().zip(&feature.words);
            let (signal, words) = signals.min_by(|(a, _), (b, _)| {
                let [further, likelier] = [b.effect.total_cmp(&a.effect), a.p_value.total_cmp(&b.p_value)];
                b.drift.cmp(&a.drift).then(match together {
                    true => likelier.then(further),
                    false => further.then(likelier),
                })
            })?;
            let movement = Movement {
                column: feature.name.clone(),
                kind: signal.kind,
                effect: signal.effect,
                severity: Severity::of(signal.effect),
                drift: signal.drift,
                words: words.clone(),
            };
            (signal.drift || together).then_some((signal.p_value, movement))
        })
        .collect();
    if together {
        moved.sort_by(|a, b| a.0.total_cmp(&b.0));
        // At least the likeliest one: what else chance shows says nothing.
        let likely = moved.iter().filter(|(p_value, _)| *p_value <= LIKELY).count();
        moved.truncate(likely.max(1));
    } else {
        moved.sort_by(|a, b| b.1.effect.total_cmp(&a.1.effect));
    }
    moved.truncate(MOVED_MAX);
    moved.into_iter().map(|(_, movement)| movement).collect()
}

/// Rows of both sides, row after row, at most `most` of each.
fn matrices(tables: Sides<&[&Column]>, most: usize) -> [Vec<f64>; 2] {
    let ranks: Vec<Option<HashMap<&str, f64>>> = tables
        .reference
        .iter()
        .zip(tables.current)
        .map(|(before, now)| ranks(&before.cells, &now.cells))
        .collect();
    [tables.reference, tables.current].map(|columns| {
        let rows = columns.first().map_or(0, |column| column.cells.len());
        let mut matrix = Vec::with_capacity(rows.min(most) * columns.len());
        for row in spread(rows, most, 0..rows) {
            for (column, ranks) in columns.iter().zip(&ranks) {
                matrix.push(match (&column.cells, ranks) {
                    (Cells::Numbers(values), _) => values[row],
                    (Cells::Categories { codes, names }, Some(ranks)) if codes[row] != MISSING => ranks
                        .get(names[codes[row] as usize].as_str())
                        .copied()
                        .unwrap_or(f64::NAN),
                    _ => f64::NAN,
                });
            }
        }
        matrix
    })
}

/// Categories as numbers for the joint tests: the frequent ones of both sides together first. The order does not
/// depend on which side a row is of, and so the permutations stay exact.
fn ranks<'a>(before: &'a Cells, now: &'a Cells) -> Option<HashMap<&'a str, f64>> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for cells in [before, now] {
        let Cells::Categories { codes, names } = cells else {
            return None;
        };
        for &code in codes.iter().filter(|&&code| code != MISSING) {
            *counts.entry(&names[code as usize]).or_default() += 1;
        }
    }
    let mut order: Vec<(&str, u64)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let ranked = order
        .into_iter()
        .zip(0..)
        .map(|((name, _), rank)| (name, f64::from(rank)));
    Some(ranked.collect())
}
