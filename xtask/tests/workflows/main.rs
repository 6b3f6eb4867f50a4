//! GitHub's workflows: the linters, the house rules, and which pushes wake what.

mod linters;
mod paths;
mod rules;

use serde_yaml::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use xtask::{cargo, pins};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn workflow(name: &str) -> Value {
    serde_yaml::from_str(&read(&format!(".github/workflows/{name}.yaml"))).unwrap()
}

/// Every workflow by name, with its text.
fn workflows() -> BTreeMap<String, String> {
    let folder = root().join(".github/workflows");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(name.ends_with(".yaml"), "{name}: the ending is .yaml");
            let text = fs::read_to_string(&path).unwrap();
            (name, text)
        })
        .collect()
}

/// Machine-written files that are in the overlays now, by their path from the root.
fn release_files(folder: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            release_files(&path, found);
        } else if path.contains("/release/") {
            found.push(path);
        }
    }
}

#[test]
fn workflows_keep_the_rules() {
    let all = workflows();
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(names, ["ci.yaml", "e2e.yaml", "images.yaml", "release.yaml"]);
    for (name, text) in &all {
        assert_eq!(rules::check(text), [] as [&str; 0], "{name}");
    }
}

/// A good workflow, and for each rule what breaks it.
const GOOD: &str = include_str!("good.yaml");
const BREAKS: &[(&str, &str, &str)] = &[
    (
        "pin",
        "@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
        "@v7 # v7.0.1",
    ),
    (
        "pin",
        "@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1",
        "@3d3c42e # v7.0.1",
    ),
    ("pin", " # v7.0.1", ""),
    ("pin", " # v7.0.1", " # newest"),
    ("rights", "permissions: {}", "permissions: read-all"),
    ("rights", "permissions: {}", "permissions: {contents: read}"),
    ("rights", "    permissions:\n      contents: read\n", ""),
    ("concurrency", "concurrency:\n  group: good\n", ""),
    ("timeout", "    timeout-minutes: 5\n", ""),
    (
        "credentials",
        "persist-credentials: false",
        "persist-credentials: true",
    ),
    ("credentials", "persist-credentials: false", "fetch-depth: 0"),
    ("secrets", "target/e2e/state/logs", "target/e2e/state"),
    ("secrets", "target/e2e/state/logs", ".driftless-minikube"),
    ("secrets", "target/e2e/state/logs", ".driftless-minikube/**"),
    ("injection", "\"$REF\"", "\"${{ github.head_ref }}\""),
    ("glue", "mkdir -p", "curl -sSf https://example.invalid/x | tee"),
    ("glue", "mkdir -p", "true && sudo"),
    ("glue", "cargo xtask tidy", "cargo build"),
    (
        "glue",
        "          mkdir",
        "          true\n          true\n          true\n          true\n          true\n          true\n          true\n          true\n          true\n          true\n          true\n          mkdir",
    ),
    ("command", "cargo xtask tidy", "cargo xtask tidyup"),
    ("command", "cargo xtask tidy", "cargo xtask tidy --no-such-flag"),
    ("syntax", "name: good", "name: [good"),
];

#[test]
fn each_rule_finds_what_breaks_it() {
    assert_eq!(rules::check(GOOD), [] as [&str; 0]);
    for (rule, from, to) in BREAKS {
        assert!(GOOD.contains(from), "{from:?} is not in good.yaml");
        let found = rules::check(&GOOD.replace(from, to));
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{rule}: ")),
            "{from:?} -> {to:?}: expected one finding of {rule}, found {found:?}"
        );
    }
}

#[test]
fn an_action_has_one_version_everywhere() {
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    for (name, text) in workflows() {
        let used = text
            .lines()
            .filter_map(|line| line.split_once("uses: ")?.1.split_once('@'));
        for (action, version) in used {
            let first = versions
                .entry(action.to_owned())
                .or_insert_with(|| version.to_owned());
            assert_eq!(first, version, "{name}: {action}");
        }
    }
    assert!(versions.len() >= 5, "{versions:?}");
}

#[test]
fn patterns_as_github_reads_them() {
    for (pattern, path, expected) in [
        ("docs/**", "docs/adr/0001.md", true),
        ("docs/*", "docs/adr/0001.md", false),
        ("**.md", "README.md", true),
        ("**.md", "a/b.md", true),
        ("**/release/**", "release/x", true),
        ("a/*/**/release/**", "a/b/release/x", true),
        ("a/*/**/release/**", "a/b/c/d/release/image/x", true),
        ("a/*/**/release/**", "a/release/x", false),
        ("a/*/**/release/**", "a/b/unrelease/x", false),
        ("a", "a/b", false),
    ] {
        assert_eq!(paths::matches(pattern, path), expected, "{pattern} {path}");
    }
}

