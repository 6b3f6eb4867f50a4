//! What is found out before anything is sent.

use crate::support::{DOCUMENT, Kfp};
use kfp_client::{
    Cron, CronError, DocumentError, Error, Parameter, ParameterType, PipelineDocument, check_parameters,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn declared() -> Vec<Parameter> {
    PipelineDocument::parse(DOCUMENT).unwrap().parameters().to_vec()
}

fn check(given: Value) -> Result<Map<String, Value>, String> {
    let checked = check_parameters(&declared(), given.as_object().unwrap());
    checked
        .map(|fit| fit.as_map().clone())
        .map_err(|e| format!("{} {e}", e.id()))
}

#[test]
fn the_documents_own_parameters() {
    let all = declared();
    let seed = all.iter().find(|p| p.name == "seed").unwrap();
    assert_eq!(
        *seed,
        Parameter {
            name: "seed".to_owned(),
            kind: ParameterType::Integer,
            optional: true,
            default: Some(json!(42.0))
        }
    );
    assert_eq!(all.len(), 6);
    assert_eq!(all.iter().filter(|p| !p.optional).count(), 1);
    assert_eq!(
        check(json!({"model_name": "m", "seed": 7.0, "min_accuracy": 1, "layers": [1, "a", 2.5]})).unwrap(),
        *json!({"model_name": "m", "seed": 7, "min_accuracy": 1, "layers": [1, "a", 2.5]})
            .as_object()
            .unwrap()
    );
}

#[test]
fn parameters_that_do_not_fit() {
    let cases = [
        json!({"model_name": "m", "nope": 1}),
        json!({"seed": 1}),
        json!({"model_name": 7}),
        json!({"model_name": null}),
        json!({"model_name": "m", "min_accuracy": "0.9"}),
        json!({"model_name": "m", "promote": "true"}),
        json!({"model_name": "m", "hyper_params": [1]}),
        json!({"model_name": "m", "layers": {"a": 1}}),
        json!({"model_name": "m", "seed": 1.5}),
        json!({"model_name": "m", "seed": 9_007_199_254_740_993_i64}),
        json!({"model_name": "m", "seed": 1e300}),
        json!({"model_name": "x-{{workflow.name}}"}),
        json!({"model_name": "m", "hyper_params": {"a": {"b": [1, "{{inputs.parameters.x}}"]}}}),
        json!({"model_name": "m", "hyper_params": {"{{a": 1}}),
        json!({"model_name": 7, "layers": 7, "nope": "x".repeat(200)}),
    ];
    let said: Vec<String> = cases.into_iter().map(|given| check(given).unwrap_err()).collect();
    insta::assert_snapshot!(said.join("\n"));
    let none = check_parameters(&[], json!({"a": 1}).as_object().unwrap()).unwrap_err();
    insta::assert_snapshot!(none, @r#"parameter "a" with value 1: the pipeline has none of that name; expected one of: none, it has no parameters"#);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z{]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z{]{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What passes is of its type, whole where it must be, and free of the engine's placeholders.
    #[test]
    fn what_passes_fits(value in any_json(), which in 0..6_usize) {
        let parameter = declared()[which].clone();
        let given: Map<String, Value> = [(parameter.name.clone(), value.clone())].into_iter().collect();
        let result = check_parameters(std::slice::from_ref(&parameter), &given);
        let right = match parameter.kind {
            ParameterType::String => value.is_string(),
            ParameterType::Integer => value.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0)
                && value.as_i64().is_none_or(|n| n.unsigned_abs() <= 1 << 53),
            ParameterType::Double => value.is_number(),
            ParameterType::Boolean => value.is_boolean(),
            ParameterType::List => value.is_array(),
            ParameterType::Struct => value.is_object(),
        };
        let clean = !value.to_string().contains("{{");
        prop_assert_eq!(result.is_ok(), right && clean, "{} {:?}", value, result);
        if let Ok(fit) = result {
            let sent = &fit.as_map()[&parameter.name];
            // Nothing is changed but the way a whole number is written.
            if parameter.kind == ParameterType::Integer {
                prop_assert!(sent.is_i64());
                prop_assert_eq!(sent.as_f64(), value.as_f64());
            } else {
                prop_assert_eq!(sent, &value);
            }
        }
    }

    /// The six fields that are offered are taken, and are the five that were given.
    #[test]
    fn five_fields_are_refused_with_six(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 28), month in field(1, 12), weekday in field(0, 6),
        gap in "[ \t]{1,3}",
    ) {
        let given = [&minute, &hour, &day, &month, &weekday].map(String::as_str).join(&gap);
        let Err(CronError::FiveFields { corrected, .. }) = Cron::parse(&given) else {
            panic!("{given:?} was not refused");
        };
        let fields: Vec<&str> = corrected.split(' ').collect();
        let minute: &str = &minute;
        prop_assert_eq!(fields[..2].to_vec(), vec!["0", minute]);
        prop_assert_eq!(fields[1..].join(&gap), given);
        let parsed = Cron::parse(&corrected).unwrap();
        prop_assert_eq!(parsed.as_str(), corrected);
    }

    #[test]
    fn no_schedule_panics(text in "[ 0-9*/,?@a-zL#-]{0,24}") {
        if let Ok(cron) = Cron::parse(&text) {
            prop_assert!(cron.as_str().split(' ').count() == 6 || cron.as_str().starts_with('@'));
        }
    }

    #[test]
    fn no_document_panics(text in "[a-c:{}\\[\\]\"'&*!|>%\t\n -]{0,60}") {
        prop_assert!(PipelineDocument::parse(&text).is_err());
    }
}

