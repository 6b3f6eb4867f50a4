//! Everything that differs from our own graph is refused by name.

use super::*;
use crate::proto::{AttributeProto, GraphProto, NodeProto, StringStringEntryProto, TensorProto};

fn graph(model: &mut ModelProto) -> &mut GraphProto {
    model.graph.as_mut().unwrap()
}

fn node(model: &mut ModelProto, number: usize) -> &mut NodeProto {
    &mut graph(model).node[number]
}

fn attribute<'a>(model: &'a mut ModelProto, name: &str) -> &'a mut AttributeProto {
    let mut attributes = node(model, 0).attribute.iter_mut();
    attributes.find(|attribute| attribute.name() == name).unwrap()
}

type Change = fn(&mut ModelProto);

#[test]
fn refuses_by_name() {
    let table: &[(Change, &str)] = &[
        (|m| m.ir_version = Some(9), "ir_version is 9, expected 8"),
        (
            |m| m.opset_import[0].version = Some(12),
            "opset_import is [(\"\", 12)",
        ),
        (|m| m.graph = None, "number of graph inputs is 0"),
        (
            |m| m.metadata_props = vec![StringStringEntryProto::default(); 65],
            "model has field metadata_props 65 times",
        ),
        (
            |m| m.functions.push(Default::default()),
            "model has a field with number 25",
        ),
        (
            |m| graph(m).initializer.push(TensorProto::default()),
            "graph has a field with number 5",
        ),
        (
            |m| graph(m).input[0].name = Some("x".into()),
            "name of a graph input or output is \"x\", expected \"features\"",
        ),
        (
            |m| graph(m).input[0].r#type = graph(m).output[0].r#type.clone(),
            "element type of features is 7, expected 1",
        ),
        (
            |m| {
                graph(m).input[0] = {
                    let mut v = graph(m).output[1].clone();
                    v.name = Some("features".into());
                    v
                }
            },
            "feature 2 does not exist, expected below 2",
        ),
        (|m| graph(m).output.swap(0, 1), "expected \"label\""),
        (
            |m| {
                graph(m).output.pop();
            },
            "number of graph outputs is 1, expected 2",
        ),
        (|m| graph(m).node.swap(0, 1), "first operator is \"ArgMax\""),
        (
            |m| {
                graph(m).node.pop();
            },
            "number of nodes is 1, expected 2",
        ),
        (
            |m| {
                let n = node(m, 1).clone();
                graph(m).node.push(n)
            },
            "graph has field node 3 times",
        ),
        (
            |m| node(m, 0).op_type = Some("SVMClassifier".into()),
            "first operator is \"SVMClassifier\"",
        ),
        (
            |m| node(m, 0).domain = None,
            "domain of the first operator is \"\"",
        ),
        (
            |m| node(m, 0).input[0] = "label".into(),
            "inputs of the first operator is [\"label\"]",
        ),
        (
            |m| node(m, 0).output.swap(0, 1),
            "outputs of TreeEnsembleClassifier",
        ),
        (
            |m| node(m, 1).op_type = Some("ArgMin".into()),
            "second operator is \"ArgMin\"",
        ),
        (
            |m| node(m, 1).input[0] = "label".into(),
            "inputs of ArgMax is [\"label\"]",
        ),
        (
            |m| node(m, 1).attribute[0].i = Some(0),
            "axis of ArgMax is 0, expected 1",
        ),
        (
            |m| node(m, 1).attribute[1].i = Some(1),
            "keepdims of ArgMax is 1, expected 0",
        ),
        (
            |m| {
                node(m, 1).attribute.push(AttributeProto {
                    name: Some("select_last_index".into()),
                    ..Default::default()
                })
            },
            "ArgMax has no attribute \"\\\"select_last_index\\\"\"",
        ),
        (
            |m| attribute(m, "nodes_values").name = Some("base_values".into()),
            "TreeEnsembleClassifier lacks attribute \"nodes_values\"",
        ),
        (
            |m| {
                let a = attribute(m, "post_transform").clone();
                node(m, 0).attribute.push(a)
            },
            "has attribute \"\\\"post_transform\\\"\" twice",
        ),
        (
            |m| attribute(m, "post_transform").s = Some("SOFTMAX".into()),
            "post_transform is \"SOFTMAX\"",
        ),
        (
            |m| attribute(m, "nodes_values").r#type = Some(7),
            "attribute \"nodes_values\" is not of type FLOATS",
        ),
        (
            |m| attribute(m, "nodes_values").ints.push(1),
            "attribute \"nodes_values\" is not of type FLOATS",
        ),
        (
            |m| {
                attribute(m, "nodes_values").floats.pop();
            },
            "\"nodes_values\" has 3 entries, expected 4",
        ),
        (
            |m| attribute(m, "nodes_treeids").ints.push(1),
            "\"nodes_treeids\" has 5 entries, expected 4",
        ),
        (
            |m| attribute(m, "nodes_modes").strings[0] = b"BRANCH_LT"[..].into(),
            "node mode is \"BRANCH_LT\"",
        ),
        (
            |m| attribute(m, "nodes_modes").strings[1] = b"BRANCH_LEQ"[..].into(),
            "\"class_weights\" has 6 entries, expected 4",
        ),
        (
            |m| attribute(m, "nodes_modes").strings[0] = b"LEAF"[..].into(),
            "\"nodes_featureids\" entry 0 is 2",
        ),
        (
            |m| attribute(m, "nodes_treeids").ints[3] = 2,
            "entry 3 is 2, expected each tree in one piece",
        ),
        (
            |m| attribute(m, "nodes_treeids").ints[0] = -1,
            "entry 0 is -1, expected each tree in one piece",
        ),
        (
            |m| attribute(m, "nodes_nodeids").ints[2] = 1,
            "tree 0 node 1 is written twice",
        ),
        (
            |m| attribute(m, "nodes_nodeids").ints[2] = 7,
            "\"nodes_nodeids\" entry 2 is 7, expected 2",
        ),
        (
            |m| attribute(m, "nodes_truenodeids").ints[0] = 0,
            "tree 0: node 0 is reached twice",
        ),
        (
            |m| attribute(m, "nodes_truenodeids").ints[0] = 2,
            "tree 0: node 2 is reached twice",
        ),
        (
            |m| attribute(m, "nodes_truenodeids").ints[0] = 3,
            "tree 0 node 0: child 3 does not exist",
        ),
        (
            |m| attribute(m, "nodes_truenodeids").ints[0] = -1,
            "\"nodes_truenodeids\" entry 0 is -1",
        ),
        (
            |m| attribute(m, "nodes_truenodeids").ints[1] = 1,
            "entry 1 is 1, expected 0 in a leaf",
        ),
        (
            |m| attribute(m, "nodes_featureids").ints[0] = 3,
            "feature 3 does not exist, expected below 3",
        ),
        (
            |m| attribute(m, "nodes_featureids").ints[0] = i64::MIN,
            "\"nodes_featureids\" entry 0 is -9223372036854775808",
        ),
        (
            |m| attribute(m, "nodes_values").floats[0] = f32::NAN,
            "threshold is NaN, expected a finite number",
        ),
        (
            |m| attribute(m, "nodes_values").floats[0] = f32::INFINITY,
            "threshold is inf",
        ),
        (
            |m| attribute(m, "nodes_values").floats[1] = 1.0,
            "\"nodes_values\" entry 1 is 1.0, expected 0 in a leaf",
        ),
        (
            |m| attribute(m, "class_weights").floats[1] = f32::NAN,
            "leaf value 1 is NaN",
        ),
        (
            |m| {
                attribute(m, "class_weights").floats.pop();
            },
            "\"class_weights\" has 5 entries, expected 6",
        ),
        (
            |m| attribute(m, "class_ids").ints[1] = 0,
            "\"class_ids\" entry 1 is 0, expected 1",
        ),
        (
            |m| attribute(m, "class_ids").ints.push(0),
            "\"class_ids\" has 7 entries, expected 6",
        ),
        (
            |m| attribute(m, "class_nodeids").ints[0] = 2,
            "\"class_nodeids\" entry 0 is 2, expected 1",
        ),
        (
            |m| attribute(m, "class_treeids").ints[5] = 0,
            "\"class_treeids\" entry 5 is 0, expected 1",
        ),
        (
            |m| attribute(m, "classlabels_int64s").ints[0] = 1,
            "\"classlabels_int64s\" entry 0 is 1, expected 0",
        ),
        (
            |m| attribute(m, "classlabels_int64s").ints.push(2),
            "\"classlabels_int64s\" has 3 entries, expected 2",
        ),
        (
            |m| {
                for name in [
                    "nodes_treeids",
                    "nodes_nodeids",
                    "nodes_featureids",
                    "nodes_truenodeids",
                    "nodes_falsenodeids",
                    "class_treeids",
                    "class_nodeids",
                    "class_ids",
                ] {
                    attribute(m, name).ints.clear()
                }
            },
            "\"nodes_treeids\" has 0 entries, expected 4",
        ),
    ];
    for (number, (change, expected)) in table.iter().enumerate() {
        let mut model = model(Output::Classes(2));
        change(&mut model);
        let error = read(&model.encode_to_vec()).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{number}: {error:?} does not contain {expected:?}"
        );
    }
}

#[test]
fn refuses_other_regressions_by_name() {
    let table: &[(Change, &str)] = &[
        (
            |m| attribute(m, "aggregate_function").s = Some("AVERAGE".into()),
            "aggregate_function is \"AVERAGE\"",
        ),
        (
            |m| attribute(m, "n_targets").i = Some(2),
            "n_targets is 2, expected 1",
        ),
        (
            |m| attribute(m, "base_values").floats.clear(),
            "\"base_values\" has 0 entries, expected 1",
        ),
        (
            |m| attribute(m, "base_values").floats[0] = f32::NAN,
            "base value is NaN",
        ),
        (
            |m| attribute(m, "target_ids").ints[0] = 1,
            "\"target_ids\" entry 0 is 1, expected 0",
        ),
        (
            |m| graph(m).output[0].r#type = graph(m).input[0].r#type.clone(),
            "width of prediction is [None, Some(3)]",
        ),
    ];
    for (change, expected) in table {
        let mut model = model(Output::Number { base: 1.0 });
        change(&mut model);
        let error = read(&model.encode_to_vec()).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{error:?} does not contain {expected:?}"
        );
    }
}
