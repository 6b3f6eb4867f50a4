//! One column while it is read: numbers as long as all its values are, texts from then on.

use crate::data::{Cell, is_nothing, number, shorten};
use drift::Cells;
use drift::compare::MISSING;
use std::collections::HashMap;

/// Where a value is, for people. Rows count from 1 and leave the head out; lines count it.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub row: u64,
    /// None in a file without lines.
    pub line: Option<u64>,
    pub value: String,
}

impl Place {
    pub fn new(row: u64, line: Option<u64>, value: &str) -> Self {
        Place {
            row,
            line,
            value: shorten(value.as_bytes()),
        }
    }

    /// `row 2 (line 3)`.
    pub fn words(&self) -> String {
        match self.line {
            Some(line) => format!("row {} (line {line})", self.row),
            None => format!("row {}", self.row),
        }
    }
}

/// Texts, each once, and which of them each row has.
#[derive(Debug, Default)]
pub struct Dictionary {
    codes: Vec<u32>,
    places: HashMap<String, u32>,
    names: Vec<String>,
}

impl Dictionary {
    fn push(&mut self, text: &str) {
        let code = match self.places.get(text) {
            Some(&code) => code,
            None => {
                let code = self.names.len() as u32;
                self.places.insert(text.to_owned(), code);
                self.names.push(text.to_owned());
                code
            }
        };
        self.codes.push(code);
    }
}

#[derive(Debug)]
enum Held {
    Numbers(Vec<f64>),
    Texts(Dictionary),
    /// Numbers came before the first text: their texts are gone, and the column is to be read again.
    Again,
}

/// A column and what was met in it first.
#[derive(Debug)]
pub struct Gathered {
    pub name: String,
    held: Held,
    /// Values that are numbers, as long as `held` says nothing else.
    numbers: u64,
    /// Words that are nothing among numbers and labels among texts.
    labels: bool,
    /// The column is categories, whatever is in it.
    forced: bool,
    pub missing: Option<Place>,
    pub infinite: Option<Place>,
    pub text: Option<Place>,
    texts: u64,
}

impl Gathered {
    /// Nothing yet. `texts` for a column whose values are categories; `forced` where a person says so.
    pub fn new(name: String, texts: bool, forced: bool) -> Self {
        let held = match texts || forced {
            true => Held::Texts(Dictionary::default()),
            false => Held::Numbers(Vec::new()),
        };
        Gathered {
            name,
            held,
            numbers: 0,
            labels: false,
            forced,
            missing: None,
            infinite: None,
            text: None,
            texts: 0,
        }
    }

    /// A field without outer spaces.
    pub fn field(&mut self, text: &str, row: u64, line: Option<u64>) {
        if let Held::Texts(dictionary) = &mut self.held {
            if is_nothing(text) {
                dictionary.codes.push(MISSING);
                self.missing.get_or_insert_with(|| Place::new(row, line, text));
            } else {
                dictionary.push(code(text));
                self.texts += 1;
                if self.text.is_none() && number(text) == Cell::Text {
                    self.text = Some(Place::new(row, line, text));
                }
            }
            return;
        }
        match number(text) {
            Cell::Number(value) => self.number(value, row, line),
            Cell::Unbounded(_) => {
                let value = if text.starts_with('-') {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                };
                self.infinite.get_or_insert_with(|| Place::new(row, line, text));
                self.number(value, row, line);
            }
            Cell::Missing(_) => {
                self.labels |= !is_nothing(text);
                self.missing.get_or_insert_with(|| Place::new(row, line, text));
                self.number(f64::NAN, row, line);
            }
            Cell::Text => {
                self.text.get_or_insert_with(|| Place::new(row, line, text));
                self.texts += 1;
                self.turn(text);
            }
        }
    }

    /// A number, NaN where it is missing.
    pub fn number(&mut self, value: f64, row: u64, line: Option<u64>) {
        match &mut self.held {
            Held::Numbers(values) => values.push(value),
            Held::Texts(dictionary) if value.is_nan() => dictionary.codes.push(MISSING),
            Held::Texts(dictionary) => dictionary.push(&value.to_string()),
            Held::Again => {}
        }
        if value.is_nan() {
            self.missing.get_or_insert_with(|| Place::new(row, line, "NaN"));
        } else {
            self.numbers += 1;
            if value.is_infinite() {
                self.infinite
                    .get_or_insert_with(|| Place::new(row, line, &value.to_string()));
            }
        }
    }

    /// The first text: what was missing before it stays so.
    fn turn(&mut self, text: &str) {
        let Held::Numbers(values) = &self.held else { return };
        if self.numbers > 0 || self.labels {
            self.held = Held::Again;
            return;
        }
        let mut dictionary = Dictionary {
            codes: vec![MISSING; values.len()],
            ..Dictionary::default()
        };
        dictionary.push(code(text));
        self.held = Held::Texts(dictionary);
    }

    /// Whether the column is to be read again as texts.
    pub fn is_again(&self) -> bool {
        matches!(self.held, Held::Again)
    }

    /// Nearly a column of numbers: how many of its values are, and of how many.
    pub fn mixed(&self) -> Option<(u64, u64)> {
        let (numbers, all) = match &self.held {
            _ if self.forced || self.text.is_none() => return None,
            Held::Texts(dictionary) => {
                let is_number = |name: &String| matches!(number(name), Cell::Number(_));
                let is_number: Vec<bool> = dictionary.names.iter().map(is_number).collect();
                let codes = dictionary.codes.iter().filter(|&&code| code != MISSING);
                let numbers = codes.filter(|&&code| is_number[code as usize]).count();
                (numbers as u64, self.texts)
            }
            _ => (self.numbers, self.numbers + self.texts),
        };
        (10 * numbers >= 9 * all).then_some((numbers, all))
    }

    /// Whether it holds texts.
    pub fn is_texts(&self) -> bool {
        !matches!(self.held, Held::Numbers(_))
    }

    /// Whether it has a value.
    pub fn has_values(&self) -> bool {
        self.numbers + self.texts > 0
    }

    /// The values. `texts` for a column without any value that is beside one of texts; infinite values
    /// are missing ones where `drop` says so.
    pub fn cells(self, texts: bool, drop: bool) -> Cells {
        match self.held {
            Held::Numbers(values) if texts => Cells::Categories {
                codes: vec![MISSING; values.len()],
                names: Vec::new(),
            },
            Held::Numbers(mut values) => {
                if drop {
                    values
                        .iter_mut()
                        .filter(|x| x.is_infinite())
                        .for_each(|x| *x = f64::NAN);
                }
                Cells::Numbers(values)
            }
            Held::Texts(Dictionary { codes, names, .. }) => Cells::Categories { codes, names },
            Held::Again => Cells::Numbers(Vec::new()),
        }
    }
}

/// Pandas writes a column of integers with one missing as `1.0`: the same code as `1`.
fn code(text: &str) -> &str {
    match text.strip_suffix(".0") {
        Some(whole)
            if !whole.trim_start_matches('-').is_empty()
                && whole
                    .trim_start_matches('-')
                    .bytes()
                    .all(|byte| byte.is_ascii_digit()) =>
        {
            whole
        }
        _ => text,
    }
}
