//! Reading the bare repository: where `main` is, what an overlay is made of, its files.

use git2::{ObjectType, Oid, Repository, Tree};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The branch that is made true.
pub const BRANCH: &str = "refs/heads/main";
/// Folders an overlay may be made of.
const FOLDERS: [&str; 2] = ["manifests", "kustomize"];
/// A manifest is text of a few kilobytes: larger ones are a mistake, and memory is bounded.
const FILE_BYTES_MAX: usize = 1024 * 1024;
const FILES_MAX: usize = 10_000;

/// Why the repository could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// libgit2's refusal.
    #[error("cannot {action} in {}: {}", repository.display(), source.message())]
    Git {
        /// What was attempted.
        action: String,
        /// The repository.
        repository: PathBuf,
        /// libgit2's answer.
        source: git2::Error,
    },
    /// The commit holds something that is not exported.
    #[error("{path} at {commit}: {reason}")]
    Content {
        /// Path inside the repository.
        path: String,
        /// The commit.
        commit: String,
        /// Why.
        reason: String,
    },
    /// The export could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

/// A bare repository.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its folder.
    pub repository: PathBuf,
}

/// What the applications of one commit are made of, by identity of content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// By application: changes exactly when something that its overlay may use changes.
    pub apps: BTreeMap<String, String>,
}

impl Source {
    fn open(&self) -> Result<Repository, GitError> {
        Repository::open_bare(&self.repository).map_err(self.refused("open"))
    }

    fn refused(&self, action: impl Into<String>) -> impl FnOnce(git2::Error) -> GitError {
        let (action, repository) = (action.into(), self.repository.clone());
        move |source| GitError::Git {
            action,
            repository,
            source,
        }
    }

    /// The commit that `main` points at, in full hex.
    ///
    /// # Errors
    /// `Git`.
    pub fn head(&self) -> Result<String, GitError> {
        let id = self
            .open()?
            .refname_to_id(BRANCH)
            .map_err(self.refused(format!("read {BRANCH}")))?;
        Ok(id.to_string())
    }

    /// The applications of a commit: sub-folders of `kustomize/overlays/<environment>` that hold
    /// a `kustomization.yaml`.
    ///
    /// # Errors
    /// `Git`, also when the commit has no such environment.
    pub fn contents(&self, commit: &str, environment: &str) -> Result<Contents, GitError> {
        let repository = self.open()?;
        let tree = self.tree(&repository, commit)?;
        let overlays = format!("kustomize/overlays/{environment}");
        let entry = tree
            .get_path(Path::new(&overlays))
            .map_err(self.refused(format!("find {overlays}")))?;
        let folder = repository
            .find_tree(entry.id())
            .map_err(self.refused(format!("read {overlays}")))?;
        let mut apps = BTreeMap::new();
        let mut borrowed = BTreeMap::new();
        // Whatever is not one application's own may be used by each of them.
        let mut shared: Vec<String> = Vec::new();
        for entry in &folder {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            let kustomization = (entry.kind() == Some(ObjectType::Tree))
                .then(|| repository.find_tree(entry.id()).ok())
                .flatten()
                .and_then(|tree| {
                    repository
                        .find_blob(tree.get_name("kustomization.yaml")?.id())
                        .ok()
                });
            if let Some(file) = kustomization {
                borrowed.insert(name.clone(), siblings(&String::from_utf8_lossy(file.content())));
                apps.insert(name, entry.id().to_string());
            } else {
                shared.push(format!("{name} {}", entry.id()));
            }
        }
        for path in ["manifests", "kustomize/components"] {
            if let Ok(entry) = tree.get_path(Path::new(path)) {
                shared.push(format!("{path} {}", entry.id()));
            }
        }
        let shared = contract::sha256_hex(shared.join("\n").as_bytes());
        let own = apps.clone();
        for (name, identity) in &mut apps {
            for sibling in borrowed[name].iter().filter_map(|sibling| own.get(sibling)) {
                identity.push_str(sibling);
            }
            identity.push_str(&shared);
        }
        Ok(Contents { apps })
    }

    /// Writes the folders overlays are made of, as of `commit`, into `folder`.
    ///
    /// # Errors
    /// See [`GitError`].
    pub fn export(&self, commit: &str, folder: &Path) -> Result<(), GitError> {
        let repository = self.open()?;
        let tree = self.tree(&repository, commit)?;
        let mut export = Export {
            source: self,
            repository: &repository,
            commit,
            files: 0,
        };
        for name in FOLDERS {
            if let Some(entry) = tree.get_name(name) {
                export.write(entry.id(), &folder.join(name), name)?;
            }
        }
        Ok(())
    }

    fn tree<'r>(&self, repository: &'r Repository, commit: &str) -> Result<Tree<'r>, GitError> {
        Oid::from_str(commit)
            .and_then(|id| repository.find_commit(id))
            .and_then(|commit| commit.tree())
            .map_err(self.refused(format!("read commit {commit}")))
    }
}

/// Overlays beside it that a kustomization takes a part of: X of every `- ../X/...`.
fn siblings(kustomization: &str) -> Vec<String> {
    kustomization
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ../"))
        .filter_map(|path| path.split('/').next())
        .filter(|name| *name != "..")
        .map(str::to_owned)
        .collect()
}

struct Export<'a> {
    source: &'a Source,
    repository: &'a Repository,
    commit: &'a str,
    files: usize,
}

