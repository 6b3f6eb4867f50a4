//! What a run needs, and how it is begun.

use crate::attempt::World;
use crate::cache::Cache;
use crate::environment::Given;
use crate::error::{Error, Fault};
use crate::files;
use crate::images::{Image, Resolve};
use crate::process::{Cancel, Keeper};
use crate::record::{FORMAT, Outputs, Record, RunState};
use crate::schedule::{Earlier, Schedule};
use kfp::Pipeline;
use kfp::model::Body;
use kfp::run::{Facts, Run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The keepers of a runner that was killed end its steps; they get so long.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Bounds of a run.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Steps at the same time.
    pub parallel: usize,
    /// Longest time of one attempt, where the pipeline says none (`activeDeadlineSeconds`).
    pub step_deadline: Duration,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Bytes that are kept of what one attempt says; its last lines are in the record anyway.
    pub log_bytes: u64,
    /// Bytes of an output parameter.
    pub parameter_bytes: u64,
    /// Bytes of all artifacts of a step, and of any one file that it writes.
    pub artifact_bytes: u64,
    /// Steps in all: a loop may go through a list that another step wrote.
    pub steps: usize,
    /// Exit codes that are a step's last word: it would only say the same again. A Job's `podFailurePolicy` is
    /// the like; Kubeflow Pipelines knows no such thing, since its launcher makes 1 of every code.
    pub final_codes: BTreeSet<i32>,
}

impl Default for Limits {
    /// As many steps at once as there are processors; an hour, 8 MiB of log, 1 MiB, 16 GiB and 10,000 steps.
    fn default() -> Self {
        Limits {
            parallel: std::thread::available_parallelism().map_or(2, usize::from),
            step_deadline: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
            log_bytes: 8 << 20,
            parameter_bytes: 1 << 20,
            artifact_bytes: 16 << 30,
            steps: 10_000,
            final_codes: BTreeSet::new(),
        }
    }
}

/// What happens, as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An attempt begins.
    Started {
        /// Path of the step.
        step: String,
        /// From 1.
        attempt: u32,
    },
    /// A step is done.
    Succeeded {
        /// Path of the step.
        step: String,
        /// Its result is an earlier run's.
        cached: bool,
        /// How long its last attempt took.
        seconds: f64,
    },
    /// A step was done before this run was taken up again.
    Kept {
        /// Path of the step.
        step: String,
    },
    /// An attempt failed and another follows.
    Retry {
        /// Path of the step.
        step: String,
        /// Why.
        fault: Fault,
        /// When.
        pause: Duration,
    },
    /// A step failed for good.
    Failed {
        /// Path of the step.
        step: String,
        /// Why.
        fault: Fault,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started { step, attempt: 1 } => write!(f, "{step}: begins"),
            Event::Started { step, attempt } => write!(f, "{step}: begins, attempt {attempt}"),
            Event::Succeeded {
                step, cached: true, ..
            } => write!(f, "{step}: done, cached"),
            Event::Succeeded { step, seconds, .. } => write!(f, "{step}: done in {seconds:.1} s"),
            Event::Kept { step } => write!(f, "{step}: was done before"),
            Event::Retry { step, fault, pause } => {
                write!(f, "{step}: {fault}; again in {:.1} s", pause.as_secs_f64())
            }
            Event::Failed { step, fault } => write!(f, "{step}: failed: {fault}"),
        }
    }
}

/// A run that is to be begun, or taken up again.
pub struct Runner<'a> {
    /// What is run.
    pub pipeline: Pipeline,
    /// Its parameters; those left out have their defaults. To resume they may all be left out.
    pub parameters: BTreeMap<String, Value>,
    /// Folder of this run alone.
    pub folder: PathBuf,
    /// Id of a new run; nothing is a new one.
    pub run_id: Option<String>,
    /// What images are here.
    pub images: &'a dyn Resolve,
    /// Secrets, volumes, variables.
    pub given: Given,
    /// Ends a step's processes when this one is gone.
    pub keeper: Keeper,
    /// Results of other runs; none is without.
    pub cache: Option<Cache>,
    /// Bounds.
    pub limits: Limits,
    /// Stops it.
    pub cancel: Cancel,
    /// Command that goes on with a run, for messages.
    pub resume_command: String,
}

