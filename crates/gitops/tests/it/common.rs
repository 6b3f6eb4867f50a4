//! A bare repository with an unreleased environment, releases, and a person with the git program.

use contract::{Tag, names::release_file, sha256_hex};
use gitops::{Release, Repo};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

pub const ENVIRONMENT: &str = "local";

/// Version `version` of a model; everything else follows from it.
pub fn release(version: u64) -> Release {
    let digest = |what: &str| sha256_hex(format!("{what} {version}").as_bytes());
    Release {
        environment: ENVIRONMENT.to_owned(),
        image: "inference-api".to_owned(),
        new_name: "inference-api".to_owned(),
        tag: Tag::new(version, "0123456789abcdef").unwrap(),
        digest: digest("image"),
        run_id: format!("run-{version}"),
        model_version: version,
        model_digest: digest("model"),
        dataset_digest: digest("dataset"),
        code_commit: "0123456789abcdef0123456789abcdef01234567".to_owned(),
    }
}

pub struct World {
    pub folder: tempfile::TempDir,
    clones: AtomicU32,
}

impl World {
    /// A README and the unreleased release file on `main`; a copy of one that git has made.
    pub fn new() -> Self {
        static TEMPLATE: OnceLock<World> = OnceLock::new();
        let folder = tempfile::tempdir().unwrap();
        copy(
            &TEMPLATE.get_or_init(Self::template).bare(),
            &folder.path().join("gitops.git"),
        );
        Self {
            folder,
            clones: AtomicU32::new(0),
        }
    }

    fn template() -> Self {
        let folder = tempfile::tempdir().unwrap();
        git(
            folder.path(),
            &[
                "init",
                "--quiet",
                "--bare",
                "--template=",
                "--initial-branch=main",
                "gitops.git",
            ],
        );
        let world = Self {
            folder,
            clones: AtomicU32::new(0),
        };
        let clone = world.clone();
        write(&clone.join("README.md"), "loop\n");
        write(
            &clone.join(release_file(ENVIRONMENT)),
            &Release::unreleased_yaml(ENVIRONMENT),
        );
        publish(&clone, "begin");
        world
    }

    pub fn bare(&self) -> PathBuf {
        self.folder.path().join("gitops.git")
    }

    pub fn address(&self) -> String {
        format!("file://{}", self.bare().display())
    }

    pub fn repo(&self) -> Repo {
        Repo::open(&self.address(), self.folder.path()).unwrap()
    }

    /// A person's clone with a work tree.
    pub fn clone(&self) -> PathBuf {
        let name = format!("clone-{}", self.clones.fetch_add(1, Ordering::Relaxed));
        git(self.folder.path(), &["clone", "--quiet", "gitops.git", &name]);
        self.folder.path().join(name)
    }

    pub fn subjects(&self) -> Vec<String> {
        self.repo()
            .log(100)
            .unwrap()
            .into_iter()
            .map(|entry| entry.subject)
            .collect()
    }

    pub fn promotions(&self) -> usize {
        self.subjects()
            .iter()
            .filter(|subject| subject.starts_with("promote("))
            .count()
    }

    pub fn fsck(&self) {
        git(&self.bare(), &["fsck", "--strict", "--no-dangling"]);
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

pub fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Commits all of a clone and pushes it.
pub fn publish(clone: &Path, subject: &str) {
    git(clone, &["add", "--all"]);
    git(clone, &["commit", "--quiet", "--message", subject]);
    git(clone, &["push", "--quiet", "origin", "HEAD:main"]);
}

/// Runs the git program as a person of no configuration; returns what it printed.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ])
        .envs([
            ("GIT_AUTHOR_NAME", "person"),
            ("GIT_AUTHOR_EMAIL", "person@example.invalid"),
        ])
        .envs([
            ("GIT_COMMITTER_NAME", "person"),
            ("GIT_COMMITTER_EMAIL", "person@example.invalid"),
        ])
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A program that the oracle environment provides, or one on PATH of that name.
pub fn oracle(program: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/oracle/bin");
    let python = env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or_else(|| tools.join("python"), PathBuf::from);
    let beside = python.with_file_name(program);
    let path = env::var_os("PATH").unwrap_or_default();
    let candidates =
        std::iter::once(beside).chain(env::split_paths(&path).map(|folder| folder.join(program)));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

/// The line for a test that cannot run here, which is a failure where everything must run.
pub fn skipped(test: &str, why: &str) {
    assert!(env::var_os("DRIFTLESS_STRICT").is_none(), "{test}: {why}");
    eprintln!("SKIPPED {test}: {why}; run cargo xtask test");
}
