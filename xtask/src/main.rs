//! Parse, build the context, dispatch, print the failure, exit code.

use std::{process::ExitCode, sync::Arc};
use xtask::{
    cmd,
    ctx::{self, Ctx},
    exec::{Executor, Real, Recording},
    failure::Outcome,
    flags::{self, Cli, Task},
    report::{Report, Style},
    world,
};

fn main() -> ExitCode {
    let cli = match flags::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let Some(task) = &cli.task else {
        print!("{}", flags::overview());
        println!("`cargo xtask NAME --help` says more of one.");
        return ExitCode::SUCCESS;
    };
    match run(&cli, task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in &failure.detail {
                eprintln!("         {line}");
            }
            eprintln!("{failure}");
            if cli.globals.json {
                println!("{}", failure.json());
            }
            ExitCode::from(failure.id.exit_code())
        }
    }
}

fn run(cli: &Cli, task: &Task) -> Outcome<()> {
    let globals = &cli.globals;
    let report = Report::new(Style::detect(globals.quiet || globals.dry_run));
    // Cargo says where the crate lies, so that `cargo xtask` works from any folder of the clone.
    let start = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(std::path::PathBuf::from)
        .or_else(|| std::env::current_dir().ok())
        .unwrap_or_default();
    let root = ctx::find_root(&start)?;
    let recording = globals.dry_run.then(|| Arc::new(Recording::new(Real, &root)));
    let exec: Arc<dyn Executor> = match &recording {
        Some(recording) => recording.clone(),
        None => Arc::new(Real),
    };
    let mut ctx = Ctx::new(root, globals, exec, report);
    if cmd::uses_engine(task) {
        let (chosen, why) = world::choose(ctx, globals)?;
        ctx = chosen;
        ctx.report.say(format!("engine   {why}"));
    }
    let result = cmd::dispatch(&ctx, task);
    ctx.report.close();
    for line in recording.iter().flat_map(|recording| recording.take()) {
        println!("{line}");
    }
    result
}
