//! Drift by the calibrated rule, as a client sees it: found, told in words, one episode, over again.

use crate::{
    client::Client,
    fixture,
    server::{Server, eventually},
};
use drift::{Method, two_sample};
use serde_json::{Value, json};

/// Rows like the training rows, in an order that has no meaning.
fn usual(count: usize) -> Vec<[f64; 4]> {
    (0..count)
        .map(|i| fixture::reference_row(i * 17 % fixture::REFERENCE_ROWS))
        .collect()
}

/// The same, with the third feature moved.
fn moved(count: usize) -> Vec<[f64; 4]> {
    let mut rows = usual(count);
    rows.iter_mut().for_each(|row| row[2] += 4.0);
    rows
}

fn send(client: &mut Client, rows: &[[f64; 4]]) -> bool {
    let answer = client.predict(&json!({ "instances": rows }).to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["predictions"][0]["drift_detected"]
        .as_bool()
        .unwrap()
}

fn status(client: &mut Client) -> Value {
    client.get("/drift/status").json()
}

#[test]
fn one_drift_is_one_episode_and_then_over() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let begun = status(&mut client);
    assert_eq!(begun["reason"], "Collecting samples (0/100)");
    assert_eq!(
        (&begun["drift_detected"], &begun["samples"], &begun["episode"]),
        (&json!(false), &json!(0), &Value::Null)
    );
    send(&mut client, &usual(100));
    let quiet = status(&mut client);
    assert_eq!(quiet["drift_detected"], false);
    assert_eq!(quiet["look"]["verdict"], "quiet");
    assert_eq!(quiet["features"]["feature_2"]["drift"], false);
    assert_eq!(quiet.get("reason"), None);

    send(&mut client, &moved(60));
    let drifting = status(&mut client);
    assert_eq!(drifting["drift_detected"], true);
    let feature = &drifting["features"]["feature_2"];
    assert_eq!(
        (&feature["name"], &feature["drift"], &feature["sign"]),
        (&json!("petal_length"), &json!(true), &json!(1))
    );
    assert!(feature["corrected_p_value"].as_f64() <= drifting["threshold"].as_f64());
    assert_eq!(drifting["features"]["feature_0"]["drift"], false);
    let words = drifting["movements"][0]["words"].as_str().unwrap();
    assert!(words.starts_with("petal_length is"), "{words}");
    assert!(words.contains("higher than in training"), "{words}");
    let episode = &drifting["episode"];
    assert_eq!((&episode["number"], &episode["open"]), (&json!(1), &json!(true)));
    // Every answer says so, as soon as it was seen.
    eventually("answers say that there is drift", || send(&mut client, &moved(1)));
    let metrics = client.get("/metrics").body;
    for line in [
        "drift_detected 1",
        "drift_episode_open 1",
        "drift_episodes 1",
        "drift_replicas_merged 1",
    ] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line}: {metrics}");
    }
    assert!(metrics.contains("\ndrift_statistic{feature=\"petal_length\"} "));
    assert!(metrics.contains("\ndrift_corrected_p_value{feature=\"petal_length\"} "));

    // Usual rows again: no drift once the window is theirs, and a window's worth of looks later the episode is over.
    send(&mut client, &usual(100));
    assert_eq!(status(&mut client)["drift_detected"], false);
    assert_eq!(status(&mut client)["episode"]["open"], true);
    for rows in usual(16 * 7).chunks(7) {
        send(&mut client, rows);
        status(&mut client);
    }
    let over = status(&mut client);
    assert_eq!(over["episode"]["open"], false);
    assert!(over["episode"]["closed_at_ms"].as_u64() >= over["episode"]["opened_at_ms"].as_u64());
    send(&mut client, &moved(100));
    assert_eq!(status(&mut client)["episode"]["number"], 2);
}

#[test]
fn numbers_are_those_of_the_same_rows() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let rows: Vec<[f64; 4]> = (0..130).map(|i| fixture::reference_row(i * i % 43 + 5)).collect();
    send(&mut client, &rows);
    let status = status(&mut client);
    assert_eq!(status["samples"], 100);
    for feature in 0..4 {
        let column = |rows: &[[f64; 4]]| -> Vec<f64> { rows.iter().map(|row| row[feature]).collect() };
        let reference: Vec<[f64; 4]> = (0..fixture::REFERENCE_ROWS).map(fixture::reference_row).collect();
        let expected = two_sample(&column(&reference), &column(&rows[30..]), Method::Auto).unwrap();
        let found = &status["features"][format!("feature_{feature}")];
        assert_eq!(found["ks_stat"].as_f64(), Some(expected.statistic));
        assert_eq!(found["p_value"].as_f64(), Some(expected.p_value));
        assert_eq!(found["location"].as_f64(), Some(expected.location));
        assert_eq!(found["sign"].as_i64(), Some(i64::from(expected.sign)));
    }
}

