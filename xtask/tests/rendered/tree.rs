//! The rendered folders, and small ways to look into them.

use serde_yaml::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};
use xtask::profile::Profile;

pub const API_DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const TRAINER_DIGEST: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub const INSTALL: &str = "argocd-install";
/// Kubeflow Pipelines, below its environment's name.
pub const PIPELINES: &str = "kubeflow-pipelines";
/// Whatever profile this clone has, the Applications of all of them are looked at.
const FULL: &str = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nmetadata:\n  name: full\n";

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// What each folder renders to: `<environment>-<app>`, `argocd-<environment>`, [`INSTALL`].
/// `None` without kubectl, aloud; [`INSTALL`] is left out, aloud, without its upstream file.
pub fn rendered() -> Option<&'static BTreeMap<String, String>> {
    static RENDERED: OnceLock<Option<BTreeMap<String, String>>> = OnceLock::new();
    RENDERED.get_or_init(render_all).as_ref()
}

/// The objects of one folder.
pub fn objects(text: &str) -> Vec<Value> {
    xtask::cmd::render::parse("a test", text).unwrap()
}

/// The objects of every folder whose name begins so.
pub fn objects_of(begins: &[&str]) -> Option<Vec<Value>> {
    let folders = rendered()?.iter();
    let wanted = folders.filter(|(name, _)| begins.iter().any(|begin| name.starts_with(begin)));
    Some(wanted.flat_map(|(_, text)| objects(text)).collect())
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

/// `Kind/name`.
pub fn named(object: &Value) -> String {
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// kubectl as `cargo xtask` finds it where the environments are made.
pub fn kubectl() -> Option<PathBuf> {
    let found = ["oracle", "mlflow"]
        .map(|venv| root().join("target/tools").join(venv).join("bin/kubectl"))
        .into_iter()
        .find(|path| path.is_file());
    let strict = std::env::var("DRIFTLESS_STRICT").is_ok_and(|value| value == "1");
    assert!(found.is_some() || !strict, "no kubectl; run cargo xtask test");
    if found.is_none() {
        eprintln!("SKIPPED kubectl: no kubectl; run cargo xtask test");
    }
    found
}

fn render_all() -> Option<BTreeMap<String, String>> {
    let kubectl = kubectl()?;
    let copy = tempfile::tempdir().unwrap();
    for folder in ["manifests", "kustomize", "argocd"] {
        copy_tree(&root().join(folder), &copy.path().join(folder));
    }
    let mut folders = Vec::new();
    for environment in subfolders(&copy.path().join("kustomize/overlays")) {
        let name = environment.file_name().unwrap().to_string_lossy().into_owned();
        release(&environment);
        if name != "local" {
            profiles(copy.path(), &name);
        }
        for app in subfolders(&environment) {
            let file = app.file_name().unwrap().to_string_lossy();
            folders.push((format!("{name}-{file}"), app));
        }
    }
    for environment in subfolders(&copy.path().join("argocd/environments")) {
        let name = environment.file_name().unwrap().to_string_lossy().into_owned();
        fs::write(environment.join("profile/kustomization.yaml"), FULL).unwrap();
        folders.push((format!("argocd-{name}"), environment));
    }
    if upstream(copy.path()) {
        folders.push((INSTALL.to_owned(), copy.path().join("argocd/install")));
    }
    let rendered = folders.into_iter().map(|(name, folder)| {
        let output = Command::new(&kubectl)
            .arg("kustomize")
            .arg(&folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        assert_eq!(said, "", "{name}");
        (name, String::from_utf8(output.stdout).unwrap())
    });
    Some(rendered.collect())
}

/// Argo CD's own manifests, from the clone or from a mirror.
fn upstream(copy: &Path) -> bool {
    let to = copy.join("argocd/install/upstream/core-install.yaml");
    if to.is_file() {
        return true;
    }
    let mirror = std::env::var_os("DRIFTLESS_UPSTREAM_MIRROR")
        .map(|mirror| PathBuf::from(mirror).join(xtask::pins::ARGOCD_CORE_INSTALL.file));
    match mirror.filter(|file| file.is_file()) {
        Some(file) => {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(file, to).unwrap();
            true
        }
        None => {
            eprintln!("SKIPPED {INSTALL}: no upstream file here and no DRIFTLESS_UPSTREAM_MIRROR");
            false
        }
    }
}

/// One environment of each, whatever profile this clone has.
fn profiles(copy: &Path, environment: &str) {
    let profile = match environment {
        "minikube" => Profile::Full,
        _ => Profile::Lite,
    };
    for (path, text) in xtask::profile::files(environment, profile) {
        fs::write(copy.join(path), text).unwrap();
    }
}

/// What machines write differs from clone to clone, so it is replaced by a fixed release.
fn release(environment: &Path) {
    let image = environment.join("training/release/image/kustomization.yaml");
    let written = fs::read_to_string(&image).unwrap();
    let digest = written
        .lines()
        .find(|line| line.trim().starts_with("digest:"))
        .unwrap();
    fs::write(
        &image,
        written.replace(digest, &format!("    digest: \"{TRAINER_DIGEST}\"")),
    )
    .unwrap();
    let new_name = written
        .lines()
        .find_map(|line| line.trim().strip_prefix("newName: "));
    let new_name = new_name.unwrap().replace("trainer", "inference-api");
    let text = format!(
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n\
         images:\n  - name: inference-api\n    newName: {new_name}\n    digest: \"{API_DIGEST}\"\n\
         patches:\n  - target: {{kind: Deployment, name: inference-api}}\n    patch: |-\n      \
         apiVersion: apps/v1\n      kind: Deployment\n      metadata: {{name: inference-api}}\n      \
         spec: {{template: {{metadata: {{annotations: {{driftless.dev/image-tag: \"m7-abcdef0\", \
         driftless.dev/image-digest: \"{API_DIGEST}\"}}}}}}}}\n"
    );
    fs::write(environment.join("inference-api/release/kustomization.yaml"), text).unwrap();
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = entries
        .filter(|path| path.join("kustomization.yaml").is_file() || path.join("mlflow").is_dir())
        .collect();
    all.sort();
    all
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_tree(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}
