//! Tensors of the file: initializers and attributes.

use super::fault::{Fault, same_count};
use super::value::{Data, Shape, Strings, Tensor};
use crate::proto::TensorProto;
use crate::proto::tensor_proto::{DataLocation, DataType};

/// A tensor of the file; integers of every width become 64 bits wide.
pub(crate) fn tensor(proto: TensorProto) -> Result<Tensor, Fault> {
    if proto.data_location() == DataLocation::External || !proto.external_data.is_empty() {
        return Err(Fault::input(
            0,
            &"a tensor in another file",
            "tensors in the file itself",
        ));
    }
    if proto.segment.is_some() {
        return Err(Fault::input(0, &"a tensor in segments", "tensors in one piece"));
    }
    let mut sizes = Vec::with_capacity(proto.dims.len().min(8));
    for size in &proto.dims {
        let size = usize::try_from(*size);
        sizes.push(size.map_err(|_| Fault::input(0, &proto.dims, "sizes that are not negative"))?);
    }
    let shape = Shape::new(&sizes)?;
    let count = shape.count();
    let kind = DataType::try_from(proto.data_type()).unwrap_or(DataType::Undefined);
    let raw = proto.raw_data.as_deref();
    let integers = |values: Vec<i32>| values.into_iter().map(i64::from).collect::<Vec<i64>>();
    let data = match kind {
        DataType::Float => Data::F32(match raw {
            Some(raw) => plain(raw, count, f32::from_le_bytes)?,
            None => proto.float_data,
        }),
        DataType::Double => Data::F64(match raw {
            Some(raw) => plain(raw, count, f64::from_le_bytes)?,
            None => proto.double_data,
        }),
        DataType::Int64 => Data::I64(match raw {
            Some(raw) => plain(raw, count, i64::from_le_bytes)?,
            None => proto.int64_data,
        }),
        DataType::Int32 => Data::I64(match raw {
            Some(raw) => plain(raw, count, |bytes| i64::from(i32::from_le_bytes(bytes)))?,
            None => integers(proto.int32_data),
        }),
        DataType::Uint8 => Data::I64(match raw {
            Some(raw) => plain(raw, count, |bytes| i64::from(u8::from_le_bytes(bytes)))?,
            None => integers(proto.int32_data),
        }),
        DataType::Int8 => Data::I64(match raw {
            Some(raw) => plain(raw, count, |bytes| i64::from(i8::from_le_bytes(bytes)))?,
            None => integers(proto.int32_data),
        }),
        DataType::Bool => Data::Bool(match raw {
            Some(raw) => plain(raw, count, |[byte]: [u8; 1]| byte != 0)?,
            None => proto.int32_data.into_iter().map(|value| value != 0).collect(),
        }),
        DataType::String => {
            let mut strings = Strings::new();
            for bytes in &proto.string_data {
                let text = std::str::from_utf8(bytes);
                strings.push(text.map_err(|_| Fault::input(0, &"a string of other bytes", "UTF-8"))?);
            }
            Data::Str(strings)
        }
        _ => {
            let expected = "FLOAT, DOUBLE, INT64, INT32, UINT8, INT8, BOOL or STRING";
            return Err(Fault::input(
                0,
                &format!("a tensor of {}", kind.as_str_name()),
                expected,
            ));
        }
    };
    let tensor = Tensor { shape, data };
    same_count("values of a tensor", tensor.view().values.len(), count)?;
    Ok(tensor)
}

/// Little-endian numbers of `N` bytes.
fn plain<const N: usize, T>(raw: &[u8], count: usize, read: impl Fn([u8; N]) -> T) -> Result<Vec<T>, Fault> {
    let (values, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(Fault::count(
            "bytes of a tensor",
            raw.len(),
            count.saturating_mul(N),
        ));
    }
    same_count("values of a tensor", values.len(), count)?;
    Ok(values.iter().map(|bytes| read(*bytes)).collect())
}
