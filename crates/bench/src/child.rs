//! A server as a child process: started, watched, killed.

use anyhow::{Context, Result, bail};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use traffic::{Connection, Target};

/// Nobody waits longer for a server to come up.
const START_DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks at a starting server: well below what is to be measured.
const LOOK_AGAIN: Duration = Duration::from_micros(250);

/// Ends with the value that holds it.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From just before the process was started to the first good answer.
    pub ready_after: Duration,
}

/// An address that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    listener.local_addr().context("find a free port")
}

impl Server {
    /// Starts `command`, which listens on `address`, and waits until `probe` is answered with 200.
    pub fn start(mut command: Command, address: SocketAddr, probe: &Target) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let started = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("start {program}"))?;
        let mut server = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        let request = &probe.requests()[0];
        loop {
            let answer = Connection::open(address, START_DEADLINE)
                .and_then(|mut connection| connection.send(request).map(|answer| answer.status));
            server.ready_after = started.elapsed();
            if answer == Ok(200) {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait().context("watch the server")? {
                bail!("{program} ended before it was ready: {status}");
            }
            if server.ready_after > START_DEADLINE {
                bail!(
                    "{program} was not ready within {} s: {answer:?}",
                    START_DEADLINE.as_secs()
                );
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Resident memory in MiB, from the kernel.
    pub fn resident_mib(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        Ok(kib.with_context(|| format!("no VmRSS in {path}"))? / 1024.0)
    }

    /// Processor time used so far, of all threads, in seconds.
    pub fn cpu_s(&self) -> Result<f64> {
        let path = format!("/proc/{}/schedstat", self.child.id());
        let tasks = format!("/proc/{}/task", self.child.id());
        let mut total_ns = 0.0;
        for task in std::fs::read_dir(&tasks).with_context(|| format!("read {tasks}"))? {
            let file = task
                .with_context(|| format!("read {tasks}"))?
                .path()
                .join("schedstat");
            // A thread may end in between; its time is then missing from both readings.
            let Ok(text) = std::fs::read_to_string(file) else {
                continue;
            };
            let ns = text
                .split_whitespace()
                .next()
                .and_then(|word| word.parse::<f64>().ok());
            total_ns += ns.with_context(|| format!("no time in {path}"))?;
        }
        Ok(total_ns / 1e9)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
