//! A test hook: dies at a named point, as if the machine had gone.
//!
//! `DRIFTLESS_EXIT_AFTER=<point>` kills the process with SIGKILL directly after that point: no
//! destructor runs, no buffer is written. Points are the steps' names (`train`: after the step's
//! record is on disk), `<step>:act` (after its effect, before its record), and inside `register`
//! also `register:run`, `register:model`, `register:files`, `register:version`.

/// Dies here if the environment names this point.
pub fn point(name: &str) {
    if std::env::var("DRIFTLESS_EXIT_AFTER").is_ok_and(|wanted| wanted == name) {
        eprintln!("trainer: killed after {name}, as DRIFTLESS_EXIT_AFTER asks");
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The first process of a container cannot be killed from inside.
        std::process::exit(137);
    }
}
