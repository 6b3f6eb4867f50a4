//! Tensors: what flows between operators. Their buffers are kept from run to run.

use super::fault::Fault;
use std::fmt;

/// Most dimensions of a tensor. The exporters write at most three.
pub const MAX_RANK: usize = 6;

/// What a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// 64-bit integer.
    I64,
    /// 32-bit integer in the file; its values are passed as [`Values::I64`].
    I32,
    /// Truth values.
    Bool,
    /// UTF-8 strings.
    Str,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Element::F32 => "float32",
            Element::F64 => "float64",
            Element::I64 => "int64",
            Element::I32 => "int32",
            Element::Bool => "bool",
            Element::Str => "string",
        })
    }
}

/// Sizes of the dimensions, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Shape {
    sizes: [usize; MAX_RANK],
    rank: u8,
}

impl Shape {
    /// Refuses more than [`MAX_RANK`] dimensions and more elements than can be counted.
    pub(crate) fn new(sizes: &[usize]) -> Result<Self, Fault> {
        if sizes.len() > MAX_RANK {
            return Err(Fault::limit("dimensions", sizes.len(), MAX_RANK));
        }
        let mut shape = Shape {
            rank: sizes.len() as u8,
            ..Shape::default()
        };
        shape.sizes[..sizes.len()].copy_from_slice(sizes);
        let count = sizes
            .iter()
            .try_fold(1usize, |count, size| count.checked_mul(*size));
        match count {
            Some(count) if count <= isize::MAX as usize / 16 => Ok(shape),
            _ => Err(Fault::limit(
                "elements of a tensor",
                usize::MAX,
                isize::MAX as usize / 16,
            )),
        }
    }

    /// Number of elements; `new` made sure that it can be counted.
    pub(crate) fn count(&self) -> usize {
        self.iter().product()
    }
}

impl std::ops::Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.sizes[..usize::from(self.rank)]
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Strings one after the other in one buffer: clearing keeps the memory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strings {
    text: String,
    ends: Vec<usize>,
}

impl Clone for Strings {
    fn clone(&self) -> Self {
        Strings {
            text: self.text.clone(),
            ends: self.ends.clone(),
        }
    }

    /// Keeps the memory, which the derived one would not.
    fn clone_from(&mut self, from: &Self) {
        self.text.clone_from(&from.text);
        self.ends.clone_from(&from.ends);
    }
}

impl Strings {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one.
    pub fn push(&mut self, string: &str) {
        self.text.push_str(string);
        self.ends.push(self.text.len());
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// One of them.
    ///
    /// # Panics
    /// When there are not that many.
    pub fn get(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[index]]
    }

    /// All, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|index| self.get(index))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings {
    fn from_iter<I: IntoIterator<Item = S>>(iter: I) -> Self {
        let mut strings = Strings::new();
        iter.into_iter().for_each(|string| strings.push(string.as_ref()));
        strings
    }
}

/// Elements of a tensor, row after row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Values<'a> {
    /// 32-bit floating point.
    F32(&'a [f32]),
    /// 64-bit floating point.
    F64(&'a [f64]),
    /// Integers, of [`Element::I64`] and [`Element::I32`].
    I64(&'a [i64]),
    /// Truth values.
    Bool(&'a [bool]),
    /// Strings.
    Str(&'a Strings),
}

impl Values<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::F64(values) => values.len(),
            Values::I64(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::Str(values) => values.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What they are; integers are [`Element::I64`].
    pub fn element(&self) -> Element {
        match self {
            Values::F32(_) => Element::F32,
            Values::F64(_) => Element::F64,
            Values::I64(_) => Element::I64,
            Values::Bool(_) => Element::Bool,
            Values::Str(_) => Element::Str,
        }
    }
}

/// A tensor that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View<'a> {
    /// Sizes of the dimensions.
    pub shape: &'a [usize],
    /// As many as the shape says, row after row.
    pub values: Values<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I64(Vec<i64>),
    Bool(Vec<bool>),
    Str(Strings),
}

/// A tensor with its own buffer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    pub(crate) shape: Shape,
    pub(crate) data: Data,
}

impl Default for Tensor {
    fn default() -> Self {
        let shape = Shape::new(&[0]).unwrap_or_default();
        Tensor {
            shape,
            data: Data::F32(Vec::new()),
        }
    }
}

impl Tensor {
    pub(crate) fn view(&self) -> View<'_> {
        View {
            shape: &self.shape,
            values: match &self.data {
                Data::F32(values) => Values::F32(values),
                Data::F64(values) => Values::F64(values),
                Data::I64(values) => Values::I64(values),
                Data::Bool(values) => Values::Bool(values),
                Data::Str(values) => Values::Str(values),
            },
        }
    }

    /// Takes the shape and hands out room for its elements, which hold whatever was there before.
    pub(crate) fn room<T: Scalar>(&mut self, shape: Shape) -> &mut [T] {
        self.shape = shape;
        let values = T::vec(&mut self.data);
        values.resize(shape.count(), T::default());
        values
    }

    /// The same for strings, which are then pushed.
    pub(crate) fn strings(&mut self, shape: Shape) -> &mut Strings {
        self.shape = shape;
        if !matches!(self.data, Data::Str(_)) {
            self.data = Data::Str(Strings::new());
        }
        match &mut self.data {
            Data::Str(strings) => {
                strings.clear();
                strings
            }
            _ => unreachable!("made a line above"),
        }
    }

    /// Takes over what `from` holds, under another shape of as many elements.
    pub(crate) fn copy(&mut self, shape: Shape, from: Values<'_>) {
        match from {
            Values::F32(values) => self.room(shape).copy_from_slice(values),
            Values::F64(values) => self.room(shape).copy_from_slice(values),
            Values::I64(values) => self.room(shape).copy_from_slice(values),
            Values::Bool(values) => self.room(shape).copy_from_slice(values),
            Values::Str(values) => self.strings(shape).clone_from(values),
        }
    }
}

/// What a vector of a tensor may hold, strings aside.
pub(crate) trait Scalar: Copy + Default + PartialEq + fmt::Debug + Send + Sync + 'static {
    const ELEMENT: Element;
    /// The buffer, made anew when it was one of another type.
    fn vec(data: &mut Data) -> &mut Vec<Self>;
    fn slice<'a>(values: &Values<'a>) -> Option<&'a [Self]>;
}

macro_rules! scalar {
    ($type:ty, $name:ident) => {
        impl Scalar for $type {
            const ELEMENT: Element = Element::$name;
            fn vec(data: &mut Data) -> &mut Vec<Self> {
                if !matches!(data, Data::$name(_)) {
                    *data = Data::$name(Vec::new());
                }
                match data {
                    Data::$name(values) => values,
                    _ => unreachable!("made a line above"),
                }
            }
            fn slice<'a>(values: &Values<'a>) -> Option<&'a [Self]> {
                match *values {
                    Values::$name(values) => Some(values),
                    _ => None,
                }
            }
        }
    };
}
scalar!(f32, F32);
scalar!(f64, F64);
scalar!(i64, I64);
scalar!(bool, Bool);
