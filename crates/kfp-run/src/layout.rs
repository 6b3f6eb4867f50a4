//! Images of an OCI layout, unpacked.

use crate::images::{Image, Resolve};
use std::path::PathBuf;

/// An OCI layout on disk. A step's program is taken from the unpacked image, but it runs as a process of this
/// machine: static programs, and scripts whose interpreter is here. What it writes beside its own folders goes
/// nowhere, or to this machine: images are from people whom one trusts.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Folder with `index.json`.
    pub folder: PathBuf,
    /// Where images are unpacked, each in a folder named by its digest.
    pub unpacked: PathBuf,
}

impl Resolve for Layout {
    fn resolve(&self, image: &str) -> Result<Image, String> {
        let shown = self.folder.display();
        let failed = |error: oci::Error| format!("layout {shown}: {error}");
        if !self.folder.join("index.json").is_file() {
            return Err(format!("{shown} is no OCI layout: it has no index.json"));
        }
        let store = oci::open_store(&format!("oci-layout:{shown}")).map_err(failed)?;
        let name = within(image);
        let digest = store.resolve(name).map_err(failed)?.digest;
        let plain = name.split('@').next().unwrap_or(name);
        let plain = plain.rsplit_once(':').map_or(plain, |(plain, _)| plain);
        let by_digest = format!("{plain}@{digest}");
        let root = self.unpacked.join(digest.trim_start_matches("sha256:"));
        oci::image::unpack(&*store, &by_digest, &root).map_err(failed)?;
        let config = oci::image::config(&*store, &by_digest).map_err(failed)?;
        Ok(Image {
            digest,
            root: Some(root),
            env: config.env.into_iter().collect(),
            ..Image::default()
        })
    }
}

/// A layout's names have no registry in front: a first part that is a host is cut off.
fn within(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => rest,
        _ => image,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_an_image_in_a_layout() {
        let place = tempfile::tempdir().unwrap();
        let layout = Layout {
            folder: place.path().join("images"),
            unpacked: place.path().join("unpacked"),
        };
        assert!(layout.resolve("step:1").unwrap_err().contains("is no OCI layout"));
        let store = oci::open_store(&format!("oci-layout:{}", layout.folder.display())).unwrap();
        let files = oci::LayerFiles::new();
        let files = files.file("bin/step", 0o755, b"#!/bin/sh\n".to_vec()).unwrap();
        let config = oci::ImageConfig {
            env: [
                ("PATH".to_owned(), "/bin".to_owned()),
                ("MODE".to_owned(), "on".to_owned()),
            ]
            .into(),
            ..oci::ImageConfig::default()
        };
        let digest = oci::image::build_base(store.as_ref(), "team/step", &[files], &config).unwrap();
        store.tag("team/step:1", &digest, false).unwrap();
        let by_digest = format!("registry.example:5000/team/step@{digest}");
        for name in ["team/step:1", "localhost:5000/team/step:1", &by_digest] {
            let image = layout.resolve(name).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(image.digest, digest);
            assert!(image.env.contains(&("MODE".to_owned(), "on".to_owned())));
            let program = image.program("step", "/bin").unwrap();
            assert_eq!(Some(program), image.program("/bin/step", ""));
            assert_eq!(image.program("sh", "/bin"), None, "nothing of this machine");
        }
        assert!(layout.resolve("team/step:2").unwrap_err().contains("team/step:2"));
    }
}