impl Runner<'_> {
    /// Runs the pipeline from its beginning to its end, which the record says.
    ///
    /// # Errors
    /// See [`Error`]. A step that fails is no error but a [`Record`] whose state is `Failed`.
    pub fn start(&self, progress: &mut dyn FnMut(&Event)) -> Result<Record, Error> {
        let created_ms = now_ms();
        let seed = format!("{} {created_ms} {}", self.folder.display(), std::process::id());
        let random = || contract::sha256_hex(seed.as_bytes())[7..23].to_owned();
        let text = self.document()?;
        let record = Record {
            format: FORMAT,
            run_id: self.run_id.clone().unwrap_or_else(random),
            run_name: format!("{}-{created_ms}", self.pipeline.name),
            pipeline: self.pipeline.name.clone(),
            pipeline_digest: contract::sha256_hex(text.as_bytes()),
            parameters: kfp::run::parameters(&self.pipeline, self.parameters.clone())?,
            state: RunState::Running,
            created_ms,
            ended_ms: None,
            steps: BTreeMap::new(),
            outputs: Outputs::default(),
            failures: Vec::new(),
        };
        let run = self.run(&record)?;
        let images = self.images()?;
        fs::create_dir_all(&self.folder).map_err(|source| self.io(&self.folder, source))?;
        let folder = self.absolute()?;
        if !Record::path(&folder).exists() {
            self.is_empty(&folder)?;
        }
        let lock = self.lock(&folder)?;
        if let Some(found) = Record::read(&folder)? {
            return Err(Error::RunExists {
                path: Record::path(&folder),
                run_id: found.run_id,
                resume: self.resume_command.clone(),
            });
        }
        let file = folder.join("pipeline.yaml");
        files::write_for_good(&file, text.as_bytes()).map_err(|source| self.io(&file, source))?;
        record.write(&folder)?;
        self.drive(&folder, &lock, record, run, images, Earlier::default(), progress)
    }

    /// Takes up a run that was cut off, or that has failed: what failed is tried again, what is done stays.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn resume(&self, progress: &mut dyn FnMut(&Event)) -> Result<Record, Error> {
        let nothing = || Error::NothingToResume {
            path: Record::path(&self.folder),
        };
        if !Record::path(&self.folder).exists() {
            return Err(nothing());
        }
        let folder = self.absolute()?;
        let lock = self.lock(&folder)?;
        let mut record = Record::read(&folder)?.ok_or_else(nothing)?;
        self.is_the_same(&record)?;
        let run = self.run(&record)?;
        let images = self.images()?;
        if record.state == RunState::Succeeded {
            return Ok(record);
        }
        let earlier = Earlier::of(&mut record, &self.pipeline);
        record.write(&folder)?;
        self.drive(&folder, &lock, record, run, images, earlier, progress)
    }

    #[expect(clippy::too_many_arguments, reason = "all of a run that is under way")]
    fn drive(
        &self,
        folder: &Path,
        lock: &File,
        mut record: Record,
        run: Run,
        images: BTreeMap<String, Image>,
        earlier: Earlier,
        progress: &mut dyn FnMut(&Event),
    ) -> Result<Record, Error> {
        let seconds = self.pipeline.lifetime.deadline_seconds;
        let world = World {
            runner: self,
            folder,
            lock,
            deadline: seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.into())),
        };
        let mut schedule = Schedule::new(&world, &mut record, run, images, earlier, progress);
        schedule.drive()?;
        Ok(record)
    }

    fn document(&self) -> Result<String, Error> {
        Ok(self.pipeline.emit()?.text)
    }

    fn run(&self, record: &Record) -> Result<Run, Error> {
        self.given.check(&self.pipeline)?;
        let facts = Facts {
            run_id: record.run_id.clone(),
            run_name: record.run_name.clone(),
            created: contract::time::utc(record.created_ms),
        };
        Ok(Run::new(self.pipeline.clone(), record.parameters.clone(), facts)?)
    }

    /// Every image that the pipeline names, before the first step begins.
    fn images(&self) -> Result<BTreeMap<String, Image>, Error> {
        let mut images = BTreeMap::new();
        for (component, body) in &self.pipeline.components {
            let Body::Container(container) = &body.body else {
                continue;
            };
            if images.contains_key(&container.image) {
                continue;
            }
            let image = self.images.resolve(&container.image);
            let image = image.map_err(|why| Error::ImageUnknown {
                component: component.clone(),
                image: container.image.clone(),
                why,
            })?;
            images.insert(container.image.clone(), image);
        }
        Ok(images)
    }

    fn is_the_same(&self, record: &Record) -> Result<(), Error> {
        let digest = contract::sha256_hex(self.document()?.as_bytes());
        if digest != record.pipeline_digest {
            return Err(Error::PipelineChanged {
                name: self.pipeline.name.clone(),
                digest,
                begun: record.pipeline_digest.clone(),
            });
        }
        if self.parameters.is_empty() {
            return Ok(());
        }
        for (name, value) in kfp::run::parameters(&self.pipeline, self.parameters.clone())? {
            let begun = record.parameters.get(&name);
            if begun != Some(&value) {
                return Err(Error::ParameterChanged {
                    name,
                    value: value.to_string(),
                    begun: begun.map_or("nothing".to_owned(), Value::to_string),
                });
            }
        }
        Ok(())
    }

    /// Somebody's folder is not written into. A start that was cut off may have left its first files.
    fn is_empty(&self, folder: &Path) -> Result<(), Error> {
        let known = ["lock", "pipeline.yaml", "pipeline.yaml.new", "run.json.new"];
        let entries = fs::read_dir(folder).map_err(|source| self.io(folder, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| self.io(folder, source))?;
            if !known.iter().any(|name| entry.file_name() == *name) {
                return Err(Error::FolderNotEmpty { path: entry.path() });
            }
        }
        Ok(())
    }

    fn absolute(&self) -> Result<PathBuf, Error> {
        let found = self.folder.canonicalize();
        found.map_err(|source| self.io(&self.folder, source))
    }

    /// Keepers hold it as long as their step lives, so that nobody begins beside a killed runner's step.
    fn lock(&self, folder: &Path) -> Result<File, Error> {
        let path = folder.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let file = file.map_err(|source| self.io(&path, source))?;
        let until = Instant::now() + LOCK_PATIENCE.min(self.limits.grace.max(Duration::from_millis(500)));
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(self.io(&path, source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(Error::FolderLocked { path });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    fn io(&self, path: &Path, source: std::io::Error) -> Error {
        Error::FolderIo {
            path: path.to_owned(),
            source,
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
