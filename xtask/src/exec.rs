//! The outside world behind one trait. No other file of xtask starts a process.
//!
//! [`Real`] acts, [`Recording`] (`--dry-run`) lets reading commands through and writes changing ones
//! down, [`Fake`] (tests) answers from a script. Which one is used is chosen once, in `main`.

mod cmd;
mod fake;
mod http;
mod recording;
mod shared;

pub use cmd::{Cmd, Effect, Output, Show, Tell};
pub use fake::{Fake, FakeEngine};
pub use http::{Answer, Request};
pub use recording::Recording;

use engine::{Engine, EngineClient, EngineError};
use std::{
    fs, io,
    io::{Read, Write},
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Why a process did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// No such program.
    #[error("there is no program {0:?} on PATH")]
    NotFound(String),
    /// It was still running at its deadline and was killed.
    #[error("`{command}` did not end within {seconds} s")]
    Deadline {
        /// As it would be typed.
        command: String,
        /// The deadline.
        seconds: u64,
    },
    /// The system refused.
    #[error("`{command}` could not be run")]
    Io {
        /// As it would be typed.
        command: String,
        /// The system's words.
        #[source]
        source: io::Error,
    },
}

/// Everything that xtask does outside of its own memory.
pub trait Executor: Send + Sync {
    /// Runs a command to its end, whatever its exit code.
    ///
    /// # Errors
    /// When it could not be started or did not end in time.
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError>;
    /// Starts a command that outlives xtask (own session, output appended to `log`).
    ///
    /// # Errors
    /// When it could not be started.
    fn start(&self, cmd: &Cmd, log: &Path) -> Result<(), ExecError>;
    /// Where a program is found on PATH.
    fn find(&self, program: &str) -> Option<PathBuf>;
    /// Contents of a file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// SHA-256 of a file, `sha256:<hex>`.
    ///
    /// # Errors
    /// As the system says.
    fn sha256(&self, path: &Path) -> io::Result<String> {
        Ok(contract::sha256_hex(&self.read(path)?))
    }
    /// Writes a file whole (aside, then renamed; parents are made). `mode` as in chmod.
    ///
    /// # Errors
    /// As the system says.
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()>;
    /// Removes a folder with all in it; an absent one is fine.
    ///
    /// # Errors
    /// As the system says.
    fn remove_tree(&self, path: &Path) -> io::Result<()>;
    /// Removes a file; an absent one is fine.
    ///
    /// # Errors
    /// As the system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Whether 127.0.0.1:`port` can be bound.
    fn port_is_free(&self, port: u16) -> bool;
    /// One HTTP exchange with something on this machine.
    ///
    /// # Errors
    /// The transport's words.
    fn http(&self, request: &Request) -> Result<Answer, String>;
    /// The engine of a state folder.
    ///
    /// # Errors
    /// `Unreachable` when none was started there.
    fn engine(&self, state: &Path) -> Result<Box<dyn Engine>, EngineError>;
    /// Stops the engine of a state folder and all it started.
    ///
    /// # Errors
    /// `Unreachable` or `Refused`.
    fn stop_engine(&self, state: &Path) -> Result<(), EngineError>;
    /// Takes the lock file at `path` until the returned value is dropped; `None` when another
    /// process holds it.
    ///
    /// # Errors
    /// As the system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Lock>>;
    /// Prints a line of a result to standard output.
    fn print(&self, line: &str);
    /// Lets time pass between two looks at a condition. False: there is nothing to wait for,
    /// because changes are only written down.
    fn pause(&self, what: &str, time: Duration) -> bool;
    /// Whether changes are only written down.
    fn pretends(&self) -> bool {
        false
    }
}

/// Holds a lock until it is dropped; the system lets go of it when the process ends, however it does.
#[derive(Debug)]
pub struct Lock {
    _file: Option<fs::File>,
}

/// Acts.
#[derive(Debug, Default)]
pub struct Real;

impl Real {
    /// xshell builds the command (arguments as a vector, environment, folder; never a shell's text);
    /// std runs it, since xshell's own run knows neither deadlines nor progress.
    fn command(cmd: &Cmd) -> Result<Command, ExecError> {
        let shell = xshell::Shell::new().map_err(|error| ExecError::Io {
            command: cmd.to_string(),
            source: io::Error::other(error),
        })?;
        if let Some(dir) = &cmd.dir {
            shell.change_dir(dir);
        }
        let mut built = shell.cmd(&cmd.program).args(&cmd.args);
        for (name, value) in cmd.env.iter().chain(&cmd.secret_env).chain(&cmd.shape) {
            built = built.env(name, value);
        }
        for name in &cmd.without_env {
            built = built.env_remove(name);
        }
        let mut command = Command::from(built);
        command.stdin(Stdio::null());
        Ok(command)
    }

