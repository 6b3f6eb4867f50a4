//! Operators that choose elements: by index, by range, by rank.

use super::shapes::pick;
use super::*;

/// A tensor seen as `[outer, size, inner]` around one axis.
#[derive(Clone, Copy)]
pub(super) struct Around {
    pub(super) outer: usize,
    pub(super) size: usize,
    pub(super) inner: usize,
}

impl Around {
    pub(super) fn new(shape: &[usize], axis: usize) -> Self {
        Around {
            outer: shape[..axis].iter().product(),
            size: shape[axis],
            inner: shape[axis + 1..].iter().product(),
        }
    }
}

/// `shape` with another size along one axis.
fn resized(shape: &[usize], axis: usize, size: usize) -> Result<Shape, Fault> {
    let mut sizes = [0; MAX_RANK];
    sizes[..shape.len()].copy_from_slice(shape);
    sizes[axis] = size;
    Shape::new(&sizes[..shape.len()])
}

/// An index counted from either end, in `0..size`. One without meaning is the first in a rehearsal.
fn index(position: usize, value: i64, size: usize, rehearsal: bool) -> Result<usize, Fault> {
    let from_start = if value < 0 {
        value.saturating_add(size as i64)
    } else {
        value
    };
    match usize::try_from(from_start) {
        Ok(index) if index < size => Ok(index),
        _ if rehearsal && size > 0 => Ok(0),
        _ => Err(Fault::input(position, &value, format!("an index below {size}"))),
    }
}

/// Checks every index; `size` is not looked at when there are none.
fn check(position: usize, values: &[i64], size: usize, rehearsal: bool) -> Result<(), Fault> {
    values
        .iter()
        .try_for_each(|value| index(position, *value, size, rehearsal).map(drop))
}

/// `ArgMax` and `ArgMin`.
#[derive(Debug)]
struct Arg {
    axis: i64,
    keep: bool,
    last: bool,
    least: bool,
}

pub(super) fn arg(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(Arg {
        axis: build.attributes.int("axis", 0)?,
        keep: build.attributes.int("keepdims", 1)? != 0,
        last: build.attributes.int("select_last_index", 0)? != 0,
        least: build.operator == "ArgMin",
    }))
}

impl Arg {
    fn best<T: Scalar + PartialOrd>(&self, values: &[T], around: Around, out: &mut [i64]) {
        for (place, out) in out.iter_mut().enumerate() {
            let start = place / around.inner * around.size * around.inner + place % around.inner;
            let at = |index: usize| values[start + index * around.inner];
            let mut best = 0;
            for index in 1..around.size {
                let (a, b) = if self.least {
                    (at(best), at(index))
                } else {
                    (at(index), at(best))
                };
                if a > b || (self.last && a == b) {
                    best = index;
                }
            }
            *out = best as i64;
        }
    }
}

impl Kernel for Arg {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let at = axis(self.axis, from.shape.len())?;
        let around = Around::new(from.shape, at);
        let mut sizes = [0; MAX_RANK];
        let mut rank = 0;
        for (place, size) in from.shape.iter().enumerate() {
            if place != at || self.keep {
                sizes[rank] = if place == at { 1 } else { *size };
                rank += 1;
            }
        }
        let shape = Shape::new(&sizes[..rank])?;
        if around.size == 0 && shape.count() > 0 {
            return Err(Fault::input(0, &from.shape, "something along the axis"));
        }
        call.spend(from.values.len())?;
        let out = call.room::<i64>(&mut out[0], shape)?;
        match from.values {
            Values::F32(values) => self.best(values, around, out),
            Values::F64(values) => self.best(values, around, out),
            Values::I64(values) => self.best(values, around, out),
            _ => return Err(wrong_type(0, from, "numbers")),
        }
        Ok(())
    }
}

#[derive(Debug)]
enum Gather {
    /// Along an axis, with the shape of the indices in place of it.
    Axis(i64),
    /// An index for each element.
    Elements(i64),
    /// `ArrayFeatureExtractor`: columns, of one row too.
    Columns,
}

pub(super) fn gather(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Gather::Axis(build.attributes.int("axis", 0)?)))
}

pub(super) fn gather_elements(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Gather::Elements(build.attributes.int("axis", 0)?)))
}

pub(super) fn columns(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Gather::Columns))
}

