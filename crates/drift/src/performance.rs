//! How well a model does on rows whose truth became known, beside how it did on held-out rows.
//!
//! # The test
//! Errors that are counted, on two sides: held-out rows and live ones. Where answers are classes an error is a
//! wrong class; where they are numbers it is one whose absolute error exceeds the median absolute error of the held-out
//! rows. If live rows are like held-out ones, then given both together every choice of which are the live ones is equally
//! likely, and
//! - for classes the live errors are hypergeometric: the upper tail of Fisher's exact test (R. A. Fisher, "The logic of
//!   inductive inference", Journal of the Royal Statistical Society 98, 1935);
//! - for numbers, c of n live rows exceed the k-th smallest of m held-out errors only if at least k held-out ones are among
//!   the k + n − c smallest of all: Mathisen's median test (H. C. Mathisen, "A method of testing the hypothesis that two
//!   samples are from the same population", Annals of Mathematical Statistics 14, 1943), exact whatever the errors'
//!   distribution, conservative with ties.
//!
//! It is one-sided: a model that has become better is no alarm.
//!
//! # The promise
//! As in ADR 0013, on a level of its own: a window of W labelled rows is looked at [`Rule::looks`] times in W labels, at
//! multiples of W/looks; each look may spend `level / looks`. By the union bound the expected number of false alarms in n
//! windows' worth of labels is at most n · level. Input drift's looks spend nothing of it and lose nothing to it: an alarm
//! of either kind at all is bounded by the sum of both. A smallest effect ([`Rule::least_effect`], on the rate of errors) and a
//! smallest sample ([`Rule::least_rows`]) only remove alarms.
//!
//! What is assumed is that whether a label arrives does not depend on whether the answer was right: where only complaints
//! are reported every model looks bad.

use crate::interval::{clopper_pearson, student_mean};
use crate::looks::{Alarm, Looks};
use crate::rates::{Rate, hypergeometric_sf};
use crate::rule::{Rule, Verdict};
use serde::{Deserialize, Serialize};

/// Confidence of all intervals.
pub const CONFIDENCE: f64 = 0.95;

/// A number and the ends of its interval of [`CONFIDENCE`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// As seen.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How good answers are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Share of right classes; Clopper and Pearson's interval, exact.
    Accuracy(Estimate),
    /// Of numbers, in the target's unit; Student's intervals, of the mean absolute and (its root) the mean squared error,
    /// which hold in the limit alone. Missing ends where there are fewer than two rows.
    Errors {
        /// Root mean squared error.
        rmse: Estimate,
        /// Mean absolute error.
        mae: Estimate,
    },
}

/// What is known of held-out rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeldOut {
    /// How many of the answered classes were wrong.
    Wrong(Rate),
    /// The lower median of the absolute errors: the ⌈rows/2⌉-th smallest.
    MedianError {
        /// Held-out rows.
        rows: u64,
        /// In the target's unit.
        error: f64,
    },
}

/// One labelled row: what was answered, what was right.
pub type Pair = (f64, f64);

/// One side beside the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Rate of errors among live rows, see the module.
    pub live: Rate,
    /// One-sided, exact.
    pub p_value: f64,
    /// How much higher the rate of errors is than among held-out rows.
    pub effect: f64,
}

/// Accuracy or errors of labelled rows; `None` without rows.
pub fn quality(classes: bool, rows: &[Pair]) -> Option<Quality> {
    if rows.is_empty() {
        return None;
    }
    let count = rows.len() as u64;
    if classes {
        let hits = rows.iter().filter(|(answer, label)| answer == label).count() as u64;
        let (low, high) = clopper_pearson(hits, count, CONFIDENCE);
        let value = hits as f64 / count as f64;
        return Some(Quality::Accuracy(Estimate { value, low, high }));
    }
    let estimate = |errors: &dyn Fn(&Pair) -> f64| {
        let errors: Vec<f64> = rows.iter().map(errors).collect();
        let value = errors.iter().sum::<f64>() / errors.len() as f64;
        // An error is never negative; of one row nothing is known but that.
        let (low, high) = student_mean(errors.iter().copied(), CONFIDENCE).unwrap_or((0.0, f64::MAX));
        let low = low.max(0.0);
        Estimate { value, low, high }
    };
    let mae = estimate(&|(answer, label)| (answer - label).abs());
    let squared = estimate(&|(answer, label)| (answer - label).powi(2));
    let rmse = Estimate {
        value: squared.value.sqrt(),
        low: squared.low.sqrt(),
        high: squared.high.sqrt(),
    };
    Some(Quality::Errors { rmse, mae })
}

impl HeldOut {
    /// Compares live rows with it.
    pub fn judge(&self, rows: &[Pair]) -> Judged {
        let of = rows.len() as u64;
        match *self {
            HeldOut::Wrong(held_out) => {
                let events = rows.iter().filter(|(answer, label)| answer != label).count() as u64;
                let live = Rate { events, of };
                let (all, wrong) = (held_out.of + of, held_out.events + events);
                Judged {
                    live,
                    p_value: match held_out.of {
                        0 => 1.0,
                        _ => hypergeometric_sf(events, all, wrong, of),
                    },
                    effect: live.share().unwrap_or(0.0) - held_out.share().unwrap_or(1.0),
                }
            }
            HeldOut::MedianError { rows: m, error } => {
                let exceeds = |(answer, label): &&Pair| (answer - label).abs() > error;
                let events = rows.iter().filter(exceeds).count() as u64;
                let live = Rate { events, of };
                let k = m.div_ceil(2);
                let above = m.saturating_sub(k) as f64 / m.max(1) as f64;
                Judged {
                    live,
                    p_value: match m {
                        0 => 1.0,
                        _ => hypergeometric_sf(k, m + of, m, k + of - events),
                    },
                    effect: live.share().unwrap_or(0.0) - above,
                }
            }
        }
    }
}

/// Looks at labelled rows as they come.
#[derive(Clone, Debug)]
pub struct Watch {
    rule: Rule,
    looks: Looks,
    judged: Option<Judged>,
    verdict: Verdict,
}

impl Watch {
    /// For a window of `size` labelled rows.
    pub fn new(rule: Rule, size: usize) -> Self {
        Self {
            looks: Looks::new(&rule, size),
            rule,
            judged: None,
            verdict: Verdict::Collecting,
        }
    }

    /// What one look may spend: a p-value is drift at or below it.
    pub fn threshold(&self) -> f64 {
        self.rule.level / f64::from(self.rule.looks)
    }

    /// Looks if it is time, given how many labels there have been in all.
    pub fn look(&mut self, total: u64, held_out: Option<HeldOut>, rows: impl FnOnce() -> Vec<Pair>) {
        if !self.looks.due(total) {
            return;
        }
        let Some(held_out) = held_out else {
            self.verdict = Verdict::Nothing;
            self.looks.looked(total, self.verdict);
            return;
        };
        let judged = held_out.judge(&rows());
        self.verdict = if judged.live.of < self.rule.least_rows {
            Verdict::Collecting
        } else if judged.p_value <= self.threshold() && judged.effect >= self.rule.least_effect {
            Verdict::Drift
        } else {
            Verdict::Quiet
        };
        self.judged = Some(judged);
        self.looks.looked(total, self.verdict);
    }

    /// What the newest look saw.
    pub fn judged(&self) -> Option<Judged> {
        self.judged
    }

    /// In a word.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// An alarm: from a look that found drift until a window's worth of looks in a row was quiet.
    pub fn alarm(&self) -> Option<Alarm> {
        self.looks.alarm()
    }
}
