//! A step looks first, acts only when needed, and must then hold. Running it twice changes nothing.

use crate::{
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
    report::{Ending, Line},
};
use std::time::{Duration, Instant};

/// What a look found.
#[derive(Debug, PartialEq, Eq)]
pub enum Probe {
    /// There is nothing to do; in words.
    Done(String),
    /// Something is missing; in words.
    Needed(String),
    /// Only acting can tell (cargo decides what to compile).
    CannotTell,
}

/// What acting did.
#[derive(Debug, PartialEq, Eq)]
pub struct Acted {
    /// False when it turned out that there was nothing to do.
    pub changed: bool,
    /// In words.
    pub note: String,
}

impl Acted {
    /// Something was changed.
    pub fn changed(note: impl Into<String>) -> Outcome<Acted> {
        Ok(Acted {
            changed: true,
            note: note.into(),
        })
    }

    /// There was nothing to do after all.
    pub fn nothing(note: impl Into<String>) -> Outcome<Acted> {
        Ok(Acted {
            changed: false,
            note: note.into(),
        })
    }
}

/// The time by which a step must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So much time from now.
    pub fn after(time: Duration) -> Self {
        Deadline(Instant::now() + time)
    }

    /// Time that is left, zero when it is over.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// One step of a command.
pub struct Step {
    /// Shown, and what `--from` takes.
    pub name: &'static str,
    /// Looks.
    pub probe: fn(&Ctx) -> Outcome<Probe>,
    /// Acts.
    pub act: fn(&Ctx, Deadline) -> Outcome<Acted>,
    /// Fails when acting did not bring about what it should have.
    pub verify: fn(&Ctx) -> Outcome<()>,
    /// For acting.
    pub deadline: Duration,
    /// What to type when it fails and nothing better is known; empty for the catalogue's advice.
    pub hint: &'static str,
}

/// Runs stages one after the other; the steps of one stage run beside each other.
///
/// # Errors
/// The first failure, with its step; steps that already run beside it are waited for.
pub fn run(ctx: &Ctx, stages: &[&[Step]]) -> Outcome<()> {
    for stage in stages {
        match stage {
            [only] => run_one(ctx, only)?,
            // A plan is read from top to bottom.
            steps if ctx.exec.pretends() => steps.iter().try_for_each(|step| run_one(ctx, step))?,
            steps => std::thread::scope(|scope| {
                let threads: Vec<_> = steps
                    .iter()
                    .map(|step| scope.spawn(|| run_one(ctx, step)))
                    .collect();
                // The scope waits for all of them, also after one has failed.
                threads.into_iter().try_for_each(|thread| {
                    thread
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
            })?,
        }
    }
    Ok(())
}

/// Runs one step.
///
/// # Errors
/// A failure with the step's name and hint.
pub fn run_one(ctx: &Ctx, step: &Step) -> Outcome<()> {
    timed(ctx, step.name, || attempt(ctx, step)).map_err(|failure| {
        let generic = failure.next == failure.id.advice() && !step.hint.is_empty();
        if generic { failure.next(step.hint) } else { failure }
    })
}

/// Does something as a step: with a line in the report.
///
/// # Errors
/// Its failure, with the step's name.
pub fn timed(ctx: &Ctx, name: &str, act: impl FnOnce() -> Outcome<Acted>) -> Outcome<()> {
    let start = Instant::now();
    ctx.report.begin(name);
    let result = act();
    let (ending, note) = match &result {
        Ok(acted) if acted.changed => (Ending::Done, acted.note.clone()),
        Ok(acted) => (Ending::Already, acted.note.clone()),
        Err(failure) => (Ending::Failed, failure.id.text().to_owned()),
    };
    let seconds = start.elapsed().as_secs_f64();
    ctx.report.end(Line {
        name: name.to_owned(),
        ending,
        seconds,
        note,
    });
    result.map(drop).map_err(|failure| failure.in_step(name))
}

fn attempt(ctx: &Ctx, step: &Step) -> Outcome<Acted> {
    if let Probe::Done(note) = (step.probe)(ctx)? {
        return Acted::nothing(note);
    }
    let acted = (step.act)(ctx, Deadline::after(step.deadline))?;
    if !ctx.exec.pretends() {
        (step.verify)(ctx)?;
    }
    Ok(acted)
}

/// For steps whose act is its own proof.
///
/// # Errors
/// Never.
pub fn nothing_to_verify(_: &Ctx) -> Outcome<()> {
    Ok(())
}

/// Verifies by looking again: the probe must now say `Done`.
///
/// # Errors
/// `id`, with what the probe still misses.
pub fn looks_done(ctx: &Ctx, probe: fn(&Ctx) -> Outcome<Probe>, id: Id, attempted: &str) -> Outcome<()> {
    match probe(ctx)? {
        Probe::Done(_) | Probe::CannotTell => Ok(()),
        Probe::Needed(still) => {
            Err(Failure::new(id, attempted).because(format!("afterwards still: {still}")))
        }
    }
}
