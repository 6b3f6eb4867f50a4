//! A registry over HTTP (distribution-spec 1.1), by `oci-client`.

mod address;
mod wire;

pub use address::{Credentials, RegistryOptions};

use crate::{
    Descriptor, Error, ImageStore,
    image::{DOCKER_MANIFEST, INDEX, MANIFEST},
    reference::{Pointer, Reference},
};
use address::Address;
use contract::sha256_hex;
use oci_client::Reference as Target;
use serde_json::{Map, Value};
use wire::Wire;

const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Every kind of manifest this crate can read.
const ACCEPTED: [&str; 4] = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX];

/// Images below one path of a registry. Calls block; they may be made from async code, whose
/// thread they then occupy.
pub struct Registry {
    address: Address,
    /// The same registry as whoever runs the images reaches it.
    pulled: Option<Address>,
    wire: Wire,
}

impl Registry {
    /// Does not connect yet. `address` is `http(s)://host[:port][/path]` or `host[:port][/path]`.
    ///
    /// # Errors
    /// `Text` for an address that cannot be read or would be plain http where that is not allowed;
    /// `Registry` where no CA certificates are installed.
    pub fn open(address: &str, options: &RegistryOptions) -> Result<Self, Error> {
        let address = Address::parse(address, &options.plain_http)?;
        let wire = Wire::new(&address, &options.credentials)?;
        Ok(Self {
            address,
            pulled: None,
            wire,
        })
    }

    /// Manifests name the images below `name` instead (`host[:port][/path]`, no scheme, since it is
    /// part of an image's name); empty changes nothing.
    ///
    /// # Errors
    /// `Text`.
    pub fn pulled_as(self, name: &str) -> Result<Self, Error> {
        let pulled = match name {
            "" => None,
            name if name.contains("://") => {
                return Err(Error::Text {
                    text: name.to_owned(),
                    expected: "host[:port][/path] without a scheme: it becomes part of an image's name",
                });
            }
            name => Some(Address::parse(name, &[])?),
        };
        Ok(Self { pulled, ..self })
    }

    /// The image's repository; a name that already begins with this registry's is taken as it is.
    fn repository(&self, name: &str) -> Result<String, Error> {
        let ours = [Some(&self.address), self.pulled.as_ref()];
        let within = ours
            .into_iter()
            .flatten()
            .find_map(|address| name.strip_prefix(&address.prefix("")))
            .unwrap_or(name);
        if within.is_empty() || within.contains(':') {
            return Err(Error::Text {
                text: name.to_owned(),
                expected: "an image name (a registry keeps blobs by name, so a bare digest is not enough)",
            });
        }
        Ok(self.address.repository(within))
    }

    fn by_digest(&self, name: &str, digest: &str) -> Result<Target, Error> {
        if !contract::digest::is_digest(digest) {
            return Err(Error::Text {
                text: digest.to_owned(),
                expected: "sha256:<64 hex digits>",
            });
        }
        let (host, repository) = (self.address.host.clone(), self.repository(name)?);
        Ok(Target::with_digest(host, repository, digest.to_owned()))
    }

    fn by_reference(&self, reference: &str) -> Result<Target, Error> {
        let Reference { name, pointer } = Reference::parse(reference)?;
        match pointer {
            Pointer::Digest(digest) => self.by_digest(&name, &digest),
            Pointer::Tag(tag) => Ok(Target::with_tag(
                self.address.host.clone(),
                self.repository(&name)?,
                tag,
            )),
        }
    }

    fn absent(&self, what: String) -> Error {
        Error::NotFound {
            what,
            place: self.address(),
        }
    }
}

impl ImageStore for Registry {
    fn address(&self) -> String {
        self.address.to_string()
    }

    fn image_name(&self, name: &str) -> String {
        self.pulled.as_ref().unwrap_or(&self.address).prefix(name)
    }

    fn find(&self, reference: &str) -> Result<Option<Descriptor>, Error> {
        let target = self.by_reference(reference)?;
        let Some(bytes) = self.wire.manifest(&target, &ACCEPTED)? else {
            return Ok(None);
        };
        let document: Value = serde_json::from_slice(&bytes)
            .map_err(|e| Error::malformed(format!("manifest {reference}"), e))?;
        let untyped = if document["manifests"].is_array() {
            INDEX
        } else {
            MANIFEST
        };
        Ok(Some(Descriptor {
            media_type: document["mediaType"].as_str().unwrap_or(untyped).to_owned(),
            digest: sha256_hex(&bytes),
            size: bytes.len() as u64,
            other: Map::new(),
        }))
    }

    fn manifest(&self, name: &str, digest: &str) -> Result<Vec<u8>, Error> {
        let bytes = self
            .wire
            .manifest(&self.by_digest(name, digest)?, &ACCEPTED)?
            .ok_or_else(|| self.absent(format!("manifest {name}@{digest}")))?;
        verified(bytes, digest)
    }

    fn blob(&self, name: &str, digest: &str) -> Result<Vec<u8>, Error> {
        let bytes = self
            .wire
            .blob(&self.by_digest(name, digest)?, digest)?
            .ok_or_else(|| self.absent(format!("blob {name}@{digest}")))?;
        verified(bytes, digest)
    }

    fn has_blob(&self, name: &str, digest: &str) -> Result<bool, Error> {
        self.wire.has_blob(&self.by_digest(name, digest)?, digest)
    }

    fn put_blob(&self, name: &str, bytes: &[u8]) -> Result<String, Error> {
        let digest = sha256_hex(bytes);
        let target = self.by_digest(name, &digest)?;
        if !self.wire.has_blob(&target, &digest)? {
            self.wire.put_blob(&target, &digest, bytes)?;
        }
        Ok(digest)
    }

    fn put_manifest(&self, name: &str, media_type: &str, bytes: &[u8]) -> Result<Descriptor, Error> {
        let digest = sha256_hex(bytes);
        self.wire
            .put_manifest(&self.by_digest(name, &digest)?, media_type, bytes)?;
        Ok(Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size: bytes.len() as u64,
            other: Map::new(),
        })
    }

    /// A registry has no compare-and-swap for tags: two writers within one round trip can both
    /// pass the check. Our tags hold the model version, which MLflow gives out once.
    fn tag(&self, reference: &str, digest: &str, replace: bool) -> Result<bool, Error> {
        let Reference {
            name,
            pointer: Pointer::Tag(_),
        } = Reference::parse(reference)?
        else {
            return Err(Error::Text {
                text: reference.to_owned(),
                expected: "a tag name:tag",
            });
        };
        match self.find(reference)? {
            Some(existing) if existing.digest == digest => return Ok(false),
            Some(existing) if !replace => {
                return Err(Error::TagTaken {
                    reference: reference.to_owned(),
                    existing: existing.digest,
                    wanted: digest.to_owned(),
                });
            }
            _ => {}
        }
        let wanted = self.resolve(&format!("{name}@{digest}"))?;
        let bytes = self.manifest(&name, digest)?;
        self.wire
            .put_manifest(&self.by_reference(reference)?, &wanted.media_type, &bytes)?;
        Ok(true)
    }
}

fn verified(bytes: Vec<u8>, digest: &str) -> Result<Vec<u8>, Error> {
    let actual = sha256_hex(&bytes);
    if actual == digest {
        return Ok(bytes);
    }
    Err(Error::Digest {
        what: "the registry's answer".to_owned(),
        expected: digest.to_owned(),
        actual,
    })
}
