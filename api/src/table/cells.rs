//! Elements of one input while they are read, in any order within a row.

use crate::tensor::{Data, Datatype};
use onnx::plan::Strings;

/// One value as it was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`, an empty cell, a column that a record leaves out.
    Missing,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that is not below zero.
    Uint(u64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(&'a str),
    /// A cell of a text file, which may stand for any of these.
    Cell(&'a str),
}

/// Why a value is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is something else than expected: what that is.
    Kind(&'static str),
    /// It does not fit: what the model holds.
    Range(&'static str),
}

#[derive(Debug)]
pub(super) enum Cells {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64 {
        values: Vec<i64>,
        narrow: bool,
    },
    Bool(Vec<bool>),
    /// Where in `text` each string is: columns need not come in the model's order.
    Text {
        text: String,
        places: Vec<(usize, usize)>,
    },
}

const NUMBER: Problem = Problem::Kind("a number");
const WHOLE: Problem = Problem::Kind("a whole number");
const TRUTH: Problem = Problem::Kind("true or false");
const STRING: Problem = Problem::Kind("a string");

impl Cells {
    pub(super) fn of(datatype: Datatype) -> Self {
        match datatype {
            Datatype::Fp32 => Cells::F32(Vec::new()),
            Datatype::Fp64 => Cells::F64(Vec::new()),
            Datatype::Int32 | Datatype::Int64 => Cells::I64 {
                values: Vec::new(),
                narrow: datatype == Datatype::Int32,
            },
            Datatype::Bool => Cells::Bool(Vec::new()),
            Datatype::Bytes => Cells::Text {
                text: String::new(),
                places: Vec::new(),
            },
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Cells::F32(values) => values.len(),
            Cells::F64(values) => values.len(),
            Cells::I64 { values, .. } => values.len(),
            Cells::Bool(values) => values.len(),
            Cells::Text { places, .. } => places.len(),
        }
    }

    /// Adds elements that are not there yet.
    pub(super) fn grow(&mut self, count: usize) {
        let len = self.len() + count;
        match self {
            Cells::F32(values) => values.resize(len, f32::NAN),
            Cells::F64(values) => values.resize(len, f64::NAN),
            Cells::I64 { values, .. } => values.resize(len, 0),
            Cells::Bool(values) => values.resize(len, false),
            Cells::Text { places, .. } => places.resize(len, (0, 0)),
        }
    }

    /// Everything read; nothing is left.
    pub(super) fn take(&mut self) -> Data {
        match self {
            Cells::F32(values) => Data::F32(std::mem::take(values)),
            Cells::F64(values) => Data::F64(std::mem::take(values)),
            Cells::I64 { values, .. } => Data::I64(std::mem::take(values)),
            Cells::Bool(values) => Data::Bool(std::mem::take(values)),
            Cells::Text { text, places } => {
                let strings: Strings = places.iter().map(|(from, to)| &text[*from..*to]).collect();
                text.clear();
                places.clear();
                Data::Bytes(strings)
            }
        }
    }

    #[inline]
    pub(super) fn put(&mut self, index: usize, value: Value<'_>) -> Result<(), Problem> {
        match self {
            Cells::F32(values) => {
                let number = number(value)?;
                let narrow = number as f32;
                if narrow.is_infinite() {
                    return Err(Problem::Range("float32 holds (±3.4028235e38)"));
                }
                values[index] = narrow;
            }
            Cells::F64(values) => {
                let number = number(value)?;
                if number.is_infinite() {
                    return Err(Problem::Range("float64 holds (±1.8e308)"));
                }
                values[index] = number;
            }
            Cells::I64 { values, narrow } => {
                let number = whole(value)?;
                if *narrow && i32::try_from(number).is_err() {
                    return Err(Problem::Range("int32 holds (±2147483647)"));
                }
                values[index] = number;
            }
            Cells::Bool(values) => values[index] = truth(value)?,
            Cells::Text { text, places } => {
                let (Value::Text(string) | Value::Cell(string)) = value else {
                    return Err(STRING);
                };
                // An empty cell is a missing one; an empty string in JSON is a string.
                if string.is_empty() && matches!(value, Value::Cell(_)) {
                    return Err(STRING);
                }
                let from = text.len();
                text.push_str(string);
                places[index] = (from, text.len());
            }
        }
        Ok(())
    }
}

/// A number; truth values count as 0 and 1 and missing ones as NaN, as in pandas.
fn number(value: Value<'_>) -> Result<f64, Problem> {
    Ok(match value {
        Value::Float(value) => value,
        Value::Int(value) => value as f64,
        Value::Uint(value) => value as f64,
        Value::Bool(value) => f64::from(u8::from(value)),
        Value::Missing => f64::NAN,
        Value::Cell(text) => match text.trim_ascii().parse::<f64>() {
            Ok(number) if !number.is_nan() => number,
            _ if is_missing(text.trim_ascii()) => f64::NAN,
            _ => f64::from(u8::from(truth(value).map_err(|_| NUMBER)?)),
        },
        Value::Text(_) => return Err(NUMBER),
    })
}

/// A whole number, also when it is written with a point: pandas writes columns with gaps so.
fn whole(value: Value<'_>) -> Result<i64, Problem> {
    let of_float = |value: f64| match value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        true => Ok(value as i64),
        false => Err(WHOLE),
    };
    match value {
        Value::Int(value) => Ok(value),
        Value::Uint(value) => {
            i64::try_from(value).map_err(|_| Problem::Range("int64 holds (±9223372036854775807)"))
        }
        Value::Float(value) => of_float(value),
        Value::Bool(value) => Ok(i64::from(value)),
        Value::Cell(text) => {
            let text = text.trim_ascii();
            match (text.parse(), text.parse::<f64>()) {
                (Ok(number), _) => Ok(number),
                (Err(_), Ok(number)) => of_float(number),
                _ => truth(value).map(i64::from).map_err(|_| WHOLE),
            }
        }
        Value::Text(_) | Value::Missing => Err(WHOLE),
    }
}

/// A truth value, also as 0 and 1.
fn truth(value: Value<'_>) -> Result<bool, Problem> {
    match value {
        Value::Bool(value) => Ok(value),
        Value::Int(0) | Value::Uint(0) => Ok(false),
        Value::Int(1) | Value::Uint(1) => Ok(true),
        Value::Cell(text) => match text.trim_ascii() {
            "True" | "true" | "TRUE" | "1" => Ok(true),
            "False" | "false" | "FALSE" | "0" => Ok(false),
            _ => Err(TRUTH),
        },
        _ => Err(TRUTH),
    }
}

/// The words that pandas reads as missing.
fn is_missing(text: &str) -> bool {
    const WORDS: [&str; 18] = [
        "", "NaN", "nan", "NA", "N/A", "n/a", "null", "NULL", "None", "<NA>", "-NaN", "-nan", "#N/A", "#NA",
        "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN",
    ];
    WORDS.contains(&text)
}
