//! Starts under a name and records, against an API server that is played: it compares resource versions and
//! names as the real one does.

use super::*;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
struct Objects {
    version: u64,
    jobs: Vec<Value>,
    config_maps: BTreeMap<String, Value>,
}

type Shared = Arc<Mutex<Objects>>;
type Said = (StatusCode, Json<Value>);

fn refuse(code: u16, reason: &str, message: &str) -> Said {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code});
    (StatusCode::from_u16(code).unwrap(), Json(status))
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Objects> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn cron() -> Json<Value> {
    Json(json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "training", "namespace": "training", "uid": "u"},
        "spec": {"schedule": "0 3 * * *", "concurrencyPolicy": "Forbid", "jobTemplate": {"spec": {"template": {
            "spec": {"containers": [{"name": "trainer", "image": "trainer", "args": ["run"]}]}}}}},
    }))
}

async fn jobs(State(shared): State<Shared>) -> Json<Value> {
    let items = lock(&shared).jobs.clone();
    Json(json!({"apiVersion": "batch/v1", "kind": "JobList", "metadata": {}, "items": items}))
}

async fn new_job(State(shared): State<Shared>, Json(mut job): Json<Value>) -> Said {
    let mut objects = lock(&shared);
    if objects
        .jobs
        .iter()
        .any(|known| known["metadata"]["name"] == job["metadata"]["name"])
    {
        return refuse(409, "AlreadyExists", "jobs.batch already exists");
    }
    job["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z".into();
    objects.jobs.push(job.clone());
    (StatusCode::CREATED, Json(job))
}

async fn config_map(State(shared): State<Shared>, Path(name): Path<String>) -> Said {
    match lock(&shared).config_maps.get(&name) {
        Some(map) => (StatusCode::OK, Json(map.clone())),
        None => refuse(404, "NotFound", "configmaps not found"),
    }
}

async fn new_config_map(State(shared): State<Shared>, Json(mut map): Json<Value>) -> Said {
    let mut objects = lock(&shared);
    let name = map["metadata"]["name"].as_str().unwrap().to_owned();
    if objects.config_maps.contains_key(&name) {
        return refuse(409, "AlreadyExists", "configmaps already exists");
    }
    objects.version += 1;
    map["metadata"]["resourceVersion"] = objects.version.to_string().into();
    objects.config_maps.insert(name, map.clone());
    (StatusCode::CREATED, Json(map))
}

async fn patch_config_map(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    body: axum::body::Bytes,
) -> Said {
    let patch: Value = serde_json::from_slice(&body).unwrap();
    let mut objects = lock(&shared);
    let version = objects.version + 1;
    let Some(map) = objects.config_maps.get_mut(&name) else {
        return refuse(404, "NotFound", "configmaps \"drift-ledger\" not found");
    };
    if map["metadata"]["resourceVersion"] != patch["metadata"]["resourceVersion"] {
        return refuse(409, "Conflict", "the object has been modified");
    }
    map["metadata"]["resourceVersion"] = version.to_string().into();
    map["data"]["record"] = patch["data"]["record"].clone();
    let map = map.clone();
    objects.version = version;
    (StatusCode::OK, Json(map))
}

/// The API server, and a runtime that it lives on.
fn served() -> (tokio::runtime::Runtime, Shared, http::Uri) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shared = Shared::default();
    let batch = "/apis/batch/v1/namespaces/training";
    let maps = "/api/v1/namespaces/training/configmaps";
    let router = Router::new()
        .route(&format!("{batch}/cronjobs/training"), get(cron))
        .route(&format!("{batch}/jobs"), get(jobs).post(new_job))
        .route(maps, axum::routing::post(new_config_map))
        .route(
            &format!("{maps}/{{name}}"),
            get(config_map).patch(patch_config_map),
        )
        .with_state(shared.clone());
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async move { axum::serve(listener, router).await });
    (runtime, shared, uri.parse().unwrap())
}

fn pod(uri: &http::Uri) -> InCluster {
    // As every client of ours: a second call does nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = kube::Config::new(uri.clone());
    InCluster::with("training", async {
        Client::try_from(config).map_err(|error| Error::other(error.to_string()))
    })
    .unwrap()
}

