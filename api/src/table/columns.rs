//! The inputs of a model as columns with names.

use crate::{
    error::{ApiError, Code},
    served::Signature,
    tensor::Datatype,
};
use std::collections::HashMap;

/// Most names listed in a message.
const LISTED_NAMES: usize = 20;

/// Where the values of one column go: `width` elements of a row of an input, from `offset` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// As rows name it.
    pub name: String,
    /// Place among the model's inputs.
    pub input: usize,
    /// First element within the input's row.
    pub offset: usize,
    /// Elements; more than one come as a list in each row.
    pub width: usize,
}

/// What a table must have for a model: a column for each feature where the model has one input, a
/// column for each input where it has several.
#[derive(Clone, Debug)]
pub struct Columns {
    inputs: Vec<(String, Datatype, usize)>,
    list: Vec<Column>,
    /// A lone input by its own name, with a list in each row; comes after those of `list`.
    whole: Option<Column>,
    places: HashMap<String, usize>,
    /// Whether the names mean something; a plain graph does not name the features of its one input.
    named: bool,
    /// Why the model takes no tables.
    refusal: Option<String>,
}

impl Columns {
    /// Of a model. `features`: names of the features of its only input, where they are known.
    pub fn new(signature: &Signature, features: Option<&[String]>) -> Self {
        let refusal = signature
            .inputs
            .iter()
            .find(|spec| !matches!(spec.shape.len(), 1 | 2))
            .map(|spec| {
                format!(
                    "input {:?} of this model has {} dimensions, so rows of a table do not fit it; see /v2",
                    spec.name,
                    spec.shape.len()
                )
            });
        // Without the first, which counts the rows.
        let width = |shape: &[Option<usize>]| shape.iter().skip(1).flatten().product();
        let inputs: Vec<_> = signature
            .inputs
            .iter()
            .map(|spec| (spec.name.clone(), spec.datatype, width(&spec.shape)))
            .collect();
        // What a graph calls its only input says nothing about the columns of a table.
        let mut named = inputs.len() > 1 || features.is_some();
        let (list, whole) = match &inputs[..] {
            [(name, _, width)] if *width > 1 => {
                let features: Option<&[String]> = features.filter(|features| features.len() == *width);
                named = features.is_some();
                let feature = |offset: usize| Column {
                    name: features.map_or_else(
                        || format!("feature_{offset}"),
                        |names: &[String]| names[offset].clone(),
                    ),
                    input: 0,
                    offset,
                    width: 1,
                };
                let whole = Column {
                    name: name.clone(),
                    input: 0,
                    offset: 0,
                    width: *width,
                };
                ((0..*width).map(feature).collect(), Some(whole))
            }
            inputs => {
                let column = |(input, (name, _, width)): (usize, &(String, Datatype, usize))| Column {
                    name: match features {
                        Some([feature]) if inputs.len() == 1 => feature.clone(),
                        _ => name.clone(),
                    },
                    input,
                    offset: 0,
                    width: *width,
                };
                (inputs.iter().enumerate().map(column).collect::<Vec<_>>(), None)
            }
        };
        let mut places = HashMap::new();
        // A feature's name comes before the input's: entries that are there already stay.
        for (place, column) in list.iter().chain(&whole).enumerate() {
            places.entry(column.name.clone()).or_insert(place);
        }
        if let [(name, _, _)] = &inputs[..] {
            places
                .entry(name.clone())
                .or_insert(list.len() - usize::from(whole.is_none()));
        }
        Columns {
            inputs,
            list,
            whole,
            places,
            named,
            refusal,
        }
    }

    /// The same, where the model takes rows of a table.
    ///
    /// # Errors
    /// `unsupported_model` for an input of more dimensions than rows and columns.
    pub fn usable(&self) -> Result<&Self, ApiError> {
        match &self.refusal {
            None => Ok(self),
            Some(refusal) => Err(ApiError::new(Code::UnsupportedModel, refusal.clone())),
        }
    }

    /// The columns that make a whole row, in the model's order.
    pub fn list(&self) -> &[Column] {
        &self.list
    }

