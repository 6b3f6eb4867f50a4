//! Categories to numbers and back, and the names of the classes.

use super::*;
use std::collections::HashMap;

/// Keys of a table; numbers are compared by their bits, NaN being like any other.
#[derive(Debug)]
enum Keys {
    Ints(HashMap<i64, usize>),
    Floats(HashMap<u64, usize>),
    Strings(HashMap<String, usize>),
}

impl Keys {
    fn new(data: &Data) -> Result<Self, Fault> {
        // The last of equal keys counts, as in onnxruntime's maps it is the first: refused instead.
        fn unique<K: std::hash::Hash + Eq>(
            keys: impl Iterator<Item = K>,
        ) -> Result<HashMap<K, usize>, Fault> {
            let mut map = HashMap::new();
            for (place, key) in keys.enumerate() {
                if map.insert(key, place).is_some() {
                    return Err(Fault::attribute(
                        "keys",
                        &format!("entry {place} is there before"),
                        "each key once",
                    ));
                }
            }
            Ok(map)
        }
        Ok(match data {
            Data::I64(keys) => Keys::Ints(unique(keys.iter().copied())?),
            Data::F32(keys) => Keys::Floats(unique(keys.iter().map(|key| bits(f64::from(*key))))?),
            Data::F64(keys) => Keys::Floats(unique(keys.iter().map(|key| bits(*key)))?),
            Data::Str(keys) => Keys::Strings(unique(keys.iter().map(str::to_owned))?),
            Data::Bool(_) => return Err(Fault::attribute("keys", &"bool", "numbers or strings")),
        })
    }

    /// The entry of each element, for keys of the element's type.
    fn find(
        &self,
        position: usize,
        view: View<'_>,
        mut each: impl FnMut(usize, Option<usize>),
    ) -> Result<(), Fault> {
        match (self, view.values) {
            (Keys::Ints(map), Values::I64(values)) => {
                (0..)
                    .zip(values)
                    .for_each(|(place, value)| each(place, map.get(value).copied()));
            }
            // A list of whole numbers is also asked for whole floats.
            (Keys::Ints(map), Values::F32(values)) => {
                (0..)
                    .zip(values)
                    .for_each(|(place, value)| each(place, map.get(&(*value as i64)).copied()));
            }
            (Keys::Ints(map), Values::F64(values)) => {
                (0..)
                    .zip(values)
                    .for_each(|(place, value)| each(place, map.get(&(*value as i64)).copied()));
            }
            (Keys::Floats(map), Values::F32(values)) => {
                (0..)
                    .zip(values)
                    .for_each(|(place, value)| each(place, map.get(&bits(f64::from(*value))).copied()));
            }
            (Keys::Floats(map), Values::F64(values)) => {
                (0..)
                    .zip(values)
                    .for_each(|(place, value)| each(place, map.get(&bits(*value)).copied()));
            }
            (Keys::Strings(map), Values::Str(values)) => {
                (0..)
                    .zip(values.iter())
                    .for_each(|(place, value)| each(place, map.get(value).copied()));
            }
            _ => return Err(wrong_type(position, view, "values of the type of the keys")),
        }
        Ok(())
    }
}

/// One representation for equal numbers: of zero and of NaN there are several.
fn bits(value: f64) -> u64 {
    match value {
        value if value.is_nan() => f64::NAN.to_bits(),
        value => (value + 0.0).to_bits(),
    }
}

#[derive(Debug)]
struct LabelEncoder {
    keys: Keys,
    values: Tensor,
    default: Tensor,
}

fn list(data: Data) -> Result<Tensor, Fault> {
    let mut tensor = Tensor {
        shape: Shape::new(&[])?,
        data,
    };
    tensor.shape = Shape::new(&[tensor.view().values.len()])?;
    Ok(tensor)
}

pub(super) fn labels(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let attributes = &mut build.attributes;
    if let Some(classes) = attributes.strings("classes_strings")? {
        // Version 1: strings to their places, or places to strings.
        let places = Data::I64((0..classes.len() as i64).collect());
        let (default_string, default_int) = (
            attributes.string("default_string", "_Unused")?,
            attributes.int("default_int64", -1)?,
        );
        let strings = Data::Str(classes);
        let to_strings = matches!(build.inputs.get(0)?.values, Values::I64(_));
        let (keys, values, default) = if to_strings {
            (places, strings, Data::Str([default_string].into_iter().collect()))
        } else {
            (strings, places, Data::I64(vec![default_int]))
        };
        return Ok(Box::new(LabelEncoder {
            keys: Keys::new(&keys)?,
            values: list(values)?,
            default: list(default)?,
        }));
    }
    let mut side = |names: [&'static str; 4]| -> Result<Tensor, Fault> {
        if let Some(values) = attributes.ints(names[0])? {
            return list(Data::I64(values));
        }
        if let Some(values) = attributes.floats(names[1])? {
            return list(Data::F32(values));
        }
        if let Some(values) = attributes.strings(names[2])? {
            return list(Data::Str(values));
        }
        attrs::required(names[3], attributes.tensor(names[3])?, "a list")
    };
    let keys = side(["keys_int64s", "keys_floats", "keys_strings", "keys_tensor"])?;
    let values = side([
        "values_int64s",
        "values_floats",
        "values_strings",
        "values_tensor",
    ])?;
    same_count("values", values.shape.count(), keys.shape.count())?;
    let (int, float, string) = (
        attributes.int("default_int64", -1)?,
        attributes.float("default_float", -0.0)?,
        attributes.string("default_string", "_Unused")?,
    );
    let default = match (attributes.tensor("default_tensor")?, &values.data) {
        (Some(default), _) => default,
        (None, Data::I64(_)) => list(Data::I64(vec![int]))?,
        (None, Data::F32(_)) => list(Data::F32(vec![float]))?,
        (None, Data::F64(_)) => list(Data::F64(vec![f64::from(float)]))?,
        (None, _) => list(Data::Str([string].into_iter().collect()))?,
    };
    if default.view().values.element() != values.view().values.element() || default.shape.count() != 1 {
        return Err(Fault::attribute(
            "default_tensor",
            &default.shape,
            "one value of the type of the values",
        ));
    }
    Ok(Box::new(LabelEncoder {
        keys: Keys::new(&keys.data)?,
        values,
        default,
    }))
}

