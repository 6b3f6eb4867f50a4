//! How the report comes about: from the rows in the window to what can be drawn.

use super::{
    Bins, Curves, DECISIONS, EpisodeReport, FeatureReport, Gap, PastLook, Report, RuleReport, Threshold,
};
use crate::{
    config::DriftMode,
    monitor::{
        core::Comparison,
        status::{EpisodeStatus, Status},
    },
};
use drift::{
    Ecdf,
    correct::Correction,
    ks::Distance,
    picture::{self, Histogram, Step},
    rule::SignalKind,
};

/// Points of one distribution function.
const POINTS: usize = 200;

impl Report {
    /// Of the window at one moment.
    pub(in crate::monitor) fn of(comparison: &Comparison) -> Self {
        let signals = comparison.signals();
        let status = Status::of(comparison, &signals);
        let judged = status.features.is_some();
        let (comparisons, thresholds) = comparison.rule.thresholds(&signals, &comparison.evaluation);
        let threshold = |kind, feature| {
            let mut both = signals.iter().zip(&thresholds);
            let (_, threshold) = both.find(|(signal, _)| signal.kind == kind && signal.feature == feature)?;
            Some(Threshold {
                rank: threshold.rank,
                p_value: match comparison.mode {
                    DriftMode::Calibrated => threshold.p_value,
                    DriftMode::Compat => comparison.threshold,
                },
            })
        };
        let features = 0..comparison.training.features().len();
        Report {
            rule: Some(rule(comparison, comparisons)),
            features: features
                .map(|index| FeatureReport {
                    threshold: threshold(SignalKind::Distribution, Some(index)).filter(|_| judged),
                    ..feature(comparison, index)
                })
                .collect(),
            predictions_threshold: threshold(SignalKind::Predictions, None)
                .filter(|_| comparison.mode == DriftMode::Calibrated),
            looks: comparison
                .history
                .iter()
                .map(|past| PastLook {
                    at_ms: past.at_ms,
                    total: past.total,
                    drift: past.drift,
                })
                .collect(),
            episodes: comparison
                .episodes
                .all()
                .iter()
                .rev()
                .map(|episode| EpisodeReport {
                    outcome: if episode.is_open() { "open" } else { "quiet" }.to_owned(),
                    episode: EpisodeStatus::from(episode),
                })
                .collect(),
            decisions: DECISIONS.to_owned(),
            status,
        }
    }
}

fn rule(comparison: &Comparison, comparisons: usize) -> RuleReport {
    let rule = &comparison.rule;
    let level = rule.levels()[0];
    let words = match (comparison.mode, rule.correction) {
        (DriftMode::Compat, _) => {
            "Each feature's p-value is held against the same threshold, uncorrected, once the window is full."
        }
        (_, Correction::Holm) => {
            "Holm: of m comparisons the k-th smallest p-value is held against level / (m - k + 1), and only if all smaller ones were at or below theirs."
        }
        (_, Correction::BenjaminiYekutieli) => {
            "Benjamini-Yekutieli: of m comparisons the k-th smallest p-value is held against level * k / (m * (1 + 1/2 + ... + 1/m)); the largest that is small enough takes all smaller ones with it."
        }
    };
    let (correction, level, least_effect) = match (comparison.mode, rule.correction) {
        (DriftMode::Compat, _) => ("none", comparison.threshold, 0.0),
        (_, Correction::Holm) => ("holm", level, rule.least_effect),
        (_, Correction::BenjaminiYekutieli) => ("benjamini-yekutieli", level, rule.least_effect),
    };
    RuleReport {
        correction: correction.to_owned(),
        comparisons,
        level,
        least_effect,
        words: words.to_owned(),
    }
}

fn feature(comparison: &Comparison, index: usize) -> FeatureReport {
    let before = &comparison.training.features()[index];
    let now = &comparison.evaluation.features[index];
    let values: Vec<f64> = comparison.window.column(index);
    let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
    let (reference, window) = (before.sample.as_ref(), Ecdf::new(&values).ok());
    let at = reference
        .zip(window.as_ref())
        .map(|(reference, window)| Distance::between(reference, window).location);
    let curve = |ecdf: Option<&Ecdf>| -> Vec<[f64; 2]> {
        let steps = ecdf.map(|ecdf| picture::steps(ecdf, at, POINTS));
        let pair = |step: Step| [step.value, step.share];
        steps.unwrap_or_default().into_iter().map(pair).collect()
    };
    let ecdf = Curves {
        reference: curve(reference),
        window: curve(window.as_ref()),
    };
    let share = |curve: &[[f64; 2]], value: f64| {
        let place = curve.iter().position(|pair| pair[0] == value)?;
        Some(curve[place][1])
    };
    FeatureReport {
        name: before.name.clone(),
        state: now.state,
        reference_values: reference.map_or(0, Ecdf::count),
        window_values: values.len() as u64,
        threshold: None,
        gap: at.and_then(|value| {
            Some(Gap {
                value,
                reference: share(&ecdf.reference, value)?,
                window: share(&ecdf.window, value)?,
            })
        }),
        histogram: reference.map(|reference| bins(picture::histogram(reference, window.as_ref()))),
        ecdf,
        ks_at_looks: comparison.history.iter().map(|past| past.ks[index]).collect(),
    }
}

fn bins(histogram: Histogram) -> Bins {
    Bins {
        edges: histogram.edges,
        reference: histogram.reference,
        window: histogram.window,
        window_below: histogram.below[1],
        window_above: histogram.above[1],
    }
}
