//! What a graph says of itself: versions, names, types and shapes of what goes in and out.

use super::error::PlanError;
use super::ops;
use super::value::{Data, Element, MAX_RANK, Shape, Strings, Tensor};
use super::{Limits, Port};
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::dimension;
use crate::proto::{ModelProto, NodeProto, ValueInfoProto, type_proto};
use std::collections::HashSet;

/// The opsets whose meaning the operators are known to have.
const OPSETS: std::ops::RangeInclusive<i64> = 7..=26;
const ML_OPSETS: std::ops::RangeInclusive<i64> = 1..=5;

/// Versions of the two domains; other domains are refused with the operators that are of them.
pub(super) fn opsets(model: &ModelProto) -> Result<(i64, i64), PlanError> {
    let (mut opset, mut ml_opset) = (*OPSETS.end(), 1);
    for import in &model.opset_import {
        let version = import.version();
        let known = match import.domain() {
            "" | "ai.onnx" => {
                opset = version;
                OPSETS
            }
            ops::ML => {
                ml_opset = version;
                ML_OPSETS
            }
            _ => continue,
        };
        if !known.contains(&version) {
            return Err(PlanError::Opset {
                domain: import.domain().into(),
                version,
                expected: format!("{} to {}", known.start(), known.end()),
            });
        }
    }
    Ok((opset, ml_opset))
}

/// Which nodes the outputs depend on. Nodes come after what they read, or are refused later.
pub(super) fn needed<'a>(nodes: &'a [NodeProto], outputs: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let mut names: HashSet<&str> = outputs.collect();
    let mut needed = vec![false; nodes.len()];
    for (node, needed) in nodes.iter().zip(&mut needed).rev() {
        if node.output.iter().any(|name| names.contains(name.as_str())) {
            *needed = true;
            names.extend(node.input.iter().map(String::as_str));
        }
    }
    needed
}

pub(super) fn limit(what: &'static str, value: usize, most: usize) -> Result<(), PlanError> {
    if value <= most {
        return Ok(());
    }
    Err(PlanError::Limit { what, value, most })
}

pub(super) fn value(what: &'static str, name: &str, problem: &impl ToString) -> PlanError {
    PlanError::Value {
        what,
        name: name.chars().take(80).collect(),
        problem: problem.to_string(),
    }
}

pub(super) fn element(kind: i32) -> Option<Element> {
    Some(match DataType::try_from(kind).ok()? {
        DataType::Float => Element::F32,
        DataType::Double => Element::F64,
        DataType::Int64 => Element::I64,
        DataType::Int32 => Element::I32,
        DataType::Bool => Element::Bool,
        DataType::String => Element::Str,
        _ => return None,
    })
}

pub(super) fn tensor_type(value: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    match value.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(tensor),
        _ => None,
    }
}

/// An input of the graph: a tensor whose sizes are known but for the first.
pub(super) fn port(input: &ValueInfoProto) -> Result<Port, PlanError> {
    let name = input.name();
    let problem = |problem: &str| value("input", name, &problem);
    let tensor = tensor_type(input).ok_or_else(|| problem("is not a tensor, expected a tensor"))?;
    let element = element(tensor.elem_type()).ok_or_else(|| {
        problem(
            "has an element type that is not supported, expected FLOAT, DOUBLE, INT64, INT32, BOOL or STRING",
        )
    })?;
    let dimensions = tensor.shape.as_ref().map(|shape| &shape.dim[..]);
    let dimensions = dimensions.ok_or_else(|| problem("has no shape, expected [rows, columns]"))?;
    if dimensions.len() > MAX_RANK {
        return Err(problem("has too many dimensions, expected [rows, columns]"));
    }
    let mut shape = Vec::new();
    for (place, dimension) in dimensions.iter().enumerate() {
        let size = match dimension.value {
            Some(dimension::Value::DimValue(size)) => usize::try_from(size).ok().filter(|size| *size > 0),
            _ => None,
        };
        if size.is_none() && place > 0 {
            return Err(problem(
                "has an open size after the rows, expected a number of columns",
            ));
        }
        shape.push(size);
    }
    Ok(Port {
        name: name.into(),
        element,
        shape,
        classes: None,
        labels: None,
    })
}

/// Made-up values for an input.
pub(super) fn zeros(port: &Port, rows: usize, limits: &Limits) -> Result<Tensor, PlanError> {
    let sizes: Vec<usize> = port.shape.iter().map(|size| size.unwrap_or(rows)).collect();
    let shape = Shape::new(&sizes).map_err(|fault| value("input", &port.name, &fault))?;
    let count = shape.count();
    limit("elements of an input", count, limits.elements.min(limits.work))?;
    let data = match port.element {
        Element::F32 => Data::F32(vec![0.0; count]),
        Element::F64 => Data::F64(vec![0.0; count]),
        Element::I64 | Element::I32 => Data::I64(vec![0; count]),
        Element::Bool => Data::Bool(vec![false; count]),
        Element::Str => Data::Str((0..count).map(|_| "").collect::<Strings>()),
    };
    Ok(Tensor { shape, data })
}
