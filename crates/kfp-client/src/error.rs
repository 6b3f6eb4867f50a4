//! What can go wrong: one variant for each cause, with a stable id and what to type next.

use crate::{CronError, DocumentError, ParameterError, RunFailure};
use std::{path::PathBuf, time::Duration};

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base address cannot be used.
    #[error("address of Kubeflow Pipelines {address:?} cannot be used: {reason}")]
    Address {
        /// As given, without credentials.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of the bearer token gives none.
    #[error("no bearer token in {}: {reason}", path.display())]
    Token {
        /// File that was named.
        path: PathBuf,
        /// What is wrong with it; never its contents.
        reason: String,
    },
    /// No connection: the request never reached a server.
    #[error("Kubeflow Pipelines does not answer at {address} ({request}): {cause}")]
    Unreachable {
        /// Base address.
        address: String,
        /// Method and path.
        request: String,
        /// Transport's words.
        cause: String,
    },
    /// The connection broke after the request may have been read.
    #[error("Kubeflow Pipelines at {address} broke off {request}: {cause}")]
    Broken {
        /// Base address.
        address: String,
        /// Method and path.
        request: String,
        /// Transport's words.
        cause: String,
    },
    /// The call with its retries did not end in time.
    #[error("Kubeflow Pipelines at {address} did not answer {request} within {deadline:?}")]
    Deadline {
        /// Base address.
        address: String,
        /// Method and path.
        request: String,
        /// Time that was allowed.
        deadline: Duration,
    },
    /// A page came where data was expected: a proxy, a login, or another server.
    #[error("{address} answered {request} with a web page (status {status}, {title}), not with data")]
    Page {
        /// Base address.
        address: String,
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// The page's title, or its beginning.
        title: String,
    },
    /// The answer is not what this version understands.
    #[error("Kubeflow Pipelines' answer to {request} cannot be read: {cause}")]
    Answer {
        /// Method and path.
        request: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The caller is not known, or may not do this.
    #[error("Kubeflow Pipelines turned {request} away: {status}: {message}")]
    Unauthorized {
        /// Method and path.
        request: String,
        /// HTTP status: 401, 403 or a redirect to a login.
        status: u16,
        /// The server's words, shortened.
        message: String,
    },
    /// There is no such thing.
    #[error("Kubeflow Pipelines knows nothing by that id or name ({request}): {message}")]
    NotFound {
        /// Method and path.
        request: String,
        /// The server's words, shortened.
        message: String,
    },
    /// The server answered with an error.
    #[error("Kubeflow Pipelines refused {request}: {status}: {message}")]
    Refused {
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// `code` of the gateway's errors (a gRPC code); the upload calls have none.
        code: Option<i64>,
        /// The server's words, shortened.
        message: String,
    },
    /// A name that the server would refuse, cut or lose; nothing was sent.
    #[error("{field} {value:?} cannot be used: expected {expected}")]
    Name {
        /// Which name, e.g. `display_name of the run`.
        field: &'static str,
        /// As given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// The pipeline document must not be sent; nothing was.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The run's parameters do not fit; nothing was sent.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The schedule does not mean what it seems to; nothing was sent.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The server allows 1 to 10; nothing was sent.
    #[error("max_concurrency {value} of the recurring run: expected a whole number from 1 to 10")]
    Concurrency {
        /// As given.
        value: u32,
    },
    /// An upload was broken off, and looking did not find it.
    #[error("whether {what} was uploaded is not known; it was looked for and not found: {cause}")]
    UploadUnclear {
        /// Pipeline or version with its name.
        what: String,
        /// What broke it off.
        cause: Box<Error>,
    },
    /// A start was broken off, and looking did not find it. Never repeated: it could run twice.
    #[error("whether {what} was started is not known; it was looked for and not found: {cause}")]
    StartUnclear {
        /// Run or recurring run with its name.
        what: String,
        /// What broke it off.
        cause: Box<Error>,
    },
    /// The run ended otherwise than well.
    #[error(transparent)]
    RunFailed(Box<RunFailure>),
    /// The run did not end in time. It goes on.
    #[error("run {run_id} is still {state} after {deadline:?}; not ended: {}{}", list(tasks),
            trouble.as_ref().map(|t| format!("; last trouble: {t}")).unwrap_or_default())]
    WaitDeadline {
        /// Id.
        run_id: String,
        /// The last state seen, or `not seen`.
        state: String,
        /// Tasks that had begun and not ended.
        tasks: Vec<String>,
        /// Time that was allowed.
        deadline: Duration,
        /// Why the state could not be asked for the last time, if so.
        trouble: Option<Box<Error>>,
    },
    /// Only a failed run can be taken up again.
    #[error("run {run_id} cannot be retried: {message}")]
    NotRetryable {
        /// Id.
        run_id: String,
        /// The server's words, shortened.
        message: String,
    },
    /// The run has ended, or there is none of that id: nothing to terminate.
    #[error("run {run_id} cannot be terminated, since it has ended or there is none of that id: {message}")]
    NotRunning {
        /// Id.
        run_id: String,
        /// The server's words, shortened.
        message: String,
    },
}

