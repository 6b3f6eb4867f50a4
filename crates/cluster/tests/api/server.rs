//! As much of an API server as Secrets and ConfigMaps need: get, create, merge patch with a version.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    process::{Command, Output},
    sync::{Arc, Mutex},
};

type Objects = Arc<Mutex<BTreeMap<String, Value>>>;
type Place = (String, String, String);

pub struct Server {
    objects: Objects,
    kubeconfig: tempfile::NamedTempFile,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let objects = Objects::default();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = listener.local_addr().unwrap();
        let all = "/api/v1/namespaces/{namespace}/{kind}";
        let router = Router::new()
            .route(all, post(create))
            .route(&format!("{all}/{{name}}"), get(read).patch(merge))
            .with_state(objects.clone());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        let kubeconfig = tempfile::NamedTempFile::new().unwrap();
        let text = json!({
            "apiVersion": "v1", "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
        });
        std::fs::write(kubeconfig.path(), text.to_string()).unwrap();
        Server {
            objects,
            kubeconfig,
            _runtime: runtime,
        }
    }

    /// Runs `driftless-cluster`; its answer, and all that it said.
    pub fn run(&self, args: &[&str], env: &[(&str, &str)]) -> (Value, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_driftless-cluster"))
            .env("KUBECONFIG", self.kubeconfig.path())
            .env_remove("GIT_USERNAME")
            .env_remove("GIT_TOKEN")
            .envs(env.iter().copied())
            .args(["--context", "lab"])
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8([stdout.clone(), stderr].concat()).unwrap();
        let answer: Value = serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{said}"));
        assert_eq!(status.success(), answer["error"].is_null(), "{said}");
        (answer, said)
    }

    /// An object by `namespace/kind/name`.
    pub fn object(&self, path: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(path).cloned()
    }

    /// Names of all objects, in order.
    pub fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub fn put(&self, path: &str, object: Value) {
        self.objects.lock().unwrap().insert(path.to_owned(), object);
    }

    pub fn remove(&self, path: &str) {
        self.objects.lock().unwrap().remove(path);
    }

    /// A key of a Secret, in plain.
    pub fn secret(&self, path: &str, key: &str) -> String {
        let object = self.object(path).unwrap_or_else(|| panic!("no {path}"));
        let encoded = object["data"][key]
            .as_str()
            .unwrap_or_else(|| panic!("no {key} in {path}"));
        String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap()
    }
}

fn refuse(code: StatusCode, reason: &str) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code.as_u16()});
    (code, Json(status)).into_response()
}

/// What is written in plain is kept encoded, as the real one does it.
fn settle(object: &mut Value, version: usize) {
    if let Some(Value::Object(plain)) = object.as_object_mut().and_then(|all| all.remove("stringData")) {
        for (key, value) in plain {
            object["data"][key] = BASE64_STANDARD.encode(value.as_str().unwrap()).into();
        }
    }
    object["metadata"]["resourceVersion"] = version.to_string().into();
}

async fn read(State(objects): State<Objects>, Path((namespace, kind, name)): Path<Place>) -> Response {
    match objects.lock().unwrap().get(&format!("{namespace}/{kind}/{name}")) {
        Some(object) => Json(object.clone()).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "NotFound"),
    }
}

async fn create(
    State(objects): State<Objects>,
    Path((namespace, kind)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let mut object: Value = serde_json::from_slice(&body).unwrap();
    let path = format!(
        "{namespace}/{kind}/{}",
        object["metadata"]["name"].as_str().unwrap()
    );
    let mut objects = objects.lock().unwrap();
    if objects.contains_key(&path) {
        return refuse(StatusCode::CONFLICT, "AlreadyExists");
    }
    settle(&mut object, 1);
    objects.insert(path, object.clone());
    (StatusCode::CREATED, Json(object)).into_response()
}

async fn merge(
    State(objects): State<Objects>,
    Path((namespace, kind, name)): Path<Place>,
    body: Bytes,
) -> Response {
    let patch: Value = serde_json::from_slice(&body).unwrap();
    let mut objects = objects.lock().unwrap();
    let Some(object) = objects.get_mut(&format!("{namespace}/{kind}/{name}")) else {
        return refuse(StatusCode::NOT_FOUND, "NotFound");
    };
    let version = &object["metadata"]["resourceVersion"];
    let expected = &patch["metadata"]["resourceVersion"];
    if !expected.is_null() && expected != version {
        return refuse(StatusCode::CONFLICT, "Conflict");
    }
    let next = version
        .as_str()
        .map_or(1, |text| text.parse::<usize>().unwrap() + 1);
    apply(object, &patch);
    settle(object, next);
    Json(object.clone()).into_response()
}

/// RFC 7386.
fn apply(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in patch {
        match value {
            Value::Null => {
                object.as_object_mut().unwrap().remove(key);
            }
            value => apply(&mut object[key.as_str()], value),
        }
    }
}
