//! The server of 2.17.0, as far as it was measured: its words, its status codes and its traps.

use super::runs;
use super::wire::{Reply, Request, Wire, decoded};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard};

/// What goes wrong the next time a request of this method and path comes.
pub struct Fault {
    pub method: &'static str,
    /// Its end.
    pub path: String,
    /// Whether the request has its effect all the same.
    pub after_effect: bool,
    pub reply: Reply,
}

#[derive(Default)]
pub struct World {
    pub pipelines: Vec<Value>,
    pub versions: Vec<Value>,
    pub experiments: Vec<Value>,
    pub runs: Vec<Value>,
    /// What the next looks at a run find, in order; the last one stays.
    pub states: Vec<Value>,
    pub recurring: Vec<Value>,
    /// Text by node id.
    pub logs: Map<String, Value>,
    /// Items of a page at most.
    pub page: Option<usize>,
    pub faults: Vec<Fault>,
    pub seen: Vec<Request>,
    /// Requests that the real server would never have ended.
    pub looping: Vec<String>,
    count: usize,
}

/// A server on a port of its own.
pub struct Kfp {
    world: Arc<Mutex<World>>,
    wire: Wire,
}

impl Kfp {
    pub fn start() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let inside = world.clone();
        let wire = Wire::new(move |request| inside.lock().unwrap().serve(request));
        Kfp { world, wire }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn address(&self) -> &str {
        &self.wire.address
    }

    /// With short times, since nothing here takes long.
    pub fn client(&self) -> kfp_client::Client {
        kfp_client::Client::builder(self.address())
            .deadline(std::time::Duration::from_millis(1500))
            .start_deadline(std::time::Duration::from_millis(1500))
            .settle(std::time::Duration::from_millis(300))
            .attempts(3)
            .build()
            .unwrap()
    }

    pub fn fault(&self, method: &'static str, path: &str, after_effect: bool, reply: Reply) {
        self.world().faults.push(Fault {
            method,
            path: path.to_owned(),
            after_effect,
            reply,
        });
    }

    /// How often this was asked.
    pub fn asked(&self, method: &str, path: &str) -> usize {
        let world = self.world();
        let same = |r: &&Request| r.method == method && r.path.ends_with(path);
        world.seen.iter().filter(same).count()
    }
}

impl Drop for Kfp {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let looping = &self.world.lock().unwrap().looping;
            assert!(looping.is_empty(), "malformed documents were sent: {looping:?}");
        }
    }
}

pub fn body(status: u16, content_type: &'static str, body: impl ToString) -> Reply {
    Reply::Body {
        status,
        content_type,
        body: body.to_string(),
    }
}

pub fn ok(value: Value) -> Reply {
    body(200, "application/json", value)
}

/// The gateway's shape of errors.
pub fn refused(status: u16, code: i64, message: &str) -> Reply {
    body(
        status,
        "application/json",
        json!({"code": code, "message": message, "details": []}),
    )
}

/// The shape of the two upload calls; JSON that says it is text.
pub fn upload_refused(status: u16, message: &str, details: &str) -> Reply {
    let trace =
        "\ngithub.com/kubeflow/pipelines/backend/src/common/util.NewInvalidInputError\n\t/go/src/error.go:12";
    let value = json!({"error_message": message, "error_details": format!("{details}{trace}")});
    body(status, "text/plain; charset=utf-8", value)
}

impl World {
    fn serve(&mut self, request: Request) -> Reply {
        self.seen.push(request.clone());
        let hit = |f: &Fault| f.method == request.method && request.path.ends_with(&f.path);
        if let Some(place) = self.faults.iter().position(hit) {
            let fault = self.faults.remove(place);
            if fault.after_effect {
                self.answer(&request);
            }
            return fault.reply;
        }
        self.answer(&request)
    }

