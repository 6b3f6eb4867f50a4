//! `data`: pipelines find the batches that training runs find.

use crate::server::Server;
use serde_json::{Value, json};

const PLACE: &str = "training/configmaps/training-data";
const COPY: &str = "kubeflow/configmaps/training-data";

fn batches(server: &Server, path: &str) -> Value {
    server
        .object(path)
        .map_or(Value::Null, |object| object["data"].clone())
}

fn put(server: &Server, name: &str, text: &str) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let file = file.path().display().to_string();
    server
        .run(&["data", "put", "--name", name, "--file", &file], &[])
        .0
}

#[test]
fn without_pipelines_there_is_one_place() {
    let server = Server::start();
    put(&server, "batch-0001.csv", "a\n1\n");
    assert_eq!(server.names(), [PLACE]);
    assert_eq!(server.run(&["data", "copy", "--check"], &[]).0["copied"], false);
    assert_eq!(server.names(), [PLACE], "a check makes nothing");
}

#[test]
fn a_copy_once_made_is_kept() {
    let server = Server::start();
    put(&server, "batch-0001.csv", "a\n1\n");
    assert_eq!(server.run(&["data", "copy"], &[]).0["batches"], 1);
    put(&server, "batch-0002.csv", "a\n2\n");
    assert_eq!(
        batches(&server, COPY),
        json!({"batch-0001.csv": "a\n1\n", "batch-0002.csv": "a\n2\n"})
    );
    assert_eq!(server.run(&["data", "copy", "--check"], &[]).0["copied"], true);
}

#[test]
fn what_people_changed_by_hand_is_brought_over() {
    let server = Server::start();
    put(&server, "batch-0001.csv", "a\n1\n");
    server.run(&["data", "copy"], &[]);
    let mut place = server.object(PLACE).unwrap();
    place["data"] = json!({"batch-0003.csv": "a\n3\n"});
    server.put(PLACE, place);
    assert_eq!(server.run(&["data", "copy", "--check"], &[]).0["copied"], false);
    server.run(&["data", "copy"], &[]);
    assert_eq!(batches(&server, COPY), json!({"batch-0003.csv": "a\n3\n"}));
    assert_eq!(batches(&server, PLACE), batches(&server, COPY));
}
