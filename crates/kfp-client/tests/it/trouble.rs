//! The client on bad days: what is repeated, what is not, and what is said.

use crate::support::kfp::{body, refused};
use crate::support::wire::{Request, Wire};
use crate::support::{Kfp, Reply};
use kfp_client::{Client, Error};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A server that gives this answer to whatever it is asked, and keeps what it was asked.
fn always(reply: Reply) -> (Wire, Arc<Mutex<Vec<Request>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let inside = seen.clone();
    let wire = Wire::new(move |request| {
        inside.lock().unwrap().push(request);
        reply.clone()
    });
    (wire, seen)
}

fn client(address: &str) -> Client {
    Client::builder(address)
        .deadline(Duration::from_secs(3))
        .settle(Duration::from_millis(20))
        .attempts(3)
        .build()
        .unwrap()
}

#[tokio::test]
async fn only_harmless_calls_are_repeated() {
    let busy = |status| body(status, "text/plain", "busy");
    for (reply, get, terminate, retry) in [
        (busy(503), 3, 3, 1),
        (busy(500), 3, 3, 1),
        (busy(429), 3, 3, 3),
        (body(503, "text/html", "<html>busy</html>"), 3, 3, 1),
        (busy(400), 1, 1, 1),
        (refused(404, 5, "not found"), 1, 1, 1),
        (Reply::Close, 3, 3, 1),
        (Reply::Half, 3, 3, 1),
    ] {
        let (wire, seen) = always(reply.clone());
        let client = client(&wire.address);
        let count = |verb: &str| {
            let seen = seen.lock().unwrap();
            seen.iter().filter(|r| r.path.ends_with(verb)).count()
        };
        client.run("r").await.unwrap_err();
        client.terminate_run("r").await.unwrap_err();
        client.retry_run("r").await.unwrap_err();
        let all = (count("/r"), count(":terminate"), count(":retry"));
        // A retry whose answer was lost is looked for, three times.
        let looks = if retry == 1
            && !matches!(
                reply,
                Reply::Body {
                    status: 400 | 404 | 500,
                    ..
                }
            ) {
            3
        } else {
            0
        };
        assert_eq!(all, (get + looks, terminate, retry), "{reply:?}");
    }
}

#[tokio::test]
async fn answered_at_the_second_try() {
    let kfp = Kfp::start();
    kfp.fault("GET", "healthz", false, Reply::Close);
    assert_eq!(kfp.client().health().await.unwrap().tag_name, "2.17.0");
    assert_eq!(kfp.asked("GET", "healthz"), 2);
}

#[tokio::test]
async fn nobody_listens() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = client(&format!("http://{closed}")).health().await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && !error.is_ambiguous(),
        "{error}"
    );
    let text = error.to_string();
    let start = format!("Kubeflow Pipelines does not answer at http://{closed} (GET healthz): ");
    assert!(text.starts_with(&start) && text.contains("refused"), "{text}");
    assert!(
        error
            .next()
            .contains("port-forward service/ml-pipeline 8888:8888")
    );
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let (wire, _) = always(Reply::Hang);
    let client = Client::builder(&wire.address)
        .deadline(Duration::from_millis(200))
        .build()
        .unwrap();
    let start = Instant::now();
    let error = client.health().await.unwrap_err();
    assert!(
        matches!(error, Error::Deadline { .. }) && error.is_ambiguous(),
        "{error}"
    );
    let error = client.log("r", "n").await.unwrap_err();
    assert_eq!(error.id(), "kfp-slow");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn answers_of_other_servers() {
    let cases = [
        body(
            200,
            "text/html",
            "<!DOCTYPE html>\n<html><head><title>Kubeflow Central Dashboard</title>",
        ),
        body(404, "text/html", "<html>\n<body>nginx</body>"),
        body(404, "text/plain; charset=utf-8", "404 page not found\n"),
        body(200, "application/json", ""),
        body(200, "application/json", "  \n"),
        body(200, "application/json", "{\"run_id\": 7}"),
        body(200, "application/json", "{}"),
        body(200, "application/json", "OK"),
        Reply::Redirect("http://127.0.0.1/dex/auth?client_secret=hidden"),
        body(401, "text/plain", "Jwt is missing"),
        refused(403, 7, "User 'system:anonymous' is not authorized"),
        body(400, "application/json", ""),
        body(
            400,
            "text/plain",
            serde_json::json!({"error_message": "Failed", "error_details": ""}),
        ),
        body(
            400,
            "text/plain",
            serde_json::json!({"error_message": "Failed", "error_details": "Why\n\tand where"}),
        ),
        refused(400, 3, &"long ".repeat(400)),
    ];
    let mut said = Vec::new();
    for reply in cases {
        let (wire, _) = always(reply);
        let error = client(&wire.address).run("r").await.unwrap_err();
        said.push(format!("{} {error}", error.id()).replace(&wire.address, "ADDRESS"));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn addresses() {
    for address in ["", "ftp://x", "127.0.0.1:8888", "http://"] {
        assert!(
            matches!(Client::new(address), Err(Error::Address { .. })),
            "{address:?}"
        );
    }
    for address in ["http://user:hunter2@127.0.0.1", "http://127.0.0.1/?token=hunter2"] {
        let error = Client::new(address).unwrap_err();
        assert_eq!(error.id(), "kfp-address");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    // Behind a path, as the web page has it.
    let (wire, seen) = always(body(200, "application/json", "{\"tag_name\":\"2.17.0\"}"));
    client(&format!("{}/pipeline/", wire.address))
        .health()
        .await
        .unwrap();
    assert_eq!(seen.lock().unwrap()[0].path, "/pipeline/apis/v2beta1/healthz");
}

#[tokio::test]
async fn the_token_is_read_anew_and_never_shown() {
    let (wire, seen) = always(body(401, "text/plain", "no"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let client = Client::builder(&wire.address).token_file(&file).build().unwrap();
    let missing = client.health().await.unwrap_err();
    assert_eq!(missing.id(), "kfp-token");
    for token in ["", " \n", "two words", "two\nlines", "tök"] {
        std::fs::write(&file, token).unwrap();
        let error = client.health().await.unwrap_err();
        assert_eq!(error.id(), "kfp-token");
        assert!(
            token.trim().is_empty() || !error.to_string().contains(token),
            "{error}"
        );
    }
    assert!(seen.lock().unwrap().is_empty());
    for token in ["hunter2", "hunter3"] {
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let error = client.health().await.unwrap_err();
        assert!(!format!("{error} {error:?} {client:?}").contains(token));
        let seen = seen.lock().unwrap();
        let expected = format!("Bearer {token}");
        assert_eq!(
            seen.last().unwrap().header("authorization"),
            Some(expected.as_str())
        );
    }
}
