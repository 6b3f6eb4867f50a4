//! actionlint (with shellcheck) and zizmor: over what is here, and over what they must catch.

use crate::{root, workflows};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Inputs and expressions that do not exist, a shell that forgets to quote.
const BROKEN: &str = "\
name: broken
on: push
permissions: {}
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0
        with:
          path: name
          persist-crumbs: false
      - run: rm -r $HOME/*.tmp
        if: ${{ github.no_such_thing }}
";
/// A stranger's branch name becomes a command of ours.
const INJECTED: &str = "\
name: injected
on: pull_request
permissions: {}
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - run: echo ${{ github.head_ref }}
";

/// A tool of `cargo xtask test`, or one on PATH.
fn tool(name: &str) -> Option<PathBuf> {
    let tools = root().join("target/tools");
    let python =
        env::var_os("DRIFTLESS_ORACLE_PYTHON").map_or_else(|| tools.join("oracle/bin/python"), PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    [python.with_file_name(name), tools.join("go/bin").join(name)]
        .into_iter()
        .chain(env::split_paths(&path).map(|folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
}

/// Whether a linter is content, and what it said.
fn lint(program: &Path, args: &[&str], dir: &Path) -> (bool, String) {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// A repository with these workflows. actionlint takes the folder of `.git` for its root.
fn repository<'a>(workflows: impl IntoIterator<Item = (&'a str, String)>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join(".git")).unwrap();
    fs::create_dir_all(dir.path().join(".github/workflows")).unwrap();
    for (name, text) in workflows {
        fs::write(dir.path().join(".github/workflows").join(name), text).unwrap();
    }
    dir
}

/// `NAME@COMMIT # v7.0.1` as `NAME@v7`: actionlint knows the inputs of actions by their tags only.
fn by_tag(text: &str) -> String {
    let line = |line: &str| match line.split_once('@').zip(line.split_once(" # v")) {
        Some(((action, _), (_, version))) if action.contains("uses:") => {
            format!("{action}@v{}\n", version.split('.').next().unwrap_or_default())
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn actionlint() {
    let Some(program) = tool("actionlint") else {
        // Built where Go is; a machine without Go is no reason to fail.
        eprintln!("SKIPPED actionlint: not built; with Go 1.24 or newer, cargo xtask test builds it");
        return;
    };
    // By its place: without shellcheck it would leave scripts out and not say so.
    let shellcheck = tool("shellcheck").map(|path| path.display().to_string());
    let args = [
        "-no-color",
        "-pyflakes=",
        "-shellcheck",
        shellcheck.as_deref().unwrap_or_default(),
    ];
    let all = workflows();
    let ours = all.iter().map(|(name, text)| (name.as_str(), by_tag(text)));
    let (content, said) = lint(&program, &args, repository(ours).path());
    assert!(content, "{said}");
    let (content, said) = lint(
        &program,
        &args,
        repository([("broken.yaml", by_tag(BROKEN))]).path(),
    );
    assert!(!content, "{said}");
    for finding in ["no_such_thing", "persist-crumbs"] {
        assert!(said.contains(finding), "{finding}: {said}");
    }
    assert_eq!(said.contains("SC2086"), shellcheck.is_some(), "{said}");
}

#[test]
fn zizmor() {
    let Some(program) = tool("zizmor") else {
        assert!(
            env::var_os("DRIFTLESS_STRICT").is_none(),
            "zizmor is in the oracle environment"
        );
        eprintln!("SKIPPED zizmor: no oracle environment; run cargo xtask test");
        return;
    };
    let args = [
        "--offline",
        "--no-progress",
        "--pedantic",
        "--strict-collection",
        ".github",
    ];
    let (content, said) = lint(&program, &args, &root());
    assert!(content, "{said}");
    let (content, said) = lint(
        &program,
        &args,
        repository([("injected.yaml", INJECTED.to_owned())]).path(),
    );
    assert!(!content && said.contains("template-injection"), "{said}");
}
