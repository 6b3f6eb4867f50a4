//! Every way to be refused, as exact texts; a refusal does not end the connection.

use super::{INFER, infer, infer_binary, refusal};
use crate::{fixture, server::Server};

/// A request with one input that has these fields besides its name.
fn input(fields: &str) -> String {
    format!(r#"{{"inputs":[{{"name":"features",{fields}}}]}}"#)
}

#[test]
fn json_that_is_not_a_request() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--max-batch-rows", "3"]);
    let mut client = server.client();
    let right = r#""datatype":"FP32","shape":[1,4],"data":[1,2,3,4]"#;
    let typed = r#""datatype":"FP32","shape":[1,4]"#;
    let with = |fields: &str| format!(r#"{{"inputs":[{{"name":"features",{right}}}],{fields}}}"#);
    let deep = format!(r#""data":{}"#, "[".repeat(100_000));
    let rows = |count: usize| {
        let data = vec!["[1,2,3,4]"; count].join(",");
        input(&format!(
            r#""datatype":"FP32","shape":[{count},4],"data":[{data}]"#
        ))
    };
    let long = "y".repeat(5000);
    let shape = vec!["1"; 1000].join(",");
    let cases = [
        ("blank", " \n".to_owned()),
        ("an array", "[]".to_owned()),
        ("not JSON", "features=1".to_owned()),
        ("cut off", r#"{"inputs":[{"name":"fea"#.to_owned()),
        ("more than one", format!("{} {{}}", input(right))),
        ("nothing in it", "{}".to_owned()),
        ("no inputs", r#"{"inputs":[]}"#.to_owned()),
        ("inputs null", r#"{"inputs":null}"#.to_owned()),
        ("inputs an object", r#"{"inputs":{"features":[1]}}"#.to_owned()),
        (
            "an input that is an array",
            r#"{"inputs":[["features",[1,4],"FP32"]]}"#.to_owned(),
        ),
        ("id a number", with(r#""id":7"#)),
        ("parameters a list", with(r#""parameters":[1]"#)),
        (
            "parameters of another type",
            with(r#""parameters":{"binary_data_output":"yes"}"#),
        ),
        ("inputs twice", with(r#""inputs":[]"#)),
        ("no name", format!(r#"{{"inputs":[{{{right}}}]}}"#)),
        ("no datatype", input(r#""shape":[1,4],"data":[1,2,3,4]"#)),
        ("no shape", input(r#""datatype":"FP32","data":[1,2,3,4]"#)),
        ("no data", input(typed)),
        ("datatype twice", input(&format!(r#"{right},"datatype":"FP32""#))),
        (
            "another name",
            format!(r#"{{"inputs":[{{"name":"x",{right}}}]}}"#),
        ),
        (
            "a long name",
            format!(r#"{{"inputs":[{{"name":"{long}",{right}}}]}}"#),
        ),
        (
            "the same twice",
            format!(r#"{{"inputs":[{{"name":"features",{right}}},{{"name":"features",{right}}}]}}"#),
        ),
        (
            "half precision",
            input(r#""datatype":"FP16","shape":[1,4],"data":[1,2,3,4]"#),
        ),
        (
            "a datatype of numpy",
            input(r#""datatype":"float32","shape":[1,4],"data":[1,2,3,4]"#),
        ),
        (
            "another datatype",
            input(r#""datatype":"FP64","shape":[1,4],"data":[1,2,3,4]"#),
        ),
        (
            "too few columns",
            input(r#""datatype":"FP32","shape":[1,3],"data":[1,2,3]"#),
        ),
        (
            "one dimension",
            input(r#""datatype":"FP32","shape":[4],"data":[1,2,3,4]"#),
        ),
        (
            "a negative size",
            input(r#""datatype":"FP32","shape":[-1,4],"data":[1,2,3,4]"#),
        ),
        (
            "a size that is no number",
            input(r#""datatype":"FP32","shape":["1",4],"data":[1,2,3,4]"#),
        ),
        (
            "a huge size",
            input(r#""datatype":"FP32","shape":[18446744073709551615,4],"data":[1,2,3,4]"#),
        ),
        (
            "sizes that overflow",
            input(r#""datatype":"FP32","shape":[9223372036854775807,4],"data":[1,2,3,4]"#),
        ),
        (
            "many dimensions",
            input(&format!(r#""datatype":"FP32","shape":[{shape}],"data":[1]"#)),
        ),
        ("no rows", input(r#""datatype":"FP32","shape":[0,4],"data":[]"#)),
        ("too many rows", rows(4)),
        ("too few values", input(&format!(r#"{typed},"data":[1,2,3]"#))),
        (
            "too many values",
            input(&format!(r#"{typed},"data":[1,2,3,4,5]"#)),
        ),
        (
            "nested otherwise",
            input(&format!(r#"{typed},"data":[[1,2],[3,4]]"#)),
        ),
        (
            "nested too deep",
            input(&format!(r#"{typed},"data":[[[1,2,3,4]]]"#)),
        ),
        ("nested without end", input(&format!(r#"{typed},{deep}"#))),
        ("nested without end, datatype later", input(&deep)),
        (
            "ragged",
            input(r#""datatype":"FP32","shape":[2,2],"data":[[1,2],[3]]"#),
        ),
        ("uneven", input(&format!(r#"{typed},"data":[[1,2,3],4]"#))),
        (
            "uneven the other way",
            input(&format!(r#"{typed},"data":[1,2,3,[4]]"#)),
        ),
        (
            "a string among numbers",
            input(&format!(r#"{typed},"data":[1,2,"3",4]"#)),
        ),
        (
            "a long string",
            input(&format!(r#"{typed},"data":[1,2,"{long}",4]"#)),
        ),
        (
            "null among numbers",
            input(&format!(r#"{typed},"data":[1,2,null,4]"#)),
        ),
        (
            "true among numbers",
            input(&format!(r#"{typed},"data":[1,2,true,4]"#)),
        ),
        (
            "an object among numbers",
            input(&format!(r#"{typed},"data":[1,2,{{}},4]"#)),
        ),
        ("NaN", input(&format!(r#"{typed},"data":[1,2,NaN,4]"#))),
        (
            "beyond float32",
            input(&format!(r#"{typed},"data":[1,2,1e39,4]"#)),
        ),
        (
            "beyond float64",
            input(&format!(r#"{typed},"data":[1,2,1e999,4]"#)),
        ),
        ("data a number", input(&format!(r#"{typed},"data":1"#))),
        (
            "data a number, datatype later",
            input(r#""data":1,"datatype":"FP32","shape":[1,4]"#),
        ),
        ("another output", with(r#""outputs":[{"name":"scores"}]"#)),
        (
            "an output twice",
            with(r#""outputs":[{"name":"label"},{"name":"label"}]"#),
        ),
        ("an output without a name", with(r#""outputs":[{}]"#)),
        ("an output that is a string", with(r#""outputs":["label"]"#)),
        (
            "classes of an output",
            with(r#""outputs":[{"name":"label","parameters":{"classification":2}}]"#),
        ),
        (
            "an output in shared memory",
            with(r#""outputs":[{"name":"label","parameters":{"shared_memory_region":"a"}}]"#),
        ),
        (
            "an input in shared memory",
            input(&format!(r#"{typed},"parameters":{{"shared_memory_region":"a"}}"#)),
        ),
        (
            "both kinds of data",
            input(&format!(r#"{right},"parameters":{{"binary_data_size":16}}"#)),
        ),
        (
            "binary without the header",
            input(&format!(r#"{typed},"parameters":{{"binary_data_size":16}}"#)),
        ),
        (
            "a negative binary size",
            input(&format!(r#"{typed},"parameters":{{"binary_data_size":-16}}"#)),
        ),
    ];
    let texts = cases.map(|(name, body)| {
        let answer = infer(&mut client, INFER, &body);
        assert!(answer.body.len() < 500, "{name}: {answer:?}");
        format!("{name}\n  {}\n", refusal(&answer))
    });
    insta::assert_snapshot!(texts.concat());
    assert_eq!(infer(&mut client, INFER, &rows(3)).status, 200);
}

#[test]
fn binary_tensors_that_do_not_fit() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let sized = |size: &str| {
        input(&format!(
            r#""datatype":"FP32","shape":[1,4],"parameters":{{"binary_data_size":{size}}}"#
        ))
    };
    let right = sized("16");
    let huge =
        input(r#""datatype":"FP32","shape":[4611686018427387904,4],"parameters":{"binary_data_size":0}"#);
    let two = r#"{"inputs":[{"name":"features","datatype":"FP32","shape":[1,4],"parameters":{"binary_data_size":16}},{"name":"more","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":8}}]}"#;
    let cases: [(&str, &str, &[u8]); 11] = [
        ("nothing behind the JSON", &right, &[]),
        ("cut off", &right, &[0; 15]),
        ("more than said", &right, &[0; 17]),
        ("less than the shape", &sized("12"), &[0; 12]),
        ("more than the shape", &sized("20"), &[0; 20]),
        ("nothing", &sized("0"), &[]),
        ("the largest size", &sized("18446744073709551615"), &[0; 16]),
        ("a shape that overflows", &huge, &[]),
        (
            "strings whose lengths lie",
            two,
            &[[0; 16].as_slice(), &[255; 8]].concat(),
        ),
        ("an unknown input", two, &[0; 24]),
        ("not UTF-8 in the JSON", "{\"inputs\":[{\"name\":\"\u{0}\"", &[]),
    ];
    let mut texts = cases.map(|(name, json, tensors)| {
        let answer = infer_binary(&mut client, INFER, json, tensors);
        format!("{name}\n  {}\n", refusal(&answer))
    });
    texts.sort();
    let mut texts = texts.concat();
    for length in ["1000", "-1", "x", "18446744073709551616", "", "3", "0"] {
        let headers = format!("Inference-Header-Content-Length: {length}\r\n");
        let body = [right.as_bytes(), &[0; 16]].concat();
        let answer = client.send("POST", INFER, &headers, &body);
        texts += &format!("header {length:?}\n  {}\n", refusal(&answer));
    }
    // The same bytes without the header are no JSON.
    let answer = client.send("POST", INFER, "", &[right.as_bytes(), &[0xff; 16]].concat());
    texts += &format!("no header\n  {}\n", refusal(&answer));
    insta::assert_snapshot!(texts);
    assert_eq!(infer_binary(&mut client, INFER, &right, &[0; 16]).status, 200);
}

#[test]
fn an_answer_that_json_cannot_hold_names_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sum.onnx");
    std::fs::write(&file, fixture::overflowing()).unwrap();
    let server = Server::start(&file, &[]);
    let mut client = server.client();
    let path = "/v2/models/sum/infer";
    let asked = |outputs: &str| {
        format!(
            r#"{{"inputs":[{{"name":"features","datatype":"FP32","shape":[2,1],"data":[-1,1]}}]{outputs}}}"#
        )
    };
    insta::assert_snapshot!(refusal(&infer(&mut client, path, &asked(""))));
    let answer = infer(
        &mut client,
        path,
        &asked(r#","outputs":[{"name":"prediction","parameters":{"binary_data":true}}]"#),
    );
    let (_, tensors) = super::parts(&answer);
    assert_eq!(tensors, super::floats(&[0.0, f32::INFINITY]));
}
