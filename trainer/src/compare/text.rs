//! The report as a table for people, and the words that every format shares.

use super::Report;
use drift::Comparison;
use drift::compare::{Feature, Kind, Sides, Signal, State, Tested};
use drift::explain::{Severity, short};
use drift::rates::Rate;
use drift::rule::Verdict;

/// A note that is about more columns does not name them.
const NAMED_MAX: usize = 5;

/// The verdict in a line.
pub fn headline(report: &Report) -> String {
    let Comparison {
        features, rows, rule, ..
    } = &report.comparison;
    let moved = features.iter().filter(|feature| feature.drift).count();
    let all = plural(features.len(), "column");
    match (report.comparison.verdict, report.comparison.severity) {
        (Verdict::Collecting, _) => format!(
            "not judged: {} and {} rows, at least {} of each are needed",
            rows.reference, rows.current, rule.least_rows
        ),
        (Verdict::Nothing, _) => "nothing was compared: no column has values on both sides".to_owned(),
        (Verdict::Quiet, _) => format!("no drift in {all}"),
        (Verdict::Drift, severity) => {
            let severity = severity.map(|severity| format!(", {}", degree(severity)));
            let what = match moved {
                0 => format!("none of {all} alone, but all of them together"),
                count => format!("{count} of {all} moved"),
            };
            format!("drift{}: {what}", severity.unwrap_or_default())
        }
    }
}

/// How it was decided.
pub fn method(comparison: &Comparison) -> String {
    let rule = &comparison.rule;
    let tests: usize = comparison
        .features
        .iter()
        .map(|feature| feature.signals.len())
        .sum();
    let joint = match comparison.joint {
        Some(joint) => format!(
            "; joint tests on {} rows: p {} (one column) and {} (all)",
            joint.rows,
            p(joint.sparse),
            p(joint.diffuse)
        ),
        None => String::new(),
    };
    format!(
        "one look at level {}: {}, corrected after {}, each held against {}{joint}; effects below {} are no drift",
        rule.level,
        plural(tests, "test"),
        match rule.correction {
            drift::correct::Correction::Holm => "Holm",
            drift::correct::Correction::BenjaminiYekutieli => "Benjamini and Yekutieli",
        },
        p(comparison.signal_level),
        rule.least_effect
    )
}

pub fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

pub fn degree(severity: Severity) -> &'static str {
    match severity {
        Severity::Negligible => "negligible",
        Severity::Slight => "slight",
        Severity::Clear => "clear",
        Severity::Severe => "severe",
    }
}

pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Number => "number",
        Kind::Category => "category",
    }
}

pub fn tested(kind: Tested) -> &'static str {
    match kind {
        Tested::Distribution => "distribution",
        Tested::Missing => "missing values",
        Tested::OutOfRange => "out of range",
        Tested::NewCategories => "new categories",
    }
}

/// Why a column was not compared.
pub fn state(state: State) -> Option<&'static str> {
    match state {
        State::Compared => None,
        State::NoValues => Some("no values in the current table"),
        State::NoReference => Some("no values in the reference"),
        State::Empty => Some("no values on either side"),
    }
}

/// A p-value in three digits.
pub fn p(value: f64) -> String {
    short(value, 3)
}

/// A statistic in four digits; a dash for what floating point cannot hold.
pub fn number(value: f64) -> String {
    match value.is_finite() {
        true => short(value, 4),
        false => "–".to_owned(),
    }
}

pub fn percent(share: Option<f64>) -> String {
    share.map_or("–".to_owned(), |share| format!("{} %", short(100.0 * share, 3)))
}

pub fn rates(rates: &Sides<Rate>) -> String {
    let [was, is] = [rates.reference, rates.current].map(|rate| percent(rate.share()));
    if rates.reference.events + rates.current.events == 0 {
        return "none".to_owned();
    }
    format!("{was} → {is}")
}

/// What speaks most for drift of a column, if anything was tested.
pub fn foremost(feature: &Feature) -> Option<&Signal> {
    let signals = feature.signals.iter();
    signals.min_by(|a, b| {
        let further = b.effect.total_cmp(&a.effect);
        b.drift
            .cmp(&a.drift)
            .then(a.p_value.total_cmp(&b.p_value))
            .then(further)
    })
}

