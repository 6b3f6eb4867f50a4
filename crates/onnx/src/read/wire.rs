//! First pass: the protobuf fields as such, without allocating.
//!
//! prost ignores unknown fields and builds an object for each empty sub-message, so that two bytes
//! can cost two hundred. Here every message is known, every count has a limit, and what a decoder
//! would skip in silence is refused.

use super::ReadError;
use crate::field::{skip_list, skip_words};
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

/// What a field may hold.
enum Kind {
    Varint,
    /// Four bytes.
    Fixed32,
    /// UTF-8 or bytes, copied as they are.
    Bytes,
    /// Node modes: only the two words of our trees.
    Mode,
    /// Numbers of this size at least, packed or one by one.
    Packed(WireType),
    Message(&'static Shape),
}

struct Field {
    number: u32,
    name: &'static str,
    most: usize,
    kind: Kind,
}

struct Shape {
    name: &'static str,
    fields: &'static [Field],
}

const fn field(number: u32, name: &'static str, most: usize, kind: Kind) -> Field {
    Field {
        number,
        name,
        most,
        kind,
    }
}

/// The modes of our trees.
const BRANCH: &[u8] = b"BRANCH_LEQ";
const LEAF: &[u8] = b"LEAF";

const MANY: usize = usize::MAX;
/// No message of ours has more fields.
const MOST_FIELDS: usize = 9;

static MODEL: Shape = Shape {
    name: "model",
    fields: &[
        field(1, "ir_version", 1, Kind::Varint),
        field(2, "producer_name", 1, Kind::Bytes),
        field(3, "producer_version", 1, Kind::Bytes),
        field(4, "domain", 1, Kind::Bytes),
        field(5, "model_version", 1, Kind::Varint),
        field(6, "doc_string", 1, Kind::Bytes),
        field(7, "graph", 1, Kind::Message(&GRAPH)),
        field(8, "opset_import", 2, Kind::Message(&OPSET)),
        field(14, "metadata_props", 64, Kind::Message(&PROPERTY)),
    ],
};
static OPSET: Shape = Shape {
    name: "opset import",
    fields: &[
        field(1, "domain", 1, Kind::Bytes),
        field(2, "version", 1, Kind::Varint),
    ],
};
static PROPERTY: Shape = Shape {
    name: "metadata property",
    fields: &[field(1, "key", 1, Kind::Bytes), field(2, "value", 1, Kind::Bytes)],
};
static GRAPH: Shape = Shape {
    name: "graph",
    fields: &[
        field(1, "node", 2, Kind::Message(&NODE)),
        field(2, "name", 1, Kind::Bytes),
        field(10, "doc_string", 1, Kind::Bytes),
        field(11, "input", 1, Kind::Message(&VALUE)),
        field(12, "output", 2, Kind::Message(&VALUE)),
    ],
};
static NODE: Shape = Shape {
    name: "node",
    fields: &[
        field(1, "input", 1, Kind::Bytes),
        field(2, "output", 2, Kind::Bytes),
        field(3, "name", 1, Kind::Bytes),
        field(4, "op_type", 1, Kind::Bytes),
        field(5, "attribute", 32, Kind::Message(&ATTRIBUTE)),
        field(6, "doc_string", 1, Kind::Bytes),
        field(7, "domain", 1, Kind::Bytes),
    ],
};
static ATTRIBUTE: Shape = Shape {
    name: "attribute",
    fields: &[
        field(1, "name", 1, Kind::Bytes),
        field(2, "f", 1, Kind::Fixed32),
        field(3, "i", 1, Kind::Varint),
        field(4, "s", 1, Kind::Bytes),
        field(7, "floats", MANY, Kind::Packed(WireType::ThirtyTwoBit)),
        field(8, "ints", MANY, Kind::Packed(WireType::Varint)),
        field(9, "strings", MANY, Kind::Mode),
        field(13, "doc_string", 1, Kind::Bytes),
        field(20, "type", 1, Kind::Varint),
    ],
};
static VALUE: Shape = Shape {
    name: "graph input or output",
    fields: &[
        field(1, "name", 1, Kind::Bytes),
        field(2, "type", 1, Kind::Message(&TYPE)),
        field(3, "doc_string", 1, Kind::Bytes),
    ],
};
static TYPE: Shape = Shape {
    name: "type",
    fields: &[field(1, "tensor_type", 1, Kind::Message(&TENSOR))],
};
static TENSOR: Shape = Shape {
    name: "tensor type",
    fields: &[
        field(1, "elem_type", 1, Kind::Varint),
        field(2, "shape", 1, Kind::Message(&SHAPE)),
    ],
};
static SHAPE: Shape = Shape {
    name: "shape",
    fields: &[field(1, "dim", 2, Kind::Message(&DIMENSION))],
};
static DIMENSION: Shape = Shape {
    name: "dimension",
    fields: &[
        field(1, "dim_value", 1, Kind::Varint),
        field(2, "dim_param", 1, Kind::Bytes),
        field(3, "denotation", 1, Kind::Bytes),
    ],
};

/// Accepts bytes whose fields are all known and none too often.
pub(super) fn check(bytes: &[u8]) -> Result<(), ReadError> {
    // A graph of somebody else's is mostly told by what is around it; it is large, so it comes last.
    message(&MODEL, bytes, false)?;
    message(&MODEL, bytes, true)
}

/// Depth is bounded because the shapes refer to each other without a cycle.
fn message(shape: &'static Shape, mut rest: &[u8], deep: bool) -> Result<(), ReadError> {
    let message_name = shape.name;
    let damaged = |reason| ReadError::Damaged {
        message: message_name,
        reason,
    };
    let mut seen = [0usize; MOST_FIELDS];
    while !rest.is_empty() {
        let key = rest[0];
        let (number, wire) = decode_key(&mut rest).map_err(|_| damaged("field key"))?;
        let position = shape
            .fields
            .iter()
            .position(|field| field.number == number)
            .ok_or(ReadError::Field {
                message: message_name,
                field: number,
            })?;
        let field = &shape.fields[position];
        seen[position] += 1;
        if seen[position] > field.most {
            return Err(ReadError::Repeated {
                message: message_name,
                field: field.name,
                times: seen[position],
                most: field.most,
            });
        }
        let expected = match field.kind {
            Kind::Varint => WireType::Varint,
            Kind::Fixed32 => WireType::ThirtyTwoBit,
            Kind::Packed(single) if wire == single => single,
            _ => WireType::LengthDelimited,
        };
        if wire != expected {
            return Err(damaged("field of another wire type"));
        }
        match wire {
            WireType::Varint => {
                decode_varint(&mut rest).map_err(|_| damaged("number"))?;
            }
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).map_err(|_| damaged("length"))?;
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= rest.len())
                    .ok_or_else(|| damaged("length beyond the end"))?;
                let (body, after) = rest.split_at(length);
                rest = after;
                match field.kind {
                    Kind::Message(inner) if deep => message(inner, body, deep)?,
                    Kind::Mode if body != BRANCH && body != LEAF => {
                        return Err(ReadError::Different {
                            what: "node mode".into(),
                            value: super::short(&String::from_utf8_lossy(&body[..body.len().min(64)])),
                            expected: "\"BRANCH_LEQ\" or \"LEAF\"".into(),
                        });
                    }
                    _ => {}
                }
            }
            WireType::ThirtyTwoBit if rest.len() >= 4 => rest.advance(4),
            _ => return Err(damaged("ends inside a number")),
        }
        match field.kind {
            Kind::Mode if key < 0x80 => skip_words(&mut rest, key, &[LEAF, BRANCH]),
            Kind::Packed(single) if key < 0x80 && wire == single => skip_list(&mut rest, key, wire),
            _ => {}
        }
    }
    Ok(())
}