impl Export<'_> {
    fn write(&mut self, id: Oid, to: &Path, path: &str) -> Result<(), GitError> {
        let failed = |source| GitError::Write {
            path: to.to_owned(),
            source,
        };
        fs::create_dir_all(to).map_err(failed)?;
        let tree = self
            .repository
            .find_tree(id)
            .map_err(self.source.refused(format!("read {path}")))?;
        for entry in &tree {
            let name = String::from_utf8_lossy(entry.name_bytes()).into_owned();
            let (path, to) = (format!("{path}/{name}"), to.join(&name));
            match (entry.kind(), entry.filemode()) {
                (Some(ObjectType::Tree), _) => self.write(entry.id(), &to, &path)?,
                (Some(ObjectType::Blob), 0o100_644 | 0o100_755) => self.write_file(entry.id(), &to, &path)?,
                // A link could point out of the export, into this machine.
                _ => return Err(self.content(&path, "a symbolic link or submodule, which is not followed")),
            }
        }
        Ok(())
    }

    fn write_file(&mut self, id: Oid, to: &Path, path: &str) -> Result<(), GitError> {
        self.files += 1;
        if self.files > FILES_MAX {
            return Err(self.content(path, &format!("more than {FILES_MAX} files")));
        }
        let blob = self
            .repository
            .find_blob(id)
            .map_err(self.source.refused(format!("read {path}")))?;
        if blob.size() > FILE_BYTES_MAX {
            let reason = format!("{} bytes, at most {FILE_BYTES_MAX} are read", blob.size());
            return Err(self.content(path, &reason));
        }
        fs::write(to, blob.content()).map_err(|source| GitError::Write {
            path: to.to_owned(),
            source,
        })
    }

    fn content(&self, path: &str, reason: &str) -> GitError {
        GitError::Content {
            path: path.to_owned(),
            commit: self.commit.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::{Signature, build::TreeUpdateBuilder};

    struct Bare {
        folder: tempfile::TempDir,
        source: Source,
    }

    impl Bare {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            Repository::init_bare(folder.path()).unwrap();
            let source = Source {
                repository: folder.path().to_owned(),
            };
            Bare { folder, source }
        }

        fn commit(&self, files: &[(&str, &str, git2::FileMode)]) -> String {
            let repository = Repository::open_bare(self.folder.path()).unwrap();
            let parent = repository
                .refname_to_id(BRANCH)
                .ok()
                .map(|id| repository.find_commit(id).unwrap());
            let base = match &parent {
                Some(parent) => parent.tree().unwrap(),
                None => repository
                    .find_tree(repository.treebuilder(None).unwrap().write().unwrap())
                    .unwrap(),
            };
            let mut update = TreeUpdateBuilder::new();
            for (path, text, mode) in files {
                update.upsert(*path, repository.blob(text.as_bytes()).unwrap(), *mode);
            }
            let tree = repository
                .find_tree(update.create_updated(&repository, &base).unwrap())
                .unwrap();
            let who = Signature::now("t", "t@t.invalid").unwrap();
            let parents: Vec<_> = parent.iter().collect();
            repository
                .commit(Some(BRANCH), &who, &who, "c", &tree, &parents)
                .unwrap()
                .to_string()
        }
    }

    const PLAIN: git2::FileMode = git2::FileMode::Blob;

    #[test]
    fn only_what_an_app_may_use_changes_its_identity() {
        let bare = Bare::new();
        assert!(
            bare.source
                .head()
                .unwrap_err()
                .to_string()
                .contains("cannot read refs/heads/main in")
        );
        let base = bare.commit(&[
            ("kustomize/overlays/local/a/kustomization.yaml", "a", PLAIN),
            ("kustomize/overlays/local/b/kustomization.yaml", "b", PLAIN),
            (
                "kustomize/overlays/local/c/kustomization.yaml",
                "components:\n  - ../a/release",
                PLAIN,
            ),
            (
                "kustomize/overlays/local/notes/readme.md",
                "not an application",
                PLAIN,
            ),
            ("manifests/a/x.yaml", "x", PLAIN),
        ]);
        assert_eq!(bare.source.head().unwrap(), base);
        let first = bare.source.contents(&base, "local").unwrap();
        assert_eq!(first.apps.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        let changed = |path: &str| {
            let commit = bare.commit(&[(path, path, PLAIN)]);
            bare.source.contents(&commit, "local").unwrap()
        };
        assert_eq!(changed("README.md"), first);
        assert_eq!(changed("kustomize/overlays/prod/a/kustomization.yaml"), first);
        let second = changed("kustomize/overlays/local/a/release/kustomization.yaml");
        assert_ne!(second.apps["a"], first.apps["a"]);
        assert_eq!(second.apps["b"], first.apps["b"]);
        assert_ne!(second.apps["c"], first.apps["c"], "it takes a part of a");
        let third = changed("kustomize/components/c/kustomization.yaml");
        assert!(third.apps["a"] != second.apps["a"] && third.apps["b"] != second.apps["b"]);
        assert!(
            bare.source
                .contents(&base, "moon")
                .unwrap_err()
                .to_string()
                .contains("kustomize/overlays/moon")
        );
    }

    #[test]
    fn exports_files_and_refuses_links() {
        let bare = Bare::new();
        let commit = bare.commit(&[("manifests/a/x.yaml", "x", PLAIN), ("other/y", "y", PLAIN)]);
        let to = tempfile::tempdir().unwrap();
        bare.source.export(&commit, to.path()).unwrap();
        assert_eq!(
            fs::read_to_string(to.path().join("manifests/a/x.yaml")).unwrap(),
            "x"
        );
        assert!(!to.path().join("other").exists());
        let commit = bare.commit(&[("manifests/a/link", "/etc/passwd", git2::FileMode::Link)]);
        let error = bare.source.export(&commit, to.path()).unwrap_err().to_string();
        assert!(
            error.contains("manifests/a/link") && error.contains("symbolic link"),
            "{error}"
        );
    }
}
