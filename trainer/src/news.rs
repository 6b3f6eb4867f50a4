//! Whether data has anything new to say: what is live, or was taken back, may have learnt from it already.

use crate::failure::Result;
use gitops::{Release, Repo};

/// How far back a model of this data is looked for.
const COMMITS: usize = 500;

/// Why this dataset has nothing new to say, if it has not.
///
/// # Errors
/// Exit code GIT.
pub fn nothing_new(
    repo: &Repo,
    environment: &str,
    current: Option<&Release>,
    dataset: &str,
) -> Result<Option<String>> {
    if let Some(release) = current.filter(|release| release.dataset_digest == dataset) {
        return Ok(Some(format!(
            "nothing new to learn from: the live model {} has learnt from this very data ({dataset}); --force trains all the same",
            release.tag
        )));
    }
    // A person who took a release back must not find it promoted again in the morning.
    let subject = format!("promote({environment}):");
    for entry in repo.log(COMMITS)? {
        let learnt = entry
            .trailers
            .iter()
            .any(|(key, value)| key == "Dataset-Digest" && value == dataset);
        if learnt && entry.subject.starts_with(&subject) {
            return Ok(Some(format!(
                "nothing new to learn from: a model of this very data ({dataset}) was promoted by {} and taken back since; --force trains all the same",
                entry.commit.get(..7).unwrap_or_default()
            )));
        }
    }
    Ok(None)
}
