//! One replica of a Deployment: its process, its sockets, its probes.

use crate::{
    context::{Context, Event, ImageState},
    deployment::image_of,
    launch::{self, Request},
    plan::DeploymentPlan,
    probe,
    process::{self, Launch, Process},
    procfs::{self, Identity},
    rollout::Moment,
    sockets,
    state::SavedReplica,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::PathBuf,
    process::Child,
    time::Duration,
};
use tokio::task::AbortHandle;

/// A process that was told to stop stops accepting within this.
const STOPS_ACCEPTING: Duration = Duration::from_millis(300);

/// The listening sockets of one Deployment.
#[derive(Debug, Default)]
pub struct Sockets {
    by_port: BTreeMap<u16, TcpListener>,
    /// Where replicas of a killed engine may listen, too.
    beside: BTreeSet<u16>,
}

impl Sockets {
    /// A handle of the socket on that port, which is bound at the first call.
    fn shared(&mut self, port: u16) -> io::Result<OwnedFd> {
        let socket = match self.by_port.remove(&port) {
            Some(socket) => socket,
            None => sockets::listen(port, self.beside.contains(&port))?,
        };
        let handle = socket.try_clone();
        self.by_port.insert(port, socket);
        Ok(handle?.into())
    }

    /// Gets hold of the socket that a replica of a killed engine listens on.
    pub fn take_over(&mut self, pid: u32, port: u16) {
        self.beside.insert(port);
        if !self.by_port.contains_key(&port)
            && let Some(socket) = sockets::take_over(pid, port)
        {
            self.by_port.insert(port, socket);
        }
    }

    /// Whether that process may still accept what comes to one of them.
    fn are_open_in(&self, pid: u32) -> bool {
        let inodes = self
            .by_port
            .values()
            .filter_map(|socket| Some(rustix::fs::fstat(socket).ok()?.st_ino));
        inodes.into_iter().any(|inode| procfs::has_socket(pid, inode))
    }

    /// Closes what nobody uses: clients are refused where nothing is to serve them.
    pub fn keep(&mut self, ports: Vec<u16>) {
        self.by_port.retain(|port, _| ports.contains(port));
        self.beside.retain(|port| ports.contains(port));
    }
}

/// See the module.
#[derive(Debug)]
pub struct Replica {
    /// Unique; also its pod name.
    pub name: String,
    /// Hash of its release.
    pub release: String,
    /// Of the process it has now; events carry it, so that late ones of an earlier process are seen as such.
    pub key: u64,
    /// With digest, or what stands in.
    pub image: String,
    /// Its output.
    pub log: PathBuf,
    /// Where its probes are answered.
    pub probe_at: Option<SocketAddr>,
    /// The port it serves on.
    pub port: Option<u16>,
    /// Its last start did not get as far as a process.
    pub start_failed: bool,
    told_at: Option<Moment>,
    grace: Duration,
    process: Option<Process>,
    prober: Option<AbortHandle>,
}

impl Replica {
    /// One that has no process yet.
    pub fn new(app: &str, plan: &DeploymentPlan, id: u64, context: &Context) -> Self {
        let folder = context.home.join("logs").join(app);
        // Names do not repeat over the engine's starts, so neither do log files.
        let name = format!(
            "{}-{}-{:x}{id:x}",
            plan.pod.workload,
            &plan.hash[..5],
            std::process::id()
        );
        Replica {
            log: folder.join(format!("{name}.log")),
            name,
            release: plan.hash.clone(),
            key: 0,
            image: image_of(plan).to_owned(),
            probe_at: None,
            port: plan.host_port,
            start_failed: false,
            told_at: None,
            grace: Duration::from_secs(u64::from(plan.pod.grace_s)),
            process: None,
            prober: None,
        }
    }

