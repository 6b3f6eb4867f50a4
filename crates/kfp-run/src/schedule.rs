//! Starts what can start, keeps the record, starts again what may pass another time.

use crate::attempt::{Order, Stop, Tried, World};
use crate::error::{Error, Fault};
use crate::images::Image;
use crate::places::AttemptFolder;
use crate::record::{Attempt, AttemptState, Failure, Outputs, Record, RunState, StepRecord, StepState};
use crate::resume::kept;
use crate::runner::{Event, now_ms};
use kfp::container::Retry;
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
    world: &'a World<'a>,
    record: &'a mut Record,
    run: Run,
    images: BTreeMap<String, Image>,
    earlier: Earlier,
    progress: &'a mut dyn FnMut(&Event),
    seen: BTreeSet<String>,
    under_way: BTreeMap<String, Order>,
    waiting: BTreeMap<String, (Instant, Order)>,
    cancelled: bool,
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
            let why = last.map_or(String::new(), |attempt| why(attempt));
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
        self.record.write(self.world.folder)?;
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

    fn ended(&mut self, path: &str, tried: Tried) -> Result<(), Error> {
        let Some(mut order) = self.under_way.remove(path) else {
            return Ok(());
        };
        let Some(step) = self.record.steps.get_mut(path) else {
            return Ok(());
        };
        let Some(attempt) = step.attempts.last_mut() else {
            return Ok(());
        };
        let now = now_ms();
        attempt.ended_ms = Some(now);
        attempt.exit_code = tried.exit_code;
        attempt.tail = tried.tail;
        step.warnings = tried.warnings;
        #[expect(clippy::cast_precision_loss)]
        let seconds = now.saturating_sub(attempt.started_ms) as f64 / 1000.0;
        let event = match tried.result {
            Ok(outputs) => {
                attempt.state = AttemptState::Succeeded;
                step.state = StepState::Succeeded;
                step.cached = tried.cached;
                self.run
                    .end(path, End::Succeeded(outputs.left(self.world.folder)));
                step.outputs = outputs;
                Some(Event::Succeeded {
                    step: path.to_owned(),
                    cached: tried.cached,
                    seconds,
                })
            }
            Err(Stop::Cancelled) => {
                attempt.state = AttemptState::Interrupted;
                self.cancelled = true;
                None
            }
            Err(Stop::Fault(fault)) => {
                attempt.state = AttemptState::Failed;
                attempt.fault = Some(fault.clone());
                step.failed += 1;
                let spent = Duration::from_millis(now.saturating_sub(step.started_ms));
                let in_time = self.world.deadline.is_none_or(|at| at > Instant::now());
                let pause = pause(order.launch.retry, step.failed, spent);
                match pause.filter(|_| in_time && fault.id.may_pass()) {
                    Some(pause) => {
                        step.state = StepState::Waiting;
                        order.number += 1;
                        order.failed = step.failed;
                        self.waiting
                            .insert(path.to_owned(), (Instant::now() + pause, order));
                        Some(Event::Retry {
                            step: path.to_owned(),
                            fault,
                            pause,
                        })
                    }
                    None => {
                        step.state = StepState::Failed;
                        self.run.end(path, End::Failed(why(attempt)));
                        Some(Event::Failed {
                            step: path.to_owned(),
                            fault,
                        })
                    }
                }
            }
        };
        self.record.write(self.world.folder)?;
        if let Some(event) = event {
            (self.progress)(&event);
        }
        Ok(())
    }

    /// The run's end in the record; none is a run that was cancelled.
    fn over(&mut self, state: Option<State>) -> Result<(), Error> {
        self.record.ended_ms = Some(now_ms());
        match state {
            None => self.record.state = RunState::Cancelled,
            Some(state) => {
                self.record.steps.retain(|path, _| self.seen.contains(path));
                match state {
                    State::Succeeded(left) => {
                        self.record.state = RunState::Succeeded;
                        self.record.outputs = Outputs::of_run(&left, &self.record.steps, self.world.folder);
                    }
                    State::Failed(failures) => {
                        let failure = |(step, what)| Failure { step, what };
                        self.record.state = RunState::Failed;
                        self.record.failures = failures.into_iter().map(failure).collect();
                    }
                    State::Running => {}
                }
            }
        }
        self.record.write(self.world.folder)
    }
}

/// Why a step failed, with its last line and where there is more.
fn why(attempt: &Attempt) -> String {
    let fault = attempt.fault.as_ref().map(Fault::to_string).unwrap_or_default();
    let last = attempt.tail.last().map(|line| format!("; it said: {line}"));
    format!("{fault}{}; see {}", last.unwrap_or_default(), attempt.log)
}

/// The pause before the next attempt, if there is to be one. As on the server, the time counts from the start
/// of the first attempt, and without a longest time there is none.
fn pause(retry: Option<Retry>, failed: u32, spent: Duration) -> Option<Duration> {
    let retry = retry.filter(|retry| failed <= retry.times)?;
    let within = retry.within?;
    let first = retry.backoff.unwrap_or_default().as_secs_f64();
    let factor = retry.factor.unwrap_or(1.0);
    let seconds = first * factor.powf(f64::from(failed.saturating_sub(1)));
    let pause = Duration::try_from_secs_f64(seconds).ok()?;
    (spent.checked_add(pause)? <= within).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let retry = Retry {
            times: 3,
            backoff: Some(Duration::from_secs(10)),
            factor: Some(2.0),
            within: Some(Duration::from_secs(60)),
        };
        let after = |failed, spent| pause(Some(retry), failed, Duration::from_secs(spent));
        assert_eq!(after(1, 0), Some(Duration::from_secs(10)));
        assert_eq!(after(3, 10), Some(Duration::from_secs(40)));
        assert_eq!(after(3, 30), None, "the first attempt began too long ago");
        assert_eq!(after(4, 0), None, "three more times");
        let endless = Retry {
            within: None,
            ..retry
        };
        assert_eq!(pause(Some(endless), 1, Duration::ZERO), None, "as on the server");
        assert_eq!(pause(None, 1, Duration::ZERO), None);
    }
}
