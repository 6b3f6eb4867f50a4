//! One attempt of a run: its process and its files.

use crate::{
    context::{Context, Event},
    image::Prepared,
    launch::{self, Request},
    logs,
    process::{self, Launch, Process},
    runs::Wish,
};
use engine::{EngineClient, Run};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// As `engine::Run` promises.
const STDOUT_BYTES_MAX: u64 = 64 * 1024;
const LAST_LINES: usize = 20;
/// Where a process of a run finds the engine.
const ENGINE_FILE: &str = "DRIFTLESS_ENGINE_FILE";

/// See the module.
#[derive(Debug)]
pub struct Attempt {
    /// Events carry it.
    pub key: u64,
    /// Its process.
    pub process: Process,
    /// Its standard output.
    pub stdout: PathBuf,
    /// Its standard error.
    pub stderr: PathBuf,
}

impl Attempt {
    /// Starts attempt number `run.attempts`; the error says in words why not.
    pub fn start(run: &Run, wish: &Wish, prepared: &Prepared, context: &mut Context) -> Result<Self, String> {
        let (stdout, stderr) = files(&context.home, run);
        let mut env = wish.env.clone();
        let engine_file = context.home.join(EngineClient::ENDPOINT_FILE);
        env.insert(ENGINE_FILE.to_owned(), engine_file.display().to_string());
        let pod_name = format!("{}-{}", run.id, run.attempts);
        let request = Request {
            pod_name: &pod_name,
            args: &wish.args,
            env: Some(&env),
        };
        let command = launch::container(&wish.job.pod, prepared, request, context.ground())
            .map_err(|e| e.to_string())?;
        let program = command.program.display().to_string();
        let (process, child) = process::start(Launch {
            program: command.program,
            args: command.args,
            env: command.env,
            folder: command.folder,
            stdout: stdout.clone(),
            stderr: stderr.clone(),
            sockets: Vec::new(),
            group: false,
        })
        .map_err(|error| format!("cannot start {program}: {error}"))?;
        tracing::info!(
            run = run.id,
            attempt = run.attempts,
            pid = process.identity.pid,
            "started"
        );
        let key = context.key();
        let (events, waited) = (context.events.clone(), process.clone());
        tokio::spawn(async move {
            let ended = process::wait(waited, Some(child)).await;
            drop(events.send(Event::Ended(key, ended)).await);
        });
        Ok(Attempt {
            key,
            process,
            stdout,
            stderr,
        })
    }
}

/// Everything a run writes.
pub fn folder(home: &Path, run: &str) -> PathBuf {
    home.join("logs").join(run)
}

fn files(home: &Path, run: &Run) -> (PathBuf, PathBuf) {
    let folder = folder(home, &run.id);
    let of = |ending: &str| folder.join(format!("attempt-{}.{ending}", run.attempts));
    (of("out"), of("err"))
}

/// Fills in what the latest attempt has written so far.
pub fn read_output(run: &mut Run, home: &Path) {
    let (stdout, stderr) = files(home, run);
    let end = logs::end_of(&stdout, STDOUT_BYTES_MAX).unwrap_or_default();
    run.stdout = String::from_utf8_lossy(&end).into_owned();
    run.log_tail = logs::tail(&stderr, LAST_LINES);
}

/// The last lines of the latest attempt, standard error before standard output.
pub fn lines(run: &Run, home: &Path, count: usize) -> Vec<String> {
    let (stdout, stderr) = files(home, run);
    let mut lines = logs::tail(&stderr, count);
    lines.extend(logs::tail(&stdout, count));
    let surplus = lines.len().saturating_sub(count);
    lines.split_off(surplus)
}

/// Writes a word of the engine into the attempt's log.
pub fn note(run: &Run, home: &Path, text: &str) {
    let (_, stderr) = files(home, run);
    // The run says it, too, where this cannot be written.
    let _ = logs::open(&stderr).and_then(|mut file| writeln!(file, "engine: {text}"));
}
