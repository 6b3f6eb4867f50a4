//! Labels that come later, as clients send them: what counts, what is refused, what replicas do with it.

use crate::{
    client::{Answer, Client},
    fixture,
    server::Server,
};
use serde_json::{Value, json};

const JSON: &str = "content-type: application/json\r\n";

/// Asks with an id of its own, as every client that wants to send labels.
pub fn predict(client: &mut Client, id: &str, rows: &[[f64; 4]]) {
    let body = match rows {
        [row] => json!({ "features": row }),
        rows => json!({ "instances": rows }),
    };
    let answer = raw(client, "/predict", id, &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("x-request-id"), Some(id));
}

fn raw(client: &mut Client, path: &str, id: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nx-request-id: {id}\r\n{JSON}content-length: {}\r\n\r\n",
        body.len()
    );
    client.write(head.as_bytes());
    client.write(body.as_bytes());
    client.read().expect("an answer")
}

/// Sends labels.
pub fn feedback(client: &mut Client, body: &Value) -> Answer {
    client.send("POST", "/feedback", JSON, body.to_string().as_bytes())
}

fn state(answer: &Answer) -> (u16, String) {
    let json = answer.json();
    let word = json.get("state").or(json.get("code")).and_then(Value::as_str);
    (answer.status, word.unwrap_or_default().to_owned())
}

fn performance(client: &mut Client) -> Value {
    client.get("/drift/status").json()["performance"].clone()
}

/// Of class 0, 1 and 2.
const ROWS: [[f64; 4]; 3] = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.3, 3.3, 6.0, 2.5]];

#[test]
fn labels_make_live_accuracy() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    assert_eq!(performance(&mut client), Value::Null);
    predict(&mut client, "one", &ROWS[..1]);
    predict(&mut client, "many", &ROWS);
    let sent = feedback(&mut client, &json!({"request_id": "one", "label": "setosa"}));
    assert_eq!(
        sent.json(),
        json!({"request_id": "one", "state": "matched", "matched": 1, "duplicates": 0})
    );
    // The same again changes nothing, another one neither.
    let again = feedback(&mut client, &json!({"request_id": "one", "label": 0}));
    assert_eq!(state(&again), (200, "duplicate".to_owned()));
    let other = feedback(&mut client, &json!({"request_id": "one", "label": "virginica"}));
    assert_eq!(state(&other), (409, "label_conflict".to_owned()));
    // Some now, the rest later.
    let some = feedback(
        &mut client,
        &json!({"request_id": "many", "labels": ["setosa", null, 1]}),
    );
    assert_eq!(some.json()["matched"], 2);
    let rest = feedback(
        &mut client,
        &json!({"request_id": "many", "labels": [null, "versicolor", 1]}),
    );
    assert_eq!(
        (&rest.json()["matched"], &rest.json()["duplicates"]),
        (&json!(1), &json!(1))
    );
    let known = performance(&mut client);
    assert_eq!(
        (&known["rows"], &known["total"], &known["drift"]),
        (&json!(4), &json!(4), &json!(false))
    );
    let accuracy = &known["accuracy"];
    let (low, high) = drift::interval::clopper_pearson(3, 4, 0.95);
    assert_eq!(accuracy, &json!({"value": 0.75, "low": low, "high": high}));
    assert_eq!(known["held_out"], 0.9667);
    let metrics = client.get("/metrics").body;
    for line in [
        "feedback_labels_total{outcome=\"matched\"} 4",
        "feedback_labels_total{outcome=\"duplicate\"} 2",
        "feedback_labels_total{outcome=\"conflict\"} 1",
        "labelled_rows 4",
        "live_accuracy 0.75",
        &format!("live_accuracy_low {low}"),
        &format!("live_accuracy_high {high}"),
        "performance_drift_detected 0",
    ] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line}: {metrics}");
    }
}

