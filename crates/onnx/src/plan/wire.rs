//! First look at the bytes: how many messages there are and that they fit into each other.
//!
//! prost builds an object of some hundred bytes for each message, also for an empty one of two bytes;
//! so they are counted, without allocating, before it gets to see them. Fields that are not in the
//! table are newer than it, or without influence; prost skips them as well.

use super::error::PlanError;
use crate::field::skip_list;
use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

/// Messages of one kind: which of its fields are messages.
struct Kind {
    name: &'static str,
    messages: &'static [(u32, &'static Kind)],
    /// Fields whose messages hold other graphs, which no exporter of tabular models writes.
    refused: &'static [(u32, &'static str)],
}

const fn kind(name: &'static str, messages: &'static [(u32, &'static Kind)]) -> Kind {
    Kind {
        name,
        messages,
        refused: &[],
    }
}

static LEAF: Kind = kind("entry", &[]);
static DIMENSION: Kind = kind("dimension", &[]);
static SHAPE: Kind = kind("shape", &[(1, &DIMENSION)]);
static TENSOR_TYPE: Kind = kind("tensor type", &[(2, &SHAPE)]);
static SEQUENCE: Kind = kind("sequence type", &[(1, &TYPE)]);
static MAP: Kind = kind("map type", &[(2, &TYPE)]);
static TYPE: Kind = kind(
    "type",
    &[
        (1, &TENSOR_TYPE),
        (4, &SEQUENCE),
        (5, &MAP),
        (7, &LEAF),
        (8, &TENSOR_TYPE),
        (9, &SEQUENCE),
    ],
);
static VALUE: Kind = kind("graph input or output", &[(2, &TYPE), (4, &LEAF)]);
static TENSOR: Kind = kind("tensor", &[(3, &LEAF), (13, &LEAF), (16, &LEAF)]);
static ATTRIBUTE: Kind = Kind {
    name: "attribute",
    messages: &[(5, &TENSOR), (10, &TENSOR), (14, &TYPE), (15, &TYPE)],
    refused: &[
        (6, "a graph"),
        (11, "graphs"),
        (22, "a sparse tensor"),
        (23, "sparse tensors"),
    ],
};
static NODE: Kind = Kind {
    name: "node",
    messages: &[(5, &ATTRIBUTE), (9, &LEAF)],
    refused: &[(10, "device configurations")],
};
static GRAPH: Kind = Kind {
    name: "graph",
    messages: &[
        (1, &NODE),
        (5, &TENSOR),
        (11, &VALUE),
        (12, &VALUE),
        (13, &VALUE),
        (16, &LEAF),
    ],
    refused: &[(14, "quantization annotations"), (15, "sparse initializers")],
};
static MODEL: Kind = Kind {
    name: "model",
    messages: &[(7, &GRAPH), (8, &LEAF), (14, &LEAF)],
    refused: &[
        (20, "training information"),
        (25, "functions"),
        (26, "device configurations"),
    ],
};

/// Types may hold types; nothing that is exported goes deeper.
const DEPTH: usize = 24;

/// Accepts bytes of at most so many messages, none of them twice where prost would merge them.
pub(super) fn check(bytes: &[u8], most: usize) -> Result<(), PlanError> {
    let mut left = most;
    message(&MODEL, bytes, &mut left, DEPTH, most)
}

fn message(
    kind: &'static Kind,
    mut rest: &[u8],
    left: &mut usize,
    depth: usize,
    most: usize,
) -> Result<(), PlanError> {
    let damaged = |reason| PlanError::Damaged {
        message: kind.name,
        reason,
    };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(damaged("messages inside of each other without end"));
    };
    *left = left.checked_sub(1).ok_or(PlanError::Limit {
        what: "messages of the file",
        value: most + 1,
        most,
    })?;
    let mut graphs = 0;
    while !rest.is_empty() {
        let key = rest[0];
        let (number, wire) = decode_key(&mut rest).map_err(|_| damaged("field key"))?;
        match wire {
            WireType::Varint => {
                decode_varint(&mut rest).map_err(|_| damaged("number"))?;
                if key < 0x80 {
                    skip_list(&mut rest, key, wire);
                }
            }
            WireType::SixtyFourBit if rest.len() >= 8 => rest.advance(8),
            WireType::ThirtyTwoBit if rest.len() >= 4 => {
                rest.advance(4);
                if key < 0x80 {
                    skip_list(&mut rest, key, wire);
                }
            }
            WireType::LengthDelimited => {
                let length = decode_varint(&mut rest).map_err(|_| damaged("length"))?;
                let length = usize::try_from(length)
                    .ok()
                    .filter(|length| *length <= rest.len())
                    .ok_or_else(|| damaged("length beyond the end"))?;
                let (body, after) = rest.split_at(length);
                rest = after;
                if let Some((_, what)) = kind.refused.iter().find(|(field, _)| *field == number) {
                    return Err(PlanError::Holds {
                        message: kind.name,
                        what,
                    });
                }
                if let Some((_, inner)) = kind.messages.iter().find(|(field, _)| *field == number) {
                    graphs += usize::from(std::ptr::eq(*inner, &GRAPH));
                    if graphs > 1 {
                        return Err(damaged("more than one graph"));
                    }
                    message(inner, body, left, depth, most)?;
                } else if key < 0x80 {
                    skip_list(&mut rest, key, wire);
                }
            }
            _ => return Err(damaged("ends inside a number, or a group")),
        }
    }
    Ok(())
}
