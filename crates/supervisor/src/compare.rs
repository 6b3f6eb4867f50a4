//! What `main` wants: the overlays of one commit, rendered and planned.

use crate::{
    config::Config, context::chain, git::Source, home::EXPORT_PREFIX, objects, plan::AppPlan, planning,
    render,
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The answer for one commit.
#[derive(Debug)]
pub struct Comparison {
    /// The commit.
    pub head: String,
    /// By application, or why nothing can be said about any.
    pub apps: Result<BTreeMap<String, Compared>, String>,
}

/// One application at that commit.
#[derive(Debug)]
pub struct Compared {
    /// Identity of what it was made from.
    pub identity: String,
    /// See [`Outcome`].
    pub outcome: Outcome,
}

/// What became of one overlay.
#[derive(Debug)]
pub enum Outcome {
    /// Made from the same as last time.
    Unchanged,
    /// A new plan.
    Planned(Box<AppPlan>),
    /// It cannot be rendered or planned.
    Failed(String),
}

/// Compares `head`; `known` are the identities whose plans the caller has. Only what changed is
/// rendered, all of it at the same time.
pub async fn compare(
    home: PathBuf,
    config: Config,
    head: String,
    known: BTreeMap<String, String>,
) -> Comparison {
    let apps = overlays(&home, &config, &head, &known).await;
    Comparison { head, apps }
}

async fn overlays(
    home: &Path,
    config: &Config,
    head: &str,
    known: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Compared>, String> {
    let source = Source {
        repository: home.join("gitops.git"),
    };
    let contents = {
        let (source, head, environment) = (source.clone(), head.to_owned(), config.environment.clone());
        blocking(move || {
            source
                .contents(&head, &environment)
                .map_err(|error| chain(&error))
        })
        .await?
    };
    let changed: Vec<String> = contents
        .apps
        .iter()
        .filter(|(name, identity)| known.get(*name) != Some(identity))
        .map(|(name, _)| name.clone())
        .collect();
    let mut planned = BTreeMap::new();
    if !changed.is_empty() {
        let (engine_folder, commit) = (home.join("engine"), head.to_owned());
        let export = blocking(move || {
            let folder = tempfile::Builder::new()
                .prefix(EXPORT_PREFIX)
                .tempdir_in(&engine_folder);
            let folder =
                folder.map_err(|error| format!("cannot write below {}: {error}", engine_folder.display()))?;
            source
                .export(&commit, folder.path())
                .map_err(|error| chain(&error))?;
            Ok(folder)
        })
        .await?;
        let root = export.path().to_owned();
        let mut tasks = tokio::task::JoinSet::new();
        for name in changed {
            let (root, config) = (root.clone(), config.clone());
            tasks.spawn(async move {
                let outcome = match one(&root, &config, &name).await {
                    Ok(plan) => Outcome::Planned(Box::new(plan)),
                    Err(reason) => Outcome::Failed(reason),
                };
                (name, outcome)
            });
        }
        while let Some(done) = tasks.join_next().await {
            let (name, outcome) = done.map_err(|panicked| panicked.to_string())?;
            planned.insert(name, outcome);
        }
        // Removing the export takes milliseconds that nobody has to wait for.
        tokio::task::spawn_blocking(move || drop(export));
    }
    let mut compared = BTreeMap::new();
    for (name, identity) in contents.apps {
        let outcome = planned.remove(&name).unwrap_or(Outcome::Unchanged);
        compared.insert(name, Compared { identity, outcome });
    }
    Ok(compared)
}

async fn one(root: &Path, config: &Config, name: &str) -> Result<AppPlan, String> {
    let overlay = format!("kustomize/overlays/{}/{name}", config.environment);
    let rendered = render::render(&config.renderer(), root, &overlay)
        .await
        .map_err(|error| chain(&error))?;
    let objects = objects::read(&rendered).map_err(|error| format!("{overlay}: {}", chain(&error)))?;
    planning::plan(&objects, config).map_err(|error| format!("{overlay}: {}", chain(&error)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panicked| Err(panicked.to_string()))
}
