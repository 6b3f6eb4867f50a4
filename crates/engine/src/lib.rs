//! The one trait between the loop and what runs it.
//!
//! Everything above (trainer, promotion, `status`, `demo`, `e2e`) is written against [`Engine`]
//! and must not know which engine is below. [`EngineClient`] speaks to whatever listens on loopback:
//! the local engine (processes), or the bridge to a cluster (crate `cluster`), which implements the
//! same trait over Kubernetes and Argo CD.

mod client;
mod record;
mod status;
mod wait;

pub use client::{Endpoint, EngineClient};
pub use record::{DRIFT_LEDGER, Record, Written};
pub use status::{AppStatus, Condition, Health, NotHonoured, Replica, Run, RunPhase, Status, Sync};
pub use wait::{Waited, wait_live, wait_run};

/// Why an engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine runs, or it does not answer.
    #[error("the {engine} engine does not answer at {address}: {cause}")]
    Unreachable {
        /// Which engine.
        engine: String,
        /// Where it was looked for.
        address: String,
        /// Transport's words.
        cause: String,
    },
    /// It answered, and said no.
    #[error("the engine refused {request}: {message}")]
    Refused {
        /// What was asked.
        request: String,
        /// The engine's words.
        message: String,
    },
    /// The answer is not what this version understands.
    #[error("the engine's answer to {request} cannot be read: {cause}")]
    Answer {
        /// What was asked.
        request: String,
        /// Parser's words.
        cause: String,
    },
    /// A deadline passed; carries the last thing seen.
    #[error("{what} not reached within {seconds:.1} s; last seen: {last}")]
    Deadline {
        /// The condition waited for.
        what: String,
        /// The deadline.
        seconds: f64,
        /// Last state, in one line.
        last: String,
    },
}

/// What the loop needs of whatever runs it. Calls are short (each has a deadline of seconds)
/// and may be repeated.
pub trait Engine {
    /// `local`, `minikube` or `cluster`.
    fn name(&self) -> &str;
    /// The overlays that it makes true: a folder under `kustomize/overlays/`.
    fn environment(&self) -> &str;
    /// Every application with sync, health and revision, in Argo CD's words.
    fn status(&self) -> Result<Status, EngineError>;
    /// Says that `main` may have moved; never needed for correctness, only for speed.
    fn refresh(&self) -> Result<(), EngineError>;
    /// Starts one run of the workload template `template` (a CronJob of the overlays), with
    /// `args` appended to the container's and `env` set over its own. Returns the run's id.
    fn start_run(
        &self,
        template: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<String, EngineError>;
    /// As [`Engine::start_run`], under a name that the caller gives (the template's, a dash, and lower-case
    /// letters, digits and dashes): where a run of that name is there, that one is meant, whatever its state.
    fn start_run_named(
        &self,
        template: &str,
        name: &str,
        args: &[String],
        env: &[(String, String)],
    ) -> Result<String, EngineError>;
    /// What the engine keeps under that name, e.g. [`DRIFT_LEDGER`].
    fn record(&self, name: &str) -> Result<Record, EngineError>;
    /// Writes it, if it still has the version `expected`; whether it did.
    fn put_record(&self, name: &str, expected: &str, text: &str) -> Result<bool, EngineError>;
    /// State of a run.
    fn run(&self, id: &str) -> Result<Run, EngineError>;
    /// Last `tail` log lines of an application's replicas or of a run (by id), oldest first.
    fn logs(&self, of: &str, tail: usize) -> Result<Vec<String>, EngineError>;
    /// Base address a client on this machine uses, e.g. `http://127.0.0.1:30080`.
    fn address(&self, app: &str) -> Result<String, EngineError>;
    /// Address of the Git repository whose `main` is live.
    fn git_url(&self) -> Result<String, EngineError>;
    /// Names of the batches in the data place, in order.
    fn data_names(&self) -> Result<Vec<String>, EngineError>;
    /// Text of one batch.
    fn data(&self, name: &str) -> Result<String, EngineError>;
    /// Adds a batch whole or not at all; a name that is taken is refused.
    fn add_data(&self, name: &str, text: &str) -> Result<(), EngineError>;
    /// For tests of the bad days: kills one replica of the application or the run, with SIGKILL.
    fn kill(&self, of: &str) -> Result<(), EngineError>;
    /// For tests of the bad days: stops the application (`true`) or starts it again (`false`).
    fn suspend(&self, app: &str, suspended: bool) -> Result<(), EngineError>;
}
