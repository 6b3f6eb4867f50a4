//! When to cry wolf: an error rate that holds at any number of features, however often one looks.
//!
//! The proof is in `docs/adr/0013-drift-that-can-be-believed.md`; the simulation in `docs/drift.md`.

use crate::baseline::Baseline;
use crate::correct::{Correction, Threshold};
use crate::counts::{Evaluation, FeatureState};
use crate::joint::{JointResult, joint_test};
use crate::ks::{Method, p_value_of};
use crate::pooled::PooledWindow;
use crate::rates::{out_of_range_p, rate_test, shares_test};
use serde::{Deserialize, Serialize};

/// Shares of a look's level: signals, the joint test for one feature, the one for all.
const SHARES: [f64; 3] = [0.1, 0.7, 0.2];

/// What an alarm takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Expected false alarms in one window's worth of traffic, at most.
    pub level: f64,
    /// Looks in one window's worth of traffic: the level is spent on them in equal parts.
    pub looks: u32,
    /// Correction over signals.
    pub correction: Correction,
    /// A smaller Kolmogorov–Smirnov statistic (or change of a rate) is no alarm, however certain.
    pub least_effect: f64,
    /// Fewer rows are not judged.
    pub least_rows: u64,
    /// Rows that the joint tests take from each side, evenly spread: bounds their time.
    pub joint_rows: usize,
    /// Of the joint tests' permutations.
    pub seed: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            level: 0.001,
            looks: 16,
            correction: Correction::Holm,
            least_effect: 0.1,
            least_rows: 50,
            joint_rows: 1_000,
            seed: 0,
        }
    }
}

/// Why there is no such rule.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("drift rule: {what} is {found}, expected {expected}")]
pub struct RuleError {
    what: &'static str,
    found: f64,
    expected: &'static str,
}

/// What was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// A feature's distribution.
    Distribution,
    /// How often it is missing.
    Missing,
    /// How often it lies outside of the training range.
    OutOfRange,
    /// The shares of the answered classes.
    Predictions,
    /// The distribution of the answers' scores.
    Score,
}

/// One comparison of a look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// What.
    pub kind: SignalKind,
    /// Which feature; `None` for predictions and scores.
    pub feature: Option<usize>,
    /// Kolmogorov–Smirnov statistic, or the largest change of a rate.
    pub effect: f64,
    /// Before the correction.
    pub p_value: f64,
    /// After it; to be compared with [`Decision::signal_level`].
    pub adjusted: f64,
    /// Whether it is significant and large enough.
    pub drift: bool,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Too few rows.
    Collecting,
    /// Nothing to compare: no feature has values on both sides.
    Nothing,
    /// In distribution, as far as can be told.
    Quiet,
    /// Out of it.
    Drift,
}

/// The outcome of one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// In one word.
    pub verdict: Verdict,
    /// What was compared, features in order.
    pub signals: Vec<Signal>,
    /// A signal drifts if its adjusted p-value is at most this.
    pub signal_level: f64,
    /// Both joint tests; `None` where the signals sufficed or nothing could be compared.
    pub joint: Option<JointResult>,
    /// The joint tests, sparse and diffuse, find drift if their p-values are at most these.
    pub joint_levels: [f64; 2],
}

impl Rule {
    /// Checks the numbers.
    pub fn check(&self) -> Result<(), RuleError> {
        let within = |what, found: f64, low: f64, high: f64, expected| {
            let good = (low..=high).contains(&found);
            if good {
                Ok(())
            } else {
                Err(RuleError {
                    what,
                    found,
                    expected,
                })
            }
        };
        within("level", self.level, 1e-6, 0.5, "0.000001 to 0.5")?;
        within("looks", f64::from(self.looks), 1.0, 64.0, "1 to 64")?;
        within("least_effect", self.least_effect, 0.0, 1.0, "0 to 1")?;
        within("least_rows", self.least_rows as f64, 2.0, 1e5, "2 to 100000")?;
        within("joint_rows", self.joint_rows as f64, 10.0, 1e4, "10 to 10000")
    }

    /// Rows between two looks at a window of `size` rows.
    pub fn stride(&self, size: usize) -> u64 {
        (size as u64).div_ceil(u64::from(self.looks)).max(1)
    }

    /// Levels at one look: signals together, the sparse and the diffuse joint test; all looks at a window's
    /// worth together spend [`Rule::level`].
    pub fn levels(&self) -> [f64; 3] {
        SHARES.map(|share| share * self.level / f64::from(self.looks))
    }

    /// Every comparison that can be made of these rows, corrected for how many there are. To be shown at any
    /// time: what is decided by is [`Rule::look`].
    pub fn signals(&self, baseline: &Baseline, evaluation: &Evaluation) -> Vec<Signal> {
        let mut signals = signals(baseline, evaluation);
        let p_values = tested(&signals, evaluation);
        let [level, ..] = self.levels();
        for (signal, adjusted) in signals.iter_mut().zip(self.correction.adjust(&p_values)) {
            signal.adjusted = adjusted;
            signal.drift = adjusted <= level && signal.effect >= self.least_effect;
        }
        signals
    }

    /// How many comparisons are corrected for, and what the p-value of each signal (as [`Rule::signals`] gives
    /// them) is held against.
    pub fn thresholds(&self, signals: &[Signal], evaluation: &Evaluation) -> (usize, Vec<Threshold>) {
        let p_values = tested(signals, evaluation);
        let mut thresholds = self.correction.thresholds(&p_values, self.levels()[0]);
        thresholds.truncate(signals.len());
        (p_values.len(), thresholds)
    }

