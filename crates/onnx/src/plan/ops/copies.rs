//! Operators that make new shapes: constants, repetitions, other orders, parts.

use super::broadcast::{runs, shape as stretched, strides};
use super::shapes::{pass, pick};
use super::*;

/// A tensor of the file: `Constant`, or the value that `ConstantOfShape` repeats.
#[derive(Debug)]
enum Fixed {
    Whole(Tensor),
    Filled(Tensor),
    Shape,
}

pub(super) fn constant(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(0, 0)?;
    let list = |data, count| {
        Ok::<_, Fault>(Tensor {
            shape: Shape::new(&[count])?,
            data,
        })
    };
    let one = |data| {
        Ok::<_, Fault>(Tensor {
            shape: Shape::new(&[])?,
            data,
        })
    };
    let attributes = &mut build.attributes;
    let tensor = if let Some(tensor) = attributes.tensor("value")? {
        tensor
    } else if let Some(value) = attributes.optional_float("value_float")? {
        one(Data::F32(vec![value]))?
    } else if let Some(value) = attributes.optional_int("value_int")? {
        one(Data::I64(vec![value]))?
    } else if let Some(values) = attributes.floats("value_floats")? {
        let count = values.len();
        list(Data::F32(values), count)?
    } else if let Some(values) = attributes.ints("value_ints")? {
        let count = values.len();
        list(Data::I64(values), count)?
    } else {
        let values = attributes.strings("value_strings")?;
        let values = attrs::required("value", values, "a tensor")?;
        let count = values.len();
        list(Data::Str(values), count)?
    };
    Ok(Box::new(Fixed::Whole(tensor)))
}

pub(super) fn filled(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let value = match build.attributes.tensor("value")? {
        Some(value) => value,
        None => Tensor {
            shape: Shape::new(&[1])?,
            data: Data::F32(vec![0.0]),
        },
    };
    same_count("values of attribute \"value\"", value.shape.count(), 1)?;
    Ok(Box::new(Fixed::Filled(value)))
}

pub(super) fn shape(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(Fixed::Shape))
}

/// Sizes as a tensor's values.
fn sizes(position: usize, view: View<'_>) -> Result<Shape, Fault> {
    let wanted = ints(position, view)?;
    let mut sizes = [0; MAX_RANK];
    if wanted.len() > MAX_RANK {
        return Err(Fault::limit("dimensions", wanted.len(), MAX_RANK));
    }
    for (size, wanted) in sizes.iter_mut().zip(wanted) {
        *size = usize::try_from(*wanted).map_err(|_| Fault::input(position, wanted, "a size"))?;
    }
    Shape::new(&sizes[..wanted.len()])
}

impl Kernel for Fixed {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        match self {
            Fixed::Whole(tensor) => pass(call, &mut out[0], tensor.shape, tensor.view()),
            Fixed::Filled(tensor) => {
                let shape = sizes(0, call.get(0)?)?;
                let count = shape.count();
                pick(call, &mut out[0], shape, tensor.view(), &mut |each| {
                    (0..count).for_each(|_| each(0))
                })
            }
            Fixed::Shape => {
                let from = call.get(0)?;
                let out = call.room::<i64>(&mut out[0], Shape::new(&[from.shape.len()])?)?;
                out.iter_mut()
                    .zip(from.shape)
                    .for_each(|(out, size)| *out = *size as i64);
                Ok(())
            }
        }
    }
}

#[derive(Debug)]
enum Repeated {
    Expand,
    Tile,
}

pub(super) fn expand(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Repeated::Expand))
}

pub(super) fn tile(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Repeated::Tile))
}

impl Kernel for Repeated {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let wanted = sizes(1, call.get(1)?)?;
        if let Repeated::Expand = self {
            let shape = stretched(&[from.shape, &wanted])?;
            return pick(call, &mut out[0], shape, from, &mut |each| {
                runs(shape, [from.shape], |_, [place], length, [step]| {
                    (0..length).for_each(|offset| each(place + offset * step));
                });
            });
        }
        same_count("repeats", wanted.len(), from.shape.len())?;
        let mut sizes = [0; MAX_RANK];
        for (size, (old, times)) in sizes.iter_mut().zip(from.shape.iter().zip(&*wanted)) {
            *size = old.saturating_mul(*times);
        }
        let shape = Shape::new(&sizes[..wanted.len()])?;
        let steps = strides(from.shape, from.shape.len());
        pick(call, &mut out[0], shape, from, &mut |each| {
            walk(&shape, |index| {
                let place = (0..index.len()).map(|axis| index[axis] % from.shape[axis] * steps[axis]);
                each(place.sum());
            });
        })
    }
}

