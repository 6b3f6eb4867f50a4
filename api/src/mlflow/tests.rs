use super::*;
use crate::{Config, served::Engine};
use contract::{ModelInfo, info::Digests, manifest::Feature, manifest::Task};
use onnx::{Plan, plan::Limits};
use proptest::prelude::*;
use serde_json::{Value, json};

const COLUMNS: &[u8] = include_bytes!("../../tests/models/columns.onnx");
const TWO_NUMBERS: &[u8] = include_bytes!("../../tests/models/two_numbers.onnx");
const OUTLIERS: &[u8] = include_bytes!("../../tests/models/outliers.onnx");

/// A process that serves a graph; with names of its features, where they are known.
fn serving(graph: &[u8], features: &[&str]) -> State {
    let state = State::new(Config::read(["inference-api", "--max-batch-rows", "50"]).unwrap()).unwrap();
    let plan = Plan::read(graph, &Limits::default()).unwrap();
    let feature = |name: &&str| Feature {
        name: (*name).to_owned(),
        dtype: "float64".to_owned(),
        min: 0.0,
        max: 1.0,
    };
    let info = ModelInfo {
        name: "plan".to_owned(),
        model_version: "1".to_owned(),
        run_id: None,
        task: Task::Regression,
        algorithm: "onnx".to_owned(),
        features: features.iter().map(feature).collect(),
        classes: Vec::new(),
        metrics: Default::default(),
        dataset: None,
        drift_reference_sources: Vec::new(),
        digests: Digests {
            manifest: (!features.is_empty()).then(String::new),
            ..Digests::default()
        },
        code_commit: None,
        image_tag: None,
    };
    state.serve(Served::new(Engine::Plan(plan), info, false, None));
    state
}

fn ask(state: &State, format: Format, body: &[u8]) -> Result<Value, ApiError> {
    let rows_max = state.config.limits.max_batch_rows;
    let scored = score(
        state.served().unwrap(),
        rows_max,
        format,
        body,
        Traffic::Clients("t"),
    );
    scored.map(|(json, _)| serde_json::from_slice(&json).unwrap())
}

/// The predictions, or `CODE message`.
fn json(state: &State, body: Value) -> String {
    match ask(state, Format::Json, body.to_string().as_bytes()) {
        Ok(answer) => answer["predictions"].to_string(),
        Err(error) => format!("{} {error}", fault::word(error.code)),
    }
}

#[test]
fn a_column_for_each_input() {
    let state = serving(COLUMNS, &[]);
    let expected = r#"["low","high","low"]"#;
    let split = |data: Value| json!({"dataframe_split": {"columns": ["city", "age", "visits", "height"], "data": data}});
    let bodies = [
        split(json!([
            ["Rome", 30, 1, 1.8],
            ["Oslo", 70.0, 8.0, 1.6],
            ["Paris", null, 2, 1.7]
        ])),
        json!({"dataframe_records": [
            {"age": 30, "height": 1.8, "city": "Rome", "visits": 1},
            {"visits": 8, "city": "Oslo", "height": 1.6, "age": 70, "more": [1]},
            {"height": 1.7, "city": "Paris", "visits": 2},
        ]}),
        json!({"instances": [[30, 1.8, "Rome", true], [70, 1.6, "Oslo", 8], [null, 1.7, "Paris", 2]]}),
        json!({"inputs": {"age": [30, 70, null], "height": [[1.8], [1.6], [1.7]], "city": ["Rome", "Oslo", "Paris"], "visits": [1, 8, 2]}}),
    ];
    for body in bodies {
        assert_eq!(json(&state, body.clone()), expected, "{body}");
    }
    let csv = "city,age,visits,height\nRome,30,1,1.8\n\"Oslo\",70,8,1.6\nParis,,2,1.7\n";
    assert_eq!(
        ask(&state, Format::Csv, csv.as_bytes()).unwrap()["predictions"].to_string(),
        expected
    );
}