    /// Whether columns have names of their own.
    pub fn named(&self) -> bool {
        self.named
    }

    /// One of [`Columns::list`], or the lone input itself.
    ///
    /// # Panics
    /// When `place` did not come from here.
    pub fn get(&self, place: usize) -> &Column {
        match self.list.get(place) {
            Some(column) => column,
            None => self.whole.as_ref().expect("places are made here alone"),
        }
    }

    /// Places that there are, the lone input's own included.
    pub fn places(&self) -> usize {
        self.list.len() + usize::from(self.whole.is_some())
    }

    /// A column by name; it is looked for at `hint` first, since most tables keep the order.
    pub fn find(&self, name: &str, hint: usize) -> Option<usize> {
        match self.list.get(hint) {
            Some(column) if column.name == name => Some(hint),
            _ => self.places.get(name).copied(),
        }
    }

    /// Name, datatype and width of each input.
    pub fn inputs(&self) -> &[(String, Datatype, usize)] {
        &self.inputs
    }

    /// What a column holds.
    pub fn datatype(&self, column: &Column) -> Datatype {
        self.inputs[column.input].1
    }

    /// A table's columns by its header: where each goes, `None` for those that the model does not
    /// take. Names of a model that names nothing are not held against it: they count by position.
    ///
    /// # Errors
    /// `missing_tensor` with the names that are not there, `duplicate_tensor`.
    pub fn header<'n>(
        &self,
        names: impl ExactSizeIterator<Item = &'n str>,
    ) -> Result<Vec<Option<usize>>, ApiError> {
        let mut seen = vec![false; self.places()];
        let mut extra: Vec<&str> = Vec::new();
        let mut places = Vec::with_capacity(names.len());
        for (hint, name) in names.enumerate() {
            let place = self.find(name, hint);
            match place {
                Some(place) if std::mem::replace(&mut seen[place], true) => {
                    return Err(ApiError::new(
                        Code::DuplicateTensor,
                        format!("column {name:?} is there twice"),
                    ));
                }
                Some(_) => {}
                None => extra.push(name),
            }
            places.push(place);
        }
        if !self.named && extra.len() == places.len() && places.len() == self.list.len() {
            return Ok((0..places.len()).map(Some).collect());
        }
        self.complete(&seen, &extra)?;
        Ok(places)
    }

    /// Whether places that were given make a whole row.
    ///
    /// # Errors
    /// `missing_tensor` with the names that are not there and `extra`, those that were not known.
    pub fn complete(&self, seen: &[bool], extra: &[&str]) -> Result<(), ApiError> {
        let (list, whole) = seen.split_at(self.list.len());
        if list.iter().all(|seen| *seen) || whole == [true] {
            return match list.contains(&true) && whole == [true] {
                false => Ok(()),
                true => {
                    let message = format!(
                        "column {:?} holds all columns, and some of them are given beside it",
                        self.get(list.len()).name
                    );
                    Err(ApiError::new(Code::DuplicateTensor, message))
                }
            };
        }
        let missing = self.list.iter().zip(list).filter(|(_, seen)| !**seen);
        let missing: Vec<&str> = missing.map(|(column, _)| column.name.as_str()).collect();
        // MLflow's words, since people search for them.
        let mut message = format!("Model is missing inputs [{}].", listed(&missing));
        if !extra.is_empty() {
            message += &format!(" Note that there were extra inputs: [{}].", listed(extra));
        }
        Err(ApiError::new(Code::MissingTensor, message))
    }
}

/// Names in quotes as Python has them, the first few of them.
fn listed(names: &[&str]) -> String {
    let short = |name: &&str| name.escape_debug().take(64).collect::<String>();
    let shown = names
        .iter()
        .take(LISTED_NAMES)
        .map(|name| format!("'{}'", short(name)));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if names.len() > LISTED_NAMES {
        text += &format!(" and {} more", names.len() - LISTED_NAMES);
    }
    text
}

/// A client's text, escaped and cut.
pub fn quoted(text: &str) -> String {
    crate::predict::fault::quoted(text)
}
