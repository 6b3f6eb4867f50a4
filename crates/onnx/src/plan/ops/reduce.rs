//! Sums, products and extremes along axes; softmax and norms along one.

use super::pick::Around;
use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    L1,
    L2,
    LogSum,
    LogSumExp,
    Max,
    Mean,
    Min,
    Prod,
    Sum,
    SumSquare,
}

#[derive(Debug)]
struct Reduce {
    what: What,
    axes: Option<Vec<i64>>,
    keep: bool,
    /// No axes mean none instead of all.
    none: bool,
}

pub(super) fn build(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 2)?;
    Ok(Box::new(Reduce {
        what: match build.operator {
            "ReduceL1" => What::L1,
            "ReduceL2" => What::L2,
            "ReduceLogSum" => What::LogSum,
            "ReduceLogSumExp" => What::LogSumExp,
            "ReduceMax" => What::Max,
            "ReduceMean" => What::Mean,
            "ReduceMin" => What::Min,
            "ReduceProd" => What::Prod,
            "ReduceSum" => What::Sum,
            _ => What::SumSquare,
        },
        axes: build.attributes.ints("axes")?,
        keep: build.attributes.int("keepdims", 1)? != 0,
        none: build.attributes.int("noop_with_empty_axes", 0)? != 0,
    }))
}

/// One sum, wide enough that the order of its parts does not show.
fn reduced(what: What, values: impl Iterator<Item = f64> + Clone, count: usize) -> f64 {
    match what {
        What::L1 => values.map(f64::abs).sum(),
        What::L2 => values.map(|value| value * value).sum::<f64>().sqrt(),
        What::LogSum => values.sum::<f64>().ln(),
        What::LogSumExp => {
            let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
            if most.is_finite() {
                most + values.map(|value| (value - most).exp()).sum::<f64>().ln()
            } else {
                most
            }
        }
        What::Max => values.fold(f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b }),
        What::Mean => values.sum::<f64>() / count as f64,
        What::Min => values.fold(f64::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b }),
        What::Prod => values.product(),
        What::Sum => values.sum(),
        What::SumSquare => values.map(|value| value * value).sum(),
    }
}

fn whole(what: What, values: impl Iterator<Item = i64>, count: usize) -> Option<i64> {
    Some(match what {
        What::L1 => values.fold(0, |sum, value| sum.wrapping_add(value.wrapping_abs())),
        What::Max => values.max().unwrap_or(i64::MIN),
        What::Mean => values.fold(0i64, i64::wrapping_add) / (count.max(1) as i64),
        What::Min => values.min().unwrap_or(i64::MAX),
        What::Prod => values.fold(1, i64::wrapping_mul),
        What::Sum => values.fold(0, i64::wrapping_add),
        What::SumSquare => values.fold(0, |sum, value| sum.wrapping_add(value.wrapping_mul(value))),
        What::L2 | What::LogSum | What::LogSumExp => return None,
    })
}

/// Where the elements of one result are: `start + outer * steps + ...` along the reduced axes.
struct Gone {
    sizes: [usize; MAX_RANK],
    steps: [usize; MAX_RANK],
    count: usize,
}

impl Gone {
    fn places(&self, start: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        (0..self.count).map(move |mut number| {
            let mut place = start;
            for axis in (0..MAX_RANK).rev() {
                place += number % self.sizes[axis] * self.steps[axis];
                number /= self.sizes[axis];
            }
            place
        })
    }
}

