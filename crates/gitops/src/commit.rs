//! The promotion's commit, built from trees: no work tree, and one path only.

use crate::{Details, Error, Release};
use contract::names::release_file;
use git2::{Commit, FileMode, Oid, Repository, Signature, Time, Tree, build::TreeUpdateBuilder};

const AUTHOR: (&str, &str) = ("driftless trainer", "trainer@driftless.invalid");

/// Writes the commit on top of `parent`; no reference moves. Same arguments, same commit.
pub(crate) fn build(
    repository: &Repository,
    parent: &Commit<'_>,
    release: &Release,
    details: &Details,
    time_s: i64,
    address: &str,
) -> Result<Oid, Error> {
    let git = |error: git2::Error| Error::Git {
        action: "build a commit for",
        address: address.to_owned(),
        reason: error.message().to_owned(),
    };
    let text = release.to_yaml()?;
    let path = release_file(&release.environment);
    let before = parent.tree().map_err(git)?;
    let blob = repository.blob(text.as_bytes()).map_err(git)?;
    let after = TreeUpdateBuilder::new()
        .upsert(path.as_str(), blob, FileMode::Blob)
        .create_updated(repository, &before)
        .and_then(|id| repository.find_tree(id))
        .map_err(git)?;
    guard(&touched(repository, &before, &after).map_err(git)?, &path)?;
    let author = Signature::new(AUTHOR.0, AUTHOR.1, &Time::new(time_s, 0)).map_err(git)?;
    repository
        .commit(
            None,
            &author,
            &author,
            &message(release, details),
            &after,
            &[parent],
        )
        .map_err(git)
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

fn message(release: &Release, details: &Details) -> String {
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
    let lines: String = trailers
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    format!("{}\n\n{lines}", release.subject())
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