#[test]
fn values_are_refused_by_row_and_column() {
    let state = serving(COLUMNS, &[]);
    let row = |change: Value| {
        let mut row = json!({"age": 30, "height": 1.8, "city": "Rome", "visits": 1});
        row.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        row
    };
    let plain = row(json!({}));
    let mut texts = String::new();
    for (name, body) in [
        (
            "string for a number",
            json!({"instances": [plain, row(json!({"age": "30"}))]}),
        ),
        (
            "number for a string",
            json!({"instances": [row(json!({"city": 3}))]}),
        ),
        (
            "fraction for a whole number",
            json!({"instances": [row(json!({"visits": 1.5}))]}),
        ),
        (
            "missing whole number",
            json!({"instances": [row(json!({"visits": null}))]}),
        ),
        (
            "missing string",
            json!({"instances": [row(json!({"city": null}))]}),
        ),
        (
            "beyond int64",
            json!({"instances": [row(json!({"visits": 9_300_000_000_000_000_000u64}))]}),
        ),
        (
            "list for a value",
            json!({"instances": [row(json!({"age": [1, 2]}))]}),
        ),
        (
            "record for a value",
            json!({"instances": [row(json!({"age": {"a": 1}}))]}),
        ),
        (
            "unknown category",
            json!({"instances": [row(json!({"city": "Bern"}))]}),
        ),
        (
            "gap in a whole number",
            json!({"dataframe_records": [plain, {"age": 1, "height": 1, "city": "Rome"}]}),
        ),
        (
            "the first row has the gap",
            json!({"dataframe_records": [{"age": 1, "height": 1, "city": "Rome"}, plain]}),
        ),
        ("gap in instances", json!({"instances": [plain, {"age": 1}]})),
        (
            "columns of other lengths",
            json!({"inputs": {"age": [1, 2], "height": [1]}}),
        ),
        (
            "longer column",
            json!({"instances": {"age": [1], "height": [1, 2]}}),
        ),
        (
            "missing columns",
            json!({"inputs": {"age": [1], "place": ["Rome"]}}),
        ),
        ("rows of the wrong length", json!({"inputs": [[1, 2, "Rome"]]})),
        ("too many rows", json!({"inputs": vec![plain.clone(); 51]})),
    ] {
        texts += &format!("{name}\n  {}\n", json(&state, body));
    }
    for csv in [
        "age,height,city,visits\n30,1.8,Rome,\n",
        "age,height,city,visits\n30,1.8,,1\n",
        "age,height,city,visits\n30,1.8,Rome,1.5\n",
        "age,height,city,visits\n\n30,1.8,Rome,1\n30,tall,Rome,1\n",
        "age,height,city,visits\n30,1.8,Rome\n",
        "age,age,height,city,visits\n",
        "age,height\n1,2\n",
    ] {
        let error = ask(&state, Format::Csv, csv.as_bytes()).unwrap_err();
        texts += &format!("{csv:?}\n  {} {error}\n", fault::word(error.code));
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn a_lone_input_has_columns_and_a_name() {
    let two = "[[-1.5,12.0],[0.0,1.0]]";
    let close = |found: String| {
        let found: Vec<Vec<f64>> =
            serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"));
        let expected: Vec<Vec<f64>> = serde_json::from_str(two).unwrap();
        let pairs = found.concat().into_iter().zip(expected.concat());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-4), "{found:?}");
    };
    let unnamed = serving(TWO_NUMBERS, &[]);
    let named = serving(TWO_NUMBERS, &["a", "b", "c"]);
    for state in [&unnamed, &named] {
        close(json(state, json!({"inputs": [[1, 2, 3], [0, 0, 0]]})));
        close(json(state, json!({"inputs": {"input": [[1, 2, 3], [0, 0, 0]]}})));
        close(json(
            state,
            json!({"instances": [{"input": [1, 2, 3]}, {"input": [0, 0, 0]}]}),
        ));
        close(json(
            state,
            json!({"dataframe_split": {"data": [[[1, 2, 3]], [[0, 0, 0]]], "columns": ["input"]}}),
        ));
        close(json(
            state,
            json!({"dataframe_split": {"data": [[1, 2, 3], [0, 0, 0]]}}),
        ));
        close(json(
            state,
            json!({"dataframe_split": {"columns": [0, 1.0, 2], "index": [7, 8], "data": [[1, 2, 3], [0, 0, 0]]}}),
        ));
    }
    let reversed =
        json!({"dataframe_split": {"columns": ["c", "b", "x", "a"], "data": [[3, 2, 9, 1], [0, 0, 9, 0]]}});
    close(json(&named, reversed.clone()));
    // A graph that does not name its columns: names count by position, if there are as many.
    let foreign = json!({"dataframe_split": {"columns": ["x", -1, 0.5], "data": [[1, 2, 3], [0, 0, 0]]}});
    close(json(&unnamed, foreign.clone()));
    assert_eq!(
        json(&unnamed, reversed),
        "INVALID_PARAMETER_VALUE Model is missing inputs ['feature_0', 'feature_1', 'feature_2']. \
         Note that there were extra inputs: ['c', 'b', 'x', 'a']."
    );
    assert_eq!(
        json(&named, foreign),
        "INVALID_PARAMETER_VALUE Model is missing inputs ['a', 'b', 'c']. Note that there were extra inputs: ['x', '-1', '0.5']."
    );
    assert_eq!(
        json(&named, json!({"inputs": {"input": [[1, 2, 3]], "a": [1]}})),
        "BAD_REQUEST column \"input\" holds all columns, and some of them are given beside it"
    );
    assert_eq!(
        json(&named, json!({"inputs": {"input": [[1, 2]]}})),
        "BAD_REQUEST inputs[\"input\"][0] is a list of 2, expected a list of 3 values"
    );
    // A label of whole numbers is the prediction, whatever comes after it.
    assert_eq!(
        json(&serving(OUTLIERS, &[]), json!({"inputs": [[1, 2, 3], [0, 0, 0]]})),
        "[-1,1]"
    );
}

