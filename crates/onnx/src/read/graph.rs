//! Second pass: operators, names, shapes, versions.

use super::trees::{Attributes, trees};
use super::{ReadError, same};
use crate::ensemble::{MAX_CLASSES, MAX_FEATURES, Output, TreeEnsemble};
use crate::names;
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::dimension;
use crate::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto, type_proto};
use crate::write::{IR_VERSION, ML_DOMAIN, ML_OPSET, OPSET, UNUSED_LABEL};

pub(super) fn ensemble(model: ModelProto) -> Result<TreeEnsemble, ReadError> {
    same("ir_version", model.ir_version(), IR_VERSION)?;
    let mut opsets: Vec<_> = model
        .opset_import
        .iter()
        .map(|set| (set.domain(), set.version()))
        .collect();
    opsets.sort_unstable();
    same("opset_import", opsets, vec![("", OPSET), (ML_DOMAIN, ML_OPSET)])?;
    let GraphProto {
        node, input, output, ..
    } = model.graph.unwrap_or_default();

    same("number of graph inputs", input.len(), 1)?;
    let features = tensor(&input[0], names::FEATURES, DataType::Float)?;
    let features = width(names::FEATURES, features, MAX_FEATURES)?;

    let mut nodes = node.into_iter();
    let first = nodes.next().unwrap_or_default();
    let classifier = match first.op_type() {
        "TreeEnsembleClassifier" => true,
        "TreeEnsembleRegressor" => false,
        other => {
            return Err(ReadError::Different {
                what: "first operator".into(),
                value: super::short(&other),
                expected: "TreeEnsembleClassifier or TreeEnsembleRegressor".into(),
            });
        }
    };
    same("domain of the first operator", first.domain(), ML_DOMAIN)?;
    same(
        "inputs of the first operator",
        strs(&first.input),
        vec![names::FEATURES],
    )?;
    if classifier {
        same("number of nodes", nodes.len() + 1, 2)?;
        same(
            "outputs of TreeEnsembleClassifier",
            strs(&first.output),
            vec![UNUSED_LABEL, names::PROBABILITIES],
        )?;
        arg_max(nodes.next().unwrap_or_default())?;
        let classes = classifier_outputs(&output)?;
        let mut attributes = Attributes::new("TreeEnsembleClassifier", first.attribute)?;
        let labels = attributes.ints("classlabels_int64s")?;
        super::trees::equal_entries("classlabels_int64s", &labels, 0..classes as i64)?;
        let trees = trees(&mut attributes, "class", classes)?;
        attributes.finish()?;
        return Ok(TreeEnsemble::new(features, Output::Classes(classes), trees)?);
    }
    same("number of nodes", nodes.len() + 1, 1)?;
    same(
        "outputs of TreeEnsembleRegressor",
        strs(&first.output),
        vec![names::PREDICTION],
    )?;
    same("number of graph outputs", output.len(), 1)?;
    let shape = tensor(&output[0], names::PREDICTION, DataType::Float)?;
    same("width of prediction", shape, vec![None, Some(1)])?;
    let mut attributes = Attributes::new("TreeEnsembleRegressor", first.attribute)?;
    same(
        "aggregate_function",
        attributes.string("aggregate_function")?,
        "SUM".into(),
    )?;
    same("n_targets", attributes.int("n_targets")?, 1)?;
    let bases = attributes.floats("base_values")?;
    super::trees::length("base_values", bases.len(), 1)?;
    let trees = trees(&mut attributes, "target", 1)?;
    attributes.finish()?;
    Ok(TreeEnsemble::new(
        features,
        Output::Number { base: bases[0] },
        trees,
    )?)
}

fn classifier_outputs(output: &[ValueInfoProto]) -> Result<usize, ReadError> {
    same("number of graph outputs", output.len(), 2)?;
    let label = tensor(&output[0], names::LABEL, DataType::Int64)?;
    same("shape of label", label, vec![None])?;
    let probabilities = tensor(&output[1], names::PROBABILITIES, DataType::Float)?;
    width(names::PROBABILITIES, probabilities, MAX_CLASSES)
}

fn arg_max(node: NodeProto) -> Result<(), ReadError> {
    same("second operator", node.op_type(), "ArgMax")?;
    same("domain of ArgMax", node.domain(), "")?;
    same("inputs of ArgMax", strs(&node.input), vec![names::PROBABILITIES])?;
    same("outputs of ArgMax", strs(&node.output), vec![names::LABEL])?;
    let mut attributes = Attributes::new("ArgMax", node.attribute)?;
    same("axis of ArgMax", attributes.int("axis")?, 1)?;
    same("keepdims of ArgMax", attributes.int("keepdims")?, 0)?;
    attributes.finish()
}

fn strs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// The sizes of a tensor's dimensions, `None` where the size is open, after name and type are right.
fn tensor(value: &ValueInfoProto, name: &str, element: DataType) -> Result<Vec<Option<i64>>, ReadError> {
    same("name of a graph input or output", value.name(), name)?;
    let kind = value.r#type.as_ref().and_then(|kind| kind.value.as_ref());
    let Some(type_proto::Value::TensorType(tensor)) = kind else {
        return Err(ReadError::Different {
            what: format!("type of {name}"),
            value: "no tensor".into(),
            expected: "a tensor".into(),
        });
    };
    same(
        &format!("element type of {name}"),
        tensor.elem_type(),
        element as i32,
    )?;
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    Ok(dimensions
        .map(|dimension| match &dimension.value {
            Some(dimension::Value::DimValue(size)) => Some(*size),
            _ => None,
        })
        .collect())
}

/// The second dimension of an `[N, width]` tensor.
fn width(name: &str, shape: Vec<Option<i64>>, most: usize) -> Result<usize, ReadError> {
    match shape[..] {
        [None, Some(width)] if (1..=most as i64).contains(&width) => Ok(width as usize),
        _ => Err(ReadError::Different {
            what: format!("shape of {name}"),
            value: super::short(&shape),
            expected: format!("[open, 1 to {most}]"),
        }),
    }
}