fn list(tasks: &[String]) -> String {
    if tasks.is_empty() {
        return "no task is known".to_owned();
    }
    tasks.join(", ")
}

impl Error {
    /// Stable name of the cause; also the heading in the troubleshooting page.
    pub fn id(&self) -> &'static str {
        match self {
            Error::Address { .. } => "kfp-address",
            Error::Token { .. } => "kfp-token",
            Error::Unreachable { .. } => "kfp-unreachable",
            Error::Broken { .. } => "kfp-connection-lost",
            Error::Deadline { .. } => "kfp-slow",
            Error::Page { .. } => "kfp-web-page",
            Error::Answer { .. } => "kfp-answer-unreadable",
            Error::Unauthorized { .. } => "kfp-unauthorized",
            Error::NotFound { .. } => "kfp-not-found",
            Error::Refused { .. } => "kfp-refused",
            Error::Name { .. } => "kfp-name",
            Error::Document(error) => error.id(),
            Error::Parameter(error) => error.id(),
            Error::Cron(error) => error.id(),
            Error::Concurrency { .. } => "kfp-concurrency",
            Error::UploadUnclear { .. } => "kfp-upload-unclear",
            Error::StartUnclear { .. } => "kfp-start-unclear",
            Error::RunFailed(_) => "kfp-run-failed",
            Error::WaitDeadline { .. } => "kfp-run-not-ended",
            Error::NotRetryable { .. } => "kfp-run-not-retryable",
            Error::NotRunning { .. } => "kfp-run-not-running",
        }
    }

    /// What to do or type next.
    pub fn next(&self) -> String {
        const PODS: &str = "kubectl --namespace kubeflow get pods";
        const LOGS: &str = "kubectl --namespace kubeflow logs deployment/ml-pipeline --tail 50";
        match self {
            Error::Address { .. } => "give http://HOST:PORT, e.g. http://127.0.0.1:8888".to_owned(),
            Error::Token { .. } => "name a file that holds one token on one line".to_owned(),
            Error::Unreachable { .. } => format!(
                "{PODS}; from outside of the cluster: kubectl --namespace kubeflow port-forward service/ml-pipeline 8888:8888"
            ),
            Error::Broken { .. } | Error::Deadline { .. } => format!("{LOGS}, then repeat"),
            Error::UploadUnclear { .. } => format!("{LOGS}, then repeat: an upload has no second effect"),
            Error::Page { .. } => {
                "give the address of the service ml-pipeline, not of a web page or login".to_owned()
            }
            Error::Answer { .. } => "check that the server is Kubeflow Pipelines 2.17".to_owned(),
            Error::Unauthorized { .. } => "name the file of a token that may do this".to_owned(),
            Error::NotFound { .. } => "check the id or name; it may have been deleted".to_owned(),
            Error::Refused { .. } => LOGS.to_owned(),
            Error::Name { .. } => "choose another name".to_owned(),
            Error::Document(_) => "mend the document where named, then repeat".to_owned(),
            Error::Parameter(_) => "mend the parameter, then repeat".to_owned(),
            Error::Cron(CronError::FiveFields { corrected, .. }) => format!("write \"{corrected}\""),
            Error::Cron(_) => {
                "write six fields: second minute hour day-of-month month day-of-week".to_owned()
            }
            Error::Concurrency { .. } => "give a number from 1 to 10".to_owned(),
            Error::StartUnclear { .. } => {
                "look at the newest runs; start again only if it is not among them".to_owned()
            }
            Error::RunFailed(failure) => failure.next(),
            Error::WaitDeadline { .. } => format!(
                "{PODS} (a missing image or Secret keeps a run RUNNING for ever), then terminate the run or wait again"
            ),
            Error::NotRetryable { .. } => "start a new run".to_owned(),
            Error::NotRunning { .. } => "ask for the state of the run".to_owned(),
        }
    }

    /// Whether the call may or may not have had its effect.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Error::Broken { .. }
            | Error::Deadline { .. }
            | Error::Answer { .. }
            | Error::UploadUnclear { .. }
            | Error::StartUnclear { .. } => true,
            Error::Refused { status, .. } | Error::Page { status, .. } => {
                matches!(status, 200 | 502 | 503 | 504)
            }
            _ => false,
        }
    }

    /// Whether the server or the way to it was the trouble, so that it may pass by itself.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Unreachable { .. } | Error::Broken { .. } | Error::Deadline { .. } => true,
            Error::Refused { status, .. } | Error::Page { status, .. } => {
                matches!(status, 429 | 500 | 502 | 503 | 504)
            }
            _ => false,
        }
    }

    /// Whether asking again can help, given that a second effect would do no harm or not.
    pub(crate) fn may_retry(&self, idempotent: bool) -> bool {
        match self {
            // Not read by anybody, so that it cannot have had an effect.
            Error::Unreachable { .. }
            | Error::Refused { status: 429, .. }
            | Error::Page { status: 429, .. } => true,
            // The whole time is over.
            Error::Deadline { .. } => false,
            other => idempotent && other.is_passing(),
        }
    }
}
