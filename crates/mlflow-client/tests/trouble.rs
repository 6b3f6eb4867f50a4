//! The client on bad days: what is repeated, what is not, and what is said.

use mlflow_client::{Client, Error, NewRun};
use std::time::{Duration, Instant};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

fn new_run() -> NewRun {
    NewRun {
        experiment_id: "1".to_owned(),
        run_name: "r".to_owned(),
        start_time: 1,
        tags: Vec::new(),
    }
}

async fn requests_for(status: u16, create: bool) -> usize {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(status).set_body_string("busy"))
        .mount(&server)
        .await;
    let client = Client::builder(&server.uri()).attempts(3).build().unwrap();
    if create {
        client.create_run(&new_run()).await.unwrap_err();
    } else {
        client.run("x").await.unwrap_err();
    }
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn only_harmless_calls_are_repeated() {
    for (status, create, expected) in [
        (503, false, 3),
        (503, true, 1),
        (429, false, 3),
        (429, true, 3),
        (400, false, 1),
        (404, false, 1),
    ] {
        let seen = requests_for(status, create).await;
        assert_eq!(seen, expected, "status {status}, create {create}");
    }
}

#[tokio::test]
async fn a_call_that_is_answered_at_the_second_try() {
    let server = MockServer::start().await;
    let busy = ResponseTemplate::new(503).set_body_string("<html>busy</html>");
    Mock::given(any())
        .respond_with(busy)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    let version = ResponseTemplate::new(200).set_body_raw("3.18.0", "text/html; charset=utf-8");
    Mock::given(any()).respond_with(version).mount(&server).await;
    assert_eq!(
        Client::new(&server.uri()).unwrap().version().await.unwrap(),
        "3.18.0"
    );
}

#[tokio::test]
async fn nobody_listens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let client = Client::builder(&format!("http://user:secret@{closed}"))
        .attempts(2)
        .build()
        .unwrap();
    let error = client.version().await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && !error.is_ambiguous(),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.starts_with(&format!(
            "MLflow does not answer at http://{closed} (GET /version)"
        )),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(60)))
        .mount(&server)
        .await;
    let client = Client::builder(&server.uri())
        .deadline(Duration::from_millis(300))
        .build()
        .unwrap();
    let start = Instant::now();
    let error = client.create_run(&new_run()).await.unwrap_err();
    assert!(
        matches!(error, Error::Deadline { .. }) && error.is_ambiguous(),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn pages_of_other_servers() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(
            ResponseTemplate::new(404).set_body_string("<!doctype html>\n<title>404 Not Found</title>"),
        )
        .mount(&server)
        .await;
    let error = Client::new(&server.uri()).unwrap().run("x").await.unwrap_err();
    insta::assert_snapshot!(error, @"MLflow refused GET runs/get: 404 HTML: <!doctype html> <title>404 Not Found</title>");
    for address in ["", "ftp://x", "127.0.0.1:5000", "http://"] {
        assert!(
            matches!(Client::new(address), Err(Error::Address { .. })),
            "{address:?}"
        );
    }
}
