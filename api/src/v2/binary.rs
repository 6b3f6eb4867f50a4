//! Binary tensors: little-endian, row after row; strings with four bytes of length before each.

use crate::tensor::{Data, Datatype};
use onnx::plan::Strings;

/// Bytes to elements. `Err`: what is wrong, for after the input's name.
pub fn read(bytes: &[u8], datatype: Datatype, shape: &[usize]) -> Result<Data, String> {
    let count = shape
        .iter()
        .try_fold(1usize, |count, size| count.checked_mul(*size));
    let expected = count.and_then(|count| count.checked_mul(datatype.size_bytes().unwrap_or(4)));
    let expected = expected.ok_or_else(|| format!("the shape {shape:?} has more elements than fit"))?;
    let fits = match datatype {
        // Strings take at least their lengths.
        Datatype::Bytes => bytes.len() >= expected,
        _ => bytes.len() == expected,
    };
    if !fits {
        let least = if datatype == Datatype::Bytes {
            "at least "
        } else {
            ""
        };
        return Err(format!(
            "binary_data_size is {}, the shape {shape:?} of {datatype} takes {least}{expected}",
            bytes.len()
        ));
    }
    Ok(match datatype {
        Datatype::Bool => Data::Bool(truths(bytes)?),
        Datatype::Int32 => Data::I64(numbers(bytes, |bytes| i64::from(i32::from_le_bytes(bytes)))),
        Datatype::Int64 => Data::I64(numbers(bytes, i64::from_le_bytes)),
        Datatype::Fp32 => Data::F32(numbers(bytes, f32::from_le_bytes)),
        Datatype::Fp64 => Data::F64(numbers(bytes, f64::from_le_bytes)),
        Datatype::Bytes => Data::Bytes(strings(bytes, count.unwrap_or(0))?),
    })
}

fn numbers<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = bytes.as_chunks::<N>();
    numbers.iter().map(|bytes| read(*bytes)).collect()
}

fn truths(bytes: &[u8]) -> Result<Vec<bool>, String> {
    let truth = |(at, byte): (usize, &u8)| match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("element {at} is the byte {other}, BOOL is 0 or 1")),
    };
    bytes.iter().enumerate().map(truth).collect()
}

fn strings(mut bytes: &[u8], count: usize) -> Result<Strings, String> {
    let mut strings = Strings::new();
    for at in 0..count {
        let (length, rest) = bytes
            .split_first_chunk::<4>()
            .ok_or_else(|| format!("the bytes end before element {at} of {count}"))?;
        let length = u32::from_le_bytes(*length);
        let text = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length));
        let (text, rest) = text.ok_or_else(|| {
            format!(
                "element {at} has {length} bytes by its length, {} are left",
                rest.len()
            )
        })?;
        strings.push(std::str::from_utf8(text).map_err(|_| format!("element {at} is not UTF-8"))?);
        bytes = rest;
    }
    match bytes.len() {
        0 => Ok(strings),
        left => Err(format!("{left} bytes follow the last of {count} elements")),
    }
}

/// Appends the elements; integers as wide as the datatype says.
pub fn write(out: &mut Vec<u8>, data: &Data, datatype: Datatype) {
    match data {
        Data::Bool(values) => out.extend(values.iter().map(|value| u8::from(*value))),
        Data::I64(values) if datatype == Datatype::Int32 => {
            // An INT32 output is made of values that fit.
            append(out, values, |value| (value as i32).to_le_bytes());
        }
        Data::I64(values) => append(out, values, i64::to_le_bytes),
        Data::F32(values) => append(out, values, f32::to_le_bytes),
        Data::F64(values) => append(out, values, f64::to_le_bytes),
        Data::Bytes(values) => {
            for text in values.iter() {
                // Of 4 GiB at most: no request and no model is as large.
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
}

fn append<const N: usize, T: Copy>(out: &mut Vec<u8>, values: &[T], bytes: fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + N * values.len(), 0);
    let (room, _) = out[start..].as_chunks_mut::<N>();
    for (room, value) in room.iter_mut().zip(values) {
        *room = bytes(*value);
    }
}
