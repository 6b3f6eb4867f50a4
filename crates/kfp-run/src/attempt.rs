//! One attempt of a step: its folder, its process, what it leaves. Runs in a thread of its own.

use crate::collect::{collect, unreadable};
use crate::environment::with_mounts;
use crate::error::{Fault, FaultId};
use crate::files::{self, Tree};
use crate::images::Image;
use crate::places::{AttemptFolder, file_name};
use crate::process::{Ended, How, Started};
use crate::record::Outputs;
use crate::runner::Runner;
use kfp::run::Launch;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What all attempts of a run share.
pub(crate) struct World<'a> {
    pub runner: &'a Runner<'a>,
    /// Absolute.
    pub folder: &'a Path,
    pub lock: &'a File,
    /// The whole run's.
    pub deadline: Option<Instant>,
}

/// One attempt that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub launch: Launch,
    pub image: Image,
    pub number: u32,
    /// Where a result is taken from, and put.
    pub key: Option<String>,
    /// Attempts that failed before.
    pub failed: u32,
}

/// How an attempt went.
#[derive(Debug)]
pub(crate) struct Tried {
    pub result: Result<Outputs, Stop>,
    pub warnings: Vec<String>,
    pub cached: bool,
    pub exit_code: Option<i32>,
    pub tail: Vec<String>,
}

/// Why it left nothing.
#[derive(Debug)]
pub(crate) enum Stop {
    Fault(Fault),
    Cancelled,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

impl World<'_> {
    /// Makes one attempt.
    pub(crate) fn attempt(&self, order: &Order) -> Tried {
        let mut tried = Tried {
            result: Err(Stop::Cancelled),
            warnings: Vec::new(),
            cached: false,
            exit_code: None,
            tail: Vec::new(),
        };
        tried.result = self.tried(order, &mut tried);
        tried
    }

    fn tried(&self, order: &Order, tried: &mut Tried) -> Result<Outputs, Stop> {
        let run = self.folder;
        let folder = AttemptFolder::new(run, &order.launch.path, order.number);
        let unusable =
            |error: io::Error| Fault::new(FaultId::StepFolder, format!("{}: {error}", folder.path.display()));
        make(&folder).map_err(unusable)?;
        let cache = self.runner.cache.as_ref().zip(order.key.as_deref());
        if let Some((cache, key)) = cache {
            let place = |name: &str| folder.artifact(name);
            if let Some(outputs) = cache.take(key, run, &place) {
                tried.cached = true;
                return Ok(outputs);
            }
        }
        let ended = self.process(order, &folder)?.run().map_err(unusable)?;
        let (outputs, warnings) = self.judged(order, &folder, ended, tried)?;
        tried.warnings = warnings;
        if let Some((cache, key)) = cache
            && let Err(error) = cache.put(key, run, &outputs)
        {
            tried.warnings.push(format!("the result was not cached: {error}"));
        }
        // What only the process needed.
        for name in ["inputs", "tmp", "mounts", "work"] {
            files::remove(&folder.at(name)).map_err(unusable)?;
        }
        Ok(outputs)
    }

    fn judged(
        &self,
        order: &Order,
        folder: &AttemptFolder,
        ended: Ended,
        tried: &mut Tried,
    ) -> Result<(Outputs, Vec<String>), Stop> {
        tried.tail = ended.tail;
        let (id, what) = match ended.how {
            How::Code(0) => {
                tried.exit_code = Some(0);
                let limits = &self.runner.limits;
                return Ok(collect(&order.launch, folder, self.folder, limits)?);
            }
            How::Code(code) => {
                tried.exit_code = Some(code);
                (FaultId::ExitCode, format!("exit code {code}; expected 0"))
            }
            How::Signal(signal) => (FaultId::KilledBySignal, format!("ended by signal {signal}")),
            How::NotStarted(why) => (FaultId::CannotStart, why),
            How::Lost => (FaultId::KeeperLost, "its keeper was killed".to_owned()),
            How::Cancelled => return Err(Stop::Cancelled),
            How::Deadline => {
                let seconds = self.longest(order).as_secs();
                let what = match self.deadline {
                    Some(at) if at <= Instant::now() => "the run's deadline has passed".to_owned(),
                    _ => format!("took longer than {seconds} s"),
                };
                (FaultId::DeadlineExceeded, what)
            }
        };
        Err(Fault::new(id, what).into())
    }

    fn longest(&self, order: &Order) -> Duration {
        let own = order.launch.container.kubernetes.deadline_seconds;
        own.map_or(self.runner.limits.step_deadline, Duration::from_secs)
    }

