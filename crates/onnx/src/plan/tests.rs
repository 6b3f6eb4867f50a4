//! What is refused and by which name; nothing makes reading or running panic, or take long.

mod damage;
mod refusals;

use super::*;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::{Dimension, dimension};
use crate::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};
use prost::Message;

fn put(name: &str, kind: DataType, shape: &[i64]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|size| Dimension {
            value: Some(match size {
                -1 => dimension::Value::DimParam("N".into()),
                size => dimension::Value::DimValue(*size),
            }),
            ..Dimension::default()
        })
        .collect();
    let tensor = type_proto::Tensor {
        elem_type: Some(kind as i32),
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

fn node(operator: &str, inputs: &[&str], outputs: &[&str], attribute: Vec<AttributeProto>) -> NodeProto {
    let ml = Plan::supported().any(|name| name == operator)
        && ops::OPERATORS
            .iter()
            .any(|known| known.name == operator && known.domain == ops::ML);
    NodeProto {
        name: Some(format!("a {operator}")),
        op_type: Some(operator.into()),
        domain: Some(if ml { ops::ML.into() } else { String::new() }),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: outputs.iter().map(|&name| name.into()).collect(),
        attribute,
        ..NodeProto::default()
    }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Floats as i32),
        floats: floats.to_vec(),
        ..AttributeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

fn constant(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int64 as i32),
        int64_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn model(node: Vec<NodeProto>, input: Vec<ValueInfoProto>, output: Vec<ValueInfoProto>) -> ModelProto {
    ModelProto {
        ir_version: Some(8),
        opset_import: [("", 18), (ops::ML, 3)]
            .map(|(domain, version)| OperatorSetIdProto {
                domain: Some(domain.into()),
                version: Some(version),
            })
            .into(),
        graph: Some(GraphProto {
            node,
            input,
            output,
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    }
}

/// `[rows, 2]` scaled, and the sums of its rows.
fn example() -> ModelProto {
    let scale = vec![floats("offset", &[1.0, 0.0]), floats("scale", &[2.0, 0.5])];
    let mut model = model(
        vec![
            node("Scaler", &["x"], &["scaled"], scale),
            node(
                "ReduceSum",
                &["scaled", "axes"],
                &["sum"],
                vec![int("keepdims", 0)],
            ),
        ],
        vec![put("x", DataType::Float, &[-1, 2])],
        vec![
            put("scaled", DataType::Float, &[-1, 2]),
            put("sum", DataType::Float, &[-1]),
        ],
    );
    model.graph.as_mut().unwrap().initializer = vec![constant("axes", &[1])];
    model
}

fn read(model: &ModelProto) -> Result<Plan, PlanError> {
    Plan::read(&model.encode_to_vec(), &Limits::default())
}

#[test]
fn answers_rows_and_says_what_it_takes() {
    let plan = read(&example()).unwrap();
    assert_eq!(plan.inputs()[0].shape, [None, Some(2)]);
    assert_eq!(plan.outputs()[0].shape, [None, Some(2)]);
    assert_eq!(plan.outputs()[1].shape, [None]);
    assert_eq!(plan.operators().collect::<Vec<_>>(), ["Scaler", "ReduceSum"]);
    let mut scratch = Scratch::new();
    for rows in [3, 1, 0, 7] {
        let values: Vec<f32> = (0..rows * 2).map(|value| value as f32).collect();
        let input = [View {
            shape: &[rows, 2],
            values: Values::F32(&values),
        }];
        let outputs = plan.run(&input, &mut scratch).unwrap();
        let expected: Vec<f32> = values
            .chunks(2)
            .map(|row| (row[0] - 1.0) * 2.0 + row[1] * 0.5)
            .collect();
        assert_eq!(outputs.get(1).values, Values::F32(&expected));
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let plan = read(&example()).unwrap();
    let mut scratch = Scratch::new();
    let mut run = |shape: &[usize], values: Values<'_>| {
        let input = [View { shape, values }];
        plan.run(&input, &mut scratch).map(drop).unwrap_err().to_string()
    };
    assert_eq!(
        run(&[1, 3], Values::F32(&[0.0; 3])),
        "input \"x\" has shape [1, 3], expected [rows, 2]"
    );
    assert_eq!(
        run(&[2, 2], Values::F32(&[0.0; 3])),
        "input \"x\" has 3 values, its shape says 4"
    );
    assert_eq!(
        run(&[1, 2], Values::F64(&[0.0; 2])),
        "input \"x\" holds float64, expected float32"
    );
    assert_eq!(
        plan.run(&[], &mut scratch).map(drop).unwrap_err(),
        RunError::Inputs {
            found: 0,
            expected: 1
        }
    );
}

/// After the first run of a size nothing is allocated: the buffers stay where they are.
#[test]
fn runs_keep_their_buffers() {
    let plan = read(&example()).unwrap();
    let mut scratch = Scratch::new();
    let values = vec![1.0f32; 64];
    let mut place = || {
        let input = [View {
            shape: &[32, 2],
            values: Values::F32(&values),
        }];
        match plan.run(&input, &mut scratch).unwrap().get(0).values {
            Values::F32(values) => values.as_ptr(),
            _ => panic!("floats"),
        }
    };
    let first = place();
    assert!((0..5).all(|_| place() == first));
}

#[test]
fn labels_are_named_where_a_classifier_makes_them() {
    let labels = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/plan");
        let bytes = std::fs::read(format!("{folder}/{name}.onnx")).unwrap();
        let plan = Plan::read(&bytes, &Limits::default()).unwrap();
        plan.outputs()[0].labels.as_ref().map(|labels| match labels {
            Classes::Ints(labels) => labels.iter().map(i64::to_string).collect::<Vec<_>>().join(" "),
            Classes::Strings(labels) => labels.iter().collect::<Vec<_>>().join(" "),
        })
    };
    let cases = [
        ("logistic_words_f32", Some("setosa versicolor virginica")),
        // Doubles are a chain of plain operators that ends in a pick from the list.
        ("logistic_words_f64", Some("setosa versicolor virginica")),
        ("forest_zip_words_f32", Some("setosa versicolor virginica")),
        ("logistic_zip_binary_f32", Some("0 1")),
        ("svc_rbf_multi_f32", Some("0 1 2")),
        ("ridge_number_f32", None),
        ("op_Abs", None),
    ];
    for (name, expected) in cases {
        assert_eq!(labels(name).as_deref(), expected, "{name}");
    }
}

#[test]
fn operators_are_listed_once_and_in_order() {
    let names: Vec<&str> = Plan::supported().collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(names, sorted);
}
