//! A test hook: dies at a named point, as if the machine had gone.
//!
//! `DRIFTLESS_EXIT_AFTER=<point>` kills the process with SIGKILL directly after that point: no
//! destructor runs, no buffer is written. Points are the steps' names (`train`: after the step's
//! record is on disk), `<step>:act` (after its effect, before its record), and inside `register`
//! also `register:run`, `register:model`, `register:files`, `register:version`.

/// Dies here if the environment names this point.
pub fn point(name: &str) {
    if wanted().is_some_and(|wanted| wanted == name) {
        eprintln!("trainer: killed after {name}, as DRIFTLESS_EXIT_AFTER asks");
        die();
    }
}

/// A step is a process of its own: whoever has started it dies with it, as they would with the machine.
pub fn after_a_kill(step: &str) {
    let of_step = |point: &str| {
        let own = point.split(':').next().unwrap_or(point);
        // The last task is three steps, and takes back what did not come up.
        own == step || (step == "promote" && matches!(own, "package" | "confirm" | "withdraw"))
    };
    if wanted().is_some_and(|wanted| of_step(&wanted)) {
        die();
    }
}

fn wanted() -> Option<String> {
    std::env::var("DRIFTLESS_EXIT_AFTER").ok()
}

fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    // The first process of a container cannot be killed from inside.
    std::process::exit(137);
}
