//! API keys: held as hashes, compared in constant time, replaced without a restart.

use super::{
    config::GuardConfig,
    entries::{self, EntriesError, Entry, LONGEST_KEY},
    rate::Meter,
    small_file,
};
use crate::error::{ApiError, Code};
use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderName, header};
use secrecy::ExposeSecret as _;
use std::{io, path::PathBuf, sync::Arc};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

/// Where a client puts its key; `Authorization: Bearer` is the other place.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Why keys are refused, at start or when their file has changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The list in the variable.
    #[error("--api-keys (API_KEYS): {0}")]
    List(#[source] EntriesError),
    /// The file's text.
    #[error("{path} (--api-keys-file, API_KEYS_FILE): {why}", path = .0.display(), why = .1)]
    File(PathBuf, #[source] EntriesError),
    /// The file itself.
    #[error("cannot read {path} (--api-keys-file, API_KEYS_FILE): {why}", path = .0.display(), why = .1)]
    Unreadable(PathBuf, #[source] io::Error),
    /// A name or a key is in both places.
    #[error("{path} (--api-keys-file, API_KEYS_FILE) has a name or a key that --api-keys (API_KEYS) has too", path = .0.display())]
    Both(PathBuf),
}

/// Whose key a request came with; for the log, never for metric labels.
#[derive(Clone, Debug)]
pub struct KeyName(Arc<Named>);

#[derive(Debug)]
struct Named {
    name: Box<str>,
    meter: Meter,
}

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0.name
    }

    /// What this key has used up of its rate.
    pub fn meter(&self) -> &Meter {
        &self.0.meter
    }
}

/// The keys of this process.
#[derive(Debug)]
pub struct Keys {
    /// `None`: everybody may ask.
    set: Option<ArcSwap<Vec<Key>>>,
    listed: Vec<Entry>,
    file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
struct Key {
    hash: [u64; 4],
    name: KeyName,
}

impl Keys {
    /// Reads the list and the file.
    ///
    /// # Errors
    /// [`KeysError`], which never quotes a key.
    pub fn read(config: &GuardConfig) -> Result<Keys, KeysError> {
        let given = config.api_keys.as_ref().map(|text| text.expose_secret());
        let listed = match given.filter(|text| !text.is_empty()) {
            Some(text) => entries::list(text).map_err(KeysError::List)?,
            None => Vec::new(),
        };
        let mut keys = Keys {
            set: None,
            listed,
            file: config.api_keys_file.clone(),
        };
        if !keys.listed.is_empty() || keys.file.is_some() {
            keys.set = Some(ArcSwap::from_pointee(keys.current(&[])?));
        }
        Ok(keys)
    }

    /// The file that is read again when it changes.
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// How many keys there are; 0 means that none is asked for.
    pub fn count(&self) -> usize {
        self.set.as_ref().map_or(0, |set| set.load().len())
    }

    /// Reads the file again. A key whose name stays keeps what it has used up of its rate.
    ///
    /// # Errors
    /// As [`Keys::read`]; the old keys stay.
    pub fn reload(&self) -> Result<(), KeysError> {
        if let Some(set) = &self.set {
            let new = self.current(&set.load())?;
            set.store(Arc::new(new));
        }
        Ok(())
    }

    fn current(&self, old: &[Key]) -> Result<Vec<Key>, KeysError> {
        let mut entries = self.listed.clone();
        if let Some(path) = &self.file {
            let text = small_file(path).map_err(|error| KeysError::Unreadable(path.clone(), error))?;
            let text = String::from_utf8_lossy(&text);
            let new = entries::file(&text).map_err(|error| KeysError::File(path.clone(), error))?;
            let same = |a: &Entry, b: &Entry| a.name == b.name || a.hash == b.hash;
            if new.iter().any(|new| entries.iter().any(|old| same(new, old))) {
                return Err(KeysError::Both(path.clone()));
            }
            entries.extend(new);
        }
        let key = |Entry { name, hash }: Entry| {
            let kept = old.iter().find(|key| key.name.as_str() == name);
            let fresh = || {
                KeyName(Arc::new(Named {
                    name: name.clone().into(),
                    meter: Meter::default(),
                }))
            };
            Key {
                hash: words(hash),
                name: kept.map_or_else(fresh, |key| key.name.clone()),
            }
        };
        Ok(entries.into_iter().map(key).collect())
    }

