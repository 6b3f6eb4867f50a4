//! An example for every error that is documented without one: written by what writes the real ones.

use crate::{
    error::{ApiError, Code, ErrorForm},
    routes,
};
use serde_json::{Map, Value};

/// Goes through all operations.
pub fn show(paths: &mut Value) {
    for (path, operations) in entries(paths) {
        let form = routes::error_form(path);
        for (_, operation) in entries(operations) {
            for (status, response) in entries(&mut operation["responses"]) {
                let Some(error) = example(status, path) else {
                    continue;
                };
                let content = &mut response["content"]["application/json"];
                if content.get("example").is_none() && content.get("examples").is_none() {
                    content["example"] = body(&error, form);
                }
            }
        }
    }
}

/// As it would be answered.
pub fn body(error: &ApiError, form: ErrorForm) -> Value {
    serde_json::from_slice(&error.body(form, "8f14e45fceea167a")).expect("errors are always JSON")
}

/// An error of a status, in the words of where it is found.
fn example(status: &str, path: &str) -> Option<ApiError> {
    let (code, message) = match status {
        "400" => (
            Code::InvalidJson,
            "the body is not JSON: expected value at line 1 column 1",
        ),
        "401" => (
            Code::Unauthorized,
            "an API key is needed, expected in the header X-API-Key or as Authorization: Bearer",
        ),
        "404" => return Some(routes::no_such_path()),
        "405" => {
            let methods = match path {
                "/ping" => "GET and POST",
                path if routes::protocol(path).is_some() => "POST",
                _ => "GET",
            };
            return Some(ApiError::new(
                Code::MethodNotAllowed,
                format!("{path} takes {methods}"),
            ));
        }
        "408" => (
            Code::RequestTimeout,
            "the request did not arrive or was not done in time",
        ),
        "413" => (
            Code::BodyTooLarge,
            "the body is larger than 1048576 bytes, the most that is taken",
        ),
        "415" => (
            Code::UnsupportedMediaType,
            "a compressed body is not taken, send it without Content-Encoding",
        ),
        "429" => (
            Code::RateLimited,
            "too many requests, the next one is taken in 1 s",
        ),
        "500" => (
            Code::PredictionNotFinite,
            "the model answered inf, which JSON cannot hold",
        ),
        "503" => (Code::NotReady, "the model is being loaded"),
        _ => return None,
    };
    Some(ApiError::new(code, message))
}

fn entries(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}
