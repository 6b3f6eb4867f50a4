//! From a plan to a command: container of an unpacked image, or the program that stands in for it.

use crate::{
    config::StandIn,
    environment::{EnvironmentError, Surroundings, command_line, expand, variables},
    image::Prepared,
    plan::PodPlan,
    procfs::MARK,
    services::ServicePort,
};
use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

/// What every process is started with.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// The state folder.
    pub home: &'a Path,
    /// `DRIFTLESS_HOME` and the configured variables.
    pub variables: &'a BTreeMap<String, String>,
    /// All Services.
    pub services: &'a [ServicePort],
}

/// What one process is asked to do besides its plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Name of the replica or attempt.
    pub pod_name: &'a str,
    /// Appended to the arguments.
    pub args: &'a [String],
    /// Set over the variables; `None` means none.
    pub env: Option<&'a BTreeMap<String, String>>,
}

/// A command, ready but for its files and sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Absolute path.
    pub program: PathBuf,
    /// Without the program.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Working folder.
    pub folder: PathBuf,
}

/// The plan cannot be made a command.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A variable has no value.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// Neither the image nor the manifest names a program.
    #[error("neither the image {0} nor the manifest names a program")]
    NoProgram(String),
    /// The program is not in the image.
    #[error("image {image} has no program {program:?}")]
    Missing {
        /// With digest.
        image: String,
        /// As named.
        program: String,
    },
}

/// The command of a container.
///
/// # Errors
/// See [`LaunchError`].
pub fn container(
    pod: &PodPlan,
    image: &Prepared,
    request: Request<'_>,
    ground: Ground<'_>,
) -> Result<Command, LaunchError> {
    let mut of_image = inherited();
    of_image.extend(image.config.env.clone());
    let no_overrides = BTreeMap::new();
    let around = Surroundings {
        pod_name: request.pod_name,
        namespace: &pod.namespace,
        labels: &pod.labels,
        annotations: &pod.annotations,
        config_maps: &pod.config_maps,
        image: &of_image,
        engine: ground.variables,
        overrides: request.env.unwrap_or(&no_overrides),
        services: ground.services,
    };
    let mut env = variables(&pod.container, &around)?;
    let config = &image.config;
    let line = command_line(
        &config.entrypoint,
        &config.cmd,
        &pod.container,
        request.args,
        &env,
        &around,
    );
    let (program, args) = line
        .split_first()
        .ok_or_else(|| LaunchError::NoProgram(image.image.clone()))?;
    let folder = pod
        .container
        .working_dir
        .as_deref()
        .unwrap_or(&config.working_dir);
    let folder = inside(&image.root, Path::new("/"), folder);
    let missing = || LaunchError::Missing {
        image: image.image.clone(),
        program: program.clone(),
    };
    let search = config
        .env
        .get("PATH")
        .map_or("/usr/local/bin:/usr/bin:/bin:/", String::as_str);
    let program = find(program, &image.root, &folder, search).ok_or_else(missing)?;
    mark(&mut env, ground.home);
    Ok(Command {
        program,
        args: args.to_vec(),
        env,
        folder,
    })
}

/// The command of a stand-in; `port` is what `$(PORT)` expands to.
pub fn stand_in(stand_in: &StandIn, port: Option<u16>, ground: Ground<'_>) -> Command {
    let mut known = ground.variables.clone();
    if let Some(port) = port {
        known.insert("PORT".to_owned(), port.to_string());
    }
    let mut env = inherited();
    // A program of this machine may look for a home; ours keeps what it writes out of the user's.
    env.insert("HOME".to_owned(), ground.home.display().to_string());
    env.extend(
        stand_in
            .env
            .iter()
            .map(|(key, value)| (key.clone(), expand(value, &known))),
    );
    mark(&mut env, ground.home);
    Command {
        program: stand_in.program.clone(),
        args: stand_in.args.iter().map(|arg| expand(arg, &known)).collect(),
        env,
        folder: ground.home.to_owned(),
    }
}

/// All that is taken from the engine's own environment.
fn inherited() -> BTreeMap<String, String> {
    ["PATH", "TZ"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect()
}

fn mark(env: &mut BTreeMap<String, String>, home: &Path) {
    env.insert(MARK.to_owned(), home.display().to_string());
}

/// `path` of the image as a path of this machine; `..` does not lead out of the image.
fn inside(root: &Path, folder: &Path, path: &str) -> PathBuf {
    let mut within = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::Normal(name) => within.push(name),
            Component::ParentDir => drop(within.pop()),
            _ => {}
        }
    }
    root.join(within)
}

