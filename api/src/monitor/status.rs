//! The answer of `/drift/status`: the source documents' fields, and what they leave out.

mod made;

use super::peers::Replicas;
use crate::{config::DriftMode, feedback::Performance};
use drift::{
    counts::FeatureState,
    episode::Episode,
    explain::Severity,
    rule::{SignalKind, Verdict},
};
use serde::{Serialize, Serializer, ser::SerializeMap};
use utoipa::ToSchema;

/// What the pooled window says.
///
/// Until it is full and nothing was found: `reason` instead of `threshold` and `features`. Statistics and p-values are
/// at full precision, so that SciPy reproduces them from the same rows.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Status {
    /// Whether there is drift: at the newest look, or (`compat`) in the window as it is.
    pub drift_detected: bool,
    /// `Collecting samples (n/window)`, or why there is nothing to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a feature drifts at or below: its corrected p-value, or (`compat`) its p-value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Rows in the window.
    pub samples: usize,
    /// One for each feature in order, written as `{"feature_0": …, "feature_1": …}`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "numbered")]
    #[schema(value_type = Option<BTreeMap<String, Feature>>)]
    pub features: Option<Vec<Feature>>,
    /// Which rule decides; this and the following are missing where there is no drift reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "calibrated")]
    pub mode: Option<DriftMode>,
    /// Digest of the model whose traffic this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How large the largest change is, where there is drift: `negligible`, `slight`, `clear`, `severe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub severity: Option<Severity>,
    /// What moved furthest, significant changes first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub movements: Vec<Movement>,
    /// Answers beside those to held-out rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predictions: Option<Predictions>,
    /// Scores of the answers beside those of answers to held-out rows: probabilities of the answered classes, or the
    /// numbers predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// The newest look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// The rows that are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The newest episode of this model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episode: Option<EpisodeStatus>,
    /// How well answers were, where labels came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performance: Option<Performance>,
    /// Who has a part in the window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
}

/// The rows that are compared.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Window {
    /// Rows it holds.
    pub rows: usize,
    /// Rows it holds when it is full.
    pub size: usize,
    /// Rows recorded by all replicas since the model is served.
    pub total: u64,
    /// When the oldest was answered, in milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    /// When the newest was.
    pub newest_ms: Option<u64>,
}

/// What the newest look found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Look {
    /// Rows recorded by then.
    pub at_rows: u64,
    /// In a word.
    #[schema(value_type = String, example = "quiet")]
    pub verdict: Verdict,
    /// p-values of the joint tests (one feature, all together) and what they drift at or below.
    pub joint: Option<Joint>,
}

/// Both joint tests.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Joint {
    /// For one feature among many.
    pub sparse_p_value: f64,
    /// It drifts at or below this.
    pub sparse_threshold: f64,
    /// For all features together.
    pub diffuse_p_value: f64,
    /// It drifts at or below this.
    pub diffuse_threshold: f64,
}

/// A feature's comparison; numbers are left out where nothing can be compared.
#[derive(Clone, Debug, Serialize, ToSchema)]
// The model's description has a `Feature`, too, and the document has one name for each body.
#[schema(as = DriftFeature)]
pub struct Feature {
    /// Column name in the training data.
    pub name: String,
    /// Why it cannot be compared: `no_values` or `no_reference`.
    #[serde(skip_serializing_if = "is_compared")]
    #[schema(value_type = Option<String>)]
    pub state: FeatureState,
    /// Kolmogorov–Smirnov statistic, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ks_stat: Option<f64>,
    /// Two-sided p-value, exact up to 10,000 rows a side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Whether the distribution, the missing rate or the values out of range drift.
    pub drift: bool,
    /// Value at which the two distributions are furthest apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<f64>,
    /// +1 where the window's values are larger than the reference's around there, else -1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign: Option<i8>,
    /// p-value corrected for all comparisons of a look; with `calibrated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_p_value: Option<f64>,
    /// Wasserstein-1 distance, in the feature's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasserstein: Option<f64>,
    /// Population stability index over tenths of the training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<f64>,
    /// Jensen–Shannon distance over the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jensen_shannon: Option<f64>,
    /// Share of rows without a value; this and the following are left out where they are 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub missing_share: f64,
    /// The same among training rows.
    #[serde(skip_serializing_if = "is_zero")]
    pub missing_share_in_training: f64,
    /// Share of values beyond the training range.
    #[serde(skip_serializing_if = "is_zero")]
    pub out_of_range_share: f64,
}

