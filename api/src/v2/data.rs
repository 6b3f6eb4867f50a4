//! JSON data of a tensor, flat or nested, straight into its buffer.

use crate::tensor::{Data, Datatype};
use onnx::plan::{MAX_RANK, Strings};
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};
use std::fmt;

/// Elements that room is made for before they are seen: a shape may say anything.
const ROOM_MOST: usize = 4096;
/// Integers that a float64 tells apart: up to 2^53.
const WHOLE_MOST: f64 = 9_007_199_254_740_992.0;

/// Reads an array of elements; gives them with the sizes of the arrays around them, outermost first.
pub struct Elements {
    datatype: Datatype,
    room: usize,
}

impl Elements {
    /// For a tensor that says it has this datatype and shape.
    pub fn new(datatype: Datatype, mut shape: impl Iterator<Item = usize>) -> Self {
        let count = shape.try_fold(1usize, usize::checked_mul);
        Elements {
            datatype,
            room: count.unwrap_or(0).min(ROOM_MOST),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Elements {
    type Value = (Data, Vec<usize>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        fn read<'de, S: Sink, D: Deserializer<'de>>(
            mut sink: S,
            deserializer: D,
        ) -> Result<(Data, Vec<usize>), D::Error> {
            let mut nesting = Nesting::default();
            let array = Level {
                sink: &mut sink,
                nesting: &mut nesting,
                depth: 0,
            };
            array.deserialize(deserializer)?;
            Ok((sink.data(), nesting.sizes))
        }
        let room = self.room;
        match self.datatype {
            Datatype::Bool => read(Bools(Vec::with_capacity(room)), deserializer),
            Datatype::Int32 => read(Ints::<true>(Vec::with_capacity(room)), deserializer),
            Datatype::Int64 => read(Ints::<false>(Vec::with_capacity(room)), deserializer),
            Datatype::Fp32 => read(Narrow(Vec::with_capacity(room)), deserializer),
            Datatype::Fp64 => read(Wide(Vec::with_capacity(room)), deserializer),
            Datatype::Bytes => read(Texts(Strings::new()), deserializer),
        }
    }
}

/// Why a value is not taken.
enum Refusal {
    /// It is of another kind.
    Kind,
    /// It is of the right kind, and not one that the datatype holds.
    Value,
}

type Taken = Result<(), Refusal>;

/// Where the elements of a datatype go.
trait Sink {
    const EXPECTED: &'static str;
    fn float(&mut self, _: f64) -> Taken {
        Err(Refusal::Kind)
    }
    fn unsigned(&mut self, _: u64) -> Taken {
        Err(Refusal::Kind)
    }
    fn signed(&mut self, _: i64) -> Taken {
        Err(Refusal::Kind)
    }
    fn truth(&mut self, _: bool) -> Taken {
        Err(Refusal::Kind)
    }
    fn text(&mut self, _: &str) -> Taken {
        Err(Refusal::Kind)
    }
    fn data(self) -> Data;
}

struct Narrow(Vec<f32>);

impl Sink for Narrow {
    const EXPECTED: &'static str = "numbers that float32 holds";
    fn float(&mut self, value: f64) -> Taken {
        let value = value as f32;
        self.0.push(value);
        if value.is_finite() {
            Ok(())
        } else {
            Err(Refusal::Value)
        }
    }
    fn unsigned(&mut self, value: u64) -> Taken {
        self.0.push(value as f32);
        Ok(())
    }
    fn signed(&mut self, value: i64) -> Taken {
        self.0.push(value as f32);
        Ok(())
    }
    fn data(self) -> Data {
        Data::F32(self.0)
    }
}

struct Wide(Vec<f64>);

impl Sink for Wide {
    const EXPECTED: &'static str = "numbers";
    fn float(&mut self, value: f64) -> Taken {
        self.0.push(value);
        Ok(())
    }
    fn unsigned(&mut self, value: u64) -> Taken {
        self.0.push(value as f64);
        Ok(())
    }
    fn signed(&mut self, value: i64) -> Taken {
        self.0.push(value as f64);
        Ok(())
    }
    fn data(self) -> Data {
        Data::F64(self.0)
    }
}

/// Integers; `SHORT`: of 32 bits. A float is one when nothing follows its point.
struct Ints<const SHORT: bool>(Vec<i64>);

impl<const SHORT: bool> Sink for Ints<SHORT> {
    const EXPECTED: &'static str = if SHORT {
        "whole numbers of 32 bits"
    } else {
        "whole numbers of 64 bits"
    };
    fn float(&mut self, value: f64) -> Taken {
        if value.fract() != 0.0 || value.abs() > WHOLE_MOST {
            return Err(Refusal::Value);
        }
        self.signed(value as i64)
    }
    fn unsigned(&mut self, value: u64) -> Taken {
        self.signed(i64::try_from(value).map_err(|_| Refusal::Value)?)
    }
    fn signed(&mut self, value: i64) -> Taken {
        if SHORT && i32::try_from(value).is_err() {
            return Err(Refusal::Value);
        }
        self.0.push(value);
        Ok(())
    }
    fn data(self) -> Data {
        Data::I64(self.0)
    }
}

struct Bools(Vec<bool>);

impl Sink for Bools {
    const EXPECTED: &'static str = "true or false";
    fn truth(&mut self, value: bool) -> Taken {
        self.0.push(value);
        Ok(())
    }
    fn data(self) -> Data {
        Data::Bool(self.0)
    }
}

struct Texts(Strings);

impl Sink for Texts {
    const EXPECTED: &'static str = "strings";
    fn text(&mut self, value: &str) -> Taken {
        self.0.push(value);
        Ok(())
    }
    fn data(self) -> Data {
        Data::Bytes(self.0)
    }
}

/// The arrays seen so far: all at one depth have one size, and elements are in the innermost ones.
#[derive(Default)]
struct Nesting {
    sizes: Vec<usize>,
    /// Arrays around the element that is read.
    open: usize,
    /// Arrays around the first element; 0 before it.
    around: usize,
}

/// One value: an element, or an array of values one level deeper.
struct Level<'v, S> {
    sink: &'v mut S,
    nesting: &'v mut Nesting,
    depth: usize,
}

impl<S: Sink> Level<'_, S> {
    fn take<E: Error>(self, kind: Unexpected<'_>, take: impl FnOnce(&mut S) -> Taken) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::invalid_type(kind, &self));
        }
        if self.depth != self.nesting.around {
            if self.nesting.around != 0 || self.nesting.open != self.depth {
                return Err(E::custom("data is nested unevenly"));
            }
            self.nesting.around = self.depth;
        }
        match take(self.sink) {
            Ok(()) => Ok(()),
            Err(Refusal::Kind) => Err(E::invalid_type(kind, &self)),
            Err(Refusal::Value) => Err(E::invalid_value(kind, &self)),
        }
    }
}

