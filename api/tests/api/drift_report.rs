//! `/drift/report` says what `/drift/status` says, and draws what was sent; `/drift` is a page that needs nobody.

use crate::{
    client::Client,
    fixture, plain,
    server::{Server, eventually},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn rows(count: usize, shift: f64) -> Vec<[f64; 4]> {
    rows_from(0, count, shift)
}

fn rows_from(first: usize, count: usize, shift: f64) -> Vec<[f64; 4]> {
    let row = |i: usize| {
        let mut row = fixture::reference_row(i * 17 % fixture::REFERENCE_ROWS);
        row[2] += shift;
        row
    };
    (first..first + count).map(row).collect()
}

fn send(client: &mut Client, rows: &[[f64; 4]]) {
    let answer = client.predict(&json!({ "instances": rows }).to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Both at one state of the window.
fn both(client: &mut Client) -> (Value, Value) {
    let status = client.get("/drift/status").json();
    let report = client.get("/drift/report").json();
    assert_eq!(report["status"], status);
    (status, report)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The empirical distribution function at a value.
fn upto(values: &[f64], at: f64) -> f64 {
    values.iter().filter(|value| **value <= at).count() as f64 / values.len() as f64
}

#[test]
fn it_draws_what_was_sent() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    send(&mut client, &rows(100, 0.0));
    let moved = rows(60, 4.0);
    send(&mut client, &moved);
    let (status, report) = both(&mut client);
    assert_eq!(status["drift_detected"], true);
    let window: Vec<[f64; 4]> = rows(100, 0.0)[60..].iter().chain(&moved).copied().collect();
    for (index, feature) in report["features"].as_array().unwrap().iter().enumerate() {
        let known = &status["features"][format!("feature_{index}")];
        assert_eq!(
            (&feature["name"], &feature["state"]),
            (&known["name"], &json!("compared"))
        );
        let column: Vec<f64> = window.iter().map(|row| row[index]).collect();
        let training: Vec<f64> = (0..fixture::REFERENCE_ROWS)
            .map(|i| fixture::reference_row(i)[index])
            .collect();
        for (side, values) in [("reference", &training), ("window", &column)] {
            let curve = feature["ecdf"][side].as_array().unwrap();
            assert!((2..=200).contains(&curve.len()));
            for point in curve {
                assert_eq!(number(&point[1]), upto(values, number(&point[0])));
            }
            let bins = feature["histogram"][side].as_array().unwrap();
            let binned: u64 = bins.iter().map(|count| count.as_u64().unwrap()).sum();
            let beyond = match side {
                "window" => ["window_below", "window_above"]
                    .map(|end| feature["histogram"][end].as_u64().unwrap())
                    .iter()
                    .sum(),
                _ => 0,
            };
            assert_eq!(binned + beyond, values.len() as u64);
        }
        // The gap that is drawn is the statistic.
        let gap = &feature["gap"];
        assert_eq!(gap["value"], known["location"]);
        let height = number(&gap["reference"]) - number(&gap["window"]);
        assert!(
            (height.abs() - number(&known["ks_stat"])).abs() < 1e-15,
            "{gap} {known}"
        );
        let looks = feature["ks_at_looks"].as_array().unwrap();
        assert_eq!(looks.len(), report["looks"].as_array().unwrap().len());
        assert!(looks.iter().all(|ks| (0.0..=1.0).contains(&number(ks))));
    }
    assert_eq!(
        report["looks"].as_array().unwrap().last().unwrap()["total"],
        status["look"]["at_rows"]
    );
    let episode = &report["episodes"][0];
    assert_eq!(
        (&episode["number"], &episode["outcome"]),
        (&json!(1), &json!("open"))
    );
    assert_eq!(episode["movements"], status["episode"]["movements"]);
    assert!(
        report["decisions"]
            .as_str()
            .unwrap()
            .contains("cargo xtask status")
    );
}

/// To go up from the smallest p-value and to stop where one is above its threshold says what the corrected ones say.
#[test]
fn thresholds_are_those_of_the_correction() {
    let directory = fixture::directory();
    for (correction, word) in [("holm", "holm"), ("benjamini-yekutieli", "benjamini-yekutieli")] {
        let server = Server::start(
            directory.path(),
            &["--drift-correction", correction, "--drift-level", "0.5"],
        );
        let mut client = server.client();
        send(&mut client, &rows(100, 0.7));
        let (status, report) = both(&mut client);
        let rule = &report["rule"];
        assert_eq!(
            (&rule["correction"], &rule["level"]),
            (&json!(word), &status["threshold"])
        );
        let comparisons = number(&rule["comparisons"]);
        // Distributions and values out of range of four features, and the predictions.
        assert_eq!(comparisons, 9.0);
        for feature in report["features"].as_array().unwrap() {
            let (rank, threshold) = (
                number(&feature["threshold"]["rank"]),
                number(&feature["threshold"]["p_value"]),
            );
            let level = number(&status["threshold"]);
            let expected = match word {
                "holm" => level / (comparisons - rank + 1.0),
                _ => level * rank / (comparisons * (1..=9).map(|i| 1.0 / f64::from(i)).sum::<f64>()),
            };
            assert!((threshold / expected - 1.0).abs() < 1e-12, "{feature}");
        }
        let moved = &status["features"]["feature_2"];
        let threshold = &report["features"][2]["threshold"]["p_value"];
        assert_eq!(
            number(&moved["corrected_p_value"]) <= number(&status["threshold"]),
            number(&moved["p_value"]) <= number(threshold)
        );
        assert!(number(&report["predictions_threshold"]["p_value"]) > 0.0);
    }
    let server = Server::start(directory.path(), &["--drift-mode", "compat"]);
    let mut client = server.client();
    send(&mut client, &rows(100, 0.7));
    let (_, report) = both(&mut client);
    assert_eq!(report["rule"]["correction"], "none");
    assert_eq!(report["features"][0]["threshold"]["p_value"], 0.05);
}

#[test]
fn before_the_window_is_full_there_are_pictures_and_no_judgement() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    for sent in [0, 7] {
        if sent > 0 {
            send(&mut client, &rows(sent, 0.0));
        }
        let (status, report) = both(&mut client);
        assert_eq!(status["samples"], sent);
        let feature = &report["features"][0];
        assert_eq!(feature.get("threshold"), None);
        assert_eq!(feature["window_values"], sent);
        assert_eq!(feature["reference_values"], fixture::REFERENCE_ROWS);
        assert_eq!(
            feature["ecdf"]["window"].as_array().unwrap().is_empty(),
            sent == 0
        );
        assert_eq!(feature.get("gap").is_none(), sent == 0);
        assert_eq!(feature["state"], if sent == 0 { "no_values" } else { "compared" });
    }
}

#[test]
fn without_a_reference_it_says_so() {
    let server = Server::start(&plain::corpus("minmaxscaler_multi_f32"), &[]);
    let (status, report) = both(&mut server.client());
    assert_eq!(status["reason"], "The model has no drift reference");
    assert_eq!(
        (&report["features"], &report["episodes"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(report.get("rule"), None);
}

/// A closed episode says how it ended, and that more is known elsewhere.
#[test]
fn an_episode_that_is_over_says_how() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut client = server.client();
    send(&mut client, &rows(100, 4.0));
    eventually("an episode is open", || {
        both(&mut client).0["episode"]["open"] == true
    });
    let mut sent = (0..).step_by(7);
    eventually("it is over", || {
        send(&mut client, &rows_from(sent.next().unwrap(), 7, 0.0));
        both(&mut client).0["episode"]["open"] == false
    });
    let (_, report) = both(&mut client);
    assert_eq!(report["episodes"][0]["outcome"], "quiet");
    assert!(report["episodes"][0]["closed_at_ms"].is_u64());
    let looks = report["looks"].as_array().unwrap();
    assert!(
        looks.iter().any(|look| look["drift"] == true) && looks.iter().any(|look| look["drift"] == false)
    );
}

#[test]
fn the_page_is_whole_and_shut() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let answer = server.client().get("/drift");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    for outside in [
        "http://",
        "https://",
        "src=",
        "@import",
        "url(",
        "innerHTML",
        "eval(",
        "style=",
    ] {
        // The name of SVG is an address that nobody asks.
        let page = answer.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!page.contains(outside), "the page has {outside}");
    }
    let hash = |element: &str| {
        let (_, rest) = answer.body.split_once(&format!("<{element}>")).unwrap();
        let (text, rest) = rest.split_once(&format!("</{element}>")).unwrap();
        assert!(!rest.contains(&format!("<{element}")), "one {element}");
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    };
    assert_eq!(
        answer.header("content-security-policy").unwrap(),
        format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            hash("style"),
            hash("script")
        )
    );
    assert!(answer.body.contains("prefers-color-scheme: dark"));
}