impl Kernel for Gather {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let (from, wanted) = (call.get(0)?, call.get(1)?);
        let (indices, rehearsal) = (ints(1, wanted)?, call.rehearsal);
        let rank = from.shape.len();
        let at = match self {
            Gather::Axis(at) | Gather::Elements(at) => axis(*at, rank)?,
            Gather::Columns => axis(-1, rank)?,
        };
        let around = Around::new(from.shape, at);
        check(1, indices, around.size, rehearsal)?;
        // Checked a line above.
        let index = |value: i64| index(1, value, around.size, rehearsal).unwrap_or(0);
        match self {
            Gather::Elements(_) => {
                let fits = wanted.shape.len() == rank
                    && (0..rank).all(|place| place == at || wanted.shape[place] <= from.shape[place]);
                let same =
                    (0..rank).all(|place| place == at || wanted.shape.get(place) == from.shape.get(place));
                if !fits || !same {
                    let expected = format!("like {:?} but along axis {at}", from.shape);
                    return Err(Fault::input(1, &wanted.shape, expected));
                }
                let shape = Shape::new(wanted.shape)?;
                let (count, inner) = (wanted.shape[at], around.inner);
                pick(call, &mut out[0], shape, from, &mut |each| {
                    for (place, value) in indices.iter().enumerate() {
                        let outer = place / (count * inner);
                        each((outer * around.size + index(*value)) * inner + place % inner);
                    }
                })
            }
            Gather::Axis(_) | Gather::Columns => {
                let mut sizes = [0; 2 * MAX_RANK];
                let shape = if let Gather::Columns = self {
                    // The indices are a list whatever their shape; one row stays a row.
                    sizes[..rank].copy_from_slice(from.shape);
                    sizes[rank - 1] = indices.len();
                    match rank {
                        1 => Shape::new(&[1, indices.len()])?,
                        _ => Shape::new(&sizes[..rank])?,
                    }
                } else {
                    let parts = [&from.shape[..at], wanted.shape, &from.shape[at + 1..]];
                    let count = parts.iter().map(|part| part.len()).sum();
                    let all = parts.into_iter().flatten();
                    sizes.iter_mut().zip(all).for_each(|(out, size)| *out = *size);
                    Shape::new(&sizes[..count])?
                };
                pick(call, &mut out[0], shape, from, &mut |each| {
                    for outer in 0..around.outer {
                        for value in indices {
                            let start = (outer * around.size + index(*value)) * around.inner;
                            (start..start + around.inner).for_each(&mut *each);
                        }
                    }
                })
            }
        }
    }
}

/// Starts, ends, axes and steps as attributes (before opset 10) or as inputs.
#[derive(Debug)]
struct Slice {
    attributes: [Option<Vec<i64>>; 3],
}

pub(super) fn slice(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 5)?;
    let mut take = |name| build.attributes.ints(name);
    Ok(Box::new(Slice {
        attributes: [take("starts")?, take("ends")?, take("axes")?],
    }))
}

impl Slice {
    fn list<'a>(&'a self, call: &Call<'a>, number: usize) -> Result<Option<&'a [i64]>, Fault> {
        match (self.attributes.get(number), call.inputs.optional(number + 1)) {
            (Some(Some(list)), _) => Ok(Some(list)),
            (_, Some(view)) => ints(number + 1, view).map(Some),
            _ => Ok(None),
        }
    }
}

