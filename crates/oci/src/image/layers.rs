//! Reading a layer: decompression with a bound, and the digest of what came out.

use crate::{Descriptor, Error};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// How much an image may hold once unpacked. Larger ones are refused before the disk is full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub bytes: u64,
    pub entries: u64,
}

pub(super) const LIMITS: Limits = Limits {
    bytes: 4 << 30,
    entries: 200_000,
};

/// The tar of a layer blob.
pub(super) fn decompress<'a>(layer: &Descriptor, bytes: &'a [u8]) -> Result<Box<dyn Read + 'a>, Error> {
    match layer.media_type.as_str() {
        kind if kind.ends_with("tar+gzip") || kind.ends_with("tar.gzip") => {
            Ok(Box::new(MultiGzDecoder::new(bytes)))
        }
        kind if kind.ends_with(".tar") => Ok(Box::new(bytes)),
        other => Err(Error::malformed(
            format!("layer {}", layer.digest),
            format!("media type {other}, expected a tar, gzipped or not"),
        )),
    }
}

/// Hashes and counts what passes; reading beyond `left` bytes is an error.
pub(super) struct Metered<R> {
    inner: R,
    hash: Sha256,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Metered<R> {
    pub fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            left: limit,
            exceeded: false,
        }
    }

    pub fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// Reads to the end; returns the digest of everything and the bytes of the limit left over.
    pub fn finish(mut self) -> io::Result<(String, u64)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((contract::digest::prefixed(&self.hash.finalize()), self.left))
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                self.exceeded = true;
                return Err(io::Error::other("the layer is larger than allowed"));
            }
        }
        Ok(count)
    }
}
