//! Pure: what must be true of a pipeline document before it is sent.
//!
//! The server of 2.17.0 never ends reading malformed YAML: one such upload costs a core until its
//! pod is restarted. What else it refuses it refuses without a reason ("unknown template format").

use crate::{Parameter, ParameterType};
use serde::Deserialize as _;
use serde_yaml::Value;
use sha2::{Digest, Sha256};

/// The server's own limit.
const BYTES_MAX: usize = 32 << 20;

/// The only version of the format that the server takes.
const SCHEMA_VERSION: &str = "2.1.0";

/// A pipeline document (pipeline and, if any, platform) that was found fit to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineDocument {
    text: String,
    name: String,
    parameters: Vec<Parameter>,
}

/// A document that must not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not YAML. The server would never end reading it.
    #[error("the pipeline document is not well-formed YAML, and was not sent: {cause}")]
    Malformed {
        /// The parser's words, with line and column.
        cause: String,
    },
    /// YAML that is no pipeline which the server takes.
    #[error("pipeline document: {path} is {value}: expected {expected}")]
    Unfit {
        /// Where.
        path: String,
        /// What is there, shortened.
        value: String,
        /// What would do.
        expected: &'static str,
    },
}

impl DocumentError {
    /// Stable name of the cause.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "kfp-document-malformed",
            Self::Unfit { .. } => "kfp-document-unfit",
        }
    }
}

impl PipelineDocument {
    /// Checks that the text is well-formed, and what the server refuses without saying why.
    ///
    /// # Errors
    /// What is wrong first. What the server takes and only a run shows (a misspelt field in
    /// `deploymentSpec`, a cycle) is not looked for here.
    pub fn parse(text: &str) -> Result<Self, DocumentError> {
        let unfit = |path: &str, value: String, expected| DocumentError::Unfit {
            path: path.to_owned(),
            value,
            expected,
        };
        if text.len() > BYTES_MAX {
            let length = format!("{} bytes long", text.len());
            return Err(unfit("the whole", length, "at most 32 MiB"));
        }
        let mut pipelines = Vec::new();
        let mut platforms = 0;
        let documents = read(text)?;
        misread(text, &documents)?;
        for (number, value) in documents.into_iter().enumerate() {
            match value {
                Value::Null => (),
                Value::Mapping(fields) if fields.contains_key("platforms") => platforms += 1,
                Value::Mapping(fields) => pipelines.push(fields),
                other => {
                    let place = format!("document {}", number + 1);
                    return Err(unfit(&place, shown(Some(&other)), "a mapping"));
                }
            }
        }
        let [pipeline] = &pipelines[..] else {
            let count = format!("{} pipelines", pipelines.len());
            return Err(unfit("the whole", count, "exactly one pipeline"));
        };
        if platforms > 1 {
            let count = format!("{platforms} platform documents");
            return Err(unfit("the whole", count, "at most one"));
        }
        let name = pipeline.get("pipelineInfo").and_then(|info| info.get("name"));
        let valid = name.and_then(Value::as_str).filter(|name| pipeline_name(name));
        let Some(name_text) = valid else {
            let expected = "1 to 128 lower-case letters, digits and -, the first no -";
            return Err(unfit("pipelineInfo.name", shown(name), expected));
        };
        let version = pipeline.get("schemaVersion");
        if version.and_then(Value::as_str) != Some(SCHEMA_VERSION) {
            return Err(unfit("schemaVersion", shown(version), "2.1.0"));
        }
        let root = pipeline.get("root");
        if !root.is_some_and(Value::is_mapping) {
            return Err(unfit("root", shown(root), "a mapping"));
        }
        Ok(PipelineDocument {
            text: text.to_owned(),
            name: name_text.to_owned(),
            parameters: root.map_or(Ok(Vec::new()), parameters)?,
        })
    }

    /// The text as it is sent, byte for byte.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `pipelineInfo.name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Root parameters, in the document's order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Name of the version: `sha256-` and the first 12 hex digits of the text's SHA-256. The same
    /// bytes are the same version, whoever uploads them.
    pub fn version_name(&self) -> String {
        let digest = Sha256::digest(self.text.as_bytes());
        let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        format!("sha256-{hex}")
    }
}