#[test]
fn triggers_that_race_make_one_job() {
    let (_runtime, shared, uri) = served();
    std::thread::scope(|scope| {
        let start = || {
            pod(&uri)
                .start_run_named("training", "training-a-e1", &[], &[])
                .unwrap()
        };
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
        for racer in racers {
            assert_eq!(racer.join().unwrap(), Begun::There);
        }
    });
    assert_eq!(lock(&shared).jobs.len(), 1);
    let pod = pod(&uri);
    let runs = pod.runs("training").unwrap();
    assert_eq!(runs, BTreeMap::from([("training-a-e1".to_owned(), None)]));
    // Another episode's has to wait; once it is over its name is still taken.
    let other = |name: &str| pod.start_run_named("training", name, &[], &[]).unwrap();
    assert_eq!(other("training-a-e2"), Begun::Busy("training-a-e1".to_owned()));
    let condition =
        json!({"type": "Failed", "status": "True", "message": "failed with exit code 12 matching"});
    lock(&shared).jobs[0]["status"] = json!({"conditions": [condition]});
    assert_eq!(other("training-a-e1"), Begun::There);
    let end = pod
        .runs("training")
        .unwrap()
        .remove("training-a-e1")
        .unwrap()
        .unwrap();
    assert_eq!((end.succeeded, end.exit_code), (false, Some(12)));
    assert_eq!(other("training-a-e2"), Begun::There);
    assert_eq!(lock(&shared).jobs.len(), 2);
}

/// Nothing that anybody wrote is lost, also where the record is removed by hand.
#[test]
fn a_record_is_written_by_compare_and_swap() {
    let (_runtime, shared, uri) = served();
    let add = || {
        let pod = pod(&uri);
        let mut left = 10;
        while left > 0 {
            let (version, text) = pod.record("drift-ledger").unwrap();
            let count: u32 = text.map_or(0, |text| text.parse().unwrap());
            let next = (count + 1).to_string();
            left -= u32::from(pod.put_record("drift-ledger", &version, &next).unwrap());
        }
    };
    std::thread::scope(|scope| {
        (0..6).for_each(|_| {
            scope.spawn(add);
        });
    });
    let pod = pod(&uri);
    let (version, text) = pod.record("drift-ledger").unwrap();
    assert_eq!(text.as_deref(), Some("60"));
    lock(&shared).config_maps.clear();
    assert!(!pod.put_record("drift-ledger", &version, "61").unwrap());
    assert_eq!(pod.record("drift-ledger").unwrap(), (String::new(), None));
    assert!(pod.put_record("drift-ledger", "", "1").unwrap());
    let labels = lock(&shared).config_maps["drift-ledger"]["metadata"]["labels"].clone();
    assert_eq!(labels, json!({"app.kubernetes.io/part-of": "driftless"}));
    let long = "x".repeat(1024 * 1024);
    assert!(pod.put_record("drift-ledger", "1", &long).is_err());
}

fn job(name: &str, of: &str, over: bool) -> Job {
    let conditions = match over {
        true => json!([{"type": "Complete", "status": "True"}]),
        false => json!([]),
    };
    let owner = json!({"apiVersion": "batch/v1", "kind": "CronJob", "name": of, "uid": "u"});
    let object = json!({
        "metadata": {"name": name, "ownerReferences": [owner]}, "status": {"conditions": conditions},
    });
    serde_json::from_value(object).unwrap()
}

#[test]
fn a_name_is_given_once() {
    let ask = |jobs: &[Job]| look(jobs, "training", "training-a", true).map_err(|error| error.message);
    assert_eq!(ask(&[]), Ok(None));
    assert_eq!(ask(&[job("other", "other", false)]), Ok(None));
    assert_eq!(ask(&[job("training-b", "training", true)]), Ok(None));
    let busy = job("training-b", "training", false);
    let expected = Begun::Busy("training-b".to_owned());
    assert_eq!(ask(std::slice::from_ref(&busy)), Ok(Some(expected)));
    // Its own run counts before any other, over or not.
    for over in [false, true] {
        let jobs = [busy.clone(), job("training-a", "training", over)];
        assert_eq!(ask(&jobs), Ok(Some(Begun::There)));
    }
    assert!(ask(&[job("training-a", "other", true)]).is_err());
}
