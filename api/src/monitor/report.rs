//! The answer of `/drift/report`: what the page shows. All of `/drift/status`, and what there is to draw.

mod made;

use super::{
    peers::Replicas,
    status::{EpisodeStatus, Status},
};
use drift::counts::FeatureState;
use serde::Serialize;
use utoipa::ToSchema;

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

    /// The same with what is known of the other replicas now.
    pub(super) fn with(&self, replicas: Replicas) -> Self {
        Report {
            status: self.status.with(replicas),
            ..self.clone()
        }
    }
}
