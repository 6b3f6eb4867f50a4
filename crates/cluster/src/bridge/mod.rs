//! `driftless-cluster serve`: a process of this machine that makes a cluster an engine.

mod act;
mod address;
mod core;
mod events;
mod forward;
mod git;
mod home;
mod runs;
mod server;
mod traffic;
mod usage;

pub use address::internal_ip;
pub use core::Core;
pub use forward::{Target, get, is_ready, open, tcp};
pub use home::{random_hex, write_private};

use crate::{Error, Result, connect, data::DataPlace, snapshot::Reader};
use address::Addresses;
use engine::Endpoint;
use git::Git;
use home::Home;
use serde_json::json;
use std::{net::Ipv4Addr, path::PathBuf, sync::Arc, time::Instant};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

/// Path of the repository on the Git server in the cluster.
pub const REPOSITORY: &str = "driftless/driftless.git";
/// Namespace and Service of that Git server.
pub const GIT_SERVER: (&str, &str) = ("gitops", "git-server");
/// Namespace and Service of the registry addon.
pub const REGISTRY: (&str, &str) = ("kube-system", "registry");
/// File in the state folder that says where the forwards are.
pub const FORWARDS_FILE: &str = "forwards.json";

/// How a bridge is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Context of the kubeconfig.
    pub context: String,
    /// State folder.
    pub state: PathBuf,
    /// `minikube` or `cluster`.
    pub engine: String,
    /// Folder under `kustomize/overlays`.
    pub environment: String,
    /// Added to the forwarded ports.
    pub port_offset: u16,
    /// A hosted repository.
    pub git_url: Option<String>,
    /// Of the Applications that are ours.
    pub selector: String,
    /// Namespace of the Applications.
    pub argocd: String,
    /// Holds one of the inference API's keys.
    pub api_key_file: Option<PathBuf>,
}

/// Runs the bridge until it is told to end: by `POST /v1/shutdown`, SIGTERM or SIGINT. `ready` is
/// told the public part of the endpoint once it listens.
///
/// # Errors
/// Whatever keeps it from starting: no such context, no API server, a taken state folder.
pub async fn serve(options: Options, ready: impl FnOnce(serde_json::Value)) -> Result<()> {
    let client = connect::client(&options.context).await?;
    // Said now rather than with the first status.
    connect::within("ask the API server for its version", client.apiserver_version()).await?;
    let home = Home::take(&options.state)?;
    let signals = |kind| signal(kind).map_err(|error| Error::other(format!("wait for signals: {error}")));
    let (mut terminate, mut interrupt) = (
        signals(SignalKind::terminate())?,
        signals(SignalKind::interrupt())?,
    );
    let mut hang_up = signals(SignalKind::hangup())?;
    // The terminal it was started from may be closed; that ends nothing.
    tokio::spawn(async move { while hang_up.recv().await.is_some() {} });

    let addresses = Addresses::new(client.clone(), options.port_offset);
    let registry = match forward::leads_to_pods(&client, REGISTRY.0, REGISTRY.1).await {
        true => addresses.forward(REGISTRY.0, REGISTRY.1).await,
        false => None,
    };
    let git_url = match &options.git_url {
        Some(url) => url.clone(),
        None => {
            let forward = addresses.forward(GIT_SERVER.0, GIT_SERVER.1).await;
            let forward = forward.ok_or_else(|| Error::other("no forward to the Git server can be made"))?;
            format!("{forward}/{REPOSITORY}")
        }
    };
    let forwards = json!({"git": git_url, "registry": registry});
    write_private(&home.path.join(FORWARDS_FILE), forwards.to_string().as_bytes())?;
    let reader = Reader {
        client: client.clone(),
        argocd: options.argocd.clone(),
        selector: options.selector.clone(),
        epoch: Instant::now(),
    };
    let git = Git::open(&git_url, &options.environment, &home.path.join("bridge-git"))?;
    let core = Arc::new(Core::new(
        &options.engine,
        &options.environment,
        reader,
        git,
        addresses,
    ));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(|error| Error::other(format!("listen on loopback: {error}")))?;
    let address = listener
        .local_addr()
        .map_err(|error| Error::other(format!("listen on loopback: {error}")))?;
    let (token, end) = (random_hex::<32>()?, Arc::new(Notify::new()));
    let endpoint = Endpoint {
        address: format!("http://{address}"),
        token: token.clone(),
        pid: std::process::id(),
        git_url,
        engine: options.engine,
        environment: options.environment,
    };
    let router = server::router(core.clone(), DataPlace::new(&client), &token, end.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    tokio::spawn(drift_events::follow(
        events::Asker(core.clone()),
        options.api_key_file,
    ));
    tokio::spawn(async move { core.run().await });
    home.announce(&endpoint)?;
    ready(json!({
        "address": endpoint.address, "pid": endpoint.pid, "git_url": endpoint.git_url, "registry": registry,
    }));
    let by = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = end.notified() => {
            // The answer to whoever asked is on its way.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            "a client's request"
        }
    };
    tracing::info!(by, "the bridge ends");
    home.withdraw();
    Ok(())
}

/// A bridge without its door, for one program's own questions.
#[derive(Debug)]
pub struct Local {
    /// Answers them.
    pub core: Arc<Core>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Local {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Local {
    /// Reads the repository at `--git-url`, else at the Applications' own address where this machine
    /// can reach it, else through a forward to the Git server in the cluster.
    ///
    /// # Errors
    /// What the API server said, or a cache folder that cannot be written.
    pub async fn open(
        client: &kube::Client,
        flags: &crate::cli::Apps,
        cache: &std::path::Path,
    ) -> Result<Self> {
        let addresses = Addresses::new(client.clone(), 0);
        let reader = Reader {
            client: client.clone(),
            argocd: "argocd".to_owned(),
            selector: flags.selector.clone(),
            epoch: Instant::now(),
        };
        let url = match &flags.git_url {
            Some(url) => url.clone(),
            None => {
                let apps = reader.applications().await?;
                let theirs = apps
                    .iter()
                    .map(|app| app.repo_url.clone())
                    .find(|url| !url.is_empty());
                match theirs.filter(|url| !url.contains(".svc")) {
                    Some(url) => url,
                    None => {
                        let forward = addresses.forward(GIT_SERVER.0, GIT_SERVER.1).await;
                        format!("{}/{REPOSITORY}", forward.unwrap_or_default())
                    }
                }
            }
        };
        let git = Git::open(&url, &flags.environment, cache)?;
        let core = Arc::new(Core::new("cluster", &flags.environment, reader, git, addresses));
        core.refresh();
        let running = core.clone();
        let task = tokio::spawn(async move { running.run().await });
        Ok(Local { core, task })
    }
}
