//! Pure: names that the server would refuse with 400, 500 or not at all.

use crate::Error;

/// The longest that the server was seen to take everywhere; one more answers 500 or is refused.
const LENGTH_MAX: usize = 127;

/// Refuses an empty, overlong or unprintable name. Bytes are counted, since the server counts
/// those in one place and characters in another.
pub(crate) fn check(field: &'static str, value: &str) -> Result<(), Error> {
    let refuse = |expected| {
        Err(Error::Name {
            field,
            value: value.chars().take(140).collect(),
            expected,
        })
    };
    if value.trim().is_empty() {
        return refuse("a name that is not empty");
    }
    if value.len() > LENGTH_MAX {
        return refuse("at most 127 bytes");
    }
    if value.chars().any(char::is_control) {
        return refuse("no control characters");
    }
    // A run's name reaches its steps, by way of the workflow engine.
    if value.contains("{{") {
        return refuse("no {{, which the workflow engine replaces");
    }
    Ok(())
}

/// As [`check`]; and no `/`, which a path of the API cannot carry.
pub(crate) fn check_in_path(field: &'static str, value: &str) -> Result<(), Error> {
    check(field, value)?;
    if value.contains('/') || matches!(value, "." | "..") {
        return Err(Error::Name {
            field,
            value: value.to_owned(),
            expected: "a name without / that is neither . nor ..",
        });
    }
    Ok(())
}
