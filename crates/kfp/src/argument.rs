//! Words of a command line, with what the launcher fills in.

use serde_json::Value;

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it is.
    Literal(String),
    /// Value of an input parameter; lists and objects as JSON.
    Parameter(String),
    /// Where an input artifact is on the step's disk.
    InputPath(String),
    /// Where an input artifact is kept.
    InputUri(String),
    /// Where the step writes an output artifact.
    OutputPath(String),
    /// Where an output artifact will be kept.
    OutputUri(String),
    /// File that the step writes an output parameter to.
    OutputFile(String),
    /// Everything the launcher knows of the step, as JSON.
    ExecutorInput,
}

/// Pieces in a row; literals that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Pieces in a row.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (_, Piece::Literal(text)) if text.is_empty() => {}
                (Some(Piece::Literal(before)), Piece::Literal(text)) => before.push_str(&text),
                (_, piece) => joined.push(piece),
            }
        }
        Template(joined)
    }

    /// The pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// As IR writes it.
    pub fn render(&self) -> String {
        self.0.iter().map(render).collect()
    }

    /// Reads what IR writes.
    ///
    /// # Errors
    /// Names the placeholder that the server does not fill in.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{$") {
            let inside = &rest[start + 3..];
            let end = inside
                .find("}}")
                .ok_or_else(|| format!("{text:?} has {{{{$ without its end"))?;
            pieces.push(literal(&rest[..start])?);
            pieces.push(placeholder(&inside[..end])?);
            rest = &inside[end + 2..];
        }
        pieces.push(literal(rest)?);
        Ok(Template::new(pieces))
    }
}

impl From<&str> for Template {
    fn from(text: &str) -> Self {
        Template::new([Piece::Literal(text.to_owned())])
    }
}

fn literal(text: &str) -> Result<Piece, String> {
    crate::value::braces(text).map_or_else(|| Ok(Piece::Literal(text.to_owned())), Err)
}

fn render(piece: &Piece) -> String {
    match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Parameter(name) => format!("{{{{$.inputs.parameters['{name}']}}}}"),
        Piece::InputPath(name) => format!("{{{{$.inputs.artifacts['{name}'].path}}}}"),
        Piece::InputUri(name) => format!("{{{{$.inputs.artifacts['{name}'].uri}}}}"),
        Piece::OutputPath(name) => format!("{{{{$.outputs.artifacts['{name}'].path}}}}"),
        Piece::OutputUri(name) => format!("{{{{$.outputs.artifacts['{name}'].uri}}}}"),
        Piece::OutputFile(name) => format!("{{{{$.outputs.parameters['{name}'].output_file}}}}"),
        Piece::ExecutorInput => "{{$}}".to_owned(),
    }
}

/// `inside` is what is between `{{$` and `}}`.
fn placeholder(inside: &str) -> Result<Piece, String> {
    let unknown = || {
        format!(
            "the server does not fill in {{{{${inside}}}}} here; it knows inputs.parameters['…'], …artifacts['…'].path and .uri, outputs.parameters['…'].output_file and {{{{$}}}}"
        )
    };
    if inside.is_empty() {
        return Ok(Piece::ExecutorInput);
    }
    let (start, rest) = inside.split_once("['").ok_or_else(unknown)?;
    let (name, end) = rest.split_once("']").ok_or_else(unknown)?;
    crate::names::slot(name)?;
    let name = name.to_owned();
    match (start, end) {
        (".inputs.parameters", "") => Ok(Piece::Parameter(name)),
        (".inputs.artifacts", ".path") => Ok(Piece::InputPath(name)),
        (".inputs.artifacts", ".uri") => Ok(Piece::InputUri(name)),
        (".outputs.artifacts", ".path") => Ok(Piece::OutputPath(name)),
        (".outputs.artifacts", ".uri") => Ok(Piece::OutputUri(name)),
        (".outputs.parameters", ".output_file") => Ok(Piece::OutputFile(name)),
        _ => Err(unknown()),
    }
}

/// A word, or words that depend on an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// One word.
    Text(Template),
    /// Words that are there only if the task was given the input. A default does not count.
    IfPresent {
        /// Name of an input parameter.
        input: String,
        /// The words if it was.
        then: Vec<Template>,
        /// The words if it was not.
        otherwise: Vec<Template>,
    },
}

impl Argument {
    /// Every template in it.
    pub fn templates(&self) -> Vec<&Template> {
        match self {
            Argument::Text(one) => vec![one],
            Argument::IfPresent { then, otherwise, .. } => then.iter().chain(otherwise).collect(),
        }
    }

    /// As IR writes it.
    pub fn render(&self) -> String {
        let Argument::IfPresent {
            input,
            then,
            otherwise,
        } = self
        else {
            return self.templates().into_iter().map(Template::render).collect();
        };
        // Byte for byte as the SDK writes it.
        let words = |all: &[Template]| {
            let all: Vec<String> = all
                .iter()
                .map(|one| Value::from(one.render()).to_string())
                .collect();
            format!("[{}]", all.join(", "))
        };
        let mut inner = format!(
            "{{\"InputName\": {}, \"Then\": {}",
            Value::from(input.as_str()),
            words(then)
        );
        if !otherwise.is_empty() {
            inner += &format!(", \"Else\": {}", words(otherwise));
        }
        format!("{{\"IfPresent\": {inner}}}}}")
    }

    /// Reads what IR writes.
    ///
    /// # Errors
    /// Names what the server does not fill in.
    pub fn parse(text: &str) -> Result<Argument, String> {
        match structured(text) {
            None => Ok(Argument::Text(Template::parse(text)?)),
            Some(("IfPresent", inner)) => if_present(&inner),
            Some((word, _)) => Err(format!(
                "{{{word:?}: …}} is not filled in by the server: write one text with placeholders inside"
            )),
        }
    }
}

/// The word and the inside of `{"IfPresent": {…}}` and `{"Concat": […]}`.
pub(crate) fn structured(text: &str) -> Option<(&'static str, Value)> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let Ok(Value::Object(mut object)) = serde_json::from_str(text) else {
        return None;
    };
    let word = ["IfPresent", "Concat"]
        .into_iter()
        .find(|word| object.contains_key(*word))?;
    Some((word, object.remove(word)?))
}

fn if_present(inner: &Value) -> Result<Argument, String> {
    let Some(object) = inner.as_object() else {
        return Err("IfPresent: expected an object with InputName and Then".to_owned());
    };
    if let Some(key) = object
        .keys()
        .find(|key| !["InputName", "Then", "Else"].contains(&key.as_str()))
    {
        return Err(format!("IfPresent: unknown field {key:?}"));
    }
    let input = object.get("InputName").and_then(Value::as_str);
    let input = input.ok_or("IfPresent: InputName: expected the name of an input")?;
    crate::names::slot(input)?;
    Ok(Argument::IfPresent {
        input: input.to_owned(),
        then: words(object.get("Then"), "Then")?,
        otherwise: words(object.get("Else"), "Else")?,
    })
}

fn words(value: Option<&Value>, field: &str) -> Result<Vec<Template>, String> {
    let word = |value: &Value| {
        let text = value.as_str();
        Template::parse(text.ok_or_else(|| format!("IfPresent: {field}: expected text, found {value}"))?)
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(word).collect(),
        Some(one) => Ok(vec![word(one)?]),
    }
}
