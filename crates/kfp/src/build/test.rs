//! Conditions over values of the pipeline.

use super::handle::Param;
use crate::condition::{Compare, Condition, Operand};
use crate::kind::{Boolean, Double, Dynamic, Integer, Kind, Text};

/// What must hold.
#[derive(Clone, Debug)]
pub enum Test {
    /// A parameter compared with a constant.
    With(Param<Dynamic>, Compare, Constant),
    /// Two parameters compared.
    Both(Param<Dynamic>, Compare, Param<Dynamic>),
    /// The opposite.
    Not(Box<Test>),
    /// All.
    All(Vec<Test>),
    /// One of them.
    Any(Vec<Test>),
}

/// A constant in a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Double(f64),
    /// Yes or no.
    Boolean(bool),
}

/// All of these.
pub fn all(tests: impl IntoIterator<Item = Test>) -> Test {
    Test::All(tests.into_iter().collect())
}

/// One of these.
pub fn any(tests: impl IntoIterator<Item = Test>) -> Test {
    Test::Any(tests.into_iter().collect())
}

/// The opposite.
pub fn not(test: Test) -> Test {
    Test::Not(Box::new(test))
}

macro_rules! comparisons {
    ($($kind:ident($constant:ty): $($name:ident = $how:ident),*;)*) => {$(
        impl Param<$kind> {
            $(
                #[doc = concat!("Whether it is `", stringify!($how), "`, compared with a constant.")]
                pub fn $name(&self, constant: $constant) -> Test {
                    Test::With(self.erased(), Compare::$how, Constant::$kind(constant.into()))
                }
            )*
        }
    )*};
}

comparisons! {
    Text(&str): equals = Equal, differs = Unequal;
    Boolean(bool): equals = Equal, differs = Unequal;
    Integer(i64): equals = Equal, differs = Unequal, less = Less, at_most = LessOrEqual, greater = Greater, at_least = GreaterOrEqual;
    Double(f64): equals = Equal, differs = Unequal, less = Less, at_most = LessOrEqual, greater = Greater, at_least = GreaterOrEqual;
}

impl<K> Param<K> {
    /// Compared with another parameter of the same type.
    pub fn compared(&self, how: Compare, other: &Param<K>) -> Test {
        Test::Both(self.erased(), how, other.erased())
    }
}

impl Test {
    /// Every parameter that it reads is given a name by `input`; none where it is not to be had.
    pub(super) fn condition(
        &self,
        input: &mut impl FnMut(&Param<Dynamic>) -> Option<String>,
    ) -> Option<Condition> {
        let mut operand = |parameter: &Param<Dynamic>| {
            Some(Operand::Input {
                name: input(parameter)?,
                integer: parameter.kind == Kind::Integer,
            })
        };
        Some(match self {
            Test::With(left, how, right) => Condition::Compare {
                left: operand(left)?,
                how: *how,
                right: match right.clone() {
                    Constant::Text(text) => Operand::Text(text),
                    Constant::Integer(whole) => Operand::Integer(whole),
                    Constant::Double(number) => Operand::Double(number),
                    Constant::Boolean(yes) => Operand::Boolean(yes),
                },
            },
            Test::Both(left, how, right) => Condition::Compare {
                left: operand(left)?,
                how: *how,
                right: operand(right)?,
            },
            Test::Not(inner) => inner.condition(input)?.negated(),
            Test::All(parts) => Condition::all(several(parts, input)?),
            Test::Any(parts) => {
                let mut parts = several(parts, input)?;
                if parts.len() == 1 {
                    parts.remove(0)
                } else {
                    Condition::Any(parts)
                }
            }
        })
    }
}

fn several(
    tests: &[Test],
    input: &mut impl FnMut(&Param<Dynamic>) -> Option<String>,
) -> Option<Vec<Condition>> {
    tests.iter().map(|test| test.condition(&mut *input)).collect()
}
