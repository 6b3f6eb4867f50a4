//! `x-request-id`: the client's where it is harmless, else our own.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

/// The header, in requests and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a client.
const LONGEST: usize = 64;

/// Source of ids: 16 hex digits, unique in the process, random between processes.
#[derive(Debug)]
pub struct RequestIds {
    seed: u64,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // std's hasher keys are the process's own randomness; an id needs no more than that.
        let seed = RandomState::new().build_hasher().finish();
        RequestIds {
            seed,
            next: AtomicU64::new(0),
        }
    }
}

impl RequestIds {
    /// The client's id when it is 1 to 64 of `A-Z a-z 0-9 . _ -` (it goes into logs), else a new one.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(&REQUEST_ID) {
            Some(given) if harmless(given.as_bytes()) => given.clone(),
            _ => self.fresh(),
        }
    }

    /// A new id.
    pub fn fresh(&self) -> HeaderValue {
        // SplitMix64's output function: a bijection, so ids never repeat before 2^64 requests.
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut z = self.seed.wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let mut hex = [0_u8; 16];
        for (i, digit) in hex.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(z >> (60 - 4 * i)) as usize & 15];
        }
        HeaderValue::from_bytes(&hex).expect("hex digits are a header value")
    }
}

fn harmless(id: &[u8]) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&id.len()) && id.iter().all(allowed)
}

/// The id as text; both sources are ASCII.
pub fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_harmless() {
        let ids = RequestIds::default();
        for (given, kept) in [
            ("abc-DEF_1.2", true),
            ("", false),
            ("two words", false),
            ("quote\"", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(given).unwrap());
            assert_eq!(ids.of(&headers) == given, kept, "{given:?}");
        }
        let (first, second) = (ids.fresh(), ids.fresh());
        assert_ne!(first, second);
        assert_eq!(first.len(), 16);
    }
}