#[test]
fn records_of_outputs_and_what_json_cannot_hold() {
    use crate::tensor::{Data, Datatype, Tensor};
    let tensor = |name: &str, shape: &[usize], data| Tensor {
        name: name.to_owned(),
        datatype: Datatype::Fp32,
        shape: shape.to_vec(),
        data,
    };
    let write = |tensors: &[Tensor]| {
        write::write(Outcome::All, 2, tensors).map(|json| String::from_utf8(json).unwrap())
    };
    let one = tensor("one", &[2, 1], Data::F32(vec![0.1, -2.0]));
    let many = tensor(
        "m\"",
        &[2, 2],
        Data::Bytes(["a", "b", "c\"", ""].iter().collect()),
    );
    assert_eq!(
        write(&[one.clone(), many]).unwrap(),
        r#"{"predictions":[{"one":0.1,"m\"":["a","b"]},{"one":-2.0,"m\"":["c\"",""]}]}"#
    );
    let odd = write(&[tensor("odd", &[3], Data::I64(vec![1, 2, 3]))]).unwrap_err();
    assert_eq!(odd.code, Code::UnsupportedModel);
    for value in [f32::NAN, f32::INFINITY] {
        let error = write(&[one.clone(), tensor("x", &[2], Data::F32(vec![0.0, value]))]).unwrap_err();
        assert_eq!(error.code, Code::PredictionNotFinite);
        assert!(error.message.contains("\"x\""), "{error}");
    }
}

