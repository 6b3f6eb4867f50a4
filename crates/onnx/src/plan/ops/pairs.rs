//! Operators of elements of two tensors or more, stretched to each other.

use super::broadcast::{runs, shape as stretched, zip};
use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Mod { floats: bool },
}

pub(super) fn arithmetic(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(match build.operator {
        "Add" => Arithmetic::Add,
        "Sub" => Arithmetic::Sub,
        "Mul" => Arithmetic::Mul,
        "Div" => Arithmetic::Div,
        _ => Arithmetic::Mod {
            floats: build.attributes.int("fmod", 0)? != 0,
        },
    }))
}

impl Kernel for Arithmetic {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let (a, b) = (call.get(0)?, call.get(1)?);
        let shape = stretched(&[a.shape, b.shape])?;
        match (a.values, b.values) {
            (Values::F32(x), Values::F32(y)) => {
                let (x, y) = ((a.shape, x), (b.shape, y));
                let out = (shape, call.room::<f32>(&mut out[0], shape)?);
                match self {
                    Arithmetic::Add => zip(x, y, out, |x, y| x + y),
                    Arithmetic::Sub => zip(x, y, out, |x, y| x - y),
                    Arithmetic::Mul => zip(x, y, out, |x, y| x * y),
                    Arithmetic::Div => zip(x, y, out, |x, y| x / y),
                    Arithmetic::Mod { .. } => zip(x, y, out, |x, y| x % y),
                }
            }
            (Values::F64(x), Values::F64(y)) => {
                let (x, y) = ((a.shape, x), (b.shape, y));
                let out = (shape, call.room::<f64>(&mut out[0], shape)?);
                match self {
                    Arithmetic::Add => zip(x, y, out, |x, y| x + y),
                    Arithmetic::Sub => zip(x, y, out, |x, y| x - y),
                    Arithmetic::Mul => zip(x, y, out, |x, y| x * y),
                    Arithmetic::Div => zip(x, y, out, |x, y| x / y),
                    Arithmetic::Mod { .. } => zip(x, y, out, |x, y| x % y),
                }
            }
            (Values::I64(x), Values::I64(y)) => {
                let divides = matches!(self, Arithmetic::Div | Arithmetic::Mod { .. });
                if divides && y.contains(&0) && !call.rehearsal {
                    return Err(Fault::input(1, &0, "divisors other than 0"));
                }
                let (x, y) = ((a.shape, x), (b.shape, y));
                let out = (shape, call.room::<i64>(&mut out[0], shape)?);
                match *self {
                    Arithmetic::Add => zip(x, y, out, i64::wrapping_add),
                    Arithmetic::Sub => zip(x, y, out, i64::wrapping_sub),
                    Arithmetic::Mul => zip(x, y, out, i64::wrapping_mul),
                    Arithmetic::Div => zip(x, y, out, |x, y| if y == 0 { 0 } else { x.wrapping_div(y) }),
                    Arithmetic::Mod { floats } => zip(x, y, out, |x, y| match (y, floats) {
                        (0, _) => 0,
                        (y, true) => x.wrapping_rem(y),
                        // The sign of the divisor, as Python has it.
                        (y, false) => {
                            let rest = x.wrapping_rem(y);
                            if rest != 0 && (rest < 0) != (y < 0) {
                                rest + y
                            } else {
                                rest
                            }
                        }
                    }),
                }
            }
            _ => return Err(wrong_type(1, b, "numbers of the type of input 0")),
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Power;

pub(super) fn power(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Power))
}

