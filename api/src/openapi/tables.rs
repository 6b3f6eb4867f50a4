//! MLflow's bodies of one model: its columns by name.

use super::{
    Parts,
    model::{Model, answered},
    values::{self, many, tuple},
};
use crate::{
    mlflow::{self, Format},
    outcome::Outcome,
    served::Traffic,
    table::{Column, Columns},
    tensor::Datatype,
};
use serde_json::{Map, Value, json};

const FORMS: [&str; 4] = ["dataframe_split", "dataframe_records", "instances", "inputs"];

/// Most repetitions that every regular expression engine takes.
const REPEATED_MOST: usize = 1000;

const BODY: &str = "Body of `/invocations`: exactly one of the four fields. Fields beside them are ignored.";
const COLUMNS: &str = "The columns' names; they may be left out. Columns may come in another order with their data, \
    and beside others, which are ignored.";
const ROWS: &str = "A list for each row, with the values in the order of the columns.";
const INDEX: &str = "As many as there are rows; ignored.";
const RECORDS: &str = "Rows as records. Fields beside the columns are ignored. A column of floating point numbers may \
    be left out of some of them.";
const NAMED: &str = "Rows as lists in the model's order, rows as records, or a list of values for each column, \
    equally long.";
const TEXT: &str = "A header and a line for each row. As pandas writes it: columns in another order, others beside \
    them, quotes, and empty cells for missing floating point numbers are taken as well.";

/// Narrows the bodies, or takes the path away where rows of a table do not fit the model.
pub fn describe(parts: &mut Parts, model: &Model<'_>) {
    let columns = match model.served.columns().usable() {
        Ok(columns) => columns,
        Err(error) => {
            parts.remove_path(mlflow::PATH);
            parts.note(&format!(
                "`/invocations` is not for this model: {}.",
                error.message
            ));
            return;
        }
    };
    let most = model.limits.max_batch_rows;
    request(parts);
    for (_, datatype, _) in columns.inputs() {
        *parts.schema(&one(*datatype)) = values::cell(*datatype);
    }
    *parts.schema("ScoringSplit") = split(columns, most);
    *parts.schema("ScoringRecord") = record(columns);
    *parts.schema("ScoringRecords") = many(to("ScoringRecord"), 1, most);
    parts.schema("ScoringRecords")["description"] = RECORDS.into();
    *parts.schema("ScoringRows") = rows(columns, most);
    answers(parts, model);
    text(parts, columns, most);
    examples(parts, model, columns);
}

/// One of the forms, and none of the others beside it.
fn request(parts: &mut Parts) {
    let body = |form: &str| match form {
        "dataframe_split" => "ScoringSplit",
        "dataframe_records" => "ScoringRecords",
        _ => "ScoringRows",
    };
    let choice = |form: &&str| {
        let others = FORMS.iter().filter(|other| *other != form);
        let absent: Map<_, _> = others.map(|other| ((*other).to_owned(), json!(false))).collect();
        json!({"title": form, "required": [form], "properties": absent})
    };
    for form in FORMS {
        parts.narrow("ScoringRequest", form, to(body(form)));
    }
    parts.narrow(
        "ScoringRequest",
        "params",
        json!({"type": ["object", "null"], "maxProperties": 0}),
    );
    let schema = parts.schema("ScoringRequest");
    schema["description"] = BODY.into();
    schema["oneOf"] = FORMS.iter().map(choice).collect();
}

fn to(body: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{body}")})
}

/// The body that is one value of a datatype: a table may have thousands of columns.
fn one(datatype: Datatype) -> String {
    format!("Scoring{datatype}")
}

fn cell(columns: &Columns, column: &Column) -> Value {
    let datatype = columns.datatype(column);
    match column.width {
        1 => to(&one(datatype)),
        width => values::cells(datatype, to(&one(datatype)), width),
    }
}

fn list(columns: &Columns) -> Value {
    let cells: Vec<Value> = columns
        .list()
        .iter()
        .map(|column| cell(columns, column))
        .collect();
    match &cells[..] {
        [first, others @ ..] if others.iter().all(|other| other == first) => {
            many(first.clone(), cells.len(), cells.len())
        }
        _ => tuple(cells),
    }
}

fn names(columns: &Columns) -> Vec<&str> {
    columns.list().iter().map(|column| column.name.as_str()).collect()
}

fn record(columns: &Columns) -> Value {
    let cells = columns
        .list()
        .iter()
        .map(|column| (column.name.clone(), cell(columns, column)));
    json!({"type": "object", "required": names(columns), "properties": cells.collect::<Map<_, _>>()})
}

fn split(columns: &Columns, most: usize) -> Value {
    let count = columns.list().len();
    // Names of a model that names nothing count by their places, whatever they are.
    let header = match columns.named() {
        true => json!({"type": "array", "enum": [names(columns)]}),
        false => many(json!({"type": ["string", "number"]}), count, count),
    };
    let header = json!({"anyOf": [header, {"type": "null"}], "description": COLUMNS});
    let mut data = many(list(columns), 0, most);
    data["description"] = ROWS.into();
    json!({
        "type": "object",
        "description": "As `DataFrame.to_dict(orient=\"split\")` writes it.",
        "required": ["data"],
        "properties": {
            "columns": header,
            "data": data,
            "index": {"type": ["array", "null"], "description": INDEX},
        },
        "additionalProperties": false,
    })
}