fn read(text: &str) -> Result<Vec<Value>, DocumentError> {
    let documents = serde_yaml::Deserializer::from_str(text).enumerate();
    documents
        .map(|(number, document)| {
            Value::deserialize(document).map_err(|e| DocumentError::Malformed {
                cause: format!("document {}: {e}", number + 1),
            })
        })
        .collect()
}

/// Refuses what is well-formed here and not for the server, whose parser (gopkg.in/yaml.v3) ends a
/// plain text within `{}` or `[]` at a `?`, where the standard goes on, takes a comma into a tag, and
/// knows no byte order mark after the beginning. Found by giving both parsers the same 200,000 damaged
/// documents. No tag is needed in a pipeline, so that none is taken.
///
/// A comma in that place ends the text for everybody, so that the shape of the whole tells whether
/// there is such a place; anywhere else (quotes, blocks, comments) it is a letter like others.
fn misread(text: &str, documents: &[Value]) -> Result<(), DocumentError> {
    let malformed = |cause: &str| {
        Err(DocumentError::Malformed {
            cause: cause.to_owned(),
        })
    };
    if text.char_indices().any(|(place, c)| c == '\u{feff}' && place > 0) {
        return malformed("a byte order mark after the beginning");
    }
    for (mark, cause) in [
        (
            '?',
            "a ? outside of quotes within {} or [], which the server reads as the mark of a key: put the text in quotes",
        ),
        (
            '!',
            "a tag, or a ! outside of quotes within {} or []: put the text in quotes",
        ),
    ] {
        let same = |others: Vec<Value>| {
            others.len() == documents.len() && others.iter().zip(documents).all(same_shape)
        };
        if text.contains(mark) && !read(&text.replace(mark, ",x,")).is_ok_and(same) {
            return malformed(cause);
        }
    }
    Ok(())
}

fn same_shape((one, other): (&Value, &Value)) -> bool {
    match (one, other) {
        (Value::Mapping(one), Value::Mapping(other)) => {
            one.len() == other.len() && one.values().zip(other.values()).all(same_shape)
        }
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(same_shape)
        }
        (Value::Mapping(_) | Value::Sequence(_), _) | (_, Value::Mapping(_) | Value::Sequence(_)) => false,
        _ => true,
    }
}

fn pipeline_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=128).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('-')
}

fn parameters(root: &Value) -> Result<Vec<Parameter>, DocumentError> {
    let declared = root
        .get("inputDefinitions")
        .and_then(|inputs| inputs.get("parameters"));
    let mut all = Vec::new();
    for (name, about) in declared.and_then(Value::as_mapping).into_iter().flatten() {
        let name = name.as_str().unwrap_or_default().to_owned();
        let unfit = |field: &str, value: String, expected| DocumentError::Unfit {
            path: format!("root.inputDefinitions.parameters.{name}.{field}"),
            value,
            expected,
        };
        let kind = about.get("parameterType");
        let kind = kind
            .and_then(Value::as_str)
            .and_then(ParameterType::parse)
            .ok_or_else(|| {
                let expected = "STRING, NUMBER_INTEGER, NUMBER_DOUBLE, BOOLEAN, LIST or STRUCT";
                unfit("parameterType", shown(kind), expected)
            })?;
        let default = about.get("defaultValue");
        let as_json = default
            .map(|value| {
                serde_json::to_value(value)
                    .map_err(|_| unfit("defaultValue", shown(Some(value)), "what JSON can hold"))
            })
            .transpose()?;
        all.push(Parameter {
            optional: about.get("isOptional").and_then(Value::as_bool).unwrap_or(false),
            name,
            kind,
            default: as_json,
        });
    }
    Ok(all)
}

/// As YAML on one line, shortened.
fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "absent".to_owned();
    };
    let text = serde_yaml::to_string(value).unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{:?}", text.chars().take(80).collect::<String>())
}
