//! Every refusal names what it is about and what was expected.

use super::*;

fn refused(model: &ModelProto) -> String {
    read(model).unwrap_err().to_string()
}

#[test]
fn operators_and_attributes_by_name() {
    let mut other = example();
    other.graph.as_mut().unwrap().node[0].op_type = Some("Einsum".into());
    other.graph.as_mut().unwrap().node[0].domain = None;
    let text = refused(&other);
    assert!(
        text.starts_with("node \"a Einsum\": operator Einsum is not supported, supported are: Abs, Add,")
            || text
                .starts_with("node \"a Scaler\": operator Einsum is not supported, supported are: Abs, Add,"),
        "{text}"
    );
    let mut other = example();
    other.graph.as_mut().unwrap().node[0]
        .attribute
        .push(int("speed", 9));
    assert_eq!(
        refused(&other),
        "node \"a Scaler\" (Scaler): attribute \"speed\" is not supported here, supported are: offset, scale"
    );
    let mut other = example();
    other.graph.as_mut().unwrap().node[0].attribute.pop();
    assert_eq!(
        refused(&other),
        "node \"a Scaler\" (Scaler): attribute \"scale\" is missing, expected a list of numbers"
    );
    let mut other = example();
    other.graph.as_mut().unwrap().node[0].attribute[1] = int("scale", 1);
    assert_eq!(
        refused(&other),
        "node \"a Scaler\" (Scaler): attribute \"scale\" is \"INT\", expected FLOATS"
    );
    let mut other = example();
    other.graph.as_mut().unwrap().node[0].attribute[1] = floats("scale", &[1.0; 3]);
    assert_eq!(
        refused(&other),
        "node \"a Scaler\" (Scaler): number of values of attribute \"scale\" is 3, expected 1 or 2"
    );
}

#[test]
fn graphs_by_what_is_wrong() {
    let mut other = example();
    other.graph.as_mut().unwrap().node[1].input[0] = "nobody".into();
    assert!(refused(&other).contains("input 0 is \"nobody\", expected the name of"));
    let mut other = example();
    other.graph.as_mut().unwrap().node.swap(0, 1);
    assert!(refused(&other).contains("input 0 is \"scaled\""));
    let mut other = example();
    other.graph.as_mut().unwrap().input[0] = put("x", DataType::Float, &[-1, -1]);
    assert!(refused(&other).contains("input \"x\": has an open size after the rows"));
    let mut other = example();
    other.graph.as_mut().unwrap().input[0] = put("x", DataType::Float16, &[-1, 2]);
    assert!(refused(&other).contains("has an element type that is not supported, expected FLOAT"));
    let mut other = example();
    other.graph.as_mut().unwrap().initializer = vec![constant("axes", &[5])];
    assert!(refused(&other).contains("node \"a ReduceSum\" (ReduceSum): attribute \"axis\" is 5"));
    let mut other = example();
    other
        .graph
        .as_mut()
        .unwrap()
        .output
        .push(put("gone", DataType::Float, &[-1]));
    assert_eq!(refused(&other), "output \"gone\": is not made by any node");
    let mut other = example();
    other.opset_import[0].version = Some(99);
    assert_eq!(refused(&other), "opset of domain \"\" is 99, expected 7 to 26");
    assert_eq!(Plan::read(b"", &Limits::default()).unwrap_err(), PlanError::Empty);
}

/// A small file cannot ask for much: sizes are looked at before memory is taken.
#[test]
fn what_is_too_much() {
    let huge = |operator: &str, sizes: &[i64]| {
        let mut model = model(
            vec![
                node("Shape", &["x"], &["shape"], vec![]),
                node(operator, &["x", "sizes"], &["y"], vec![]),
            ],
            vec![put("x", DataType::Float, &[-1, 2])],
            vec![
                put("y", DataType::Float, &[]),
                put("shape", DataType::Int64, &[2]),
            ],
        );
        model.graph.as_mut().unwrap().initializer = vec![constant("sizes", sizes)];
        refused(&model)
    };
    assert!(huge("Tile", &[1 << 40, 1 << 40]).contains("number of elements of a tensor"));
    assert!(huge("Tile", &[1 << 20, 1 << 6]).contains("expected at most"));
    assert!(huge("Expand", &[1 << 30, 1, 2]).contains("number of elements of a tensor"));
    assert!(huge("Reshape", &[-1, -1]).contains("at most one is -1"));
    // Many small ones after the other.
    let mut nodes = vec![node("Identity", &["x"], &["y0"], vec![])];
    for step in 0..40 {
        let (from, to) = (format!("y{step}"), format!("y{}", step + 1));
        nodes.push(NodeProto {
            attribute: vec![int("axis", 1)],
            ..node("Concat", &[&from, &from], &[&to], vec![])
        });
    }
    let doubled = model(
        nodes,
        vec![put("x", DataType::Float, &[-1, 2])],
        vec![put("y40", DataType::Float, &[])],
    );
    assert!(refused(&doubled).contains("expected at most"));
    let limits = Limits {
        nodes: 1,
        ..Limits::default()
    };
    let bytes = example().encode_to_vec();
    assert_eq!(
        Plan::read(&bytes, &limits).unwrap_err().to_string(),
        "number of nodes is 2, expected at most 1"
    );
    let limits = Limits {
        messages: 10,
        ..Limits::default()
    };
    assert!(matches!(
        Plan::read(&bytes, &limits),
        Err(PlanError::Limit { .. })
    ));
}

#[test]
fn graphs_inside_of_nodes() {
    let mut other = example();
    let branch = AttributeProto {
        name: Some("body".into()),
        r#type: Some(AttributeType::Graph as i32),
        g: Some(GraphProto::default()),
        ..AttributeProto::default()
    };
    other.graph.as_mut().unwrap().node[0].attribute.push(branch);
    assert_eq!(refused(&other), "attribute holds a graph, which is not supported");
}

#[test]
fn messages_are_short() {
    let mut other = example();
    other.graph.as_mut().unwrap().node[0].op_type = Some("é".repeat(100_000));
    assert!(refused(&other).len() < 3_000);
    let mut other = example();
    other.graph.as_mut().unwrap().node[0].name = Some("é".repeat(100_000));
    other.graph.as_mut().unwrap().node[0]
        .attribute
        .push(int(&"é".repeat(100_000), 9));
    assert!(refused(&other).len() < 1_000);
}
