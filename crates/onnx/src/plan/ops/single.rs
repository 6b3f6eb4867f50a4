//! Operators of one element at a time.

use super::*;

/// A function of numbers; integers only where that makes sense.
#[derive(Debug)]
struct Single {
    f32: fn(f32) -> f32,
    f64: fn(f64) -> f64,
    i64: Option<fn(i64) -> i64>,
}

pub(super) fn build(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let real = |f32, f64| Single { f32, f64, i64: None };
    let number = |f32, f64, i64| Single {
        f32,
        f64,
        i64: Some(i64),
    };
    Ok(Box::new(match build.operator {
        "Abs" => number(f32::abs, f64::abs, i64::wrapping_abs),
        "Ceil" => real(f32::ceil, f64::ceil),
        "Erf" => real(|x| erf(f64::from(x)) as f32, erf),
        "Exp" => real(f32::exp, f64::exp),
        "Floor" => real(f32::floor, f64::floor),
        "Log" => real(f32::ln, f64::ln),
        "Neg" => number(|x| -x, |x| -x, i64::wrapping_neg),
        "Reciprocal" => real(|x| 1.0 / x, |x| 1.0 / x),
        "Relu" => number(
            |x| if x < 0.0 { 0.0 } else { x },
            |x| if x < 0.0 { 0.0 } else { x },
            |x| x.max(0),
        ),
        "Round" => real(f32::round_ties_even, f64::round_ties_even),
        "Sigmoid" => real(|x| 1.0 / (1.0 + (-x).exp()), |x| 1.0 / (1.0 + (-x).exp())),
        "Sign" => number(
            |x| if x == 0.0 || x.is_nan() { 0.0 } else { x.signum() },
            |x| if x == 0.0 || x.is_nan() { 0.0 } else { x.signum() },
            i64::signum,
        ),
        "Softplus" => real(
            |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
            |x| x.max(0.0) + (-x.abs()).exp().ln_1p(),
        ),
        "Sqrt" => real(f32::sqrt, f64::sqrt),
        _ => real(f32::tanh, f64::tanh),
    }))
}

/// The error function: W. J. Cody's rational approximations are long, the series and the continued
/// fraction below are exact to the last digits and quick enough for what uses it.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a.is_nan() || a > 6.0 {
        return if a.is_nan() { x } else { x.signum() };
    }
    if a < 2.5 {
        let (mut term, mut sum) = (a, a);
        for n in 1..80 {
            term *= -a * a / f64::from(n);
            let part = term / f64::from(2 * n + 1);
            sum += part;
            if part.abs() < 1e-17 * sum.abs() {
                break;
            }
        }
        return (sum * std::f64::consts::FRAC_2_SQRT_PI).copysign(x);
    }
    // erfc by its continued fraction, from the inside out.
    let mut fraction = a;
    for n in (1..60).rev() {
        fraction = a + f64::from(n) / 2.0 / fraction;
    }
    let rest = (-a * a).exp() / fraction * (std::f64::consts::FRAC_2_SQRT_PI / 2.0);
    (1.0 - rest).copysign(x)
}

impl Kernel for Single {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let shape = Shape::new(view.shape)?;
        match (view.values, self.i64) {
            (Values::F32(values), _) => map(call, &mut out[0], shape, values, self.f32),
            (Values::F64(values), _) => map(call, &mut out[0], shape, values, self.f64),
            (Values::I64(values), Some(f)) => map(call, &mut out[0], shape, values, f),
            _ => Err(wrong_type(0, view, "numbers")),
        }
    }
}

pub(super) fn map<A: Copy, B: Scalar>(
    call: &mut Call<'_>,
    out: &mut Tensor,
    shape: Shape,
    values: &[A],
    f: impl Fn(A) -> B,
) -> Result<(), Fault> {
    let out = call.room::<B>(out, shape)?;
    out.iter_mut()
        .zip(values)
        .for_each(|(out, value)| *out = f(*value));
    Ok(())
}

#[derive(Debug)]
struct IsNan;

pub(super) fn is_nan(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(IsNan))
}

impl Kernel for IsNan {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let shape = Shape::new(view.shape)?;
        match view.values {
            Values::F32(values) => map(call, &mut out[0], shape, values, f32::is_nan),
            Values::F64(values) => map(call, &mut out[0], shape, values, f64::is_nan),
            _ => Err(wrong_type(0, view, "float32 or float64")),
        }
    }
}

#[derive(Debug)]
struct Not;

pub(super) fn not(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(Not))
}

impl Kernel for Not {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let Values::Bool(values) = view.values else {
            return Err(wrong_type(0, view, "bool"));
        };
        map(
            call,
            &mut out[0],
            Shape::new(view.shape)?,
            values,
            |value: bool| !value,
        )
    }
}

/// Bounds as attributes (before opset 11) or as inputs.
#[derive(Debug)]
struct Clip {
    least: f32,
    most: f32,
}

pub(super) fn clip(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 3)?;
    Ok(Box::new(Clip {
        least: build.attributes.float("min", f32::MIN)?,
        most: build.attributes.float("max", f32::MAX)?,
    }))
}

/// The only element of an optional input.
fn bound<T: Scalar>(call: &Call<'_>, position: usize) -> Result<Option<T>, Fault> {
    let Some(view) = call.inputs.optional(position) else {
        return Ok(None);
    };
    match T::slice(&view.values) {
        Some([bound]) => Ok(Some(*bound)),
        _ => Err(Fault::input(position, &view.shape, format!("one {}", T::ELEMENT))),
    }
}

impl Kernel for Clip {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let shape = Shape::new(view.shape)?;
        match view.values {
            Values::F32(values) => {
                let (least, most) = (
                    bound(call, 1)?.unwrap_or(self.least),
                    bound(call, 2)?.unwrap_or(self.most),
                );
                let clip = |x: f32| if x < least { least } else { x };
                map(call, &mut out[0], shape, values, |x| {
                    if clip(x) > most { most } else { clip(x) }
                })
            }
            Values::F64(values) => {
                let least = bound(call, 1)?.unwrap_or(f64::from(self.least));
                let most = bound(call, 2)?.unwrap_or(f64::from(self.most));
                let clip = |x: f64| if x < least { least } else { x };
                map(call, &mut out[0], shape, values, |x| {
                    if clip(x) > most { most } else { clip(x) }
                })
            }
            Values::I64(values) => {
                let least = bound(call, 1)?.unwrap_or(i64::MIN);
                let most = bound(call, 2)?.unwrap_or(i64::MAX);
                map(call, &mut out[0], shape, values, |x: i64| x.max(least).min(most))
            }
            _ => Err(wrong_type(0, view, "numbers")),
        }
    }
}