/// Exponents of any type.
fn exponents<X: Copy, O: Scalar>(
    (a, x): (View<'_>, &[X]),
    b: View<'_>,
    (shape, out): (Shape, &mut [O]),
    f: impl Fn(X, f64) -> O,
) -> Result<(), Fault> {
    match b.values {
        Values::F32(y) => zip((a.shape, x), (b.shape, y), (shape, out), |x, y| {
            f(x, f64::from(y))
        }),
        Values::F64(y) => zip((a.shape, x), (b.shape, y), (shape, out), f),
        Values::I64(y) => zip((a.shape, x), (b.shape, y), (shape, out), |x, y| f(x, y as f64)),
        _ => return Err(wrong_type(1, b, "numbers")),
    }
    Ok(())
}

impl Kernel for Power {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let (a, b) = (call.get(0)?, call.get(1)?);
        let shape = stretched(&[a.shape, b.shape])?;
        match a.values {
            Values::F32(x) => {
                let out = call.room::<f32>(&mut out[0], shape)?;
                exponents((a, x), b, (shape, out), |x, y| match y {
                    2.0 => x * x,
                    y => x.powf(y as f32),
                })
            }
            Values::F64(x) => {
                let out = call.room::<f64>(&mut out[0], shape)?;
                exponents(
                    (a, x),
                    b,
                    (shape, out),
                    |x, y| if y == 2.0 { x * x } else { x.powf(y) },
                )
            }
            Values::I64(x) => {
                let out = call.room::<i64>(&mut out[0], shape)?;
                exponents((a, x), b, (shape, out), |x, y| (x as f64).powf(y) as i64)
            }
            _ => Err(wrong_type(0, a, "numbers")),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

pub(super) fn comparison(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(match build.operator {
        "Equal" => Comparison::Equal,
        "Less" => Comparison::Less,
        "LessOrEqual" => Comparison::LessOrEqual,
        "Greater" => Comparison::Greater,
        _ => Comparison::GreaterOrEqual,
    }))
}

fn compare<T: Copy + PartialOrd>(
    comparison: Comparison,
    a: (&[usize], &[T]),
    b: (&[usize], &[T]),
    out: (Shape, &mut [bool]),
) {
    match comparison {
        Comparison::Equal => zip(a, b, out, |a, b| a == b),
        Comparison::Less => zip(a, b, out, |a, b| a < b),
        Comparison::LessOrEqual => zip(a, b, out, |a, b| a <= b),
        Comparison::Greater => zip(a, b, out, |a, b| a > b),
        Comparison::GreaterOrEqual => zip(a, b, out, |a, b| a >= b),
    }
}

impl Kernel for Comparison {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let (a, b) = (call.get(0)?, call.get(1)?);
        let shape = stretched(&[a.shape, b.shape])?;
        let out = call.room::<bool>(&mut out[0], shape)?;
        match (a.values, b.values) {
            (Values::F32(x), Values::F32(y)) => compare(*self, (a.shape, x), (b.shape, y), (shape, out)),
            (Values::F64(x), Values::F64(y)) => compare(*self, (a.shape, x), (b.shape, y), (shape, out)),
            (Values::I64(x), Values::I64(y)) => compare(*self, (a.shape, x), (b.shape, y), (shape, out)),
            (Values::Bool(x), Values::Bool(y)) => compare(*self, (a.shape, x), (b.shape, y), (shape, out)),
            (Values::Str(x), Values::Str(y)) if matches!(self, Comparison::Equal) => {
                runs(shape, [a.shape, b.shape], |start, [i, j], length, steps| {
                    for place in 0..length {
                        out[start + place] = x.get(i + place * steps[0]) == y.get(j + place * steps[1]);
                    }
                });
            }
            _ => return Err(wrong_type(1, b, "values of the type of input 0")),
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Logic(fn(bool, bool) -> bool);

pub(super) fn logic(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Logic(match build.operator {
        "And" => |a, b| a & b,
        "Or" => |a, b| a | b,
        _ => |a, b| a ^ b,
    })))
}

impl Kernel for Logic {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let (a, b) = (call.get(0)?, call.get(1)?);
        let shape = stretched(&[a.shape, b.shape])?;
        let (Values::Bool(x), Values::Bool(y)) = (a.values, b.values) else {
            return Err(wrong_type(0, a, "bool on both sides"));
        };
        let out = call.room::<bool>(&mut out[0], shape)?;
        zip((a.shape, x), (b.shape, y), (shape, out), self.0);
        Ok(())
    }
}

/// Max, Min, Sum and Mean of one tensor or more: one after the other is folded in.
#[derive(Debug)]
struct Several {
    f32: fn(f32, f32) -> f32,
    f64: fn(f64, f64) -> f64,
    i64: fn(i64, i64) -> i64,
    mean: bool,
}

pub(super) fn several(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, build.limits.nodes)?;
    let mean = build.operator == "Mean";
    // A comparison with NaN is NaN, as in onnxruntime.
    Ok(Box::new(match build.operator {
        "Max" => Several {
            f32: |a, b| if a > b || a.is_nan() { a } else { b },
            f64: |a, b| if a > b || a.is_nan() { a } else { b },
            i64: i64::max,
            mean,
        },
        "Min" => Several {
            f32: |a, b| if a < b || a.is_nan() { a } else { b },
            f64: |a, b| if a < b || a.is_nan() { a } else { b },
            i64: i64::min,
            mean,
        },
        _ => Several {
            f32: |a, b| a + b,
            f64: |a, b| a + b,
            i64: i64::wrapping_add,
            mean,
        },
    }))
}

