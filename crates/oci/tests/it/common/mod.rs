//! What the tests of this crate share: a small base image and tars that no packer would make.

use oci::{Changes, ImageConfig, ImageStore, LayerFiles, image};
use std::{collections::BTreeMap, io::Write};

pub fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// As the real base: a program, a certificate bundle, a passwd entry.
pub fn base(store: &dyn ImageStore) -> String {
    let files = LayerFiles::new()
        .file("inference-api", 0o755, "#!/bin/sh\necho hello\n")
        .and_then(|files| files.file("etc/passwd", 0o644, "app:x:65532:65532::/:/none\n"))
        .and_then(|files| files.file("etc/ssl/certs/ca-certificates.crt", 0o644, "certificates\n"))
        .unwrap();
    let config = ImageConfig {
        user: "65532:65532".to_owned(),
        working_dir: "/".to_owned(),
        entrypoint: vec!["/inference-api".to_owned()],
        env: map(&[("MODEL_DIR", "model"), ("LISTEN_ADDRESS", "0.0.0.0:8000")]),
        ..ImageConfig::default()
    };
    let digest = image::build_base(store, "inference-api", &[files], &config).unwrap();
    store.tag("inference-api:base", &digest, true).unwrap();
    digest
}

pub fn model(text: &str) -> LayerFiles {
    LayerFiles::new()
        .file("model/model.onnx", 0o644, text)
        .and_then(|files| files.file("model/manifest.json", 0o644, "{}"))
        .and_then(|files| files.file("model/drift/reference_data.npy", 0o644, vec![0x93; 300]))
        .unwrap()
}

pub fn changes_as(name: &str) -> Changes {
    Changes {
        name: name.to_owned(),
        ..changes()
    }
}

pub fn changes() -> Changes {
    Changes {
        name: String::new(),
        labels: map(&[
            ("driftless.dev/run-id", "r1"),
            ("org.opencontainers.image.revision", "0123456"),
        ]),
        env: map(&[("MODEL_DIR", "model"), ("EXTRA", "a=b")]),
        created_by: "trainer package".to_owned(),
    }
}

/// One tar entry with every byte under the test's control.
#[derive(Debug)]
pub struct Raw {
    pub path: &'static str,
    pub kind: tar::EntryType,
    pub mode: u32,
    pub link: &'static str,
    pub content: &'static [u8],
}

impl Raw {
    pub fn file(path: &'static str, content: &'static [u8]) -> Self {
        Self {
            path,
            kind: tar::EntryType::Regular,
            mode: 0o644,
            link: "",
            content,
        }
    }

    pub fn of(kind: tar::EntryType, path: &'static str, link: &'static str) -> Self {
        Self {
            kind,
            link,
            mode: 0o755,
            ..Self::file(path, b"")
        }
    }
}

/// A tar written field by field, since `tar::Builder` refuses the paths that attacks are made of.
pub fn raw_tar(entries: &[Raw]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(entry.content.len() as u64);
        let fields = header.as_ustar_mut().unwrap();
        fields.name[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
        fields.linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
        header.set_cksum();
        out.write_all(header.as_bytes()).unwrap();
        out.write_all(entry.content).unwrap();
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// An image of these tars, uncompressed, as another tool might have written it.
pub fn raw_image(store: &dyn ImageStore, tars: &[Vec<u8>]) -> String {
    let digests: Vec<_> = tars
        .iter()
        .map(|tar| store.put_blob("raw", tar).unwrap())
        .collect();
    let config = serde_json::json!({"rootfs": {"type": "layers", "diff_ids": digests}, "config": {}});
    raw_image_with(store, tars, &digests, &config)
}

pub fn raw_image_with(
    store: &dyn ImageStore,
    tars: &[Vec<u8>],
    digests: &[String],
    config: &serde_json::Value,
) -> String {
    let config = config.to_string();
    let layers: Vec<_> = digests
        .iter()
        .zip(tars)
        .map(|(digest, tar)| {
            serde_json::json!({
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": tar.len()
            })
        })
        .collect();
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": store.put_blob("raw", config.as_bytes()).unwrap(),
            "size": config.len(),
        },
        "layers": layers,
    });
    let kind = "application/vnd.oci.image.manifest.v1+json";
    store
        .put_manifest("raw", kind, manifest.to_string().as_bytes())
        .unwrap()
        .digest
}
