//! Which pushes wake a workflow, by GitHub's filter patterns.

use serde_yaml::Value;

/// Whether a pattern of `paths` or `paths-ignore` matches: `*` stays within a folder, `**` does not,
/// and `**/` is also no folder at all.
pub fn matches(pattern: &str, path: &str) -> bool {
    assert!(
        !pattern.contains(['?', '+', '[', '!']),
        "{pattern}: this reader knows * and ** only"
    );
    let ends = |rest: &str, across: bool| {
        (0..=path.len())
            .filter(|&end| path.is_char_boundary(end))
            .take_while(|&end| across || !path[..end].contains('/'))
            .any(|end| matches(rest, &path[end..]))
    };
    if let Some(rest) = pattern.strip_prefix("**/") {
        return matches(rest, path) || ends(&pattern[2..], true);
    }
    match (pattern.strip_prefix("**"), pattern.strip_prefix('*')) {
        (Some(rest), _) => ends(rest, true),
        (_, Some(rest)) => ends(rest, false),
        _ => match (pattern.chars().next(), path.chars().next()) {
            (None, None) => true,
            (Some(wanted), Some(found)) if wanted == found => {
                matches(&pattern[wanted.len_utf8()..], &path[found.len_utf8()..])
            }
            _ => false,
        },
    }
}

/// Whether a push to main that changes these paths starts the workflow.
pub fn wakes(workflow: &Value, changed: &[&str]) -> bool {
    let push = &workflow["on"]["push"];
    assert!(push.get("paths").is_none(), "only paths-ignore is read here");
    let ignored: Vec<&str> = push["paths-ignore"]
        .as_sequence()
        .map(|patterns| patterns.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    changed
        .iter()
        .any(|path| !ignored.iter().any(|pattern| matches(pattern, path)))
}

/// The beginnings of a commit's subject at which a job stands aside:
/// `startsWith(github.event.head_commit.message, 'promote(')` and so on.
pub fn refused_subjects(job: &Value) -> Vec<String> {
    const CALL: &str = "startsWith(github.event.head_commit.message, '";
    let condition = job["if"].as_str().unwrap_or_default();
    // Every call is inside of one negated pair of brackets, or it would mean the opposite.
    let Some(negated) = condition.split("!(").nth(1) else {
        return Vec::new();
    };
    negated
        .split(CALL)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('\'')?.0.to_owned()))
        .collect()
}
