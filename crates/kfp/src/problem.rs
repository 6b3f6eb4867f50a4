//! What is wrong, and where.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, outermost first: `["pipeline retrain", "task train", "input rows"]`.
    pub path: Vec<String>,
    /// What, with the value and what was expected.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.path {
            write!(f, "{part}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// Everything that is wrong with a pipeline, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// Problems that are being found below one place.
pub(crate) struct Found<'a> {
    path: Vec<String>,
    all: &'a mut Vec<Problem>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(first: String, all: &'a mut Vec<Problem>) -> Self {
        Found {
            path: vec![first],
            all,
        }
    }

    /// The same list, one place deeper.
    pub(crate) fn at(&mut self, part: impl Into<String>) -> Found<'_> {
        let mut path = self.path.clone();
        path.push(part.into());
        Found { path, all: self.all }
    }

    pub(crate) fn say(&mut self, what: impl Into<String>) {
        self.all.push(Problem {
            path: self.path.clone(),
            what: what.into(),
        });
    }
}