impl<'de, S: Sink> DeserializeSeed<'de> for Level<'_, S> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Level<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.depth {
            0 => write!(f, "data, an array of {}", S::EXPECTED),
            _ => write!(f, "data of {}", S::EXPECTED),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.take(Unexpected::Float(value), |sink| sink.float(value))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.take(Unexpected::Unsigned(value), |sink| sink.unsigned(value))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.take(Unexpected::Signed(value), |sink| sink.signed(value))
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.take(Unexpected::Bool(value), |sink| sink.truth(value))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.take(Unexpected::Str(value), |sink| sink.text(value))
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.take(Unexpected::Other("null"), |_| Err(Refusal::Kind))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Level { sink, nesting, depth } = self;
        if depth >= MAX_RANK {
            return Err(A::Error::custom(format!(
                "data is nested more than {MAX_RANK} arrays deep"
            )));
        }
        if nesting.around != 0 && depth >= nesting.around {
            return Err(A::Error::custom("data is nested unevenly"));
        }
        nesting.open = nesting.open.max(depth + 1);
        let mut count = 0;
        while seq
            .next_element_seed(Level {
                sink: &mut *sink,
                nesting: &mut *nesting,
                depth: depth + 1,
            })?
            .is_some()
        {
            count += 1;
        }
        if nesting.sizes.len() <= depth {
            nesting.sizes.resize(depth + 1, usize::MAX);
        }
        match nesting.sizes[depth] {
            usize::MAX => nesting.sizes[depth] = count,
            size if size == count => {}
            size => {
                return Err(A::Error::custom(format!(
                    "data has arrays of {size} and of {count} values side by side"
                )));
            }
        }
        Ok(())
    }
}
