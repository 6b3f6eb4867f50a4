//! Elements as bytes: little endian, strings each behind a length of four bytes.

use crate::tensor::{Data, Datatype};
use axum::body::Bytes;
use onnx::plan::Strings;

/// Elements of a raw tensor, as many as there are.
///
/// # Errors
/// Words about what the bytes are not, to follow the tensor's name.
pub fn read(datatype: Datatype, bytes: &[u8]) -> Result<Data, String> {
    let size = datatype.size_bytes().unwrap_or(1);
    if !bytes.len().is_multiple_of(size) {
        return Err(format!(
            "has {} bytes, expected {size} for each {datatype}",
            bytes.len()
        ));
    }
    Ok(match datatype {
        Datatype::Bool => Data::Bool(truths(bytes)?),
        Datatype::Int32 => Data::I64(each(bytes, |b| i64::from(i32::from_le_bytes(b)))),
        Datatype::Int64 => Data::I64(each(bytes, i64::from_le_bytes)),
        Datatype::Fp32 => Data::F32(each(bytes, f32::from_le_bytes)),
        Datatype::Fp64 => Data::F64(each(bytes, f64::from_le_bytes)),
        Datatype::Bytes => Data::Bytes(strings(bytes)?),
    })
}

/// The bytes of a tensor's elements.
pub fn write(datatype: Datatype, data: &Data) -> Bytes {
    match data {
        Data::Bool(values) => values.iter().map(|value| u8::from(*value)).collect(),
        // What is held as INT32 was in its range when it was made.
        Data::I64(values) if datatype == Datatype::Int32 => joined(values, |v| (v as i32).to_le_bytes()),
        Data::I64(values) => joined(values, i64::to_le_bytes),
        Data::F32(values) => joined(values, f32::to_le_bytes),
        Data::F64(values) => joined(values, f64::to_le_bytes),
        Data::Bytes(values) => {
            let mut bytes = Vec::new();
            for value in values.iter() {
                // Answers are far from 4 GiB: the evaluator bounds them.
                bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
                bytes.extend_from_slice(value.as_bytes());
            }
            bytes.into()
        }
    }
}

fn each<const N: usize, T>(bytes: &[u8], of: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (elements, _) = bytes.as_chunks::<N>();
    elements.iter().map(|element| of(*element)).collect()
}

fn joined<const N: usize, T: Copy>(values: &[T], of: impl Fn(T) -> [u8; N]) -> Bytes {
    let mut bytes = Vec::with_capacity(values.len() * N);
    for value in values {
        bytes.extend_from_slice(&of(*value));
    }
    bytes.into()
}

fn truths(bytes: &[u8]) -> Result<Vec<bool>, String> {
    let truth = |(index, byte): (usize, &u8)| match byte {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("has {other} at element {index}, expected 0 or 1")),
    };
    bytes.iter().enumerate().map(truth).collect()
}

fn strings(mut bytes: &[u8]) -> Result<Strings, String> {
    let mut strings = Strings::new();
    while !bytes.is_empty() {
        let index = strings.len();
        let cut = || format!("ends within element {index}, each is a length of 4 bytes and as many bytes");
        let (length, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        strings.push(utf8(text, index)?);
        bytes = rest;
    }
    Ok(strings)
}

/// A string's bytes as text.
///
/// # Errors
/// Words that follow the tensor's name.
pub fn utf8(bytes: &[u8], index: usize) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("has an element {index} that is not UTF-8"))
}
