//! What an Application's status says about a release: a pure function. Single fields mislead: health
//! lags behind, errors leave it Healthy, and Synced may speak of a comparison that was never made.

use serde_json::Value;

/// What one answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Synced, healthy, and the operation that did it, hooks included, succeeded with the release.
    Live,
    /// With the release: failed, or not healthy any more.
    Degraded(String),
    /// Neither yet; what was seen.
    Waiting(String),
}

/// `has_release` says whether a commit's release file is the one that is waited for.
pub fn judge(status: &Value, has_release: &mut dyn FnMut(&str) -> bool) -> Judged {
    let text = |path: &str| status.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (sync, revision) = (text("/sync/status"), text("/sync/revision"));
    let (health, phase) = (text("/health/status"), text("/operationState/phase"));
    let synced_by = text("/operationState/syncResult/revision");
    let shown = in_words(status);
    // While Git cannot be read the revision is the branch's name.
    let is_commit = |text: &str| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
    // A later commit that changes nothing rendered moves `sync` alone; the operation stays.
    let operated = is_commit(synced_by) && has_release(synced_by);
    if operated && matches!(phase, "Failed" | "Error") {
        return Judged::Degraded(shown);
    }
    if !is_commit(revision) || !has_release(revision) {
        return Judged::Waiting(shown);
    }
    match (sync, health) {
        ("Synced", "Degraded") => Judged::Degraded(shown),
        ("Synced", "Healthy") if operated && phase == "Succeeded" => Judged::Live,
        _ => Judged::Waiting(shown),
    }
}

/// What the guilty say, then the status in one line, then the rest: the first line is the reason.
fn in_words(status: &Value) -> String {
    let text = |value: &Value, path: &str| {
        let found = value.pointer(path).and_then(Value::as_str);
        found.unwrap_or_default().to_owned()
    };
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    let each = |path: &str| {
        status
            .pointer(path)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let mut lines = Vec::new();
    for resource in each("/operationState/syncResult/resources") {
        let failed = text(resource, "/hookPhase") == "Failed" || text(resource, "/status") == "SyncFailed";
        if failed {
            let (kind, name) = (text(resource, "/kind"), text(resource, "/name"));
            lines.push(format!("{kind} {name}: {}", text(resource, "/message")));
        }
    }
    for resource in each("/resources") {
        if text(resource, "/health/status") == "Degraded" {
            let (kind, name) = (text(resource, "/kind"), text(resource, "/name"));
            lines.push(format!("{kind} {name}: {}", text(resource, "/health/message")));
        }
    }
    let revision = text(status, "/sync/revision");
    lines.push(format!(
        "Argo CD: {} and {} at {}, operation {}",
        or(text(status, "/sync/status"), "not compared"),
        or(text(status, "/health/status"), "of no health"),
        or(revision.chars().take(7).collect(), "no commit"),
        or(text(status, "/operationState/phase"), "none"),
    ));
    lines.push(text(status, "/operationState/message"));
    for condition in each("/conditions") {
        lines.push(format!(
            "{}: {}",
            text(condition, "/type"),
            text(condition, "/message")
        ));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const OLD: &str = "0000000000000000000000000000000000000001";
    const OURS: &str = "0000000000000000000000000000000000000002";
    const NOTE: &str = "0000000000000000000000000000000000000003";
    const NEXT: &str = "0000000000000000000000000000000000000004";

    fn status(sync: &str, revision: &str, health: &str, phase: &str, synced_by: &str) -> Value {
        json!({"sync": {"status": sync, "revision": revision}, "health": {"status": health},
            "operationState": {"phase": phase, "message": "the operation's words",
                "syncResult": {"revision": synced_by}}})
    }

    /// What was seen on a real cluster, each line a moment of a rollout.
    #[test]
    fn what_each_moment_means() {
        let table = [
            (
                "before it is seen",
                "Synced",
                OLD,
                "Healthy",
                "Succeeded",
                OLD,
                'w',
            ),
            (
                "applied, health is old",
                "OutOfSync",
                OURS,
                "Healthy",
                "Succeeded",
                OURS,
                'w',
            ),
            (
                "compared, health is old",
                "Synced",
                OURS,
                "Healthy",
                "Succeeded",
                OLD,
                'w',
            ),
            ("rolling out", "Synced", OURS, "Progressing", "Running", OURS, 'w'),
            ("hook runs", "Synced", OURS, "Healthy", "Running", OURS, 'w'),
            ("live", "Synced", OURS, "Healthy", "Succeeded", OURS, 'l'),
            ("a note on top", "Synced", NOTE, "Healthy", "Succeeded", OURS, 'l'),
            (
                "synced by the note",
                "Synced",
                NOTE,
                "Healthy",
                "Succeeded",
                NOTE,
                'l',
            ),
            ("replaced", "Synced", NEXT, "Healthy", "Succeeded", NEXT, 'w'),
            (
                "git is down",
                "Unknown",
                "main",
                "Healthy",
                "Succeeded",
                OURS,
                'w',
            ),
            (
                "degraded before",
                "Synced",
                OLD,
                "Degraded",
                "Succeeded",
                OLD,
                'w',
            ),
            (
                "degraded, old health",
                "OutOfSync",
                OURS,
                "Degraded",
                "Running",
                OURS,
                'w',
            ),
            ("degraded", "Synced", OURS, "Degraded", "Succeeded", OURS, 'd'),
            (
                "degraded while the hook waits",
                "Synced",
                OURS,
                "Degraded",
                "Running",
                OURS,
                'd',
            ),
            ("hook failed", "Synced", OURS, "Healthy", "Failed", OURS, 'd'),
            (
                "an error of ours",
                "OutOfSync",
                OURS,
                "Missing",
                "Error",
                OURS,
                'd',
            ),
            ("an error of before", "Synced", OLD, "Healthy", "Failed", OLD, 'w'),
            ("retried", "OutOfSync", OURS, "Healthy", "Running", OURS, 'w'),
        ];
        for (what, sync, revision, health, phase, synced_by, expected) in table {
            let judged = judge(&status(sync, revision, health, phase, synced_by), &mut |commit| {
                [OURS, NOTE].contains(&commit)
            });
            let letter = match judged {
                Judged::Live => 'l',
                Judged::Degraded(_) => 'd',
                Judged::Waiting(_) => 'w',
            };
            assert_eq!(letter, expected, "{what}");
        }
        for nothing in [Value::Null, json!({}), json!({"sync": {"status": "Synced"}})] {
            assert!(
                matches!(judge(&nothing, &mut |_| true), Judged::Waiting(_)),
                "{nothing}"
            );
        }
    }

    #[test]
    fn the_guilty_are_named() {
        let mut said = status("Synced", OURS, "Degraded", "Failed", OURS);
        said["operationState"]["syncResult"]["resources"] = json!([{"kind": "Job", "name": "smoke", "hookPhase": "Failed", "message": "BackoffLimitExceeded"}]);
        said["resources"] = json!([{"kind": "Deployment", "name": "inference-api",
            "health": {"status": "Degraded", "message": "exceeded its progress deadline"}}]);
        said["conditions"] = json!([{"type": "SyncError", "message": "gave up"}]);
        let Judged::Degraded(text) = judge(&said, &mut |_| true) else {
            panic!("not degraded");
        };
        insta::assert_snapshot!(text, @r"
        Job smoke: BackoffLimitExceeded
        Deployment inference-api: exceeded its progress deadline
        Argo CD: Synced and Degraded at 0000000, operation Failed
        the operation's words
        SyncError: gave up
        ");
    }
}
