//! What moved, how far, and since when: for people.

use crate::baseline::Baseline;
use crate::counts::Evaluation;
use crate::ecdf::Ecdf;
use crate::pooled::{PooledWindow, RowKey};
use crate::rule::{Decision, Signal, SignalKind};
use serde::{Deserialize, Serialize};

/// How large the largest change is. A convention for people and alert rules, not a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Kolmogorov–Smirnov statistic (or change of a rate) below 0.1.
    Negligible,
    /// Below 0.25: in a normal distribution, less than 0.6 standard deviations.
    Slight,
    /// Below 0.5: less than 1.3 standard deviations.
    Clear,
    /// Half of the rows lie where training rows do not.
    Severe,
}

impl Severity {
    /// Of an effect between 0 and 1.
    pub fn of(effect: f64) -> Self {
        match effect {
            x if x >= 0.5 => Severity::Severe,
            x if x >= 0.25 => Severity::Clear,
            x if x >= 0.1 => Severity::Slight,
            _ => Severity::Negligible,
        }
    }
}

/// One change in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Movement {
    /// The feature; `None` for predictions and scores.
    pub feature: Option<usize>,
    /// How it changed, as the signal says.
    pub kind: SignalKind,
    /// From 0 to 1.
    pub effect: f64,
    /// A sentence.
    pub words: String,
    /// The first row at which it is visible; `None` where only the window as a whole shows it.
    pub since: Option<RowKey>,
}

/// The (at most `most`) signals that moved furthest, significant ones first, each feature once.
pub fn movements(
    baseline: &Baseline,
    evaluation: &Evaluation,
    window: &PooledWindow,
    decision: &Decision,
    most: usize,
) -> Vec<Movement> {
    let mut ranked: Vec<&Signal> = decision
        .signals
        .iter()
        .filter(|signal| signal.effect > 0.0)
        .collect();
    ranked.sort_by(|a, b| b.drift.cmp(&a.drift).then(b.effect.total_cmp(&a.effect)));
    let mut chosen: Vec<&Signal> = Vec::new();
    for signal in ranked {
        let told = |other: &&Signal| {
            other.feature == signal.feature && (signal.feature.is_some() || other.kind == signal.kind)
        };
        if chosen.len() < most && !chosen.iter().any(told) {
            chosen.push(signal);
        }
    }
    chosen
        .into_iter()
        .map(|signal| {
            let (words, since) = describe(baseline, evaluation, window, signal);
            Movement {
                feature: signal.feature,
                kind: signal.kind,
                effect: signal.effect,
                words,
                since,
            }
        })
        .collect()
}

fn describe(
    baseline: &Baseline,
    evaluation: &Evaluation,
    window: &PooledWindow,
    signal: &Signal,
) -> (String, Option<RowKey>) {
    let scores = baseline.scores().zip(evaluation.score.as_ref());
    let (index, before, now, whose) = match (signal.feature, signal.kind, scores) {
        (Some(index), ..) => (
            index,
            &baseline.features()[index],
            &evaluation.features[index],
            "training",
        ),
        (None, SignalKind::Score, Some((before, now))) => {
            (baseline.features().len(), before, now, "held-out rows")
        }
        _ => return (predictions(baseline, evaluation), None),
    };
    let name = &before.name;
    let percent = |share: Option<f64>| format!("{} %", short(100.0 * share.unwrap_or(0.0), 2));
    let rows = || window.rows().iter().map(|row| (row.key, row.values[index]));
    match (signal.kind, &before.sample) {
        (SignalKind::Missing, _) => {
            let words = format!(
                "{name} is missing in {} of requests, in {} of training rows",
                percent(now.missing.share()),
                percent(before.missing.share())
            );
            let events = rows().map(|(key, x)| (key, x.is_nan()));
            (words, change_point(events, before.missing.share().unwrap_or(0.0)))
        }
        (SignalKind::OutOfRange, Some(sample)) => {
            let (low, high) = (sample.values()[0], sample.values()[sample.values().len() - 1]);
            let words = format!(
                "{name} lies outside of its training range ({} to {}) in {} of requests",
                short(low, 4),
                short(high, 4),
                percent(now.outside.share())
            );
            let outside = |x: f64| x < low || x > high;
            let events = rows()
                .filter(|(_, x)| !x.is_nan())
                .map(|(key, x)| (key, outside(x)));
            (words, change_point(events, 0.0))
        }
        (_, Some(sample)) => {
            let finite = || rows().filter(|(_, x)| x.is_finite());
            let values: Vec<f64> = finite().map(|(_, x)| x).collect();
            let words = match Ecdf::new(&values) {
                Ok(current) => shape(name, sample, &current, now.location, whose),
                Err(_) => format!("{name} has no values"),
            };
            // Seen at the place where both distributions are furthest apart, just before it if the
            // window's function jumps there.
            let place = sample.values().partition_point(|&x| x < now.location);
            let upto = |count: usize| {
                if count == 0 {
                    0
                } else {
                    sample.cumulative()[count - 1]
                }
            };
            let share = |count: u64| count as f64 / sample.count() as f64;
            let gap = |reached: &dyn Fn(f64) -> bool, was: f64| {
                let share =
                    values.iter().filter(|&&x| reached(x)).count() as f64 / values.len().max(1) as f64;
                (was - share).abs()
            };
            let (under, upon) = (share(upto(place)), share(upto(place + 1)));
            let location = now.location;
            let since = if gap(&|x| x < location, under) > gap(&|x| x <= location, upon) {
                change_point(finite().map(|(key, x)| (key, x < location)), under)
            } else {
                change_point(finite().map(|(key, x)| (key, x <= location)), upon)
            };
            (words, since)
        }
        (_, None) => (format!("{name} has no training values"), None),
    }
}

