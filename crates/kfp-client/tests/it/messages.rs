//! Every error: its id, what it says and what to type next.

use kfp_client::{Cron, Error, ParameterError, PipelineDocument, RunFailure, RunState};
use std::{collections::BTreeSet, time::Duration};

fn all() -> Vec<Error> {
    let (address, request) = ("http://127.0.0.1:8888".to_owned(), "GET runs/r".to_owned());
    let message = "the server's words".to_owned();
    let broken = || Error::Broken {
        address: address.clone(),
        request: request.clone(),
        cause: "connection closed before message completed".to_owned(),
    };
    let deadline = Duration::from_secs(30);
    let (run_id, name, value) = ("r".to_owned(), "seed".to_owned(), "1.5".to_owned());
    let failure = RunFailure {
        run_id: run_id.clone(),
        display_name: "retrain_1".to_owned(),
        state: RunState::Failed,
        step: Some("train".to_owned()),
        before_step: false,
        log: vec!["ValueError: no rows".to_owned()],
        log_missing: None,
    };
    vec![
        Error::Address {
            address: "ftp://x".to_owned(),
            reason: "expected http://HOST:PORT or https://HOST".to_owned(),
        },
        Error::Token {
            path: "token".into(),
            reason: "No such file or directory (os error 2)".to_owned(),
        },
        Error::Unreachable {
            address: address.clone(),
            request: request.clone(),
            cause: "Connection refused (os error 111)".to_owned(),
        },
        broken(),
        Error::Deadline {
            address: address.clone(),
            request: request.clone(),
            deadline,
        },
        Error::Page {
            address: address.clone(),
            request: request.clone(),
            status: 200,
            title: "\"Kubeflow Central Dashboard\"".to_owned(),
        },
        Error::Answer {
            request: request.clone(),
            cause: "it is empty".to_owned(),
        },
        Error::Unauthorized {
            request: request.clone(),
            status: 403,
            message: message.clone(),
        },
        Error::NotFound {
            request: request.clone(),
            message: message.clone(),
        },
        Error::Refused {
            request: request.clone(),
            status: 500,
            code: Some(13),
            message: message.clone(),
        },
        Error::Name {
            field: "display_name of the run",
            value: String::new(),
            expected: "a name that is not empty",
        },
        PipelineDocument::parse("a: {b: c").unwrap_err().into(),
        PipelineDocument::parse("a: 1").unwrap_err().into(),
        ParameterError::Unknown {
            name: name.clone(),
            value: value.clone(),
            known: "a, b".to_owned(),
        }
        .into(),
        ParameterError::Missing {
            name: name.clone(),
            expected: "a whole number",
        }
        .into(),
        ParameterError::Type {
            name: name.clone(),
            value: "\"7\"".to_owned(),
            expected: "a whole number",
        }
        .into(),
        ParameterError::NotWhole {
            name: name.clone(),
            value: value.clone(),
        }
        .into(),
        ParameterError::TooLarge {
            name,
            value: "1e300".to_owned(),
        }
        .into(),
        ParameterError::Placeholder {
            path: "hyper_params.a[0]".to_owned(),
            value: "\"{{workflow.name}}\"".to_owned(),
        }
        .into(),
        Cron::parse("0 2 * * *").unwrap_err().into(),
        Cron::parse("61 0 2 * * *").unwrap_err().into(),
        Error::Concurrency { value: 11 },
        Error::UploadUnclear {
            what: "pipeline \"iris\"".to_owned(),
            cause: Box::new(broken()),
        },
        Error::StartUnclear {
            what: "run \"retrain_1\"".to_owned(),
            cause: Box::new(broken()),
        },
        Error::RunFailed(Box::new(failure)),
        Error::WaitDeadline {
            run_id: run_id.clone(),
            state: "RUNNING".to_owned(),
            tasks: vec!["train RUNNING".to_owned()],
            deadline,
            trouble: Some(Box::new(broken())),
        },
        Error::NotRetryable {
            run_id: run_id.clone(),
            message: message.clone(),
        },
        Error::NotRunning { run_id, message },
    ]
}

/// Every id has a heading in the troubleshooting page, and every heading of ours an id.
#[test]
fn ids_are_headings() {
    // As the source has them, so that none is forgotten here.
    let sources = [
        include_str!("../../src/error.rs"),
        include_str!("../../src/document.rs"),
        include_str!("../../src/params.rs"),
        include_str!("../../src/cron.rs"),
    ];
    let literal = |line: &'static str| line.split_once("=> \"kfp-")?.1.split_once('"');
    let of_source = sources.iter().flat_map(|text| text.lines()).filter_map(literal);
    let of_source: BTreeSet<String> = of_source.map(|(id, _)| format!("kfp-{id}")).collect();
    let provoked: BTreeSet<String> = all().iter().map(|error| error.id().to_owned()).collect();
    assert_eq!(provoked, of_source);
    let page = include_str!("../../../../docs/troubleshooting.md");
    let headings = page.lines().filter_map(|line| line.strip_prefix("### kfp-"));
    let headings: BTreeSet<String> = headings.map(|id| format!("kfp-{id}")).collect();
    assert_eq!(headings, of_source);
}

#[test]
fn what_is_said() {
    let all = all();
    let told: Vec<String> = all
        .iter()
        .map(|e| format!("{}\n  {e}\n  next: {}", e.id(), e.next()))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    let mut ids: Vec<&str> = all.iter().map(Error::id).collect();
    for id in &ids {
        let kebab = id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(id.starts_with("kfp-") && kebab, "{id}");
    }
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "each error has an id of its own");
}
