//! Operators that move elements without looking at them.

use super::*;

/// Copies what is in `from`, which has as many elements as `shape`.
pub(super) fn pass(call: &mut Call<'_>, out: &mut Tensor, shape: Shape, from: View<'_>) -> Result<(), Fault> {
    same_count("elements of the new shape", shape.count(), from.values.len())?;
    call.pay(shape)?;
    out.copy(shape, from.values);
    Ok(())
}

/// Says one place after the other to whom it is given.
pub(super) type Fill<'a> = dyn FnMut(&mut dyn FnMut(usize)) + 'a;

/// Fills `out` with elements of one input: `place(i)` says which one is the `i`th.
pub(super) fn pick(
    call: &mut Call<'_>,
    out: &mut Tensor,
    shape: Shape,
    from: View<'_>,
    fill: &mut Fill<'_>,
) -> Result<(), Fault> {
    fn numbers<T: Scalar>(out: &mut [T], from: &[T], fill: &mut Fill<'_>) {
        let mut next = out.iter_mut();
        fill(&mut |place| {
            if let Some(out) = next.next() {
                *out = from[place];
            }
        });
    }
    match from.values {
        Values::F32(values) => numbers(call.room(out, shape)?, values, fill),
        Values::F64(values) => numbers(call.room(out, shape)?, values, fill),
        Values::I64(values) => numbers(call.room(out, shape)?, values, fill),
        Values::Bool(values) => numbers(call.room(out, shape)?, values, fill),
        Values::Str(values) => {
            let out = call.strings(out, shape)?;
            fill(&mut |place| out.push(values.get(place)));
        }
    }
    Ok(())
}

#[derive(Debug)]
enum Reshaped {
    Same,
    Reshape { zero_is_zero: bool },
    Flatten { axis: i64 },
    Squeeze { axes: Option<Vec<i64>> },
    Unsqueeze { axes: Option<Vec<i64>> },
}

pub(super) fn identity(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(Reshaped::Same))
}

pub(super) fn reshape(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(2, 2)?;
    Ok(Box::new(Reshaped::Reshape {
        zero_is_zero: build.attributes.int("allowzero", 0)? != 0,
    }))
}

pub(super) fn flatten(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(Reshaped::Flatten {
        axis: build.attributes.int("axis", 1)?,
    }))
}

pub(super) fn squeeze(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 2)?;
    Ok(Box::new(Reshaped::Squeeze {
        axes: build.attributes.ints("axes")?,
    }))
}

pub(super) fn unsqueeze(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 2)?;
    Ok(Box::new(Reshaped::Unsqueeze {
        axes: build.attributes.ints("axes")?,
    }))
}

/// Axes as an attribute (before opset 13) or as input 1.
pub(super) fn axes<'a>(call: &Call<'a>, attribute: &'a Option<Vec<i64>>) -> Result<Option<&'a [i64]>, Fault> {
    match (attribute, call.inputs.optional(1)) {
        (Some(axes), _) => Ok(Some(axes)),
        (None, Some(view)) => ints(1, view).map(Some),
        (None, None) => Ok(None),
    }
}

impl Reshaped {
    fn shape(&self, call: &Call<'_>, from: View<'_>) -> Result<Shape, Fault> {
        let rank = from.shape.len();
        match self {
            Reshaped::Same => Shape::new(from.shape),
            Reshaped::Reshape { zero_is_zero } => {
                let wanted = ints(1, call.get(1)?)?;
                let mut sizes = [0; MAX_RANK];
                if wanted.len() > MAX_RANK {
                    return Err(Fault::limit("dimensions", wanted.len(), MAX_RANK));
                }
                let (mut known, mut open) = (1usize, None);
                for (place, &size) in wanted.iter().enumerate() {
                    sizes[place] = match size {
                        -1 if open.is_none() => {
                            open = Some(place);
                            continue;
                        }
                        0 if !zero_is_zero => *from.shape.get(place).ok_or_else(|| {
                            Fault::input(1, &wanted, format!("zeros within {rank} dimensions"))
                        })?,
                        size => usize::try_from(size)
                            .map_err(|_| Fault::input(1, &wanted, "sizes of which at most one is -1"))?,
                    };
                    known = known.saturating_mul(sizes[place]);
                }
                if let Some(place) = open {
                    sizes[place] = from.values.len().checked_div(known).unwrap_or(0);
                }
                Shape::new(&sizes[..wanted.len()])
            }
            Reshaped::Flatten { axis: at } => {
                let at = if *at == rank as i64 {
                    rank
                } else {
                    axis(*at, rank)?
                };
                Shape::new(&[
                    from.shape[..at].iter().product(),
                    from.shape[at..].iter().product(),
                ])
            }
            Reshaped::Squeeze { axes: attribute } => {
                let mut gone = [false; MAX_RANK];
                match axes(call, attribute)? {
                    None => (0..rank).for_each(|place| gone[place] = from.shape[place] == 1),
                    Some(axes) => {
                        for place in axes {
                            let place = axis(*place, rank)?;
                            if from.shape[place] != 1 {
                                return Err(Fault::input(0, &from.shape, format!("size 1 at axis {place}")));
                            }
                            gone[place] = true;
                        }
                    }
                }
                let mut sizes = [0; MAX_RANK];
                let mut count = 0;
                for place in (0..rank).filter(|place| !gone[*place]) {
                    sizes[count] = from.shape[place];
                    count += 1;
                }
                Shape::new(&sizes[..count])
            }
            Reshaped::Unsqueeze { axes: attribute } => {
                let axes = axes(call, attribute)?;
                let axes = axes.ok_or_else(|| Fault::input(1, &"left out", "axes"))?;
                let rank = rank + axes.len();
                if rank > MAX_RANK {
                    return Err(Fault::limit("dimensions", rank, MAX_RANK));
                }
                let mut new = [false; MAX_RANK];
                for place in axes {
                    let place = axis(*place, rank)?;
                    if std::mem::replace(&mut new[place], true) {
                        return Err(Fault::input(1, &axes, "each axis once"));
                    }
                }
                let mut sizes = [1; MAX_RANK];
                let mut old = from.shape.iter();
                for place in (0..rank).filter(|place| !new[*place]) {
                    sizes[place] = *old.next().unwrap_or(&1);
                }
                Shape::new(&sizes[..rank])
            }
        }
    }
}

