//! Makes a JSON result the same on every machine and day.

use serde_json::Value;

/// Replaces digests, ids, durations, and paths under `folder`.
pub fn redact(value: &mut Value, folder: &str) {
    match value {
        Value::Object(map) => {
            // In one order, however serde_json was compiled.
            let sorted: std::collections::BTreeMap<_, _> = std::mem::take(map).into_iter().collect();
            map.extend(sorted);
            for (key, value) in map.iter_mut() {
                let is_time = key.ends_with("seconds");
                if is_time && value.is_number() {
                    *value = "[seconds]".into();
                } else if matches!(key.as_str(), "run_id" | "model_id" | "run_key" | "experiment_id")
                    && value.is_string()
                {
                    *value = format!("[{key}]").into();
                } else if key == "commit" {
                    *value = "[commit]".into();
                } else if key == "model_name" {
                    *value = "[model_name]".into();
                } else {
                    redact(value, folder);
                }
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| redact(value, folder)),
        Value::String(text) => {
            if contract::digest::is_digest(text) {
                *text = "sha256:[digest]".to_owned();
            } else if text.contains(folder) {
                *text = text.replace(folder, "[folder]");
            }
        }
        _ => {}
    }
}