    /// Starts its process; the error says in words why not.
    pub fn start(
        &mut self,
        plan: &DeploymentPlan,
        sockets: &mut Sockets,
        context: &mut Context,
    ) -> Result<(), String> {
        self.start_failed = true;
        let mut handed = Vec::new();
        let command = if let Some(stand_in) = &plan.stand_in {
            self.image = stand_in.description.clone();
            self.probe_at = plan
                .host_port
                .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            launch::stand_in(stand_in, plan.host_port, context.ground())
        } else {
            let ImageState::Ready(prepared) = context.image(image_of(plan)) else {
                return Err(format!("image {} is not ready", image_of(plan)));
            };
            self.image.clone_from(&prepared.image);
            let request = Request {
                pod_name: &self.name,
                ..Request::default()
            };
            let mut command = launch::container(&plan.pod, &prepared, request, context.ground())
                .map_err(|e| e.to_string())?;
            if let Some(port) = plan.host_port {
                let refused = |error: io::Error| format!("cannot listen on 127.0.0.1:{port}: {error}");
                handed.push(sockets.shared(port).map_err(refused)?);
                let own = sockets::listen_for_probes().map_err(refused)?;
                self.probe_at = own.local_addr().ok();
                handed.push(own.into());
                // sd_listen_fds(3); LISTEN_PID is left out, since the pid is not known before the start.
                command
                    .env
                    .insert("LISTEN_FDS".to_owned(), handed.len().to_string());
                command
                    .env
                    .insert("LISTEN_FDNAMES".to_owned(), "http:probe".to_owned());
            }
            command
        };
        let program = command.program.display().to_string();
        let (process, child) = process::start(Launch {
            program: command.program,
            args: command.args,
            env: command.env,
            folder: command.folder,
            stdout: self.log.clone(),
            stderr: self.log.clone(),
            sockets: handed,
            group: plan.stand_in.is_some(),
        })
        .map_err(|error| format!("cannot start {program}: {error}"))?;
        self.start_failed = false;
        tracing::info!(
            replica = self.name,
            pid = process.identity.pid,
            image = self.image,
            "started"
        );
        self.watch(process, Some(child), plan, context);
        Ok(())
    }

    /// A process that an earlier engine started, if it still lives. `plan` is that of its release,
    /// where that is still the live one.
    pub fn adopt(
        saved: &SavedReplica,
        plan: Option<&DeploymentPlan>,
        group: bool,
        id: u64,
        context: &mut Context,
    ) -> Option<Self> {
        let process = process::adopt(saved.identity, group)?;
        tracing::info!(replica = saved.name, pid = saved.identity.pid, "found again");
        let mut replica = Replica {
            name: saved.name.clone(),
            release: saved.release.clone(),
            key: id,
            image: saved.image.clone(),
            log: saved.log.clone(),
            probe_at: saved.probe_at,
            port: plan.and_then(|plan| plan.host_port),
            start_failed: false,
            told_at: None,
            grace: Duration::from_secs(plan.map_or(30, |plan| u64::from(plan.pod.grace_s))),
            process: None,
            prober: None,
        };
        match plan {
            Some(plan) => replica.watch(process, None, plan, context),
            None => replica.await_end(process, None, context),
        }
        Some(replica)
    }

    fn watch(
        &mut self,
        process: Process,
        child: Option<Child>,
        plan: &DeploymentPlan,
        context: &mut Context,
    ) {
        self.await_end(process, child, context);
        let (at, probes) = match self.probe_at {
            Some(at) => (at, plan.probes.clone()),
            // Without a socket there is nobody to ask: it is ready once it runs.
            None => ((Ipv4Addr::LOCALHOST, 0).into(), crate::plan::Probes::default()),
        };
        let (events, key) = (context.events.clone(), self.key);
        let prober = tokio::spawn(probe::watch(probes, at, events, move |word| {
            Event::Probed(key, word)
        }));
        self.prober = Some(prober.abort_handle());
    }

    fn await_end(&mut self, process: Process, child: Option<Child>, context: &mut Context) {
        self.key = context.key();
        let (events, key, waited) = (context.events.clone(), self.key, process.clone());
        tokio::spawn(async move {
            let ended = process::wait(waited, child).await;
            drop(events.send(Event::Ended(key, ended)).await);
        });
        self.process = Some(process);
    }

    /// Whether a process of it is known.
    pub fn has_process(&self) -> bool {
        self.process.is_some()
    }

    /// Whether new connections may still reach it although it was told to stop. One that keeps
    /// its sockets open is believed after a moment.
    pub fn may_accept(&self, sockets: &Sockets, now: Moment) -> bool {
        let told_just_now = self
            .told_at
            .is_some_and(|told| now.saturating_sub(told) < STOPS_ACCEPTING);
        told_just_now
            && self
                .identity()
                .is_some_and(|identity| sockets.are_open_in(identity.pid))
    }

    /// SIGTERM; answers how long it may take before SIGKILL.
    pub fn terminate(&mut self, now: Moment) -> Duration {
        self.told_at = Some(now);
        self.stop_probing();
        if let Some(process) = &self.process {
            process.terminate();
        }
        self.grace
    }

    /// SIGKILL.
    pub fn kill(&self) {
        if let Some(process) = &self.process {
            process.kill();
        }
    }

    /// Its process is gone.
    pub fn gone(&mut self) {
        self.stop_probing();
        self.process = None;
    }

    /// Who its process is.
    pub fn identity(&self) -> Option<Identity> {
        self.process.as_ref().map(|process| process.identity)
    }

    fn stop_probing(&mut self) {
        if let Some(prober) = self.prober.take() {
            prober.abort();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.stop_probing();
    }
}
