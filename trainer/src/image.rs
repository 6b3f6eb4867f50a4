//! `image`: one static binary as an image without a distribution: the binary, a CA bundle, a passwd
//! entry. Called by `cargo xtask images`, which is kept free of what reads and writes images.

use crate::failure::{Failure, Result};
use crate::outcome::{Outcome, Status};
use clap::Args;
use contract::names::exit;
use oci::{ImageConfig, ImageStore, LayerFiles};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where Debian, Alpine and most others keep the certificates of public authorities, then Fedora.
const CA_BUNDLES: [&str; 2] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
];
/// The place in the image where rustls looks.
const CA_IN_IMAGE: &str = "etc/ssl/certs/ca-certificates.crt";
const PASSWD: &str = "nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n";
const USER: &str = "65532:65532";

/// Flags of `image`.
#[derive(Clone, Debug, Args)]
pub struct ImageBuildFlags {
    /// Static binary; it becomes the entrypoint, at the root of the image.
    #[arg(long, value_name = "FILE")]
    pub binary: PathBuf,
    /// `name:tag` to give the image; moved when another image has it.
    #[arg(long, value_name = "NAME:TAG")]
    pub reference: String,
    /// Where images are, as for the other steps.
    #[arg(long, env = "IMAGE_REPOSITORY", value_name = "PLACE")]
    pub store: String,
    /// The same place by the name that nodes pull from, as for the other steps.
    #[arg(long, env = "IMAGE_PULL_REPOSITORY", value_name = "NAME")]
    pub pulled: Option<String>,
    /// Variables of the image.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
}

fn variable(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?}: expected NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Builds, stores and tags the image. The same files give the same digest.
///
/// # Errors
/// Exit code IMAGE: the binary cannot be read, or the store cannot be written.
pub fn image(flags: &ImageBuildFlags) -> Result<Outcome> {
    let unreadable =
        |path: &Path, error| Failure::new(exit::IMAGE, format!("cannot read {}: {error}", path.display()));
    let binary = std::fs::read(&flags.binary).map_err(|error| unreadable(&flags.binary, error))?;
    let bundle = CA_BUNDLES.iter().map(Path::new).find(|path| path.is_file());
    let bundle = bundle
        .map(|path| std::fs::read(path).map_err(|error| unreadable(path, error)))
        .transpose()?;
    let store = oci::open_store_as(&flags.store, flags.pulled.as_deref().unwrap_or_default())?;
    let (digest, moved) = build(flags, store.as_ref(), binary, bundle)?;
    let status = if moved { Status::Done } else { Status::Already };
    let name = flags.reference.split(':').next().unwrap_or(&flags.reference);
    let detail = json!({"reference": flags.reference, "digest": digest, "new_name": store.image_name(name)});
    Ok(Outcome::new(
        "image",
        status,
        detail,
        format!("{} is {digest}", flags.reference),
    ))
}

fn build(
    flags: &ImageBuildFlags,
    store: &dyn ImageStore,
    binary: Vec<u8>,
    bundle: Option<Vec<u8>>,
) -> Result<(String, bool)> {
    let name = flags
        .binary
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("program");
    let mut layer = LayerFiles::new()
        .file(name, 0o755, binary)?
        .file("etc/passwd", 0o644, PASSWD)?;
    // Without one, only plain http works from inside: said by whoever connects, not here.
    if let Some(bundle) = bundle {
        layer = layer.file(CA_IN_IMAGE, 0o644, bundle)?;
    }
    let config = ImageConfig {
        user: USER.to_owned(),
        working_dir: "/".to_owned(),
        entrypoint: vec![format!("/{name}")],
        env: flags.variables.iter().cloned().collect(),
        ..ImageConfig::default()
    };
    let image = flags.reference.split(':').next().unwrap_or(&flags.reference);
    let digest = oci::image::build_base(store, image, &[layer], &config)?;
    let moved = store.tag(&flags.reference, &digest, true)?;
    Ok((digest, moved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_image_and_nothing_else_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("inference-api");
        std::fs::write(&binary, b"\x7fELF").unwrap();
        let flags = |layout: &str| ImageBuildFlags {
            binary: binary.clone(),
            reference: "inference-api:base".to_owned(),
            store: format!("oci-layout:{}", dir.path().join(layout).display()),
            pulled: None,
            variables: vec![("MODEL_DIR".to_owned(), "model".to_owned())],
        };
        let (one, other) = (flags("one"), flags("other"));
        let built = |flags: &ImageBuildFlags| {
            let store = oci::open_store(&flags.store).unwrap();
            build(flags, store.as_ref(), b"\x7fELF".to_vec(), Some(b"CA".to_vec())).unwrap()
        };
        let (digest, moved) = built(&one);
        assert!(moved);
        assert_eq!(built(&other).0, digest);
        assert!(!built(&one).1, "the second time changes nothing");

        let store = oci::open_store(&one.store).unwrap();
        let config = oci::image::config(store.as_ref(), "inference-api:base").unwrap();
        assert_eq!(config.entrypoint, ["/inference-api"]);
        assert_eq!(config.user, USER);
        assert_eq!(config.env["MODEL_DIR"], "model");
        let root = dir.path().join("root");
        oci::image::unpack(store.as_ref(), "inference-api:base", &root).unwrap();
        let mut files: Vec<_> = ["inference-api", "etc/passwd", CA_IN_IMAGE]
            .iter()
            .map(|name| root.join(name))
            .collect();
        files.retain(|file| !file.is_file());
        assert_eq!(files, Vec::<PathBuf>::new(), "missing in the image");
        let top: Vec<_> = std::fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(top.len(), 2, "{top:?}");
    }

    #[test]
    fn a_binary_that_is_not_there_is_named() {
        let flags = ImageBuildFlags {
            binary: "/no/such/program".into(),
            reference: "x:dev".to_owned(),
            store: "oci-layout:/no/such".to_owned(),
            pulled: None,
            variables: Vec::new(),
        };
        let failure = image(&flags).unwrap_err();
        assert_eq!(failure.exit, exit::IMAGE);
        assert!(
            failure.to_string().starts_with("cannot read /no/such/program"),
            "{failure}"
        );
    }
}
