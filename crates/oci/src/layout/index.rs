//! `index.json` of a layout: which tags there are. Fields and entries of other tools survive.

use crate::{Descriptor, Error, files::write_whole, image::canonical};
use serde_json::{Value, json};
use std::{fs, path::Path};

const REF_NAME: &str = "org.opencontainers.image.ref.name";
const FILE: &str = "index.json";

/// The document, kept as it was read.
pub(super) struct Index(Value);

impl Index {
    pub fn empty() -> Self {
        Self(json!({"schemaVersion": 2, "mediaType": crate::image::INDEX, "manifests": []}))
    }

    pub fn read(root: &Path) -> Result<Self, Error> {
        let path = root.join(FILE);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let what = path.display().to_string();
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| Error::malformed(&what, e))?;
        if !value["manifests"].is_array() {
            return Err(Error::malformed(what, "manifests is not a list"));
        }
        Ok(Self(value))
    }

    /// Replaces the file; the caller holds the lock since before `read`.
    pub fn write(&self, root: &Path) -> Result<(), Error> {
        write_whole(root, &root.join(FILE), &canonical(&self.0))
    }

    fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        let all = self.0["manifests"].as_array().into_iter().flatten();
        all.filter_map(|entry| Some((entry["annotations"][REF_NAME].as_str()?, entry)))
    }

    pub fn tags(&self) -> Result<Vec<(String, Descriptor)>, Error> {
        self.entries()
            .map(|(name, entry)| Ok((name.to_owned(), descriptor(entry)?)))
            .collect()
    }

    pub fn find(&self, reference: &str) -> Result<Option<Descriptor>, Error> {
        self.entries()
            .find(|(name, _)| *name == reference)
            .map(|(_, entry)| descriptor(entry))
            .transpose()
    }

    /// Whether the tag was added or moved; `TagTaken` when it would move without `replace`.
    pub fn set(&mut self, reference: &str, wanted: Descriptor, replace: bool) -> Result<bool, Error> {
        if let Some(existing) = self.find(reference)? {
            if existing.digest == wanted.digest {
                return Ok(false);
            }
            if !replace {
                return Err(Error::TagTaken {
                    reference: reference.to_owned(),
                    existing: existing.digest,
                    wanted: wanted.digest,
                });
            }
        }
        let mut entry = json!(wanted);
        entry["annotations"] = json!({REF_NAME: reference});
        if let Some(manifests) = self.0["manifests"].as_array_mut() {
            manifests.retain(|entry| entry["annotations"][REF_NAME] != reference);
            manifests.push(entry);
        }
        Ok(true)
    }
}

fn descriptor(entry: &Value) -> Result<Descriptor, Error> {
    serde_json::from_value(entry.clone()).map_err(|error| Error::malformed(format!("entry of {FILE}"), error))
}
