//! Tags, digests, and several writers at once.

use crate::common::{base, changes, model};
use oci::{Error, ImageStore, Layout, image};
use std::{fs, sync::Barrier};

#[test]
fn a_tag_is_not_moved_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::open_or_create(folder.path()).unwrap();
    let first = base(&layout);
    let second = image::append_layer(&layout, "inference-api:base", &model("m"), &changes()).unwrap();
    assert!(layout.tag("inference-api:m1-abcdef0", &first, false).unwrap());
    assert!(
        !layout.tag("inference-api:m1-abcdef0", &first, false).unwrap(),
        "again: nothing changes"
    );
    match layout.tag("inference-api:m1-abcdef0", &second, false) {
        Err(Error::TagTaken { existing, wanted, .. }) => {
            assert_eq!((existing, wanted), (first.clone(), second.clone()))
        }
        other => panic!("{other:?}"),
    }
    assert!(layout.tag("inference-api:base", &second, true).unwrap());
    let tags: Vec<_> = layout
        .tags()
        .unwrap()
        .into_iter()
        .map(|(name, to)| (name, to.digest))
        .collect();
    let expected = [
        ("inference-api:m1-abcdef0", first),
        ("inference-api:base", second),
    ];
    assert_eq!(tags, expected.map(|(name, digest)| (name.to_owned(), digest)));
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::open_or_create(folder.path().join("a/b")).unwrap();
    assert_eq!(layout.find("inference-api:base").unwrap(), None);
    let absent = format!("sha256:{}", "0".repeat(64));
    assert_eq!(layout.find(&absent).unwrap(), None);
    for (failure, part) in [
        (
            layout.resolve("inference-api:base").map(drop),
            "inference-api:base",
        ),
        (layout.tag("x:y", &absent, false).map(drop), absent.as_str()),
        (layout.blob("", &absent).map(drop), absent.as_str()),
    ] {
        let text = failure.unwrap_err().to_string();
        assert!(text.contains(part) && text.contains("oci-layout:"), "{text}");
    }
}

#[test]
fn damaged_blobs_are_found_and_mended() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::open_or_create(folder.path()).unwrap();
    let digest = layout.put_blob("", b"content").unwrap();
    let path = folder.path().join("blobs/sha256").join(&digest[7..]);
    fs::write(&path, b"c0ntent").unwrap();
    assert!(matches!(layout.blob("", &digest), Err(Error::Digest { .. })));
    assert_eq!(layout.put_blob("", b"content").unwrap(), digest);
    assert_eq!(layout.blob("", &digest).unwrap(), b"content");
}

#[test]
fn what_other_tools_wrote_into_the_index_survives() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::open_or_create(folder.path()).unwrap();
    let index = folder.path().join("index.json");
    let foreign = r#"{"schemaVersion":2,"x-tool":[1.5],"manifests":[{"mediaType":"a/b","digest":"sha256:00","size":1,"platform":{"os":"plan9"}}]}"#;
    fs::write(&index, foreign).unwrap();
    base(&layout);
    let read: serde_json::Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
    assert_eq!(read["x-tool"], serde_json::json!([1.5]));
    assert_eq!(read["manifests"][0]["platform"]["os"], "plan9");
    assert_eq!(
        read["manifests"][1]["annotations"]["org.opencontainers.image.ref.name"],
        "inference-api:base"
    );
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "dear").unwrap();
    let failure = Layout::open_or_create(folder.path()).unwrap_err().to_string();
    assert!(failure.contains("thesis.txt"), "{failure}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::write(
        folder.path().join("oci-layout"),
        r#"{"imageLayoutVersion":"2.0.0"}"#,
    )
    .unwrap();
    assert!(matches!(
        Layout::open_or_create(folder.path()),
        Err(Error::Malformed { .. })
    ));
}

#[test]
fn of_many_writers_of_one_tag_one_wins_and_no_tag_is_lost() {
    const WRITERS: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let start = Barrier::new(WRITERS);
    let taken: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (start, root) = (&start, folder.path());
                scope.spawn(move || {
                    start.wait();
                    let layout = Layout::open_or_create(root).unwrap();
                    base(&layout);
                    let text = format!("model {writer}");
                    let digest =
                        image::append_layer(&layout, "inference-api:base", &model(&text), &changes())
                            .unwrap();
                    assert!(
                        layout
                            .tag(&format!("inference-api:w{writer}"), &digest, false)
                            .unwrap()
                    );
                    match layout.tag("inference-api:m1-abcdef0", &digest, false) {
                        Ok(changed) => usize::from(!changed),
                        Err(Error::TagTaken { .. }) => 1,
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(taken, WRITERS - 1);
    let layout = Layout::open_or_create(folder.path()).unwrap();
    assert_eq!(layout.tags().unwrap().len(), WRITERS + 2);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().starts_with(".aside-")),
        "{left:?}"
    );
}
