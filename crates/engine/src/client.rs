//! Client of an engine on this machine: JSON over loopback HTTP with the token from `engine.json`.
//! The local engine answers there, or the bridge to a cluster.

use crate::{Engine, EngineError, Record, Run, Status, Written};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where an engine listens; `engine.json` in the state folder, mode 0600, written by the engine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Base address, e.g. `http://127.0.0.1:41234`.
    pub address: String,
    /// Bearer token; random at each start.
    pub token: String,
    /// Process id of the engine.
    pub pid: u32,
    /// The repository it follows.
    pub git_url: String,
    /// `local`, `minikube` or `cluster`.
    #[serde(default = "local")]
    pub engine: String,
    /// The overlays that it makes true.
    #[serde(default = "local")]
    pub environment: String,
}

fn local() -> String {
    "local".to_owned()
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, pid {}, token hidden)", self.address, self.pid)
    }
}

/// An engine, seen from outside.
#[derive(Debug)]
pub struct EngineClient {
    endpoint: Endpoint,
    agent: ureq::Agent,
    /// The data place, where it is a folder of this machine.
    data: Option<PathBuf>,
}

impl EngineClient {
    /// Name of the endpoint file inside the state directory.
    pub const ENDPOINT_FILE: &'static str = "engine.json";

    /// The local engine's data place inside the state directory.
    pub const DATA_FOLDER: &'static str = "data/iris";

    /// Reads the endpoint file in `state` (the `.driftless` folder). Does not connect.
    ///
    /// # Errors
    /// `Unreachable` when there is no (readable) endpoint file: no engine was started there.
    pub fn open(state: &Path) -> Result<Self, EngineError> {
        let path = state.join(Self::ENDPOINT_FILE);
        let unreachable = |cause: String| EngineError::Unreachable {
            engine: local(),
            address: path.display().to_string(),
            cause,
        };
        let text = std::fs::read_to_string(&path).map_err(|e| unreachable(e.to_string()))?;
        let endpoint: Endpoint = serde_json::from_str(&text).map_err(|e| unreachable(e.to_string()))?;
        let data = (endpoint.engine == local()).then(|| state.join(Self::DATA_FOLDER));
        Ok(EngineClient {
            data,
            ..Self::new(endpoint)
        })
    }

