//! The inference API as the steps ask it: its address, and the key that it is shown where it asks for one.

use crate::cli::KeyFlag;
use crate::failure::Failure;
use crate::net;
use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// See the module. The key is never printed.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    key: Option<SecretString>,
}

impl Api {
    /// The API at `url`, asked with the key of `flag`.
    ///
    /// # Errors
    /// Usage, where the key's file cannot be read or holds no key.
    pub fn at(url: &str, flag: &KeyFlag) -> Result<Api, Failure> {
        Ok(Api {
            base: url.trim_end_matches('/').to_owned(),
            key: key(flag)?,
        })
    }

    /// Its address, without a slash at the end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GETs JSON from a path; see [`net::get_json`].
    ///
    /// # Errors
    /// As there; 401 names the flag.
    pub fn get_json<T: DeserializeOwned>(&self, path: &str, deadline: Duration) -> Result<T, String> {
        net::get_json(&self.url(path), self.key.as_ref(), deadline)
    }

    /// POSTs JSON to a path; see [`net::post_json`].
    ///
    /// # Errors
    /// As there; 401 names the flag.
    pub fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: Duration,
    ) -> Result<T, String> {
        net::post_json(&self.url(path), self.key.as_ref(), body, deadline)
    }

    /// GETs a path of which only the status matters.
    ///
    /// # Errors
    /// As [`Api::get_json`].
    pub fn get_status(&self, path: &str, deadline: Duration) -> Result<(), String> {
        net::get_status(&self.url(path), self.key.as_ref(), deadline)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The key of a file; `None` where no file is named. A variable that is set to nothing is not set.
///
/// # Errors
/// Usage, where the file cannot be read or holds no key.
pub fn key(flag: &KeyFlag) -> Result<Option<SecretString>, Failure> {
    let path = flag.api_key_file.as_deref();
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(None);
    };
    let refused = |why: &str| {
        Failure::new(
            2,
            format!("--api-key-file (API_KEY_FILE) {}: {why}", path.display()),
        )
    };
    let text = std::fs::read_to_string(path).map_err(|error| refused(&error.to_string()))?;
    let key = text.trim();
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refused("expected one line of printable ASCII characters"));
    }
    Ok(Some(SecretString::from(key)))
}
