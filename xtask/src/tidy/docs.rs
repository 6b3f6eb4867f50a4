//! Rules over documents: what they promise must exist.

use super::{File, Finding};
use crate::{
    failure::{Id, PAGE},
    flags,
};
use std::collections::BTreeMap;

/// Rules over one document.
pub fn check(file: &File) -> Vec<Finding> {
    if !file.is(&[".md"]) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (line, command) in commands(&file.text) {
        if let Err(why) = exists(&command) {
            findings.push(Finding::new(
                &file.path,
                line,
                format!("command: `{command}`: {why}"),
            ));
        }
    }
    findings
}

/// Rules over all files together.
pub fn check_all(files: &[File]) -> Vec<Finding> {
    let mut findings = decisions(files);
    match files.iter().find(|file| file.path == PAGE) {
        Some(page) => findings.extend(headings(page)),
        None => findings.push(Finding::new(PAGE, 0, "failures: the page is missing")),
    }
    findings
}

/// Decision records have a number of their own.
fn decisions(files: &[File]) -> Vec<Finding> {
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.path.starts_with("docs/adr/") && file.is(&[".md"]) && file.name() != "README.md")
    {
        let number = file.name().split('-').next().unwrap_or_default();
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            findings.push(Finding::new(
                &file.path,
                0,
                "decision: the name begins with four digits and a dash",
            ));
        } else if let Some(other) = numbers.insert(number, &file.path) {
            findings.push(Finding::new(
                &file.path,
                0,
                format!("decision: {number} is also {other}"),
            ));
        }
    }
    findings
}

/// Each failure has a heading and each heading a failure.
fn headings(page: &File) -> Vec<Finding> {
    let headings: Vec<(usize, &str)> = (1..)
        .zip(page.text.lines())
        .filter_map(|(number, line)| Some((number, line.strip_prefix("## ")?.trim())))
        .collect();
    let mut findings = Vec::new();
    for id in Id::ALL {
        if !headings.iter().any(|(_, heading)| *heading == id.text()) {
            findings.push(Finding::new(
                &page.path,
                0,
                format!("failures: no heading for {}", id.text()),
            ));
        }
    }
    for (number, heading) in headings {
        if !Id::ALL.iter().any(|id| id.text() == heading) {
            findings.push(Finding::new(
                &page.path,
                number,
                format!("failures: no failure is called {heading:?}"),
            ));
        }
    }
    findings
}

/// Every `cargo xtask …` that a reader is told to type: lines of code blocks and inline code.
pub fn commands(text: &str) -> Vec<(usize, String)> {
    const START: &str = "cargo xtask";
    let mut found = Vec::new();
    let mut in_block = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let pieces: Vec<&str> = if in_block {
            vec![line.trim().trim_start_matches("$ ")]
        } else {
            // Every second piece between backticks is code.
            line.split('`').skip(1).step_by(2).collect()
        };
        for piece in pieces.into_iter().flat_map(|piece| piece.split("&&")) {
            let piece = piece.trim();
            if let Some(rest) = piece.strip_prefix(START)
                && (rest.is_empty() || rest.starts_with(' '))
            {
                // Two spaces begin the explanation beside a command; a # too.
                let typed = rest.trim_start().split("  ").next().unwrap_or_default();
                let typed = typed
                    .split(" #")
                    .next()
                    .unwrap_or_default()
                    .split(" | ")
                    .next()
                    .unwrap_or_default();
                found.push((number, format!("{START} {}", typed.trim()).trim_end().to_owned()));
            }
        }
    }
    found
}

/// Whether a command line would be understood. Words in capitals stand for something else.
///
/// # Errors
/// Clap's first line.
pub fn exists(command: &str) -> Result<(), String> {
    let words: Vec<&str> = command
        .split_whitespace()
        .skip(2)
        .filter(|word| *word != "…" && *word != "...")
        .collect();
    if words
        .first()
        .is_some_and(|word| word.chars().all(|c| c.is_ascii_uppercase()))
    {
        return Ok(());
    }
    // A placeholder for a number must be one.
    let words = words.into_iter().map(|word| if word == "N" { "1" } else { word });
    match flags::parse(std::iter::once("cargo xtask").chain(words)) {
        Ok(_) => Ok(()),
        Err(error) if !error.use_stderr() => Ok(()),
        // `cargo xtask promote` in prose names the command; what it needs is in its help.
        Err(error) if error.kind() == clap::error::ErrorKind::MissingRequiredArgument => Ok(()),
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}