#[test]
fn a_model_that_got_worse_is_said_so_and_inputs_are_not() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let label = |client: &mut Client, from: usize, right: bool| {
        for i in from..from + 130 {
            // Rows like the training rows: what changes is what is right.
            let row = fixture::reference_row(i * 17 % fixture::REFERENCE_ROWS);
            let id = format!("r{i}");
            let answer = raw(client, "/predict", &id, &json!({ "features": row })).json();
            let class = answer["prediction"].as_u64().unwrap();
            let label = if right || i % 8 == 0 {
                class
            } else {
                (class + 1) % 3
            };
            let sent = feedback(client, &json!({"request_id": id, "label": label}));
            assert_eq!(sent.status, 200, "{sent:?}");
        }
    };
    label(&mut client, 0, true);
    let good = performance(&mut client);
    assert_eq!(
        (&good["drift"], &good["verdict"]),
        (&json!(false), &json!("quiet")),
        "{good}"
    );
    label(&mut client, 1_000, false);
    let bad = performance(&mut client);
    assert_eq!(
        (&bad["drift"], &bad["verdict"]),
        (&json!(true), &json!("drift")),
        "{bad}"
    );
    assert!(bad["p_value"].as_f64() <= bad["threshold"].as_f64(), "{bad}");
    assert!(bad["effect"].as_f64().unwrap() > 0.1, "{bad}");
    let status = client.get("/drift/status").json();
    assert_eq!(
        (&status["drift_detected"], &status["episode"]),
        (&json!(false), &Value::Null)
    );
    assert!(
        client
            .get("/metrics")
            .body
            .contains("\nperformance_drift_detected 1\n")
    );
}

#[test]
fn every_protocol_is_remembered_by_its_answers_id() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    let tensor = json!({"name": "features", "datatype": "FP32", "shape": [1, 4], "data": ROWS[1]});
    let asked = |outputs: Value| json!({"inputs": [tensor.clone()], "outputs": outputs});
    for (path, id, body, known) in [
        ("/invocations", "mlflow", json!({"instances": [ROWS[1]]}), true),
        (
            "/v2/models/iris-model/infer",
            "all",
            json!({"inputs": [tensor.clone()]}),
            true,
        ),
        (
            "/v2/models/iris-model/infer",
            "label",
            asked(json!([{"name": "label"}])),
            true,
        ),
        (
            "/v2/models/iris-model/infer",
            "scores",
            asked(json!([{"name": "probabilities"}])),
            true,
        ),
        ("/predict", "own", json!({"features": ROWS[1]}), true),
        // A refused one was not answered.
        ("/predict", "refused", json!({"features": [1]}), false),
    ] {
        raw(&mut client, path, id, &body);
        let sent = feedback(&mut client, &json!({"request_id": id, "label": "versicolor"}));
        let expected = if known {
            (200, "matched")
        } else {
            (404, "unknown_request")
        };
        assert_eq!(state(&sent), (expected.0, expected.1.to_owned()), "{path} {id}");
    }
    // Ids that the server gave itself.
    let body = json!({"features": ROWS[1]}).to_string();
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: test\r\n{JSON}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write(head.as_bytes());
    let answer = client.read().unwrap();
    let id = answer.header("x-request-id").unwrap();
    let sent = feedback(&mut client, &json!({"request_id": id, "label": 1}));
    assert_eq!(state(&sent), (200, "matched".to_owned()));
    assert_eq!(performance(&mut client)["accuracy"]["value"], 1.0);
}

#[test]
fn ids_that_repeat() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &["--feedback-rows", "5"]);
    let mut client = server.client();
    // A client that tries again asks the same and is answered the same: that is one request.
    predict(&mut client, "again", &ROWS[..2]);
    predict(&mut client, "again", &ROWS[..2]);
    let sent = feedback(&mut client, &json!({"request_id": "again", "labels": [0, 1]}));
    assert_eq!(state(&sent), (200, "matched".to_owned()));
    // Different questions by one id: nobody can say whose label it is.
    predict(&mut client, "same", &ROWS[..1]);
    predict(&mut client, "same", &ROWS[1..2]);
    let sent = feedback(&mut client, &json!({"request_id": "same", "label": 0}));
    assert_eq!(state(&sent), (409, "ambiguous_request".to_owned()));
    // What is pushed out is forgotten.
    for i in 0..5 {
        predict(&mut client, &format!("new{i}"), &ROWS[..1]);
    }
    let late = feedback(&mut client, &json!({"request_id": "again", "labels": [0, 1]}));
    assert_eq!(state(&late), (404, "unknown_request".to_owned()));
    // More rows than are remembered at all.
    predict(&mut client, "large", &[ROWS[0]; 6]);
    let sent = feedback(
        &mut client,
        &json!({"request_id": "large", "labels": [0, 0, 0, 0, 0, 0]}),
    );
    assert_eq!(state(&sent), (404, "unknown_request".to_owned()));
}

