//! The gate: facts and bars in, verdict with reasons out. Pure.

use crate::cli::GateFlags;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is known of a candidate.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Metrics on the held-out rows.
    pub metrics: BTreeMap<String, f64>,
    /// Held-out rows.
    pub holdout_rows: usize,
    /// The live model on the same rows, where there is one that can be asked.
    pub live_metrics: Option<BTreeMap<String, f64>>,
    /// How features or classes differ from the live model's, in words; `None`: they do not.
    pub schema_difference: Option<String>,
    /// What is wrong with the shape of the model or its predictions.
    pub shape_faults: Vec<String>,
    /// Predictions that are not finite, or probabilities that are none.
    pub bad_predictions: usize,
    /// Golden rows, and how many of them are answered otherwise than the manifest says.
    pub golden_rows: usize,
    /// See `golden_rows`.
    pub golden_differences: usize,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Stable word.
    pub name: String,
    /// Whether the candidate passes it.
    pub passed: bool,
    /// What was found and what was required.
    pub text: String,
}

/// All checks. The candidate passes when each does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// In a fixed order.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether the candidate may be released.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }

    /// Texts of the checks that failed.
    pub fn reasons(&self) -> Vec<String> {
        self.checks
            .iter()
            .filter(|check| !check.passed)
            .map(|check| check.text.clone())
            .collect()
    }
}

/// Judges.
pub fn judge(facts: &Facts, bars: &GateFlags) -> Verdict {
    let mut checks = Vec::new();
    let mut check = |name: &str, passed: bool, text: String| {
        checks.push(Check {
            name: name.to_owned(),
            passed,
            text,
        });
    };
    let rows = facts.holdout_rows;
    check(
        "holdout",
        rows > 0,
        format!("{rows} held-out rows, required at least 1"),
    );
    for (name, measured, bar, at_least) in bars_of(facts, bars) {
        // Not `!(a < b)`: a metric that is NaN passes nothing.
        let passed = if at_least {
            measured >= bar
        } else {
            measured <= bar
        };
        let word = if at_least { "least" } else { "most" };
        check(
            name,
            passed,
            format!("{name} {measured:.4} on {rows} held-out rows, required at {word} {bar:.4}"),
        );
    }
    if let Some(live) = &facts.live_metrics {
        for name in ["accuracy", "rmse"] {
            if let (Some(&ours), Some(&theirs)) = (facts.metrics.get(name), live.get(name)) {
                let (passed, bar) = not_worse(name, ours, theirs, bars.tolerance, rows);
                let word = if name == "accuracy" { "least" } else { "most" };
                check(
                    &format!("live_{name}"),
                    passed,
                    format!(
                        "{name} {ours:.4}, the live model has {theirs:.4} on the same {rows} rows, required at {word} {bar:.4}"
                    ),
                );
            }
        }
    }
    let (passed, text) = match (&facts.schema_difference, bars.allow_schema_change) {
        (None, _) => (true, "schema unchanged".to_owned()),
        (Some(difference), true) => (true, format!("schema changed, as allowed: {difference}")),
        (Some(difference), false) => (false, format!("schema changed: {difference}")),
    };
    check("schema", passed, text);
    let faults = &facts.shape_faults;
    let text = if faults.is_empty() {
        "shape as the manifest says".to_owned()
    } else {
        faults.join("; ")
    };
    check("shape", faults.is_empty(), text);
    let bad = facts.bad_predictions;
    check(
        "finite",
        bad == 0,
        format!("{bad} predictions that are no numbers or no probabilities, required 0"),
    );
    let (golden, differences) = (facts.golden_rows, facts.golden_differences);
    let text = format!(
        "{differences} of {golden} golden rows answered otherwise than recorded, required 0 of at least 1"
    );
    check("golden_rows", golden > 0 && differences == 0, text);
    Verdict { checks }
}

/// Metric, its value, its bar, and whether more is better.
fn bars_of(facts: &Facts, bars: &GateFlags) -> Vec<(&'static str, f64, f64, bool)> {
    let value = |name: &str| facts.metrics.get(name).copied();
    let mut all = Vec::new();
    if let Some(accuracy) = value("accuracy") {
        all.push(("accuracy", accuracy, bars.min_accuracy, true));
    }
    if let Some(rmse) = value("rmse") {
        // Where the held-out target is constant there is no R²; then it explains nothing.
        all.push(("r2", value("r2").unwrap_or(f64::NAN), bars.min_r2, true));
        if let Some(bar) = bars.max_rmse {
            all.push(("rmse", rmse, bar, false));
        }
    }
    all
}

