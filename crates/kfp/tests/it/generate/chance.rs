//! Choices, and constants that are hard to write.

use kfp::kind::Kind;
use serde_json::{Value, json};

pub const KINDS: [Kind; 6] = [
    Kind::Text,
    Kind::Integer,
    Kind::Double,
    Kind::Boolean,
    Kind::List,
    Kind::Struct,
];
/// Texts that some reader of YAML takes for something else.
pub const HOSTILE: &[&str] = &[
    "",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "n",
    "~",
    "null",
    "Null",
    "true",
    "False",
    "12:30",
    "1:2:3",
    "1e3",
    "1E-7",
    "0x1F",
    "0o17",
    "017",
    "0b11",
    "1_000",
    "+1",
    "-1",
    ".5",
    "5.",
    "-.inf",
    ".nan",
    ".NaN",
    "=",
    "<<",
    "-",
    "- a",
    "?",
    "? a",
    "a: b",
    "a:",
    ": a",
    "#",
    "a #b",
    "#a",
    "!!str a",
    "!x",
    "&a",
    "*a",
    "%d",
    "@a",
    "`a",
    "|",
    ">",
    "[",
    "]",
    "{",
    "}",
    "{ }",
    "[]",
    ",",
    "'",
    "''",
    "'q'",
    "\"",
    "\"d\"",
    "\\",
    "\\n",
    " a",
    "a ",
    "\ta",
    "a\tb",
    "a\n",
    "\n",
    "a\r\nb",
    "\u{0}",
    "\u{7}",
    "\u{1b}[1m",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "ü",
    "日本",
    "💡",
    "---",
    "...",
    "--- a",
    "2026-11-22",
    "2026-11-22T10:00:00Z",
    "$HOME",
    "$(HOME)",
    "{$",
    "}}",
    "%",
    "a b",
    "sha256:00",
    "--flag",
    "http://a/b?c=d#e",
    "'{'",
    "{\"a\": 1}",
    "{\"Other\": {}}",
    "NaN",
    "Infinity",
    "e3",
];

/// Chances, taken one after the other; when they are used up, the first choice is made.
pub struct Chance<'a> {
    pub bytes: std::slice::Iter<'a, u8>,
    pub made: usize,
}

impl Chance<'_> {
    pub fn of(&mut self, count: usize) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or_default()) % count
    }

    pub fn yes(&mut self) -> bool {
        self.of(3) == 1
    }

    pub fn one<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        &all[self.of(all.len())]
    }

    pub fn name(&mut self, stem: &str) -> String {
        self.made += 1;
        format!("{stem}-{}", self.made)
    }

    pub fn text(&mut self) -> String {
        if self.of(4) == 3 {
            let letters: String = (0..self.of(6))
                .map(|_| char::from_u32(self.of(256) as u32 * 173 % 0xd7ff).unwrap_or('x'))
                .collect();
            return letters.replace("{{", "{");
        }
        (*self.one(HOSTILE)).to_owned()
    }

    pub fn constant(&mut self, kind: Kind, depth: usize) -> Value {
        match kind {
            Kind::Integer => json!([0, -7, 42, 12_345_678_901_i64, -(1_i64 << 53)][self.of(5)]),
            Kind::Double => {
                json!([0.0, 0.5, 1e-7, 1e21, -3.25e300, 3.0, 1.0 / 3.0, f64::MIN_POSITIVE][self.of(8)])
            }
            Kind::Boolean => json!(self.yes()),
            Kind::List => (0..self.of(3)).map(|_| self.any(depth)).collect(),
            Kind::Struct => {
                let all = (0..self.of(3)).map(|_| (self.text(), self.any(depth)));
                Value::Object(all.collect())
            }
            _ => Value::from(self.text()),
        }
    }

    pub fn any(&mut self, depth: usize) -> Value {
        let kinds = if depth > 2 { &KINDS[..4] } else { &KINDS[..] };
        let kind = *self.one(kinds);
        self.constant(kind, depth + 1)
    }
}