impl LabelEncoder {
    fn numbers<T: Scalar>(&self, call: &mut Call<'_>, out: &mut Tensor) -> Result<(), Fault> {
        let view = call.get(0)?;
        let out = call.room::<T>(out, Shape::new(view.shape)?)?;
        let (values, default) = (self.values.view().values, self.default.view().values);
        let values = T::slice(&values).unwrap_or_default();
        let default = T::slice(&default)
            .and_then(|list| list.first().copied())
            .unwrap_or_default();
        self.keys.find(0, view, |place, entry| {
            out[place] = entry.map_or(default, |entry| values[entry])
        })
    }
}

impl Kernel for LabelEncoder {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        match (&self.values.data, &self.default.data) {
            (Data::I64(_), _) => self.numbers::<i64>(call, &mut out[0]),
            (Data::F32(_), _) => self.numbers::<f32>(call, &mut out[0]),
            (Data::F64(_), _) => self.numbers::<f64>(call, &mut out[0]),
            (Data::Str(values), Data::Str(default)) => {
                let view = call.get(0)?;
                let out = call.strings(&mut out[0], Shape::new(view.shape)?)?;
                self.keys.find(0, view, |_, entry| match entry {
                    Some(entry) => out.push(values.get(entry)),
                    None => out.push(default.get(0)),
                })
            }
            _ => Err(Fault::attribute("values", &"bool", "numbers or strings")),
        }
    }
}

#[derive(Debug)]
struct OneHot {
    keys: Keys,
    count: usize,
    /// An unknown category is all zeros; else it is refused.
    zeros: bool,
}

pub(super) fn one_hot(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    let categories = match build.attributes.ints("cats_int64s")? {
        Some(categories) => Data::I64(categories),
        None => {
            let categories = build.attributes.strings("cats_strings")?;
            Data::Str(attrs::required("cats_int64s", categories, "it or cats_strings")?)
        }
    };
    let keys = Keys::new(&categories)?;
    Ok(Box::new(OneHot {
        count: list(categories)?.shape.count(),
        keys,
        zeros: build.attributes.int("zeros", 1)? != 0,
    }))
}

impl Kernel for OneHot {
    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let rank = view.shape.len();
        if rank == MAX_RANK {
            return Err(Fault::limit("dimensions", rank + 1, MAX_RANK));
        }
        let mut sizes = [self.count; MAX_RANK];
        sizes[..rank].copy_from_slice(view.shape);
        let out = call.room::<f32>(&mut out[0], Shape::new(&sizes[..=rank])?)?;
        out.fill(0.0);
        let mut unknown = None;
        self.keys.find(0, view, |place, entry| match entry {
            Some(entry) => out[place * self.count + entry] = 1.0,
            None => unknown = unknown.or(Some(place)),
        })?;
        match unknown {
            Some(place) if !self.zeros && !call.rehearsal => {
                let expected = "one of the categories it was trained with";
                Err(match view.values {
                    Values::Str(values) => Fault::input(0, &values.get(place), expected),
                    Values::I64(values) => Fault::input(0, &values[place], expected),
                    Values::F32(values) => Fault::input(0, &values[place], expected),
                    _ => Fault::input(0, &place, expected),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Scores by class: the tensor of scores stays one, its columns get names.
#[derive(Debug)]
struct ZipMap {
    classes: Classes,
}

pub(super) fn zip_map(build: &mut Build<'_>) -> Result<Box<dyn Kernel>, Fault> {
    build.takes(1, 1)?;
    Ok(Box::new(ZipMap {
        classes: super::linear::classes(
            &mut build.attributes,
            ["classlabels_int64s", "classlabels_strings"],
        )?,
    }))
}

impl Kernel for ZipMap {
    fn temporaries(&self) -> usize {
        1
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault> {
        let view = call.get(0)?;
        let (rows, columns) = table(0, view)?;
        same_count("columns", columns, self.classes.len())?;
        let [out, room] = out else { return Ok(()) };
        let values = floats(0, view, call, room)?;
        call.room::<f32>(out, Shape::new(&[rows, columns])?)?
            .copy_from_slice(values);
        Ok(())
    }
}
