//! Two tables compared once, column by column: what `trainer drift` prints.
//!
//! One comparison is one look: the whole of [`Rule::level`] is spent on it, in the shares and on the tests of
//! [`crate::rule`]. Columns of numbers are compared as features of the traffic are, columns of categories as the answered
//! classes are, and a value that the reference does not know is to categories what a value outside of the range is to
//! numbers. [`feature`] compares one column and knows nothing of the others (callers may do it side by
//! side), [`decide`] puts them together.

mod category;
mod decide;
mod number;
mod picture;
mod words;

pub use category::{CategoryStatistics, Share};
pub use decide::{Movement, decide};
pub use number::{NumberStatistics, Summary};
pub use picture::{Bin, Bins, Picture, Step, picture};

use crate::ks::{KsError, Method};
use crate::rates::{Rate, rate_test};
use crate::rule::{Rule, Verdict};
use crate::{explain::Severity, joint::JointResult};
use serde::Serialize;

/// Code of a category's missing value.
pub const MISSING: u32 = u32::MAX;

/// A value for the reference and one for the table that is compared with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    /// Of the reference.
    pub reference: T,
    /// Of the current table.
    pub current: T,
}

impl<T> Sides<T> {
    /// Reference first.
    pub fn new(reference: T, current: T) -> Self {
        Self { reference, current }
    }

    /// The same of both.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Sides<U> {
        Sides::new(change(self.reference), change(self.current))
    }

    /// Both by reference.
    pub fn as_ref(&self) -> Sides<&T> {
        Sides::new(&self.reference, &self.current)
    }
}

/// A column's values, one a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// NaN is a missing value; an infinite one lies outside of every range.
    Numbers(Vec<f64>),
    /// Places in `names`, which holds each name once; [`MISSING`] is a missing value.
    Categories {
        /// One a row.
        codes: Vec<u32>,
        /// In any order.
        names: Vec<String>,
    },
}

impl Cells {
    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Cells::Numbers(values) => values.len(),
            Cells::Categories { codes, .. } => codes.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn missing(&self) -> Rate {
        let events = match self {
            Cells::Numbers(values) => values.iter().filter(|x| x.is_nan()).count(),
            Cells::Categories { codes, .. } => codes.iter().filter(|&&code| code == MISSING).count(),
        };
        Rate {
            events: events as u64,
            of: self.len() as u64,
        }
    }
}

/// A named column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// As in the table's head.
    pub name: String,
    /// Its values.
    pub cells: Cells,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers.
    Number,
    /// Texts, truth values or codes, each a category.
    Category,
}

/// What can be said of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Both sides have values.
    Compared,
    /// No row of the current table has one.
    NoValues,
    /// No row of the reference has one.
    NoReference,
    /// Neither has.
    Empty,
}

/// What was tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tested {
    /// How values are distributed: exact Kolmogorov–Smirnov, or Fisher's exact test of each category's share.
    Distribution,
    /// How often there is none.
    Missing,
    /// How often numbers lie outside of the reference's range.
    OutOfRange,
    /// How often a category is one that the reference does not have.
    NewCategories,
}

/// One test of one column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Signal {
    /// What.
    pub kind: Tested,
    /// Kolmogorov–Smirnov statistic, share of rows that moved between categories, or change of a rate.
    pub effect: f64,
    /// Before the correction.
    pub p_value: f64,
    /// After it, over all columns; to be compared with [`Comparison::signal_level`].
    pub adjusted: f64,
    /// Whether it is significant and large enough.
    pub drift: bool,
}

impl Signal {
    fn new(kind: Tested, effect: f64, p_value: f64) -> Self {
        Self {
            kind,
            effect,
            p_value,
            adjusted: p_value,
            drift: false,
        }
    }
}

