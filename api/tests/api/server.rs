//! The real server on a port of its own, in a thread.

use crate::client::Client;
use inference_api::{Config, Sockets, serve};
use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

pub struct Server {
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Server {
    /// Starts on a port of its own and waits until it is ready.
    pub fn start(model: &Path, flags: &[&str]) -> Server {
        let server = Server::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), false, model, flags);
        server.wait_ready();
        server
    }

    pub fn start_on(service: TcpListener, shared: bool, model: &Path, flags: &[&str]) -> Server {
        let sockets = Sockets {
            service,
            shared,
            probe: None,
            grpc: None,
            admin: None,
            replicas: None,
        };
        Server::start_with(sockets, model, flags)
    }

    pub fn start_with(sockets: Sockets, model: &Path, flags: &[&str]) -> Server {
        let address = sockets.service.local_addr().unwrap();
        let given = [
            "inference-api",
            "--drain-seconds",
            "0.1",
            "--model",
            model.to_str().unwrap(),
        ];
        let config = Config::read(given.iter().chain(flags)).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(config, sockets, async {
                let _ = stopped.await;
            }))
        });
        Server {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    pub fn wait_ready(&self) {
        eventually("ready", || self.client().get("/readyz").status == 200);
    }

    /// SIGTERM's effect.
    pub fn terminate(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits for the end.
    pub fn join(&mut self) -> anyhow::Result<()> {
        self.thread.take().expect("joined once").join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.terminate();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Polls a condition to a deadline.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
