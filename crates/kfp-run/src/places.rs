//! Where things are in the folder of a run. Names that come from outside never are paths.

use kfp::run::{Launch, Places};
use std::path::{Path, PathBuf};

/// Longest name of a file that is kept as it is.
const NAME_MAX: usize = 60;

/// A name as that of a file: itself where it is a plain one, else its digest.
pub(crate) fn file_name(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let plain = name.len() <= NAME_MAX
        && name.chars().all(fits)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    match plain {
        true => name.to_owned(),
        false => format!("x-{}", short(name)),
    }
}

fn short(text: &str) -> String {
    contract::sha256_hex(text.as_bytes())[7..23].to_owned()
}

/// Folder of a step, below that of the run: its path readable and, as a digest, distinct.
pub(crate) fn step_folder(step: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '.'
        }
    };
    let mut readable: String = step.chars().map(letter).collect();
    readable.truncate(NAME_MAX);
    format!("steps/{}-{}", readable.trim_start_matches('.'), short(step))
}

/// The folder of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct AttemptFolder {
    /// Absolute.
    pub path: PathBuf,
    /// Below the run's folder.
    pub relative: String,
}

impl AttemptFolder {
    pub(crate) fn new(run: &Path, step: &str, number: u32) -> Self {
        let relative = format!("{}/{number}", step_folder(step));
        AttemptFolder {
            path: run.join(&relative),
            relative,
        }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the step says what it likes.
    pub(crate) fn log(&self) -> String {
        format!("{}/log.txt", self.relative)
    }

    /// An output artifact, below the run's folder.
    pub(crate) fn artifact(&self, name: &str) -> String {
        format!("{}/artifacts/{}", self.relative, file_name(name))
    }

    /// Where the step writes.
    pub(crate) fn places(&self, launch: &Launch, run: &Path) -> Places {
        let outputs = self.at("outputs");
        let file = |name: &String| outputs.join(file_name(name)).display().to_string();
        let artifact = |name: &String| run.join(self.artifact(name)).display().to_string();
        let results = launch.face.results.keys();
        let products = launch.face.products.keys();
        Places {
            files: results.map(|name| (name.clone(), file(name))).collect(),
            artifacts: products
                .map(|name| (name.clone(), (artifact(name), artifact(name))))
                .collect(),
            executor_output: self.at("executor_output.json").display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_where_they_belong() {
        for name in [
            "..",
            ".",
            "../../x",
            "a/b",
            "/etc",
            " ",
            "",
            ".hidden",
            "-x",
            &"a".repeat(300),
        ] {
            let file = file_name(name);
            assert!(file.starts_with("x-") && file.len() == 18, "{file}");
            let folder = step_folder(name);
            assert!(crate::files::is_inside(Path::new(&folder)), "{folder}");
            assert_eq!(folder.matches('/').count(), 1, "{folder}");
        }
        assert_eq!(file_name("train_set.csv"), "train_set.csv");
        assert!(step_folder("loop[0]/train").starts_with("steps/loop.0..train-"));
        assert_ne!(step_folder("a.b"), step_folder("a/b"));
    }
}
