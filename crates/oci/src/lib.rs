//! OCI images without a daemon: layouts on disk, registries, deterministic layers, unpacking.
//!
//! Formats: image-spec 1.1 and distribution-spec 1.1 (opencontainers). Bytes are checked against
//! their digest whenever they are written or read, and what is written appears whole or not at all.

mod error;
mod files;
pub mod image;
mod layer;
mod layout;
mod reference;
#[cfg(feature = "registry")]
mod registry;
mod store;

pub use error::Error;
pub use image::{Changes, ImageConfig};
pub use layer::{Layer, LayerFiles};
pub use layout::Layout;
#[cfg(feature = "registry")]
pub use registry::{Credentials, Registry, RegistryOptions};
pub use store::{Descriptor, ImageStore};

/// Opens the place that an image repository setting names: `oci-layout:/path` (created when
/// absent), `http://127.0.0.1:5000/path`, `https://host/path`, or `host:port/path`.
///
/// Registry credentials come from `REGISTRY_USERNAME` and `REGISTRY_PASSWORD`, or `REGISTRY_TOKEN`.
/// Plain http is spoken to loopback hosts, to the registry addon of Minikube by its name inside the
/// cluster, and to those in `REGISTRY_PLAIN_HTTP` (comma-separated `host:port`), never to others.
///
/// # Errors
/// `Text` for an address that cannot be read, or the store's failure.
pub fn open_store(address: &str) -> Result<Box<dyn ImageStore>, Error> {
    open_store_as(address, "")
}

/// As `open_store`, for a registry that is written by one name and pulled from by another:
/// manifests name its images below `pulled` (`localhost:5000/path`, no scheme; empty: as written).
/// One registry, two names, one digest: this is the only place that knows.
///
/// # Errors
/// As `open_store`; `Text` where `pulled` is no such name, or the store is a layout.
pub fn open_store_as(address: &str, pulled: &str) -> Result<Box<dyn ImageStore>, Error> {
    if let Some(path) = address.strip_prefix("oci-layout:") {
        if !pulled.is_empty() {
            return Err(Error::Text {
                text: pulled.to_owned(),
                expected: "nothing: a layout is not pulled from, its images have no second name",
            });
        }
        return Ok(Box::new(Layout::open_or_create(path)?));
    }
    #[cfg(feature = "registry")]
    return Ok(Box::new(
        Registry::open(address, &RegistryOptions::from_env())?.pulled_as(pulled)?,
    ));
    #[cfg(not(feature = "registry"))]
    return Err(Error::Text {
        text: address.to_owned(),
        expected: "oci-layout:/path (this program was built without registries)",
    });
}
