//! How the window at one moment becomes an answer.

use super::{ClassShare, EpisodeStatus, Feature, Joint, Look, Movement, Predictions, Score, Status, Window};
use crate::{
    config::DriftMode,
    monitor::{core::Comparison, peers::Replicas},
};
use drift::{
    Ecdf,
    explain::{Severity, movements, quantile},
    ks::{Distance, MAX_AUTO_SIZE, fraction},
    pooled::RowKey,
    rule::{Signal, SignalKind},
};

/// Features that moved most.
const MOVEMENTS: usize = 3;

fn milliseconds(key: &RowKey) -> u64 {
    key.time / 1_000
}

impl Status {
    /// Of the window at one moment.
    pub(in crate::monitor) fn of(comparison: &Comparison, signals: &[Signal]) -> Self {
        let Comparison { seen, rule, .. } = comparison;
        let calibrated = comparison.mode == DriftMode::Calibrated;
        let collecting = seen.rows < seen.size && !seen.detected;
        let threshold = match calibrated {
            true => rule.levels()[0],
            false => comparison.threshold,
        };
        Status {
            drift_detected: seen.detected,
            reason: collecting.then(|| format!("Collecting samples ({}/{})", seen.rows, seen.size)),
            threshold: (!collecting).then_some(threshold),
            samples: seen.rows,
            features: (!collecting).then(|| features(comparison, signals)),
            ..details(comparison, signals)
        }
    }
}

fn features(comparison: &Comparison, signals: &[Signal]) -> Vec<Feature> {
    let calibrated = comparison.mode == DriftMode::Calibrated;
    let now = comparison.evaluation.features.iter();
    let both = comparison.training.features().iter().zip(now).enumerate();
    both.map(|(index, (before, now))| {
        let of_kind = |kind| {
            let own = |signal: &&Signal| signal.feature == Some(index) && signal.kind == kind;
            signals.iter().find(own)
        };
        let values: Vec<f64> = comparison.window.column(index);
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        let mut feature = Feature {
            name: before.name.clone(),
            state: now.state,
            ks_stat: None,
            p_value: None,
            drift: [
                SignalKind::Distribution,
                SignalKind::Missing,
                SignalKind::OutOfRange,
            ]
            .into_iter()
            .filter_map(of_kind)
            .any(|signal| signal.drift && calibrated),
            location: None,
            sign: None,
            corrected_p_value: None,
            wasserstein: None,
            psi: None,
            jensen_shannon: None,
            missing_share: now.missing.share().unwrap_or(0.0),
            missing_share_in_training: before.missing.share().unwrap_or(0.0),
            out_of_range_share: now.outside.share().unwrap_or(0.0),
        };
        let (Some(sample), Ok(current)) = (&before.sample, Ecdf::new(&values)) else {
            return feature;
        };
        let distance = Distance::between(sample, &current);
        let (a, b) = (sample.count(), current.count());
        // As SciPy's exact and asymptotic methods round it.
        feature.ks_stat = Some(match a.max(b) <= MAX_AUTO_SIZE {
            true => fraction(distance.numerator, a, b),
            false => distance.statistic,
        });
        if let Some(signal) = of_kind(SignalKind::Distribution) {
            feature.p_value = Some(signal.p_value);
            feature.corrected_p_value = calibrated.then_some(signal.adjusted);
            feature.drift |= !calibrated && signal.p_value < comparison.threshold;
        }
        feature.location = Some(distance.location);
        feature.sign = Some(distance.sign);
        feature.wasserstein = Some(now.wasserstein);
        feature.psi = Some(now.psi);
        feature.jensen_shannon = Some(now.jensen_shannon);
        feature
    })
    .collect()
}

/// What the source documents do not have.
fn details(comparison: &Comparison, signals: &[Signal]) -> Status {
    let Comparison {
        seen,
        window,
        training,
        evaluation,
        ..
    } = comparison;
    let looked = seen.looked.as_deref();
    // Words for the rows as they are, by the newest look's levels.
    let decision = looked.map(|(_, decision)| {
        let mut decision = decision.clone();
        decision.signals = signals.to_vec();
        decision
    });
    let moved = decision
        .as_ref()
        .map(|decision| movements(training, evaluation, window, decision, MOVEMENTS))
        .unwrap_or_default();
    let largest = moved.iter().map(|moved| moved.effect).fold(0.0, f64::max);
    let look = looked.map(|(evaluated, decision)| Look {
        at_rows: comparison
            .history
            .last()
            .map_or(evaluated.rows, |past| past.total),
        verdict: decision.verdict,
        joint: decision.joint.map(|joint| Joint {
            sparse_p_value: joint.sparse,
            sparse_threshold: decision.joint_levels[0],
            diffuse_p_value: joint.diffuse,
            diffuse_threshold: decision.joint_levels[1],
        }),
    });
    Status {
        mode: Some(comparison.mode),
        model: Some(seen.model.to_string()),
        severity: seen.detected.then(|| Severity::of(largest)),
        movements: moved
            .into_iter()
            .map(|moved| Movement {
                feature: moved.feature.map(|index| training.features()[index].name.clone()),
                kind: moved.kind,
                effect: moved.effect,
                words: moved.words,
                since_ms: moved.since.as_ref().map(milliseconds),
            })
            .collect(),
        predictions: predictions(comparison, signals),
        score: score(comparison, signals),
        look,
        window: Some(Window {
            rows: seen.rows,
            size: seen.size,
            total: seen.total,
            oldest_ms: window.rows().front().map(|row| milliseconds(&row.key)),
            newest_ms: window.rows().back().map(|row| milliseconds(&row.key)),
        }),
        episode: seen.episode.as_ref().map(EpisodeStatus::from),
        replicas: Some(Replicas::of_window(comparison.replica, window.replicas())),
        ..Status::default()
    }
}

fn predictions(comparison: &Comparison, signals: &[Signal]) -> Option<Predictions> {
    let signal = signals
        .iter()
        .find(|signal| signal.kind == SignalKind::Predictions)?;
    let (before, now) = (comparison.training.classes(), &comparison.evaluation.classes);
    let share =
        |counts: &[u64], class: usize| counts[class] as f64 / counts.iter().sum::<u64>().max(1) as f64;
    let name = |class: usize| match comparison.classes.get(class) {
        Some(name) => name.clone(),
        None => class.to_string(),
    };
    Some(Predictions {
        p_value: signal.p_value,
        corrected_p_value: signal.adjusted,
        drift: signal.drift,
        classes: (0..before.len())
            .map(|class| ClassShare {
                name: name(class),
                share: share(now, class),
                held_out_share: share(before, class),
            })
            .collect(),
    })
}

fn score(comparison: &Comparison, signals: &[Signal]) -> Option<Score> {
    let signal = signals.iter().find(|signal| signal.kind == SignalKind::Score)?;
    let training = &comparison.training;
    let held_out = training.scores()?.sample.as_ref()?;
    let known = comparison.window.column(training.features().len());
    let known: Vec<f64> = known.into_iter().filter(|score| score.is_finite()).collect();
    let current = Ecdf::new(&known).ok()?;
    Some(Score {
        answers: current.count(),
        ks_stat: signal.effect,
        p_value: signal.p_value,
        corrected_p_value: signal.adjusted,
        drift: signal.drift,
        median: quantile(&current, 0.5),
        held_out_median: quantile(held_out, 0.5),
    })
}
