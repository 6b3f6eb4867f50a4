//! References as this crate writes them: `name:tag`, `name@sha256:<hex>`, bare `sha256:<hex>`.

use crate::Error;
use contract::digest::is_digest;

/// A reference, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// Image name; empty for a bare digest.
    pub name: String,
    pub pointer: Pointer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pointer {
    Tag(String),
    Digest(String),
}

const EXPECTED: &str = "a reference name:tag, name@sha256:<64 hex digits> or sha256:<64 hex digits>";

impl Reference {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = || Error::Text {
            text: text.to_owned(),
            expected: EXPECTED,
        };
        if is_digest(text) {
            return Ok(Self {
                name: String::new(),
                pointer: Pointer::Digest(text.to_owned()),
            });
        }
        let (name, pointer) = match text.split_once('@') {
            // A tag beside a digest is for people: the digest decides.
            Some((name, digest)) if is_digest(digest) => (
                name.rsplit_once(':')
                    .filter(|(_, tag)| is_tag(tag))
                    .map_or(name, |(name, _)| name),
                Pointer::Digest(digest.to_owned()),
            ),
            Some(_) => return Err(refused()),
            None => match text.rsplit_once(':') {
                Some((name, tag)) if is_tag(tag) => (name, Pointer::Tag(tag.to_owned())),
                _ => return Err(refused()),
            },
        };
        if !is_name(name) {
            return Err(refused());
        }
        Ok(Self {
            name: name.to_owned(),
            pointer,
        })
    }
}

/// distribution-spec 1.1: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// Looser than a repository name, since a manifest may name the host too (`host:5000/path/name`).
fn is_name(text: &str) -> bool {
    text.len() <= 255
        && text.split('/').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_references() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let tag = |t: &str| Pointer::Tag(t.to_owned());
        let by = |d: &str| Pointer::Digest(d.to_owned());
        for (text, name, pointer) in [
            ("inference-api:base", "inference-api", tag("base")),
            ("host:5000/a/b:m1-abcdef0", "host:5000/a/b", tag("m1-abcdef0")),
            (&format!("inference-api@{digest}"), "inference-api", by(&digest)),
            (
                &format!("inference-api:base@{digest}"),
                "inference-api",
                by(&digest),
            ),
            (&format!("host:5000/a@{digest}"), "host:5000/a", by(&digest)),
            (&digest, "", by(&digest)),
        ] {
            let expected = Reference {
                name: name.to_owned(),
                pointer,
            };
            assert_eq!(Reference::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_reference() {
        let upper = format!("a@sha256:{}", "0A".repeat(32));
        for text in [
            "", "a", "a:", ":a", "a@b", "../a:b", "a/../b:c", "a b:c", "a:b c", "/a:b", "a/:b", &upper,
        ] {
            assert!(
                matches!(Reference::parse(text), Err(Error::Text { .. })),
                "{text}"
            );
        }
    }
}
