//! Starts what can start, keeps the record, starts again what may pass another time.

use crate::attempt::{Order, Tried, World};
use crate::error::Error;
use crate::images::Image;
use crate::places::AttemptFolder;
use crate::record::{Attempt, AttemptState, Outputs, Record, StepRecord, StepState};
use crate::resume::kept;
use crate::runner::{Event, now_ms};
use crate::settle::why;
use kfp::model::Cache;
use kfp::run::{End, Launch, Run, State};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::Scope;
use std::time::{Duration, Instant};

/// Attempts of a step that are in the record.
const ATTEMPTS_MAX: usize = 20;
/// How long a cancelled run may not notice it while nothing runs.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Steps of an earlier start that may count, by path.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    pub steps: BTreeMap<String, StepRecord>,
}

/// A run under way.
pub(crate) struct Schedule<'a> {
    pub(crate) world: &'a World<'a>,
    pub(crate) record: &'a mut Record,
    pub(crate) run: Run,
    pub(crate) images: BTreeMap<String, Image>,
    pub(crate) earlier: Earlier,
    pub(crate) progress: &'a mut dyn FnMut(&Event),
    pub(crate) seen: BTreeSet<String>,
    pub(crate) under_way: BTreeMap<String, Order>,
    pub(crate) waiting: BTreeMap<String, (Instant, Order)>,
    pub(crate) cancelled: bool,
}

type Message = (String, Tried);

impl<'a> Schedule<'a> {
    pub(crate) fn new(
        world: &'a World<'a>,
        record: &'a mut Record,
        run: Run,
        images: BTreeMap<String, Image>,
        earlier: Earlier,
        progress: &'a mut dyn FnMut(&Event),
    ) -> Self {
        Schedule {
            world,
            record,
            run,
            images,
            earlier,
            progress,
            seen: BTreeSet::new(),
            under_way: BTreeMap::new(),
            waiting: BTreeMap::new(),
            cancelled: false,
        }
    }

    /// To the end of the run.
    pub(crate) fn drive(&mut self) -> Result<(), Error> {
        let world = self.world;
        std::thread::scope(|scope| {
            let (sender, receiver) = channel();
            let ended = self.turn(scope, &sender, &receiver);
            if ended.is_err() {
                // The threads are waited for: their steps must end.
                world.runner.cancel.cancel();
            }
            ended
        })
    }

