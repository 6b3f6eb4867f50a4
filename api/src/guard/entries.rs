//! The texts that name API keys: a list in a variable, or a file of lines.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// Most keys of one process: each is compared on every request.
pub const MOST_KEYS: usize = 1000;
/// Longest key; a longer one is refused without being hashed.
pub const LONGEST_KEY: usize = 256;
/// Longest name.
const LONGEST_NAME: usize = 64;
/// What stands before a hash in the place of a key.
const HASHED: &str = "sha256:";

/// One key: its name for logs, and the SHA-256 of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub name: String,
    /// As [`hash`] gives it.
    pub hash: [u8; 32],
}

/// Why a text names no keys. The words never quote the text: any part of it may be a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntriesError {
    /// A name that is empty, too long, or has other characters.
    #[error(
        "{0}: the name before = has characters or a length that no name has, expected 1 to 64 of A-Z a-z 0-9 . _ -"
    )]
    Name(Place),
    /// A key that is too long or has spaces, commas or what is not ASCII.
    #[error(
        "{0}: the key has characters or a length that no key has, expected 1 to 256 of printable ASCII without spaces and commas"
    )]
    Key(Place),
    /// After `sha256:` something else than a hash.
    #[error("{0}: expected 64 hexadecimal digits after sha256:")]
    Hash(Place),
    /// A name that is there already.
    #[error("{0}: the name is that of {1}, expected another one for each key")]
    SameName(Place, Place),
    /// A key that is there already.
    #[error("{0}: the key is that of {1}, expected another one for each name")]
    SameKey(Place, Place),
    /// Nothing but blanks and comments.
    #[error("there is no key, expected at least one name=key")]
    Nothing,
    /// More than [`MOST_KEYS`].
    #[error("there are more than {MOST_KEYS} keys")]
    TooMany,
}

/// Where in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Of a list, from 1.
    Item(usize),
    /// Of a file, from 1.
    Line(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Item(number) => write!(f, "item {number}"),
            Place::Line(number) => write!(f, "line {number}"),
        }
    }
}

/// SHA-256 of a key. Keys are random and long, unlike passwords: a slow hash would only slow us.
pub fn hash(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// Reads `name=key,name2=key2`; keys without a name are `key-1`, `key-2`, … by their place.
pub fn list(text: &str) -> Result<Vec<Entry>, EntriesError> {
    let items = (1..).zip(text.split(',')).map(|(n, item)| (Place::Item(n), item));
    all(items)
}

/// Reads one `name=key` a line; blank lines and those that begin with `#` are skipped.
pub fn file(text: &str) -> Result<Vec<Entry>, EntriesError> {
    let lines = (1..).zip(text.lines()).map(|(n, line)| (Place::Line(n), line));
    all(lines.filter(|(_, line)| !line.trim_start().starts_with('#')))
}

fn all<'t>(items: impl Iterator<Item = (Place, &'t str)>) -> Result<Vec<Entry>, EntriesError> {
    let mut found: Vec<(Place, Entry)> = Vec::new();
    for (place, text) in items {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        if found.len() == MOST_KEYS {
            return Err(EntriesError::TooMany);
        }
        let new = entry(place, text, found.len() + 1)?;
        for (other, old) in &found {
            if old.name == new.name {
                return Err(EntriesError::SameName(place, *other));
            }
            if old.hash == new.hash {
                return Err(EntriesError::SameKey(place, *other));
            }
        }
        found.push((place, new));
    }
    if found.is_empty() {
        return Err(EntriesError::Nothing);
    }
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

fn entry(place: Place, text: &str, number: usize) -> Result<Entry, EntriesError> {
    let (name, key) = match text.split_once('=') {
        // The = at the end of base64 divides nothing.
        Some((name, key)) if !key.trim_matches('=').is_empty() => (name.trim().to_owned(), key.trim()),
        _ => (format!("key-{number}"), text),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !(1..=LONGEST_NAME).contains(&name.len()) || !name.bytes().all(plain) {
        return Err(EntriesError::Name(place));
    }
    if let Some(hex) = key.strip_prefix(HASHED) {
        let hash = digits(hex).ok_or(EntriesError::Hash(place))?;
        return Ok(Entry { name, hash });
    }
    let printable = |b: u8| b.is_ascii_graphic() && b != b',';
    if !(1..=LONGEST_KEY).contains(&key.len()) || !key.bytes().all(printable) {
        return Err(EntriesError::Key(place));
    }
    let hash = hash(key.as_bytes());
    Ok(Entry { name, hash })
}

/// 64 hexadecimal digits as bytes.
fn digits(hex: &str) -> Option<[u8; 32]> {
    let hex = hex.as_bytes();
    let mut bytes = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
