//! Digests are written `sha256:<64 hex digits>` everywhere: manifests, labels, trailers, answers.

use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes` as `sha256:<hex>`.
pub fn sha256_hex(bytes: &[u8]) -> String {
    prefixed(&Sha256::digest(bytes))
}

/// Writes a finished SHA-256 (32 bytes) as `sha256:<hex>`.
pub fn prefixed(hash: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(7 + 2 * hash.len());
    text.push_str("sha256:");
    for byte in hash {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}

/// Whether `text` is `sha256:` followed by 64 lower-case hex digits.
pub fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_value() {
        // FIPS 180-4, the empty message.
        let empty = sha256_hex(b"");
        assert_eq!(
            empty,
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert!(is_digest(&empty));
        assert!(!is_digest(&empty[1..]));
        assert!(!is_digest(&empty.to_uppercase()));
    }
}
