//! Whether a condition holds.

use crate::condition::{Compare, Condition, Operand};
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Whether it holds for these parameters of the task.
///
/// # Errors
/// Names what is missing or cannot be compared.
pub(super) fn holds(condition: &Condition, parameters: &BTreeMap<String, Value>) -> Result<bool, String> {
    match condition {
        Condition::Compare { left, how, right } => {
            let (left, right) = (operand(left, parameters)?, operand(right, parameters)?);
            compare(&left, *how, &right)
        }
        Condition::Not(inner) => Ok(!holds(inner, parameters)?),
        // As in CEL, what is decided needs no more.
        Condition::All(parts) => {
            for part in parts {
                if !holds(part, parameters)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Any(parts) => {
            for part in parts {
                if holds(part, parameters)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn operand(operand: &Operand, parameters: &BTreeMap<String, Value>) -> Result<Value, String> {
    Ok(match operand {
        Operand::Input { name, integer } => {
            let value = parameters
                .get(name)
                .ok_or_else(|| format!("{name} was not given"))?;
            match value.as_f64() {
                // int() cuts off, as CEL's does.
                #[expect(clippy::cast_possible_truncation)]
                Some(number) if *integer => Value::from(number.trunc() as i64),
                None if *integer => return Err(format!("{name}: {value} is no number")),
                _ => value.clone(),
            }
        }
        Operand::Text(text) => Value::from(text.as_str()),
        Operand::Integer(whole) => Value::from(*whole),
        Operand::Double(number) => Value::from(*number),
        Operand::Boolean(yes) => Value::from(*yes),
    })
}

fn compare(left: &Value, how: Compare, right: &Value) -> Result<bool, String> {
    let order = match (left, right) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one
                .as_f64()
                .zip(other.as_f64())
                .and_then(|(one, other)| one.partial_cmp(&other)),
        },
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        _ => None,
    };
    let order = order.ok_or_else(|| format!("{left} {} {right} cannot be compared", how.sign()))?;
    Ok(match how {
        Compare::Equal => order == Ordering::Equal,
        Compare::Unequal => order != Ordering::Equal,
        Compare::Less => order == Ordering::Less,
        Compare::LessOrEqual => order != Ordering::Greater,
        Compare::Greater => order == Ordering::Greater,
        Compare::GreaterOrEqual => order != Ordering::Less,
    })
}