/// One column of both tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feature {
    /// Name of the column.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Whether it could be compared.
    pub state: State,
    /// Whether one of its signals is drift.
    pub drift: bool,
    /// The largest effect of what drifted, or of all signals where none did.
    pub effect: f64,
    /// Of that effect.
    pub severity: Severity,
    /// Statistics of a column of numbers that was compared.
    #[serde(flatten)]
    pub numbers: Option<NumberStatistics>,
    /// Statistics of a column of categories that was compared.
    #[serde(flatten)]
    pub categories: Option<CategoryStatistics>,
    /// Rows without a value.
    pub missing: Sides<Rate>,
    /// Its tests.
    pub signals: Vec<Signal>,
    /// What a reader of the numbers should know.
    pub notes: Vec<String>,
    /// What moved, for each signal.
    #[serde(skip)]
    words: Vec<String>,
}

/// What `trainer drift` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Whether the tables differ by more than chance and more than a little.
    pub drift_detected: bool,
    /// The same in one word, or why it cannot be said.
    pub verdict: Verdict,
    /// Of the largest change, where there is drift.
    pub severity: Option<Severity>,
    /// Rows of both tables.
    pub rows: Sides<u64>,
    /// By what it was decided.
    pub rule: Rule,
    /// A signal drifts if its adjusted p-value is at most this.
    pub signal_level: f64,
    /// The joint tests, sparse and diffuse, find drift if their p-values are at most these.
    pub joint_levels: [f64; 2],
    /// Both joint tests; `None` where signals sufficed or nothing moved far enough.
    pub joint: Option<JointResult>,
    /// The columns that moved most, significant ones first.
    pub moved: Vec<Movement>,
    /// One for each column, in the reference's order.
    pub features: Vec<Feature>,
}

/// Why two columns were not compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CompareError {
    /// Numbers beside texts.
    #[error("column {name:?} holds numbers on one side and categories on the other")]
    Kinds {
        /// Name of the column.
        name: String,
    },
    /// A broken measurement is no reference.
    #[error("column {name:?}")]
    Numbers {
        /// Name of the column.
        name: String,
        /// What is wrong with it.
        #[source]
        source: KsError,
    },
}

/// Compares one column; the rule's level says which categories' changes count as significant of themselves.
pub fn feature(
    reference: &Column,
    current: &Column,
    method: Method,
    rule: &Rule,
) -> Result<Feature, CompareError> {
    let name = &reference.name;
    let missing = Sides::new(reference.cells.missing(), current.cells.missing());
    let kind = match (&reference.cells, &current.cells) {
        (Cells::Numbers(_), Cells::Numbers(_)) => Kind::Number,
        (Cells::Categories { .. }, Cells::Categories { .. }) => Kind::Category,
        _ => return Err(CompareError::Kinds { name: name.clone() }),
    };
    let values = missing.map(|rate| rate.of - rate.events);
    let mut feature = Feature {
        name: name.clone(),
        kind,
        state: match (values.reference, values.current) {
            (0, 0) => State::Empty,
            (0, _) => State::NoReference,
            (_, 0) => State::NoValues,
            _ => State::Compared,
        },
        drift: false,
        effect: 0.0,
        severity: Severity::Negligible,
        numbers: None,
        categories: None,
        missing,
        signals: Vec::new(),
        notes: Vec::new(),
        words: Vec::new(),
    };
    match (&reference.cells, &current.cells) {
        (Cells::Numbers(before), Cells::Numbers(now)) => number::compare(&mut feature, before, now, method)?,
        (
            Cells::Categories { codes, names },
            Cells::Categories {
                codes: other_codes,
                names: other_names,
            },
        ) if feature.state == State::Compared => {
            category::compare(&mut feature, (codes, names), (other_codes, other_names), rule);
        }
        _ => {}
    }
    // What never happened on either side cannot have changed, and costs nothing.
    if missing.reference.events + missing.current.events > 0
        && let (Some(was), Some(is)) = (missing.reference.share(), missing.current.share())
    {
        let p_value = rate_test(missing.reference, missing.current);
        let words = words::missing(&feature.name, was, is);
        feature.tested(Tested::Missing, (is - was).abs(), p_value, words);
    }
    Ok(feature)
}

impl Feature {
    fn tested(&mut self, kind: Tested, effect: f64, p_value: f64, words: String) {
        self.signals.push(Signal::new(kind, effect, p_value));
        self.words.push(words);
    }
}
