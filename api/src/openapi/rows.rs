//! `/predict` of one model: as many numbers in a row as it has features.

use super::{Parts, model::Model, values};
use crate::{
    predict::{PATH, predict},
    served::Traffic,
};
use serde_json::{Value, json};

/// Most names listed in a description.
const LISTED_NAMES: usize = 50;

/// Narrows the bodies, or takes the path away where the model cannot be asked by it.
pub fn describe(parts: &mut Parts, model: &Model<'_>) {
    let (datatype, whole_most) = match model.served.rows_datatype() {
        Ok(found) => found,
        Err(error) => {
            parts.remove_path(PATH);
            parts.note(&format!("`/predict` is not for this model: {}.", error.message));
            return;
        }
    };
    let names = model.served.feature_names();
    let row = values::many(values::feature(datatype, whole_most), names.len(), names.len());
    let most = model.limits.max_instances;
    parts.narrow("OneRow", "features", row.clone());
    parts.narrow("ManyRows", "instances", values::many(row, 1, most));
    let listed: Vec<String> = names
        .iter()
        .take(LISTED_NAMES)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match names.len().saturating_sub(LISTED_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more, see `/model/info`"),
    };
    let features = format!("Feature values in this order: {}{more}.", listed.join(", "));
    parts.schema("OneRow")["properties"]["features"]["description"] = features.into();
    let many: Vec<Value> = (0..2).map(|row| model.row(row).into()).collect();
    let requests = [
        ("a row", json!({"features": many[0]})),
        ("many rows", json!({"instances": many})),
    ];
    let short = json!({"features": model.row(0).split_last().map_or(&[][..], |(_, short)| short)});
    model.examples(&mut parts.paths[PATH]["post"], PATH, requests, &short, |body| {
        predict(model.served, usize::MAX, body, Traffic::Examples).map(|(json, _)| json)
    });
}