    fn answer(&mut self, request: &Request) -> Reply {
        let parts: Vec<String> = request.path.split('/').skip(1).map(decoded).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (request.method.as_str(), &parts[..]) {
            ("GET", ["apis", "v1alpha1", "runs", _, "nodes", node, "log"]) => match self.logs.get(*node) {
                Some(text) => body(200, "text/plain; charset=utf-8", text.as_str().unwrap()),
                // 200, and text.
                None => body(
                    200,
                    "text/plain; charset=utf-8",
                    json!({"error_message": "BadRequestError: Failed to read logs for run r due to run fetching error: not found",
                        "error_details": "BadRequestError: Failed to read logs for run r"}),
                ),
            },
            (method, ["apis", "v2beta1", rest @ ..]) => match (method, rest) {
                ("GET", ["healthz"]) => ok(json!({"commit_sha": "4a3592cb2dd0", "tag_name": "2.17.0",
                    "multi_user": false, "pipeline_store": "database"})),
                ("POST", ["pipelines", "upload"]) => self.upload(request),
                ("POST", ["pipelines", "upload_version"]) => self.upload_version(request),
                ("GET", ["pipelines", "names", name]) => match find(&self.pipelines, "name", name) {
                    Some(found) => ok(found.clone()),
                    None => refused(
                        404,
                        5,
                        &format!(
                            "Failed to get a pipeline by name and namespace: ResourceNotFoundError: Namespace/Pipeline {name} not found"
                        ),
                    ),
                },
                ("GET", ["pipelines", id, "versions"]) => {
                    let of = |v: &&Value| v["pipeline_id"] == **id;
                    let all: Vec<Value> = self.versions.iter().filter(of).cloned().collect();
                    self.list("pipeline_versions", "name", all, request)
                }
                ("DELETE", ["pipelines", id]) => self.delete_pipeline(id, request),
                ("GET", ["experiments"]) => {
                    self.list("experiments", "display_name", self.experiments.clone(), request)
                }
                ("POST", ["experiments"]) => self.create_experiment(request),
                ("GET", ["runs"]) => self.list("runs", "display_name", self.runs.clone(), request),
                (method, ["runs", rest @ ..]) => runs::answer(self, method, rest, request),
                (method, ["recurringruns", rest @ ..]) => runs::recurring(self, method, rest, request),
                _ => body(404, "text/plain; charset=utf-8", "404 page not found\n"),
            },
            _ => body(404, "text/plain; charset=utf-8", "404 page not found\n"),
        }
    }

    /// A new id, in the order of making.
    pub fn id(&mut self) -> String {
        self.count += 1;
        format!("00000000-0000-4000-8000-{:012}", self.count)
    }

    pub fn list(&self, key: &str, named: &str, mut all: Vec<Value>, request: &Request) -> Reply {
        if request.asked("sort_by") == Some("created_at desc") {
            all.reverse();
        }
        if let Some(filter) = request.asked("filter") {
            let filter: Value = serde_json::from_str(filter).unwrap();
            let rule = &filter["predicates"][0];
            assert_eq!(
                (&rule["operation"], &rule["key"]),
                (&json!("EQUALS"), &json!("name"))
            );
            all.retain(|item| item[named] == rule["string_value"]);
        }
        let size: usize = request.asked("page_size").unwrap().parse().unwrap();
        let size = self.page.map_or(size, |page| page.min(size));
        let from: usize = request
            .asked("page_token")
            .map_or(0, |token| token.parse().unwrap());
        let (total, end) = (all.len(), (from + size).min(all.len()));
        let mut answer = json!({"total_size": total});
        // What is empty is left out.
        if end > from {
            answer[key] = all[from..end].into();
        }
        if end < total {
            answer["next_page_token"] = json!(end.to_string());
        }
        ok(answer)
    }

