//! What `--data` names: a file, a folder, a glob or an http(s) address.

use super::{FILES_MAX, Refusal};
use reqwest::Url;
use std::path::{Path, PathBuf};

/// One CSV file that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// On this machine.
    File(PathBuf),
    /// Behind http or https.
    Address(Box<Url>),
}

impl Origin {
    /// Last path segment: the name the dataset knows the file by.
    pub fn name(&self) -> String {
        let last = match self {
            Origin::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
            Origin::Address(url) => url
                .path_segments()
                .and_then(|mut all| all.next_back())
                .map(str::to_owned),
        };
        last.filter(|name| !name.is_empty())
            .unwrap_or_else(|| "data.csv".to_owned())
    }
}

/// A place as it may be shown and stored: an address without user, password and query.
pub fn shown(place: &str) -> String {
    match address(place) {
        Some(Ok(url)) => shown_url(&url),
        Some(Err(_)) => "(an address that cannot be read)".to_owned(),
        None => place.to_owned(),
    }
}

pub(super) fn shown_url(url: &Url) -> String {
    let mut url = url.clone();
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

fn address(place: &str) -> Option<Result<Url, String>> {
    let is_address = ["http://", "https://"].iter().any(|scheme| {
        place
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    is_address.then(|| Url::parse(place).map_err(|e| e.to_string()))
}

/// The files of a place, sorted by name. A folder gives its `*.csv`, not those of folders in it.
///
/// # Errors
/// `Place` where there is nothing, or `Read`.
pub fn find(place: &str) -> Result<Vec<Origin>, Refusal> {
    let refuse = |reason: &str| Refusal::Place {
        place: shown(place),
        reason: reason.to_owned(),
    };
    if let Some(parsed) = address(place) {
        return match parsed {
            Ok(url) => Ok(vec![Origin::Address(Box::new(url))]),
            Err(e) => Err(refuse(&e)),
        };
    }
    if place.is_empty() {
        return Err(refuse("expected a file, a folder, a glob or an http(s) address"));
    }
    let path = Path::new(place);
    let mut files = match path.metadata() {
        Ok(meta) if meta.is_dir() => folder(path)?,
        Ok(meta) if meta.is_file() => vec![path.to_path_buf()],
        Ok(_) => return Err(refuse("neither a file nor a folder")),
        Err(_) if place.contains(['*', '?', '[']) => matches(place, &refuse)?,
        Err(e) => return Err(refuse(&format!("cannot be read: {e}"))),
    };
    // By name alone: the folder must not decide which file counts as the newest.
    files.sort_by(|a, b| (a.file_name(), a).cmp(&(b.file_name(), b)));
    match files.len() {
        0 => Err(refuse("no CSV file there")),
        count if count > FILES_MAX => Err(refuse(&format!("{count} files, expected at most {FILES_MAX}"))),
        _ => Ok(files.into_iter().map(Origin::File).collect()),
    }
}

fn folder(path: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let failed = |source| Refusal::Read {
        file: path.display().to_string(),
        source,
    };
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_csv = path
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("csv"));
        // A name with a dot before it is a file that somebody is still writing.
        let is_hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_csv && !is_hidden && path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn matches(pattern: &str, refuse: &dyn Fn(&str) -> Refusal) -> Result<Vec<PathBuf>, Refusal> {
    let found = glob::glob(pattern).map_err(|e| refuse(&format!("not a glob: {e}")))?;
    let mut files = Vec::new();
    for path in found {
        let path = path.map_err(|e| refuse(&format!("cannot be read: {e}")))?;
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_an_address_are_not_shown() {
        assert_eq!(
            shown("https://user:pass@host/a/b.csv?token=x#y"),
            "https://host/a/b.csv"
        );
        assert_eq!(shown("HTTP://host"), "http://host/");
        assert_eq!(shown("http://[::1"), "(an address that cannot be read)");
        assert_eq!(shown("data/iris.csv"), "data/iris.csv");
    }

    #[test]
    fn places() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        ["b.csv", "a.CSV", ".c.csv", "d.txt", "deep/z.csv"]
            .into_iter()
            .for_each(put);
        let names = |place: &str| -> Vec<String> {
            let place = folder.path().join(place).display().to_string();
            find(&place).unwrap().iter().map(Origin::name).collect()
        };
        assert_eq!(names(""), ["a.CSV", "b.csv"]);
        assert_eq!(names("*.csv"), [".c.csv", "b.csv"]);
        assert_eq!(names("d.txt"), ["d.txt"]);
        let address = find("http://u:p@127.0.0.1:1/x/iris.csv?sig=1").unwrap();
        assert_eq!(address[0].name(), "iris.csv");
        for bad in ["", "absent.csv", "absent-*.csv", "***"] {
            assert!(matches!(find(bad), Err(Refusal::Place { .. })), "{bad}");
        }
    }
}
