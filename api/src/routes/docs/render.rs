//! OpenAPI JSON to HTML. Every text is escaped; nothing is fetched from elsewhere.

use crate::openapi::Parts;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The whole page.
pub fn page(document: &Parts) -> String {
    let info = &document.info;
    let title = escape(text(&info["title"]));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p class=\"dim\">Version {} · for programs: <a href=\"openapi.json\">openapi.json</a> · live: <a href=\"drift\">drift</a></p>\n{}",
        include_str!("style.css"),
        escape(text(&info["version"])),
        prose(text(&info["description"])),
    );
    for tag in items(&document.tags) {
        let name = text(&tag["name"]);
        let _ = write!(
            html,
            "<h2>{}</h2>\n<p class=\"dim\">{}</p>\n",
            escape(&capital(name)),
            escape(text(&tag["description"]))
        );
        for (path, operations) in entries(&document.paths) {
            for (method, operation) in operations.as_object().into_iter().flatten() {
                if items(&operation["tags"]).any(|tag| tag == name) {
                    operation_section(&mut html, path, method, operation);
                }
            }
        }
    }
    html.push_str("<h2>Bodies</h2>\n");
    for (name, schema) in entries(&document.components["schemas"]) {
        schema_section(&mut html, name, schema);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn operation_section(html: &mut String, path: &str, method: &str, operation: &Value) {
    let path = escape(path);
    let _ = writeln!(
        html,
        "<h3 id=\"{method}{path}\"><span class=\"method {method}\">{}</span><code>{path}</code> {}</h3>",
        method.to_uppercase(),
        escape(text(&operation["summary"])),
    );
    html.push_str(&prose(text(&operation["description"])));
    for (kind, content) in entries(&operation["requestBody"]["content"]) {
        let _ = writeln!(
            html,
            "<h4>Request, <code>{}</code>: {}</h4>",
            escape(kind),
            type_of(&content["schema"])
        );
        examples(html, content);
    }
    html.push_str("<h4>Answers</h4>\n<table>\n<tr><th>Status</th><th>When</th><th>Body</th></tr>\n");
    let mut shown = String::new();
    for (status, response) in entries(&operation["responses"]) {
        let types: Vec<String> = entries(&response["content"])
            .map(|(_, content)| type_of(&content["schema"]))
            .collect();
        let _ = writeln!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escape(status),
            inline(text(&response["description"])),
            types.join(", ")
        );
        for (_, content) in entries(&response["content"]) {
            let mut given = String::new();
            examples(&mut given, content);
            if !given.is_empty() {
                let _ = write!(shown, "<h4>Answer {}</h4>\n{given}", escape(status));
            }
        }
    }
    html.push_str("</table>\n");
    html.push_str(&shown);
}

fn examples(html: &mut String, content: &Value) {
    let single = content.get("example").into_iter();
    let named = entries(&content["examples"]).map(|(_, example)| &example["value"]);
    for value in single.chain(named) {
        let _ = writeln!(html, "<pre><code>{}</code></pre>", escape(&value.to_string()));
    }
}

fn schema_section(html: &mut String, name: &str, schema: &Value) {
    let _ = writeln!(html, "<h3 id=\"body-{0}\"><code>{0}</code></h3>", escape(name));
    html.push_str(&prose(text(&schema["description"])));
    let required: Vec<&str> = items(&schema["required"]).map(text).collect();
    let mut properties = entries(&schema["properties"]).peekable();
    if properties.peek().is_none() {
        let _ = writeln!(html, "<p>{}</p>", type_of(schema));
        return;
    }
    html.push_str("<table>\n<tr><th>Field</th><th>Type</th><th>Meaning</th></tr>\n");
    for (field, property) in properties {
        let optional = if required.contains(&field.as_str()) {
            ""
        } else {
            " <span class=\"dim\">optional</span>"
        };
        let _ = writeln!(
            html,
            "<tr><td><code>{}</code>{optional}</td><td>{}</td><td>{}</td></tr>",
            escape(field),
            type_of(property),
            inline(text(&property["description"]))
        );
    }
    html.push_str("</table>\n");
}

/// A schema in a few words, with links to named ones.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.rsplit('/').next())
    {
        let name = escape(name);
        return format!("<a href=\"#body-{name}\">{name}</a>");
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        let choices: Vec<String> = items(&schema[choice])
            .filter(|one| one["type"] != "null")
            .map(type_of)
            .collect();
        if !choices.is_empty() {
            return choices.join(" or ");
        }
    }
    if schema["enum"].is_array() {
        return items(&schema["enum"])
            .map(|value| format!("<code>{}</code>", escape(&value.to_string())))
            .collect::<Vec<_>>()
            .join(" or ");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).filter(|kind| *kind != "null").collect(),
        kind => vec![text(kind)],
    };
    match kinds.as_slice() {
        ["array"] => array(schema),
        ["object"] if schema["additionalProperties"].is_object() => {
            format!("map to {}", type_of(&schema["additionalProperties"]))
        }
        [] | [""] => "any".to_owned(),
        kinds => escape(&kinds.join(" or ")),
    }
}

/// How many of what; a list of different things by its places.
fn array(schema: &Value) -> String {
    let places: Vec<String> = items(&schema["prefixItems"]).map(type_of).collect();
    if !places.is_empty() {
        return format!("array: {}", places.join(", "));
    }
    let count = match (&schema["minItems"], &schema["maxItems"]) {
        (Value::Number(least), Value::Number(most)) if least == most => format!(" of {most}:"),
        _ => " of".to_owned(),
    };
    format!("array{count} {}", type_of(&schema["items"]))
}

/// Paragraphs, with `code`.
fn prose(text: &str) -> String {
    text.split("\n\n")
        .filter(|part| !part.is_empty())
        .fold(String::new(), |html, part| {
            html + "<p>" + &inline(part) + "</p>\n"
        })
}

/// Text between backticks is code.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escape(part);
        html += &if index % 2 == 1 {
            format!("<code>{part}</code>")
        } else {
            part
        };
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}
