//! Follows the API's stream of drift events and starts the drift check when an episode opens, for every
//! engine alike. The check's schedule stays the guarantee: whatever is missed here is found by it, and
//! whether there is a retrain is decided by the check alone.

pub mod watch;

use contract::names::{DRIFT_MONITOR, INFERENCE_API};
use engine::{Health, RunPhase, Status};
use std::{
    future::Future,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use watch::Watch;

const CONNECT: Duration = Duration::from_secs(5);
/// While a check is under way, so long until it is looked for again.
const AGAIN: Duration = Duration::from_secs(2);

/// An engine, as far as it is needed here. Calls end by themselves; errors are for the log.
pub trait Checks {
    /// Its status.
    fn status(&self) -> impl Future<Output = Result<Status, String>> + Send;
    /// Starts one run of the drift monitor.
    fn start(&self) -> impl Future<Output = Result<(), String>> + Send;
    /// Whether the engine ends.
    fn is_over(&self) -> bool;
}

/// Follows the events until the engine ends. One connection, one check under way, one check a minute.
/// `key_file`: holds one of the API's keys, where it asks for one; read again for each connection.
pub async fn follow(checks: impl Checks, key_file: Option<PathBuf>) {
    let mut follower = Follower {
        checks,
        key_file,
        watch: Watch::default(),
        start: Instant::now(),
    };
    let mut failures = 0;
    while !follower.checks.is_over() {
        let connected = Instant::now();
        let ended = follower.once().await;
        // Most engines have no API at first, and old ones no events: not worth more than a word.
        tracing::debug!(?ended, "no drift events");
        let lived = ended.is_ok() || connected.elapsed() > watch::SILENCE;
        failures = if lived { 0 } else { failures + 1 };
        let pause = sleep(watch::backoff(failures));
        tokio::pin!(pause);
        loop {
            let due = follower.until_due();
            tokio::select! {
                () = &mut pause => break,
                // What is due is not held up by a stream that is gone.
                () = due => follower.check().await,
            }
        }
    }
}

struct Follower<C> {
    checks: C,
    key_file: Option<PathBuf>,
    watch: Watch,
    start: Instant,
}

impl<C: Checks> Follower<C> {
    /// One connection, to its end.
    async fn once(&mut self) -> Result<(), String> {
        let status = self.checks.status().await?;
        let address = status.app(INFERENCE_API).and_then(|app| app.address.clone());
        let address = address.ok_or("the API has no address yet")?;
        let host = address.trim_start_matches("http://").trim_end_matches('/');
        let text = |error: std::io::Error| error.to_string();
        let stream = timeout(CONNECT, TcpStream::connect(host)).await;
        let mut stream = stream.map_err(|_| "no connection")?.map_err(text)?;
        let key = self.key_file.as_ref().map(std::fs::read_to_string);
        let key = key
            .transpose()
            .map_err(|error| format!("the file with the API key: {error}"))?;
        let request = watch::request(host, key.as_deref())?;
        stream.write_all(request.as_bytes()).await.map_err(text)?;
        self.watch.connected();
        let (mut head, mut part) = (Some(Vec::new()), [0; 4096]);
        loop {
            let due = self.until_due();
            let read = tokio::select! {
                read = timeout(watch::SILENCE, stream.read(&mut part)) => read,
                () = due => {
                    self.check().await;
                    continue;
                }
            };
            let bytes = match read.map_err(|_| "nothing was said for too long")?.map_err(text)? {
                0 => return Ok(()),
                read => &part[..read],
            };
            match &mut head {
                None => self.watch.take(bytes),
                Some(begun) => {
                    begun.extend_from_slice(bytes);
                    if let Some(rest) = watch::head(begun) {
                        self.watch.take(rest?);
                        head = None;
                    }
                }
            }
        }
    }

    /// Over when a check is due; never where none is wanted.
    fn until_due(&self) -> impl Future<Output = ()> + use<C> {
        let due = self.watch.due_at();
        let wait = due.map(|at| at.saturating_sub(self.start.elapsed()));
        async move {
            match wait {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    /// One check, unless one is under way: that one may have asked before the episode opened.
    async fn check(&mut self) {
        let Ok(status) = self.checks.status().await else {
            return sleep(AGAIN).await;
        };
        let monitor = status.app(DRIFT_MONITOR);
        if monitor.is_some_and(|app| app.health == Health::Suspended) {
            // Stopped on purpose.
            return self.watch.checked(self.start.elapsed());
        }
        let open = |phase| matches!(phase, RunPhase::Pending | RunPhase::Running);
        let under_way = |run: &engine::Run| run.template == DRIFT_MONITOR && open(run.phase);
        if status.runs.iter().any(under_way) {
            return sleep(AGAIN).await;
        }
        match self.checks.start().await {
            Ok(()) => {
                tracing::info!("an episode of drift opened: the check is started");
                self.watch.checked(self.start.elapsed());
            }
            Err(reason) => {
                tracing::warn!(reason, "the drift check cannot be started");
                self.watch.put_off(self.start.elapsed());
            }
        }
    }
}

#[cfg(test)]
mod tests;