#[test]
fn a_release_commit_makes_no_images_and_no_clusters() {
    let mut releases = Vec::new();
    release_files("kustomize/overlays", &mut releases);
    // Machine-written as well, by `up`; and environments that are still to come.
    releases.push("argocd/environments/minikube/settings.yaml".to_owned());
    releases.push("kustomize/overlays/prod-eu/inference-api/release/kustomization.yaml".to_owned());
    releases.push("kustomize/overlays/prod-eu/training/release/image/kustomization.yaml".to_owned());
    assert!(releases.len() >= 3, "{releases:?}");
    for name in ["images", "e2e"] {
        let workflow = workflow(name);
        for release in &releases {
            assert!(!paths::wakes(&workflow, &[release]), "{release} wakes {name}");
            // A push of both is a push of code.
            assert!(paths::wakes(&workflow, &[release, "api/src/main.rs"]), "{name}");
        }
        let code = [
            "Cargo.lock",
            "api/src/main.rs",
            "crates/oci/src/lib.rs",
            "trainer/src/main.rs",
            "xtask/src/cargo.rs",
        ];
        for path in code {
            assert!(paths::wakes(&workflow, &[path]), "{path} does not wake {name}");
        }
    }
    assert!(paths::wakes(
        &workflow("e2e"),
        &["manifests/inference-api/deployment.yaml"]
    ));
}

#[test]
fn a_release_commit_is_also_known_by_its_subject() {
    let images = workflow("images");
    let refused = paths::refused_subjects(&images["jobs"]["build"]);
    let stands_aside = |subject: &str| refused.iter().any(|start| subject.starts_with(start.as_str()));
    for subject in [
        "promote(local): inference-api m3-0a1b2c3",
        "revert(minikube): inference-api m3-0a1b2c3",
        "Revert \"promote(prod): inference-api m3-0a1b2c3\"",
        "bootstrap(minikube): trainer 0123456789ab",
    ] {
        assert!(stands_aside(subject), "{subject}: {refused:?}");
    }
    for subject in [
        "Answers in half the time",
        "Revert \"Answers in half the time\"",
        "promotes faster",
    ] {
        assert!(!stands_aside(subject), "{subject}: {refused:?}");
    }
    // What pushes waits for what builds, so one condition is enough.
    assert_eq!(images["jobs"]["push"]["needs"], Value::from("build"));
}

#[test]
fn minikube_is_new_enough() {
    let steps = workflow("e2e")["jobs"]["minikube"]["steps"].clone();
    let version = steps
        .as_sequence()
        .unwrap()
        .iter()
        .find_map(|step| step["with"]["minikube-version"].as_str())
        .unwrap()
        .to_owned();
    assert!(
        xtask::tools::version(&version) >= Some(pins::MINIKUBE_MIN),
        "{version}"
    );
}

/// What is packed is what `cargo xtask images` compiles, without the benchmarks.
#[test]
fn a_release_has_every_program() {
    let text = read(".github/workflows/release.yaml");
    let listed = text.split("for program in ").nth(1).unwrap();
    let packed: Vec<&str> = listed.split(';').next().unwrap().split_whitespace().collect();
    let built = cargo::BINARIES.iter().map(|(_, program)| *program);
    let expected: Vec<&str> = built.filter(|program| *program != "bench").collect();
    assert_eq!(packed, expected);
}

#[test]
fn dependabot_looks_where_something_is() {
    let config: Value = serde_yaml::from_str(&read(".github/dependabot.yaml")).unwrap();
    for update in config["updates"].as_sequence().unwrap() {
        let file = match update["package-ecosystem"].as_str().unwrap() {
            "cargo" => "Cargo.toml",
            "gomod" => "go.mod",
            "github-actions" => ".github/workflows",
            other => panic!("{other}: who reads that?"),
        };
        let folder = update["directory"].as_str().unwrap();
        assert!(
            root().join(folder.trim_start_matches('/')).join(file).exists(),
            "{folder}"
        );
    }
}

#[test]
fn owners_are_asked_for_people_not_for_machines() {
    let text = read(".github/CODEOWNERS");
    let rules: Vec<(&str, Vec<&str>)> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.collect()))
        })
        .collect();
    let owners = |path: &str| {
        let fits = |pattern: &str| match pattern.strip_prefix('/') {
            // A folder is all that is in it.
            Some(folder) => paths::matches(&format!("{folder}**"), path),
            None => pattern == "*",
        };
        let last = rules.iter().rfind(|(pattern, _)| fits(pattern));
        last.map(|(_, owners)| owners.join(" ")).unwrap_or_default()
    };
    let mut releases = Vec::new();
    release_files("kustomize/overlays", &mut releases);
    for path in &releases {
        assert_eq!(owners(path), "", "{path}");
    }
    assert_eq!(owners("api/src/main.rs"), "@driftless/maintainers");
    assert_eq!(
        owners("kustomize/overlays/local/mlflow/kustomization.yaml"),
        "@driftless/platform"
    );
    for (pattern, _) in rules.iter().filter(|(pattern, _)| pattern.starts_with('/')) {
        let folder = pattern[1..].split("/**").next().unwrap().trim_end_matches('/');
        assert!(root().join(folder).is_dir(), "{pattern}");
    }
}