    /// Whose key the headers carry; `Ok(None)` where no keys are configured.
    ///
    /// # Errors
    /// `unauthorized` without a key or with an unknown one.
    pub fn check(&self, headers: &HeaderMap) -> Result<Option<KeyName>, ApiError> {
        let Some(set) = &self.set else {
            return Ok(None);
        };
        let Some(given) = given(headers) else {
            return Err(ApiError::new(
                Code::Unauthorized,
                "an API key is needed, expected in the header X-API-Key or as Authorization: Bearer",
            ));
        };
        let unknown = || {
            ApiError::new(
                Code::Unauthorized,
                "the API key is not one of those that are taken",
            )
        };
        if given.len() > LONGEST_KEY {
            return Err(unknown());
        }
        find(&set.load(), words(entries::hash(given)))
            .map(Some)
            .ok_or_else(unknown)
    }
}

/// The bytes of the key in the headers.
fn given(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(API_KEY) {
        return Some(key.as_bytes().trim_ascii());
    }
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then_some(key.trim_ascii())
}

/// Looks at every key, whichever it is: time tells nothing about hashes or places.
fn find(keys: &[Key], hash: [u64; 4]) -> Option<KeyName> {
    let mut found = u64::MAX;
    for (index, key) in (0..).zip(keys) {
        let differs = (0..4).fold(0, |differs, i| differs | (key.hash[i] ^ hash[i]));
        found.conditional_assign(&index, differs.ct_eq(&0));
    }
    Some(keys.get(usize::try_from(found).ok()?)?.name.clone())
}

fn words(hash: [u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash.chunks_exact(8)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use clap::Parser;

    #[derive(Parser)]
    struct Given {
        #[command(flatten)]
        guard: GuardConfig,
    }

    fn keys(flags: &[&str]) -> Result<Keys, KeysError> {
        Keys::read(&Given::parse_from(["test"].iter().chain(flags)).guard)
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    #[test]
    fn finds_whose_key_it_is() {
        let keys = keys(&["--api-keys", "a=one,b=two,three"]).unwrap();
        for (name, value, found) in [
            ("x-api-key", "one", Some("a")),
            ("x-api-key", "two", Some("b")),
            ("x-api-key", "three", Some("key-3")),
            ("authorization", "Bearer two", Some("b")),
            ("authorization", "bearer  two ", Some("b")),
            ("authorization", "Basic two", None),
            ("authorization", "two", None),
            ("authorization", "B", None),
            ("x-api-key", "", None),
            ("x-api-key", "on", None),
            ("x-api-key", "onee", None),
            ("x-api-key", "a=one", None),
            ("x-api-key", "One", None),
            ("x-key", "one", None),
        ] {
            let checked = keys.check(&headers(name, value));
            let name = checked
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .map(KeyName::as_str);
            assert_eq!(name, found, "{value:?}");
        }
        let long = "k".repeat(LONGEST_KEY + 1);
        assert_eq!(
            keys.check(&headers("x-api-key", &long)).unwrap_err().code,
            Code::Unauthorized
        );
        let open = super::Keys::read(&Given::parse_from(["test", "--api-keys", ""]).guard).unwrap();
        assert!(open.check(&HeaderMap::new()).unwrap().is_none());
    }

    #[test]
    fn a_file_is_read_again_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        std::fs::write(&path, "b=two\n").unwrap();
        let flags = ["--api-keys", "a=one", "--api-keys-file", path.to_str().unwrap()];
        let keys = keys(&flags).unwrap();
        let knows = |key: &str| keys.check(&headers("x-api-key", key)).is_ok();
        assert!(knows("one") && knows("two") && !knows("three"));
        std::fs::write(&path, "b=three\nc=four\n").unwrap();
        keys.reload().unwrap();
        assert!(knows("one") && !knows("two") && knows("three") && knows("four"));
        for broken in ["", "b=th ree", "a=three", "b=one"] {
            std::fs::write(&path, broken).unwrap();
            let error = keys.reload().unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
            assert!(knows("one") && knows("three") && knows("four"), "{broken:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(keys.reload(), Err(KeysError::Unreadable(..))));
        assert!(knows("three"));
        assert!(super::Keys::read(&Given::parse_from(["test"].iter().chain(&flags)).guard).is_err());
    }
}
