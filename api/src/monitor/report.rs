//! The answer of `/drift/report`: what the page shows. All of `/drift/status`, and what there is to draw.

use super::{
    core::Comparison,
    peers::Replicas,
    status::{EpisodeStatus, Status},
};
use crate::config::DriftMode;
use drift::{
    Ecdf,
    correct::Correction,
    counts::FeatureState,
    ks::Distance,
    picture::{self, Histogram, Step},
    rule::SignalKind,
};
use serde::Serialize;
use utoipa::ToSchema;

/// Points of one distribution function.
const POINTS: usize = 200;
/// What the API cannot know.
const DECISIONS: &str = "What the trainer did about an episode (a retrain, a refusal, a promotion) is not known to this process: `cargo xtask status` shows it.";

/// All of it, at one moment.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Report {
    /// What `/drift/status` says of the same rows.
    pub status: Status,
    /// How p-values become a verdict; missing where there is no drift reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleReport>,
    /// One for each feature, in order.
    pub features: Vec<FeatureReport>,
    /// What is held against the p-value of the predictions' shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictions_threshold: Option<Threshold>,
    /// The latest looks, oldest first.
    pub looks: Vec<PastLook>,
    /// The latest episodes of this model, newest first.
    pub episodes: Vec<EpisodeReport>,
    /// Where to see what was decided.
    pub decisions: String,
}

/// How p-values become a verdict.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RuleReport {
    /// `holm`, `benjamini-yekutieli`, or (`compat`) `none`.
    pub correction: String,
    /// Comparisons that are corrected for.
    pub comparisons: usize,
    /// What all of them may spend at one look; with `compat` each feature alone.
    pub level: f64,
    /// A smaller statistic, or change of a rate, is no drift.
    pub least_effect: f64,
    /// The same in words.
    pub words: String,
}

/// What a p-value, before the correction, is held against.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Threshold {
    /// From 1, of the smallest p-value among all comparisons of a look.
    pub rank: usize,
    /// Largest p-value that is small enough at this rank.
    pub p_value: f64,
}

/// A feature's pictures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeatureReport {
    /// Column name in the training data.
    pub name: String,
    /// `compared`, or why it cannot be: `no_values`, `no_reference`.
    #[schema(value_type = String)]
    pub state: FeatureState,
    /// Values of the reference.
    pub reference_values: u64,
    /// Finite values in the window.
    pub window_values: u64,
    /// What the p-value is held against; missing while rows are collected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Threshold>,
    /// Both distribution functions, at most 200 points each; every point is exact, and at the gap there is one.
    pub ecdf: Curves,
    /// Where both are furthest apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// Both in the same bins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Bins>,
    /// The Kolmogorov–Smirnov statistic at each of `looks`; null where nothing could be compared.
    pub ks_at_looks: Vec<Option<f64>>,
}

/// Two distribution functions: pairs of a value and the share that is not above it, constant up to the next pair.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Curves {
    /// Of the reference.
    pub reference: Vec<[f64; 2]>,
    /// Of the window.
    pub window: Vec<[f64; 2]>,
}

/// The largest distance between two distribution functions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Gap {
    /// At this value.
    pub value: f64,
    /// Share of the reference up to it.
    pub reference: f64,
    /// Share of the window up to it.
    pub window: f64,
}

/// Counts in bins of one width.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bins {
    /// Ascending, one more than there are bins; a bin begins with its lower edge.
    pub edges: Vec<f64>,
    /// Values of the reference in each.
    pub reference: Vec<u64>,
    /// Values of the window in each.
    pub window: Vec<u64>,
    /// Values of the window below all edges.
    pub window_below: u64,
    /// And above.
    pub window_above: u64,
}

/// What a look found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PastLook {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// Rows recorded by all replicas until then.
    pub total: u64,
    /// Whether it found drift.
    pub drift: bool,
}

/// An episode, and how it ended as far as this process knows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EpisodeReport {
    /// As in `/drift/status`.
    #[serde(flatten)]
    pub episode: EpisodeStatus,
    /// `open`, or `quiet`: a window's worth of looks found nothing.
    pub outcome: String,
}

impl Report {
    /// Of a model without training rows to compare with.
    pub fn without_reference() -> Self {
        Report {
            status: Status::without_reference(),
            decisions: DECISIONS.to_owned(),
            ..Report::default()
        }
    }

    /// Of the window at one moment.
    pub(super) fn of(comparison: &Comparison) -> Self {
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

    /// The same with what is known of the other replicas now.
    pub(super) fn with(&self, replicas: Replicas) -> Self {
        Report {
            status: self.status.with(replicas),
            ..self.clone()
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