/// Calls `each` with every index of a shape, in order.
fn walk(shape: &[usize], mut each: impl FnMut(&[usize])) {
    let mut index = [0usize; MAX_RANK];
    let index = &mut index[..shape.len()];
    for _ in 0..shape.iter().product() {
        each(index);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
}

#[derive(Debug)]
struct Transpose {
    order: Option<Vec<usize>>,
}

pub(super) fn transpose(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let order = match build.attributes.ints("perm")? {
        None => None,
        Some(order) => {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            if order.len() > MAX_RANK || !sorted.iter().copied().eq(0..order.len() as i64) {
                return Err(Fault::attribute("perm", &order, "each axis once"));
            }
            Some(order.into_iter().map(|axis| axis as usize).collect())
        }
    };
    Ok(Box::new(Transpose { order }))
}

impl Kernel for Transpose {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let rank = from.shape.len();
        let mut order = [0; MAX_RANK];
        (0..rank).for_each(|axis| order[axis] = rank - 1 - axis);
        if let Some(wanted) = &self.order {
            same_count("axes of attribute \"perm\"", wanted.len(), rank)?;
            order[..rank].copy_from_slice(wanted);
        }
        let (mut sizes, mut steps) = ([0; MAX_RANK], [0; MAX_RANK]);
        let old = strides(from.shape, rank);
        for axis in 0..rank {
            sizes[axis] = from.shape[order[axis]];
            steps[axis] = old[order[axis]];
        }
        let shape = Shape::new(&sizes[..rank])?;
        pick(call, &mut out[0], shape, from, &mut |each| {
            walk(&shape, |index| {
                each(index.iter().zip(&steps).map(|(index, step)| index * step).sum())
            });
        })
    }
}

#[derive(Debug)]
struct Split {
    axis: i64,
    sizes: Vec<usize>,
}

/// The sizes of the parts are an attribute (before opset 13) or a constant input: the plan has to
/// know how many parts there are.
pub(super) fn split(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 2)?;
    let at = build.attributes.int("axis", 0)?;
    let mut wanted = build.attributes.ints("split")?;
    if let Some(view) = build.inputs.constant(1) {
        wanted = Some(ints(1, view)?.to_vec());
    }
    if wanted.is_none() && build.attributes.has("num_outputs") {
        let parts = build.attributes.int("num_outputs", 1)?;
        let from = build.inputs.get(0)?;
        let whole = from.shape[axis(at, from.shape.len())?];
        let parts = usize::try_from(parts)
            .ok()
            .filter(|parts| (1..=whole.max(1)).contains(parts));
        let parts =
            parts.ok_or_else(|| Fault::attribute("num_outputs", &whole, "at most the size of the axis"))?;
        let each = whole.div_ceil(parts);
        wanted = Some(
            (0..parts)
                .map(|part| whole.saturating_sub(part * each).min(each) as i64)
                .collect(),
        );
    }
    let wanted = attrs::required("split", wanted, "the sizes of the parts, as a constant")?;
    if wanted.len() > build.limits.nodes {
        return Err(Fault::limit("parts", wanted.len(), build.limits.nodes));
    }
    let mut sizes = Vec::with_capacity(wanted.len());
    for size in &wanted {
        sizes.push(usize::try_from(*size).map_err(|_| Fault::attribute("split", &wanted, "sizes"))?);
    }
    Ok(Box::new(Split { axis: at, sizes }))
}

impl Kernel for Split {
    fn outputs(&self) -> usize {
        self.sizes.len()
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let at = axis(self.axis, from.shape.len())?;
        let whole = self
            .sizes
            .iter()
            .try_fold(0usize, |sum, size| sum.checked_add(*size));
        same_count(
            "elements of all parts",
            whole.unwrap_or(usize::MAX),
            from.shape[at],
        )?;
        let inner: usize = from.shape[at + 1..].iter().product();
        let outer: usize = from.shape[..at].iter().product();
        let mut before = 0;
        for (out, &size) in out.iter_mut().zip(&self.sizes) {
            let mut sizes = [0; MAX_RANK];
            sizes[..from.shape.len()].copy_from_slice(from.shape);
            sizes[at] = size;
            let shape = Shape::new(&sizes[..from.shape.len()])?;
            pick(call, out, shape, from, &mut |each| {
                for outer in 0..outer {
                    let start = (outer * from.shape[at] + before) * inner;
                    (start..start + size * inner).for_each(&mut *each);
                }
            })?;
            before += size;
        }
        Ok(())
    }
}
