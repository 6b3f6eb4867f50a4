//! Conditions: the part of CEL that the SDK writes, and we.

mod parse;

use std::fmt;

/// What must hold for a task to run. It reads parameters of the task itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Two values compared.
    Compare {
        /// Left side.
        left: Operand,
        /// How.
        how: Compare,
        /// Right side.
        right: Operand,
    },
    /// The opposite.
    Not(Box<Condition>),
    /// All of two or more.
    All(Vec<Condition>),
    /// One of two or more.
    Any(Vec<Condition>),
}

/// A value in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A parameter of the task. All numbers are doubles for the server, so an integer is made one again.
    Input {
        /// Its name.
        name: String,
        /// Whether it is an integer.
        integer: bool,
    },
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Double(f64),
    /// Yes or no.
    Boolean(bool),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Compare {
    /// Every one; longer signs first.
    pub const ALL: [Compare; 6] = [
        Compare::Equal,
        Compare::Unequal,
        Compare::LessOrEqual,
        Compare::GreaterOrEqual,
        Compare::Less,
        Compare::Greater,
    ];

    /// As CEL writes it.
    pub fn sign(self) -> &'static str {
        match self {
            Compare::Equal => "==",
            Compare::Unequal => "!=",
            Compare::Less => "<",
            Compare::LessOrEqual => "<=",
            Compare::Greater => ">",
            Compare::GreaterOrEqual => ">=",
        }
    }
}

impl Condition {
    /// All of these; one alone stays as it is.
    pub fn all(mut several: Vec<Condition>) -> Condition {
        match several.len() {
            1 => several.remove(0),
            _ => Condition::All(several),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Condition {
        Condition::Not(Box::new(self))
    }

    /// Reads CEL.
    ///
    /// # Errors
    /// Names what is not understood, with its place.
    pub fn parse(text: &str) -> Result<Condition, String> {
        parse::condition(text)
    }

    /// Comparisons in it, with both sides.
    pub fn comparisons(&self) -> Vec<(&Operand, Compare, &Operand)> {
        match self {
            Condition::Compare { left, how, right } => vec![(left, *how, right)],
            Condition::Not(inner) => inner.comparisons(),
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().flat_map(Condition::comparisons).collect()
            }
        }
    }

    /// Whether each `All` and `Any` has two parts at least, as CEL needs it.
    pub(crate) fn whole(&self) -> bool {
        match self {
            Condition::Compare { .. } => true,
            Condition::Not(inner) => inner.whole(),
            Condition::All(parts) | Condition::Any(parts) => {
                parts.len() > 1 && parts.iter().all(Condition::whole)
            }
        }
    }

    /// How deep it is nested.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Condition::Compare { .. } => 1,
            Condition::Not(inner) => 1 + inner.depth(),
            Condition::All(parts) | Condition::Any(parts) => {
                1 + parts.iter().map(Condition::depth).max().unwrap_or_default()
            }
        }
    }
}

/// Deepest nesting that is read.
pub(crate) const DEPTH_MAX: usize = 64;

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Condition], sign: &str| {
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    write!(f, " {sign} ")?;
                }
                match part {
                    Condition::All(_) | Condition::Any(_) => write!(f, "({part})")?,
                    _ => write!(f, "{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Condition::Compare { left, how, right } => write!(f, "{left} {} {right}", how.sign()),
            Condition::Not(inner) => write!(f, "!({inner})"),
            Condition::All(parts) => joined(f, parts, "&&"),
            Condition::Any(parts) => joined(f, parts, "||"),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Input { name, integer: false } => write!(f, "inputs.parameter_values['{name}']"),
            Operand::Input { name, integer: true } => write!(f, "int(inputs.parameter_values['{name}'])"),
            Operand::Text(text) => {
                f.write_str("'")?;
                for c in text.chars() {
                    match c {
                        '\'' | '\\' => write!(f, "\\{c}")?,
                        ' '..='~' => write!(f, "{c}")?,
                        c if u32::from(c) <= 0xffff => write!(f, "\\u{:04x}", u32::from(c))?,
                        c => write!(f, "\\U{:08x}", u32::from(c))?,
                    }
                }
                f.write_str("'")
            }
            Operand::Integer(number) => write!(f, "{number}"),
            // With a point or an exponent, so that it is a double again.
            Operand::Double(number) => write!(f, "{number:?}"),
            Operand::Boolean(yes) => write!(f, "{yes}"),
        }
    }
}
