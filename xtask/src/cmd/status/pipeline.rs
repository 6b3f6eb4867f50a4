//! The newest run of the retrain's pipeline on this machine, from the record that the trainer keeps of it
//! (`crates/kfp-run`, `run.json`). A pod takes its record with it.

use contract::time::utc;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Where the trainer keeps the record within the folder of a run.
const RECORD: &str = "pipeline/run.json";

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PipelineRun {
    /// Its id, which is the run's key in MLflow and Git.
    pub run_id: String,
    /// `running` (also one that was cut off), `succeeded`, `failed` or `cancelled`.
    pub state: String,
    /// When it began, in milliseconds since 1970.
    pub created_ms: u64,
    /// By path.
    pub steps: BTreeMap<String, Step>,
}

/// A step that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `running`, `waiting`, `succeeded` or `failed`.
    pub state: String,
    /// Whether its result is another run's.
    pub cached: bool,
    /// When its first attempt began, in milliseconds since 1970.
    pub started_ms: u64,
    /// The last ones.
    pub attempts: Vec<Attempt>,
}

/// One start of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// When it began, in milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// What was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// What was wrong with an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Heading of `docs/troubleshooting.md`.
    pub id: String,
    /// In words.
    pub what: String,
}

/// The newest one below the folder of all runs. What cannot be read is none of ours.
pub fn newest(runs: &Path) -> Option<PipelineRun> {
    let folders = std::fs::read_dir(runs).ok()?.flatten();
    let record = |folder: std::fs::DirEntry| {
        let bytes = std::fs::read(folder.path().join(RECORD)).ok()?;
        serde_json::from_slice::<PipelineRun>(&bytes).ok()
    };
    folders.filter_map(record).max_by_key(|run| run.created_ms)
}

impl PipelineRun {
    /// Lines of the screen.
    pub(super) fn write(&self, screen: &mut String) -> std::fmt::Result {
        let short = self.run_id.get(..16).unwrap_or(&self.run_id);
        writeln!(
            screen,
            "\nLast pipeline   {short} {} since {}",
            self.state,
            utc(self.created_ms)
        )?;
        let mut steps: Vec<_> = self.steps.iter().collect();
        steps.sort_by_key(|(_, step)| step.started_ms);
        for (name, step) in steps {
            let seconds = step.attempts.last().and_then(|attempt| {
                let ended_ms = attempt.ended_ms?;
                Some(ended_ms.saturating_sub(attempt.started_ms) as f64 / 1000.0)
            });
            let mut about = Vec::new();
            about.extend(seconds.map(|seconds| format!("{seconds:.2} s")));
            about.extend(step.cached.then(|| "cached".to_owned()));
            if step.attempts.len() > 1 {
                about.push(format!("{} attempts", step.attempts.len()));
            }
            let fault = step.attempts.last().and_then(|attempt| attempt.fault.as_ref());
            about.extend(fault.map(|fault| format!("{} [{}]", fault.what, fault.id)));
            let line = format!("  {name:<10} {:<10} {}", step.state, about.join(", "));
            writeln!(screen, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_record_is_shown() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(newest(place.path()), None);
        let put = |folder: &str, text: &str| {
            let file = place.path().join(folder).join(RECORD);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        // As kfp-run writes it, fields that are not shown included.
        put(
            "new",
            r#"{"format":1,"run_id":"0123456789abcdef0123","run_name":"retrain-2","pipeline":"retrain","pipeline_digest":"sha256:a",
            "parameters":{"trees":100},"state":"failed","created_ms":1763740800000,"ended_ms":1763740801000,
            "steps":{"train":{"component":"train","state":"failed","given":"g","cached":false,"started_ms":1763740800200,"failed":2,
            "attempts":[{"number":1,"state":"failed","started_ms":1763740800200,"ended_ms":1763740800300,"exit_code":1,"fault":{"id":"exit-code","what":"exit code 1; expected 0"},"log":"l","tail":[]},
            {"number":2,"state":"failed","started_ms":1763740800400,"ended_ms":1763740800650,"exit_code":1,"fault":{"id":"exit-code","what":"exit code 1; expected 0"},"log":"l","tail":[]}],"outputs":{"parameters":{},"artifacts":{}}},
            "load":{"component":"load","state":"succeeded","given":"g","cached":false,"started_ms":1763740800010,"failed":0,"attempts":[{"number":1,"state":"succeeded","started_ms":1763740800010,"ended_ms":1763740800110,"log":"l","tail":[]}],"outputs":{"parameters":{},"artifacts":{}}}},
            "outputs":{"parameters":{},"artifacts":{}},"failures":[]}"#,
        );
        put(
            "old",
            r#"{"run_id":"b","state":"succeeded","created_ms":1,"steps":{}}"#,
        );
        put("foreign", "{}");
        let mut screen = String::new();
        newest(place.path()).unwrap().write(&mut screen).unwrap();
        insta::assert_snapshot!(screen, @r"

        Last pipeline   0123456789abcdef failed since 2025-11-21T16:00:00Z
          load       succeeded  0.10 s
          train      failed     0.25 s, 2 attempts, exit code 1; expected 0 [exit-code]
        ");
    }
}
