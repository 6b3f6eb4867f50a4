//! The platform document.

use super::fields::{Fields, problem};
use super::{dag, kept};
use crate::kubernetes::{
    Claim, EmptyDir, KeysAsEnv, Kubernetes, Named, PullPolicy, SCHEDULING, User, Volume,
};
use crate::model::{Lifetime, Source};
use crate::problem::Problem;
use crate::value::canonical;
use serde_json::Value;
use std::collections::BTreeMap;

type Platform = (BTreeMap<String, Kubernetes>, Lifetime);

pub(super) fn read(document: Value, found: &mut Vec<Problem>) -> Result<Platform, Problem> {
    let mut fields = Fields::new(String::new(), document)?;
    let mut platforms = fields.object("platforms")?;
    fields.end()?;
    let kubernetes = platforms.optional_object("kubernetes")?;
    platforms.end()?;
    let Some(mut kubernetes) = kubernetes else {
        return Ok(Platform::default());
    };
    let mut pods = BTreeMap::new();
    if let Some(mut spec) = kubernetes.optional_object("deploymentSpec")? {
        for (label, path, value) in spec.entries("executors")? {
            if let Some(pod) = kept(Fields::new(path, value).and_then(pod), found) {
                pods.insert(label, pod);
            }
        }
        spec.end()?;
    }
    let mut lifetime = Lifetime::default();
    if let Some(mut config) = kubernetes.optional_object("pipelineConfig")? {
        config.refuse("workspace", "a folder that all steps of a run share")?;
        lifetime = Lifetime {
            after_end_seconds: config.whole("resourceTtlOnCompletion")?,
            after_success_seconds: config.whole("resourceTtlOnSuccess")?,
            after_failure_seconds: config.whole("resourceTtlOnFailure")?,
            deadline_seconds: config.whole("activeDeadlineSeconds")?,
        };
        config.end()?;
    }
    kubernetes.end()?;
    Ok((pods, lifetime))
}

fn pod(mut fields: Fields) -> Result<Kubernetes, Problem> {
    let mut pod = Kubernetes {
        deadline_seconds: fields.whole("activeDeadlineSeconds")?,
        pull_policy: pull_policy(&mut fields)?,
        pull_secrets: each(&mut fields, "imagePullSecret", |one| named(one, "secretName"))?,
        secret_env: each(&mut fields, "secretAsEnv", |one| {
            keys(one, "secretName", "secretKey")
        })?,
        config_map_env: each(&mut fields, "configMapAsEnv", |one| {
            keys(one, "configMapName", "configMapKey")
        })?,
        secret_volumes: each(&mut fields, "secretAsVolume", |one| volume(one, "secretName"))?,
        config_map_volumes: each(&mut fields, "configMapAsVolume", |one| {
            volume(one, "configMapName")
        })?,
        claims: each(&mut fields, "pvcMount", claim)?,
        empty_dirs: each(&mut fields, "emptyDirMounts", |one| {
            Ok(EmptyDir {
                name: one.text("volumeName")?,
                path: one.text("mountPath")?,
                medium: one.optional_text("medium")?.filter(|medium| !medium.is_empty()),
                size_limit: one.optional_text("sizeLimit")?,
            })
        })?,
        field_env: each(&mut fields, "fieldPathAsEnv", |one| {
            Ok((one.text("name")?, one.text("fieldPath")?))
        })?,
        ..Kubernetes::default()
    };
    if let Some(mut metadata) = fields.optional_object("podMetadata")? {
        pod.labels = metadata.text_map("labels")?;
        pod.annotations = metadata.text_map("annotations")?;
        metadata.end()?;
    }
    if let Some(mut user) = fields.optional_object("securityContext")? {
        pod.user = User {
            id: user.whole("runAsUser")?,
            group: user.whole("runAsGroup")?,
            not_root: user.flag("runAsNonRoot")?,
        };
        user.end()?;
    }
    for field in SCHEDULING {
        if let Some((_, value)) = fields.take(field) {
            pod.scheduling.insert((*field).to_owned(), canonical(value));
        }
    }
    fields.end()?;
    Ok(pod)
}

/// Items of a list, each read whole.
fn each<T>(
    fields: &mut Fields,
    field: &str,
    read: impl Fn(&mut Fields) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let items = fields.items(field)?.into_iter();
    items
        .map(|(path, value)| {
            let mut one = Fields::new(path, value)?;
            let item = read(&mut one)?;
            one.end()?;
            Ok(item)
        })
        .collect()
}

fn pull_policy(fields: &mut Fields) -> Result<Option<PullPolicy>, Problem> {
    let path = fields.at("imagePullPolicy");
    let Some(word) = fields.optional_text("imagePullPolicy")? else {
        return Ok(None);
    };
    let all = [PullPolicy::Always, PullPolicy::Never, PullPolicy::IfNotPresent];
    let known = all.into_iter().find(|policy| policy.word() == word);
    let unknown = || problem(&path, format!("{word:?}: expected Always, Never or IfNotPresent"));
    known.map(Some).ok_or_else(unknown)
}

/// `secretNameParameter`, or the plain `secretName` that it replaced.
fn named(fields: &mut Fields, plain: &str) -> Result<Named, Problem> {
    let old = fields.optional_text(plain)?;
    let new = fields.optional_object(&format!("{plain}Parameter"))?;
    object(fields, old.map(Named::Constant), new)
}

fn object(fields: &Fields, old: Option<Named>, new: Option<Fields>) -> Result<Named, Problem> {
    let Some(new) = new else {
        return old.ok_or_else(|| problem(&fields.path, "has no name of an object"));
    };
    let path = new.path.clone();
    match dag::parameter(new)? {
        Source::Constant(Value::String(name)) => Ok(Named::Constant(name)),
        Source::Parent { input, field: None } => Ok(Named::Parent(input)),
        Source::Task { from, field: None } => Ok(Named::Task(from)),
        _ => Err(problem(&path, "expected a text, an input or an output")),
    }
}

fn keys(fields: &mut Fields, plain: &str, key: &str) -> Result<KeysAsEnv, Problem> {
    Ok(KeysAsEnv {
        object: named(fields, plain)?,
        keys: each(fields, "keyToEnv", |one| {
            Ok((one.text(key)?, one.text("envVar")?))
        })?,
        optional: fields.flag("optional")?.unwrap_or_default(),
    })
}

fn volume(fields: &mut Fields, plain: &str) -> Result<Volume, Problem> {
    Ok(Volume {
        object: named(fields, plain)?,
        path: fields.text("mountPath")?,
        optional: fields.flag("optional")?.unwrap_or_default(),
    })
}

fn claim(fields: &mut Fields) -> Result<Claim, Problem> {
    let constant = fields.optional_text("constant")?.map(Named::Constant);
    let parent = fields
        .optional_text("componentInputParameter")?
        .map(Named::Parent);
    if let Some(mut task) = fields.optional_object("taskOutputParameter")? {
        // Said again in pvcNameParameter.
        task.text("producerTask")?;
        task.text("outputParameterKey")?;
        task.end()?;
    }
    let new = fields.optional_object("pvcNameParameter")?;
    Ok(Claim {
        object: object(fields, constant.or(parent), new)?,
        path: fields.text("mountPath")?,
        sub_path: fields.optional_text("subPath")?.filter(|path| !path.is_empty()),
    })
}
