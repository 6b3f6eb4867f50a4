//! Variables and mounts of a step.

use crate::error::Error;
use crate::images::Image;
use kfp::Pipeline;
use kfp::argument::{Argument, Piece, Template};
use kfp::container::Container;
use kfp::kubernetes::{KeysAsEnv, Kubernetes, Named};
use kfp::model::Body;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Always inherited, where set.
const INHERITED: [&str; 4] = ["PATH", "LANG", "LC_ALL", "TZ"];
/// Where a runner has no `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What stands for a cluster's objects, and what steps may see of this machine.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Secrets and ConfigMaps by name: values by key. None of it is written down.
    pub objects: BTreeMap<String, BTreeMap<String, SecretString>>,
    /// Folders for claims, Secrets and ConfigMaps that are mounted, by name.
    pub volumes: BTreeMap<String, PathBuf>,
    /// Folders that stand for paths of every step, shared by all of them.
    pub paths: BTreeMap<String, PathBuf>,
    /// Variables that steps inherit besides the usual ones.
    pub inherit: Vec<String>,
    /// Variables that steps are given besides.
    pub env: BTreeMap<String, String>,
}

const AS_KEYS: &str = "it to be given with this key";
const AS_FOLDER: &str = "a folder with --volume NAME=FOLDER";
const CONSTANT: &str = "a name that is known before the run";

impl Given {
    /// Everything that steps need must be there before the first one begins.
    pub(crate) fn check(&self, pipeline: &Pipeline) -> Result<(), Error> {
        for (component, body) in &pipeline.components {
            let Body::Container(container) = &body.body else {
                continue;
            };
            let missing = |what, name: &str, expected| Error::ObjectMissing {
                component: component.clone(),
                what,
                name: name.to_owned(),
                expected,
            };
            let pod = &container.kubernetes;
            for (what, all) in [("Secret", &pod.secret_env), ("ConfigMap", &pod.config_map_env)] {
                for one in all.iter().filter(|one| !one.optional) {
                    let name = constant(&one.object).ok_or_else(|| missing(what, "?", CONSTANT))?;
                    for (key, _) in &one.keys {
                        if self.key(name, key).is_none() {
                            return Err(missing(what, &format!("{name}.{key}"), AS_KEYS));
                        }
                    }
                }
            }
            let volumes = pod.secret_volumes.iter().map(|one| ("Secret", one));
            let volumes = volumes.chain(pod.config_map_volumes.iter().map(|one| ("ConfigMap", one)));
            let volumes = volumes
                .filter(|(_, one)| !one.optional)
                .map(|(what, one)| (what, &one.object));
            for (what, object) in volumes.chain(pod.claims.iter().map(|one| ("claim", &one.object))) {
                let name = constant(object).ok_or_else(|| missing(what, "?", CONSTANT))?;
                if !self.volumes.contains_key(name) {
                    return Err(missing(what, name, AS_FOLDER));
                }
            }
        }
        Ok(())
    }

    fn key(&self, object: &str, key: &str) -> Option<&SecretString> {
        self.objects.get(object)?.get(key)
    }

    /// Path of each mount and the folder that stands for it; the longest path first.
    pub(crate) fn mounts(&self, pod: &Kubernetes, own: &Path) -> Vec<(String, PathBuf)> {
        let mut mounts = Vec::new();
        for (at, empty) in pod.empty_dirs.iter().enumerate() {
            mounts.push((empty.path.clone(), own.join(at.to_string())));
        }
        let volumes = pod.secret_volumes.iter().chain(&pod.config_map_volumes);
        let volumes = volumes.map(|one| (&one.object, &one.path, None));
        let claims = pod
            .claims
            .iter()
            .map(|one| (&one.object, &one.path, one.sub_path.as_deref()));
        for (object, path, sub_path) in volumes.chain(claims) {
            let folder = constant(object).and_then(|name| self.volumes.get(name));
            let sub_path = Path::new(sub_path.unwrap_or_default());
            if let Some(folder) = folder.filter(|_| crate::files::is_inside(sub_path)) {
                mounts.push((path.clone(), folder.join(sub_path)));
            }
        }
        let shared = self.paths.iter();
        mounts.extend(shared.map(|(path, folder)| (path.clone(), folder.clone())));
        for (path, _) in &mut mounts {
            path.truncate(path.trim_end_matches('/').len());
        }
        mounts.retain(|(path, _)| path.starts_with('/'));
        mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        mounts
    }

