//! The bridge itself: addresses, logs, stopping, waiting, and what it does when it is not alone.

use crate::fixture::{APP, wait_for};
use engine::{Engine, EngineClient, Health};
use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

const NOTICE: Duration = Duration::from_secs(30);

/// The page behind the forward: the pod's name.
fn page(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address.strip_prefix("http://")?).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(8))).ok()?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text.lines().last()?.trim().to_owned()).filter(|name| name.starts_with("probe-"))
}

#[test]
fn a_forward_outlives_its_pods() {
    let lab = crate::lab!("forward");
    let address = lab.engine.address(APP).unwrap();
    let before: Vec<String> = lab
        .app()
        .replicas
        .into_iter()
        .map(|replica| replica.name)
        .collect();
    assert_eq!(before.len(), 2);
    assert!(before.contains(&page(&address).unwrap()));
    for _ in 0..2 {
        lab.engine.kill(APP).unwrap();
        wait_for("a page from a new pod", NOTICE, || page(&address));
    }
    wait_for("two new pods", NOTICE, || {
        let app = lab.app();
        let new = app
            .replicas
            .iter()
            .filter(|replica| replica.ready && !before.contains(&replica.name))
            .count();
        (new >= 1 && app.replicas.len() == 2 && app.health == Health::Healthy).then_some(())
    });
    let served = wait_for("a page", NOTICE, || page(&address));
    assert!(lab.app().replicas.iter().any(|replica| replica.name == served));
    assert!(lab.engine.logs(APP, 50).unwrap().contains(&"serving".to_owned()));
}

/// A request that is answered before its body has arrived ends its connection, and takes the next
/// request on it along.
#[test]
fn requests_one_after_the_other_on_one_connection() {
    let lab = crate::lab!("requests");
    for _ in 0..300 {
        lab.engine.refresh().unwrap();
        lab.engine.data_names().unwrap();
    }
}

#[test]
fn stopped_and_started_again() {
    let lab = crate::lab!("suspend");
    lab.engine.suspend(APP, true).unwrap();
    wait_for("no replicas", NOTICE, || {
        let app = lab.app();
        (app.health == Health::Suspended && app.replicas.is_empty()).then_some(())
    });
    // Longer than Argo CD needs to heal what it looks after.
    std::thread::sleep(Duration::from_secs(3));
    assert!(lab.app().replicas.is_empty());
    lab.engine.suspend(APP, false).unwrap();
    let commit = lab.app().revision;
    lab.wait_live(&commit, NOTICE);
    assert_eq!(lab.app().replicas.len(), 2);
}

#[test]
fn waiting_from_the_command_line() {
    let lab = crate::lab!("wait apps");
    let selector = "app.kubernetes.io/part-of=cluster-tests";
    let state = lab.state.display().to_string();
    let (ok, answer) = lab.command(&["wait", "apps", "--state", &state, "--deadline", "30"]);
    assert!(ok && answer["apps"][APP].is_number(), "{answer}");
    let own = [
        "wait",
        "apps",
        "--git-url",
        &lab.git_url,
        "--selector",
        selector,
        "--deadline",
        "30",
    ];
    let (ok, answer) = lab.command(&own);
    assert!(ok && answer["revision"] == lab.app().revision, "{answer}");
    let never = "f".repeat(40);
    let (ok, answer) = lab.command(&[
        "wait",
        "apps",
        "--state",
        &state,
        "--revision",
        &never,
        "--deadline",
        "1",
    ]);
    assert!(!ok && answer["error"]["kind"] == "timeout", "{answer}");
    let (ok, answer) = lab.command(&["wait", "crds", "applications.argoproj.io"]);
    assert!(ok, "{answer}");
    let (ok, answer) = lab.command(&["wait", "crds", "nothing.example.org", "--deadline", "1"]);
    assert!(
        !ok && answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("nothing.example.org"),
        "{answer}"
    );
}

#[test]
fn a_second_bridge_on_the_same_folder_is_refused_and_the_end_is_clean() {
    let lab = crate::lab!("second bridge");
    let (ok, answer) = lab.command(&[
        "serve",
        "--engine",
        "cluster",
        "--environment",
        "minikube",
        "--git-url",
        &lab.git_url,
        "--state",
        &lab.state.display().to_string(),
    ]);
    assert!(
        !ok && answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("another bridge"),
        "{answer}"
    );
    assert!(lab.engine.status().is_ok());
    lab.engine.shutdown().unwrap();
    wait_for("the end", NOTICE, || {
        EngineClient::open(&lab.state).is_err().then_some(())
    });
}

#[test]
fn a_cluster_that_is_not_there_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let text = r#"{"apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "gone", "context": {"cluster": "c", "user": "u"}}]}"#;
    std::fs::write(&kubeconfig, text).unwrap();
    let ask = |context: &str, args: &[&str]| -> serde_json::Value {
        let output = Command::new(env!("CARGO_BIN_EXE_driftless-cluster"))
            .env("KUBECONFIG", &kubeconfig)
            .args(["--context", context])
            .args(args)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(ask("gone", &["inspect"])["error"]["kind"], "unreachable");
    assert_eq!(ask("other", &["inspect"])["error"]["kind"], "no-context");
    let state = folder.path().join("state").display().to_string();
    let serve = [
        "serve",
        "--state",
        &state,
        "--engine",
        "cluster",
        "--environment",
        "minikube",
    ];
    assert_eq!(ask("gone", &serve)["error"]["kind"], "unreachable");
}

#[test]
fn a_certificate_that_expired_is_named_and_keys_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let ask = |text: &str| -> serde_json::Value {
        std::fs::write(&kubeconfig, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_driftless-cluster"))
            .env("KUBECONFIG", &kubeconfig)
            .args(["--context", "c", "inspect"])
            .output()
            .unwrap();
        let shown = String::from_utf8([output.stdout.clone(), output.stderr].concat()).unwrap();
        assert!(!shown.contains("s3cret"), "{shown}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let expired = include_str!("files/expired.pem");
    std::fs::write(folder.path().join("expired.pem"), expired).unwrap();
    let config = r#"{"apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": {"client-certificate": "expired.pem", "client-key": "none.pem"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}"#;
    let answer = ask(config);
    assert_eq!(answer["error"]["kind"], "certificate", "{answer}");
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .contains("expired at 20"),
        "{answer}"
    );
    let broken = "apiVersion: v1\nusers:\n- name: u\n  user: {token: s3cret,\n    client-key-data: s3cret\n";
    assert_eq!(ask(broken)["error"]["kind"], "no-context");
}
