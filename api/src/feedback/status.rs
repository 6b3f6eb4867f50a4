//! What labels say, in answers and metrics.

use drift::{
    performance::{CONFIDENCE, Estimate, Judged, Quality},
    rule::Verdict,
};
use serde::Serialize;
use utoipa::ToSchema;

/// A number with its interval.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Interval {
    /// As seen.
    pub value: f64,
    /// Lower end of the interval of 95 %.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Estimate> for Interval {
    fn from(Estimate { value, low, high }: Estimate) -> Self {
        Interval { value, low, high }
    }
}

/// How well the model does on rows whose labels came, over all replicas.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Performance {
    /// Whether it is worse than on held-out rows: an alarm of its own, see `drift_detected` for that of inputs. It stays
    /// until a window's worth of looks in a row was quiet.
    pub drift: bool,
    /// What the newest look said: `collecting`, `quiet`, `drift`; `nothing` where the manifest knows no held-out errors.
    #[schema(value_type = String, example = "quiet")]
    pub verdict: Verdict,
    /// Labelled rows that the following are of.
    pub rows: usize,
    /// The latest so many labelled rows are looked at.
    pub size: usize,
    /// Labelled rows since the model is served.
    pub total: u64,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Of a classifier: share of right classes, with Clopper and Pearson's exact interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Interval>,
    /// Of a regression: root mean squared error, with the root of Student's interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmse: Option<Interval>,
    /// Of a regression: mean absolute error, with Student's interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mae: Option<Interval>,
    /// The same on held-out rows, where the manifest says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<f64>,
    /// Of the newest look: that live rows are as good as held-out ones; exact, one-sided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// Drift at or below this.
    pub threshold: f64,
    /// Of the newest look: by how much the rate of errors is higher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
}

impl Performance {
    /// Puts the numbers in.
    pub(super) fn with(mut self, quality: Option<Quality>, judged: Option<Judged>) -> Self {
        self.confidence = CONFIDENCE;
        match quality {
            Some(Quality::Accuracy(accuracy)) => self.accuracy = Some(accuracy.into()),
            Some(Quality::Errors { rmse, mae }) => {
                (self.rmse, self.mae) = (Some(rmse.into()), Some(mae.into()));
            }
            None => {}
        }
        self.p_value = judged.map(|judged| judged.p_value);
        self.effect = judged.map(|judged| judged.effect);
        self
    }
}

/// What became of labels: also the values of a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They count now.
    Matched,
    /// The same ones were known.
    Duplicate,
    /// No replica here knows the request; others are asked.
    Pending,
    /// No other replica knew it either, within the time.
    Unclaimed,
    /// The request is not known.
    Unknown,
    /// The row has another label.
    Conflict,
    /// The id stands for several requests.
    Ambiguous,
    /// No label of this model, or for another number of rows.
    Refused,
}

impl Outcome {
    /// All of them, in order.
    pub const ALL: [Outcome; 8] = [
        Outcome::Matched,
        Outcome::Duplicate,
        Outcome::Pending,
        Outcome::Unclaimed,
        Outcome::Unknown,
        Outcome::Conflict,
        Outcome::Ambiguous,
        Outcome::Refused,
    ];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Matched => "matched",
            Outcome::Duplicate => "duplicate",
            Outcome::Pending => "pending",
            Outcome::Unclaimed => "unclaimed",
            Outcome::Unknown => "unknown",
            Outcome::Conflict => "conflict",
            Outcome::Ambiguous => "ambiguous",
            Outcome::Refused => "refused",
        }
    }
}