fn rows(columns: &Columns, most: usize) -> Value {
    let mut choices = vec![many(list(columns), 1, most), many(to("ScoringRecord"), 1, most)];
    let lists = columns.list().iter().map(|column| {
        let cell = cell(columns, column);
        // A value alone is a column of one row.
        let values = match column.width {
            1 => json!({"anyOf": [many(cell.clone(), 0, most), cell]}),
            _ => many(cell, 0, most),
        };
        (column.name.clone(), values)
    });
    let lists: Map<_, _> = lists.collect();
    choices.push(json!({"type": "object", "required": names(columns), "properties": lists}));
    if let [column] = columns.list() {
        choices.push(many(cell(columns, column), 1, most));
    }
    json!({"description": NAMED, "anyOf": choices})
}

/// A class, a number or a record for each row.
fn answers(parts: &mut Parts, model: &Model<'_>) {
    let outputs = &model.served.signature().outputs;
    let outcome = Outcome::of(outputs);
    let of_row = match (outcome, outcome.places(outputs.len())) {
        (Outcome::All, _) => {
            let names: Vec<&str> = outputs.iter().map(|spec| spec.name.as_str()).collect();
            let fields = outputs.iter().map(|spec| (spec.name.clone(), answered(spec)));
            json!({"type": "object", "required": names, "properties": fields.collect::<Map<_, _>>()})
        }
        (_, places) => answered(&outputs[places.start]),
    };
    parts.narrow(
        "ScoringAnswer",
        "predictions",
        json!({"type": "array", "items": of_row}),
    );
}

/// A regular expression for text; lists do not fit into cells.
fn text(parts: &mut Parts, columns: &Columns, most: usize) {
    let content = &mut parts.paths[mlflow::PATH]["post"]["requestBody"]["content"];
    if columns.list().iter().any(|column| column.width != 1) {
        if let Value::Object(content) = content {
            content.remove("text/csv");
        }
        return;
    }
    let header: Vec<String> = columns.list().iter().map(|column| quoted(&column.name)).collect();
    let cells = columns
        .list()
        .iter()
        .map(|column| values::text_cell(columns.datatype(column)));
    let (header, cells) = (header.join(","), cells.collect::<Vec<_>>().join(","));
    let rows = match most {
        most if most <= REPEATED_MOST => format!("{{0,{most}}}"),
        _ => "*".to_owned(),
    };
    let pattern = format!("^{}\\n({cells}\\n){rows}$", escaped(&header));
    content["text/csv"] = json!({"schema": {"type": "string", "pattern": pattern, "description": TEXT}});
}

/// As a header of a text file has it.
fn quoted(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

/// As a regular expression that is met by this text alone.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, char| {
        if r"\^$.|?*+()[]{}/-".contains(char) {
            out.push('\\');
        }
        out.push(char);
        out
    })
}

fn examples(parts: &mut Parts, model: &Model<'_>, columns: &Columns) {
    let rows: Vec<Vec<Value>> = (0..2).map(|row| cells(model, columns, row)).collect();
    let names = names(columns);
    let of_first = |cell: fn(&Value) -> Value| -> Map<String, Value> {
        let named = names.iter().zip(&rows[0]);
        named
            .map(|(name, value)| ((*name).to_owned(), cell(value)))
            .collect()
    };
    let mut incomplete = of_first(Value::clone);
    if let Some(name) = names.last() {
        incomplete.remove(*name);
    }
    let score = |format| {
        move |body: &[u8]| {
            mlflow::score(model.served, usize::MAX, format, body, Traffic::Examples).map(|(json, _)| json)
        }
    };
    let operation = &mut parts.paths[mlflow::PATH]["post"];
    let requests = [
        (
            "dataframe_split",
            json!({"dataframe_split": {"columns": names, "data": rows}}),
        ),
        (
            "dataframe_records",
            json!({"dataframe_records": [of_first(Value::clone)]}),
        ),
        ("instances", json!({"instances": rows})),
        ("inputs", json!({"inputs": of_first(|value| json!([value]))})),
    ];
    let refused = json!({"dataframe_records": [incomplete]});
    model.examples(operation, mlflow::PATH, requests, &refused, score(Format::Json));
    let line = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let header: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let line: Vec<String> = rows[0].iter().map(line).collect();
    let text = format!("{}\n{}\n", header.join(","), line.join(","));
    let content = &mut operation["requestBody"]["content"];
    if content.get("text/csv").is_some() && score(Format::Csv)(text.as_bytes()).is_ok() {
        content["text/csv"]["example"] = text.into();
    }
}

/// A made-up row, column by column.
fn cells(model: &Model<'_>, columns: &Columns, row: usize) -> Vec<Value> {
    let inputs = &model.served.signature().inputs;
    let cell = |column: &Column| {
        let values = model.values(&inputs[column.input], row);
        match column.width {
            1 => values[column.offset].clone(),
            _ => values.into(),
        }
    };
    columns.list().iter().map(cell).collect()
}
