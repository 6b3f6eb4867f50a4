//! Labelled rows of the inference API as one more batch of the data folder, so that the loop closes where
//! nobody drops files.
//!
//! The API gives out a window that slides: rows that an earlier batch has already are left out, since a row in two batches
//! could be held out of one and learnt from in the other. Two rows with the same values are told apart by how often they are
//! there. A batch is written aside and renamed, and only when the folder can be read with it.

use crate::cli::{DataFlags, KeyFlag, LabelledFlags};
use crate::data::{self, Missing, Refusal};
use crate::failure::{Failure, Result};
use crate::folder;
use anyhow::Context;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use csv::ByteRecord;
use reqwest::{StatusCode, Url, header::HeaderMap};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the API gives labelled rows out.
const PATH: &str = "/feedback/labelled";
/// For the whole answer.
const DEADLINE: Duration = Duration::from_secs(60);
/// In names of such batches.
const MARK: &str = "-labelled-";

/// What the API gave.
struct Window {
    bytes: Vec<u8>,
    digest: String,
    /// Columns that it never keeps.
    never_kept: Vec<String>,
}

/// Adds what is new; `None` where no API is named. The result is for the step's JSON.
///
/// # Errors
/// Exit code BAD_DATA where the API refuses, or gives something that is no batch of this folder.
pub fn add(flags: &LabelledFlags, key: &KeyFlag, data: &DataFlags) -> Result<Option<Value>> {
    let Some(api) = flags.from_api.as_deref().filter(|api| !api.is_empty()) else {
        return Ok(None);
    };
    let place = data.data.as_deref().unwrap_or_default();
    let place = Path::new(place);
    if !place.is_dir() {
        let text = "--from-api (FROM_API) adds a batch to a folder: expected --data (DATA) to name one";
        return Err(Failure::new(2, text));
    }
    let url = Url::parse(&format!("{}{PATH}", api.trim_end_matches('/')))
        .map_err(|e| Failure::new(2, format!("--from-api (FROM_API): {e}")))?;
    let shown = data::shown(url.as_str());
    let window = fetch(url, &shown, key, data)?;
    if data.missing == Missing::Refuse && !window.never_kept.is_empty() {
        let columns = window.never_kept.join(", ");
        return Err(Refusal::Fetch {
            address: shown,
            reason: format!(
                "the API never keeps {columns} (CAPTURE_EXCEPT), and missing values are refused: expected --missing (MISSING) drop, mean or median"
            ),
        }
        .into());
    }
    let (text, rows, known) = news(&window.bytes, place, data)?;
    let mut said = json!({
        "from": shown, "window_digest": window.digest, "rows": rows, "known_rows": known,
    });
    let state = if rows == 0 && known > 0 {
        "already"
    } else if rows < flags.from_api_rows_min {
        "too-few"
    } else {
        let digest = contract::sha256_hex(&text);
        let name = name(place, &digest)?;
        checked(place, &name, &text, data)?;
        folder::write(&place.join(&name), &text)?;
        said["file"] = name.into();
        said["digest"] = digest.into();
        "added"
    };
    said["state"] = state.into();
    said["rows_min"] = flags.from_api_rows_min.into();
    Ok(Some(said))
}

/// The window's bytes, which are what their digest says.
fn fetch(url: Url, shown: &str, key: &KeyFlag, data: &DataFlags) -> Result<Window> {
    let failed = |reason: String| Refusal::Fetch {
        address: shown.to_owned(),
        reason,
    };
    let key = crate::api::key(key)?;
    let most = data.limits.data_bytes_max;
    let plain = |e: reqwest::Error| failed(crate::failure::chain(&e.without_url()));
    let asking = async {
        let client = crate::net::client(url.scheme() == "https", DEADLINE).map_err(plain)?;
        let mut request = client.get(url);
        if let Some(key) = &key {
            request = request.bearer_auth(key.expose_secret());
        }
        let mut response = request.send().await.map_err(plain)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => {
                let text = "it answered 401: expected --api-key-file (API_KEY_FILE) with the token of its CAPTURE_TOKEN_FILE, or with one of its API keys";
                return Err(failed(text.to_owned()));
            }
            StatusCode::NOT_FOUND => {
                return Err(failed(
                    "it answered 404: it keeps no inputs, expected CAPTURE=on there".to_owned(),
                ));
            }
            status => return Err(failed(format!("it answered {status}"))),
        }
        let headers = response.headers().clone();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(plain)? {
            if (bytes.len() + chunk.len()) as u64 > most {
                return Err(failed(format!(
                    "it gives more than {most} bytes (raise it with --data-bytes-max)"
                )));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((headers, bytes))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime to ask with")?;
    let answered = runtime.block_on(async { tokio::time::timeout(DEADLINE, asking).await });
    let late = |_| failed(format!("no answer within {} s", DEADLINE.as_secs()));
    let (headers, bytes) = answered.map_err(late)??;
    let text = |name: &str| headers_text(&headers, name);
    let found = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&bytes)));
    if text("content-digest") != found {
        return Err(Refusal::Digest {
            file: shown.to_owned(),
            expected: text("content-digest").to_owned(),
            found,
        }
        .into());
    }
    Ok(Window {
        digest: contract::sha256_hex(&bytes),
        bytes,
        never_kept: serde_json::from_str(text("x-columns-never-kept")).unwrap_or_default(),
    })
}

