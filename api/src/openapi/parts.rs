//! The document as JSON, in parts: all of it can be narrowed, and its beginning stays what people expect.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

/// The document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parts {
    /// Version of the specification.
    pub openapi: Value,
    /// Title and prose.
    pub info: Value,
    /// Where it is served.
    pub servers: Value,
    /// Operations by path and method.
    pub paths: Value,
    /// Bodies by name.
    pub components: Value,
    /// Groups of operations.
    pub tags: Value,
}

impl Parts {
    /// Of what was generated.
    pub fn of(document: &OpenApi) -> Parts {
        serde_json::to_value(document)
            .and_then(serde_json::from_value)
            .expect("the document is plain data and has all of these")
    }

    /// The document's text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("JSON is always JSON") + "\n"
    }

    /// A body's schema.
    pub fn schema(&mut self, name: &str) -> &mut Value {
        &mut self.components["schemas"][name]
    }

    /// Puts a narrower schema in the place of a field's, whose description stays.
    pub fn narrow(&mut self, body: &str, field: &str, mut schema: Value) {
        let place = &mut self.schema(body)["properties"][field];
        schema["description"] = place["description"].take();
        *place = schema;
    }

    /// Adds to the prose at the top.
    pub fn note(&mut self, words: &str) {
        let said = self.info["description"].as_str().unwrap_or_default();
        self.info["description"] = format!("{said}\n\n{words}").into();
    }

    /// Takes a path away.
    pub fn remove_path(&mut self, path: &str) {
        if let Value::Object(paths) = &mut self.paths {
            paths.remove(path);
        }
    }

    /// Takes bodies away that nothing refers to, until there is none.
    pub fn prune(&mut self) {
        loop {
            let (text, before) = (json!([self.paths, self.components]).to_string(), self.schemas());
            if let Value::Object(schemas) = &mut self.components["schemas"] {
                schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
            }
            if self.schemas() == before {
                return;
            }
        }
    }

    fn schemas(&self) -> usize {
        self.components["schemas"]
            .as_object()
            .map_or(0, serde_json::Map::len)
    }
}