    /// Everything that the process needs, with inputs copied.
    fn process(&self, order: &Order, folder: &AttemptFolder) -> Result<Started<'_>, Stop> {
        let runner = self.runner;
        let own = folder.at("mounts");
        let pod = &order.launch.container.kubernetes;
        for at in 0..pod.empty_dirs.len() {
            let empty = own.join(at.to_string());
            let failed = |error| Fault::new(FaultId::StepFolder, format!("{}: {error}", empty.display()));
            fs::create_dir_all(&empty).map_err(failed)?;
        }
        let mounts = runner.given.mounts(pod, &own);
        let mut launch = order.launch.clone();
        launch.container = with_mounts(&launch.container, &mounts);
        self.inputs(&mut launch, folder)?;
        let words = launch.command(&folder.places(&launch, self.folder));
        let words = words.map_err(|why| Fault::new(FaultId::InputMissing, why))?;

        let mut own = vec![
            ("HOME", folder.at("work").display().to_string()),
            ("TMPDIR", folder.at("tmp").display().to_string()),
        ];
        if launch.retry.is_some() {
            own.push(("KFP_RETRY_INDEX", order.failed.to_string()));
        }
        let env = runner
            .given
            .variables(&order.image, &order.launch.container, &mounts, &own);
        let (name, arguments) = words
            .split_first()
            .ok_or_else(|| Fault::new(FaultId::CannotStart, "the command is empty; expected a program"))?;
        let search = env.get("PATH").map(String::as_str).unwrap_or_default();
        let program = order.image.program(name, search).ok_or_else(|| {
            let what = format!("program {name:?}: image {:?} has none", launch.container.image);
            Fault::new(FaultId::CannotStart, what)
        })?;
        if let Some(at) = arguments.iter().position(|word| word.contains('\0')) {
            let what = format!(
                "argument {}: has a zero byte, which no program can be given",
                at + 1
            );
            return Err(Fault::new(FaultId::CannotStart, what).into());
        }
        let own_deadline = Instant::now() + self.longest(order);
        Ok(Started {
            keeper: &runner.keeper,
            lock: self.lock,
            cancel: &runner.cancel,
            program,
            arguments: arguments.to_vec(),
            env,
            folder: folder.at("work"),
            end_file: folder.at("end.json"),
            log: folder.at("log.txt"),
            log_bytes: runner.limits.log_bytes,
            file_bytes: runner.limits.artifact_bytes,
            grace: runner.limits.grace,
            deadline: self.deadline.map_or(own_deadline, |run| run.min(own_deadline)),
        })
    }

    /// Copies of its own: a step that changes its input changes nobody else's.
    fn inputs(&self, launch: &mut Launch, folder: &AttemptFolder) -> Result<(), Fault> {
        for (name, all) in &mut launch.artifacts {
            let place = folder.at("inputs").join(file_name(name));
            let failed =
                |error: io::Error| Fault::new(FaultId::StepFolder, format!("{}: {error}", place.display()));
            fs::create_dir_all(&place).map_err(failed)?;
            for (at, artifact) in all.iter_mut().enumerate() {
                let to = place.join(at.to_string());
                let tree = Tree::copy(&PathBuf::from(&artifact.path), &to, u64::MAX);
                let tree = tree.map_err(|error| unreadable(name, &error))?;
                let digest = tree.map_or(String::new(), |tree| tree.digest);
                if digest != artifact.digest {
                    let what = format!(
                        "artifact {name}: {} is {digest}, was {} when its step ended",
                        artifact.path, artifact.digest
                    );
                    return Err(Fault::new(FaultId::StepFolder, what));
                }
                artifact.path = to.display().to_string();
                artifact.uri.clone_from(&artifact.path);
            }
        }
        Ok(())
    }
}

/// An empty folder for the attempt. Of the one before only its log stays.
fn make(folder: &AttemptFolder) -> io::Result<()> {
    files::remove(&folder.path)?;
    let before: Option<u32> = folder
        .path
        .file_name()
        .and_then(|name| name.to_str()?.parse().ok());
    if let Some(before) = before.and_then(|number| number.checked_sub(1)) {
        let before = folder.path.with_file_name(before.to_string());
        for name in ["inputs", "outputs", "artifacts", "tmp", "mounts", "work"] {
            files::remove(&before.join(name))?;
        }
    }
    for name in ["outputs", "artifacts", "tmp", "work"] {
        fs::create_dir_all(folder.at(name))?;
    }
    Ok(())
}