/// One change in words.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Movement {
    /// Name of the feature; none for predictions and scores.
    pub feature: Option<String>,
    /// What changed.
    #[schema(value_type = String, example = "distribution")]
    pub kind: SignalKind,
    /// From 0 to 1.
    pub effect: f64,
    /// A sentence.
    pub words: String,
    /// When the first row was answered at which it is visible, in milliseconds since 1970.
    pub since_ms: Option<u64>,
}

/// Shares of the answered classes.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DriftPredictions)]
pub struct Predictions {
    /// Before the correction.
    pub p_value: f64,
    /// After it.
    pub corrected_p_value: f64,
    /// Whether the shares drift.
    pub drift: bool,
    /// One for each class.
    pub classes: Vec<ClassShare>,
}

/// The distribution of the answers' scores, to 12 bits each.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DriftScore)]
pub struct Score {
    /// Answers of the window whose score is known.
    pub answers: u64,
    /// Kolmogorov–Smirnov statistic, 0 to 1.
    pub ks_stat: f64,
    /// Before the correction.
    pub p_value: f64,
    /// After it.
    pub corrected_p_value: f64,
    /// Whether scores drift.
    pub drift: bool,
    /// Of the window's answers.
    pub median: f64,
    /// Of answers to held-out rows.
    pub held_out_median: f64,
}

/// One class's share.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ClassShare {
    /// Its name.
    pub name: String,
    /// Among the window's answers.
    pub share: f64,
    /// Among answers to held-out rows.
    pub held_out_share: f64,
}

/// One drift, from the look that found it to a window's worth of quiet looks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EpisodeStatus {
    /// Whether it goes on.
    pub open: bool,
    /// From 1, counted over the model's life.
    pub number: u64,
    /// Milliseconds since 1970.
    pub opened_at_ms: u64,
    /// Rows recorded by all replicas when it was opened.
    pub since_rows: u64,
    /// Milliseconds since 1970; of an open one null.
    pub closed_at_ms: Option<u64>,
    /// How large the largest change was when it was opened.
    #[schema(value_type = String)]
    pub severity: Severity,
    /// What had moved furthest then, in words.
    pub movements: Vec<String>,
}

impl From<&Episode> for EpisodeStatus {
    fn from(episode: &Episode) -> Self {
        EpisodeStatus {
            open: episode.is_open(),
            number: episode.number,
            opened_at_ms: episode.opened_at_ms,
            since_rows: episode.since_rows,
            closed_at_ms: episode.closed_at_ms,
            severity: episode.severity,
            movements: episode.movements.clone(),
        }
    }
}

fn is_compared(state: &FeatureState) -> bool {
    *state == FeatureState::Compared
}

fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

/// Position `i` as the key `feature_i`, in order (a sorted map would put 10 before 2).
fn numbered<S: Serializer>(features: &Option<Vec<Feature>>, s: S) -> Result<S::Ok, S::Error> {
    let features = features.as_deref().unwrap_or_default();
    let mut map = s.serialize_map(Some(features.len()))?;
    for (index, feature) in features.iter().enumerate() {
        map.serialize_entry(&format!("feature_{index}"), feature)?;
    }
    map.end()
}

impl Status {
    /// Of a model without training rows to compare with.
    pub fn without_reference() -> Self {
        Status {
            reason: Some("The model has no drift reference".to_owned()),
            ..Status::default()
        }
    }

    /// The same with what is known of the other replicas now.
    pub(super) fn with(&self, replicas: Replicas) -> Self {
        let mut status = self.clone();
        if let Some(known) = &mut status.replicas {
            *known = Replicas {
                id: std::mem::take(&mut known.id),
                merged: known.merged,
                ..replicas
            };
        }
        status
    }
}