impl Kernel for Reshaped {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let from = call.get(0)?;
        let shape = self.shape(call, from)?;
        pass(call, &mut out[0], shape, from)
    }
}

#[derive(Debug)]
struct Concat {
    axis: i64,
}

pub(super) fn concat(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, build.limits.nodes)?;
    let axis = build.attributes.optional_int("axis")?;
    let axis = attrs::required("axis", axis, "an axis")?;
    Ok(Box::new(Concat { axis }))
}

impl Concat {
    fn shape(&self, call: &Call<'_>) -> Result<(Shape, usize), Fault> {
        let first = call.get(0)?;
        let at = axis(self.axis, first.shape.len())?;
        let mut sizes = [0; MAX_RANK];
        sizes[..first.shape.len()].copy_from_slice(first.shape);
        for position in 1..call.inputs.len() {
            let view = call.get(position)?;
            let fits = view.shape.len() == first.shape.len()
                && (view.shape.iter().zip(first.shape).enumerate())
                    .all(|(place, (size, expected))| place == at || size == expected);
            if !fits {
                let expected = format!("like {:?} but along axis {at}", first.shape);
                return Err(Fault::input(position, &view.shape, expected));
            }
            if view.values.element() != first.values.element() {
                return Err(wrong_type(position, view, "values of the type of input 0"));
            }
            sizes[at] = sizes[at].saturating_add(view.shape[at]);
        }
        Ok((Shape::new(&sizes[..first.shape.len()])?, at))
    }

    fn numbers<T: Scalar>(&self, call: &mut Call<'_>, out: &mut Tensor) -> Result<(), Fault> {
        let (shape, at) = self.shape(call)?;
        let whole: usize = shape[at..].iter().product();
        let out = call.room::<T>(out, shape)?;
        if whole == 0 {
            return Ok(());
        }
        let mut before = 0;
        for position in 0..call.inputs.len() {
            let view = call.get(position)?;
            let part: usize = view.shape[at..].iter().product();
            let values = T::slice(&view.values).unwrap_or_default();
            if part > 0 {
                for (out, part_of) in out.chunks_mut(whole).zip(values.chunks(part)) {
                    out[before..before + part].copy_from_slice(part_of);
                }
            }
            before += part;
        }
        Ok(())
    }

    fn strings(&self, call: &mut Call<'_>, out: &mut Tensor) -> Result<(), Fault> {
        let (shape, at) = self.shape(call)?;
        let out = call.strings(out, shape)?;
        for outer in 0..shape[..at].iter().product() {
            for position in 0..call.inputs.len() {
                let view = call.get(position)?;
                let part: usize = view.shape[at..].iter().product();
                if let Values::Str(values) = view.values {
                    (outer * part..(outer + 1) * part).for_each(|place| out.push(values.get(place)));
                }
            }
        }
        Ok(())
    }
}

impl Kernel for Concat {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        call.spend(call.inputs.len())?;
        match call.get(0)?.values {
            Values::F32(_) => self.numbers::<f32>(call, &mut out[0]),
            Values::F64(_) => self.numbers::<f64>(call, &mut out[0]),
            Values::I64(_) => self.numbers::<i64>(call, &mut out[0]),
            Values::Bool(_) => self.numbers::<bool>(call, &mut out[0]),
            Values::Str(_) => self.strings(call, &mut out[0]),
        }
    }
}
