//! The commands of `driftless-cluster`: each prints one JSON object on standard output.

use crate::Error;
use clap::{Args, Parser, Subcommand};
use std::{io::Write, path::PathBuf, process::ExitCode};

/// What the bootstrap asks of a cluster, and the bridge that makes it an engine.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Flags {
    /// Context of the kubeconfig (KUBECONFIG as usual); no other is ever touched
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// See [`Flags`].
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Version, nodes, what this user may do, Argo CD, whose cluster it is
    Inspect,
    /// The bridge: speaks the local engine's protocol until it is told to end
    Serve(Serve),
    /// Waits for a condition
    #[command(subcommand)]
    Wait(Wait),
    /// Makes the random Secrets of the Git server, only where they are absent
    Secrets(Secrets),
    /// Writes the robot's credentials for Git into the state folder
    GitCredentials(GitCredentials),
    /// The data place
    #[command(subcommand)]
    Data(Data),
    /// What is wrong, in lines for people
    Diagnose {
        /// Namespaces to look into; all of ours where none is given
        #[arg(long, value_name = "NS")]
        namespace: Vec<String>,
    },
    /// Doctor after the fact: MLflow, DNS, RBAC and the registry, from inside
    Check,
}

/// See [`Command::Serve`].
#[derive(Debug, Args)]
pub struct Serve {
    /// State folder: engine.json is written there
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Which engine this is
    #[arg(long, value_parser = ["minikube", "cluster"])]
    pub engine: String,
    /// Folder under kustomize/overlays
    #[arg(long, value_name = "ENV")]
    pub environment: String,
    /// Added to the forwarded ports
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port_offset: u16,
    /// Address of a hosted repository; the Git server in the cluster where it is not given
    #[arg(long, value_name = "URL")]
    pub git_url: Option<String>,
    /// Label selector of the Applications that are ours
    #[arg(long, value_name = "LABEL", default_value = crate::cli::OURS)]
    pub selector: String,
    /// Namespace of Argo CD and its Applications
    #[arg(long, value_name = "NS", default_value = "argocd")]
    pub argocd_namespace: String,
    /// File with one of the inference API's keys, where it asks for one: to follow its drift events
    #[arg(long, env = "API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
}

/// The label on every Application of ours.
pub const OURS: &str = "app.kubernetes.io/part-of=driftless";

/// See [`Command::Wait`].
#[derive(Debug, Subcommand)]
pub enum Wait {
    /// Until these CRDs are established
    Crds {
        /// E.g. applications.argoproj.io
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Longest wait
        #[arg(long, value_name = "S", default_value_t = 60)]
        deadline: u64,
    },
    /// Until every Deployment and StatefulSet of a namespace is ready
    Workloads {
        /// Where
        #[arg(long, value_name = "NS")]
        namespace: String,
        /// Longest wait
        #[arg(long, value_name = "S", default_value_t = 180)]
        deadline: u64,
    },
    /// Until Applications are live at a commit
    Apps(Apps),
    /// Until a Job is over
    Job {
        /// Where
        #[arg(long, value_name = "NS")]
        namespace: String,
        /// Which
        #[arg(long, value_name = "N")]
        name: String,
        /// Longest wait
        #[arg(long, value_name = "S", default_value_t = 180)]
        deadline: u64,
    },
}

/// See [`Wait::Apps`].
#[derive(Debug, Args)]
pub struct Apps {
    /// Which; all of ours where none is given
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Commit, or `head` for the head of main
    #[arg(long, value_name = "COMMIT", default_value = "head")]
    pub revision: String,
    /// Longest wait
    #[arg(long, value_name = "S", default_value_t = 180)]
    pub deadline: u64,
    /// State folder of a bridge that runs; its answers are used
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Address of the repository, for `head`; that of the Applications where it is not given
    #[arg(long, value_name = "URL")]
    pub git_url: Option<String>,
    /// Folder under kustomize/overlays
    #[arg(long, value_name = "ENV", default_value = "minikube")]
    pub environment: String,
    /// Label selector of the Applications that are ours
    #[arg(long, value_name = "LABEL", default_value = crate::cli::OURS)]
    pub selector: String,
}

/// See [`Command::Secrets`].
#[derive(Debug, Args)]
pub struct Secrets {
    /// Name of the Git server's administrator
    #[arg(long, value_name = "U", default_value = "admin")]
    pub git_username: String,
    /// The robot's name and token come from GIT_USERNAME and GIT_TOKEN: the repository is hosted
    #[arg(long)]
    pub external_git: bool,
    /// Those of Kubeflow Pipelines too, in its namespace
    #[arg(long)]
    pub pipelines: bool,
}

/// See [`Command::GitCredentials`].
#[derive(Debug, Args)]
pub struct GitCredentials {
    /// State folder
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// Address that the credentials are for; the bridge's where it is not given
    #[arg(long, value_name = "URL")]
    pub git_url: Option<String>,
}

/// See [`Command::Data`].
#[derive(Debug, Subcommand)]
pub enum Data {
    /// Adds a batch whole or not at all; the same text again is no error
    Put {
        /// Its name, e.g. batch-0001.csv
        #[arg(long, value_name = "N")]
        name: String,
        /// The file with its text
        #[arg(long, value_name = "F")]
        file: PathBuf,
    },
    /// Brings the copy that the steps of pipelines read up to it
    Copy {
        /// Only say whether it is
        #[arg(long)]
        check: bool,
    },
}

/// Carries out the command; its answer goes to standard output.
pub fn run(flags: Flags) -> ExitCode {
    // Progress is on standard error; a level can be chosen by RUST_LOG.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("cluster=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(8)
        .enable_all()
        .build();
    let answer = match runtime {
        Ok(runtime) => {
            let answer = runtime.block_on(crate::commands::run(flags));
            // A call to Git that hangs is not waited for.
            runtime.shutdown_timeout(std::time::Duration::from_millis(200));
            answer
        }
        Err(error) => Err(Error::other(format!("start a runtime: {error}"))),
    };
    let (text, code) = match answer {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(error) => (error.to_json(), ExitCode::FAILURE),
    };
    // Whoever started it may have gone; that is no reason to fail.
    let _ = writeln!(std::io::stdout(), "{text}");
    code
}