/// On few rows one flower more or less would decide: an accuracy may always be worse by so many rows.
const ROWS_OF_CHANCE: f64 = 2.0;

fn not_worse(name: &str, ours: f64, theirs: f64, tolerance: f64, rows: usize) -> (bool, f64) {
    // Shares are quotients: equality must not be lost to the last digit.
    let slack = 1e-12;
    if name == "accuracy" {
        let bar = theirs - tolerance.max(ROWS_OF_CHANCE / rows.max(1) as f64);
        (ours >= bar - slack, bar)
    } else {
        let bar = theirs * (1.0 + tolerance);
        (ours <= bar + slack, bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars() -> GateFlags {
        GateFlags {
            min_accuracy: 0.9,
            min_r2: 0.0,
            max_rmse: None,
            tolerance: 0.02,
            allow_schema_change: false,
        }
    }

    fn facts(metrics: &[(&str, f64)], live: Option<&[(&str, f64)]>) -> Facts {
        let map = |pairs: &[(&str, f64)]| {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), *value))
                .collect()
        };
        Facts {
            metrics: map(metrics),
            holdout_rows: 1000,
            live_metrics: live.map(map),
            golden_rows: 8,
            ..Facts::default()
        }
    }

    fn failing(facts: &Facts, bars: &GateFlags) -> Vec<String> {
        let verdict = judge(facts, bars);
        assert_eq!(verdict.passed(), verdict.reasons().is_empty());
        verdict
            .checks
            .into_iter()
            .filter(|check| !check.passed)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn bars_and_the_live_model() {
        let none: [&str; 0] = [];
        let accuracy = |ours: f64, live: f64| facts(&[("accuracy", ours)], Some(&[("accuracy", live)]));
        assert_eq!(failing(&facts(&[("accuracy", 0.9)], None), &bars()), none);
        assert_eq!(
            failing(&facts(&[("accuracy", 0.8999)], None), &bars()),
            ["accuracy"]
        );
        assert_eq!(
            failing(&facts(&[("accuracy", f64::NAN)], None), &bars()),
            ["accuracy"]
        );
        assert_eq!(failing(&accuracy(0.95, 0.97), &bars()), none);
        assert_eq!(failing(&accuracy(0.9499, 0.97), &bars()), ["live_accuracy"]);
        assert_eq!(
            failing(&accuracy(0.5, 0.97), &bars()),
            ["accuracy", "live_accuracy"]
        );
        let regression = facts(&[("rmse", 2.0), ("r2", 0.5)], Some(&[("rmse", 1.9), ("r2", 0.6)]));
        assert_eq!(failing(&regression, &bars()), ["live_rmse"]);
        let strict = GateFlags {
            max_rmse: Some(1.0),
            min_r2: 0.6,
            ..bars()
        };
        assert_eq!(failing(&regression, &strict), ["r2", "rmse", "live_rmse"]);
        let constant = facts(&[("rmse", 0.0)], None);
        assert_eq!(failing(&constant, &bars()), ["r2"]);
    }

    #[test]
    fn everything_else() {
        let good = facts(&[("accuracy", 1.0)], None);
        let changed = Facts {
            schema_difference: Some("feature a is new".to_owned()),
            ..good.clone()
        };
        assert_eq!(failing(&changed, &bars()), ["schema"]);
        assert!(
            judge(
                &changed,
                &GateFlags {
                    allow_schema_change: true,
                    ..bars()
                }
            )
            .passed()
        );
        let wrong = Facts {
            holdout_rows: 0,
            shape_faults: vec!["3 outputs, expected 2".to_owned()],
            bad_predictions: 1,
            golden_differences: 2,
            ..good.clone()
        };
        assert_eq!(
            failing(&wrong, &bars()),
            ["holdout", "shape", "finite", "golden_rows"]
        );
        assert_eq!(
            failing(
                &Facts {
                    golden_rows: 0,
                    ..good
                },
                &bars()
            ),
            ["golden_rows"]
        );
    }

    #[test]
    fn reasons_say_what_was_found_and_required() {
        let verdict = judge(
            &facts(&[("accuracy", 0.6)], Some(&[("accuracy", 0.9667)])),
            &bars(),
        );
        insta::assert_snapshot!(verdict.reasons().join("\n"), @r"
        accuracy 0.6000 on 1000 held-out rows, required at least 0.9000
        accuracy 0.6000, the live model has 0.9667 on the same 1000 rows, required at least 0.9467
        ");
    }
}
