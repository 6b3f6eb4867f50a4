//! Unpacking: whole or not at all, and nothing outside the folder.

use crate::common::{Raw, base, changes, model, raw_image, raw_image_with, raw_tar};
use oci::{Error, ImageStore, Layout, image};
use proptest::prelude::*;
use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Barrier};
use tar::EntryType::{Char, Directory, Fifo, Link, Symlink};

struct World {
    folder: tempfile::TempDir,
    layout: Layout,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::open_or_create(folder.path().join("images")).unwrap();
        fs::create_dir(folder.path().join("unpacked")).unwrap();
        Self { folder, layout }
    }

    fn unpack(&self, image: &str) -> Result<bool, Error> {
        image::unpack(&self.layout, image, &self.folder.path().join("unpacked/rootfs"))
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.folder.path().join("unpacked/rootfs").join(path)).ok()
    }

    /// Names below `unpacked`: a failed attempt leaves none.
    fn left(&self) -> Vec<String> {
        names(&self.folder.path().join("unpacked"))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn unpacks_once() {
    let world = World::new();
    base(&world.layout);
    let digest = image::append_layer(&world.layout, "inference-api:base", &model("m"), &changes()).unwrap();
    assert!(world.unpack(&digest).unwrap());
    assert_eq!(world.read("model/model.onnx").as_deref(), Some("m"));
    assert_eq!(
        world.read("etc/passwd").as_deref(),
        Some("app:x:65532:65532::/:/none\n")
    );
    let program = fs::metadata(world.folder.path().join("unpacked/rootfs/inference-api")).unwrap();
    assert_eq!(program.permissions().mode() & 0o7777, 0o755);
    assert!(!world.unpack(&digest).unwrap());
    assert_eq!(world.left(), ["rootfs"]);
}

#[test]
fn hostile_entries_are_refused_and_nothing_is_left() {
    let setuid = || Raw {
        mode: 0o4755,
        ..Raw::file("su", b"x")
    };
    for (entries, reason) in [
        (vec![Raw::file("../evil", b"x")], "climbs"),
        (vec![Raw::file("a/../../evil", b"x")], "climbs"),
        (vec![Raw::file("/evil", b"x")], "absolute"),
        (vec![Raw::of(Symlink, "a", "/etc")], "absolute"),
        (vec![Raw::of(Symlink, "a", "..")], "leaves the root"),
        (vec![Raw::of(Symlink, "d/a", "../../evil")], "leaves the root"),
        // A link to the root, then one that climbs through it.
        (
            vec![
                Raw::of(Symlink, "d/up", ".."),
                Raw::of(Symlink, "d/out", "up/../evil"),
            ],
            "climbs after a name",
        ),
        (
            vec![Raw::of(Symlink, "a", "b"), Raw::file("a/evil", b"x")],
            "parent is a link",
        ),
        (
            vec![Raw::file("a", b"x"), Raw::file("a/b", b"x")],
            "parent is a link or a file",
        ),
        (vec![Raw::of(Link, "a", "../../evil")], "hard link"),
        (vec![Raw::of(Link, "a", "/etc/passwd")], "hard link"),
        (
            vec![
                Raw::of(Symlink, "l", "d"),
                Raw::of(Directory, "d", ""),
                Raw::of(Link, "a", "l/x"),
            ],
            "hard link",
        ),
        (vec![Raw::of(Char, "null", "")], "device"),
        (vec![Raw::of(Fifo, "pipe", "")], "device"),
        (vec![Raw::file("d/.wh...", b"")], "whiteout"),
        (vec![setuid()], "setuid"),
    ] {
        let world = World::new();
        let image = raw_image(&world.layout, &[raw_tar(&entries)]);
        match world.unpack(&image) {
            Err(error @ Error::Entry { .. }) => {
                assert!(error.to_string().contains(reason), "{error} / {reason}")
            }
            other => panic!("{reason}: {other:?}"),
        }
        assert_eq!(world.left(), [""; 0]);
        assert_eq!(names(world.folder.path()).len(), 2, "nothing escaped");
    }
}

#[test]
fn layers_replace_and_remove() {
    let world = World::new();
    let image = raw_image(
        &world.layout,
        &[
            raw_tar(&[
                Raw::file("a", b"old"),
                Raw::file("d/x", b"below"),
                Raw::file("o/x", b"below"),
                Raw::file("o/sub/x", b"below"),
                Raw::file("f/x", b"below"),
                Raw::file("kept", b"below"),
            ]),
            raw_tar(&[
                Raw::file("a", b"new"),
                Raw::of(Symlink, "link", "a"),
                Raw::of(Link, "hard", "a"),
                Raw::file(".wh.d", b""),
                // In the order that hides too much when the layer's own files are forgotten.
                Raw::file("o/sub/y", b"above"),
                Raw::file("o/.wh..wh..opq", b""),
                Raw::file("f", b"a file now"),
            ]),
        ],
    );
    assert!(world.unpack(&image).unwrap());
    for (path, expected) in [
        ("a", Some("new")),
        ("link", Some("new")),
        ("hard", Some("new")),
        ("d/x", None),
        ("o/x", None),
        ("o/sub/x", None),
        ("o/sub/y", Some("above")),
        ("f", Some("a file now")),
        ("kept", Some("below")),
    ] {
        assert_eq!(world.read(path).as_deref(), expected, "{path}");
    }
    assert!(!world.folder.path().join("unpacked/rootfs/d").exists());
}

#[test]
fn damage_is_found() {
    let world = World::new();
    let tars = [raw_tar(&[Raw::file("a", b"x")])];
    let digests = [world.layout.put_blob("", &tars[0]).unwrap()];
    let wrong = format!("sha256:{}", "2".repeat(64));
    let with_ids = |ids: &[&str]| {
        let config = serde_json::json!({"rootfs": {"type": "layers", "diff_ids": ids}, "config": {}});
        raw_image_with(&world.layout, &tars, &digests, &config)
    };
    let failure = world.unpack(&with_ids(&[&wrong])).unwrap_err();
    assert!(
        matches!(&failure, Error::Digest { expected, .. } if *expected == wrong),
        "{failure}"
    );
    let failure = world.unpack(&with_ids(&[])).unwrap_err();
    assert!(failure.to_string().contains("diff_ids has 0"), "{failure}");
    let good = with_ids(&[&digests[0]]);
    let blob = world
        .folder
        .path()
        .join("images/blobs/sha256")
        .join(&digests[0][7..]);
    fs::write(&blob, b"torn").unwrap();
    assert!(matches!(world.unpack(&good), Err(Error::Digest { .. })));
    fs::remove_file(&blob).unwrap();
    assert!(matches!(world.unpack(&good), Err(Error::NotFound { .. })));
    assert_eq!(world.left(), [""; 0]);
}

#[test]
fn two_at_once_both_succeed_and_one_unpacks() {
    for _ in 0..20 {
        let world = World::new();
        let image = base(&world.layout);
        let start = Barrier::new(2);
        let unpacked: Vec<bool> = std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| {
                scope.spawn(|| {
                    start.wait();
                    world.unpack(&image).unwrap()
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(unpacked.iter().filter(|now| **now).count(), 1);
        assert_eq!(world.left(), ["rootfs"]);
    }
}

fn any_entry() -> impl Strategy<Value = Raw> {
    let path = prop::sample::select(vec![
        "a",
        "b",
        "a/b",
        "a/b/c",
        "b/a",
        "../x",
        "a/../../x",
        "/x",
        "b/.wh.a",
        ".wh.b",
        "a/.wh..wh..opq",
    ]);
    let link = prop::sample::select(vec![
        "a", "b", "..", "../..", "../b", "a/..", "a/../..", "/", "/tmp", ".",
    ]);
    let kind = prop::sample::select(vec![tar::EntryType::Regular, Directory, Symlink, Link]);
    (path, link, kind).prop_map(|(path, link, kind)| Raw {
        content: if kind.is_file() { b"x" } else { b"" },
        ..Raw::of(kind, path, link)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    /// Whatever the entries: no link of the result leaves it, and nothing appears beside it.
    #[test]
    fn nothing_leaves_the_root(layers in prop::collection::vec(prop::collection::vec(any_entry(), 1..8), 1..3)) {
        let world = World::new();
        let tars: Vec<_> = layers.iter().map(|entries| raw_tar(entries)).collect();
        let unpacked = world.unpack(&raw_image(&world.layout, &tars));
        prop_assert_eq!(names(world.folder.path()).len(), 2);
        prop_assert_eq!(world.left().len(), usize::from(unpacked.is_ok()));
        if unpacked.is_ok() {
            let root = world.folder.path().join("unpacked/rootfs").canonicalize().unwrap();
            for link in ["a", "b", "a/b", "a/b/c", "b/a"] {
                // A dangling or circular link resolves to nothing, which is inside too.
                if let Ok(target) = root.join(link).canonicalize() {
                    prop_assert!(target.starts_with(&root), "{} -> {}", link, target.display());
                }
            }
        }
    }
}
