//! What was promoted, and what is released now, read from the repository that the engine follows.

use super::{Clone, MAIN, reads};
use crate::{
    ctx::Ctx,
    failure::{Failure, Id, Outcome},
};
use contract::{Tag, names::release_file};
use serde::Serialize;

/// One commit that changed the release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promotion {
    /// Full commit.
    pub commit: String,
    /// Committer's time, RFC 3339.
    pub at: String,
    /// First line of the message.
    pub subject: String,
    /// What the file released at that commit, `None` for nothing.
    pub released: Option<Released>,
    /// Trailer `Metrics` of a promotion.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metrics: String,
}

impl Promotion {
    /// Written by `trainer promote`, not by a revert.
    pub fn is_promotion(&self) -> bool {
        self.subject.starts_with("promote(")
    }
}

/// What a release file names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Released {
    /// Image tag.
    pub tag: Tag,
    /// Image digest.
    pub digest: String,
}

/// Reads a release file; `None` when it releases nothing.
///
/// # Errors
/// A text: what is missing.
pub fn released_in(text: &str) -> Result<Option<Released>, String> {
    let file: serde_yaml::Value = serde_yaml::from_str(text).map_err(|error| error.to_string())?;
    let Some(image) = file.get("images").and_then(|images| images.get(0)) else {
        return Ok(None);
    };
    let digest = image
        .get("digest")
        .and_then(serde_yaml::Value::as_str)
        .ok_or("images[0].digest is missing")?;
    let key = format!("{}/image-tag", contract::names::PREFIX);
    let patch = file["patches"][0]["patch"]
        .as_str()
        .ok_or("patches[0].patch is missing")?;
    let patch: serde_yaml::Value = serde_yaml::from_str(patch).map_err(|error| error.to_string())?;
    let tag = patch["spec"]["template"]["metadata"]["annotations"][key.as_str()].as_str();
    let tag = tag.ok_or_else(|| format!("annotation {key} is missing"))?;
    let tag = tag.parse().map_err(|error| format!("{error}"))?;
    Ok(Some(Released {
        tag,
        digest: digest.to_owned(),
    }))
}

/// What is released at a commit of a clone.
///
/// # Errors
/// `git-failed` for a commit or file that is not there, or a file that cannot be read.
pub fn released(ctx: &Ctx, clone: &Clone<'_>, commit: &str) -> Outcome<Option<Released>> {
    let path = release_file(&ctx.environment);
    let attempted = format!("read {path} at {commit}");
    let show = reads(clone.dir()).args(["show", &format!("{commit}:{path}")]);
    let text = ctx.must(Id::GitFailed, &attempted, &show)?.stdout;
    released_in(&text).map_err(|cause| Failure::new(Id::GitFailed, attempted).because(cause))
}

/// The newest commits that changed the release, newest first. The one that brought the file
/// into the repository is not among them: it released nothing.
///
/// # Errors
/// `git-failed`.
pub fn promotions(ctx: &Ctx, clone: &Clone<'_>, limit: usize) -> Outcome<Vec<Promotion>> {
    const FORMAT: &str = "--format=%H%x1f%cI%x1f%s%x1f%(trailers:key=Metrics,valueonly,separator=%x20)";
    let log = reads(clone.dir())
        // Merges bring the same change in once more.
        .args(["log", "--no-merges", "--diff-filter=M", FORMAT, MAIN, "--"])
        .args([release_file(&ctx.environment)]);
    let text = ctx
        .must(Id::GitFailed, "read the history of the release", &log)?
        .stdout;
    let mut all = Vec::new();
    for line in text.lines().take(limit) {
        let mut fields = line.split('\x1f');
        let mut next = || fields.next().unwrap_or_default().trim().to_owned();
        let (commit, at, subject, metrics) = (next(), next(), next(), next());
        let released = released(ctx, clone, &commit)?;
        all.push(Promotion {
            commit,
            at,
            subject,
            released,
            metrics,
        });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_images_releases_nothing() {
        assert_eq!(
            released_in("kind: Component\nreplicas:\n  - name: inference-api\n    count: 0\n"),
            Ok(None)
        );
    }

    #[test]
    fn a_release_as_the_trainer_writes_it() {
        let text = r#"
images:
  - name: "inference-api"
    newName: "inference-api"
    digest: "sha256:00"
patches:
  - target:
      kind: "Deployment"
      name: "inference-api"
    patch: |-
      kind: "Deployment"
      spec:
        template:
          metadata:
            annotations:
              "driftless.dev/image-tag": "m12-0a1b2c3"
"#;
        let released = Released {
            tag: "m12-0a1b2c3".parse().unwrap(),
            digest: "sha256:00".to_owned(),
        };
        assert_eq!(released_in(text), Ok(Some(released)));
    }

    #[test]
    fn a_half_written_file_is_an_error() {
        let error = |text| released_in(text).unwrap_err();
        assert_eq!(error("images:\n  - name: x\n"), "images[0].digest is missing");
        let images = "images:\n  - digest: sha256:00\n";
        assert_eq!(error(images), "patches[0].patch is missing");
        let patch = format!("{images}patches:\n  - patch: 'spec: {{}}'\n");
        assert_eq!(error(&patch), "annotation driftless.dev/image-tag is missing");
        assert!(!error("a: [").is_empty());
    }
}