impl Kernel for Slice {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let rank = from.shape.len();
        let missing = || Fault::input(1, &"left out", "starts and ends");
        let starts = self.list(call, 0)?.ok_or_else(missing)?;
        let ends = self.list(call, 1)?.ok_or_else(missing)?;
        let (axes, steps) = (self.list(call, 2)?, self.list(call, 3)?);
        same_count("ends", ends.len(), starts.len())?;
        if let Some(axes) = axes {
            same_count("axes", axes.len(), starts.len())?;
        }
        if let Some(steps) = steps {
            same_count("steps", steps.len(), starts.len())?;
        }
        let (mut first, mut step, mut sizes) = ([0i64; MAX_RANK], [1i64; MAX_RANK], [0; MAX_RANK]);
        sizes[..rank].copy_from_slice(from.shape);
        for (number, (start, end)) in starts.iter().zip(ends).enumerate() {
            let at = axis(axes.map_or(number as i64, |axes| axes[number]), rank)?;
            let by = steps.map_or(1, |steps| steps[number]);
            if by == 0 || by == i64::MIN {
                return Err(Fault::input(4, &by, "steps other than 0"));
            }
            let size = from.shape[at] as i64;
            let (least, most) = if by > 0 { (0, size) } else { (-1, size - 1) };
            let from_start = |value: i64| {
                if value < 0 {
                    value.saturating_add(size)
                } else {
                    value
                }
            };
            let (start, end) = (
                from_start(*start).clamp(least, most),
                from_start(*end).clamp(least, most),
            );
            let length = if by > 0 { end - start } else { start - end };
            first[at] = start;
            step[at] = by;
            sizes[at] = (length.max(0) as usize).div_ceil(by.unsigned_abs() as usize);
        }
        let shape = Shape::new(&sizes[..rank])?;
        let strides = super::broadcast::strides(from.shape, rank);
        pick(call, &mut out[0], shape, from, &mut |each| {
            let mut index = [0usize; MAX_RANK];
            for _ in 0..shape.count() {
                let place = (0..rank)
                    .map(|axis| (first[axis] + index[axis] as i64 * step[axis]) as usize * strides[axis]);
                each(place.sum());
                for axis in (0..rank).rev() {
                    index[axis] += 1;
                    if index[axis] < shape[axis] {
                        break;
                    }
                    index[axis] = 0;
                }
            }
        })
    }
}

/// An order of all numbers: NaN is above the others. Sorting panics without one.
fn total<T: PartialOrd + Copy>(x: T, y: T) -> std::cmp::Ordering {
    let is_nan = |value: T| value.partial_cmp(&value).is_none();
    x.partial_cmp(&y).unwrap_or_else(|| is_nan(x).cmp(&is_nan(y)))
}

/// The largest or smallest along an axis, with their places.
#[derive(Debug)]
struct Top {
    axis: i64,
    largest: bool,
    /// Before opset 10.
    k: Option<i64>,
}

pub(super) fn top(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 2)?;
    build.attributes.ignore("sorted");
    Ok(Box::new(Top {
        axis: build.attributes.int("axis", -1)?,
        largest: build.attributes.int("largest", 1)? != 0,
        k: build.attributes.optional_int("k")?,
    }))
}

impl Top {
    fn top<T: Scalar + PartialOrd>(
        &self,
        call: &mut Call<'_>,
        values: &[T],
        (around, shape, count): (Around, Shape, usize),
        out: &mut [Tensor],
    ) -> Result<(), Fault> {
        let [best, places, order] = out else {
            return Ok(());
        };
        let order = call.room::<i64>(order, Shape::new(&[around.size])?)?;
        let best = call.room::<T>(best, shape)?;
        let places = call.room::<i64>(places, shape)?;
        for lane in 0..around.outer * around.inner {
            let (outer, inner) = (lane / around.inner, lane % around.inner);
            let at = |index: i64| values[(outer * around.size + index as usize) * around.inner + inner];
            (0i64..)
                .zip(order.iter_mut())
                .for_each(|(index, out)| *out = index);
            order.sort_unstable_by(|&a, &b| {
                let (x, y) = if self.largest {
                    (at(b), at(a))
                } else {
                    (at(a), at(b))
                };
                total(x, y).then(a.cmp(&b))
            });
            for (rank, &index) in order[..count].iter().enumerate() {
                let place = (outer * count + rank) * around.inner + inner;
                best[place] = at(index);
                places[place] = index;
            }
        }
        Ok(())
    }
}

impl Kernel for Top {
    fn outputs(&self) -> usize {
        2
    }

    fn temporaries(&self) -> usize {
        1
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let at = axis(self.axis, from.shape.len())?;
        let around = Around::new(from.shape, at);
        let k = match self.k {
            Some(k) => k,
            None => match ints(1, call.get(1)?)? {
                [k] => *k,
                other => return Err(Fault::input(1, &other.len(), "one number")),
            },
        };
        let k = usize::try_from(k).ok().filter(|k| *k <= around.size);
        let count = k.ok_or_else(|| Fault::input(1, &self.k, format!("at most {}", around.size)))?;
        let shape = resized(from.shape, at, count)?;
        call.spend(
            from.values
                .len()
                .saturating_mul(around.size.max(2).ilog2() as usize + 1),
        )?;
        let all = (around, shape, count);
        match from.values {
            Values::F32(values) => self.top(call, values, all, out),
            Values::F64(values) => self.top(call, values, all, out),
            Values::I64(values) => self.top(call, values, all, out),
            _ => Err(wrong_type(0, from, "numbers")),
        }
    }
}
