//! Drift as a client sees it, by the source documents' rule: flag, texts, numbers.

use crate::{client::Client, fixture, server::Server};
use drift::{Method, two_sample};

const COMPAT: [&str; 4] = ["--drift-mode", "compat", "--drift-window-size", "20"];

/// The fields that the source documents have.
fn documented(client: &mut Client) -> String {
    let mut status = client.get("/drift/status").json();
    let fields = status.as_object_mut().unwrap();
    fields.retain(|name, _| {
        ["drift_detected", "reason", "threshold", "samples", "features"].contains(&name.as_str())
    });
    status.to_string()
}

fn send(client: &mut Client, row: [f64; 4]) -> bool {
    client.predict(&format!("{{\"features\":{row:?}}}")).json()["drift_detected"]
        .as_bool()
        .unwrap()
}

#[test]
fn collects_then_judges_and_recovers() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &COMPAT);
    let mut client = server.client();
    insta::assert_snapshot!(documented(&mut client), @r#"{"drift_detected":false,"reason":"Collecting samples (0/20)","samples":0}"#);
    for i in 0..19 {
        assert!(
            !send(&mut client, fixture::reference_row(49 - i)),
            "not before the window is full"
        );
    }
    insta::assert_snapshot!(documented(&mut client), @r#"{"drift_detected":false,"reason":"Collecting samples (19/20)","samples":19}"#);
    // The window now holds the upper end of the reference only: that is drift.
    assert!(send(&mut client, fixture::reference_row(30)));
    let status = client.get("/drift/status").json();
    assert_eq!(status["drift_detected"], true);
    assert_eq!(status["threshold"], 0.05);
    assert_eq!(status["samples"], 20);
    let names: Vec<_> = status["features"]
        .as_object()
        .unwrap()
        .values()
        .map(|feature| feature["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, fixture::FEATURES);
    assert!(client.get("/metrics").body.contains("\ndrift_detected 1\n"));
    // Traffic like the training data, spread evenly: no drift any more.
    for i in 0..20 {
        send(&mut client, fixture::reference_row(i * 5 / 2));
    }
    assert!(!send(&mut client, fixture::reference_row(49)));
    assert_eq!(client.get("/drift/status").json()["drift_detected"], false);
    assert!(client.get("/metrics").body.contains("\ndrift_detected 0\n"));
}

#[test]
fn numbers_are_exact() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &COMPAT);
    let mut client = server.client();
    // 17 digits and ties with the reference: a lost last bit would move the statistic.
    let rows: Vec<[f64; 4]> = (0..20).map(|i| fixture::reference_row(i + 12)).collect();
    let body = serde_json::json!({ "instances": rows }).to_string();
    assert_eq!(client.predict(&body).status, 200);
    let status = client.get("/drift/status").json();
    for feature in 0..4 {
        let reference: Vec<f64> = (0..fixture::REFERENCE_ROWS)
            .map(|i| fixture::reference_row(i)[feature])
            .collect();
        let current: Vec<f64> = rows.iter().map(|row| row[feature]).collect();
        let expected = two_sample(&reference, &current, Method::Exact).unwrap();
        let found = &status["features"][format!("feature_{feature}")];
        assert_eq!(found["ks_stat"].as_f64(), Some(expected.statistic));
        assert_eq!(found["p_value"].as_f64(), Some(expected.p_value));
    }
    // scipy.stats.ks_2samp of the same two samples, method="exact" (SciPy 1.17.1).
    let first = &status["features"]["feature_0"];
    assert!(
        (first["ks_stat"].as_f64().unwrap() - SCIPY_STATISTIC).abs() < 1e-12,
        "{first}"
    );
    assert!(
        (first["p_value"].as_f64().unwrap() - SCIPY_P_VALUE).abs() < 1e-9,
        "{first}"
    );
}

const SCIPY_STATISTIC: f64 = 0.36;
const SCIPY_P_VALUE: f64 = 0.03945221556540564;

#[test]
fn refused_requests_leave_no_trace() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &COMPAT);
    let mut client = server.client();
    client.predict(r#"{"instances":[[5.1,3.5,1.4,0.2],[5.1,3.5,1.4]]}"#);
    client.predict(r#"{"features":[5.1,3.5,1.4,1e39]}"#);
    assert_eq!(client.get("/drift/status").json()["samples"], 0);
    // A batch longer than the window leaves its last rows.
    let many = format!(
        "{{\"instances\":[{}]}}",
        vec!["[5.1,3.5,1.4,0.2]"; 1000].join(",")
    );
    client.predict(&many);
    assert_eq!(client.get("/drift/status").json()["samples"], 20);
}
