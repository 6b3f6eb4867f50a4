//! The keeper: a process between the runner and a step, which ends all that the step has started once the
//! step is over, or its runner is gone, however that went.
//!
//! Its standard input is a pipe from the runner. A byte asks for an end with grace; the pipe's end means that
//! the runner is dead. Its standard output is the run's lock: the next runner waits until the step is gone.

use crate::files;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process_group, pidfd_open, setrlimit,
};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// How a step's process ended: `end.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// It was told to end.
    pub stopped: bool,
    /// Why it could not be started.
    pub error: Option<String>,
}

/// What a program does that a runner starts as its keeper: the arguments after those of [`crate::Keeper`].
pub fn keep(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let [end_file, grace_ms, file_bytes, program, rest @ ..] = arguments.as_slice() else {
        eprintln!("a keeper is started by a runner: END_FILE GRACE_MS FILE_BYTES PROGRAM [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let number = |text: &OsString| text.to_str().and_then(|text| text.parse::<u64>().ok());
    let (Some(grace_ms), Some(file_bytes)) = (number(grace_ms), number(file_bytes)) else {
        eprintln!("a keeper expects numbers as its second and third argument");
        return ExitCode::from(2);
    };
    bound_files(file_bytes);
    let end = match start(program, rest) {
        Ok(child) => watch(child, Duration::from_millis(grace_ms)).unwrap_or_else(|error| End {
            error: Some(error.to_string()),
            ..End::default()
        }),
        Err(error) => End {
            error: Some(format!("{}: {error}", program.display())),
            ..End::default()
        },
    };
    let text = serde_json::to_vec(&end).unwrap_or_default();
    match files::write(Path::new(end_file), &text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", end_file.display());
            ExitCode::FAILURE
        }
    }
}

/// No file of the step grows above this: a step that writes for ever must not fill the disk.
fn bound_files(bytes: u64) {
    let hard = getrlimit(Resource::Fsize).maximum;
    let bytes = hard.map_or(bytes, |hard| hard.min(bytes));
    let limit = Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    // Lowering is always allowed.
    let _ = setrlimit(Resource::Fsize, limit);
}

fn start(program: &OsString, arguments: &[OsString]) -> io::Result<Child> {
    const TRIES: u32 = 50;
    let mut tries = 0;
    loop {
        let said = || Ok::<_, io::Error>(Stdio::from(io::stderr().as_fd().try_clone_to_owned()?));
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).process_group(0);
        command.stdout(said()?).stderr(said()?);
        match command.spawn() {
            // A program that was written a moment ago may still be open in a child of its writer.
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
}

fn watch(mut child: Child, grace: Duration) -> io::Result<End> {
    let raw = i32::try_from(child.id()).map_err(io::Error::other)?;
    let group = Pid::from_raw(raw).ok_or_else(|| io::Error::other("pid 0"))?;
    let pidfd = pidfd_open(group, PidfdFlags::empty())?;
    let stdin = io::stdin();
    let (mut stopped, mut open) = (false, true);
    let mut kill_at: Option<Instant> = None;
    loop {
        let mut waited = vec![PollFd::new(&pidfd, PollFlags::IN)];
        if open {
            waited.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let left = kill_at.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut waited, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let ended = !waited[0].revents().is_empty();
        let told = open && !waited[1].revents().is_empty();
        if ended {
            // Until it is reaped its number cannot be given to others.
            let _ = kill_process_group(group, Signal::KILL);
            let status = child.wait()?;
            return Ok(End {
                code: status.code(),
                signal: status.signal(),
                stopped,
                error: None,
            });
        }
        if told {
            stopped = true;
            if matches!(stdin.lock().read(&mut [0]), Ok(1)) && kill_at.is_none() {
                let _ = kill_process_group(group, Signal::TERM);
                kill_at = Some(Instant::now() + grace);
            } else {
                open = false;
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
        if kill_at.is_some_and(|at| at <= Instant::now()) {
            let _ = kill_process_group(group, Signal::KILL);
            // It ends now; asking again and again would not help.
            kill_at = None;
        }
    }
}
