//! Copies the files of a place into the run's folder, so that every later step reads the same bytes
//! whatever happens to the place meanwhile. Bounded before the first byte and while copying.

use super::place::{From, Origin, shown_url};
use super::{Limits, Refusal, s3};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file in the run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// Name of the original.
    pub name: String,
    /// The copy.
    pub path: PathBuf,
    /// `sha256:<hex>` of its bytes.
    pub digest: String,
}

/// Copies all into `folder`, as `<number>-<name>` so that equal names do not meet.
///
/// # Errors
/// `TooLarge` before anything is copied where sizes are known, `Read`, `Fetch`, `Digest`.
pub fn collect(origins: &[Origin], folder: &Path, limits: Limits) -> Result<Vec<Collected>, Refusal> {
    let mut known = 0u64;
    for origin in origins {
        if let From::File(path) = &origin.from {
            known += path.metadata().map_err(|source| unreadable(path, source))?.len();
            if known > limits.data_bytes_max {
                return Err(too_large(&origin.name(), known, limits));
            }
        }
    }
    std::fs::create_dir_all(folder).map_err(|source| unreadable(folder, source))?;
    let mut left = limits.data_bytes_max;
    let mut all = Vec::with_capacity(origins.len());
    for (index, origin) in origins.iter().enumerate() {
        let name = origin.name();
        let path = folder.join(format!("{:05}-{name}", index + 1));
        let mut sink = Sink {
            file: File::create(&path).map_err(|source| unreadable(&path, source))?,
            hash: Sha256::new(),
        };
        let copied = match &origin.from {
            From::File(from) => {
                let file = File::open(from).map_err(|source| unreadable(from, source))?;
                io::copy(&mut file.take(left + 1), &mut sink).map_err(|source| unreadable(from, source))?
            }
            From::Address(url) => {
                let there = Source {
                    url,
                    shown: shown_url(url),
                };
                download(&there, left, limits, &name, &mut sink)?
            }
            From::Object(object) => {
                let shown = object.shown();
                let url = object.address().map_err(|reason| Refusal::Fetch {
                    address: shown.clone(),
                    reason,
                })?;
                download(&Source { url: &url, shown }, left, limits, &name, &mut sink)?
            }
        };
        left = left
            .checked_sub(copied)
            .ok_or_else(|| too_large(&name, limits.data_bytes_max - left + copied, limits))?;
        let digest = contract::digest::prefixed(&sink.hash.finalize());
        if let Some(expected) = origin.digest.as_ref().filter(|expected| **expected != digest) {
            return Err(Refusal::Digest {
                file: name,
                expected: expected.clone(),
                found: digest,
            });
        }
        all.push(Collected { name, path, digest });
    }
    Ok(all)
}

/// Writes and hashes in one pass.
struct Sink {
    file: File,
    hash: Sha256,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// An address, which may be secret, and how it is shown.
struct Source<'a> {
    url: &'a reqwest::Url,
    shown: String,
}

fn download(
    from: &Source<'_>,
    left: u64,
    limits: Limits,
    name: &str,
    sink: &mut Sink,
) -> Result<u64, Refusal> {
    let failed = |reason: String| Refusal::Fetch {
        address: from.shown.clone(),
        reason,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| failed(e.to_string()))?;
    let plain = |e: reqwest::Error| failed(crate::failure::chain(&e.without_url()));
    runtime.block_on(async {
        let url = from.url.clone();
        let client = crate::net::client(url.scheme() == "https", Duration::from_secs(30)).map_err(plain)?;
        let mut response = client.get(url).send().await.map_err(plain)?;
        let status = response.status();
        if !status.is_success() {
            let first = response.chunk().await.ok().flatten().unwrap_or_default();
            let code = s3::refusal(&String::from_utf8_lossy(&first)).map(|code| format!(" ({code})"));
            return Err(failed(format!(
                "the server answered {status}{}",
                code.unwrap_or_default()
            )));
        }
        if let Some(length) = response.content_length().filter(|&length| length > left) {
            return Err(too_large(name, limits.data_bytes_max - left + length, limits));
        }
        let mut copied = 0;
        while let Some(chunk) = response.chunk().await.map_err(plain)? {
            copied += chunk.len() as u64;
            if copied > left {
                break; // the caller says so
            }
            sink.write_all(&chunk)
                .map_err(|e| failed(format!("the copy cannot be written: {e}")))?;
        }
        Ok(copied)
    })
}

fn unreadable(path: &Path, source: io::Error) -> Refusal {
    Refusal::Read {
        file: path.display().to_string(),
        source,
    }
}

fn too_large(name: &str, found: u64, limits: Limits) -> Refusal {
    Refusal::TooLarge {
        what: format!("the data up to {name}"),
        found,
        unit: "bytes",
        limit: limits.data_bytes_max,
        flag: "--data-bytes-max",
    }
}
