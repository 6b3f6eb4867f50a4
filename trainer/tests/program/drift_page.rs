//! What `docs/drift-offline.md` says to type works as it stands, and ids have their headings.

use crate::support::tables::write_shop;
use std::path::Path;
use std::process::Command;

fn page(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::read_to_string(docs.join(name)).unwrap()
}

#[test]
fn every_command_of_the_page_works() {
    let folder = tempfile::tempdir().unwrap();
    write_shop(folder.path());
    let program = Path::new(env!("CARGO_BIN_EXE_trainer")).parent().unwrap();
    let path = format!(
        "{}:{}",
        program.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let page = page("drift-offline.md");
    let mut said = Vec::new();
    let mut promised = None;
    for block in page.split("```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        match language {
            "sh" => {
                let output = Command::new("sh")
                    .args(["-e", "-c", text])
                    .current_dir(folder.path())
                    .env_clear()
                    .env("PATH", &path)
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{text}: {output:?}");
                said.push(String::from_utf8(output.stdout).unwrap());
            }
            // What the command above it prints, in part.
            "text" => promised = Some((said.len() - 1, text.to_owned())),
            other => panic!("a block of {other:?}, which nothing runs"),
        }
    }
    assert_eq!(said.len(), 3);
    let (place, text) = promised.unwrap();
    for line in text.lines().filter(|line| *line != "…") {
        assert!(
            said[place].lines().any(|printed| printed == line),
            "{line:?} is not printed"
        );
    }
    assert!(folder.path().join("drift.html").is_file());
    assert_eq!(said[2], "drift, see drift.json\n");
}

#[test]
fn every_id_has_a_heading() {
    let source = include_str!("../../src/compare/trouble.rs");
    let ids: Vec<&str> = source
        .split('"')
        .filter(|word| word.starts_with("drift-"))
        .collect();
    assert_eq!(ids.len(), 6);
    let page = page("troubleshooting.md");
    let mut headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### drift-"))
        .collect();
    headings.sort_unstable();
    let mut expected: Vec<&str> = ids.iter().filter_map(|id| id.strip_prefix("drift-")).collect();
    expected.sort_unstable();
    assert_eq!(headings, expected);
}