fn field(from: u32, to: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        (1..=9_u32).prop_map(|step| format!("*/{step}")),
        (from..=to).prop_map(|n| n.to_string()),
        (from..=to, from..=to).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (from..=to, from..=to, 1..=9_u32).prop_map(|(a, b, step)| format!("{a},{b}/{step}")),
    ]
}

#[test]
fn schedules() {
    for text in [
        "20 * * * * *",
        "0 0 2 * * *",
        "0 */5 8-18 ? * mon-fri",
        "0 0 0 1,15 Jan/3 *",
        "@daily",
        "0 0 0 31 2 1",
        "0 0 0 29 2 *",
    ] {
        assert_eq!(Cron::parse(text).unwrap().as_str(), text);
    }
    assert_eq!(Cron::parse(" 0  0 2 * *\t* ").unwrap().to_string(), "0 0 2 * * *");
    let refused = [
        "*/1 * * * *",
        "0 2 * * *",
        "0 25 * * *",
        "0 2 * *",
        "",
        "every day",
        "@every 1h",
        "61 * * * * *",
        "* * * * * 7",
        "0 0 2 L * *",
        "0 0 2 * * 5#3",
        "0 10-5 * * * *",
        "0 */0 * * * *",
        "-1 * * * * *",
        "+1 * * * * *",
        "0 0 0 30 feb *",
        "0 0 0 31 4,6 ?",
        "0 0 0 0 * *",
        "1,,2 * * * * *",
        "0 0 2 * * * 2027",
    ];
    let said: Vec<String> = refused
        .into_iter()
        .map(|text| Cron::parse(text).unwrap_err())
        .map(|e| format!("{} {e}", e.id()))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn documents() {
    let document = PipelineDocument::parse(DOCUMENT).unwrap();
    assert_eq!((document.name(), document.text()), ("iris-retrain", DOCUMENT));
    // Computed by sha256sum of the same bytes.
    assert_eq!(document.version_name(), "sha256-c501a604cda8");
    let with = |from: &str, to: &str| DOCUMENT.replace(from, to);
    // The ways of writing that the server takes as well.
    let (pipeline, platform) = DOCUMENT.split_once("---\n").unwrap();
    for text in [
        pipeline.to_owned(),
        format!("{platform}---\n{pipeline}"),
        format!("{DOCUMENT}---\n"),
        with("# PIPELINE DEFINITION", "# what? {that? }"),
        with("image: trainer:dev", "image: 'which? that one!'"),
        with("    dag:\n", "    description: which? that one!\n    dag:\n"),
        format!("{DOCUMENT}---\n# nothing more\n"),
        r#"{"pipelineInfo": {"name": "a"}, "schemaVersion": "2.1.0", "root": {"dag": {}}}"#.to_owned(),
    ] {
        PipelineDocument::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    }
    let refused = [
        "a: b\n\tc: d".to_owned(),
        "a: {b: c".to_owned(),
        format!("{DOCUMENT}---\na: [\n"),
        "a: *nothing\n".to_owned(),
        "a: 1\na: 2\n".to_owned(),
        // Seen to be accepted by our parser and never by the server's.
        with("isOptional: true}", "isOptional: tr? ue}"),
        with("command: [trainer]", "command: [trainer?x]"),
        with("defaultValue: 0.9,", "defaultValue: !0.9,"),
        with("root:\n", "root: !!map\n"),
        with("      train:", "\u{feff}      train:"),
        "a: \u{0}\n".to_owned(),
        String::new(),
        "# nothing\n".to_owned(),
        "just text".to_owned(),
        "- 1\n".to_owned(),
        format!("{pipeline}---\n{pipeline}"),
        format!("{DOCUMENT}---\n{platform}"),
        with("name: iris-retrain", "name: Iris_X"),
        with("name: iris-retrain", &format!("name: {}", "x".repeat(129))),
        with("name: iris-retrain", "name: -x"),
        with("name: iris-retrain", "other: x"),
        with("2.1.0", "2.0.0"),
        with("schemaVersion: 2.1.0\n", ""),
        with("root:", "roof:"),
        with("NUMBER_INTEGER", "INTEGER"),
        with("NUMBER_INTEGER", "TASK_FINAL_STATUS"),
        " ".repeat((32 << 20) + 1),
    ];
    let said: Vec<String> = refused
        .iter()
        .map(|text| PipelineDocument::parse(text).unwrap_err())
        .map(|e: DocumentError| format!("{} {e}", e.id()))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn names_are_checked_before_anything_is_sent() {
    let kfp = Kfp::start();
    let client = kfp.client();
    let document = PipelineDocument::parse(DOCUMENT).unwrap();
    let mut said = Vec::new();
    for name in ["", "  ", "a/b", "..", "a\nb", &"ü".repeat(64)] {
        let error = client.ensure_pipeline(name, &document).await.unwrap_err();
        assert!(matches!(error, Error::Name { .. }), "{error}");
        said.push(error.to_string());
    }
    said.push(client.ensure_experiment("").await.unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"));
    assert!(kfp.world().seen.is_empty());
    // The longest that fits, and names that the server was seen to take.
    for name in [
        &"x".repeat(127),
        "Iris Upper",
        "iris_under",
        "ünï",
        "-lead",
        "trailing-",
        "a.b",
    ] {
        client.ensure_pipeline(name, &document).await.unwrap();
        assert_eq!(client.pipeline(name).await.unwrap().unwrap().name, name);
    }
}
