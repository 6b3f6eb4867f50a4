//! One field: number, missing, or neither.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// A finite number that float32 can hold.
    Number(f64),
    /// Nothing, or a word for nothing.
    Missing(&'static str),
    /// Infinite, or beyond float32, in which the model computes.
    Unbounded(&'static str),
    /// Something else.
    Text,
}

/// Words for "no value" in tables from R, pandas, SQL and spreadsheets.
const NOTHING: [&str; 9] = ["na", "n/a", "nan", "null", "none", "nil", "?", "-", "#n/a"];

/// Judges a field whose outer spaces have been cut off.
pub fn judge(text: &str) -> Cell {
    match number(text) {
        Cell::Number(value) if value.abs() > f64::from(f32::MAX) => Cell::Unbounded("too large for float32"),
        cell => cell,
    }
}

/// The same where no model computes with it: any finite double is a number.
pub fn number(text: &str) -> Cell {
    if text.is_empty() {
        return Cell::Missing("missing");
    }
    // Rust would read `inf` and `nan` in any case and with a sign; they are judged by value below.
    match text.parse::<f64>() {
        Ok(value) if value.is_nan() => Cell::Missing("not a number"),
        Ok(value) if value.is_infinite() => Cell::Unbounded("infinite"),
        Ok(value) => Cell::Number(value),
        Err(_) if NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word)) => Cell::Missing("missing"),
        Err(_) => Cell::Text,
    }
}

/// Whether a field is nothing even where texts are expected: `-` and `none` may be labels.
pub fn is_nothing(text: &str) -> bool {
    text.is_empty()
        || ["nan", "na", "n/a", "null"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        for (text, cell) in [
            ("5.1", Cell::Number(5.1)),
            ("-1e-3", Cell::Number(-0.001)),
            ("+7", Cell::Number(7.0)),
            (".5", Cell::Number(0.5)),
            ("", Cell::Missing("missing")),
            ("NA", Cell::Missing("missing")),
            ("-NaN", Cell::Missing("not a number")),
            ("Infinity", Cell::Unbounded("infinite")),
            ("-inf", Cell::Unbounded("infinite")),
            ("1e999", Cell::Unbounded("infinite")),
            ("1e300", Cell::Unbounded("too large for float32")),
            ("1,5", Cell::Text),
            ("0x10", Cell::Text),
            ("1_000", Cell::Text),
            ("abc", Cell::Text),
        ] {
            assert_eq!(judge(text), cell, "{text:?}");
        }
    }
}
