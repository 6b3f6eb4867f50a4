//! Broken disks: an error that names path and cause, and nothing half-written.
//!
//! Tests may run as root, for whom no folder is read-only by its mode. So: a file-size limit (any
//! user) stands in for the full disk, and where mounting is allowed a real full and a real
//! read-only file system are tried too.

use crate::common::{base, changes, model};
use oci::{ImageStore, Layout, image};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const CHILD: &str = "DRIFTLESS_TEST_LIMITED_LAYOUT";

/// Ends in the error's chain, as the edge would print it.
fn chain(error: &dyn std::error::Error) -> String {
    let source = error
        .source()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    format!("{error}{source}")
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// Writes more than is allowed and says what happened; run by the tests below in a limited world.
#[test]
fn child_that_writes_too_much() {
    let Some(root) = env::var_os(CHILD) else {
        return;
    };
    let root = Path::new(&root);
    let before = files(root);
    let layout = Layout::open_or_create(root.join("images")).unwrap();
    // xorshift64: bytes that do not compress.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let noise: Vec<u8> = (0..600_000).map(|_| byte()).collect();
    let failure = chain(&layout.put_blob("", &noise).unwrap_err());
    let big = oci::LayerFiles::new()
        .file("model/model.onnx", 0o644, noise)
        .unwrap();
    let failure_append =
        chain(&image::append_layer(&layout, "inference-api:base", &big, &changes()).unwrap_err());
    let unpacked = root.join("unpacked/rootfs");
    let failure_unpack = chain(&image::unpack(&layout, "inference-api:big", &unpacked).unwrap_err());
    for text in [&failure, &failure_append, &failure_unpack] {
        assert!(text.contains(root.to_str().unwrap()), "{text}");
        let cause = ["File too large", "No space left on device"]
            .iter()
            .any(|cause| text.contains(cause));
        assert!(cause, "{text}");
    }
    fs::remove_dir_all(root.join("unpacked")).unwrap();
    assert_eq!(files(root), before, "something half-written is left");
    println!("REFUSED AS EXPECTED");
}

/// The layout with a large image in it, unless `large` would not fit.
fn prepare(root: &Path, large: bool) {
    let layout = Layout::open_or_create(root.join("images")).unwrap();
    base(&layout);
    if large {
        // Compresses well, unpacks large.
        let big = model(&"0".repeat(3 << 20));
        let digest = image::append_layer(&layout, "inference-api:base", &big, &changes()).unwrap();
        layout.tag("inference-api:big", &digest, false).unwrap();
    }
}

fn run_child(root: &Path, shell: &str) {
    let output = Command::new("sh")
        .args(["-c", shell, "sh"])
        .arg(env::current_exe().unwrap())
        .args(["disk::child_that_writes_too_much", "--exact", "--nocapture"])
        .env(CHILD, root)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("REFUSED AS EXPECTED"),
        "{text}\n{errors}"
    );
}

#[test]
fn a_file_size_limit_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path(), true);
    // Blocks of 512 bytes; the ignored signal makes write fail instead of killing.
    run_child(folder.path(), "trap '' XFSZ; ulimit -f 200; exec \"$@\"");
}

/// A mounted tmpfs, unmounted at the end.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(test: &str, options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("SKIPPED {test}: mounting a file system is not allowed here");
        None
    }

    fn read_only(&self) {
        let done = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(self.0.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let Some(mount) = Mount::new("a_full_disk_leaves_nothing_half_written", "size=400k") else {
        return;
    };
    prepare(mount.0.path(), true);
    run_child(mount.0.path(), "exec \"$@\"");
}

#[test]
fn a_read_only_file_system_is_named_and_still_readable() {
    let Some(mount) = Mount::new("a_read_only_file_system_is_named_and_still_readable", "size=4m") else {
        return;
    };
    prepare(mount.0.path(), false);
    mount.read_only();
    let root = mount.0.path();
    let before = files(root);
    let layout = Layout::open_or_create(root.join("images")).unwrap();
    let digest = layout.resolve("inference-api:base").unwrap().digest;
    assert!(
        image::read_file(&layout, &digest, "etc/passwd")
            .unwrap()
            .is_some()
    );
    for failure in [
        chain(&layout.put_blob("", b"new").unwrap_err()),
        chain(&layout.tag("inference-api:new", &digest, false).unwrap_err()),
        chain(&Layout::open_or_create(root.join("other")).unwrap_err()),
        chain(&image::unpack(&layout, &digest, &root.join("rootfs")).unwrap_err()),
    ] {
        assert!(
            failure.contains("Read-only file system") && failure.contains(root.to_str().unwrap()),
            "{failure}"
        );
    }
    assert_eq!(files(root), before);
}

#[test]
fn a_file_in_the_way_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let failure = chain(&Layout::open_or_create(file.join("images")).unwrap_err());
    assert!(
        failure.contains("file/images") && failure.contains("Not a directory"),
        "{failure}"
    );
    let layout = Layout::open_or_create(folder.path().join("images")).unwrap();
    let digest = base(&layout);
    let failure = chain(&image::unpack(&layout, &digest, &file).unwrap_err());
    assert!(
        failure.contains("/file") && failure.contains("not a directory"),
        "{failure}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"x");
}
