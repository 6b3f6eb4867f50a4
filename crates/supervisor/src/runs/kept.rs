//! What runs leave to a successor of the engine, and take from a predecessor.

use super::{Entry, Runs, Unfinished, Wish};
use crate::{
    context::Context,
    process,
    schedule::Ended,
    state::{SavedRun, SavedUnfinished},
};

impl Runs {
    /// What a successor must know.
    pub fn saved(&self) -> Vec<SavedRun> {
        let unfinished = |u: &Unfinished| SavedUnfinished {
            job: u.wish.job.clone(),
            args: u.wish.args.clone(),
            env: u.wish.env.clone(),
            concurrency: u.wish.concurrency,
            failed: u.failed,
            attempt: u.attempt.as_ref().map(|attempt| attempt.process.identity),
        };
        let of = |entry: &Entry| SavedRun {
            run: entry.run.clone(),
            unfinished: entry.unfinished.as_ref().map(unfinished),
        };
        self.entries.iter().map(of).collect()
    }

    /// What a predecessor left. An attempt under way is ended and counts as killed: nobody knows
    /// any more what it would have answered.
    pub fn restore(saved: Vec<SavedRun>, context: &mut Context) -> Self {
        let mut runs = Runs::default();
        for SavedRun { run, unfinished } in saved {
            let mut entry = Entry {
                run,
                unfinished: None,
            };
            if let Some(unfinished) = unfinished {
                let now = context.now();
                entry.unfinished = Some(Unfinished {
                    wish: Wish {
                        template: entry.run.template.clone(),
                        job: unfinished.job,
                        concurrency: unfinished.concurrency,
                        args: unfinished.args,
                        env: unfinished.env,
                        by_clock: false,
                        name: None,
                    },
                    failed: unfinished.failed,
                    not_before: now,
                    since: now,
                    attempt: None,
                    stop: None,
                });
                if let Some(identity) = unfinished.attempt {
                    if let Some(left) = process::adopt(identity, true) {
                        left.kill();
                        tokio::spawn(process::wait(left, None));
                    }
                    entry.attempt_ended(Ended::Killed, context);
                }
            }
            runs.entries.push(entry);
        }
        runs
    }
}