/// The class whose share changed most.
fn predictions(baseline: &Baseline, evaluation: &Evaluation) -> String {
    let totals =
        [baseline.classes(), &evaluation.classes[..]].map(|counts| counts.iter().sum::<u64>().max(1) as f64);
    let shares = baseline.classes().iter().zip(&evaluation.classes);
    let shares = shares.map(|(&was, &is)| [was as f64 / totals[0], is as f64 / totals[1]]);
    let change = |shares: &[f64; 2]| (shares[1] - shares[0]).abs();
    match shares
        .enumerate()
        .max_by(|a, b| change(&a.1).total_cmp(&change(&b.1)))
    {
        Some((class, [was, is])) => format!(
            "class {} is the answer to {} % of requests, to {} % of held-out rows",
            baseline.class_name(class),
            short(100.0 * is, 2),
            short(100.0 * was, 2)
        ),
        None => "no classes are watched".to_owned(),
    }
}

/// Higher or lower, wider or narrower, or neither, than in what `before` is a sample of.
pub(crate) fn shape(name: &str, before: &Ecdf, now: &Ecdf, location: f64, whose: &str) -> String {
    let quartiles = |sample: &Ecdf| [0.25, 0.5, 0.75].map(|share| quantile(sample, share));
    let ([a, was, b], [c, is, d]) = (quartiles(before), quartiles(now));
    let (spread, new_spread) = (b - a, d - c);
    let shift = is - was;
    if shift != 0.0 && shift.abs() >= 0.1 * spread {
        let word = if shift > 0.0 { "higher" } else { "lower" };
        return format!(
            "{name} is {} {word} than in {whose} (median {}, was {})",
            short(shift.abs(), 2),
            short(is, 3),
            short(was, 3)
        );
    }
    let ratio = new_spread / spread;
    if ratio.is_finite() && !(0.8..=1.25).contains(&ratio) {
        let word = if ratio > 1.0 { "wider" } else { "narrower" };
        return format!(
            "{name} is spread {word} than in {whose} (half of it over {}, was {})",
            short(new_spread, 2),
            short(spread, 2)
        );
    }
    format!(
        "{name} is distributed otherwise than in {whose}, most of all around {}",
        short(location, 3)
    )
}

/// The smallest value with at least this share of the sample not above it.
pub fn quantile(sample: &Ecdf, share: f64) -> f64 {
    let wanted = (share * sample.count() as f64).ceil().max(1.0) as u64;
    sample.values()[sample.cumulative().partition_point(|&upto| upto < wanted)]
}

/// So many significant digits, without an exponent where that stays readable.
pub fn short(value: f64, digits: i32) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-5..=7).contains(&magnitude) {
        return format!("{value:.*e}", (digits - 1) as usize);
    }
    let decimals = (digits - 1 - magnitude).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if decimals == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The row from which on events (a yes or no for each row, oldest first) come at another rate than before:
/// the split whose later part is least likely at the training rate, `n·KL(p̂ ‖ p₀)` (D. V. Hinkley,
/// E. A. Hinkley, "Inference about the change-point in a sequence of binomial variables", Biometrika 57,
/// 1970). The first row of the window may mean: already before.
pub fn change_point(
    events: impl DoubleEndedIterator<Item = (RowKey, bool)>,
    training_rate: f64,
) -> Option<RowKey> {
    let (mut hits, mut count) = (0.0, 0.0);
    let mut best: Option<(f64, RowKey)> = None;
    // A rate of 0 or 1 in training is an estimate too: something else is rare, not impossible.
    let rate = training_rate.clamp(1e-3, 1.0 - 1e-3);
    for (key, hit) in events.rev() {
        count += 1.0;
        hits += f64::from(u8::from(hit));
        let share: f64 = hits / count;
        let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
        let score = count * (part(share, rate) + part(1.0 - share, 1.0 - rate));
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, key));
        }
    }
    // Less than this is what some stretch of any traffic shows.
    best.filter(|&(score, _)| score > 5.0).map(|(_, key)| key)
}
