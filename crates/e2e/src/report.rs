//! Runs scenarios, prints a line for each, and on failure everything a reader needs.

use crate::{scenarios::Scenario, world::World};
use serde::Serialize;
use std::{process::ExitCode, time::Instant};

/// How one scenario ended.
#[derive(Serialize)]
pub struct Outcome {
    name: &'static str,
    result: &'static str,
    seconds: f64,
    detail: String,
}

/// All outcomes.
pub struct Report {
    pub results: Vec<Outcome>,
}

/// Runs every scenario that `only` selects. One failure does not hide the next.
pub fn run(world: &World, all: &[Scenario], only: Option<&str>) -> Report {
    let mut results = Vec::new();
    for (index, scenario) in all.iter().enumerate() {
        if !scenario.fits(world) {
            continue;
        }
        if index > 0 && only.is_some_and(|text| !scenario.name.contains(text)) {
            continue;
        }
        let start = Instant::now();
        let ended = (scenario.run)(world);
        let seconds = start.elapsed().as_secs_f64();
        let (result, detail) = match ended {
            Ok(None) => ("passed", String::new()),
            Ok(Some(reason)) => ("skipped", reason),
            Err(error) => ("FAILED", format!("{error:#}\n{}", world.diagnosis())),
        };
        let mut lines = world.take_notes();
        lines.extend(Some(detail).filter(|detail| !detail.is_empty()));
        let detail = lines.join("\n");
        eprintln!(
            "e2e {:<28} {result} {seconds:6.1} s  {}",
            scenario.name, scenario.promise
        );
        if !detail.is_empty() {
            eprintln!("    {}", detail.replace('\n', "\n    "));
        }
        results.push(Outcome {
            name: scenario.name,
            result,
            seconds,
            detail,
        });
    }
    Report { results }
}

impl Report {
    /// The closing line and the exit code.
    pub fn finish(&self) -> ExitCode {
        let count = |what: &str| self.results.iter().filter(|r| r.result == what).count();
        let (passed, failed, skipped) = (count("passed"), count("FAILED"), count("skipped"));
        eprintln!("e2e: {passed} passed, {failed} failed, {skipped} skipped");
        if failed == 0 && passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(70)
        }
    }
}