impl Kernel for Reduce {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let rank = from.shape.len();
        let mut gone = [false; MAX_RANK];
        let axes = super::shapes::axes(call, &self.axes)?.unwrap_or(&[]);
        if axes.is_empty() {
            gone = [!self.none; MAX_RANK];
        }
        for place in axes {
            gone[axis(*place, rank)?] = true;
        }
        let strides = super::broadcast::strides(from.shape, rank);
        let mut inner = Gone {
            sizes: [1; MAX_RANK],
            steps: [0; MAX_RANK],
            count: 1,
        };
        let (mut sizes, mut kept, mut stays, mut steps, mut left) =
            ([0; MAX_RANK], 0, [1; MAX_RANK], [0; MAX_RANK], 0);
        for place in 0..rank {
            if gone[place] {
                inner.sizes[place] = from.shape[place].max(1);
                inner.steps[place] = strides[place];
                inner.count *= from.shape[place];
            } else {
                stays[left] = from.shape[place];
                steps[left] = strides[place];
                left += 1;
            }
            if !gone[place] || self.keep {
                sizes[kept] = if gone[place] { 1 } else { from.shape[place] };
                kept += 1;
            }
        }
        let shape = Shape::new(&sizes[..kept])?;
        if inner.count == 0 && shape.count() > 0 && matches!(self.what, What::Max | What::Min) {
            return Err(Fault::input(0, &from.shape, "something along the axes"));
        }
        call.spend(from.values.len())?;
        let start = |mut number: usize| {
            let mut place = 0;
            for axis in (0..left).rev() {
                place += number % stays[axis] * steps[axis];
                number /= stays[axis];
            }
            place
        };
        match from.values {
            Values::F32(values) => {
                let out = call.room::<f32>(&mut out[0], shape)?;
                for (number, out) in out.iter_mut().enumerate() {
                    let values = inner.places(start(number)).map(|place| f64::from(values[place]));
                    *out = reduced(self.what, values, inner.count) as f32;
                }
            }
            Values::F64(values) => {
                let out = call.room::<f64>(&mut out[0], shape)?;
                for (number, out) in out.iter_mut().enumerate() {
                    let values = inner.places(start(number)).map(|place| values[place]);
                    *out = reduced(self.what, values, inner.count);
                }
            }
            Values::I64(values) => {
                let out = call.room::<i64>(&mut out[0], shape)?;
                for (number, out) in out.iter_mut().enumerate() {
                    let values = inner.places(start(number)).map(|place| values[place]);
                    let sum = whole(self.what, values, inner.count);
                    *out = sum.ok_or_else(|| wrong_type(0, from, "float32 or float64"))?;
                }
            }
            _ => return Err(wrong_type(0, from, "numbers")),
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Along {
    Softmax { axis: i64, log: bool, flat: bool },
    Lp { axis: i64, square: bool },
}

pub(super) fn softmax(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    // Before opset 13 everything from the axis on was one.
    let flat = build.opset < 13;
    Ok(Box::new(Along::Softmax {
        axis: build.attributes.int("axis", if flat { 1 } else { -1 })?,
        log: build.operator == "LogSoftmax",
        flat,
    }))
}

pub(super) fn lp_normalization(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let p = build.attributes.int("p", 2)?;
    if !(1..=2).contains(&p) {
        return Err(Fault::attribute("p", &p, "1 or 2"));
    }
    Ok(Box::new(Along::Lp {
        axis: build.attributes.int("axis", -1)?,
        square: p == 2,
    }))
}

impl Along {
    fn lanes<T: Real>(&self, from: &[T], around: Around, out: &mut [T]) {
        for lane in 0..around.outer * around.inner {
            let start = lane / around.inner * around.size * around.inner + lane % around.inner;
            let places = (0..around.size).map(|index| start + index * around.inner);
            let values = || places.clone().map(|place| from[place].wide());
            match self {
                Along::Softmax { log, .. } => {
                    let most = values().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = values().map(|value| (value - most).exp()).sum();
                    for place in places {
                        let value = from[place].wide() - most;
                        out[place] = T::from_f64(if *log { value - sum.ln() } else { value.exp() / sum });
                    }
                }
                Along::Lp { square, .. } => {
                    let norm = if *square {
                        values().map(|value| value * value).sum::<f64>().sqrt()
                    } else {
                        values().map(f64::abs).sum()
                    };
                    for place in places {
                        let value = from[place].wide();
                        out[place] = T::from_f64(if norm == 0.0 { 0.0 } else { value / norm });
                    }
                }
            }
        }
    }
}

impl Kernel for Along {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let (Along::Softmax { axis: at, .. } | Along::Lp { axis: at, .. }) = self;
        let at = axis(*at, from.shape.len())?;
        let mut around = Around::new(from.shape, at);
        if let Along::Softmax { flat: true, .. } = self {
            around.size *= around.inner;
            around.inner = 1;
        }
        call.spend(from.values.len().saturating_mul(4))?;
        let shape = Shape::new(from.shape)?;
        match from.values {
            Values::F32(values) => self.lanes(values, around, call.room(&mut out[0], shape)?),
            Values::F64(values) => self.lanes(values, around, call.room(&mut out[0], shape)?),
            _ => return Err(wrong_type(0, from, "float32 or float64")),
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Cumulative {
    exclusive: bool,
    reverse: bool,
}

/// `CumSum`.
pub(super) fn cumulative(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Cumulative {
        exclusive: build.attributes.int("exclusive", 0)? != 0,
        reverse: build.attributes.int("reverse", 0)? != 0,
    }))
}

impl Cumulative {
    fn lanes<T: Scalar>(&self, from: &[T], around: Around, out: &mut [T], add: impl Fn(T, T) -> T) {
        for lane in 0..around.outer * around.inner {
            let start = lane / around.inner * around.size * around.inner + lane % around.inner;
            let mut sum = T::default();
            for step in 0..around.size {
                let index = if self.reverse {
                    around.size - 1 - step
                } else {
                    step
                };
                let place = start + index * around.inner;
                let next = add(sum, from[place]);
                out[place] = if self.exclusive { sum } else { next };
                sum = next;
            }
        }
    }
}

impl Kernel for Cumulative {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let at = match ints(1, call.get(1)?)? {
            [at] => axis(*at, from.shape.len())?,
            other => return Err(Fault::input(1, &other.len(), "one axis")),
        };
        let (shape, around) = (Shape::new(from.shape)?, Around::new(from.shape, at));
        match from.values {
            Values::F32(values) => self.lanes(values, around, call.room(&mut out[0], shape)?, |a, b| a + b),
            Values::F64(values) => self.lanes(values, around, call.room(&mut out[0], shape)?, |a, b| a + b),
            Values::I64(values) => {
                self.lanes(values, around, call.room(&mut out[0], shape)?, i64::wrapping_add)
            }
            _ => return Err(wrong_type(0, from, "numbers")),
        }
        Ok(())
    }
}