    fn spawn(cmd: &Cmd, command: &mut Command) -> Result<Child, ExecError> {
        command.spawn().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound if cmd.dir.as_ref().is_none_or(|dir| dir.is_dir()) => {
                ExecError::NotFound(cmd.program.clone())
            }
            _ => ExecError::Io {
                command: cmd.to_string(),
                source,
            },
        })
    }
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe never blocks the child.
fn drain(
    pipe: Option<impl Read + Send + 'static>,
    show: bool,
    tell: Option<cmd::Tell>,
) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        let mut told = 0;
        let mut pipe = pipe;
        // A read error ends the text early; the exit code still decides.
        while let Some(Ok(count @ 1..)) = pipe.as_mut().map(|pipe| pipe.read(&mut piece)) {
            if show {
                // Nobody may be there to read it.
                let _ = io::stderr().write_all(&piece[..count]);
            }
            bytes.extend_from_slice(&piece[..count]);
            let Some(tell) = &tell else {
                continue;
            };
            while let Some(end) = bytes[told..].iter().position(|byte| *byte == b'\n') {
                tell(&String::from_utf8_lossy(&bytes[told..told + end]));
                told += end + 1;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Executor for Real {
    fn run(&self, cmd: &Cmd) -> Result<Output, ExecError> {
        let io_error = |source| ExecError::Io {
            command: cmd.to_string(),
            source,
        };
        let mut command = Self::command(cmd)?;
        match &cmd.show {
            Show::Captured => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
            Show::Progress => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
            Show::All => command.stdout(Stdio::inherit()).stderr(Stdio::inherit()),
        };
        let mut child = Self::spawn(cmd, &mut command)?;
        let stdout = drain(child.stdout.take(), false, None);
        let stderr = drain(child.stderr.take(), cmd.show == Show::Progress, cmd.tell.clone());
        let start = Instant::now();
        let mut nap = Duration::from_micros(500);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(io_error)? {
                break status;
            }
            if start.elapsed() >= cmd.deadline {
                // It may have ended just now; either way it is over after these two lines.
                let _ = child.kill();
                child.wait().map_err(io_error)?;
                return Err(ExecError::Deadline {
                    command: cmd.to_string(),
                    seconds: cmd.deadline.as_secs(),
                });
            }
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(20));
        };
        Ok(Output {
            // Killed by a signal: 128 + n, as shells say it.
            code: status
                .code()
                .unwrap_or_else(|| 128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)),
            stdout: stdout.join().unwrap_or_default(),
            stderr: stderr.join().unwrap_or_default(),
        })
    }

    fn start(&self, cmd: &Cmd, log: &Path) -> Result<(), ExecError> {
        let io_error = |source| ExecError::Io {
            command: cmd.to_string(),
            source,
        };
        let open = || {
            if let Some(parent) = log.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::OpenOptions::new().create(true).append(true).open(log)
        };
        let out = open().map_err(io_error)?;
        let err = out.try_clone().map_err(io_error)?;
        // A process group of its own is out of reach of Ctrl-C; a session of its own (util-linux)
        // also of a closing terminal.
        let mut command = match self.find("setsid") {
            Some(setsid) => {
                let wrapped = Cmd {
                    program: setsid.display().to_string(),
                    args: std::iter::once(cmd.program.clone())
                        .chain(cmd.args.clone())
                        .collect(),
                    ..cmd.clone()
                };
                Self::command(&wrapped)?
            }
            None => {
                let mut command = Self::command(cmd)?;
                command.process_group(0);
                command
            }
        };
        command.stdout(out).stderr(err);
        Self::spawn(cmd, &mut command).map(|_child| ())
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        if program.contains('/') {
            return Some(PathBuf::from(program)).filter(|path| is_executable(path));
        }
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|dir| dir.join(program))
            .find(|path| is_executable(path))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = parent.join(format!(".{name}.{}", std::process::id()));
        let written = fs::write(&aside, bytes)
            .and_then(|()| fs::set_permissions(&aside, fs::Permissions::from_mode(mode)))
            .and_then(|()| fs::rename(&aside, path));
        if written.is_err() {
            // Nothing half-written stays; the first error is the one to tell.
            let _ = fs::remove_file(&aside);
        }
        written
    }

    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn port_is_free(&self, port: u16) -> bool {
        TcpListener::bind(("127.0.0.1", port)).is_ok()
    }

    fn http(&self, request: &Request) -> Result<Answer, String> {
        http::exchange(request)
    }

    fn engine(&self, state: &Path) -> Result<Box<dyn Engine>, EngineError> {
        Ok(Box::new(EngineClient::open(state)?))
    }

    fn stop_engine(&self, state: &Path) -> Result<(), EngineError> {
        EngineClient::open(state)?.shutdown()
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Lock>> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: Some(file) })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn print(&self, line: &str) {
        // A closed pipe (`| head`) is no failure.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }

    fn pause(&self, _what: &str, time: Duration) -> bool {
        std::thread::sleep(time);
        true
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
