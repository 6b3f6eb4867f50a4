//! Rules over source text.

use super::{File, Finding};

/// Lines that one file may have.
pub const LENGTH_MAX: usize = 400;

/// Words that mean "not finished", and what to write instead. Split so that this file passes.
const UNFINISHED: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), "finish it"),
    (concat!("XX", "X"), "finish it"),
    (concat!("todo", "!("), "finish it"),
    (concat!("unimplemented", "!("), "finish it"),
    (concat!("#[ign", "ore"), "a test that is not run proves nothing"),
    (concat!("allow(dead", "_code)"), "remove what nobody uses"),
];

/// Crates whose code touches nothing outside of memory.
const PURE: &[&str] = &[
    "crates/contract/",
    "crates/drift/",
    "crates/kfp/",
    "crates/model/",
    "crates/onnx/",
];

/// What touches it.
const IO: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread::sleep",
    "SystemTime::now",
    "Instant::now",
];

/// Starts processes.
const PROCESS: &[&str] = &[
    concat!("process::", "Command"),
    concat!("Command", "::new"),
    concat!("x", "shell"),
];

/// The only file of xtask that may.
const EXECUTOR: &str = "xtask/src/exec.rs";

/// Every rule.
pub fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    length(file, &mut findings);
    machine(file, &mut findings);
    if file.is(&[".rs"]) {
        words(file, &mut findings);
    }
    findings
}

fn length(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    if file.is(&[".rs", ".sh", ".py", ".yaml", ".yml", ".toml", ".proto"])
        && lines > LENGTH_MAX
        && !vendored(file)
    {
        findings.push(Finding::new(
            &file.path,
            0,
            format!("length: {lines} lines, at most {LENGTH_MAX}: split it"),
        ));
    }
}

/// Other people's files, kept as they are, and what is generated.
fn vendored(file: &File) -> bool {
    file.is(&[".proto"]) || file.path.contains("/vendor/") || file.path.starts_with("trainer/pipeline/")
}

fn machine(file: &File, findings: &mut Vec<Finding>) {
    let home = [concat!("/ro", "ot/"), concat!("/ho", "me/")];
    // `unpacked/root/` is no home folder: the path must begin there.
    let begins = |line: &str, place: usize| {
        !line[..place].ends_with(|c: char| c.is_alphanumeric() || "}>)_-.$".contains(c))
    };
    for (number, line) in (1..).zip(file.text.lines()) {
        if home
            .iter()
            .any(|home| line.match_indices(home).any(|(place, _)| begins(line, place)))
        {
            findings.push(Finding::new(
                &file.path,
                number,
                "machine: names somebody's home folder",
            ));
        }
    }
}

fn words(file: &File, findings: &mut Vec<Finding>) {
    // Tests may use files and processes; they come last in a file, or in files of their own.
    let mut in_tests = file.name().contains("tests") || file.path.contains("/tests/");
    let pure = PURE
        .iter()
        .any(|prefix| file.path.starts_with(&format!("{prefix}src/")));
    let in_xtask = file.path.starts_with("xtask/src/") && file.path != EXECUTOR;
    for (number, line) in (1..).zip(file.text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        in_tests |= code.trim() == "#[cfg(test)]";
        let mut found = |rule: String| findings.push(Finding::new(&file.path, number, rule));
        for (word, instead) in UNFINISHED {
            if line.contains(word) {
                found(format!("unfinished: {word}: {instead}"));
            }
        }
        if in_tests {
            continue;
        }
        if pure && let Some(what) = IO.iter().find(|what| code.contains(**what)) {
            found(format!("pure: {what} in a crate that does no IO"));
        }
        if in_xtask && let Some(what) = PROCESS.iter().find(|what| code.contains(**what)) {
            found(format!("executor: {what}: only {EXECUTOR} starts a process"));
        }
    }
}
