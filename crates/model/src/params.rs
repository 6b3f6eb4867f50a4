//! Parameters of a forest, checked before they are used.

use crate::Error;
use linfa::ParamGuard;
use serde::{Deserialize, Serialize};
use std::{fmt, marker::PhantomData, str::FromStr};

/// Most trees: beyond it a tree's share of a probability has too few digits (see `leaves`).
pub(crate) const MAX_TREES: usize = 10_000;
/// Most classes: what the ONNX reader accepts.
pub(crate) const MAX_CLASSES: usize = 4_096;

/// Marker: the forest predicts classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {}
/// Marker: the forest predicts numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {}

/// How many features are tried at each split. Features that are constant there do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MaxFeatures {
    /// The square root of their number, rounded down (Breiman's forest).
    #[default]
    Sqrt,
    /// All of them (bagging).
    All,
    /// So many, or all where there are fewer.
    Count(usize),
}

impl MaxFeatures {
    pub(crate) fn of(self, features: usize) -> usize {
        match self {
            MaxFeatures::Sqrt => features.isqrt().max(1),
            MaxFeatures::All => features,
            MaxFeatures::Count(count) => count.min(features),
        }
    }
}

impl fmt::Display for MaxFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxFeatures::Sqrt => f.write_str("sqrt"),
            MaxFeatures::All => f.write_str("all"),
            MaxFeatures::Count(count) => write!(f, "{count}"),
        }
    }
}

impl From<MaxFeatures> for String {
    fn from(value: MaxFeatures) -> Self {
        value.to_string()
    }
}

impl FromStr for MaxFeatures {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "sqrt" => Ok(MaxFeatures::Sqrt),
            "all" => Ok(MaxFeatures::All),
            _ => match text.parse() {
                Ok(count) if count > 0 => Ok(MaxFeatures::Count(count)),
                _ => Err(bad("max_features", &text, "sqrt, all or a number from 1 on")),
            },
        }
    }
}

impl TryFrom<String> for MaxFeatures {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

fn bad(name: &'static str, value: &impl ToString, expected: &str) -> Error {
    Error::Parameter {
        name,
        value: value.to_string(),
        expected: expected.into(),
    }
}

/// Parameters of a forest that have been checked; `Kind` is [`Classes`] or [`Numbers`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidForestParams<Kind = Classes> {
    pub(crate) trees: usize,
    pub(crate) max_depth: Option<usize>,
    pub(crate) min_samples_split: usize,
    pub(crate) min_samples_leaf: usize,
    pub(crate) max_features: MaxFeatures,
    pub(crate) bootstrap: bool,
    pub(crate) seed: u64,
    pub(crate) classes: Option<usize>,
    kind: PhantomData<Kind>,
}

/// Parameters as given: linfa's [`ParamGuard`] checks them, and `fit` does so by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForestParams<Kind = Classes>(ValidForestParams<Kind>);

impl<Kind> Default for ForestParams<Kind> {
    fn default() -> Self {
        ForestParams(ValidForestParams {
            trees: 100,
            max_depth: None,
            min_samples_split: 2,
            min_samples_leaf: 1,
            max_features: MaxFeatures::Sqrt,
            bootstrap: true,
            seed: 0,
            classes: None,
            kind: PhantomData,
        })
    }
}

impl<Kind> ForestParams<Kind> {
    /// The defaults: 100 trees of full depth, bootstrap, √p features at each split, seed 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of trees, 1 to 10,000.
    pub fn trees(mut self, trees: usize) -> Self {
        self.0.trees = trees;
        self
    }

    /// Longest path from the root, at least 1; `None` grows until leaves are pure.
    pub fn max_depth(mut self, max_depth: Option<usize>) -> Self {
        self.0.max_depth = max_depth;
        self
    }

    /// Distinct rows that a node needs to be split, at least 2.
    pub fn min_samples_split(mut self, rows: usize) -> Self {
        self.0.min_samples_split = rows;
        self
    }

    /// Distinct rows that each side of a split keeps, at least 1.
    pub fn min_samples_leaf(mut self, rows: usize) -> Self {
        self.0.min_samples_leaf = rows;
        self
    }

    /// Features tried at each split.
    pub fn max_features(mut self, max_features: MaxFeatures) -> Self {
        self.0.max_features = max_features;
        self
    }

    /// Whether each tree sees as many rows as there are, drawn with replacement, or simply all.
    pub fn bootstrap(mut self, bootstrap: bool) -> Self {
        self.0.bootstrap = bootstrap;
        self
    }

    /// Seed of every random choice.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl ForestParams<Classes> {
    /// Number of classes, where the training rows may lack the last ones; otherwise the highest
    /// class plus one (at least 2).
    pub fn classes(mut self, classes: usize) -> Self {
        self.0.classes = Some(classes);
        self
    }
}

impl<Kind> ParamGuard for ForestParams<Kind> {
    type Checked = ValidForestParams<Kind>;
    type Error = Error;

    fn check_ref(&self) -> Result<&Self::Checked, Error> {
        let given = &self.0;
        if !(1..=MAX_TREES).contains(&given.trees) {
            return Err(bad("trees", &given.trees, "1 to 10000"));
        }
        if given.max_depth == Some(0) {
            return Err(bad("max_depth", &0, "at least 1, or none"));
        }
        if given.min_samples_split < 2 {
            return Err(bad("min_samples_split", &given.min_samples_split, "at least 2"));
        }
        if given.min_samples_leaf < 1 {
            return Err(bad("min_samples_leaf", &given.min_samples_leaf, "at least 1"));
        }
        if given.max_features == MaxFeatures::Count(0) {
            return Err(bad("max_features", &0, "sqrt, all or a number from 1 on"));
        }
        match given.classes {
            Some(classes) if !(2..=MAX_CLASSES).contains(&classes) => {
                Err(bad("classes", &classes, "2 to 4096"))
            }
            _ => Ok(given),
        }
    }

    fn check(self) -> Result<Self::Checked, Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}
