//! Preparation of numeric columns.

use super::single::map;
use super::*;

#[derive(Debug)]
struct Scaler {
    offset: Vec<f32>,
    scale: Vec<f32>,
}

pub(super) fn scaler(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let mut list = |name| attrs::required(name, build.attributes.floats(name)?, "a list of numbers");
    Ok(Box::new(Scaler {
        offset: list("offset")?,
        scale: list("scale")?,
    }))
}

impl Kernel for Scaler {
    fn temporaries(&self) -> usize {
        1
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (_, columns) = table(0, view)?;
        for (name, list) in [("offset", &self.offset), ("scale", &self.scale)] {
            if list.len() != 1 && list.len() != columns {
                return Err(Fault::count(
                    format!("values of attribute {name:?}"),
                    list.len(),
                    format!("1 or {columns}"),
                ));
            }
        }
        let shape = Shape::new(view.shape)?;
        let [out, room] = out else { return Ok(()) };
        let values = floats(0, view, call, room)?;
        let out = call.room::<f32>(out, shape)?;
        let at = |list: &[f32], column: usize| if list.len() == 1 { list[0] } else { list[column] };
        for (out, row) in out.chunks_mut(columns.max(1)).zip(values.chunks(columns.max(1))) {
            for (column, (out, value)) in out.iter_mut().zip(row).enumerate() {
                *out = (value - at(&self.offset, column)) * at(&self.scale, column);
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug)]
enum Norm {
    Max,
    L1,
    L2,
}

#[derive(Debug)]
struct Normalizer(Norm);

pub(super) fn normalizer(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let name = build.attributes.string("norm", "MAX")?;
    let words = [("MAX", Norm::Max), ("L1", Norm::L1), ("L2", Norm::L2)];
    Ok(Box::new(Normalizer(attrs::word("norm", &name, &words)?)))
}

impl Kernel for Normalizer {
    fn temporaries(&self) -> usize {
        1
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (_, columns) = table(0, view)?;
        let shape = Shape::new(view.shape)?;
        let [out, room] = out else { return Ok(()) };
        let values = floats(0, view, call, room)?;
        let out = call.room::<f32>(out, shape)?;
        for (out, row) in out.chunks_mut(columns.max(1)).zip(values.chunks(columns.max(1))) {
            let norm = match self.0 {
                Norm::Max => row
                    .iter()
                    .fold(f32::MIN, |most, value| if *value > most { *value } else { most }),
                Norm::L1 => row.iter().map(|value| value.abs()).sum(),
                Norm::L2 => row.iter().map(|value| value * value).sum::<f32>().sqrt(),
            };
            let norm = if norm == 0.0 { 1.0 } else { norm };
            out.iter_mut()
                .zip(row)
                .for_each(|(out, value)| *out = value / norm);
        }
        Ok(())
    }
}

/// Fills what is missing: NaN, or the number that stands for it.
#[derive(Debug)]
enum Imputer {
    Floats { with: Vec<f32>, missing: f32 },
    Ints { with: Vec<i64>, missing: i64 },
}

pub(super) fn imputer(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let (floats, ints) = (
        build.attributes.floats("imputed_value_floats")?,
        build.attributes.ints("imputed_value_int64s")?,
    );
    let missing = build.attributes.float("replaced_value_float", 0.0)?;
    let missing_int = build.attributes.int("replaced_value_int64", 0)?;
    Ok(Box::new(match (floats, ints) {
        (Some(with), _) => Imputer::Floats { with, missing },
        (None, Some(with)) => Imputer::Ints {
            with,
            missing: missing_int,
        },
        (None, None) => {
            let floats: Option<Vec<f32>> = None;
            attrs::required("imputed_value_floats", floats, "a list of numbers")
                .map(|with| Imputer::Floats { with, missing })?
        }
    }))
}

fn impute<T: Scalar>(
    call: &mut Call<'_>,
    out: &mut Tensor,
    (view, values): (View<'_>, &[T]),
    with: &[T],
    missing: impl Fn(T) -> bool,
) -> Result<(), Fault> {
    let (_, columns) = table(0, view)?;
    if with.len() != 1 && with.len() != columns {
        return Err(Fault::count(
            "imputed values",
            with.len(),
            format!("1 or {columns}"),
        ));
    }
    let out = call.room::<T>(out, Shape::new(view.shape)?)?;
    for (out, row) in out.chunks_mut(columns.max(1)).zip(values.chunks(columns.max(1))) {
        for (column, (out, value)) in out.iter_mut().zip(row).enumerate() {
            *out = match missing(*value) {
                true if with.len() == 1 => with[0],
                true => with[column],
                false => *value,
            };
        }
    }
    Ok(())
}

impl Kernel for Imputer {
    fn temporaries(&self) -> usize {
        1
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let [out, room] = out else { return Ok(()) };
        match (self, view.values) {
            (Imputer::Floats { with, missing }, Values::F32(values)) => {
                let is_missing = |value: f32| value == *missing || (missing.is_nan() && value.is_nan());
                impute(call, out, (view, values), with, is_missing)
            }
            (Imputer::Floats { with, missing }, Values::F64(values)) => {
                // The attribute has no double form.
                let wide = call.room::<f64>(room, Shape::new(&[with.len()])?)?;
                wide.iter_mut()
                    .zip(with)
                    .for_each(|(out, value)| *out = f64::from(*value));
                let missing = f64::from(*missing);
                let is_missing = |value: f64| value == missing || (missing.is_nan() && value.is_nan());
                impute(call, out, (view, values), wide, is_missing)
            }
            (Imputer::Ints { with, missing }, Values::I64(values)) => {
                impute(call, out, (view, values), with, |value| value == *missing)
            }
            _ => Err(wrong_type(0, view, "numbers of the type of the imputed values")),
        }
    }
}

#[derive(Debug)]
struct Binarizer {
    threshold: f32,
}

pub(super) fn binarizer(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(Binarizer {
        threshold: build.attributes.float("threshold", 0.0)?,
    }))
}

impl Kernel for Binarizer {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let shape = Shape::new(view.shape)?;
        let threshold = self.threshold;
        match view.values {
            Values::F32(values) => map(call, &mut out[0], shape, values, |x| {
                f32::from(u8::from(x > threshold))
            }),
            Values::F64(values) => map(call, &mut out[0], shape, values, |x: f64| {
                f64::from(u8::from(x > f64::from(threshold)))
            }),
            Values::I64(values) => map(call, &mut out[0], shape, values, |x: i64| {
                i64::from(x as f32 > threshold)
            }),
            _ => Err(wrong_type(0, view, "numbers")),
        }
    }
}

/// Tables side by side, as floats.
#[derive(Debug)]
struct Vectorizer {
    widths: Option<Vec<i64>>,
}

pub(super) fn vectorizer(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, build.limits.nodes)?;
    Ok(Box::new(Vectorizer {
        widths: build.attributes.ints("inputdimensions")?,
    }))
}

impl Kernel for Vectorizer {
    fn temporaries(&self) -> usize {
        1
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let [out, room] = out else { return Ok(()) };
        let (rows, _) = table(0, call.get(0)?)?;
        let mut width = 0usize;
        for position in 0..call.inputs.len() {
            let view = call.get(position)?;
            let (count, columns) = table(position, view)?;
            if count != rows {
                return Err(Fault::input(position, &view.shape, format!("{rows} rows")));
            }
            if let Some(widths) = &self.widths
                && widths.get(position).copied() != Some(columns as i64)
            {
                return Err(Fault::input(
                    position,
                    &view.shape,
                    format!("as wide as {widths:?} says"),
                ));
            }
            width = width.saturating_add(columns);
        }
        let out = call.room::<f32>(out, Shape::new(&[rows, width])?)?;
        let mut before = 0;
        for position in 0..call.inputs.len() {
            let view = call.get(position)?;
            let (_, columns) = table(position, view)?;
            let values = floats(position, view, call, room)?;
            if columns > 0 {
                for (out, row) in out.chunks_mut(width).zip(values.chunks(columns)) {
                    out[before..before + columns].copy_from_slice(row);
                }
            }
            before += columns;
        }
        Ok(())
    }
}
