//! The record as others read it.

use crate::support::{runner, script, started, text};
use kfp::build::Builder;
use kfp::container::Retry;
use kfp::kind::{Integer, Metrics, Text};
use serde_json::Value;
use std::time::Duration;

#[test]
fn the_record_of_a_run_that_failed() {
    let mut b = Builder::new("recorded");
    let words = b.parameter_or::<Text>("words", "a b");
    let mut count = script(
        "count",
        "printf '%s' \"$1\" | wc -w > \"$2\"; echo '{}' > \"$3\"; echo counted",
    );
    let input = count.input::<Text>("words");
    count.arg(&input);
    let total = count.output::<Integer>("total");
    count.arg(&total);
    let metrics = count.output_artifact::<Metrics>("metrics");
    count.arg(&metrics);
    let guarded = b.group("guarded", |b| {
        let counted = b.task("count", &count).set(&input, &words).add();
        let fail = script("fail", "echo 'no more' >&2; exit 4");
        let retry = Retry {
            backoff: Some(Duration::from_millis(1)),
            ..Retry::times(1)
        };
        b.task("fail", &fail).after(&counted).retry(retry).add();
    });
    let mut tell = script("tell", "printf '%s' \"$1\" | grep -o '\"state\":\"[A-Z]*\"'");
    let status = tell.final_status("status");
    tell.arg(&status);
    b.task("tell", &tell).set_status(&status, &guarded.task).add();

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let (_, events) = started(&runner(b.build().unwrap(), &folder)).unwrap();
    let names: Vec<String> = events
        .iter()
        .map(|event| format!("{event:?}").split([' ', '{']).next().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "Started",
            "Succeeded",
            "Started",
            "Retry",
            "Started",
            "Failed",
            "Started",
            "Succeeded"
        ]
    );
    let mut record: Value = serde_json::from_str(&text(folder.join("run.json"))).unwrap();
    timeless(&mut record);
    insta::assert_json_snapshot!("record", record);
}

/// Times as words, and the name, which has one in it.
fn timeless(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if key.ends_with("_ms") {
                    assert!(value.is_u64(), "{key}");
                    *value = "TIME".into();
                } else if key == "run_name" {
                    *value = "NAME".into();
                }
                timeless(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(timeless),
        _ => {}
    }
}
