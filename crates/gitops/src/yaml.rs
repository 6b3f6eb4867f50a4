//! The release file's text: written with every scalar quoted, read back strictly.
//!
//! YAML 1.1 readers take a bare `yes`, `12:30` or `3` for something else than text, and the usual
//! writers leave some of these bare. Double quotes leave nothing to guess.

use contract::names::{INFERENCE_API, PREFIX};
use serde::{Deserialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Write};

const API_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";
const KIND: &str = "Component";
const DEPLOYMENT: (&str, &str) = ("apps/v1", "Deployment");

/// What the file says, before it is judged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Unreleased,
    Released {
        new_name: String,
        digest: String,
        /// Annotations of the pod template without our prefix.
        annotations: BTreeMap<String, String>,
    },
}

/// A double-quoted scalar of printable ASCII, the same text in YAML 1.1 and 1.2.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if u32::from(c) <= 0xffff => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String")
            }
            c => write!(out, "\\U{:08x}", u32::from(c)).expect("writing to a String"),
        }
    }
    out.push('"');
    out
}

pub(crate) fn write(environment: &str, content: &Content) -> String {
    let mut out = format!(
        "# Written whole by `trainer promote` for {environment}; edits are lost with the next promotion.\n\
         # To take a release back, `git revert` the commit that promoted it.\n\
         apiVersion: {}\nkind: {}\n",
        quoted(API_VERSION),
        quoted(KIND)
    );
    let name = quoted(INFERENCE_API);
    match content {
        Content::Unreleased => {
            out += &format!(
                "# Nothing is promoted yet: there is no image to run.\nreplicas:\n  - name: {name}\n    count: 0\n"
            );
        }
        Content::Released {
            new_name,
            digest,
            annotations,
        } => {
            let (new_name, digest) = (quoted(new_name), quoted(digest));
            let (version, kind) = (quoted(DEPLOYMENT.0), quoted(DEPLOYMENT.1));
            out += &format!(
                "images:\n  - name: {name}\n    newName: {new_name}\n    digest: {digest}\n\
                 patches:\n  - target:\n      kind: {kind}\n      name: {name}\n    patch: |-\n\
                 \x20     apiVersion: {version}\n      kind: {kind}\n      metadata:\n        name: {name}\n\
                 \x20     spec:\n        template:\n          metadata:\n            annotations:\n"
            );
            for (key, value) in annotations {
                let key = quoted(&format!("{PREFIX}/{key}"));
                out += &format!("              {key}: {}\n", quoted(value));
            }
        }
    }
    out
}

/// Refuses any field, object or annotation that `write` would not have written.
pub(crate) fn read(text: &str) -> Result<Content, String> {
    let file: File = typed(text)?;
    expect("apiVersion", &file.api_version, API_VERSION)?;
    expect("kind", &file.kind, KIND)?;
    match (file.images, file.patches, file.replicas) {
        (None, None, Some([replicas])) => {
            expect("replicas[0].name", &replicas.name, INFERENCE_API)?;
            match replicas.count {
                0 => Ok(Content::Unreleased),
                count => Err(format!("replicas[0].count is {count}, expected 0")),
            }
        }
        (Some([image]), Some([patch]), None) => {
            expect("images[0].name", &image.name, INFERENCE_API)?;
            expect("patches[0].target.kind", &patch.target.kind, DEPLOYMENT.1)?;
            expect("patches[0].target.name", &patch.target.name, INFERENCE_API)?;
            let inner: Deployment =
                typed(&patch.patch).map_err(|error| format!("patches[0].patch: {error}"))?;
            expect("patches[0].patch.apiVersion", &inner.api_version, DEPLOYMENT.0)?;
            expect("patches[0].patch.kind", &inner.kind, DEPLOYMENT.1)?;
            expect(
                "patches[0].patch.metadata.name",
                &inner.metadata.name,
                INFERENCE_API,
            )?;
            let strip = |(key, value): (String, String)| match key
                .strip_prefix(PREFIX)
                .and_then(|k| k.strip_prefix('/'))
            {
                Some(short) => Ok((short.to_owned(), value)),
                None => Err(format!("annotation {key:?} is not ours")),
            };
            let annotations = inner.spec.template.metadata.annotations;
            Ok(Content::Released {
                new_name: image.new_name,
                digest: image.digest,
                annotations: annotations.into_iter().map(strip).collect::<Result<_, _>>()?,
            })
        }
        _ => Err("expected either one image and one patch, or one entry of replicas".to_owned()),
    }
}

/// Read twice: straight, which tells where an error is, and by way of a value, since reading
/// straight into text takes a bare `3` for the text "3", which kustomize does not.
fn typed<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_yaml::from_str::<T>(text).map_err(|error| error.to_string())?;
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    serde_yaml::from_value(value).map_err(|error| error.to_string())
}

fn expect(field: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{field} is {found:?}, expected {expected:?}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct File {
    api_version: String,
    kind: String,
    images: Option<[Image; 1]>,
    patches: Option<[Patch; 1]>,
    replicas: Option<[Replicas; 1]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Image {
    name: String,
    new_name: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    target: Target,
    patch: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    kind: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replicas {
    name: String,
    count: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Deployment {
    api_version: String,
    kind: String,
    metadata: Named,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    template: Template,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    metadata: Annotated,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotated {
    annotations: BTreeMap<String, String>,
}