/// Effect, p-value, the same corrected, and the test of what speaks most for drift.
pub fn decisive(feature: &Feature) -> [String; 4] {
    let Some(signal) = foremost(feature) else {
        return ["–", "–", "–", "–"].map(str::to_owned);
    };
    let test = match (signal.kind, &feature.numbers) {
        (Tested::Distribution, Some(numbers)) => format!("KS, {}", numbers.ks.method),
        (Tested::Distribution, None) => "shares, Fisher".to_owned(),
        (other, _) => tested(other).to_owned(),
    };
    [number(signal.effect), p(signal.p_value), p(signal.adjusted), test]
}

/// Wasserstein-1, Jensen–Shannon, PSI, and the share of values that the reference does not know.
pub fn distances(feature: &Feature) -> [String; 4] {
    if let Some(numbers) = &feature.numbers {
        return [
            number(numbers.wasserstein),
            number(numbers.jensen_shannon),
            number(numbers.psi),
            percent(numbers.outside.share()),
        ];
    }
    match &feature.categories {
        Some(categories) => [
            "–".to_owned(),
            number(categories.jensen_shannon),
            number(categories.psi),
            percent(categories.new.share()),
        ],
        None => ["–", "–", "–", "–"].map(str::to_owned),
    }
}

/// Each note once, with the columns that it is about.
pub fn notes(features: &[Feature]) -> Vec<(String, Vec<&str>)> {
    let mut notes: Vec<(String, Vec<&str>)> = Vec::new();
    for feature in features {
        let state = state(feature.state).map(str::to_owned);
        for note in feature.notes.iter().cloned().chain(state) {
            match notes.iter_mut().find(|(text, _)| *text == note) {
                Some((_, columns)) => columns.push(&feature.name),
                None => notes.push((note, vec![&feature.name])),
            }
        }
    }
    notes
}

pub fn text(report: &Report) -> String {
    let comparison = &report.comparison;
    let mut lines = vec![headline(report), method(comparison), String::new()];
    let files = [&report.files.reference, &report.files.current];
    let width = files.iter().map(|file| file.chars().count()).max().unwrap_or(0);
    let rows = [comparison.rows.reference, comparison.rows.current];
    for ((side, file), rows) in ["reference", "current"].iter().zip(files).zip(rows) {
        lines.push(format!("{side:9}  {file:width$}  {rows} rows"));
    }
    if !comparison.moved.is_empty() {
        lines.push(String::new());
    }
    for movement in &comparison.moved {
        let not = if movement.drift {
            ""
        } else {
            ", not by itself significant"
        };
        lines.push(format!(
            "- {} ({}{not})",
            movement.words,
            degree(movement.severity)
        ));
    }
    lines.push(String::new());
    lines.extend(table(&comparison.features));
    let notes = notes(&comparison.features);
    if !notes.is_empty() {
        lines.push(String::new());
    }
    for (note, columns) in notes {
        let columns = match columns.len() {
            count if count > NAMED_MAX => plural(count, "column"),
            _ => columns.join(", "),
        };
        lines.push(format!("{columns}: {note}"));
    }
    lines.join("\n")
}

fn table(features: &[Feature]) -> Vec<String> {
    let head = [
        "column",
        "drift",
        "effect",
        "p-value",
        "corrected",
        "test",
        "wasserstein",
        "js",
        "psi",
        "unknown",
        "missing",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for feature in features {
        let [effect, p_value, adjusted, test] = decisive(feature);
        let [wasserstein, js, psi, unknown] = distances(feature);
        rows.push([
            feature.name.clone(),
            if feature.drift { "yes" } else { "no" }.to_owned(),
            effect,
            p_value,
            adjusted,
            test,
            wasserstein,
            js,
            psi,
            unknown,
            rates(&feature.missing),
        ]);
    }
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(place, (cell, &width))| {
                    // Words to the left, numbers to the right.
                    match place {
                        0 | 1 | 5 | 10 => format!("{cell:width$}"),
                        _ => format!("{cell:>width$}"),
                    }
                });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}
