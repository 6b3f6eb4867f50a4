//! The robot's commits, built from trees: no work tree, and one path only.

use crate::{Details, Error, Release, Repo};
use contract::names::release_file;
use git2::{Commit, FileMode, Oid, Repository, Signature, Time, Tree, build::TreeUpdateBuilder};
use std::time::{SystemTime, UNIX_EPOCH};

const AUTHOR: (&str, &str) = ("driftless trainer", "trainer@driftless.invalid");
/// A reason with log lines in it may be long; history keeps it forever.
const REASON_LINES: usize = 40;
const REASON_COLUMNS: usize = 300;

/// What one commit is to say and to write.
pub(crate) struct Draft {
    pub environment: String,
    /// The release file's whole text.
    pub text: Vec<u8>,
    pub message: String,
    /// Seconds since 1970.
    pub time_s: i64,
}

/// Writes the commit on top of `parent`; no reference moves. Same arguments, same commit.
pub(crate) fn build(
    repo: &Repo,
    repository: &Repository,
    parent: &Commit<'_>,
    draft: &Draft,
) -> Result<Oid, Error> {
    let git = |error: git2::Error| repo.failed("build a commit for", &error);
    let path = release_file(&draft.environment);
    let before = parent.tree().map_err(git)?;
    let blob = repository.blob(&draft.text).map_err(git)?;
    let after = TreeUpdateBuilder::new()
        .upsert(path.as_str(), blob, FileMode::Blob)
        .create_updated(repository, &before)
        .and_then(|id| repository.find_tree(id))
        .map_err(git)?;
    guard(&touched(repository, &before, &after).map_err(git)?, &path)?;
    let author = Signature::new(AUTHOR.0, AUTHOR.1, &Time::new(draft.time_s, 0)).map_err(git)?;
    repository
        .commit(None, &author, &author, &draft.message, &after, &[parent])
        .map_err(git)
}

/// Whether the robot has made it.
pub(crate) fn is_ours(commit: &Commit<'_>) -> bool {
    commit.author().email_bytes() == AUTHOR.1.as_bytes()
}

pub(crate) fn now_s() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}

/// Every path that differs between two trees.
fn touched(repository: &Repository, before: &Tree<'_>, after: &Tree<'_>) -> Result<Vec<String>, git2::Error> {
    let mut options = git2::DiffOptions::new();
    options.include_typechange(true).ignore_submodules(false);
    let diff = repository.diff_tree_to_tree(Some(before), Some(after), Some(&mut options))?;
    let files = diff.deltas().flat_map(|delta| {
        [delta.old_file(), delta.new_file()]
            .map(|file| String::from_utf8_lossy(file.path_bytes().unwrap_or_default()).into_owned())
    });
    let mut paths: Vec<_> = files.collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn guard(touched: &[String], allowed: &str) -> Result<(), Error> {
    if touched.iter().all(|path| path == allowed) && !touched.is_empty() {
        return Ok(());
    }
    Err(Error::Guard {
        touched: touched.to_vec(),
        allowed: allowed.to_owned(),
    })
}

/// The message of the commit that promotes `release`.
pub(crate) fn promotion(release: &Release, details: &Details) -> String {
    let key = details.run_key.clone().map(|key| ("Run-Key", key));
    let mut trailers = vec![
        ("Run-Id", release.run_id.clone()),
        ("Model-Version", release.model_version.to_string()),
        ("Model-Digest", release.model_digest.clone()),
        ("Dataset-Digest", release.dataset_digest.clone()),
        ("Image-Digest", release.digest.clone()),
    ];
    if !details.metrics.is_empty() {
        let word = |name: &str| name.replace(|c: char| c.is_whitespace() || c.is_control() || c == '=', "_");
        let metrics = details
            .metrics
            .iter()
            .map(|(name, value)| format!("{}={value:.4}", word(name)));
        trailers.push(("Metrics", metrics.collect::<Vec<_>>().join(" ")));
    }
    trailers.push(("Code-Commit", release.code_commit.clone()));
    trailers.extend(key);
    let lines: String = trailers
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    format!("{}\n\n{lines}", release.subject())
}

/// The message of the commit that takes `release` back, which `promoted` had made live.
pub(crate) fn withdrawal(release: &Release, promoted: Oid, reason: &str) -> String {
    let plain = |line: &str| -> String {
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        // Git takes what follows a line of dashes for a patch, and finds no trailer after it.
        let line = line.trim().trim_start_matches('-');
        line.trim().chars().take(REASON_COLUMNS).collect()
    };
    let mut lines: Vec<String> = reason
        .lines()
        .map(plain)
        .filter(|line| !line.is_empty())
        .take(REASON_LINES)
        .collect();
    if lines.is_empty() {
        lines.push("no reason was given".to_owned());
    }
    let first = lines[0].clone();
    format!(
        "revert({}): {} {}\n\n{}\n\n{}: {promoted}\nReason: {first}\n",
        release.environment,
        release.image,
        release.tag,
        lines.join("\n"),
        crate::withdraw::REVERTS,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_path_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(folder.path()).unwrap();
        let tree = |files: &[(&str, &str)]| {
            let empty = repository.treebuilder(None).unwrap().write().unwrap();
            let mut update = TreeUpdateBuilder::new();
            for (path, text) in files {
                update.upsert(*path, repository.blob(text.as_bytes()).unwrap(), FileMode::Blob);
            }
            let id = update
                .create_updated(&repository, &repository.find_tree(empty).unwrap())
                .unwrap();
            repository.find_tree(id).unwrap()
        };
        let allowed = release_file("local");
        let before = tree(&[("README.md", "a"), (&allowed, "old")]);
        for (after, expected) in [
            (tree(&[("README.md", "a"), (&allowed, "new")]), Some(vec![])),
            (
                tree(&[("README.md", "b"), (&allowed, "new")]),
                Some(vec!["README.md"]),
            ),
            (tree(&[(&allowed, "new")]), Some(vec!["README.md"])),
            (
                tree(&[("README.md", "a"), (&release_file("prod"), "x")]),
                Some(vec!["prod"]),
            ),
            (tree(&[("README.md", "a"), (&allowed, "old")]), None),
        ] {
            let touched = touched(&repository, &before, &after).unwrap();
            match (guard(&touched, &allowed), expected.as_deref()) {
                (Ok(()), Some([])) => assert_eq!(touched, [allowed.as_str()]),
                (Err(error @ Error::Guard { .. }), Some([other, ..])) => {
                    assert!(error.to_string().contains(other), "{error}");
                }
                // A commit that changes nothing is none.
                (Err(Error::Guard { touched, .. }), None) => assert_eq!(touched, [""; 0]),
                (other, _) => panic!("{other:?} for {touched:?}"),
            }
        }
    }
}