    /// The whole environment of a step, later entries before earlier ones.
    pub(crate) fn variables(
        &self,
        image: &Image,
        container: &Container,
        mounts: &[(String, PathBuf)],
        own: &[(&str, String)],
    ) -> BTreeMap<String, String> {
        let mut all = BTreeMap::from([("PATH".to_owned(), PATH.to_owned())]);
        let inherited = INHERITED
            .into_iter()
            .chain(self.inherit.iter().map(String::as_str));
        all.extend(inherited.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))));
        all.extend(self.env.clone());
        all.extend(
            own.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        all.extend(image.env.iter().cloned());
        let env = container.env.iter();
        all.extend(env.map(|(name, value)| (name.clone(), moved(value, mounts))));
        let pod = &container.kubernetes;
        for one in pod.config_map_env.iter().chain(&pod.secret_env) {
            all.extend(self.of_keys(one));
        }
        // What the system cannot hold would end the whole run.
        all.retain(|name, value| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
        all
    }

    fn of_keys<'a>(&'a self, one: &'a KeysAsEnv) -> impl Iterator<Item = (String, String)> + 'a {
        let name = constant(&one.object).unwrap_or_default();
        one.keys.iter().filter_map(move |(key, variable)| {
            let value = self.key(name, key)?.expose_secret().to_owned();
            Some((variable.clone(), value))
        })
    }
}

fn constant(object: &Named) -> Option<&str> {
    match object {
        Named::Constant(name) => Some(name),
        Named::Parent(_) | Named::Task(_) => None,
    }
}

/// The container with words that begin with a mount's path moved to the folder that stands for it.
pub(crate) fn with_mounts(container: &Container, mounts: &[(String, PathBuf)]) -> Container {
    let template = |template: &Template| {
        let mut pieces = template.pieces().to_vec();
        if let Some(Piece::Literal(text)) = pieces.first_mut() {
            *text = moved(text, mounts);
        }
        Template::new(pieces)
    };
    let all = |all: &[Template]| all.iter().map(template).collect();
    let argument = |argument: &Argument| match argument {
        Argument::Text(one) => Argument::Text(template(one)),
        Argument::IfPresent {
            input,
            then,
            otherwise,
        } => Argument::IfPresent {
            input: input.clone(),
            then: all(then),
            otherwise: all(otherwise),
        },
    };
    Container {
        command: container.command.iter().map(argument).collect(),
        args: container.args.iter().map(argument).collect(),
        ..container.clone()
    }
}

/// A path, or `--flag=` with one.
fn moved(text: &str, mounts: &[(String, PathBuf)]) -> String {
    let (flag, path) = match text.split_once('=') {
        Some((flag, path)) if flag.starts_with('-') => (&text[..=flag.len()], path),
        _ => ("", text),
    };
    for (mount, folder) in mounts {
        if let Some(rest) = path.strip_prefix(mount.as_str())
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return format!("{flag}{}{rest}", folder.display());
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kfp::kubernetes::EmptyDir;

    #[test]
    fn words_below_a_mount_are_moved() {
        let pod = Kubernetes {
            empty_dirs: vec![EmptyDir::tmp()],
            ..Kubernetes::default()
        };
        let mounts = Given::default().mounts(&pod, Path::new("/here"));
        for (text, expected) in [
            ("/tmp", "/here/0"),
            ("/tmp/run", "/here/0/run"),
            ("--dir=/tmp/run", "--dir=/here/0/run"),
            ("/tmpfile", "/tmpfile"),
            ("see /tmp/run", "see /tmp/run"),
            ("a=/tmp", "a=/tmp"),
        ] {
            assert_eq!(moved(text, &mounts), expected);
        }
    }

    #[test]
    fn only_what_was_given_is_in_the_environment() {
        let secret = KeysAsEnv {
            object: "account".into(),
            keys: vec![("token".to_owned(), "TOKEN".to_owned())],
            optional: true,
        };
        let container = Container {
            env: vec![("MODE".to_owned(), "on".to_owned())],
            kubernetes: Kubernetes {
                secret_env: vec![secret],
                ..Kubernetes::default()
            },
            ..Container::default()
        };
        let mut given = Given::default();
        let names = |given: &Given| {
            let all = given.variables(&Image::default(), &container, &[], &[("HOME", "/h".to_owned())]);
            let usual = |name: &&String| !INHERITED.contains(&name.as_str());
            all.keys().filter(usual).cloned().collect::<Vec<_>>()
        };
        assert_eq!(names(&given), ["HOME", "MODE"]);
        let token = ("token".to_owned(), SecretString::from("hush"));
        given.objects.insert("account".to_owned(), [token].into());
        assert_eq!(names(&given), ["HOME", "MODE", "TOKEN"]);
        assert!(!format!("{given:?}").contains("hush"));
    }
}