#[test]
fn what_is_no_feedback_is_refused_by_name() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    predict(&mut client, "one", &ROWS[..1]);
    predict(&mut client, "many", &ROWS);
    let mut told = String::new();
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"label": 1}"#,
        r#"{"request_id": "one"}"#,
        r#"{"request_id": 1, "label": 1}"#,
        r#"{"request_id": "one", "label": 1, "labels": [1]}"#,
        r#"{"request_id": "one", "label": 1, "label": 2}"#,
        r#"{"request_id": "one", "label": 1, "row": 2}"#,
        r#"{"request_id": "one", "label": "rose"}"#,
        r#"{"request_id": "one", "label": 3}"#,
        r#"{"request_id": "one", "label": [1]}"#,
        r#"{"request_id": "one", "label": 1e999}"#,
        r#"{"request_id": "one", "labels": [1, 2]}"#,
        r#"{"request_id": "one", "labels": []}"#,
        r#"{"request_id": "one", "labels": "setosa"}"#,
        r#"{"request_id": "many", "label": 1}"#,
        r#"{"request_id": "many", "labels": [0, "rose", 1]}"#,
        r#"{"request_id": "nobody", "label": "rose"}"#,
        r#"{"feedback": []}"#,
        r#"{"feedback": {}}"#,
        r#"{"feedback": [1]}"#,
        r#"{"feedback": [{"request_id": "one"}]}"#,
        r#"{"feedback": [], "request_id": "one"}"#,
    ] {
        let answer = client.send("POST", "/feedback", JSON, body.as_bytes());
        let error = answer.json();
        let message = error["message"].as_str().unwrap();
        told += &format!(
            "{body}\n  {} {} {message}\n",
            answer.status,
            error["code"].as_str().unwrap()
        );
    }
    insta::assert_snapshot!(told);
    let text = client.send("POST", "/feedback", "content-type: text/plain\r\n", b"x");
    assert_eq!(state(&text), (415, "unsupported_media_type".to_owned()));
    assert_eq!(client.get("/feedback").status, 405);
    assert_eq!(performance(&mut client), Value::Null);
    // In a list each stands for itself.
    let list = feedback(
        &mut client,
        &json!({"feedback": [{"request_id": "nobody", "label": 1}, {"request_id": "one", "label": 0}]}),
    );
    let states: Vec<Value> = list.json()["feedback"].as_array().unwrap().clone();
    assert_eq!(
        (list.status, &states[0]["state"], &states[1]["state"]),
        (200, &json!("unknown_request"), &json!("matched"))
    );
}

#[test]
fn feedback_can_be_off_and_needs_a_key_where_there_are_keys() {
    let directory = fixture::directory();
    let off = Server::start(directory.path(), &["--feedback-rows", "0"]);
    let mut client = off.client();
    predict(&mut client, "one", &ROWS[..1]);
    let sent = feedback(&mut client, &json!({"request_id": "one", "label": 0}));
    assert_eq!(state(&sent), (404, "not_found".to_owned()));
    assert!(!client.get("/metrics").body.contains("feedback_labels_total"));
    let keys = Server::start(directory.path(), &["--api-keys", "shop=a-secret"]);
    let sent = feedback(&mut keys.client(), &json!({"request_id": "one", "label": 0}));
    assert_eq!(state(&sent), (401, "unauthorized".to_owned()));
}
