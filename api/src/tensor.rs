//! Named tensors, in the words of the Open Inference Protocol V2: what every protocol but `/predict`
//! turns its requests into and its answers from.

use onnx::plan::{Element, Strings, Values};
use std::fmt;

/// What a tensor holds, as far as models can take or give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Datatype {
    /// Truth values, one byte each.
    Bool,
    /// 32-bit integers.
    Int32,
    /// 64-bit integers.
    Int64,
    /// 32-bit floating point.
    Fp32,
    /// 64-bit floating point.
    Fp64,
    /// Strings, UTF-8.
    Bytes,
}

impl Datatype {
    /// All of them.
    pub const ALL: [Datatype; 6] = [
        Datatype::Bool,
        Datatype::Int32,
        Datatype::Int64,
        Datatype::Fp32,
        Datatype::Fp64,
        Datatype::Bytes,
    ];

    /// The protocol's word.
    pub fn word(self) -> &'static str {
        match self {
            Datatype::Bool => "BOOL",
            Datatype::Int32 => "INT32",
            Datatype::Int64 => "INT64",
            Datatype::Fp32 => "FP32",
            Datatype::Fp64 => "FP64",
            Datatype::Bytes => "BYTES",
        }
    }

    /// Of the protocol's word; `None` for words of other protocols and for datatypes that no model
    /// here can take.
    pub fn of_word(word: &str) -> Option<Datatype> {
        Self::ALL.into_iter().find(|datatype| datatype.word() == word)
    }

    /// Size of an element in a binary tensor; `None` for strings, which bring their length.
    pub fn size_bytes(self) -> Option<usize> {
        match self {
            Datatype::Bool => Some(1),
            Datatype::Int32 | Datatype::Fp32 => Some(4),
            Datatype::Int64 | Datatype::Fp64 => Some(8),
            Datatype::Bytes => None,
        }
    }
}

impl From<Element> for Datatype {
    fn from(element: Element) -> Self {
        match element {
            Element::Bool => Datatype::Bool,
            Element::I32 => Datatype::Int32,
            Element::I64 => Datatype::Int64,
            Element::F32 => Datatype::Fp32,
            Element::F64 => Datatype::Fp64,
            Element::Str => Datatype::Bytes,
        }
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An input or an output of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Its name in the graph.
    pub name: String,
    /// What it holds.
    pub datatype: Datatype,
    /// Its dimensions; `None` follows the number of rows (-1 in the protocols).
    pub shape: Vec<Option<usize>>,
    /// The columns' classes, where the graph or the manifest names them.
    pub classes: Option<Vec<String>>,
}

impl TensorSpec {
    /// The dimensions as the protocols write them: -1 where the size is open.
    pub fn dimensions(&self) -> impl ExactSizeIterator<Item = i64> {
        self.shape
            .iter()
            .map(|size| size.and_then(|size| i64::try_from(size).ok()).unwrap_or(-1))
    }

    /// Elements of one row.
    pub fn columns(&self) -> usize {
        self.shape.iter().flatten().product()
    }
}

/// Elements of a tensor, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Of [`Datatype::Bool`].
    Bool(Vec<bool>),
    /// Of [`Datatype::Int32`] and [`Datatype::Int64`].
    I64(Vec<i64>),
    /// Of [`Datatype::Fp32`].
    F32(Vec<f32>),
    /// Of [`Datatype::Fp64`].
    F64(Vec<f64>),
    /// Of [`Datatype::Bytes`].
    Bytes(Strings),
}

impl Data {
    /// The same for an evaluator.
    pub fn values(&self) -> Values<'_> {
        match self {
            Data::Bool(values) => Values::Bool(values),
            Data::I64(values) => Values::I64(values),
            Data::F32(values) => Values::F32(values),
            Data::F64(values) => Values::F64(values),
            Data::Bytes(values) => Values::Str(values),
        }
    }

    /// A copy of an evaluator's values.
    pub fn of(values: Values<'_>) -> Self {
        match values {
            Values::Bool(values) => Data::Bool(values.to_vec()),
            Values::I64(values) => Data::I64(values.to_vec()),
            Values::F32(values) => Data::F32(values.to_vec()),
            Values::F64(values) => Data::F64(values.to_vec()),
            Values::Str(values) => Data::Bytes(values.clone()),
        }
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.values().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a datatype is held like this.
    pub fn is_of(&self, datatype: Datatype) -> bool {
        match self {
            Data::Bool(_) => datatype == Datatype::Bool,
            Data::I64(_) => matches!(datatype, Datatype::Int32 | Datatype::Int64),
            Data::F32(_) => datatype == Datatype::Fp32,
            Data::F64(_) => datatype == Datatype::Fp64,
            Data::Bytes(_) => datatype == Datatype::Bytes,
        }
    }
}

/// A tensor with its name. `data` has as many elements as `shape` says and is held as `datatype` is:
/// whoever makes one sees to it, [`crate::Served::infer`] refuses others.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Which input or output.
    pub name: String,
    /// What it holds.
    pub datatype: Datatype,
    /// Sizes, rows first.
    pub shape: Vec<usize>,
    /// Its elements.
    pub data: Data,
}
