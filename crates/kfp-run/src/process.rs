//! Starts a step by way of its keeper, and waits: for its end, its deadline, or the end of the run.

use crate::files;
use crate::keep::End;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// After its grace a step that cannot be killed is waited for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of the log's end that are looked at for its last lines.
const TAIL_BYTES: usize = 8 << 10;
/// Last lines, and letters of each, that are in the record.
const TAIL_LINES: usize = 10;
const TAIL_LETTERS: usize = 300;

/// The program whose first thing is [`crate::keep()`], with the arguments that make it so.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Absolute path; the runner's own program, most often.
    pub program: PathBuf,
    /// Its first arguments.
    pub arguments: Vec<OsString>,
}

/// Stops a run from another thread.
#[derive(Debug)]
pub struct Cancel {
    reader: PipeReader,
    writer: Mutex<Option<PipeWriter>>,
}

impl Cancel {
    /// Of one run.
    ///
    /// # Errors
    /// When the system has no more pipes.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Cancel {
            reader,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Running steps are told to end, no others begin. The run can be taken up again.
    pub fn cancel(&self) {
        if let Ok(mut writer) = self.writer.lock() {
            *writer = None;
        }
    }

    /// Whether it was.
    pub fn is_cancelled(&self) -> bool {
        self.writer.lock().is_ok_and(|writer| writer.is_none())
    }
}

/// What is started.
pub(crate) struct Started<'a> {
    pub keeper: &'a Keeper,
    pub lock: &'a File,
    pub cancel: &'a Cancel,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub folder: PathBuf,
    pub end_file: PathBuf,
    pub log: PathBuf,
    pub log_bytes: u64,
    pub file_bytes: u64,
    pub grace: Duration,
    pub deadline: Instant,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Code(i32),
    Signal(i32),
    NotStarted(String),
    Deadline,
    Cancelled,
    Lost,
}

/// How it went, with its last words.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub how: How,
    pub tail: Vec<String>,
}

impl Started<'_> {
    pub(crate) fn run(self) -> io::Result<Ended> {
        let (lifeline, mut told) = io::pipe()?;
        let (mut said, says) = io::pipe()?;
        fcntl_setfl(&said, fcntl_getfl(&said)? | OFlags::NONBLOCK)?;
        let mut command = Command::new(&self.keeper.program);
        command
            .args(&self.keeper.arguments)
            .arg(&self.end_file)
            .arg(self.grace.as_millis().to_string())
            .arg(self.file_bytes.to_string())
            .arg(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.folder)
            .stdin(lifeline)
            .stdout(self.lock.try_clone()?)
            .stderr(says)
            // A Ctrl-C at a terminal is the runner's; its end is the keeper's sign.
            .process_group(0);
        let mut log = Log::new(&self.log, self.log_bytes)?;
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let program = self.keeper.program.display();
                return Ok(Ended {
                    how: How::NotStarted(format!("keeper {program}: {error}")),
                    tail: Vec::new(),
                });
            }
        };
        // It holds the write end of the log until now.
        drop(command);
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the keeper has no pid"))?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let mut asked: Option<How> = None;
        let mut until = self.deadline;
        let mut quiet = false;
        loop {
            let mut waited = vec![PollFd::new(&pidfd, PollFlags::IN)];
            if !quiet {
                waited.push(PollFd::new(&said, PollFlags::IN));
            }
            if asked.is_none() {
                waited.push(PollFd::new(&self.cancel.reader, PollFlags::IN));
            }
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).ok();
            match poll(&mut waited, timeout.as_ref()) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            let over = !waited[0].revents().is_empty();
            let cancelled = asked.is_none() && waited.last().is_some_and(|last| !last.revents().is_empty());
            drop(waited);
            quiet = quiet || log.take(&mut said)?;
            if over {
                break;
            }
            if asked.is_none() && (cancelled || Instant::now() >= until) {
                asked = Some(if cancelled { How::Cancelled } else { How::Deadline });
                // Nobody reads it when the keeper has just ended: that is seen next.
                let _ = told.write_all(b"t");
                until = Instant::now() + self.grace + PATIENCE;
            } else if Instant::now() >= until {
                child.kill()?;
                until += PATIENCE;
            }
        }
        child.wait()?;
        log.take(&mut said)?;
        let end = files::bounded(&self.end_file, 64 << 10).ok().flatten();
        let end: Option<End> = end.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let how = match (asked, end) {
            (Some(asked), _) => asked,
            (
                None,
                Some(End {
                    error: Some(error), ..
                }),
            ) => How::NotStarted(error),
            (None, Some(End { code: Some(code), .. })) => How::Code(code),
            (
                None,
                Some(End {
                    signal: Some(signal), ..
                }),
            ) => How::Signal(signal),
            (None, _) => How::Lost,
        };
        Ok(Ended {
            how,
            tail: log.tail(),
        })
    }
}

/// What a step says: the first part in a file, the last lines besides.
struct Log {
    file: File,
    room: u64,
    lost: u64,
    last: VecDeque<u8>,
    buffer: Vec<u8>,
}

impl Log {
    fn new(path: &std::path::Path, room: u64) -> io::Result<Self> {
        Ok(Log {
            file: File::create(path)?,
            room,
            lost: 0,
            last: VecDeque::new(),
            buffer: vec![0; 64 << 10],
        })
    }

    /// Takes what is there, within bounds; whether nothing can come any more.
    fn take(&mut self, from: &mut PipeReader) -> io::Result<bool> {
        // A step that says more than this at once is read on after a look at the clock.
        for _ in 0..64 {
            match from.read(&mut self.buffer) {
                Ok(0) => return Ok(true),
                Ok(count) => self.keep(count)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    fn keep(&mut self, count: usize) -> io::Result<()> {
        let bytes = &self.buffer[..count];
        let fits = usize::try_from(self.room).unwrap_or(usize::MAX).min(count);
        self.file.write_all(&bytes[..fits])?;
        self.room -= fits as u64;
        self.lost += (count - fits) as u64;
        self.last.extend(bytes);
        let surplus = self.last.len().saturating_sub(TAIL_BYTES);
        self.last.drain(..surplus);
        Ok(())
    }

    fn tail(mut self) -> Vec<String> {
        if self.lost > 0 {
            // The record's lines are from the very end; the file has the beginning.
            let _ = writeln!(self.file, "\n({} bytes more were not kept)", self.lost);
        }
        let bytes: Vec<u8> = self.last.into();
        tail(&String::from_utf8_lossy(&bytes))
    }
}

/// The last lines, without what would move a terminal's cursor.
pub(crate) fn tail(text: &str) -> Vec<String> {
    let plain = |line: &str| -> String {
        let letters = line.chars().filter(|c| !c.is_control() || *c == '\t');
        letters.take(TAIL_LETTERS).collect()
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..].iter().map(|line| plain(line)).collect()
}
