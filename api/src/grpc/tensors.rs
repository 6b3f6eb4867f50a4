//! Tensors between the messages and the model.

use super::{
    proto::{
        InferParameter, InferTensorContents,
        model_infer_request::{InferInputTensor, InferRequestedOutputTensor},
        model_infer_response::InferOutputTensor,
    },
    raw,
};
use crate::{
    error::{ApiError, Code},
    tensor::{Data, Datatype, Tensor},
};
use axum::body::Bytes;
use onnx::plan::Strings;
use std::collections::HashMap;

/// Parameters that would change where data is or what is answered: nobody is better off when they are
/// passed over in silence.
const NOT_TAKEN: [&str; 2] = ["shared_memory_region", "classification"];

/// The inputs, from `raw` where it has any, else from their own contents.
pub fn inputs(given: Vec<InferInputTensor>, raw: &[Bytes]) -> Result<Vec<Tensor>, ApiError> {
    if !raw.is_empty() && raw.len() != given.len() {
        let message = format!(
            "raw_input_contents has {} entries for {} inputs, expected one for each input, or none",
            raw.len(),
            given.len()
        );
        return Err(ApiError::new(Code::TensorShape, message));
    }
    let input = |(index, input)| tensor(input, raw.get(index));
    given.into_iter().enumerate().map(input).collect()
}

fn tensor(input: InferInputTensor, raw: Option<&Bytes>) -> Result<Tensor, ApiError> {
    let name = input.name;
    let refused = |code, problem: String| ApiError::new(code, format!("input {name:?} {problem}"));
    refuse("input", &name, &input.parameters)?;
    let Some(datatype) = Datatype::of_word(&input.datatype) else {
        let taken = Datatype::ALL.map(Datatype::word).join(", ");
        let problem = format!("is {:?}, this server takes {taken}", input.datatype);
        return Err(refused(Code::TensorDatatype, problem));
    };
    let mut shape = Vec::with_capacity(input.shape.len());
    for size in input.shape {
        let size = usize::try_from(size);
        shape.push(size.map_err(|_| refused(Code::TensorShape, "has a negative size in its shape".into()))?);
    }
    let data = match (raw, input.contents) {
        (None, contents) => typed(
            datatype,
            contents.map_or_else(Default::default, |contents| *contents),
        ),
        (Some(bytes), None) => raw::read(datatype, bytes),
        (Some(bytes), Some(contents)) if *contents == InferTensorContents::default() => {
            raw::read(datatype, bytes)
        }
        (Some(_), Some(_)) => Err("has contents and raw_input_contents, expected one of them".to_owned()),
    };
    let data = data.map_err(|problem| refused(Code::TensorShape, problem))?;
    Ok(Tensor {
        name,
        datatype,
        shape,
        data,
    })
}

/// Refuses what cannot be done as asked.
fn refuse(what: &str, name: &str, parameters: &HashMap<String, InferParameter>) -> Result<(), ApiError> {
    match NOT_TAKEN.into_iter().find(|word| parameters.contains_key(*word)) {
        None => Ok(()),
        Some(word) => {
            let message =
                format!("{what} {name:?} has the parameter {word}, which this server does not take");
            Err(ApiError::new(Code::UnknownField, message))
        }
    }
}

/// The field of `contents` that holds a datatype; the others must be empty.
fn typed(datatype: Datatype, mut contents: InferTensorContents) -> Result<Data, String> {
    use std::mem::take;
    let data = match datatype {
        Datatype::Bool => Data::Bool(take(&mut contents.bool_contents)),
        Datatype::Int32 => {
            let values = take(&mut contents.int_contents);
            Data::I64(values.into_iter().map(i64::from).collect())
        }
        Datatype::Int64 => Data::I64(take(&mut contents.int64_contents)),
        Datatype::Fp32 => Data::F32(take(&mut contents.fp32_contents)),
        Datatype::Fp64 => Data::F64(take(&mut contents.fp64_contents)),
        Datatype::Bytes => {
            let mut strings = Strings::new();
            for (index, bytes) in take(&mut contents.bytes_contents).iter().enumerate() {
                strings.push(raw::utf8(bytes, index)?);
            }
            Data::Bytes(strings)
        }
    };
    if contents == InferTensorContents::default() {
        Ok(data)
    } else {
        Err(format!(
            "is {datatype} and has contents of another datatype, expected {}",
            field(datatype)
        ))
    }
}

fn field(datatype: Datatype) -> &'static str {
    match datatype {
        Datatype::Bool => "bool_contents",
        Datatype::Int32 => "int_contents",
        Datatype::Int64 => "int64_contents",
        Datatype::Fp32 => "fp32_contents",
        Datatype::Fp64 => "fp64_contents",
        Datatype::Bytes => "bytes_contents",
    }
}

/// Names of the outputs asked for; `None` is all of them.
pub fn wanted(outputs: &[InferRequestedOutputTensor]) -> Result<Option<Vec<&str>>, ApiError> {
    for output in outputs {
        refuse("output", &output.name, &output.parameters)?;
    }
    let names = || outputs.iter().map(|output| output.name.as_str()).collect();
    Ok((!outputs.is_empty()).then(names))
}

/// The answer's tensors, with their elements beside them where `as_raw`, else within.
pub fn outputs(answered: Vec<Tensor>, as_raw: bool) -> (Vec<InferOutputTensor>, Vec<Bytes>) {
    let mut raws = Vec::new();
    let output = |tensor: Tensor| {
        if as_raw {
            raws.push(raw::write(tensor.datatype, &tensor.data));
        }
        InferOutputTensor {
            name: tensor.name,
            datatype: tensor.datatype.word().to_owned(),
            // Sizes of what is in memory.
            shape: tensor.shape.iter().map(|size| *size as i64).collect(),
            parameters: HashMap::new(),
            contents: (!as_raw).then(|| contents(tensor.datatype, tensor.data)),
        }
    };
    (answered.into_iter().map(output).collect(), raws)
}

fn contents(datatype: Datatype, data: Data) -> InferTensorContents {
    let mut contents = InferTensorContents::default();
    match data {
        Data::Bool(values) => contents.bool_contents = values,
        Data::I64(values) if datatype == Datatype::Int32 => {
            contents.int_contents = values.into_iter().map(|value| value as i32).collect();
        }
        Data::I64(values) => contents.int64_contents = values,
        Data::F32(values) => contents.fp32_contents = values,
        Data::F64(values) => contents.fp64_contents = values,
        Data::Bytes(values) => {
            contents.bytes_contents = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        }
    }
    contents
}
