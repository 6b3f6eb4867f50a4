//! `/metrics`: the text parsed by the format's own rules.

use crate::{fixture, server::Server};
use std::collections::{BTreeMap, BTreeSet};

/// Samples by `name{labels}`; panics where the exposition format 0.0.4 is broken.
fn parse(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line must end with a line feed");
    let mut samples = BTreeMap::new();
    let mut family: Option<(String, String)> = None;
    let mut seen = BTreeSet::new();
    let mut helped = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            helped = rest.split(' ').next().unwrap().to_owned();
            assert!(seen.insert(helped.clone()), "{helped} is there twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped, "HELP and TYPE go together");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!((kind == "counter") == name.ends_with("_total"), "{line}");
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (key, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let name = key.split('{').next().unwrap();
            let (of, kind) = family.as_ref().unwrap();
            let base = match kind.as_str() {
                "histogram" => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end))
                    .unwrap(),
                _ => name,
            };
            assert_eq!(base, of, "{line}");
            assert!(
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{line}"
            );
            if let Some(labels) = key.strip_prefix(name).filter(|labels| !labels.is_empty()) {
                assert!(labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
            }
            assert!(
                samples.insert(key.to_owned(), value.parse().unwrap()).is_none(),
                "{line}"
            );
        }
    }
    samples
}

#[test]
fn counts_predictions_and_errors() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let before = parse(&client.get("/metrics").body);
    assert_eq!(before["prediction_requests_total{protocol=\"predict\"}"], 0.0);
    assert_eq!(before["prediction_latency_avg_ms"], 0.0);
    client.predict(r#"{"features":[5.1,3.5,1.4,0.2]}"#);
    client.predict(r#"{"instances":[[5.1,3.5,1.4,0.2],[5.1,3.5,1.4,0.2]]}"#);
    client.predict(r#"{"features":[]}"#);
    client.predict("{");
    client.predict("{");
    client.get("/predict");
    client.get("/model/info");
    client.get("/nothing");
    let answer = client.get("/metrics");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let after = parse(&answer.body);
    assert_eq!(after["prediction_requests_total{protocol=\"predict\"}"], 6.0);
    assert_eq!(after["prediction_rows_total"], 3.0);
    let errors =
        |code: &str| after[&format!("prediction_errors_total{{protocol=\"predict\",code=\"{code}\"}}")];
    assert_eq!(
        (
            errors("feature_count"),
            errors("invalid_json"),
            errors("method_not_allowed"),
            errors("not_found")
        ),
        (1.0, 2.0, 1.0, 0.0)
    );
    assert_eq!(
        after["prediction_latency_seconds_count{protocol=\"predict\"}"],
        6.0
    );
    assert_eq!(
        after["prediction_latency_seconds_bucket{protocol=\"predict\",le=\"+Inf\"}"],
        6.0
    );
    let sum = after["prediction_latency_seconds_sum{protocol=\"predict\"}"];
    assert!(sum > 0.0 && (after["prediction_latency_avg_ms"] - sum / 6.0 * 1e3).abs() < 1e-9);
    let bound = |key: &str| {
        key.strip_prefix("prediction_latency_seconds_bucket{protocol=\"predict\",le=\"")
            .map(|rest| {
                rest.trim_end_matches("\"}")
                    .replace("+Inf", "inf")
                    .parse::<f64>()
                    .unwrap()
            })
    };
    let mut buckets: Vec<(f64, f64)> = after
        .iter()
        .filter_map(|(key, value)| Some((bound(key)?, *value)))
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(buckets.len(), 17);
    assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
    assert_eq!(after["drift_detected"], 0.0);
    assert_eq!(after["drift_window_rows"], 3.0);
    assert_eq!(after["ready"], 1.0);
    assert_eq!(after["requests_in_flight"], 0.0);
    assert!(after["open_connections"] >= 1.0);
    let digest = fixture::manifest().model_digest;
    assert_eq!(
        after[&format!("model_version{{name=\"iris-model\",version=\"3\",digest=\"{digest}\"}}")],
        1.0
    );
    assert!(after["process_resident_memory_bytes"] > 1e6);
    assert!(after["process_uptime_seconds"] > 0.0);
    assert!(after["process_open_fds"] > 3.0);
}

#[test]
fn predictions_are_counted_by_protocol() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let json = "content-type: application/json\r\n";
    let path = "/v2/models/iris-model/infer";
    let rows =
        br#"{"inputs":[{"name":"features","datatype":"FP32","shape":[2,4],"data":[1,2,3,4,5,6,7,8]}]}"#;
    assert_eq!(client.send("POST", path, json, rows).status, 200);
    assert_eq!(client.send("POST", path, json, b"{}").status, 400);
    assert_eq!(client.send("GET", path, json, b"").status, 405);
    // These are no predictions.
    assert_eq!(client.get("/v2/models/iris-model").status, 200);
    assert_eq!(client.get("/v2/health/ready").status, 200);
    client.predict(r#"{"features":[5.1,3.5,1.4,0.2]}"#);
    let after = parse(&client.get("/metrics").body);
    let requests = |protocol: &str| after[&format!("prediction_requests_total{{protocol=\"{protocol}\"}}")];
    assert_eq!((requests("v2"), requests("predict")), (3.0, 1.0));
    assert_eq!((requests("grpc"), requests("mlflow")), (0.0, 0.0));
    let errors = |code: &str| after[&format!("prediction_errors_total{{protocol=\"v2\",code=\"{code}\"}}")];
    assert_eq!(
        (errors("invalid_request"), errors("method_not_allowed")),
        (1.0, 1.0)
    );
    assert_eq!(after["prediction_rows_total"], 3.0);
    assert_eq!(client.get("/health").json()["requests_served"], 5);
}

#[test]
fn names_and_texts_are_fixed() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--name", "quote\"back\\slash"]);
    let text = server.client().get("/metrics").body;
    // Values of this process differ from run to run; everything else is an interface.
    let fixed: Vec<&str> = text
        .lines()
        .map(|line| {
            let varies = ["process_", "open_connections ", "request_queueing_delay_seconds "];
            if varies.iter().any(|start| line.starts_with(start)) {
                line.split(' ').next().unwrap()
            } else {
                line
            }
        })
        .collect();
    insta::assert_snapshot!(fixed.join("\n"));
}