    fn turn<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        sender: &Sender<Message>,
        receiver: &Receiver<Message>,
    ) -> Result<(), Error>
    where
        'a: 'scope,
    {
        loop {
            self.cancelled = self.cancelled || self.world.runner.cancel.is_cancelled();
            let (launches, state) = self.run.look();
            if self.under_way.is_empty() {
                if self.cancelled && state == State::Running {
                    return self.over(None);
                }
                if state != State::Running {
                    return self.over(Some(state));
                }
            }
            if !self.cancelled && self.begin(launches, scope, sender)? {
                continue;
            }
            let next = self.waiting.values().map(|(at, _)| *at).min();
            let next = next.map(|at| at.saturating_duration_since(Instant::now()));
            match receiver.recv_timeout(next.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)) {
                Ok((path, tried)) => self.ended(&path, tried)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// Starts what can start; whether a step was over without being started, so that others may be possible.
    fn begin<'scope>(
        &mut self,
        launches: Vec<Launch>,
        scope: &'scope Scope<'scope, '_>,
        sender: &Sender<Message>,
    ) -> Result<bool, Error>
    where
        'a: 'scope,
    {
        for launch in launches {
            let path = launch.path.clone();
            if self.under_way.contains_key(&path) {
                continue;
            }
            if let Some(earlier) = self.earlier.steps.remove(&path)
                && self.take_up(&launch, earlier)?
            {
                return Ok(true);
            }
            if self.under_way.len() >= self.world.runner.limits.parallel.max(1) {
                continue;
            }
            let order = match self.waiting.get(&path) {
                Some((at, _)) if *at > Instant::now() => continue,
                Some((_, order)) => order.clone(),
                None => self.order(launch)?,
            };
            self.waiting.remove(&path);
            self.start(order, scope, sender)?;
        }
        Ok(false)
    }

    /// Whether what the step came to before this start of the run counts.
    fn take_up(&mut self, launch: &Launch, earlier: StepRecord) -> Result<bool, Error> {
        let path = &launch.path;
        let given = self.given(launch);
        if let Some(outputs) = kept(self.world, launch, &given, &earlier) {
            self.run
                .end(path, End::Succeeded(outputs.left(self.world.folder)));
            self.seen.insert(path.clone());
            let mut step = earlier;
            if step.state == StepState::Running
                && let Some(attempt) = step.attempts.last_mut()
            {
                attempt.state = AttemptState::Succeeded;
                attempt.exit_code = Some(0);
                attempt.ended_ms = Some(now_ms());
            }
            step.state = StepState::Succeeded;
            step.outputs = outputs;
            self.record.steps.insert(path.clone(), step);
            self.record.write(self.world.folder)?;
            (self.progress)(&Event::Kept { step: path.clone() });
            return Ok(true);
        }
        if earlier.state == StepState::Failed && earlier.given == given {
            let last = earlier.attempts.last();
            let why = last.map_or(String::new(), why);
            self.seen.insert(path.clone());
            self.run.end(path, End::Failed(why));
            return Ok(true);
        }
        Ok(false)
    }

    fn image(&self, launch: &Launch) -> Image {
        let known = self.images.get(&launch.container.image);
        known.cloned().unwrap_or_default()
    }

    /// Digest of what runs and what it is given.
    fn given(&self, launch: &Launch) -> String {
        let mut launch = launch.clone();
        launch.cache = Cache::On;
        let digest = self.image(&launch).digest;
        launch
            .cache_key(&self.record.pipeline, &digest)
            .unwrap_or_default()
    }

    fn order(&mut self, launch: Launch) -> Result<Order, Error> {
        let limit = self.world.runner.limits.steps;
        self.seen.insert(launch.path.clone());
        if self.seen.len() > limit {
            return Err(Error::TooManySteps {
                steps: self.seen.len(),
                limit,
            });
        }
        let given = self.given(&launch);
        let image = self.image(&launch);
        let key = launch.cache_key(&self.record.pipeline, &image.digest);
        let before = self.record.steps.get(&launch.path);
        let number = before
            .and_then(|step| step.attempts.last())
            .map_or(1, |last| last.number + 1);
        // With other inputs it is another step.
        let before = before.filter(|step| step.given == given).cloned();
        let step = before.unwrap_or_else(|| StepRecord {
            component: launch.component.clone(),
            state: StepState::Running,
            given,
            cached: false,
            started_ms: now_ms(),
            failed: 0,
            attempts: Vec::new(),
            outputs: Outputs::default(),
            warnings: Vec::new(),
        });
        let failed = step.failed;
        self.record.steps.insert(launch.path.clone(), step);
        Ok(Order {
            launch,
            image,
            number,
            key,
            failed,
        })
    }

    fn start<'scope>(
        &mut self,
        order: Order,
        scope: &'scope Scope<'scope, '_>,
        sender: &Sender<Message>,
    ) -> Result<(), Error>
    where
        'a: 'scope,
    {
        let path = order.launch.path.clone();
        let folder = AttemptFolder::new(self.world.folder, &path, order.number);
        if let Some(step) = self.record.steps.get_mut(&path) {
            step.state = StepState::Running;
            step.attempts.push(Attempt {
                number: order.number,
                state: AttemptState::Running,
                started_ms: now_ms(),
                ended_ms: None,
                exit_code: None,
                fault: None,
                log: folder.log(),
                tail: Vec::new(),
            });
            let surplus = step.attempts.len().saturating_sub(ATTEMPTS_MAX);
            step.attempts.drain(..surplus);
        }
        // Before the process: whoever takes the run up must know where to look for its end.
        self.record.write_quickly(self.world.folder)?;
        (self.progress)(&Event::Started {
            step: path.clone(),
            attempt: order.number,
        });
        self.under_way.insert(path.clone(), order.clone());
        let (world, sender) = (self.world, sender.clone());
        scope.spawn(move || {
            let tried = world.attempt(&order);
            // The receiver is gone only when the run was given up.
            let _ = sender.send((path, tried));
        });
        Ok(())
    }
}
