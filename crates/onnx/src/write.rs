//! Ensemble to ONNX bytes. The same ensemble gives the same bytes: fields in the order of their
//! numbers, no maps, no clock, no version of ours inside.

use crate::ensemble::{Node, Output, TreeEnsemble};
use crate::names;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorShapeProto, TypeProto,
    ValueInfoProto, type_proto,
};
use prost::Message;

/// ONNX IR version 8 (onnx 1.10): read by every onnxruntime from 1.10 on.
pub(crate) const IR_VERSION: i64 = 8;
/// ArgMax has been unchanged since opset 13.
pub(crate) const OPSET: i64 = 13;
/// The last opset whose tree operators are not marked deprecated.
pub(crate) const ML_OPSET: i64 = 3;
/// Domain of the tree operators.
pub(crate) const ML_DOMAIN: &str = "ai.onnx.ml";
/// The classifier's label output, which nothing reads.
pub(crate) const UNUSED_LABEL: &str = "ensemble_label";

/// The ensemble as an ONNX model (specification: onnx/docs/Operators-ml.md, IR.md).
pub fn write(ensemble: &TreeEnsemble) -> Vec<u8> {
    let (nodes, outputs) = match ensemble.output() {
        Output::Classes(classes) => (
            vec![classifier(ensemble, classes), arg_max()],
            vec![
                value(names::LABEL, DataType::Int64, &[None]),
                value(names::PROBABILITIES, DataType::Float, &[None, Some(classes)]),
            ],
        ),
        Output::Number { base } => (
            vec![regressor(ensemble, base)],
            vec![value(names::PREDICTION, DataType::Float, &[None, Some(1)])],
        ),
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("driftless".into()),
        opset_import: [("", OPSET), (ML_DOMAIN, ML_OPSET)]
            .map(|(domain, version)| OperatorSetIdProto {
                domain: Some(domain.into()),
                version: Some(version),
            })
            .into(),
        graph: Some(GraphProto {
            name: Some("trees".into()),
            node: nodes,
            input: vec![value(
                names::FEATURES,
                DataType::Float,
                &[None, Some(ensemble.features())],
            )],
            output: outputs,
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    model.encode_to_vec()
}

fn classifier(ensemble: &TreeEnsemble, classes: usize) -> NodeProto {
    let leaves = Leaves::of(ensemble);
    let mut attributes = leaves.attributes("class");
    attributes.push(ints("classlabels_int64s", (0..classes as i64).collect()));
    attributes.extend(branches(ensemble));
    attributes.push(string("post_transform", "NONE"));
    node(
        "trees",
        "TreeEnsembleClassifier",
        &[UNUSED_LABEL, names::PROBABILITIES],
        attributes,
    )
}

fn regressor(ensemble: &TreeEnsemble, base: f32) -> NodeProto {
    let leaves = Leaves::of(ensemble);
    let mut attributes = leaves.attributes("target");
    attributes.push(string("aggregate_function", "SUM"));
    attributes.push(floats("base_values", vec![base]));
    attributes.push(int("n_targets", 1));
    attributes.extend(branches(ensemble));
    attributes.push(string("post_transform", "NONE"));
    node("trees", "TreeEnsembleRegressor", &[names::PREDICTION], attributes)
}

fn arg_max() -> NodeProto {
    NodeProto {
        name: Some("label".into()),
        op_type: Some("ArgMax".into()),
        input: vec![names::PROBABILITIES.into()],
        output: vec![names::LABEL.into()],
        attribute: vec![int("axis", 1), int("keepdims", 0)],
        ..NodeProto::default()
    }
}

fn node(name: &str, operator: &str, outputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        name: Some(name.into()),
        op_type: Some(operator.into()),
        domain: Some(ML_DOMAIN.into()),
        input: vec![names::FEATURES.into()],
        output: outputs.iter().map(|&name| name.into()).collect(),
        attribute,
        ..NodeProto::default()
    }
}

/// One entry for each output of each leaf: zeros are written too, so that every class id occurs.
/// A binary model with one class id only means something else to onnxruntime.
#[derive(Default)]
struct Leaves {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    ids: Vec<i64>,
    weights: Vec<f32>,
}

impl Leaves {
    fn of(ensemble: &TreeEnsemble) -> Self {
        let width = ensemble.output().width();
        let mut leaves = Leaves::default();
        for (tree, body) in ensemble.trees().iter().enumerate() {
            for (node, kind) in body.nodes.iter().enumerate() {
                let Node::Leaf { first } = *kind else { continue };
                for id in 0..width {
                    leaves.trees.push(tree as i64);
                    leaves.nodes.push(node as i64);
                    leaves.ids.push(id as i64);
                    leaves.weights.push(body.values[first as usize + id]);
                }
            }
        }
        leaves
    }

    fn attributes(self, prefix: &str) -> Vec<AttributeProto> {
        vec![
            ints(&format!("{prefix}_ids"), self.ids),
            ints(&format!("{prefix}_nodeids"), self.nodes),
            ints(&format!("{prefix}_treeids"), self.trees),
            floats(&format!("{prefix}_weights"), self.weights),
        ]
    }
}

fn branches(ensemble: &TreeEnsemble) -> Vec<AttributeProto> {
    let count = ensemble.trees().iter().map(|tree| tree.nodes.len()).sum();
    let column = || Vec::with_capacity(count);
    let (mut falses, mut features, mut modes) = (column(), column(), Vec::with_capacity(count));
    let (mut node_ids, mut trees, mut trues) = (column(), column(), column());
    let mut values = Vec::with_capacity(count);
    for (tree, body) in ensemble.trees().iter().enumerate() {
        for (node, kind) in body.nodes.iter().enumerate() {
            let (feature, value, low, high, mode) = match *kind {
                Node::Branch {
                    feature,
                    threshold,
                    low,
                    high,
                } => (feature, threshold, low, high, "BRANCH_LEQ"),
                Node::Leaf { .. } => (0, 0.0, 0, 0, "LEAF"),
            };
            trees.push(tree as i64);
            node_ids.push(node as i64);
            features.push(i64::from(feature));
            values.push(value);
            trues.push(i64::from(low));
            falses.push(i64::from(high));
            modes.push(mode.into());
        }
    }
    vec![
        ints("nodes_falsenodeids", falses),
        ints("nodes_featureids", features),
        AttributeProto {
            strings: modes,
            ..attribute("nodes_modes", AttributeType::Strings)
        },
        ints("nodes_nodeids", node_ids),
        ints("nodes_treeids", trees),
        ints("nodes_truenodeids", trues),
        floats("nodes_values", values),
    ]
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(kind as i32),
        ..AttributeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        i: Some(value),
        ..attribute(name, AttributeType::Int)
    }
}

fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        s: Some(value.into()),
        ..attribute(name, AttributeType::String)
    }
}

fn ints(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto {
        ints,
        ..attribute(name, AttributeType::Ints)
    }
}

fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
    AttributeProto {
        floats,
        ..attribute(name, AttributeType::Floats)
    }
}

/// A tensor's name, type and shape; `None` is the number of rows, open until asked.
fn value(name: &str, element: DataType, shape: &[Option<usize>]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|size| Dimension {
            value: Some(match size {
                Some(size) => dimension::Value::DimValue(*size as i64),
                None => dimension::Value::DimParam("N".into()),
            }),
            ..Dimension::default()
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: Some(element as i32),
        shape: Some(TensorShapeProto { dim }),
    };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
