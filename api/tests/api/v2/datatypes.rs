//! Every datatype, in JSON and in binary, in both directions.

use super::{
    graphs::{ELEMENTS, write_identity},
    infer, infer_binary, parts, refusal,
};
use crate::server::Server;

const PATH: &str = "/v2/models/same/infer";

struct Case {
    datatype: &'static str,
    /// As sent and as answered, where that is another text of the same values.
    json: [&'static str; 2],
    binary: Vec<u8>,
    /// Data that the datatype does not hold.
    wrong: &'static [&'static str],
}

fn bytes<const N: usize, T: Copy>(values: &[T], bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|value| bytes(*value)).collect()
}

fn cases() -> [Case; 6] {
    let same = |text| [text, text];
    let texts = ["", "é \"\\\n", "\u{1F600}"];
    let one = |text: &str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    [
        Case {
            datatype: "BOOL",
            json: same("true,false,true"),
            binary: vec![1, 0, 1],
            wrong: &["1", "\"true\"", "null"],
        },
        Case {
            datatype: "INT32",
            json: ["-2147483648,0,2147483647.0", "-2147483648,0,2147483647"],
            binary: bytes(&[i32::MIN, 0, i32::MAX], i32::to_le_bytes),
            wrong: &["2147483648", "-2147483649", "0.5", "1e300", "true", "\"1\""],
        },
        Case {
            datatype: "INT64",
            json: [
                "-9223372036854775808,1e3,9223372036854775807",
                "-9223372036854775808,1000,9223372036854775807",
            ],
            binary: bytes(&[i64::MIN, 1000, i64::MAX], i64::to_le_bytes),
            wrong: &["9223372036854775808", "9007199254740994.0", "-0.1", "[1]"],
        },
        Case {
            datatype: "FP32",
            json: ["0.1,-3.4028234663852886e38,1", "0.1,-3.4028235e+38,1.0"],
            binary: bytes(&[0.1, f32::MIN, 1.0], f32::to_le_bytes),
            wrong: &["3.5e38", "\"1\"", "false", "{}"],
        },
        Case {
            datatype: "FP64",
            json: [
                "0.1,-1.7976931348623157e308,5e-324",
                "0.1,-1.7976931348623157e+308,5e-324",
            ],
            binary: bytes(&[0.1, f64::MIN, 5e-324], f64::to_le_bytes),
            wrong: &["1e309", "null"],
        },
        Case {
            datatype: "BYTES",
            json: [r#""","\u00e9 \"\\\n","😀""#, r#""","é \"\\\n","😀""#],
            binary: texts.map(one).concat(),
            wrong: &["1", "null", "\"\\ud800\""],
        },
    ]
}

#[test]
fn what_goes_in_comes_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("same.onnx");
    let mut refusals = String::new();
    for case in cases() {
        let datatype = case.datatype;
        let element = ELEMENTS.iter().find(|(word, _)| *word == datatype).unwrap().1;
        write_identity(&file, element, 3);
        let server = Server::start(&file, &[]);
        let mut client = server.client();
        let metadata = client.get("/v2/models/same").json();
        for put in [&metadata["inputs"][0], &metadata["outputs"][0]] {
            assert_eq!(put["datatype"], datatype);
            assert_eq!(put["shape"], serde_json::json!([-1, 3]));
        }
        let request = |data: &str, rest: &str| {
            format!(r#"{{"inputs":[{{"name":"x","datatype":"{datatype}","shape":[1,3]{data}}}]{rest}}}"#)
        };
        let binary = r#","outputs":[{"name":"y","parameters":{"binary_data":true}}]"#;
        let [sent, answered] = case.json;
        let data = format!(r#","data":[[{sent}]]"#);
        let late =
            format!(r#"{{"inputs":[{{"data":[{sent}],"shape":[1,3],"name":"x","datatype":"{datatype}"}}]}}"#);
        let sized = format!(r#","parameters":{{"binary_data_size":{}}}"#, case.binary.len());
        let answers = [
            infer(&mut client, PATH, &request(&data, "")),
            infer(&mut client, PATH, &late),
            infer_binary(&mut client, PATH, &request(&sized, ""), &case.binary),
        ];
        for answer in answers {
            let expected = format!(
                r#""outputs":[{{"name":"y","datatype":"{datatype}","shape":[1,3],"data":[{answered}]}}]}}"#
            );
            assert!(answer.body.ends_with(&expected), "{answer:?} {expected}");
        }
        for answer in [
            infer(&mut client, PATH, &request(&data, binary)),
            infer_binary(&mut client, PATH, &request(&sized, binary), &case.binary),
        ] {
            let (json, behind) = parts(&answer);
            assert_eq!(behind, case.binary, "{datatype}");
            assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], behind.len());
        }
        for wrong in case.wrong {
            let body = request(&format!(r#","data":[{wrong},{wrong},{wrong}]"#), "");
            refusals += &format!(
                "{datatype} {wrong}\n  {}\n",
                refusal(&infer(&mut client, PATH, &body))
            );
        }
        // Each byte that is missing or too many.
        for length in 0..case.binary.len() + 2 {
            let mut bytes = case.binary.clone();
            bytes.resize(length, 0);
            if bytes == case.binary {
                continue;
            }
            let sized = format!(r#","parameters":{{"binary_data_size":{length}}}"#);
            let answer = infer_binary(&mut client, PATH, &request(&sized, ""), &bytes);
            assert_eq!(answer.status, 400, "{datatype} {length} {answer:?}");
        }
    }
    insta::assert_snapshot!(refusals);
}

#[test]
fn binary_values_that_mean_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("same.onnx");
    let mut refusals = String::new();
    let cases: [(&str, u64, &[u8]); 4] = [
        ("BOOL", 9, &[0, 1, 2]),
        ("BYTES", 8, &[1, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("BYTES", 8, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
        ("BYTES", 8, &[255, 255, 255, 255, 0, 0, 0, 0, 1, 0, 0, 0]),
    ];
    for (datatype, element, bytes) in cases {
        write_identity(&file, element, 3);
        let server = Server::start(&file, &[]);
        let json = format!(
            r#"{{"inputs":[{{"name":"x","datatype":"{datatype}","shape":[1,3],"parameters":{{"binary_data_size":{}}}}}]}}"#,
            bytes.len()
        );
        let answer = infer_binary(&mut server.client(), PATH, &json, bytes);
        refusals += &format!("{datatype} {bytes:?}\n  {}\n", refusal(&answer));
    }
    insta::assert_snapshot!(refusals);
}

/// NaN and infinities travel in binary, and JSON says so.
#[test]
fn numbers_that_json_has_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("same.onnx");
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let narrow: Vec<u8> = odd
        .iter()
        .flat_map(|value| (*value as f32).to_le_bytes())
        .collect();
    let wide: Vec<u8> = odd.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut refusals = String::new();
    for (datatype, element, bytes) in [("FP32", 1, narrow), ("FP64", 11, wide)] {
        write_identity(&file, element, 3);
        let server = Server::start(&file, &[]);
        let mut client = server.client();
        let json = |rest: &str| {
            format!(
                r#"{{"inputs":[{{"name":"x","datatype":"{datatype}","shape":[1,3],"parameters":{{"binary_data_size":{}}}}}]{rest}}}"#,
                bytes.len()
            )
        };
        let all = json(r#","parameters":{"binary_data_output":true}"#);
        let answer = infer_binary(&mut client, PATH, &all, &bytes);
        assert_eq!(parts(&answer).1, bytes);
        refusals += &refusal(&infer_binary(&mut client, PATH, &json(""), &bytes));
        refusals.push('\n');
    }
    insta::assert_snapshot!(refusals);
}

/// JSON has one kind of number, and null is a field that is not there.
#[test]
fn sizes_with_a_point_and_parameters_of_nothing() {
    let directory = crate::fixture::directory();
    let server = Server::start(directory.path(), &["--name", "iris"]);
    let mut client = server.client();
    let request = |shape: &str| {
        format!(
            r#"{{"id":null,"parameters":null,"outputs":null,"inputs":[{{"name":"features","datatype":"FP32","shape":{shape},"parameters":null,"data":[5.1,3.5,1.4,0.2]}}]}}"#
        )
    };
    let path = "/v2/models/iris/infer";
    let answer = infer(&mut client, path, &request("[1.0,4]"));
    assert_eq!(answer.status, 200, "{answer:?}");
    for shape in [
        "[1.5,4]",
        "[-1.0,4]",
        "[1e300,4]",
        "[\"1\",4]",
        "[null,4]",
        "[true,4]",
    ] {
        let answer = infer(&mut client, path, &request(shape));
        assert_eq!(answer.status, 400, "{shape}: {answer:?}");
    }
}
