//! The calibration's numbers: exact bounds, a report with bars, and the page `docs/drift.md`.

use super::calibration::{REFERENCE, WINDOW};
use crate::report::{Bar, Report};
use drift::rule::Rule;
use std::fmt::Write;

/// Successes among trials.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    pub hits: usize,
    pub of: usize,
}

impl Share {
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// Exact 95 % bounds: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), by bisection.
    pub fn bounds(self) -> [f64; 2] {
        // P(at least `from` hits).
        let tail = |p: f64, from: usize| {
            let (odds, mut log, mut sum) = (p.ln() - (-p).ln_1p(), self.of as f64 * (-p).ln_1p(), 0.0);
            for k in 0..=self.of {
                if k >= from {
                    sum += log.exp();
                }
                log += ((self.of - k) as f64 / (k + 1) as f64).ln() + odds;
            }
            sum
        };
        let solve = |too_low: &dyn Fn(f64) -> bool| {
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..40 {
                let middle = (low + high) / 2.0;
                if too_low(middle) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            (low + high) / 2.0
        };
        let low = solve(&|p| tail(p, self.hits) < 0.025);
        let high = solve(&|p| 1.0 - tail(p, self.hits + 1) > 0.025);
        [
            if self.hits == 0 { 0.0 } else { low },
            if self.hits == self.of { 1.0 } else { high },
        ]
    }

    fn percent(self, decimals: usize) -> String {
        let [low, high] = self.bounds().map(|bound| 100.0 * bound);
        format!(
            "{:.decimals$} ({low:.decimals$} to {high:.decimals$})",
            100.0 * self.value()
        )
    }
}

/// One world with one number of features.
#[derive(Clone, Debug)]
pub struct Line {
    pub world: &'static str,
    pub features: usize,
    /// Windows' worth with an alarm of the calibrated rule, without drift.
    pub false_alarms: Share,
    /// The same of "any p < 0.05".
    pub compat_false_alarms: Share,
    /// Drift of one feature found within a window's worth: by the calibrated rule, and by the compat rule with
    /// its threshold set so that it has false alarms as often as the calibrated rule has.
    pub one: [Share; 2],
    /// The same of all features.
    pub all: [Share; 2],
    /// How far they moved.
    pub sizes: [f64; 2],
}

pub fn sum(shares: impl Iterator<Item = Share>) -> Share {
    shares.fold(Share::default(), |sum, share| Share {
        hits: sum.hits + share.hits,
        of: sum.of + share.of,
    })
}

pub fn report(lines: &[Line], part_of_a_day: Share) -> Report {
    let mut report = Report::new("Calibration of the drift rule");
    for line in lines {
        let name = format!("{}, {} features", line.world, line.features);
        let [low, high] = line.false_alarms.bounds().map(|bound| 100.0 * bound);
        report.measure(
            format!("{name}: false alarms"),
            100.0 * line.false_alarms.value(),
            "%",
        );
        report.measure(format!("{name}: lower bound"), low, "%");
        report.measure(format!("{name}: upper bound"), high, "%");
        let compat = 100.0 * line.compat_false_alarms.value();
        report.measure(format!("{name}: false alarms of any p < 0.05"), compat, "%");
        for (what, power) in [("one feature moves", line.one), ("all move", line.all)] {
            let [ours, compat] = power.map(|share| 100.0 * share.value());
            report.measure(format!("{name}, {what}: found"), ours, "%");
            report.measure(format!("{name}, {what}: found by compat, as quiet"), compat, "%");
        }
    }
    let all = sum(lines.iter().map(|line| line.false_alarms));
    let level = 100.0 * Rule::default().level;
    report.judge(
        "false alarms, all worlds: upper bound",
        100.0 * all.bounds()[1],
        "%",
        Bar::AtMost(level),
    );
    for (what, pick) in [
        (
            "one feature moves",
            (|line: &Line| line.one) as fn(&Line) -> [Share; 2],
        ),
        ("all move", |line: &Line| line.all),
    ] {
        let [ours, compat] = [0, 1].map(|side| sum(lines.iter().map(|line| pick(line)[side])).value());
        report.judge(
            format!("{what}, all worlds: found / found by compat, as quiet"),
            ours / compat,
            "",
            Bar::AtLeast(1.0),
        );
    }
    let share = 100.0 * part_of_a_day.value();
    report.measure("window that sees a fifth of a day: alarms", share, "%");
    report
}

/// The table of `docs/drift.md`.
pub fn page(lines: &[Line], part_of_a_day: Share, rate: f64, command: &str) -> String {
    let rule = Rule::default();
    let mut text = format!(
        "# How far the drift rule can be believed\n\n\
        Written by `cargo xtask bench drift calibration {command} --write docs/drift.md`; do not edit by hand.\n\
        The method and its proof are in [decision 0013](adr/0013-drift-that-can-be-believed.md).\n\n\
        Each trial draws a reference of {REFERENCE} rows and traffic of its own, fills a window of {WINDOW} rows and goes on for\n\
        one more window's worth, with {} looks in it. Brackets: exact 95 % bounds (Clopper and Pearson). The promise is at most\n\
        {} % (one window's worth in {:.0}).\n\n",
        rule.looks,
        100.0 * rule.level,
        1.0 / rule.level,
    );
    text += "## False alarms in a window's worth of traffic that has not changed\n\n\
        | World | Features | Calibrated, % | Any p < 0.05, % |\n| --- | ---: | ---: | ---: |\n";
    for line in lines {
        let (ours, compat) = (line.false_alarms.percent(3), line.compat_false_alarms.percent(1));
        writeln!(text, "| {} | {} | {ours} | {compat} |", line.world, line.features).expect("a String");
    }
    let all = sum(lines.iter().map(|line| line.false_alarms));
    let compat = sum(lines.iter().map(|line| line.compat_false_alarms));
    writeln!(
        text,
        "| **all** | | **{}** | {} |\n\n{} false alarms in {} windows' worth.",
        all.percent(3),
        compat.percent(1),
        all.hits,
        all.of
    )
    .expect("a String");
    writeln!(
        text,
        "\n## Drift found within one window's worth after it began\n\n\
        Compat has the threshold at which it is as quiet in this very world as the calibrated rule was over all of them ({:.3} % of\n\
        windows' worth), which a user of it could not know. Units: standard deviations; for heavy tails the scale of Student's t.\n\n\
        | World | Features | One moves by | Calibrated, % | Compat, % | All move by | Calibrated, % | Compat, % |\n\
        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        100.0 * rate
    )
    .expect("a String");
    for line in lines {
        let [one, compat_one, all, compat_all] =
            [line.one[0], line.one[1], line.all[0], line.all[1]].map(|share| share.percent(0));
        let [by, all_by] = line.sizes;
        writeln!(
            text,
            "| {} | {} | {by:.2} | {one} | {compat_one} | {all_by:.2} | {all} | {compat_all} |",
            line.world, line.features
        )
        .expect("a String");
    }
    let total = |pick: fn(&Line) -> Share| sum(lines.iter().map(pick)).percent(1);
    writeln!(
        text,
        "| **all** | | | **{}** | {} | | **{}** | {} |",
        total(|line| line.one[0]),
        total(|line| line.one[1]),
        total(|line| line.all[0]),
        total(|line| line.all[1])
    )
    .expect("a String");
    writeln!(
        text,
        "\n## What the promise needs\n\n\
        - Rows that could have been training rows. In the daily cycle above a day has as many recorded rows as the window. A window\n  \
        that sees only a fifth of a day differs from training by night and by day, and says so: {} % of windows' worth. Where\n  \
        a day has k times as many requests as the window, record every k-th (`DRIFT_EVERY=k`).\n\
        - A reference that is a sample of what is to come. Luck of the reference stays with a model for its life: the promise is an average over\n  \
        references, not one for each.\n\
        - At most 10,000 rows on either side: above, p-values come from a limit law.",
        part_of_a_day.percent(1)
    )
    .expect("a String");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of `scipy.stats.binomtest(hits, of).proportion_ci()`.
    #[test]
    fn bounds_are_exact() {
        for (hits, of, expected) in [
            (0, 4_000, [0.0, 0.000_921_794_7]),
            (3, 1_000, [0.000_619_099_9, 0.008_742_023_2]),
            (50, 200, [0.191_607_2, 0.315_962_8]),
            (7, 7, [0.590_384_0, 1.0]),
        ] {
            let bounds = Share { hits, of }.bounds();
            for (ours, scipy) in bounds.iter().zip(expected) {
                assert!((ours - scipy).abs() < 1e-6, "{hits} of {of}: {bounds:?}");
            }
        }
    }
}
