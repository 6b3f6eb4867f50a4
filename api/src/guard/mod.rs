//! What stands between strangers and the model: keys, rates, origins, shedding. Everything here is
//! decided from a request's head.

pub mod config;
mod cors;
pub mod described;
mod entries;
pub mod headers;
pub mod keys;
mod peer;
pub mod rate;
pub mod shed;
pub mod watch;

use crate::error::{ApiError, Code};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, request::Parts},
};
use config::GuardConfig;
use cors::{Cors, CorsError};
use keys::{KeyName, Keys, KeysError};
use rate::{RateLimit, TooEarly};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use shed::Shedder;
use std::{
    fs::File,
    io::{self, Read as _},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Instant,
};
use subtle::ConstantTimeEq as _;

/// Largest file of keys or certificates.
const LARGEST_FILE: u64 = 1 << 20;

/// All of it.
#[derive(Debug)]
pub struct Guard {
    /// Who may ask.
    pub keys: Keys,
    /// Who waits too long.
    pub shedder: Arc<Shedder>,
    rate: Option<RateLimit>,
    trusted_proxy_hops: u8,
    cors: Cors,
}

/// Why there is no guard.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The origins.
    #[error(transparent)]
    Cors(#[from] CorsError),
}

impl Guard {
    /// Reads keys and origins.
    ///
    /// # Errors
    /// When they are not what they should be; a process that cannot guard does not start.
    pub fn new(config: &GuardConfig) -> Result<Self, GuardError> {
        Ok(Guard {
            keys: Keys::read(config)?,
            shedder: Arc::new(Shedder::new(config.shed_after_ms)),
            rate: config
                .rate_limit_per_s
                .map(|per_s| RateLimit::new(per_s, config.rate_limit_burst)),
            trusted_proxy_hops: config.trusted_proxy_hops,
            cors: Cors::new(&config.cors_allow_origin)?,
        })
    }

    /// Lets a request in, by its headers (or a gRPC call's metadata) and the address it came from.
    ///
    /// # Errors
    /// `unauthorized`, `rate_limited` or `shedding`. A wrong key costs its address a request, so
    /// that keys are not guessed faster than the rate.
    pub fn admit(
        &self,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
        now: Instant,
    ) -> Result<Option<KeyName>, ApiError> {
        let checked = self.keys.check(headers);
        if let Some(rate) = &self.rate {
            let taken = match (&checked, peer) {
                (Ok(Some(key)), _) => rate.take_key(key.meter(), now),
                (_, Some(peer)) => {
                    rate.take_address(peer::client(peer, headers, self.trusted_proxy_hops), now)
                }
                (_, None) => Ok(()),
            };
            taken.map_err(too_early)?;
        }
        let key = checked?;
        if self.shedder.refuses() {
            // 503 and not 429: the client did nothing wrong, and proxies may try another replica.
            return Err(ApiError::new(
                Code::Shedding,
                "requests wait too long here, so some are refused; try again",
            ));
        }
        Ok(key)
    }

    /// The answer to a browser that asks first, where its origin is let in.
    pub fn preflight(&self, head: &Parts) -> Option<Response<Body>> {
        self.cors.preflight(head)
    }

    /// The request's origin, where the answer depends on it.
    pub fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        self.cors.origin(headers)
    }

    /// Headers of every answer; `document` is for people and browsers to keep.
    pub fn finish(&self, answer: &mut HeaderMap, origin: Option<&HeaderValue>, document: bool) {
        headers::put(answer, document);
        self.cors.put(origin, answer);
    }
}

fn too_early(TooEarly(wait): TooEarly) -> ApiError {
    let seconds = wait.as_secs_f64().ceil().max(1.0) as u32;
    let message = format!("too many requests, the next one is taken in {seconds} s");
    let mut error = ApiError::new(Code::RateLimited, message);
    error.retry_after_s = Some(seconds);
    error
}

/// A file of keys or certificates, up to a bound.
pub fn small_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        let message = format!("the file is larger than {LARGEST_FILE} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(bytes)
}

/// Whether somebody knows a secret; how long it takes tells nothing about where they differ.
pub fn same_secret(given: &[u8], secret: &SecretString) -> bool {
    let hash = |text: &[u8]| -> [u8; 32] { Sha256::digest(text).into() };
    hash(given).ct_eq(&hash(secret.expose_secret().as_bytes())).into()
}