    /// Looks once at the window; `evaluation` must be that of its rows.
    ///
    /// p-values are exact up to 10,000 values a side, and then may take a millisecond for each feature.
    pub fn look(&self, baseline: &Baseline, evaluation: &Evaluation, window: &PooledWindow) -> Decision {
        let [signal_level, sparse, diffuse] = self.levels();
        let mut decision = Decision {
            verdict: Verdict::Collecting,
            signals: Vec::new(),
            signal_level,
            joint: None,
            joint_levels: [sparse, diffuse],
        };
        if evaluation.rows < self.least_rows {
            return decision;
        }
        decision.signals = self.signals(baseline, evaluation);
        if decision.signals.is_empty() {
            decision.verdict = Verdict::Nothing;
            return decision;
        }
        let effects = decision.signals.iter().map(|signal| signal.effect);
        let largest = effects.fold(0.0_f64, f64::max);
        let mut drift = decision.signals.iter().any(|signal| signal.drift);
        // Permutations are drawn only where they can change the answer.
        if !drift && largest >= self.least_effect {
            decision.joint = self.joint(baseline, window, decision.joint_levels);
            drift = decision
                .joint
                .is_some_and(|joint| joint.sparse <= sparse || joint.diffuse <= diffuse);
        }
        decision.verdict = if drift { Verdict::Drift } else { Verdict::Quiet };
        decision
    }

    fn joint(&self, baseline: &Baseline, window: &PooledWindow, levels: [f64; 2]) -> Option<JointResult> {
        // Of the inputs alone: scores of held-out rows belong to no training row.
        let features = baseline.features().len();
        let reference = baseline.values().chunks_exact(features);
        let reference: Vec<f64> = spread(baseline.rows(), self.joint_rows, reference)
            .flatten()
            .copied()
            .collect();
        let rows = window.rows().iter().map(|row| &row.values[..features]);
        let current: Vec<f64> = spread(window.rows().len(), self.joint_rows, rows)
            .flatten()
            .copied()
            .collect();
        joint_test(&reference, &current, features, levels, self.seed)
    }
}

/// At most `most` of `count` items, evenly spread; which ones does not depend on what they are.
pub(crate) fn spread<T>(
    count: usize,
    most: usize,
    items: impl Iterator<Item = T>,
) -> impl Iterator<Item = T> {
    let taken = count.min(most);
    items
        .enumerate()
        .filter(move |(index, _)| index * taken / count != (index + 1) * taken / count)
        .map(|(_, item)| item)
}

/// The p-values that are corrected together. A feature that could not be compared counts as one that shows nothing:
/// the number of tests must not depend on which rows are the window's.
fn tested(signals: &[Signal], evaluation: &Evaluation) -> Vec<f64> {
    let states = evaluation.features.iter().chain(&evaluation.score);
    let silent = states
        .filter(|feature| feature.state != FeatureState::Compared)
        .count();
    let p_values = signals.iter().map(|signal| signal.p_value);
    p_values.chain(std::iter::repeat_n(1.0, silent)).collect()
}

/// Every comparison that can be made.
fn signals(baseline: &Baseline, evaluation: &Evaluation) -> Vec<Signal> {
    let mut signals = Vec::new();
    let mut signal = |kind, feature, effect, p_value| {
        signals.push(Signal {
            kind,
            feature,
            effect,
            p_value,
            adjusted: p_value,
            drift: false,
        });
    };
    for (index, (before, now)) in baseline.features().iter().zip(&evaluation.features).enumerate() {
        let feature = Some(index);
        if let (FeatureState::Compared, Some(sample)) = (now.state, &before.sample) {
            let (p_value, _) = p_value_of(now.numerator, sample.count(), now.values, Method::Auto);
            signal(SignalKind::Distribution, feature, now.ks, p_value);
        }
        // What never happened on either side cannot have changed, and costs nothing.
        if before.missing.events + now.missing.events > 0
            && let (Some(was), Some(is)) = (before.missing.share(), now.missing.share())
        {
            let p_value = rate_test(before.missing, now.missing);
            signal(SignalKind::Missing, feature, (is - was).abs(), p_value);
        }
        if let (Some(sample), Some(share)) = (&before.sample, now.outside.share()) {
            let p_value = out_of_range_p(now.outside.events, sample.count(), now.outside.of);
            signal(SignalKind::OutOfRange, feature, share, p_value);
        }
    }
    let (before, now) = (baseline.classes(), &evaluation.classes);
    let totals = [before, now].map(|counts| counts.iter().sum::<u64>());
    if !totals.contains(&0) {
        let share = |count: u64, total: u64| count as f64 / total as f64;
        let effect = before
            .iter()
            .zip(now)
            .map(|(&was, &is)| (share(is, totals[1]) - share(was, totals[0])).abs())
            .fold(0.0, f64::max);
        signal(SignalKind::Predictions, None, effect, shares_test(before, now));
    }
    let sample = baseline.scores().and_then(|scores| scores.sample.as_ref());
    if let (Some(sample), Some(now)) = (sample, &evaluation.score)
        && now.state == FeatureState::Compared
    {
        let (p_value, _) = p_value_of(now.numerator, sample.count(), now.values, Method::Auto);
        signal(SignalKind::Score, None, now.ks, p_value);
    }
    signals
}
