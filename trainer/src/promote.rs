//! `promote`: one commit that writes the release file. The only step that writes Git.

use crate::failure::Result;
use crate::folder::Folder;
use crate::outcome::{Outcome, Status};
use crate::validate;
use anyhow::Context;
use contract::names::INFERENCE_API;
use gitops::{Details, Release, Repo};
use serde_json::json;

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
