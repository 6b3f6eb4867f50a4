//! A port on loopback that leads to a Service. The pod is chosen for each connection, so a pod that
//! is replaced, or an API server that was away, ends connections and nothing more.

use crate::{Error, Kind, Result, connect::within};
use k8s_openapi::{
    api::core::v1::{Pod, Service, ServicePort},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{Api, Client, api::ListParams};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// Connections at one time through one forward.
const CONNECTIONS: usize = 256;
/// How long a connection waits for a pod that is ready.
const POD_WITHIN: Duration = Duration::from_secs(5);

/// Where a forward leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Namespace of the Service.
    pub namespace: String,
    /// Its name.
    pub service: String,
}

/// Listens on `port` of loopback, or on any free one where that is taken, and
/// forwards in the background. Returns the address that was got.
///
/// # Errors
/// No port can be had.
pub async fn listen(client: Client, target: Target, port: u16) -> Result<SocketAddr> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = match bind(port).await {
        Ok(listener) => listener,
        Err(taken) => {
            tracing::warn!(port, %taken, service = target.service, "another port is used");
            bind(0)
                .await
                .map_err(|error| Error::other(format!("listen on loopback: {error}")))?
        }
    };
    let address = listener
        .local_addr()
        .map_err(|error| Error::other(format!("listen on loopback: {error}")))?;
    tokio::spawn(serve(listener, client, target));
    Ok(address)
}

async fn serve(listener: TcpListener, client: Client, target: Target) {
    let open = Arc::new(Semaphore::new(CONNECTIONS));
    let turn = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok(permit) = open.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of file descriptors: connections that end give some back.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (client, target, turn) = (client.clone(), target.clone(), turn.clone());
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(error) = connection(stream, &client, &target, &turn).await {
                tracing::debug!(%error, service = target.service, "forwarded connection");
            }
        });
    }
}

async fn connection(
    mut stream: TcpStream,
    client: &Client,
    target: &Target,
    turn: &AtomicUsize,
) -> Result<()> {
    let _ = stream.set_nodelay(true);
    let started = tokio::time::Instant::now();
    loop {
        match open(client, target, turn.fetch_add(1, Ordering::Relaxed)).await {
            Ok((mut forwarder, port)) => {
                let Some(mut there) = forwarder.take_stream(port) else {
                    return Err(Error::other("the forward has no stream"));
                };
                let _ = copy_bidirectional(&mut stream, &mut there).await;
                drop(there);
                forwarder.abort();
                return Ok(());
            }
            Err(error) if started.elapsed() >= POD_WITHIN => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

/// A connection to a ready pod of a Service, with the port that it is for.
///
/// # Errors
/// What the API server said, or `NotFound` when no pod is ready.
pub async fn open(client: &Client, target: &Target, turn: usize) -> Result<(kube::api::Portforwarder, u16)> {
    let what = format!(
        "forward to service {} in namespace {}",
        target.service, target.namespace
    );
    let services: Api<Service> = Api::namespaced(client.clone(), &target.namespace);
    let service = within(&what, services.get(&target.service)).await?;
    let selector = selector(&service)
        .ok_or_else(|| Error::new(Kind::NotFound, format!("{what}: it selects no pods")))?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), &target.namespace);
    let found = within(&what, pods.list(&ListParams::default().labels(&selector))).await?;
    let ready: Vec<&Pod> = found.items.iter().filter(|pod| is_ready(pod)).collect();
    let pod = ready
        .get(turn % ready.len().max(1))
        .ok_or_else(|| Error::new(Kind::NotFound, format!("{what}: no pod is ready")))?;
    let port = service
        .spec
        .as_ref()
        .and_then(|spec| spec.ports.as_ref()?.first())
        .and_then(|port| target_port(port, pod))
        .ok_or_else(|| Error::new(Kind::NotFound, format!("{what}: it has no port")))?;
    let name = pod.metadata.name.clone().unwrap_or_default();
    Ok((within(&what, pods.portforward(&name, &[port])).await?, port))
}

fn selector(service: &Service) -> Option<String> {
    let selector = service
        .spec
        .as_ref()?
        .selector
        .as_ref()
        .filter(|selector| !selector.is_empty())?;
    Some(
        selector
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(","),
    )
}

/// Whether there is such a Service with pods behind it, as far as its selector says.
pub async fn leads_to_pods(client: &Client, namespace: &str, service: &str) -> bool {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let found = within("get a Service", services.get_opt(service)).await;
    found
        .ok()
        .flatten()
        .is_some_and(|service| selector(&service).is_some())
}

/// Ready and not on its way out.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

/// The container's port behind a Service's port.
fn target_port(port: &ServicePort, pod: &Pod) -> Option<u16> {
    let number = match &port.target_port {
        None => port.port,
        Some(IntOrString::Int(number)) => *number,
        Some(IntOrString::String(name)) => {
            let containers = &pod.spec.as_ref()?.containers;
            let mut ports = containers
                .iter()
                .flat_map(|container| container.ports.iter().flatten());
            ports
                .find(|port| port.name.as_ref() == Some(name))?
                .container_port
        }
    };
    u16::try_from(number).ok()
}

/// Sends bytes to a port of a Service and reads what comes back until the other side is done, or
/// `enough` says so.
///
/// # Errors
/// As [`open`], or `Timeout`.
pub async fn tcp(
    client: &Client,
    target: &Target,
    sent: &[u8],
    enough: impl Fn(&[u8]) -> bool,
) -> Result<Vec<u8>> {
    let what = format!("ask service {} in namespace {}", target.service, target.namespace);
    let exchange = async {
        let (mut forwarder, port) = open(client, target, 0).await?;
        let mut stream = forwarder
            .take_stream(port)
            .ok_or_else(|| Error::other("the forward has no stream"))?;
        let broken = |error: std::io::Error| Error::new(Kind::Unreachable, format!("{what}: {error}"));
        stream.write_all(sent).await.map_err(broken)?;
        let (mut answer, mut part) = (Vec::new(), [0; 4096]);
        while !enough(&answer) && answer.len() < ANSWER_MAX {
            match stream.read(&mut part).await.map_err(broken)? {
                0 => break,
                read => answer.extend_from_slice(part.get(..read).unwrap_or_default()),
            }
        }
        forwarder.abort();
        Ok(answer)
    };
    match tokio::time::timeout(crate::connect::REQUEST, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::timeout(&what, crate::connect::REQUEST)),
    }
}

/// Bytes of an answer that are read.
const ANSWER_MAX: usize = 64 * 1024;

/// `GET path` under a Host header of the caller's: status and the beginning of the answer.
///
/// # Errors
/// As [`tcp`], or `Other` for what is no HTTP answer.
pub async fn get(client: &Client, target: &Target, host: &str, path: &str) -> Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: */*\r\n\r\n");
    let answer = tcp(client, target, request.as_bytes(), |_| false).await?;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status =
        status.ok_or_else(|| Error::other(format!("ask service {}: no HTTP answer", target.service)))?;
    Ok((status, text))
}
