//! Image tags `m<model version>-<commit>`: never moved, always quoted in YAML.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The tag of a released image: model version and the first 7 hex digits of the code's commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag {
    /// Version of the registered model in MLflow, from 1.
    pub model_version: u64,
    /// Abbreviated commit of the code that trained it: 7 lower-case hex digits.
    pub commit: String,
}

/// Why a text is not a [`Tag`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("image tag {0:?} is not of the form m<model version>-<7 hex digits of a commit>")]
pub struct TagError(String);

impl Tag {
    /// Builds the tag from a version and a commit of at least 7 hex digits (abbreviated here).
    pub fn new(model_version: u64, commit: &str) -> Result<Self, TagError> {
        let short = commit.get(..7).unwrap_or(commit);
        format!("m{model_version}-{short}").parse()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}-{}", self.model_version, self.commit)
    }
}

impl FromStr for Tag {
    type Err = TagError;
    fn from_str(text: &str) -> Result<Self, TagError> {
        let parse = || {
            let (version, commit) = text.strip_prefix('m')?.split_once('-')?;
            let canonical = !version.starts_with('0') && version.bytes().all(|b| b.is_ascii_digit());
            let hex = commit.len() == 7 && commit.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            (canonical && hex).then(|| {
                let model_version = version.parse().ok()?;
                Some(Tag {
                    model_version,
                    commit: commit.to_owned(),
                })
            })?
        };
        parse().ok_or_else(|| TagError(text.to_owned()))
    }
}

impl TryFrom<String> for Tag {
    type Error = TagError;
    fn try_from(text: String) -> Result<Self, TagError> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> String {
        tag.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_not_a_tag() {
        for text in [
            "",
            "m1",
            "m-abcdef0",
            "m01-abcdef0",
            "m0-abcdef0",
            "1-abcdef0",
            "m1-ABCDEF0",
            "m1-abcdef",
            "m1-abcdef01",
            "m99999999999999999999-abcdef0",
        ] {
            assert_eq!(text.parse::<Tag>(), Err(TagError(text.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn round_trip(version in 1u64.., commit in "[0-9a-f]{40}") {
            let tag = Tag::new(version, &commit).unwrap();
            prop_assert_eq!(tag.to_string().parse::<Tag>().unwrap(), tag);
        }
    }
}