impl Several {
    fn fold<T: Scalar>(
        &self,
        call: &mut Call<'_>,
        shape: Shape,
        out: &mut Tensor,
        f: impl Fn(T, T) -> T,
        divide: impl Fn(T, usize) -> T,
    ) -> Result<(), Fault> {
        let count = call.inputs.len();
        call.spend(shape.count().saturating_mul(count))?;
        let out = call.room::<T>(out, shape)?;
        for position in 0..count {
            let view = call.get(position)?;
            let values = T::slice(&view.values)
                .ok_or_else(|| wrong_type(position, view, "numbers of the type of input 0"))?;
            runs(shape, [view.shape], |start, [place], length, [step]| {
                for (offset, out) in out[start..start + length].iter_mut().enumerate() {
                    let value = values[place + offset * step];
                    *out = if position == 0 { value } else { f(*out, value) };
                }
            });
        }
        if self.mean {
            out.iter_mut().for_each(|out| *out = divide(*out, count));
        }
        Ok(())
    }
}

impl Kernel for Several {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let first = call.get(0)?;
        let mut shape = Shape::new(first.shape)?;
        for position in 1..call.inputs.len() {
            shape = stretched(&[&shape, call.get(position)?.shape])?;
        }
        match first.values {
            Values::F32(_) => self.fold(call, shape, &mut out[0], self.f32, |sum, count| {
                sum / count as f32
            }),
            Values::F64(_) => self.fold(call, shape, &mut out[0], self.f64, |sum, count| {
                sum / count as f64
            }),
            Values::I64(_) => self.fold(call, shape, &mut out[0], self.i64, |sum, count| {
                sum / count as i64
            }),
            _ => Err(wrong_type(0, first, "numbers")),
        }
    }
}

#[derive(Debug)]
struct Choice;

/// `Where`.
pub(super) fn choice(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(3, 3)?;
    Ok(Box::new(Choice))
}

fn choose<T: Scalar>(call: &mut Call<'_>, out: &mut Tensor) -> Result<(), Fault> {
    let [condition, a, b] = [call.get(0)?, call.get(1)?, call.get(2)?];
    let shape = stretched(&[condition.shape, a.shape, b.shape])?;
    let Values::Bool(conditions) = condition.values else {
        return Err(wrong_type(0, condition, "bool"));
    };
    let same = || wrong_type(2, b, "values of the type of input 1");
    let (x, y) = (
        T::slice(&a.values).ok_or_else(same)?,
        T::slice(&b.values).ok_or_else(same)?,
    );
    let out = call.room::<T>(out, shape)?;
    runs(
        shape,
        [condition.shape, a.shape, b.shape],
        |start, [c, i, j], length, steps| {
            for place in 0..length {
                out[start + place] = if conditions[c + place * steps[0]] {
                    x[i + place * steps[1]]
                } else {
                    y[j + place * steps[2]]
                };
            }
        },
    );
    Ok(())
}

impl Kernel for Choice {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(1)?;
        match view.values {
            Values::F32(_) => choose::<f32>(call, &mut out[0]),
            Values::F64(_) => choose::<f64>(call, &mut out[0]),
            Values::I64(_) => choose::<i64>(call, &mut out[0]),
            Values::Bool(_) => choose::<bool>(call, &mut out[0]),
            Values::Str(_) => Err(wrong_type(1, view, "numbers or bool")),
        }
    }
}
