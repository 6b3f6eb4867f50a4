//! The target column, gathered while rows are read, judged when all are there.

use super::cells::{Cell, judge};
use super::{CLASSES_MAX, Refusal};
use contract::manifest::Task;
use std::collections::HashMap;

/// Whole numbers of so few distinct values are taken for classes where `--task` is silent.
const INTEGER_CLASSES_MAX: usize = 20;

/// What is to be predicted, one entry for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Index of the row's class in `names`, which are in order (of value where all are numbers).
    Classes {
        /// Class index of each row.
        indices: Vec<usize>,
        /// Labels as written.
        names: Vec<String>,
    },
    /// A number for each row.
    Numbers(Vec<f64>),
}

impl Target {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Target::Classes { indices, .. } => indices.len(),
            Target::Numbers(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Gathers fields; memory is bounded by 8 bytes a row and [`CLASSES_MAX`] labels.
#[derive(Default)]
pub(super) struct Gathered {
    labels: HashMap<String, u32>,
    codes: Vec<u32>,
    too_many: bool,
    numbers: Vec<f64>,
    /// File, row, line and value of the first field that is no number.
    first_text: Option<(String, u64, u64, String)>,
    texts: usize,
}

impl Gathered {
    /// Takes the field of one more row; `at` is its file, row and line.
    pub fn push(&mut self, text: &str, at: (&str, u64, u64)) {
        if !self.too_many {
            let next = self.labels.len() as u32;
            let code = *self.labels.entry(text.to_owned()).or_insert(next);
            self.codes.push(code);
            if self.labels.len() > CLASSES_MAX {
                self.too_many = true;
                self.codes = Vec::new();
            }
        }
        match judge(text) {
            Cell::Number(value) => self.numbers.push(value),
            _ => {
                self.texts += 1;
                self.numbers.push(f64::NAN);
                self.first_text
                    .get_or_insert_with(|| (at.0.to_owned(), at.1, at.2, text.to_owned()));
            }
        }
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Decides the task and gives the target.
    pub fn finish(self, name: &str, task: Option<Task>) -> Result<Target, Refusal> {
        let task = match task {
            Some(task) => task,
            None => self.guess(name)?,
        };
        match task {
            Task::Classification => self.classes(name),
            Task::Regression => self.numbers(name),
        }
    }

    fn guess(&self, name: &str) -> Result<Task, Refusal> {
        if self.texts == 0 {
            let whole = self.numbers.iter().all(|value| value.fract() == 0.0);
            let few = !self.too_many && self.labels.len() <= INTEGER_CLASSES_MAX.min(self.len() / 2);
            // One value only is refused either way; as a class the message is the clearer one.
            let classes = whole && few;
            return Ok(if classes {
                Task::Classification
            } else {
                Task::Regression
            });
        }
        if self.texts == self.len() || self.texts * 2 > self.len() {
            return Ok(Task::Classification);
        }
        Err(self.not_a_number(
            name,
            ", although other rows hold numbers; --task classification takes it as a label",
        ))
    }

    fn classes(self, name: &str) -> Result<Target, Refusal> {
        let refuse = |reason: String| Refusal::Target {
            target: name.to_owned(),
            reason,
        };
        if self.too_many {
            return Err(refuse(format!(
                "more than {CLASSES_MAX} distinct values, too many for classes"
            )));
        }
        if self.labels.len() == 1 {
            let only = self.labels.keys().next().map_or("", String::as_str);
            return Err(refuse(format!("only one class, {only:?}: nothing to tell apart")));
        }
        if self.labels.len() * 2 > self.codes.len() {
            let (classes, rows) = (self.labels.len(), self.codes.len());
            return Err(refuse(format!(
                "{classes} classes in {rows} rows: not a class but a name or number"
            )));
        }
        let mut names: Vec<(String, u32)> = self.labels.into_iter().collect();
        let value = |label: &str| label.parse::<f64>().ok();
        if self.texts == 0 {
            names.sort_by(|a, b| {
                let by_value = value(&a.0)
                    .partial_cmp(&value(&b.0))
                    .unwrap_or(std::cmp::Ordering::Equal);
                by_value.then_with(|| a.0.cmp(&b.0))
            });
            // "1" and "1.0" would become two classes that no client could tell apart.
            if let Some(pair) = names
                .windows(2)
                .find(|pair| value(&pair[0].0) == value(&pair[1].0))
            {
                let (one, other) = (&pair[0].0, &pair[1].0);
                return Err(refuse(format!(
                    "the labels {one:?} and {other:?} are the same number"
                )));
            }
        } else {
            names.sort();
        }
        let mut index_of_code = vec![0; names.len()];
        for (index, (_, code)) in names.iter().enumerate() {
            index_of_code[*code as usize] = index;
        }
        Ok(Target::Classes {
            indices: self
                .codes
                .iter()
                .map(|&code| index_of_code[code as usize])
                .collect(),
            names: names.into_iter().map(|(label, _)| label).collect(),
        })
    }

    fn numbers(self, name: &str) -> Result<Target, Refusal> {
        if self.texts > 0 {
            return Err(self.not_a_number(name, ""));
        }
        let first = self.numbers.first().copied().unwrap_or_default();
        if self.numbers.iter().all(|value| *value == first) {
            return Err(Refusal::Target {
                target: name.to_owned(),
                reason: format!("constant, {first} in every row: nothing to learn"),
            });
        }
        Ok(Target::Numbers(self.numbers))
    }

    fn not_a_number(&self, name: &str, more: &str) -> Refusal {
        let (file, row, line, value) = self.first_text.clone().unwrap_or_default();
        Refusal::Cell {
            file,
            row,
            line,
            column: name.to_owned(),
            value: super::refusal::shorten(value.as_bytes()),
            reason: format!("not a number{more}"),
        }
    }
}
