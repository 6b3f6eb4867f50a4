//! What `--data` names: a file, a folder, a glob, an http(s) address or an object `s3://bucket/key`;
//! one file may be followed by `#sha256=<hex>`, which its bytes must then have.

use super::s3::Object;
use super::{FILES_MAX, Refusal};
use reqwest::Url;
use std::path::{Path, PathBuf};

/// One CSV file that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where it is.
    pub from: From,
    /// `sha256:<hex>` that its bytes must have.
    pub digest: Option<String>,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// On this machine.
    File(PathBuf),
    /// Behind http or https.
    Address(Box<Url>),
    /// In an S3-style store.
    Object(Object),
}

impl Origin {
    /// Last path segment: the name the dataset knows the file by.
    pub fn name(&self) -> String {
        let last = match &self.from {
            From::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
            From::Address(url) => url
                .path_segments()
                .and_then(|mut all| all.next_back())
                .map(str::to_owned),
            From::Object(object) => object.key.rsplit('/').next().map(str::to_owned),
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
    let (place, digest) = match place.rsplit_once("#sha256=") {
        None => (place, None),
        Some((place, hex)) => {
            let digest = format!("sha256:{}", hex.to_ascii_lowercase());
            if !contract::digest::is_digest(&digest) {
                return Err(refuse("#sha256= needs 64 hex digits"));
            }
            (place, Some(digest))
        }
    };
    let one = |from: From| Origin {
        from,
        digest: digest.clone(),
    };
    if let Some(parsed) = address(place) {
        return match parsed {
            Ok(url) => Ok(vec![one(From::Address(Box::new(url)))]),
            Err(e) => Err(refuse(&e)),
        };
    }
    if let Some(object) = Object::parse(place) {
        let object = object.map_err(|reason| refuse(&reason))?;
        return Ok(vec![one(From::Object(object))]);
    }
    if place.is_empty() {
        return Err(refuse(
            "expected a file, a folder, a glob, an http(s) address or s3://bucket/key",
        ));
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
        count if count > 1 && digest.is_some() => {
            Err(refuse(&format!("#sha256= is for one file, here are {count}")))
        }
        _ => Ok(files.into_iter().map(|file| one(From::File(file))).collect()),
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
        let object = find("s3://bucket/sets/2026/iris.csv").unwrap();
        assert_eq!(
            (object[0].name().as_str(), &object[0].digest),
            ("iris.csv", &None)
        );
        for bad in [
            "",
            "absent.csv",
            "absent-*.csv",
            "***",
            "s3://",
            "s3://bucket",
            "s3://bucket/",
        ] {
            assert!(matches!(find(bad), Err(Refusal::Place { .. })), "{bad}");
        }
    }

    #[test]
    fn a_digest_is_of_one_file() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.csv", "b.csv"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let hex = "0A".repeat(32);
        let at = |place: &str| find(&format!("{}/{place}", folder.path().display()));
        let digest = Some(format!("sha256:{}", "0a".repeat(32)));
        assert_eq!(at(&format!("a.csv#sha256={hex}")).unwrap()[0].digest, digest);
        let there = find(&format!("https://host/a.csv?token=x#sha256={hex}")).unwrap();
        assert_eq!((there[0].name().as_str(), &there[0].digest), ("a.csv", &digest));
        assert_eq!(
            find(&format!("s3://b/a.csv#sha256={hex}")).unwrap()[0].digest,
            digest
        );
        for (place, words) in [
            (format!("*.csv#sha256={hex}"), "for one file, here are 2"),
            (format!("#sha256={hex}"), "for one file, here are 2"),
            ("a.csv#sha256=12".to_owned(), "64 hex digits"),
        ] {
            let text = at(&place).unwrap_err().to_string();
            assert!(text.contains(words), "{place}: {text}");
        }
    }
}
