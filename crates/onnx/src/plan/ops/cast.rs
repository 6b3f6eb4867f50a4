//! From one element type to another.

use super::*;
use crate::proto::tensor_proto::DataType;
use std::fmt::Write;

#[derive(Debug)]
struct Cast {
    to: Element,
}

pub(super) fn build(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    build.attributes.ignore("saturate");
    let to = build.attributes.optional_int("to")?;
    let to = attrs::required("to", to, "an element type")?;
    let kind = i32::try_from(to)
        .ok()
        .and_then(|kind| DataType::try_from(kind).ok());
    let to = match kind {
        Some(DataType::Float) => Element::F32,
        Some(DataType::Double) => Element::F64,
        Some(DataType::Int64) => Element::I64,
        Some(DataType::Int32) => Element::I32,
        Some(DataType::Bool) => Element::Bool,
        Some(DataType::String) => Element::Str,
        _ => {
            let expected = "1 (FLOAT), 6 (INT32), 7 (INT64), 8 (STRING), 9 (BOOL) or 11 (DOUBLE)";
            return Err(Fault::attribute("to", &to, expected));
        }
    };
    Ok(self::to(to))
}

/// Casts to this type.
pub(in super::super) fn to(to: Element) -> Box<dyn Kernel> {
    Box::new(Cast { to })
}

/// A number on its way to another type.
trait Number: Copy {
    fn real(self) -> f64;
    fn whole(self) -> i64;
    fn text(self, out: &mut String);
}

impl Number for f32 {
    fn real(self) -> f64 {
        f64::from(self)
    }
    fn whole(self) -> i64 {
        self as i64
    }
    fn text(self, out: &mut String) {
        general(f64::from(self), 8, out);
    }
}
impl Number for f64 {
    fn real(self) -> f64 {
        self
    }
    fn whole(self) -> i64 {
        self as i64
    }
    fn text(self, out: &mut String) {
        general(self, 17, out);
    }
}
impl Number for i64 {
    fn real(self) -> f64 {
        self as f64
    }
    fn whole(self) -> i64 {
        self
    }
    fn text(self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}
impl Number for bool {
    fn real(self) -> f64 {
        f64::from(u8::from(self))
    }
    fn whole(self) -> i64 {
        i64::from(self)
    }
    fn text(self, out: &mut String) {
        out.push(if self { '1' } else { '0' });
    }
}

/// C's `%.{digits}g`, as onnxruntime writes numbers.
fn general(value: f64, digits: usize, out: &mut String) {
    if !value.is_finite() {
        out.push_str(match value {
            value if value.is_nan() => "NaN",
            value if value > 0.0 => "INF",
            _ => "-INF",
        });
        return;
    }
    let scientific = format!("{:.*e}", digits - 1, value);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| -> String {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{}e{sign}{:02}", trim(mantissa), exponent.abs());
    } else {
        let places = (digits as i32 - 1 - exponent).max(0) as usize;
        out.push_str(&trim(&format!("{value:.places$}")));
    }
}

impl Cast {
    fn numbers<T: Number>(
        &self,
        call: &mut Call<'_>,
        out: &mut Tensor,
        shape: Shape,
        values: &[T],
    ) -> Result<(), Fault> {
        use super::single::map;
        match self.to {
            Element::F32 => map(call, out, shape, values, |value| value.real() as f32),
            Element::F64 => map(call, out, shape, values, Number::real),
            Element::I64 => map(call, out, shape, values, Number::whole),
            Element::I32 => map(call, out, shape, values, |value| i64::from(value.whole() as i32)),
            Element::Bool => map(call, out, shape, values, |value| value.real() != 0.0),
            Element::Str => {
                let out = call.strings(out, shape)?;
                let mut text = String::new();
                for value in values {
                    text.clear();
                    value.text(&mut text);
                    out.push(&text);
                }
                Ok(())
            }
        }
    }

    fn strings(
        &self,
        call: &mut Call<'_>,
        out: &mut Tensor,
        shape: Shape,
        values: &Strings,
    ) -> Result<(), Fault> {
        let rehearsal = call.rehearsal;
        let read = |text: &str| -> Result<f64, Fault> {
            match text.trim().parse() {
                Ok(value) => Ok(value),
                Err(_) if rehearsal => Ok(0.0),
                Err(_) => Err(Fault::input(0, &text, "strings that are numbers")),
            }
        };
        match self.to {
            Element::F32 => {
                let out = call.room::<f32>(out, shape)?;
                for (out, text) in out.iter_mut().zip(values.iter()) {
                    *out = read(text)? as f32;
                }
            }
            Element::F64 => {
                let out = call.room::<f64>(out, shape)?;
                for (out, text) in out.iter_mut().zip(values.iter()) {
                    *out = read(text)?;
                }
            }
            Element::I64 | Element::I32 => {
                let out = call.room::<i64>(out, shape)?;
                for (out, text) in out.iter_mut().zip(values.iter()) {
                    *out = match text.trim().parse() {
                        Ok(value) => value,
                        Err(_) => read(text)? as i64,
                    };
                }
            }
            Element::Bool => {
                return Err(Fault::attribute(
                    "to",
                    &"BOOL",
                    "a type that strings can be cast to",
                ));
            }
            Element::Str => {
                call.pay(shape)?;
                out.copy(shape, Values::Str(values));
            }
        }
        Ok(())
    }
}

impl Kernel for Cast {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let shape = Shape::new(view.shape)?;
        match view.values {
            Values::F32(values) => self.numbers(call, &mut out[0], shape, values),
            Values::F64(values) => self.numbers(call, &mut out[0], shape, values),
            Values::I64(values) => self.numbers(call, &mut out[0], shape, values),
            Values::Bool(values) => self.numbers(call, &mut out[0], shape, values),
            Values::Str(values) => self.strings(call, &mut out[0], shape, values),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_as_c_writes_them() {
        let text = |value, digits| {
            let mut out = String::new();
            super::general(value, digits, &mut out);
            out
        };
        assert_eq!(text(0.0, 8), "0");
        assert_eq!(text(1.5, 8), "1.5");
        assert_eq!(text(-1234567.0, 8), "-1234567");
        assert_eq!(text(123456789.0, 8), "1.2345679e+08");
        assert_eq!(text(0.00001, 8), "1e-05");
        assert_eq!(text(0.1, 17), "0.10000000000000001");
        assert_eq!(text(f64::NAN, 8), "NaN");
    }
}
