//! Where connections come from: handed over by the engine, or bound by ourselves.

use crate::Config;
use anyhow::{Context, bail};
use listenfd::ListenFd;
use std::{env, net::TcpListener};

/// The listening sockets of one process.
#[derive(Debug)]
pub struct Sockets {
    /// For everybody.
    pub service: TcpListener,
    /// Handed over: somebody else accepts on it too, or will.
    pub shared: bool,
    /// For the engine's probes alone.
    pub probe: Option<TcpListener>,
    /// For gRPC, where it is wanted; never handed over.
    pub grpc: Option<TcpListener>,
    /// For probes and metrics alone.
    pub admin: Option<TcpListener>,
    /// For other replicas alone; never handed over.
    pub replicas: Option<TcpListener>,
}

impl Sockets {
    /// Takes the sockets of `LISTEN_FDS` (named by `LISTEN_FDNAMES`: `http`, `probe`, `admin`; without
    /// names the first is `http`), or binds the configured addresses where there are none. Those for gRPC and for
    /// replicas are always bound by ourselves.
    ///
    /// # Errors
    /// When a handed socket is not one, or an address cannot be bound.
    pub fn open(config: &Config) -> anyhow::Result<Sockets> {
        let (address, grpc) = (&config.listen, config.grpc_listen.as_deref());
        let (admin, replicas) = (
            config.admin_listen.as_deref(),
            config.drift.exchange.listen.as_deref(),
        );
        let bind_replicas = || {
            replicas
                .map(|address| bind(address, "--drift-listen, DRIFT_LISTEN_ADDRESS"))
                .transpose()
        };
        let bind_grpc = || {
            grpc.map(|address| bind(address, "--grpc-listen, GRPC_LISTEN_ADDRESS"))
                .transpose()
        };
        let bind_admin = || {
            admin
                .map(|admin| bind(admin, "--admin-listen, ADMIN_LISTEN_ADDRESS"))
                .transpose()
        };
        let mut handed = ListenFd::from_env();
        if handed.len() == 0 {
            return Ok(Sockets {
                service: bind(address, "--listen, LISTEN_ADDRESS")?,
                shared: false,
                probe: None,
                grpc: bind_grpc()?,
                admin: bind_admin()?,
                replicas: bind_replicas()?,
            });
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_else(|_| "http:probe".to_owned());
        let mut take = |wanted: &str| {
            let position = names
                .split(':')
                .take(handed.len())
                .position(|name| name == wanted);
            let listener = position.map(|index| handed.take_tcp_listener(index)).transpose();
            listener
                .with_context(|| format!("LISTEN_FDS: the socket named {wanted} is not a TCP listener"))
                .map(Option::flatten)
        };
        let Some(service) = take("http")? else {
            bail!(
                "LISTEN_FDNAMES is {names:?}, expected a socket named http among the {} of LISTEN_FDS",
                handed.len()
            );
        };
        Ok(Sockets {
            service,
            shared: true,
            probe: take("probe")?,
            grpc: bind_grpc()?,
            admin: match take("admin")? {
                Some(handed) => Some(handed),
                None => bind_admin()?,
            },
            replicas: bind_replicas()?,
        })
    }
}

fn bind(address: &str, told_by: &str) -> anyhow::Result<TcpListener> {
    // std sets SO_REUSEADDR: a restart does not wait for the old connections' TIME_WAIT.
    TcpListener::bind(address).with_context(|| format!("cannot listen on {address} ({told_by})"))
}