    fn upload(&mut self, request: &Request) -> Reply {
        let name = request.asked("name").unwrap_or_default().to_owned();
        let failed = "Failed to create a pipeline and a pipeline version";
        if let Err(reply) = self.document(request) {
            return reply;
        }
        match name.len() {
            128 => return upload_refused(500, failed, "Error 1406: Data too long for column 'Name'"),
            129.. => return body(400, "text/plain", "Pipeline.Name length cannot exceed 128"),
            _ => (),
        }
        if find(&self.pipelines, "name", &name).is_some() {
            return upload_refused(409, failed, failed);
        }
        let (id, version) = (self.id(), self.id());
        let pipeline = json!({"pipeline_id": id, "display_name": name, "name": name, "description": "",
            "created_at": "2026-11-21T11:57:00Z"});
        self.versions.push(
            json!({"pipeline_id": id, "pipeline_version_id": version, "name": name,
            "display_name": name, "created_at": "2026-11-21T11:57:00Z"}),
        );
        self.pipelines.push(pipeline.clone());
        body(200, "text/plain; charset=utf-8", pipeline)
    }

    fn upload_version(&mut self, request: &Request) -> Reply {
        let name = request.asked("name").unwrap_or_default().to_owned();
        let pipeline = request.asked("pipelineid").unwrap_or_default().to_owned();
        let failed = "Failed to create a pipeline version";
        if let Err(reply) = self.document(request) {
            return reply;
        }
        if find(&self.pipelines, "pipeline_id", &pipeline).is_none() {
            return upload_refused(400, failed, "");
        }
        let same = |v: &Value| v["pipeline_id"] == pipeline && v["name"] == name;
        if self.versions.iter().any(same) {
            return upload_refused(409, failed, failed);
        }
        let version = json!({"pipeline_id": pipeline, "pipeline_version_id": self.id(), "name": name,
            "display_name": name, "created_at": "2026-11-21T11:58:00Z"});
        self.versions.push(version.clone());
        body(200, "text/plain; charset=utf-8", version)
    }

    /// What the server does with the file of an upload before it looks at anything else.
    fn document(&mut self, request: &Request) -> Result<(), Reply> {
        let text = String::from_utf8(request.body.clone()).unwrap();
        let refuse = |message: &str| Err(upload_refused(400, message, message));
        let Some((head, rest)) = text.split_once("\r\n\r\n") else {
            return refuse("Failed to read pipeline from file");
        };
        if !head.contains("name=\"uploadfile\"") {
            return refuse("Failed to read pipeline from file");
        }
        if ![".yaml\"", ".yml\"", ".json\""]
            .iter()
            .any(|end| head.contains(end))
        {
            return refuse("Failed to read a pipeline spec file");
        }
        let document = rest.rsplit_once("\r\n--").unwrap().0;
        let read = serde_yaml::Deserializer::from_str(document);
        let read: Result<Vec<Value>, _> = read.map(serde::Deserialize::deserialize).collect();
        match read {
            Err(_) => {
                self.looping.push(document.to_owned());
                Err(Reply::Hang)
            }
            Ok(all) if !all.iter().any(|one| one["schemaVersion"] == "2.1.0") => {
                refuse("KFP only supports schema version 2.1.0, but the pipeline spec has version X")
            }
            Ok(_) => Ok(()),
        }
    }

    fn delete_pipeline(&mut self, id: &str, request: &Request) -> Reply {
        if find(&self.pipelines, "pipeline_id", id).is_none() {
            return refused(404, 5, &format!("Pipeline {id} not found"));
        }
        if request.asked("cascade") != Some("true") {
            return refused(
                400,
                3,
                "cannot delete pipeline that has pipeline versions. Set cascade=true",
            );
        }
        self.pipelines.retain(|p| p["pipeline_id"] != id);
        self.versions.retain(|v| v["pipeline_id"] != id);
        ok(json!({}))
    }

    fn create_experiment(&mut self, request: &Request) -> Reply {
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        let name = asked["display_name"].as_str().unwrap();
        if find(&self.experiments, "display_name", name).is_some() {
            return refused(409, 6, &format!("Already exist error: Experiment {name}"));
        }
        let made = json!({"experiment_id": self.id(), "display_name": name,
            "created_at": "2026-11-21T11:57:00Z", "storage_state": "AVAILABLE",
            "last_run_created_at": "1970-01-01T00:00:00Z"});
        self.experiments.push(made.clone());
        ok(made)
    }
}

pub fn find<'a>(all: &'a [Value], key: &str, value: &str) -> Option<&'a Value> {
    all.iter().find(|item| item[key] == value)
}
