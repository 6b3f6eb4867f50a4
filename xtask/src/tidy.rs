//! The house rules as tests: what reviewers would otherwise repeat.
//!
//! A rule is a function of files (or of cargo's metadata) to findings; nothing here reads the disk.

pub mod docs;
pub mod edges;
pub mod rust;
pub mod yaml;

use std::fmt;

/// A file of the repository, by its path from the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// With forward slashes.
    pub path: String,
    /// Contents.
    pub text: String,
}

impl File {
    /// A file.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        File {
            path: path.into(),
            text: text.into(),
        }
    }

    /// Whether the name ends so.
    pub fn is(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.path.ends_with(ending))
    }

    /// Last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root.
    pub path: String,
    /// From 1; 0 for the whole file.
    pub line: usize,
    /// Name of the rule and what breaks it.
    pub rule: String,
}

impl Finding {
    /// A finding.
    pub fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Finding {
            path: path.to_owned(),
            line,
            rule: rule.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Third-party files, kept byte by byte (`pins::VENDORED`): our rules are not theirs.
const UPSTREAM: &str = "/upstream/";

/// Every rule over files.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| !file.path.contains(UPSTREAM)) {
        findings.extend(rust::check(file));
        findings.extend(yaml::check(file));
        findings.extend(docs::check(file));
    }
    findings.extend(docs::check_all(files));
    findings.sort();
    findings
}
