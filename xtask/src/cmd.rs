//! One file for each command.

pub mod bench;
pub mod demo;
pub mod doctor;
pub mod down;
pub mod e2e;
pub mod images;
pub mod logs;
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
        Task::Images => ("images", images::command(ctx)),
        Task::Bench(flags) => ("bench", bench::command(ctx, flags)),
        Task::E2e(flags) => ("e2e", e2e::command(ctx, flags)),
        Task::Test(flags) => ("test", test::command(ctx, flags)),
        Task::Tidy => ("tidy", tidy::command(ctx)),
    };
    result.map_err(|failure| failure.in_step(name))
}

/// Whether a command talks to an engine, so that the choice of one must be said (and may be refused).
pub fn uses_engine(task: &Task) -> bool {
    !matches!(
        task,
        Task::Render(_) | Task::Images | Task::Bench(_) | Task::Test(_) | Task::Tidy
    )
}
