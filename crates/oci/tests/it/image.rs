//! Building, appending, reading and copying.

use crate::common::{Raw, base, changes, map, model, raw_image, raw_image_with, raw_tar};
use oci::{Error, ImageConfig, ImageStore, Layout, image};
use serde_json::{Value, json};
use tar::EntryType;

fn layout() -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::open_or_create(folder.path()).unwrap();
    (folder, layout)
}

fn documents(store: &dyn ImageStore, digest: &str) -> (Value, Value) {
    let manifest: Value = serde_json::from_slice(&store.manifest("", digest).unwrap()).unwrap();
    let config = store
        .blob("", manifest["config"]["digest"].as_str().unwrap())
        .unwrap();
    (manifest, serde_json::from_slice(&config).unwrap())
}

#[test]
fn same_input_same_digest_in_another_layout() {
    let digests = [(); 2].map(|()| {
        let (_folder, layout) = layout();
        base(&layout);
        image::append_layer(&layout, "inference-api:base", &model("m"), &changes()).unwrap()
    });
    assert_eq!(digests[0], digests[1]);
    // Pinned: a digest that changes with a library's version would move images without a reason.
    assert_eq!(
        digests[0],
        "sha256:27897835449d9190d00e6b04170f7fec2c36c0a54afb0730c86b73dde2a69eab"
    );
}

#[test]
fn appending_keeps_the_base() {
    let (_folder, layout) = layout();
    let before = base(&layout);
    let after = image::append_layer(&layout, "inference-api:base", &model("m"), &changes()).unwrap();
    let ((old, old_config), (new, new_config)) = (documents(&layout, &before), documents(&layout, &after));
    assert_eq!(new["layers"][0], old["layers"][0]);
    assert_eq!(new["layers"].as_array().unwrap().len(), 2);
    assert_eq!(
        new_config["rootfs"]["diff_ids"][0],
        old_config["rootfs"]["diff_ids"][0]
    );
    assert_eq!(new_config["history"][1]["created_by"], "trainer package");
    let expected = ImageConfig {
        env: map(&[
            ("MODEL_DIR", "model"),
            ("LISTEN_ADDRESS", "0.0.0.0:8000"),
            ("EXTRA", "a=b"),
        ]),
        labels: changes().labels,
        ..image::config(&layout, &before).unwrap()
    };
    assert_eq!(image::config(&layout, &after).unwrap(), expected);
    assert_eq!(expected.entrypoint, ["/inference-api"]);
    assert_eq!(expected.user, "65532:65532");
}

#[test]
fn unknown_fields_of_the_base_survive() {
    let (_folder, layout) = layout();
    let tars = [raw_tar(&[Raw::file("a", b"1")])];
    let digests = [layout.put_blob("", &tars[0]).unwrap()];
    let config = json!({
        "os": "linux", "architecture": "riscv64", "x-unknown": {"kept": [null, 2]},
        "config": {"Healthcheck": {"Test": ["NONE"]}, "Env": ["BARE", "MODEL_DIR=old"], "Labels": null},
        "rootfs": {"type": "layers", "diff_ids": digests},
    });
    let base = raw_image_with(&layout, &tars, &digests, &config);
    let after = image::append_layer(&layout, &base, &model("m"), &changes()).unwrap();
    let (_, read) = documents(&layout, &after);
    assert_eq!(read["x-unknown"], config["x-unknown"]);
    assert_eq!(read["architecture"], "riscv64");
    assert_eq!(read["config"]["Healthcheck"], config["config"]["Healthcheck"]);
    assert_eq!(
        read["config"]["Env"],
        json!(["BARE", "EXTRA=a=b", "MODEL_DIR=model"])
    );
    assert_eq!(read["config"]["Labels"]["driftless.dev/run-id"], "r1");
}

#[test]
fn files_are_read_through_the_layers() {
    let (_folder, layout) = layout();
    let image = raw_image(
        &layout,
        &[
            raw_tar(&[
                Raw::file("model/a", b"old"),
                Raw::file("model/b", b"below"),
                Raw::file("gone/c", b"below"),
                Raw::file("opaque/d", b"below"),
                Raw::file("opaque2/e", b"below"),
                Raw::file("f/g", b"below"),
            ]),
            raw_tar(&[
                Raw::file("./model/a", b"new"),
                Raw::file("model/.wh.b", b""),
                Raw::file(".wh.gone", b""),
                Raw::file("opaque/.wh..wh..opq", b""),
                Raw::file("opaque/new", b"above"),
                Raw::file("opaque2x/.wh..wh..opq", b""),
                Raw::of(EntryType::Symlink, "f", "model"),
            ]),
        ],
    );
    let read = |path: &str| image::read_file(&layout, &image, path).unwrap();
    for (path, expected) in [
        ("model/a", Some("new")),
        ("./model//a", Some("new")),
        ("model/b", None),
        ("gone/c", None),
        ("opaque/d", None),
        ("opaque/new", Some("above")),
        ("opaque2/e", Some("below")),
        ("f/g", None),
        ("f", None),
        ("model", None),
        ("nothing", None),
    ] {
        assert_eq!(read(path).as_deref(), expected.map(str::as_bytes), "{path}");
    }
    assert!(matches!(
        image::read_file(&layout, &image, "../a"),
        Err(Error::Entry { .. })
    ));
    assert!(matches!(
        image::read_file(&layout, "a:b", "c"),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn a_copy_has_the_same_digest() {
    let ((_one, from), (_two, to)) = (layout(), layout());
    base(&from);
    let digest = image::append_layer(&from, "inference-api:base", &model("m"), &changes()).unwrap();
    assert_eq!(image::copy(&from, &digest, &to, "inference-api").unwrap(), digest);
    assert_eq!(
        image::read_file(&to, &digest, "model/model.onnx")
            .unwrap()
            .as_deref(),
        Some(&b"m"[..])
    );
}

#[test]
fn an_index_is_resolved_to_this_platform() {
    let (_folder, layout) = layout();
    let ours = base(&layout);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let arch = documents(&layout, &ours).1["architecture"].clone();
    let entry = |digest: &str, arch: &Value| json!({"mediaType": kind, "digest": digest, "size": 1, "platform": {"os": "linux", "architecture": arch}});
    let other = format!("sha256:{}", "1".repeat(64));
    let put = |entries: Vec<Value>| {
        let index = json!({"schemaVersion": 2, "manifests": entries}).to_string();
        layout
            .put_manifest("", "application/vnd.oci.image.index.v1+json", index.as_bytes())
            .unwrap()
            .digest
    };
    let both = put(vec![entry(&other, &json!("s390x")), entry(&ours, &arch)]);
    assert_eq!(
        image::config(&layout, &both).unwrap(),
        image::config(&layout, &ours).unwrap()
    );
    let without = put(vec![entry(&other, &json!("s390x"))]);
    assert!(
        image::config(&layout, &without)
            .unwrap_err()
            .to_string()
            .contains("no image for linux/")
    );
}
