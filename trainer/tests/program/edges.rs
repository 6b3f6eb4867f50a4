//! Steps whose other side is played: data over http, a held lock, MLflow that is down.

use crate::support::program::trainer_in;
use crate::support::world::{IRIS, World};
use contract::names::exit;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// Nobody listens there.
pub fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn data_behind_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    let table =
        Mock::given(path("/sets/iris.csv")).respond_with(ResponseTemplate::new(200).set_body_string(IRIS));
    runtime.block_on(table.mount(&server));
    let address = format!("{}/sets/iris.csv", server.uri().replace("//", "//user:secret@"));
    let train = |place: &str, more: &[&str]| {
        trainer_in(
            folder.path(),
            &[&["train", "--data", place, "--out", "out"], more].concat(),
            &[],
        )
    };
    let result = train(&address, &[]).expect(0);
    assert!(!format!("{result:?}").contains("secret"), "{result:?}");
    std::fs::write(folder.path().join("iris.csv"), IRIS).unwrap();
    let local = train("iris.csv", &[]).expect(0).json();
    assert_eq!(
        result.json()["dataset"],
        local["dataset"],
        "where the bytes come from makes no difference"
    );
    let said = train(&format!("{}/absent.csv", server.uri()), &[]).expect(exit::BAD_DATA);
    assert!(said.stderr.contains("the server answered 404"), "{}", said.stderr);
    let said = train(&address, &["--data-bytes-max", "1000"]).expect(exit::BAD_DATA);
    assert!(
        said.stderr.contains("3858 bytes, more than the limit of 1000"),
        "{}",
        said.stderr
    );
}

#[test]
fn the_bytes_that_were_meant() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("iris.csv"), IRIS).unwrap();
    let digest = contract::sha256_hex(IRIS.as_bytes());
    let hex = digest.trim_start_matches("sha256:");
    let train = |place: &str, env: &[(&str, &str)]| {
        trainer_in(folder.path(), &["train", "--data", place, "--out", "out"], env)
    };
    let plain = train("iris.csv", &[]).expect(0).json();
    let checked = train(&format!("iris.csv#sha256={hex}"), &[]).expect(0).json();
    assert_eq!(checked["dataset"], plain["dataset"]);
    let other = "0".repeat(64);
    let said = train(&format!("iris.csv#sha256={other}"), &[]).expect(exit::BAD_DATA);
    assert!(
        said.stderr.contains(&other) && said.stderr.contains(hex),
        "{}",
        said.stderr
    );

    // The same from a store, by a signed address; the key is nowhere to be seen.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(MockServer::start());
    let signed = Mock::given(path("/sets/2026/iris.csv"))
        .and(wiremock::matchers::query_param(
            "X-Amz-Algorithm",
            "AWS4-HMAC-SHA256",
        ))
        .and(wiremock::matchers::query_param_contains(
            "X-Amz-Credential",
            "/eu-west-1/s3/aws4_request",
        ))
        .and(wiremock::matchers::query_param_contains(
            "X-Amz-SignedHeaders",
            "host",
        ))
        .respond_with(ResponseTemplate::new(200).set_body_string(IRIS));
    runtime.block_on(signed.mount(&server));
    let refused = Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(403).set_body_string("<Error><Code>AccessDenied</Code></Error>"))
        .with_priority(9);
    runtime.block_on(refused.mount(&server));
    let uri = server.uri();
    let env = [
        ("AWS_ENDPOINT_URL", uri.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "an-id"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
    ];
    let said = train(&format!("s3://sets/2026/iris.csv#sha256={hex}"), &env).expect(0);
    assert!(!format!("{said:?}").contains("s3cret"), "{said:?}");
    assert_eq!(said.json()["dataset"], plain["dataset"]);
    let said = train("s3://sets/2026/iris.csv", &env[..2]).expect(exit::BAD_DATA);
    assert!(
        said.stderr.contains("s3://sets/2026/iris.csv")
            && said.stderr.contains("403 Forbidden (AccessDenied)"),
        "{}",
        said.stderr
    );
    let said = train("s3://sets/2026/iris.csv", &env[..3]).expect(exit::BAD_DATA);
    assert!(said.stderr.contains("belong together"), "{}", said.stderr);
}

#[test]
fn a_held_lock() {
    let world = World::new(&nowhere());
    world.add("batch-0001.csv", IRIS);
    std::fs::create_dir(world.path("runs")).unwrap();
    let file = std::fs::File::create(world.path("runs/lock")).unwrap();
    fs4::FileExt::lock(&file).unwrap();
    let said = world.trainer(&["run"], &[]).expect(exit::LOCKED);
    assert_eq!(said.json()["status"], "locked");
    drop(file);
    world.trainer(&["run"], &[]).expect(exit::MLFLOW);
}

#[test]
fn mlflow_is_down() {
    let world = World::new(&nowhere());
    world.add("batch-0001.csv", IRIS);
    let index = || std::fs::read(world.path("images/index.json")).unwrap();
    let before = index();
    let said = world.trainer(&["run"], &[]).expect(exit::MLFLOW);
    let words = format!(
        "MLflow is needed to record the run: MLflow does not answer at {}",
        world.mlflow
    );
    assert!(said.stderr.contains(&words), "{}", said.stderr);
    assert_eq!((world.subjects().len(), index()), (1, before));
}

#[test]
fn bad_data_is_said_before_anything_else_is_asked() {
    let world = World::new(&nowhere());
    world.add("batch-0001.csv", &IRIS.replacen("5.1", "five", 1));
    let said = world
        .trainer(&["run"], &[("GIT_URL", "file:///absent")])
        .expect(exit::BAD_DATA);
    insta::assert_snapshot!(said.json()["reason"].as_str().unwrap(), @r#"batch-0001.csv: row 1 (line 2), column "sepal_length": "five" is not a number"#);
    world.add("batch-0001.csv", IRIS);
    world
        .trainer(&["run"], &[("GIT_URL", "file:///absent")])
        .expect(exit::GIT);
    assert!(
        !world.path("runs/incoming").exists(),
        "what was loaded is left behind"
    );
}
