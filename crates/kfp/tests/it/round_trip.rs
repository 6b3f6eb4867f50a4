//! What is written is read back as it was; what is broken is refused, and nothing panics.

use crate::generate::pipelines;
use kfp::{Pipeline, ReadError};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back(pipeline in pipelines()) {
        let document = pipeline.emit().expect("was checked");
        let again = Pipeline::read(&document.text).unwrap_or_else(|error| panic!("{error}\n{}", document.text));
        prop_assert_eq!(&again, &pipeline);
        prop_assert_eq!(again.emit().expect("the same"), document);
    }

    #[test]
    fn changed_documents_are_read_or_refused(
        pipeline in pipelines(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6),
    ) {
        let mut bytes = pipeline.emit().expect("was checked").text.into_bytes();
        for (place, byte, how) in changes {
            let at = place.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match how {
                _ if bytes.is_empty() => {}
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        read_or_refused(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn changed_lines_are_read_or_refused(
        pipeline in pipelines(),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        how in 0..3_u8,
    ) {
        let text = pipeline.emit().expect("was checked").text;
        let mut lines: Vec<&str> = text.lines().collect();
        let (from, to) = (from.index(lines.len()), to.index(lines.len()));
        match how {
            0 => drop(lines.remove(from)),
            1 => lines.swap(from, to),
            _ => lines[to] = lines[from],
        }
        read_or_refused(&lines.join("\n"));
    }
}

/// What can be read can be written, and is the same again.
fn read_or_refused(text: &str) {
    match Pipeline::read(text) {
        Ok(pipeline) => {
            let again = pipeline.emit().expect("what was read was checked");
            assert_eq!(Pipeline::read(&again.text).expect("was written by us"), pipeline);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn malformed_yaml_is_refused_with_its_line() {
    for (text, line) in [
        ("a: b\n\tc: d\n", 2),
        ("a: {b: c\n", 2),
        ("a: b\na: c\n", 0),
        ("a: 'b\n\n", 3),
    ] {
        let Err(ReadError::Syntax {
            line: found, what, ..
        }) = Pipeline::read(text)
        else {
            panic!("{text:?} was read");
        };
        assert!(
            found.abs_diff(line) <= 1 || line == 0,
            "{text:?}: line {found}: {what}"
        );
    }
    // A broken document after a whole one, too.
    let text = format!(
        "{}---\na: {{\n",
        include_str!("../data/vendor/reference-shapes.yaml")
            .split("---")
            .next()
            .unwrap_or_default()
    );
    assert!(matches!(Pipeline::read(&text), Err(ReadError::Syntax { .. })));
}

#[test]
fn what_is_no_pipeline_is_named() {
    for (text, expected) in [
        ("", "0 documents with a pipeline"),
        ("# only a comment\n", "0 documents with a pipeline"),
        ("scalar", "document 1 is no object"),
        ("- a\n", "document 1 is no object"),
        ("a: 1\n---\nb: 2\n", "2 documents with a pipeline"),
        ("1: a\n", "has a key that is no text"),
        ("a: !x b\n", "has the tag"),
        (
            "pipelineInfo: {name: a}\nschemaVersion: 2.0.0\nroot: {}\n",
            "\"2.0.0\" is not supported; expected 2.1.0",
        ),
        ("pipelineInfo: {name: a}\nschemaVersion: 2.1.0\n", "has no `root`"),
        (
            "pipelineInfo: {name: a}\nschemaVersion: 2.1.0\nroot: {dag: {tasks: {}}, nope: 1}\n",
            "root: unknown field \"nope\"",
        ),
        (
            "pipelineInfo: {name: a}\nschemaVersion: 2.1.0\nroot: {dag: {}}\n",
            "pipeline a: has no tasks",
        ),
    ] {
        let error = Pipeline::read(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    let deep = format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000));
    assert!(Pipeline::read(&deep).is_err());
}