/// Whichever protocol carries the rows, in whichever precision.
#[test]
fn scores_are_held_against_those_of_held_out_rows() {
    let reference: Vec<[f64; 4]> = (0..fixture::REFERENCE_ROWS).map(fixture::reference_row).collect();
    let largest = |prediction: &Value| {
        let all = prediction["probabilities"].as_array().unwrap().iter();
        all.map(|p| p.as_f64().unwrap()).fold(0.0, f64::max)
    };
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let body = json!({ "instances": reference }).to_string();
    let answers = server.client().predict(&body).json();
    let answers = answers["predictions"].as_array().unwrap();
    let scores: Vec<f64> = answers.iter().map(largest).collect();
    assert_eq!(scores, fixture::reference_scores());
    assert!(status(&mut server.client())["score"].is_null());

    let directory = fixture::directory_with_scores();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    assert_eq!(client.predict(&body).status, 200);
    let values: Vec<f64> = reference.iter().flatten().copied().collect();
    let tensor =
        json!({"name": "features", "datatype": "FP32", "shape": [reference.len(), 4], "data": values});
    let infer = json!({ "inputs": [tensor] }).to_string();
    let head = "content-type: application/json\r\n";
    let answer = client.send("POST", "/v2/models/iris-model/infer", head, infer.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let found = &status(&mut client)["score"];
    assert_eq!(
        (
            found["answers"].as_u64(),
            found["ks_stat"].as_f64(),
            found["p_value"].as_f64()
        ),
        (Some(2 * reference.len() as u64), Some(0.0), Some(1.0)),
        "{found}"
    );
    assert_eq!(found["median"], found["held_out_median"]);

    // Rows of one answer alone.
    let sure = scores.iter().copied().fold(0.0, f64::max);
    let rows: Vec<[f64; 4]> = reference
        .iter()
        .zip(&scores)
        .filter(|(_, s)| **s == sure)
        .map(|(r, _)| *r)
        .collect();
    let rows: Vec<[f64; 4]> = rows.into_iter().cycle().take(100).collect();
    assert_eq!(
        client.predict(&json!({ "instances": rows }).to_string()).status,
        200
    );
    let expected = two_sample(&scores, &[sure; 100], Method::Auto).unwrap();
    let found = &status(&mut client)["score"];
    assert_eq!(found["ks_stat"].as_f64(), Some(expected.statistic), "{found}");
    assert_eq!(found["p_value"].as_f64(), Some(expected.p_value));
    assert!(expected.statistic > 0.0 && found["corrected_p_value"].as_f64() >= found["p_value"].as_f64());
}

#[test]
fn float32_is_no_drift_and_nan_is_a_missing_value() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let infer = |client: &mut Client, rows: &[[f64; 4]]| {
        let values: Vec<f64> = rows.iter().flatten().copied().collect();
        let body = json!({"inputs": [{"name": "features", "datatype": "FP32", "shape": [rows.len(), 4], "data": values}]});
        let answer = client.send(
            "POST",
            "/v2/models/iris-model/infer",
            "content-type: application/json\r\n",
            body.to_string().as_bytes(),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    // Every training value once: as float32 none of them but a few would be the same number.
    let reference: Vec<[f64; 4]> = (0..fixture::REFERENCE_ROWS).map(fixture::reference_row).collect();
    infer(&mut client, &reference);
    infer(&mut client, &reference);
    let now = status(&mut client);
    for feature in 0..4 {
        assert_eq!(now["features"][format!("feature_{feature}")]["ks_stat"], 0.0);
    }
    assert_eq!(now["features"]["feature_0"]["out_of_range_share"], Value::Null);
    // Binary tensors carry NaN.
    let rows = 40_usize;
    let head = json!({"inputs": [{"name": "features", "datatype": "FP32", "shape": [rows, 4], "parameters": {"binary_data_size": rows * 16}}]}).to_string();
    let mut body = head.clone().into_bytes();
    for row in usual(rows) {
        for (feature, value) in row.iter().enumerate() {
            let value = if feature == 1 { f32::NAN } else { *value as f32 };
            body.extend(value.to_le_bytes());
        }
    }
    let headers = format!(
        "content-type: application/octet-stream\r\ninference-header-content-length: {}\r\n",
        head.len()
    );
    let answer = client.send("POST", "/v2/models/iris-model/infer", &headers, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    let now = status(&mut client);
    assert_eq!(now["samples"], 100);
    assert_eq!(now["features"]["feature_1"]["missing_share"], 0.4);
    assert_eq!(now["features"]["feature_1"]["drift"], true);
    assert_eq!(now["drift_detected"], true);
}

#[test]
fn answers_drift_beside_inputs() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--drift-window-size", "200"]);
    let mut client = server.client();
    // Held-out rows were answered 15, 10 and 25 times; these are all of the first class.
    send(&mut client, &vec![fixture::reference_row(3); 200]);
    let predictions = status(&mut client)["predictions"].clone();
    assert_eq!(predictions["drift"], true);
    assert_eq!(
        predictions["classes"],
        json!([
            {"name": "setosa", "share": 1.0, "held_out_share": 0.3},
            {"name": "versicolor", "share": 0.0, "held_out_share": 0.2},
            {"name": "virginica", "share": 0.0, "held_out_share": 0.5},
        ])
    );
}
