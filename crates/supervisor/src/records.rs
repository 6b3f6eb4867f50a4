//! Texts kept for those that run here, each in a file of its own, written by compare-and-swap.

use crate::server::Refusal;
use engine::{Record, Written};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

/// Bytes of one text.
pub const BYTES_MAX: usize = 768 * 1024;
/// Texts in all: whoever has the token must not fill the disk.
const RECORDS_MAX: usize = 16;

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u64,
    text: String,
}

/// What is kept under that name.
///
/// # Errors
/// A name that cannot be one, a file that cannot be read.
pub fn read(home: &Path, name: &str) -> Result<Record, Refusal> {
    let record = match kept(&path(home, name)?)? {
        Some(kept) => Record {
            version: kept.version.to_string(),
            text: Some(kept.text),
        },
        None => Record::default(),
    };
    Ok(record)
}

/// Writes it if it still has that version. Only the engine's one task calls this, so that nobody comes
/// between the look and the writing; what is answered is on disk.
///
/// # Errors
/// As [`read`]; too long, too many, or a disk that refuses.
pub fn write(home: &Path, name: &str, expected: &str, text: String) -> Result<Written, Refusal> {
    let path = path(home, name)?;
    if text.len() > BYTES_MAX {
        let bytes = text.len();
        return Err(Refusal::conflict(format!(
            "record {name:?}: {bytes} bytes, expected at most {BYTES_MAX}"
        )));
    }
    let known = kept(&path)?;
    let version = known.as_ref().map_or(0, |kept| kept.version);
    let said = known.map_or(String::new(), |kept| kept.version.to_string());
    if said != expected {
        return Ok(Written { written: false });
    }
    if version == 0 && count(&folder(home)) >= RECORDS_MAX {
        return Err(Refusal::conflict(format!(
            "record {name:?}: {RECORDS_MAX} records are kept already"
        )));
    }
    let kept = Kept {
        version: version + 1,
        text,
    };
    let json = serde_json::to_vec(&kept).map_err(|error| Refusal::conflict(error.to_string()))?;
    write_for_good(&path, &json).map_err(|error| refused(&path, &error))?;
    Ok(Written { written: true })
}

/// Whole or not at all, and there after a power cut: a run that is started on its word is started once.
fn write_for_good(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut aside = tempfile::NamedTempFile::new_in(folder)?;
    aside.write_all(content)?;
    aside.as_file().sync_all()?;
    aside.persist(path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

fn folder(home: &Path) -> PathBuf {
    home.join("engine/records")
}

fn path(home: &Path, name: &str) -> Result<PathBuf, Refusal> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    match !name.is_empty() && name.len() <= 40 && name.bytes().all(plain) {
        true => Ok(folder(home).join(format!("{name}.json"))),
        false => Err(Refusal::not_found(format!(
            "record {name:?}: expected a name of at most 40 lower-case letters, digits and dashes"
        ))),
    }
}

fn kept(path: &Path) -> Result<Option<Kept>, Refusal> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(path, &error)),
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| refused(path, &error.into())),
    }
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn refused(path: &Path, error: &io::Error) -> Refusal {
    Refusal::conflict(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_with_the_newest_version_writes() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        let put = |expected: &str, text: &str| write(home, "a", expected, text.to_owned()).unwrap().written;
        assert_eq!(read(home, "a").unwrap(), Record::default());
        assert!(!put("1", "x") && put("", "one") && !put("", "two") && put("1", "two") && !put("1", "three"));
        let record = read(home, "a").unwrap();
        assert_eq!(
            (record.version.as_str(), record.text.as_deref()),
            ("2", Some("two"))
        );
    }

    #[test]
    fn bounds() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        for name in ["", "../x", "A", "a.b", &"a".repeat(41)] {
            assert!(read(home, name).is_err(), "{name}");
        }
        assert!(write(home, "long", "", "x".repeat(BYTES_MAX + 1)).is_err());
        for index in 0..RECORDS_MAX {
            write(home, &format!("r{index}"), "", String::new()).unwrap();
        }
        let refused = write(home, "more", "", String::new()).unwrap_err().message;
        assert!(refused.contains("16 records"), "{refused}");
        assert!(write(home, "r3", "1", "again".to_owned()).unwrap().written);
        fs::write(home.join("engine/records/r3.json"), "{").unwrap();
        assert!(read(home, "r3").unwrap_err().message.contains("r3.json"));
    }
}
