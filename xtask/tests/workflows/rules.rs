//! The house rules of workflows, beyond what actionlint and zizmor know.

use serde_yaml::Value;
use xtask::tidy::docs;

/// Longer glue belongs into xtask, where it is tested.
const GLUE_LINES_MAX: usize = 12;
/// Programs of a runner that glue may call. Nothing here compiles, installs or downloads: that is
/// what `cargo xtask` and pinned actions are for.
const GLUE: &[&str] = &[
    ".ci/run",
    "cargo",
    "do",
    "done",
    "for",
    "gh",
    "git",
    "grep",
    "install",
    "minikube",
    "mkdir",
    "printf",
    "sha256sum",
    "skopeo",
    "tar",
    "tee",
    "true",
    "}",
];

/// Every rule over one workflow; findings begin with the rule's name.
pub fn check(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text.lines().filter_map(pin).collect();
    let workflow: Value = match serde_yaml::from_str(text) {
        Ok(workflow) => workflow,
        Err(error) => return vec![format!("syntax: {error}")],
    };
    if workflow["permissions"]
        .as_mapping()
        .is_none_or(|rights| !rights.is_empty())
    {
        found.push("rights: no job may inherit any; `permissions: {}` at the top".to_owned());
    }
    if workflow["concurrency"]["group"].as_str().is_none() {
        found.push("concurrency: no group".to_owned());
    }
    for (name, job) in workflow["jobs"].as_mapping().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if job["timeout-minutes"].as_u64().is_none() {
            found.push(format!("timeout: job {name} may hang for six hours"));
        }
        if !job["permissions"].is_mapping() {
            found.push(format!("rights: job {name} does not say what it may do"));
        }
        for step in job["steps"].as_sequence().into_iter().flatten() {
            found.extend(self::step(step).map(|finding| format!("{finding} (job {name})")));
        }
    }
    found
}

/// An action is named by what it is, not by a tag that can move.
fn pin(line: &str) -> Option<String> {
    let used = line.trim().trim_start_matches("- ").strip_prefix("uses:")?.trim();
    let (action, version) = used.split_once(" # ").unwrap_or((used, ""));
    let commit = action.split_once('@').map_or("", |(_, commit)| commit);
    let full = commit.len() == 40 && commit.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let version = version.strip_prefix('v').is_some_and(|version| {
        version.split('.').count() == 3 && version.split('.').all(|part| part.parse::<u16>().is_ok())
    });
    let local = used.starts_with("./");
    (!(local || full && version)).then(|| format!("pin: {used}: expected NAME@COMMIT # vX.Y.Z"))
}

fn step(step: &Value) -> impl Iterator<Item = String> {
    let uses = step["uses"].as_str().unwrap_or_default();
    let with = &step["with"];
    let mut found = Vec::new();
    if uses.starts_with("actions/checkout@") && with["persist-credentials"].as_bool() != Some(false) {
        found.push("credentials: checkout leaves the token in .git/config".to_owned());
    }
    if uses.starts_with("actions/upload-artifact@") {
        for path in with["path"].as_str().unwrap_or_default().lines() {
            let last = path.rsplit('/').next().unwrap_or_default();
            // A state folder holds the engine's token, and a cluster's Git's password too.
            if path.contains("**") && !last.ends_with(".log")
                || last.starts_with(".driftless")
                || last == "state"
            {
                found.push(format!("secrets: {path} takes more than logs along"));
            }
        }
    }
    if let Some(script) = step["run"].as_str() {
        found.extend(glue(script));
    }
    found.into_iter()
}

fn glue(script: &str) -> Vec<String> {
    let mut found = Vec::new();
    if script.contains("${{") {
        found.push("injection: an expression in a script; pass it by env".to_owned());
    }
    if script.trim_end().lines().count() > GLUE_LINES_MAX {
        found.push(format!("glue: more than {GLUE_LINES_MAX} lines"));
    }
    let whole = script.replace("\\\n", " ");
    let defined: Vec<&str> = whole
        .lines()
        .filter_map(|line| Some(line.split_once("() {")?.0.trim()))
        .collect();
    for line in whole.lines().map(str::trim) {
        for command in commands(line) {
            let word = command.split_whitespace().next().unwrap_or_default();
            if word == "cargo" {
                if let Err(why) = docs::exists(command) {
                    found.push(format!("command: `{command}`: {why}"));
                } else if !command.starts_with("cargo xtask ") {
                    found.push(format!("glue: `{command}`: CI types what a person types"));
                }
            } else if !GLUE.contains(&word) && !defined.contains(&word) && !word.starts_with("\"target/") {
                found.push(format!("glue: `{word}` is not for workflows"));
            }
        }
    }
    found
}

/// The commands of a line; no comments, no assignments, no heads of functions.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    let code = if line.starts_with('#') || line.contains("() {") {
        ""
    } else {
        line
    };
    code.split(['|', ';', '&']).map(str::trim).filter(|command| {
        let word = command.split_whitespace().next().unwrap_or_default();
        let name = word.split('=').next().unwrap_or_default();
        let assigns = word.contains('=') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        !word.is_empty() && !assigns
    })
}