fn find(program: &str, root: &Path, folder: &Path, search: &str) -> Option<PathBuf> {
    let folder = Path::new("/").join(folder.strip_prefix(root).unwrap_or(Path::new("")));
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![inside(root, &folder, program)]
    } else {
        search
            .split(':')
            .map(|part| inside(root, Path::new(part), program))
            .collect()
    };
    // A program of this machine is never meant.
    candidates.into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Container;
    use oci::image::ImageConfig;

    fn pod(yaml: &str) -> PodPlan {
        PodPlan {
            workload: "api".into(),
            namespace: "serving".into(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            container: serde_yaml::from_str::<Container>(&format!("name: api\n{yaml}")).unwrap(),
            config_maps: BTreeMap::new(),
            grace_s: 30,
        }
    }

    fn made(root: &Path, yaml: &str) -> Result<Command, String> {
        let image = Prepared {
            image: "api@sha256:0".into(),
            root: root.to_owned(),
            config: ImageConfig {
                working_dir: "/work".into(),
                entrypoint: vec!["/bin/api".into()],
                cmd: vec!["serve".into()],
                env: BTreeMap::from([
                    ("MODEL_DIR".into(), "model".into()),
                    ("PATH".into(), "/bin".into()),
                ]),
                ..ImageConfig::default()
            },
        };
        let ground = Ground {
            home: Path::new("/srv/driftless"),
            variables: &BTreeMap::from([("DRIFTLESS_HOME".to_owned(), "/srv/driftless".to_owned())]),
            services: &[],
        };
        container(
            &pod(yaml),
            &image,
            Request {
                pod_name: "api-1",
                ..Request::default()
            },
            ground,
        )
        .map_err(|e| e.to_string())
    }

    fn image_root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in ["bin/api", "work/tool"] {
            std::fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(root.path().join(path), "").unwrap();
        }
        root
    }

    #[test]
    fn programs_and_folders_are_those_of_the_image() {
        let root = image_root();
        let of = |yaml: &str| {
            let made = made(root.path(), yaml)?;
            let relative = |path: &Path| path.strip_prefix(root.path()).unwrap().display().to_string();
            Ok((
                relative(&made.program),
                made.args.join(" "),
                relative(&made.folder),
            ))
        };
        let ok = |program: &str, args: &str, folder: &str| Ok((program.into(), args.into(), folder.into()));
        assert_eq!(of(""), ok("bin/api", "serve", "work"));
        assert_eq!(of("args: [x]\nworkingDir: /"), ok("bin/api", "x", ""));
        assert_eq!(
            of("command: [./tool, '$(MODEL_DIR)']"),
            ok("work/tool", "model", "work")
        );
        assert_eq!(of("command: [api]"), ok("bin/api", "", "work"));
        assert_eq!(of("command: [/../../bin/api]"), ok("bin/api", "", "work"));
        for program in ["/bin/sh", "sh", "../../../../../../bin/sh"] {
            let refused: Result<(String, String, String), String> = of(&format!("command: ['{program}']"));
            assert_eq!(
                refused.unwrap_err(),
                format!("image api@sha256:0 has no program {program:?}")
            );
        }
    }

    #[test]
    fn little_is_inherited_and_everything_is_marked() {
        let root = image_root();
        let env = made(root.path(), "env: [{name: PATH, value: /x}]").unwrap().env;
        assert_eq!(env["PATH"], "/x");
        assert_eq!(env[MARK], "/srv/driftless");
        assert!(!env.contains_key("HOME") && !env.contains_key("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn a_stand_in_gets_its_port() {
        let config = StandIn {
            program: "/v/bin/mlflow".into(),
            args: vec![
                "--port".into(),
                "$(PORT)".into(),
                "sqlite:///$(DRIFTLESS_HOME)/m.db".into(),
            ],
            env: BTreeMap::from([("HOSTS".to_owned(), "127.0.0.1:$(PORT)".to_owned())]),
            description: "d".into(),
        };
        let ground = Ground {
            home: Path::new("/h"),
            variables: &BTreeMap::from([("DRIFTLESS_HOME".to_owned(), "/h".to_owned())]),
            services: &[],
        };
        let made = stand_in(&config, Some(30500), ground);
        assert_eq!(made.args, ["--port", "30500", "sqlite:////h/m.db"]);
        assert_eq!(
            (made.env["HOSTS"].as_str(), made.env["HOME"].as_str()),
            ("127.0.0.1:30500", "/h")
        );
    }
}
