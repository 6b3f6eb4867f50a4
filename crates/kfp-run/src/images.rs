//! From an image's reference to programs on this machine.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Finds images.
pub trait Resolve: Sync {
    /// What runs where a step names this image.
    ///
    /// # Errors
    /// Why there is none, and what was expected.
    fn resolve(&self, image: &str) -> Result<Image, String>;
}

/// What an image is here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// By which cached results are known: a digest of its content, or its reference.
    pub digest: String,
    /// Programs by the name that a command line has for them: `/trainer`.
    pub programs: BTreeMap<String, PathBuf>,
    /// Its files, unpacked: other names are looked for in here.
    pub root: Option<PathBuf>,
    /// Without a root: whether other names are programs of this machine.
    pub host: bool,
    /// Its own variables.
    pub env: Vec<(String, String)>,
}

impl Image {
    /// The program of that name; names without `/` are looked for along `search` (a `PATH`).
    pub fn program(&self, name: &str, search: &str) -> Option<PathBuf> {
        if let Some(program) = self.programs.get(name) {
            return Some(program.clone());
        }
        let is_path = name.contains('/');
        let folders = search.split(':').filter(|folder| folder.starts_with('/'));
        let candidates: Vec<PathBuf> = match is_path {
            true => vec![PathBuf::from(name)],
            false => folders.map(|folder| Path::new(folder).join(name)).collect(),
        };
        match &self.root {
            Some(root) => candidates.iter().find_map(|path| within(root, path)),
            None if self.host => candidates
                .into_iter()
                .find(|path| path.is_absolute() && path.is_file()),
            None => None,
        }
    }
}

/// A file of an unpacked image; none that a link or `..` leads out of it.
fn within(root: &Path, path: &Path) -> Option<PathBuf> {
    let inside: PathBuf = path
        .components()
        .filter(|part| !matches!(part, Component::RootDir))
        .collect();
    let root = root.canonicalize().ok()?;
    let found = root.join(inside).canonicalize().ok()?;
    (found.starts_with(&root) && found.is_file()).then_some(found)
}

/// Images by reference, and perhaps one for all others.
#[derive(Clone, Debug, Default)]
pub struct Commands {
    /// By reference.
    pub images: BTreeMap<String, Image>,
    /// Where nothing is said of an image.
    pub others: Option<Image>,
}

impl Resolve for Commands {
    fn resolve(&self, image: &str) -> Result<Image, String> {
        let found = self.images.get(image).or(self.others.as_ref());
        let mut found = found.cloned().ok_or_else(|| {
            let known: Vec<&str> = self.images.keys().map(String::as_str).collect();
            format!(
                "nothing on this machine stands for it; known: {}",
                known.join(", ")
            )
        })?;
        if found.digest.is_empty() {
            found.digest = image.to_owned();
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_inside_the_image_only() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        for file in ["root/bin/step", "outside"] {
            std::fs::write(place.path().join(file), b"").unwrap();
        }
        std::os::unix::fs::symlink("../../outside", root.join("bin/out")).unwrap();
        let image = Image {
            root: Some(root.clone()),
            host: true,
            ..Image::default()
        };
        let found = Some(root.canonicalize().unwrap().join("bin/step"));
        for (name, expected) in [
            ("/bin/step", found.clone()),
            ("step", found),
            ("/bin/../../outside", None),
            ("/bin/out", None),
            ("/bin", None),
            ("sh", None),
        ] {
            assert_eq!(image.program(name, "/usr/bin:/bin"), expected, "{name}");
        }
        let host = Image {
            host: true,
            ..Image::default()
        };
        assert!(host.program("sh", "/usr/bin:/bin").is_some());
        assert_eq!(host.program("./sh", "/bin"), None);
        assert_eq!(Image::default().program("sh", "/bin"), None);
    }

    #[test]
    fn an_unknown_image_is_named_with_those_that_are_known() {
        let commands = Commands {
            images: [("a:1".to_owned(), Image::default())].into(),
            others: None,
        };
        assert_eq!(commands.resolve("a:1").unwrap().digest, "a:1");
        assert!(commands.resolve("b:1").unwrap_err().ends_with("known: a:1"));
    }
}