    /// A client of a known endpoint.
    pub fn new(endpoint: Endpoint) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            .build();
        EngineClient {
            endpoint,
            agent: config.into(),
            data: None,
        }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks the engine to stop all it started and then itself.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`.
    pub fn shutdown(&self) -> Result<(), EngineError> {
        self.post("/v1/shutdown", &serde_json::json!({}))
            .map(|_: serde_json::Value| ())
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, EngineError> {
        let sent = self
            .agent
            .get(self.url(path))
            .header("authorization", self.bearer())
            .call();
        self.read(&format!("GET {path}"), sent)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, EngineError> {
        let sent = self
            .agent
            .post(self.url(path))
            .header("authorization", self.bearer())
            .send_json(body);
        self.read(&format!("POST {path}"), sent)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint.address)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.endpoint.token)
    }

    fn read<T: DeserializeOwned>(
        &self,
        request: &str,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, EngineError> {
        let mut response = sent.map_err(|e| EngineError::Unreachable {
            engine: self.endpoint.engine.clone(),
            address: self.endpoint.address.clone(),
            cause: e.to_string(),
        })?;
        let status = response.status();
        let text = response
            .body_mut()
            .read_to_string()
            .map_err(|e| EngineError::Answer {
                request: request.to_owned(),
                cause: e.to_string(),
            })?;
        if !status.is_success() {
            #[derive(Deserialize)]
            struct Said {
                message: String,
            }
            let message = serde_json::from_str::<Said>(&text)
                .map_or_else(|_| format!("{status} {text}"), |said| said.message);
            return Err(EngineError::Refused {
                request: request.to_owned(),
                message,
            });
        }
        serde_json::from_str(&text).map_err(|e| EngineError::Answer {
            request: request.to_owned(),
            cause: e.to_string(),
        })
    }
}

impl Engine for EngineClient {
    fn name(&self) -> &str {
        &self.endpoint.engine
    }

    fn environment(&self) -> &str {
        &self.endpoint.environment
    }

    fn status(&self) -> Result<Status, EngineError> {
        self.get("/v1/status")
    }

    fn refresh(&self) -> Result<(), EngineError> {
        self.post("/v1/refresh", &serde_json::json!({}))
            .map(|_: serde_json::Value| ())
    }

    fn start_run(
        &self,
        template: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<String, EngineError> {
        let env: std::collections::BTreeMap<_, _> = env.iter().cloned().collect();
        let run: Run = self.post(
            "/v1/runs",
            &serde_json::json!({"template": template, "args": args, "env": env}),
        )?;
        Ok(run.id)
    }

    fn start_run_named(
        &self,
        template: &str,
        name: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<String, EngineError> {
        let env: std::collections::BTreeMap<_, _> = env.iter().cloned().collect();
        let body = serde_json::json!({"template": template, "name": name, "args": args, "env": env});
        let run: Run = self.post("/v1/runs", &body)?;
        Ok(run.id)
    }

    fn record(&self, name: &str) -> Result<Record, EngineError> {
        self.get(&format!("/v1/records/{name}"))
    }

    fn put_record(&self, name: &str, expected: &str, text: &str) -> Result<bool, EngineError> {
        let body = serde_json::json!({"expected": expected, "text": text});
        let answer: Written = self.post(&format!("/v1/records/{name}"), &body)?;
        Ok(answer.written)
    }

    fn run(&self, id: &str) -> Result<Run, EngineError> {
        self.get(&format!("/v1/runs/{id}"))
    }

    fn logs(&self, of: &str, tail: usize) -> Result<Vec<String>, EngineError> {
        self.get(&format!("/v1/logs/{of}?tail={tail}"))
    }

    fn address(&self, app: &str) -> Result<String, EngineError> {
        let status = self.status()?;
        status
            .app(app)
            .and_then(|found| found.address.clone())
            .ok_or_else(|| EngineError::Refused {
                request: format!("address of {app}"),
                message: "no such application, or it has no address".to_owned(),
            })
    }

    fn git_url(&self) -> Result<String, EngineError> {
        Ok(self.endpoint.git_url.clone())
    }

    fn data_names(&self) -> Result<Vec<String>, EngineError> {
        let Some(folder) = &self.data else {
            return self.get("/v1/data");
        };
        let entries = fs::read_dir(folder).map_err(refused("list the data place"))?;
        let mut names: Vec<String> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".csv") && !name.starts_with('.'))
            .collect();
        names.sort();
        Ok(names)
    }

    fn data(&self, name: &str) -> Result<String, EngineError> {
        let name = batch_name(name)?;
        match &self.data {
            Some(folder) => fs::read_to_string(folder.join(name)).map_err(refused(&format!("read {name}"))),
            None => self.get(&format!("/v1/data/{name}")),
        }
    }

    fn add_data(&self, name: &str, text: &str) -> Result<(), EngineError> {
        let name = batch_name(name)?;
        let Some(folder) = &self.data else {
            let body = serde_json::json!({"name": name, "text": text});
            return self.post("/v1/data", &body).map(|_: serde_json::Value| ());
        };
        let path = folder.join(name);
        // Written aside, then renamed: a trainer reads all of it or nothing.
        let aside = folder.join(format!(".{name}.{}", std::process::id()));
        let written = fs::write(&aside, text).and_then(|()| match path.exists() {
            true => Err(io::Error::new(io::ErrorKind::AlreadyExists, "the name is taken")),
            false => fs::rename(&aside, &path),
        });
        if written.is_err() {
            // Nothing half-written stays; the first error is the one to tell.
            let _ = fs::remove_file(&aside);
        }
        written.map_err(refused(&format!("add {name}")))
    }

    fn kill(&self, of: &str) -> Result<(), EngineError> {
        self.post(&format!("/v1/kill/{of}"), &serde_json::json!({}))
            .map(|_: serde_json::Value| ())
    }

    fn suspend(&self, app: &str, suspended: bool) -> Result<(), EngineError> {
        self.post(
            &format!("/v1/suspend/{app}"),
            &serde_json::json!({"suspended": suspended}),
        )
        .map(|_: serde_json::Value| ())
    }
}

/// A batch is one file name: nothing in it may lead to another place. Kubernetes' rule for keys of a ConfigMap.
fn batch_name(name: &str) -> Result<&str, EngineError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let fits =
        name.len() <= 200 && name.ends_with(".csv") && !name.starts_with('.') && name.bytes().all(plain);
    match fits {
        true => Ok(name),
        false => Err(EngineError::Refused {
            request: format!("batch {name:?}"),
            message: "expected a file name of letters, digits, - _ . that ends in .csv".to_owned(),
        }),
    }
}

fn refused(request: &str) -> impl Fn(io::Error) -> EngineError {
    let request = request.to_owned();
    move |error| EngineError::Refused {
        request: request.clone(),
        message: error.to_string(),
    }
}