#[test]
fn records_of_nothing_do_not_grow() {
    let state = State::new(Config::read(["inference-api", "--max-batch-rows", "1000000"]).unwrap()).unwrap();
    state.serve(Served::new(
        Engine::Plan(Plan::read(COLUMNS, &Limits::default()).unwrap()),
        serving(COLUMNS, &[]).served().unwrap().info().clone(),
        false,
        None,
    ));
    let body = format!(r#"{{"dataframe_records":[{{}}{}]}}"#, ",{}".repeat(600_000));
    let error = ask(&state, Format::Json, body.as_bytes()).unwrap_err();
    assert_eq!(error.code, Code::TooManyInstances, "{error}");
}

/// The same rows in every format.
fn formats(rows: &[(f32, f32, String, i64)]) -> Vec<(Format, String)> {
    let number = |value: f32| if value.is_nan() { Value::Null } else { json!(value) };
    let list = |(age, height, city, visits): &(f32, f32, String, i64)| {
        json!([visits, number(*age), city, number(*height)])
    };
    let record = |(age, height, city, visits): &(f32, f32, String, i64)| json!({"city": city, "visits": visits, "height": number(*height), "age": number(*age)});
    let (lists, records): (Vec<_>, Vec<_>) =
        (rows.iter().map(list).collect(), rows.iter().map(record).collect());
    let column = |name: &str| {
        records
            .iter()
            .map(|record| record[name].clone())
            .collect::<Vec<_>>()
    };
    let columns = json!({"age": column("age"), "height": column("height"), "city": column("city"), "visits": column("visits")});
    let names = json!(["visits", "age", "city", "height"]);
    let mut csv = ::csv::Writer::from_writer(Vec::new());
    csv.write_record(["", "visits", "age", "city", "height"]).unwrap();
    for (index, (age, height, city, visits)) in rows.iter().enumerate() {
        let text = |value: &f32| {
            if value.is_nan() {
                String::new()
            } else {
                value.to_string()
            }
        };
        let cells = [
            index.to_string(),
            visits.to_string(),
            text(age),
            city.clone(),
            text(height),
        ];
        csv.write_record(cells).unwrap();
    }
    let csv = String::from_utf8(csv.into_inner().unwrap()).unwrap();
    let late = format!(
        r#"{{"dataframe_split":{{"data":{},"columns":{names}}}}}"#,
        json!(lists)
    );
    [
        json!({"dataframe_split": {"columns": names, "data": lists}}).to_string(),
        late.clone(),
        late.replace("null", "NaN"),
        json!({"dataframe_records": records}).to_string(),
        json!({"instances": records, "params": {}}).to_string(),
        json!({"inputs": records}).to_string(),
        json!({"instances": columns}).to_string(),
        json!({"inputs": columns, "unknown": {"a": [null]}}).to_string(),
    ]
    .into_iter()
    .map(|body| (Format::Json, body))
    .chain([(Format::Csv, csv)])
    .collect()
}

fn values() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -1e6f32..1e6, 1 => Just(f32::NAN), 1 => any::<i16>().prop_map(f32::from)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_format_says_the_same(
        rows in prop::collection::vec(
            (values(), values(), prop::sample::select(vec!["Rome", "Paris", "Oslo"]).prop_map(str::to_owned), -9i64..99),
            1..20,
        )
    ) {
        let state = serving(COLUMNS, &[]);
        let served = state.served().unwrap();
        let read = |(format, body): (Format, String)| {
            let mut table = Table::new(served.columns(), 100, body.len());
            match format {
                Format::Json => json::read(body.as_bytes(), &mut table).unwrap(),
                Format::Csv => csv::read(body.as_bytes(), &mut table).unwrap(),
            }
            // NaN equals nothing, its text does.
            format!("{:?}", table.take(&served.signature().inputs))
        };
        let read: Vec<String> = formats(&rows).into_iter().map(read).collect();
        for (index, other) in read.iter().enumerate() {
            prop_assert_eq!(&read[0], other, "format {}", index);
        }
    }

    #[test]
    fn any_bytes(body in prop::collection::vec(any::<u8>(), 0..200), csv in any::<bool>()) {
        let format = if csv { Format::Csv } else { Format::Json };
        let _ = ask(&serving(COLUMNS, &[]), format, &body);
    }

    #[test]
    fn any_tokens(graph in 0..2usize, tokens in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ":", ",", "\"dataframe_split\":{", "\"dataframe_records\":[", "\"instances\":[", "\"inputs\":{",
        "\"columns\":", "\"data\":[", "\"index\":[", "\"age\"", "\"input\"", "\"city\"", "[0,1,2]", "[1,2,3]", "1", "1e999", "-1", "NaN",
        "null", "true", "\"Rome\"", "{\"age\":1}", "\"\\u00e9\"", " ",
    ]), 0..20)) {
        let body = format!("{{{}", tokens.concat());
        let _ = ask(&serving([COLUMNS, TWO_NUMBERS][graph], &[]), Format::Json, body.as_bytes());
    }

    #[test]
    fn any_lines(tokens in prop::collection::vec(prop::sample::select(vec![
        "age", "height", "city", "visits", ",", ",", ",", "\n", "\"", "1", "Rome", "NaN", "inf", "\r\n", " ", "é", "1e400",
    ]), 0..40)) {
        let _ = ask(&serving(COLUMNS, &[]), Format::Csv, tokens.concat().as_bytes());
    }
}
