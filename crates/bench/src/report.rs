//! Numbers with their bars, as a markdown table or as JSON.

use serde::Serialize;
use std::fmt::Write;

/// What a number must not exceed, or must reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bar {
    /// The number must not be larger.
    AtMost(f64),
    /// The number must not be smaller.
    AtLeast(f64),
}

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// What was measured.
    pub name: String,
    /// How much of it.
    pub value: f64,
    /// In what; empty for a ratio.
    pub unit: &'static str,
    /// Absent for numbers that are only there to be compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bar: Option<Bar>,
    /// Whether the bar is met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<bool>,
}

/// All numbers of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    title: String,
    /// What a reader needs to know to repeat it.
    notes: Vec<String>,
    measures: Vec<Measure>,
}

/// Four significant digits, without an exponent.
fn digits(value: f64) -> String {
    let whole = if value == 0.0 {
        1
    } else {
        value.abs().log10().floor() as i32 + 1
    };
    format!("{value:.*}", usize::try_from(4 - whole).unwrap_or(0).min(12))
}

impl Report {
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            notes: Vec::new(),
            measures: Vec::new(),
        }
    }

    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// A number to compare with.
    pub fn measure(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.measures.push(Measure {
            name: name.into(),
            value,
            unit,
            bar: None,
            met: None,
        });
    }

    /// A number that is judged.
    pub fn judge(&mut self, name: impl Into<String>, value: f64, unit: &'static str, bar: Bar) {
        // NaN meets no bar.
        let met = match bar {
            Bar::AtMost(most) => value <= most,
            Bar::AtLeast(least) => value >= least,
        };
        self.measures.push(Measure {
            name: name.into(),
            value,
            unit,
            bar: Some(bar),
            met: Some(met),
        });
    }

    /// The names of numbers that do not meet their bars.
    pub fn missed(&self) -> impl Iterator<Item = &str> {
        self.measures
            .iter()
            .filter(|measure| measure.met == Some(false))
            .map(|measure| measure.name.as_str())
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain numbers and texts")
    }

    pub fn to_markdown(&self) -> String {
        let mut text = format!(
            "### {}\n\n| What | Measured | Bar |\n| --- | ---: | --- |\n",
            self.title
        );
        for Measure {
            name,
            value,
            unit,
            bar,
            met,
        } in &self.measures
        {
            let space = if unit.is_empty() { "" } else { " " };
            let bar = match bar {
                None => String::new(),
                Some(Bar::AtMost(most)) => format!("≤ {most}{space}{unit}"),
                Some(Bar::AtLeast(least)) => format!("≥ {least}{space}{unit}"),
            };
            let verdict = match met {
                None => "",
                Some(true) => ", met",
                Some(false) => ", **missed**",
            };
            writeln!(
                text,
                "| {name} | {}{space}{unit} | {bar}{verdict} |",
                digits(*value)
            )
            .expect("writing to a String cannot fail");
        }
        for note in &self.notes {
            write!(text, "\n{note}\n").expect("writing to a String cannot fail");
        }
        text
    }
}

/// The middle one of some numbers (the mean of the two in the middle); NaN of none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_what_is_missed() {
        let mut report = Report::new("two things");
        report.measure("theirs", 1234.5, "µs");
        report.judge("ratio", 0.79, "", Bar::AtLeast(0.8));
        report.judge("time", 0.001234, "ms", Bar::AtMost(50.0));
        report.judge("nothing", f64::NAN, "", Bar::AtMost(1.0));
        report.note("On paper.");
        let expected = "### two things\n\n| What | Measured | Bar |\n| --- | ---: | --- |\n\
            | theirs | 1234 µs |  |\n| ratio | 0.7900 | ≥ 0.8, **missed** |\n\
            | time | 0.001234 ms | ≤ 50 ms, met |\n| nothing | NaN | ≤ 1, **missed** |\n\nOn paper.\n";
        assert_eq!(report.to_markdown(), expected);
        assert_eq!(report.missed().collect::<Vec<_>>(), ["ratio", "nothing"]);
    }

    #[test]
    fn medians() {
        assert!(median(&[]).is_nan());
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
