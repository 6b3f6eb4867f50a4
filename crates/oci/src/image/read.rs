//! One file out of an image, without unpacking the rest.

use super::{Image, layers::decompress, path::Whiteout, path::names};
use crate::{Error, ImageStore};
use std::io::Read;
use tar::{Archive, EntryType};

/// Larger files are refused rather than read into memory.
const FILE_LIMIT: u64 = 512 << 20;

/// One regular file of the image by path (`model/manifest.json`), `None` when it has no such file.
///
/// # Errors
/// `NotFound` for the image, `Malformed`, `TooLarge`, or the store's failure.
pub fn read_file(store: &dyn ImageStore, reference: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
    let wanted = names(path.as_bytes())?;
    let image = Image::load(store, reference)?;
    for layer in image.layers()?.iter().rev() {
        let bytes = store.blob(&image.name, &layer.digest)?;
        let damaged = |error| Error::malformed(format!("layer {}", layer.digest), error);
        match search(decompress(layer, &bytes)?, &wanted, damaged)? {
            Found::Here(content) => return Ok(Some(content)),
            Found::Hidden => return Ok(None),
            Found::Nothing => {}
        }
    }
    Ok(None)
}

enum Found {
    Here(Vec<u8>),
    /// The layer removes it, or puts something there that is not a file: lower layers do not matter.
    Hidden,
    Nothing,
}

/// A later entry of the same path wins over an earlier one, as it does when unpacking.
fn search(
    tar: impl Read,
    wanted: &[String],
    damaged: impl Fn(std::io::Error) -> Error,
) -> Result<Found, Error> {
    let mut found = Found::Nothing;
    let mut hidden = false;
    for entry in Archive::new(tar).entries().map_err(&damaged)? {
        let mut entry = entry.map_err(&damaged)?;
        let path = names(&entry.path_bytes())?;
        let Some((last, parents)) = path.split_last() else {
            continue;
        };
        match Whiteout::of(last) {
            Some(Whiteout::Opaque) => hidden |= wanted.len() > parents.len() && wanted.starts_with(parents),
            Some(Whiteout::Name(name)) => {
                hidden |= wanted.starts_with(parents) && wanted.get(parents.len()).is_some_and(|n| n == name);
            }
            None if path == wanted => {
                found = match entry.header().entry_type() {
                    EntryType::Regular | EntryType::Continuous => {
                        Found::Here(content(&mut entry, wanted).map_err(&damaged)??)
                    }
                    _ => Found::Hidden,
                };
            }
            // A parent that is no folder in this layer hides what lower layers had below it.
            None => hidden |= wanted.starts_with(&path) && !entry.header().entry_type().is_dir(),
        }
    }
    Ok(match found {
        Found::Nothing if hidden => Found::Hidden,
        other => other,
    })
}

fn content(entry: &mut impl Read, path: &[String]) -> std::io::Result<Result<Vec<u8>, Error>> {
    let mut bytes = Vec::new();
    entry.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 <= FILE_LIMIT {
        return Ok(Ok(bytes));
    }
    Ok(Err(Error::TooLarge {
        what: path.join("/"),
        limit: FILE_LIMIT,
        unit: "bytes",
    }))
}
