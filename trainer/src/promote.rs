//! `promote`: one commit that writes the release file. The only step that writes Git.

use crate::cli::{PassFlags, PromoteFlags};
use crate::failure::{Failure, Result};
use crate::folder::Folder;
use crate::mlflow::Tracking;
use crate::outcome::{Outcome, Status};
use crate::{confirm, hook, live, own, package, single, validate};
use anyhow::Context;
use contract::names::{INFERENCE_API, exit};
use gitops::{Details, Release, Repo};
use serde_json::{Value, json};

/// The step; with `--package` it makes the image first, with `--confirm` it waits until the release is live and takes
/// back what does not come up.
///
/// # Errors
/// As [`package::package`], [`promote`] and [`confirm::confirm`].
pub fn step(
    flags: &PromoteFlags,
    run_key: &dyn Fn(&Folder, &PassFlags) -> Result<String>,
) -> Result<Outcome> {
    let folder = Folder::new(&flags.folder.run_dir);
    let repo = live::repository(&flags.git, folder.path())?;
    let environment = &flags.git.environment;
    let key = run_key(&folder, &flags.folder.pass)?;
    let tracking = flags.told.tracking(&flags.mlflow)?;
    let done = |step: &str| match flags.folder.pass.shared {
        true => folder.finished(step).inspect(|found| {
            if found.is_some() {
                hook::point(step);
            }
        }),
        false => Ok(None),
    };
    if flags.package && done("package")?.is_none() {
        let store = flags.images.open()?;
        let forgotten = |run: &str| tracking.forgot(run);
        let packaged = package::package(&folder, store.as_ref(), &flags.images.base_image, &forgotten)?;
        single::keep(&folder, packaged)?;
    }
    let mut promoted = match done("promote")? {
        Some(found) => found,
        None => {
            taken_back(&folder, &repo, environment, &key, &tracking)?;
            let promoted = promote(&folder, &repo, environment, &key, flags.again);
            let promoted = promoted.inspect_err(|failure| tell_loss(&folder, &tracking, failure))?;
            single::keep(&folder, promoted)?
        }
    };
    if !flags.confirm {
        return Ok(promoted);
    }
    let live = match done("confirm")? {
        Some(found) => found,
        None => {
            let live = confirm::confirm(&folder, &repo, environment, &tracking, &flags.live)?;
            single::keep(&folder, live)?
        }
    };
    let digest = validate::candidate(&folder.model())?.manifest.model_digest;
    promoted
        .detail
        .insert("live".to_owned(), (live.status != Status::Skipped).into());
    promoted.detail.insert("model_digest".to_owned(), digest.into());
    promoted.summary = format!("{}; {}", promoted.summary, live.summary);
    Ok(promoted)
}

/// What this run has promoted and somebody took back because it did not come up is not promoted again.
fn taken_back(folder: &Folder, repo: &Repo, environment: &str, key: &str, tracking: &Tracking) -> Result<()> {
    let Some(own) = own::promotion(repo, environment, key)? else {
        return Ok(());
    };
    let Some(withdrawal) = repo.withdrawal(&own.commit, environment)? else {
        return Ok(());
    };
    let release = release(folder, environment)?;
    let name = validate::candidate(&folder.model())?.manifest.name;
    let (version, tag) = (release.model_version, release.tag.to_string());
    Err(confirm::told_before(tracking, &name, version, &tag, &withdrawal))
}

/// Says on the version that it lost; the verdict stands also when MLflow cannot be told.
fn tell_loss(folder: &Folder, tracking: &Tracking, failure: &Failure) {
    if !matches!(failure.exit, exit::OUTRUN | exit::NOTHING_NEW) {
        return;
    }
    let Ok(registered) = folder.require("register") else {
        return;
    };
    let version = registered.detail.get("model_version").and_then(Value::as_u64);
    let tags = [
        ("outcome", failure.status()),
        ("outcome-reason", &failure.to_string()),
    ];
    let name = registered.text("model_name");
    if let Err(e) = tracking.tell_outcome(name, version.unwrap_or_default(), &tags, true) {
        eprintln!("trainer: the version's outcome is not in MLflow: {e}");
    }
}

/// Releases the folder's image to `environment`, if what is live is still what the gate compared with.
/// By `run_key` in the commit the run finds it again when its folder is gone.
///
/// # Errors
/// Exit codes OUTRUN, NOTHING_NEW (taken back before, unless `again`), GIT.
pub fn promote(
    folder: &Folder,
    repo: &Repo,
    environment: &str,
    run_key: &str,
    again: bool,
) -> Result<Outcome> {
    let release = release(folder, environment)?;
    let judged = folder.require("validate")?;
    let expected = Some(judged.text("expected_previous")).filter(|digest| !digest.is_empty());
    let manifest = validate::candidate(&folder.model())?.manifest;
    let details = Details {
        metrics: manifest.metrics,
        time_s: None,
        again,
        run_key: Some(run_key.to_owned()),
    };
    let promoted = repo.promote_with(environment, &release, expected, &details)?;
    let detail = json!({
        "commit": promoted.commit, "environment": environment, "tag": release.tag.to_string(),
        "digest": release.digest, "model_version": release.model_version, "promoted": true,
    });
    let status = if promoted.already {
        Status::Already
    } else {
        Status::Done
    };
    let short = promoted.commit.get(..7).unwrap_or_default();
    let summary = format!(
        "promote({environment}): {INFERENCE_API} {} by commit {short}",
        release.tag
    );
    Ok(Outcome::new("promote", status, detail, summary))
}

/// The release that the folder's steps have prepared.
///
/// # Errors
/// When `package` has not been run.
pub fn release(folder: &Folder, environment: &str) -> Result<Release> {
    let packaged = folder.require("package")?;
    let manifest = validate::candidate(&folder.model())?.manifest;
    Ok(Release {
        environment: environment.to_owned(),
        image: INFERENCE_API.to_owned(),
        new_name: packaged.text("new_name").to_owned(),
        tag: packaged.text("tag").parse().context("package.json: tag")?,
        digest: packaged.text("digest").to_owned(),
        run_id: manifest
            .run_id
            .context("the manifest has no run: run `register` first")?,
        model_version: manifest
            .model_version
            .context("the manifest has no version: run `register` first")?,
        model_digest: manifest.model_digest,
        dataset_digest: manifest.dataset.digest,
        code_commit: manifest.code_commit,
    })
}
