//! What of an earlier start of the run still counts.

use crate::attempt::World;
use crate::collect::collect;
use crate::files;
use crate::keep::End;
use crate::places::AttemptFolder;
use crate::record::{AttemptState, Outputs, Record, RunState, StepRecord, StepState};
use crate::schedule::Earlier;
use kfp::Pipeline;
use kfp::model::Body;
use kfp::run::Launch;

impl Earlier {
    /// Steps of the record that count. A run that had ended gets what failed tried again, and its exit tasks
    /// with it; one that was cut off goes on as if it had not been.
    pub(crate) fn of(record: &mut Record, pipeline: &Pipeline) -> Earlier {
        if record.state != RunState::Running {
            let again =
                |path: &str, step: &StepRecord| step.state == StepState::Failed || is_exit(path, pipeline);
            record.steps.retain(|path, step| !again(path, step));
        }
        for attempt in record.steps.values_mut().flat_map(|step| &mut step.attempts) {
            // What ended well just then is found by its end.json.
            if attempt.state == AttemptState::Running {
                attempt.state = AttemptState::Interrupted;
            }
        }
        record.state = RunState::Running;
        record.ended_ms = None;
        record.failures.clear();
        record.outputs = Outputs::default();
        Earlier {
            steps: record.steps.clone(),
        }
    }
}

/// Whether a task that runs after failures, too, is on the path.
fn is_exit(path: &str, pipeline: &Pipeline) -> bool {
    let mut dag = &pipeline.dag;
    for part in path.split('/') {
        let key = part.split('[').next().unwrap_or(part);
        let Some(task) = dag.tasks.get(key) else {
            return false;
        };
        if task.even_if_failed {
            return true;
        }
        match pipeline.components.get(&task.component).map(|found| &found.body) {
            Some(Body::Dag(inner)) => dag = inner,
            _ => return false,
        }
    }
    false
}

/// What a step left before, if it counts: given the same, and still there.
pub(crate) fn kept(world: &World<'_>, launch: &Launch, given: &str, step: &StepRecord) -> Option<Outputs> {
    if step.given != given {
        return None;
    }
    match step.state {
        StepState::Succeeded => {
            let there = step
                .outputs
                .are_there(world.folder, world.runner.limits.artifact_bytes);
            there.then(|| step.outputs.clone())
        }
        // Its runner was killed after the step's last act and before the record of it.
        StepState::Running => {
            let number = step.attempts.last()?.number;
            let folder = AttemptFolder::new(world.folder, &launch.path, number);
            let end = files::bounded(&folder.at("end.json"), 64 << 10).ok()??;
            let end: End = serde_json::from_slice(&end).ok()?;
            if end.code != Some(0) || end.stopped {
                return None;
            }
            let collected = collect(launch, &folder, world.folder, &world.runner.limits);
            collected.ok().map(|(outputs, _)| outputs)
        }
        StepState::Waiting | StepState::Failed => None,
    }
}