fn headers_text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// The rows that no earlier batch of ours has, as this folder's files are written; how many, and how many were known.
fn news(window: &[u8], place: &Path, data: &DataFlags) -> Result<(Vec<u8>, usize, usize)> {
    let mut known: HashMap<Vec<Vec<u8>>, usize> = HashMap::new();
    for path in batches(place)?
        .iter()
        .filter(|path| file_name(path).contains(MARK))
    {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(data.delimiter)
            .from_path(path)
            .map_err(anyhow::Error::new)?;
        for record in reader.byte_records() {
            *known
                .entry(cells(&record.map_err(anyhow::Error::new)?))
                .or_default() += 1;
        }
    }
    let mut reader = csv::Reader::from_reader(window);
    let mut writer = csv::WriterBuilder::new()
        .delimiter(data.delimiter)
        .from_writer(Vec::new());
    let head = reader.byte_headers().map_err(anyhow::Error::new)?.clone();
    writer.write_byte_record(&head).map_err(anyhow::Error::new)?;
    let (mut new, mut old) = (0, 0);
    for record in reader.byte_records() {
        let record = record.map_err(anyhow::Error::new)?;
        match known.get_mut(&cells(&record)).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                old += 1;
            }
            None => {
                writer.write_byte_record(&record).map_err(anyhow::Error::new)?;
                new += 1;
            }
        }
    }
    let text = writer
        .into_inner()
        .map_err(|e| anyhow::Error::new(e.into_error()))?;
    Ok((text, new, old))
}

fn cells(record: &ByteRecord) -> Vec<Vec<u8>> {
    record.iter().map(<[u8]>::to_vec).collect()
}

/// The folder's batches in the order they are read.
fn batches(place: &Path) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in place
        .read_dir()
        .with_context(|| format!("cannot read {}", place.display()))?
    {
        let path = entry.context("cannot read the data folder")?.path();
        let is_csv = path
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("csv"));
        if is_csv && !file_name(&path).starts_with('.') && path.is_file() {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// `batch-<number>-labelled-<digest>.csv`, the number after the largest there is. It has to be the last one by name: the
/// newest batch is the drift reference. Where others are called otherwise, the last one's name stands before it.
fn name(place: &Path, digest: &str) -> Result<String> {
    let names: Vec<String> = batches(place)?.iter().map(|path| file_name(path)).collect();
    let number = |name: &String| -> Option<u64> {
        let (_, rest) = name.split_once("batch-")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let next = names.iter().filter_map(number).max().unwrap_or(0) + 1;
    let hex = digest.trim_start_matches("sha256:");
    let own = format!("batch-{next:04}{MARK}{}.csv", &hex[..hex.len().min(12)]);
    Ok(match names.last().filter(|last| **last >= own) {
        None => own,
        Some(last) => {
            let stem = last.rsplit_once('.').map_or(last.as_str(), |(stem, _)| stem);
            // An underscore sorts after the dot before `csv`.
            format!("{}_{own}", stem.split("_batch-").next().unwrap_or(stem))
        }
    })
}

/// Whether the folder can be learnt from with the batch in it.
fn checked(place: &Path, name: &str, text: &[u8], data: &DataFlags) -> Result<()> {
    let aside = tempfile::tempdir().context("no temporary folder")?;
    folder::write(&aside.path().join(name), text)?;
    let mut origins = match batches(place)?.is_empty() {
        true => Vec::new(),
        false => data::find(&place.display().to_string())?,
    };
    origins.extend(data::find(&aside.path().join(name).display().to_string())?);
    let files = data::collect(&origins, &aside.path().join("copies"), data.limits)?;
    data::read(&files, &data.options())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_batch_is_the_last_by_name() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (there, expected) in [
            (&[][..], "batch-0001-labelled-0a0a0a0a0a0a.csv"),
            (
                &["batch-0001.csv", "batch-0007-shifted.csv"],
                "batch-0008-labelled-0a0a0a0a0a0a.csv",
            ),
            (&["iris.csv"], "iris_batch-0001-labelled-0a0a0a0a0a0a.csv"),
            (
                &["iris.csv", "iris_batch-0001-labelled-x.csv"],
                "iris_batch-0002-labelled-0a0a0a0a0a0a.csv",
            ),
            (&[".zzz.csv", "zzz.txt"], "batch-0001-labelled-0a0a0a0a0a0a.csv"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            for name in there {
                std::fs::write(folder.path().join(name), "x").unwrap();
            }
            let name = name(folder.path(), &digest).unwrap();
            assert_eq!(name, expected);
            std::fs::write(folder.path().join(&name), "x").unwrap();
            assert_eq!(file_name(batches(folder.path()).unwrap().last().unwrap()), name);
        }
    }
}
