//! Starting, signalling and awaiting one process, in a process group of its own.

use crate::{
    logs,
    procfs::{self, Identity},
    schedule::Ended,
};
use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, pidfd_send_signal, waitid,
};
use std::{
    collections::BTreeMap,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// Children of a stand-in's first process get so long to end by themselves.
const GROUP_GRACE: Duration = Duration::from_secs(2);
/// The end of a child is signalled; that of an adopted process has to be looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What to start.
#[derive(Debug)]
pub struct Launch {
    /// Absolute path.
    pub program: PathBuf,
    /// Without the program.
    pub args: Vec<String>,
    /// The whole environment; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// Working folder.
    pub folder: PathBuf,
    /// Standard output is appended here.
    pub stdout: PathBuf,
    /// Standard error is appended here.
    pub stderr: PathBuf,
    /// Descriptors 3, 4, … of the process.
    pub sockets: Vec<OwnedFd>,
    /// Signals go to its whole group: it is not alone, as a container's first process would be.
    pub group: bool,
}

/// A running process that can be signalled; clones mean the same one.
#[derive(Clone, Debug)]
pub struct Process {
    /// Who it is.
    pub identity: Identity,
    /// Refers to exactly this process, so a signal can never reach a successor of its pid.
    pidfd: Arc<OwnedFd>,
    group: bool,
}

/// Starts it.
///
/// # Errors
/// The operating system's refusal: no such program, not executable, no descriptors left, …
pub fn start(launch: Launch) -> io::Result<(Process, Child)> {
    let stdout = logs::open(&launch.stdout)?;
    let stderr = logs::open(&launch.stderr)?;
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.args)
        .env_clear()
        .envs(&launch.env)
        .current_dir(&launch.folder)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        // Not the engine's: a Ctrl-C at a terminal, or the engine's end, is not meant for it.
        .process_group(0);
    let mappings = launch
        .sockets
        .into_iter()
        .zip(crate::sockets::SHARED_FD..)
        .map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd })
        .collect();
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    let mut child = spawn(&mut command)?;
    let opened = pid_of(child.id()).and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::NONBLOCK)?));
    // It cannot have been reaped yet, so the pid is still its own.
    let (Ok(pidfd), Some(identity)) = (opened, procfs::identify_even_dead(child.id())) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(io::Error::other(
            "the process was started but cannot be watched (no pidfd)",
        ));
    };
    let process = Process {
        identity,
        pidfd: Arc::new(pidfd),
        group: launch.group,
    };
    Ok((process, child))
}

/// A program that was unpacked a moment ago may still be open for writing in a child that another
/// thread is just starting (ETXTBSY); that passes within milliseconds.
fn spawn(command: &mut Command) -> io::Result<Child> {
    const TRIES: u32 = 50;
    for _ in 0..TRIES {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other,
        }
    }
    command.spawn()
}

/// A process that an earlier engine started, if exactly it still lives.
pub fn adopt(identity: Identity, group: bool) -> Option<Process> {
    let pidfd = pidfd_open(pid_of(identity.pid).ok()?, PidfdFlags::NONBLOCK).ok()?;
    // Compared after the pidfd was made: what it refers to is what was compared.
    procfs::is_alive(identity).then(|| Process {
        identity,
        pidfd: Arc::new(pidfd),
        group,
    })
}

fn pid_of(pid: u32) -> io::Result<Pid> {
    let raw = i32::try_from(pid).map_err(io::Error::other)?;
    Pid::from_raw(raw).ok_or_else(|| io::Error::other("pid 0"))
}

impl Process {
    /// SIGTERM.
    pub fn terminate(&self) {
        if pidfd_send_signal(&*self.pidfd, Signal::TERM).is_ok() && self.group {
            self.signal_group(Signal::TERM);
        }
    }

    /// SIGKILL; the rest of its group follows once it is gone, see [`wait`].
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&*self.pidfd, Signal::KILL);
    }

    fn signal_group(&self, signal: Signal) {
        if let Ok(pid) = pid_of(self.identity.pid) {
            let _ = kill_process_group(pid, signal);
        }
    }
}

/// Waits until the process is gone, then ends what is left of its group, as the end of a
/// container ends everything in it.
pub async fn wait(process: Process, child: Option<Child>) -> Ended {
    // Registered before the first look, so that no end is missed in between.
    let mut ended = child.as_ref().and_then(|_| signal(SignalKind::child()).ok());
    while !has_ended(&process, child.is_some()) {
        tokio::select! {
            _ = async { ended.as_mut()?.recv().await } , if ended.is_some() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
    let Some(mut child) = child else {
        // Not a child of this engine: its pid is free again, so its group is looked at one by one.
        for pid in procfs::group_members(process.identity.pid) {
            if let Some(left) = procfs::identify(pid).and_then(|identity| adopt(identity, false)) {
                left.kill();
            }
        }
        return Ended::Killed;
    };
    // Until it is reaped its pid, and with it the group's number, cannot be given to others.
    let deadline = tokio::time::Instant::now() + GROUP_GRACE;
    while process.group
        && !procfs::group_members(process.identity.pid).is_empty()
        && tokio::time::Instant::now() < deadline
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    process.signal_group(Signal::KILL);
    match child.wait() {
        Ok(status) => status.code().map_or(Ended::Killed, Ended::Code),
        Err(_) => Ended::Killed,
    }
}

/// Whether it is over; a child stays unreaped, so that its pid cannot be given to others yet.
fn has_ended(process: &Process, is_child: bool) -> bool {
    if !is_child {
        return !procfs::is_alive(process.identity);
    }
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    // An error means that there is no such child any more.
    !matches!(waitid(WaitId::PidFd(process.pidfd.as_fd()), look), Ok(None))
}

/// For people: how it ended.
pub fn describe(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("exit code {code}"),
        Ended::Killed => "a signal".to_owned(),
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
