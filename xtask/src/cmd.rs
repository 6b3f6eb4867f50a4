//! One file for each command.

pub mod bench;
pub mod codegen;
pub mod demo;
pub mod doctor;
pub mod down;
pub mod e2e;
pub mod images;
pub mod logs;
pub mod open;
pub mod promote;
pub mod render;
pub mod rollback;
pub mod status;
pub mod test;
pub mod tidy;
pub mod train;
pub mod up;

use crate::{ctx::Ctx, failure::Outcome, flags::Task};

/// Runs a command.
///
/// # Errors
/// Its failure, with the command's name where no step has one.
pub fn dispatch(ctx: &Ctx, task: &Task) -> Outcome<()> {
    if looks_at_engine(task) {
        up::bridge::ensure(ctx).map_err(|failure| failure.in_step("bridge"))?;
    }
    let (name, result) = match task {
        Task::Doctor => ("doctor", doctor::command(ctx)),
        Task::Up(flags) => ("up", up::command(ctx, flags)),
        Task::Demo => ("demo", demo::command(ctx)),
        Task::Down(flags) => ("down", down::command(ctx, flags)),
        Task::Status => ("status", status::command(ctx)),
        Task::Train(flags) => ("train", train::command(ctx, flags)),
        Task::Promote(flags) => ("promote", promote::command(ctx, flags)),
        Task::Rollback(flags) => ("rollback", rollback::command(ctx, flags)),
        Task::Logs(flags) => ("logs", logs::command(ctx, flags)),
        Task::Render(flags) => ("render", render::command(ctx, flags)),
        Task::Images(flags) => ("images", images::command(ctx, flags)),
        Task::Open(flags) => ("open", open::command(ctx, flags)),
        Task::Bench(flags) => ("bench", bench::command(ctx, flags)),
        Task::E2e(flags) => ("e2e", e2e::command(ctx, flags)),
        Task::Test(flags) => ("test", test::command(ctx, flags)),
        Task::Tidy => ("tidy", tidy::command(ctx)),
        Task::Codegen(flags) => ("codegen", codegen::command(ctx, flags)),
    };
    result.map_err(|failure| {
        // What is to be typed next must name the same cluster.
        let next = ctx.typed(&failure.next);
        failure.next(next).in_step(name)
    })
}

/// Whether a command talks to an engine, so that the choice of one must be said (and may be refused).
pub fn uses_engine(task: &Task) -> bool {
    !matches!(
        task,
        Task::Render(_) | Task::Bench(_) | Task::Test(_) | Task::Tidy | Task::Codegen(_)
    )
}

/// Whether a command needs an engine that runs, and starts none of its own.
fn looks_at_engine(task: &Task) -> bool {
    matches!(
        task,
        Task::Demo
            | Task::Status
            | Task::Train(_)
            | Task::Promote(_)
            | Task::Rollback(_)
            | Task::Logs(_)
            | Task::Open(_)
            | Task::Images(_)
    )
}
