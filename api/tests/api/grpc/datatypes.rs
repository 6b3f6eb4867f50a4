//! Every datatype there and back, through a graph that gives what it takes.

use super::*;
use inference_api::Engine;
use onnx::{Plan, plan::Limits};
use prost::encoding::{WireType, encode_key, encode_varint};

const DATATYPES: [(&str, u64); 6] = [
    ("BOOL", 9),
    ("INT32", 6),
    ("INT64", 7),
    ("FP32", 1),
    ("FP64", 11),
    ("BYTES", 8),
];

fn number(field: u32, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(field, WireType::Varint, &mut bytes);
    encode_varint(value, &mut bytes);
    bytes
}

fn part(field: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(field, WireType::LengthDelimited, &mut bytes);
    encode_varint(content.len() as u64, &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}

/// An ONNX model with an `Identity` from `in-<datatype>` to `out-<datatype>`, rows of two columns.
fn identities() -> Vec<u8> {
    let port = |name: &str, element| {
        let dimensions = [part(1, &part(2, b"N")), part(1, &number(1, 2))].concat();
        let tensor = [number(1, element), part(2, &dimensions)].concat();
        [part(1, name.as_bytes()), part(2, &part(1, &tensor))].concat()
    };
    let mut graph = part(2, b"graph");
    for (word, element) in DATATYPES {
        let (from, to) = (format!("in-{word}"), format!("out-{word}"));
        let node = [
            part(1, from.as_bytes()),
            part(2, to.as_bytes()),
            part(4, b"Identity"),
        ];
        graph.extend(part(1, &node.concat()));
        graph.extend(part(11, &port(&from, element)));
        graph.extend(part(12, &port(&to, element)));
    }
    [number(1, 8), part(7, &graph), part(8, &number(2, 13))].concat()
}

fn served() -> Served {
    let plan = Plan::read(&identities(), &Limits::default()).unwrap();
    let manifest = crate::fixture::manifest();
    let info = contract::ModelInfo {
        name: "identities".to_owned(),
        model_version: "1".to_owned(),
        run_id: None,
        task: manifest.task,
        algorithm: "onnx".to_owned(),
        features: Vec::new(),
        classes: Vec::new(),
        metrics: Default::default(),
        dataset: None,
        drift_reference_sources: Vec::new(),
        digests: contract::info::Digests::default(),
        code_commit: None,
        image_tag: None,
    };
    Served::new(Engine::Plan(plan), info, false, None)
}

/// Two rows of each datatype, typed and raw.
fn values() -> Vec<(&'static str, InferTensorContents, Vec<u8>)> {
    let empty = InferTensorContents::default;
    let joined = |parts: &[&[u8]]| parts.concat();
    let integers = [i32::MIN, -1, 0, i32::MAX];
    let longs = [i64::MIN, -1, 0, i64::MAX];
    let floats = [f32::NEG_INFINITY, -0.0, 1.5, f32::MAX];
    let doubles = [f64::MIN, -0.0, 0.1, f64::INFINITY];
    let texts: [&[u8]; 4] = ["Zürich".as_bytes(), b"", b"a\0b", "日本".as_bytes()];
    vec![
        (
            "BOOL",
            InferTensorContents {
                bool_contents: vec![true, false, false, true],
                ..empty()
            },
            vec![1, 0, 0, 1],
        ),
        (
            "INT32",
            InferTensorContents {
                int_contents: integers.to_vec(),
                ..empty()
            },
            joined(&integers.map(i32::to_le_bytes).each_ref().map(|b| &b[..])),
        ),
        (
            "INT64",
            InferTensorContents {
                int64_contents: longs.to_vec(),
                ..empty()
            },
            joined(&longs.map(i64::to_le_bytes).each_ref().map(|b| &b[..])),
        ),
        (
            "FP32",
            InferTensorContents {
                fp32_contents: floats.to_vec(),
                ..empty()
            },
            joined(&floats.map(f32::to_le_bytes).each_ref().map(|b| &b[..])),
        ),
        (
            "FP64",
            InferTensorContents {
                fp64_contents: doubles.to_vec(),
                ..empty()
            },
            joined(&doubles.map(f64::to_le_bytes).each_ref().map(|b| &b[..])),
        ),
        (
            "BYTES",
            InferTensorContents {
                bytes_contents: texts.map(<[u8]>::to_vec).to_vec(),
                ..empty()
            },
            texts
                .iter()
                .flat_map(|text| [&(text.len() as u32).to_le_bytes()[..], text].concat())
                .collect(),
        ),
    ]
}

fn request(as_raw: bool) -> ModelInferRequest {
    let mut request = ModelInferRequest {
        model_name: "identities".to_owned(),
        ..ModelInferRequest::default()
    };
    for (word, contents, bytes) in values() {
        let mut tensor = input(&format!("in-{word}"), word, &[2, 2]);
        if as_raw {
            request.raw_input_contents.push(bytes.into());
        } else {
            tensor.contents = Some(Box::new(contents));
        }
        request.inputs.push(tensor);
    }
    request
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    let address = serve(Some(served())).await;
    let mut client = client(address).await;
    let typed = client.model_infer(request(false)).await.unwrap().into_inner();
    assert!(typed.raw_output_contents.is_empty());
    assert_eq!(typed.outputs.len(), 6);
    for (output, (word, contents, _)) in typed.outputs.iter().zip(values()) {
        assert_eq!(output.name, format!("out-{word}"));
        assert_eq!(
            (&*output.datatype, &*output.shape, output.contents.as_ref()),
            (word, &[2, 2][..], Some(&contents))
        );
    }
    let raw = client.model_infer(request(true)).await.unwrap().into_inner();
    for (bytes, (word, _, expected)) in raw.raw_output_contents.iter().zip(values()) {
        assert_eq!(bytes, &expected, "{word}");
    }
    assert_eq!(raw.raw_output_contents.len(), 6);
}

#[tokio::test]
async fn bytes_that_are_no_elements_are_refused_by_name() {
    let address = serve(Some(served())).await;
    let mut client = client(address).await;
    let mut messages = Vec::new();
    // Of one input each: others are as they should be.
    for (place, bytes) in [
        (0, vec![1, 0, 2, 1]),
        (1, vec![0; 15]),
        (2, vec![0; 31]),
        (3, vec![0; 12]),
        (4, vec![0; 4]),
        (5, vec![1, 0, 0]),
        (5, vec![2, 0, 0, 0, b'a']),
        (5, vec![255, 255, 255, 255, b'a']),
        (5, vec![1, 0, 0, 0, 0xff]),
    ] {
        let mut request = request(true);
        request.raw_input_contents[place] = bytes.into();
        let status = client.model_infer(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        messages.push(status.message().to_owned());
    }
    let mut request = request(false);
    request.inputs[5].contents.as_mut().unwrap().bytes_contents[3] = vec![0xff];
    let status = client.model_infer(request).await.unwrap_err();
    messages.push(status.message().to_owned());
    insta::assert_snapshot!(messages.join("\n"));
}
