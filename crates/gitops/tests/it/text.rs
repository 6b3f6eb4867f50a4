//! The release file: written, read back, and refused when it is anything else.

use crate::common::{ENVIRONMENT, release};
use gitops::{Release, ReleaseError};
use proptest::prelude::*;

#[test]
fn a_release_is_written_so() {
    insta::assert_snapshot!(release(3).to_yaml().unwrap());
}

#[test]
fn before_the_first_promotion_nothing_runs() {
    let text = Release::unreleased_yaml(ENVIRONMENT);
    insta::assert_snapshot!(text);
    assert_eq!(Release::from_yaml(ENVIRONMENT, &text).unwrap(), None);
}

#[test]
fn what_we_would_not_have_written_is_refused() {
    let good = release(3).to_yaml().unwrap();
    let other = release(4);
    for (from, to, part) in [
        ("kind: \"Component\"", "kind: \"Kustomization\"", "kind"),
        ("v1alpha1", "v1beta1", "apiVersion"),
        ("images:", "resources: []\nimages:", "resources"),
        (
            "images:",
            "replicas:\n  - name: \"inference-api\"\n    count: 0\nimages:",
            "either one image",
        ),
        (
            "patches:",
            "  - name: \"other\"\n    newName: \"x\"\n    digest: \"y\"\npatches:",
            "images",
        ),
        ("    newName:", "    newTag: \"x\"\n    newName:", "newTag"),
        (
            "kind: \"Deployment\"\n      name",
            "kind: \"Job\"\n      name",
            "target.kind",
        ),
        ("model-version\": \"3\"", "model-version\": 3", "patch"),
        (
            "model-version\": \"3\"",
            "model-version\": \"4\"",
            "model_version",
        ),
        (
            "model-version\": \"3\"",
            "model-version\": \"three\"",
            "model-version",
        ),
        ("image-tag\": \"m3-", "image-tag\": \"v3-", "image tag"),
        ("driftless.dev/run-id", "driftless.dev/run-ids", "run-id"),
        ("driftless.dev/run-id", "example.com/run-id", "not ours"),
        (
            "image-digest\": \"sha256:",
            "image-digest\": \"sha256:0",
            "image-digest",
        ),
        (release(3).model_digest.as_str(), "sha256:12", "model_digest"),
        (release(3).digest.as_str(), "sha256:12", "digest"),
        ("      spec:\n", "      spec:\n        replicas: 3\n", "replicas"),
        ("\"run-3\"", "\"\"", "run_id"),
        ("\"run-3\"", "\"a\\u000ab\"", "run_id"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        let error = Release::from_yaml(ENVIRONMENT, &bad).expect_err(to).to_string();
        assert!(error.contains(part), "{error:?} does not name {part:?}");
    }
    let scaled = Release::unreleased_yaml(ENVIRONMENT).replace("count: 0", "count: 1");
    for text in ["", "{}", "- a", "\u{0}", scaled.as_str(), &good[..good.len() / 2]] {
        assert!(
            matches!(
                Release::from_yaml(ENVIRONMENT, text),
                Err(ReleaseError::Malformed { .. })
            ),
            "{text}"
        );
    }
    assert_ne!(other.to_yaml().unwrap(), good);
}

#[test]
fn what_no_release_can_have_is_not_written() {
    let change = |change: fn(&mut Release)| {
        let mut changed = release(3);
        change(&mut changed);
        changed.to_yaml().unwrap_err().to_string()
    };
    for (error, field) in [
        (change(|r| r.environment = "../prod".to_owned()), "environment"),
        (change(|r| r.environment = String::new()), "environment"),
        (change(|r| r.image = "other".to_owned()), "image"),
        (change(|r| r.digest = "sha256:AB".to_owned()), "digest"),
        (change(|r| r.model_version = 4), "model_version"),
        (change(|r| r.run_id = "a\nSigned-off-by: me".to_owned()), "run_id"),
        (change(|r| r.code_commit = " x".to_owned()), "code_commit"),
        (change(|r| r.new_name = "x".repeat(513)), "new_name"),
    ] {
        assert!(error.starts_with(&format!("release field {field} is")), "{error}");
    }
}

/// Text that some YAML reader somewhere takes for something else.
pub fn nasty() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "null",
        "~",
        "NULL",
        "true",
        "1",
        "0777",
        "0o7",
        "1_000",
        "12:30",
        "190:20:30",
        "1e3",
        ".5",
        ".inf",
        "-.NaN",
        "2024-01-01",
        "2001-12-14t21:59:43.10-05:00",
        "=",
        "<<",
        "!!str x",
        "&a",
        "*a",
        "- a",
        "? a",
        "a: b",
        "a #b",
        "#",
        "\"",
        "'",
        "\\",
        "\\n",
        "|",
        ">",
        "%",
        "@",
        "`",
        "{a}",
        "[a]",
        "${HOME}",
        "$(DRIFTLESS_HOME)",
        "é",
        "日本",
        "🦀",
        "\u{85}x",
        "\u{a0}",
        "\u{feff}x",
        "\u{200b}",
        "0x1F",
        "+1",
        "1.",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "[ -~]{1,40}", "\\PC{1,20}"]
        .prop_map(|text| text.trim().to_owned())
        .prop_filter("one line", |text| {
            !text.is_empty() && !text.chars().any(char::is_control)
        })
        .prop_filter("short", |text| text.len() <= 512)
}

proptest! {
    #[test]
    fn round_trip(version in 1u64.., name in nasty(), run in nasty(), commit in nasty()) {
        let written = Release { new_name: name, run_id: run, code_commit: commit, ..release(version) };
        let text = written.to_yaml().unwrap();
        prop_assert!(text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)), "{}", text);
        prop_assert_eq!(Release::from_yaml(ENVIRONMENT, &text).unwrap(), Some(written));
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,200}", cut in 0usize..2000, at in 0usize..2000) {
        let _ = Release::from_yaml(ENVIRONMENT, &text);
        let mut good = release(3).to_yaml().unwrap();
        good.truncate(cut);
        let at = at.min(good.len());
        good.insert_str(at, text.get(..1).unwrap_or(":"));
        let _ = Release::from_yaml(ENVIRONMENT, &good);
    }
}
