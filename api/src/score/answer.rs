//! Output tensors to the columns of the answer.

use super::{
    ScoreError,
    source::{Block, Named, Values},
};
use crate::{
    outcome::Outcome,
    served::Served,
    tensor::{Data, Datatype, Tensor},
};
use contract::manifest::Task;

/// Which columns an answer has: copied ones, `prediction`, `class_name` where the manifest names
/// classes, `probability_<class>` or the scores' own name, and the outputs' names where a model has
/// no one prediction.
#[derive(Debug)]
pub(super) struct Answer {
    columns: Vec<Named>,
    outcome: Outcome,
    /// Of a model whose labels are places among these.
    class_names: Option<Vec<String>>,
    /// Columns of each output.
    widths: Vec<usize>,
    /// Names of the outputs asked for.
    wanted: Vec<String>,
}

impl Answer {
    pub(super) fn of(served: &Served, kept: &[Named]) -> Result<Self, ScoreError> {
        let outputs = &served.signature().outputs;
        let outcome = Outcome::of(outputs);
        let info = served.info();
        let plain = info
            .classes
            .iter()
            .enumerate()
            .all(|(index, class)| *class == index.to_string());
        let is_ours = info.digests.manifest.is_some() && info.task == Task::Classification;
        let class_names = (is_ours && !plain).then(|| info.classes.clone());
        let mut columns = kept.to_vec();
        let mut column = |name: String, datatype| columns.push(Named { name, datatype });
        let numbered = |name: &str, width: usize| match width {
            1 => vec![name.to_owned()],
            width => (0..width).map(|index| format!("{name}_{index}")).collect(),
        };
        match outcome {
            Outcome::Label { label, scores } => {
                let (label, scores) = (&outputs[label], &outputs[scores]);
                numbered("prediction", label.columns())
                    .into_iter()
                    .for_each(|name| column(name, label.datatype));
                if class_names.is_some() {
                    column("class_name".to_owned(), Datatype::Bytes);
                }
                let classes = scores
                    .classes
                    .as_ref()
                    .filter(|classes| classes.len() == scores.columns());
                let names = match classes {
                    Some(classes) => classes
                        .iter()
                        .map(|class| format!("probability_{class}"))
                        .collect(),
                    None => numbered(&scores.name, scores.columns()),
                };
                names.into_iter().for_each(|name| column(name, scores.datatype));
            }
            Outcome::Values(place) if outputs[place].columns() == 1 => {
                column("prediction".to_owned(), outputs[place].datatype);
            }
            Outcome::Values(_) | Outcome::All => {
                for output in outputs {
                    numbered(&output.name, output.columns())
                        .into_iter()
                        .for_each(|name| column(name, output.datatype));
                }
            }
        }
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].iter().any(|other| other.name == column.name) {
                let message = format!(
                    "the answer would have two columns {:?}, one of them kept",
                    column.name
                );
                return Err(ScoreError::Usage(message));
            }
        }
        let wanted = match outcome {
            Outcome::Label { label, scores } => vec![label, scores],
            Outcome::Values(place) => vec![place],
            Outcome::All => (0..outputs.len()).collect(),
        };
        Ok(Answer {
            columns,
            outcome,
            class_names,
            widths: wanted.iter().map(|place| outputs[*place].columns()).collect(),
            wanted: wanted.iter().map(|place| outputs[*place].name.clone()).collect(),
        })
    }

    pub(super) fn columns(&self) -> &[Named] {
        &self.columns
    }

    pub(super) fn wanted(&self) -> Vec<&str> {
        self.wanted.iter().map(String::as_str).collect()
    }

    /// The values of a block. The error says what the model answered instead of a table.
    pub(super) fn values(&self, block: &mut Block, tensors: Vec<Tensor>) -> Result<Vec<Values>, String> {
        let mut values = std::mem::take(&mut block.kept);
        for (place, (tensor, width)) in tensors.into_iter().zip(&self.widths).enumerate() {
            if tensor.data.len() != block.rows * width {
                return Err(format!(
                    "the model's output {:?} has {} values for {} rows, which is no table",
                    tensor.name,
                    tensor.data.len(),
                    block.rows
                ));
            }
            let names = self
                .class_names
                .as_ref()
                .filter(|_| place == 0 && self.outcome != Outcome::All);
            let named = match (&tensor.data, names) {
                (Data::I64(labels), Some(names)) => {
                    let name = |label: &i64| usize::try_from(*label).ok().and_then(|label| names.get(label));
                    let names = labels.iter().map(|label| name(label).map_or("", String::as_str));
                    Some(Values::new(Data::Bytes(names.collect())))
                }
                _ => None,
            };
            match width {
                1 => values.push(Values::new(tensor.data)),
                width => values
                    .extend((0..*width).map(|column| Values::new(strided(&tensor.data, column, *width)))),
            }
            values.extend(named);
        }
        Ok(values)
    }
}

/// One column of a table.
fn strided(data: &Data, column: usize, width: usize) -> Data {
    fn pick<T: Copy>(values: &[T], column: usize, width: usize) -> Vec<T> {
        values.iter().skip(column).step_by(width).copied().collect()
    }
    match data {
        Data::Bool(values) => Data::Bool(pick(values, column, width)),
        Data::I64(values) => Data::I64(pick(values, column, width)),
        Data::F32(values) => Data::F32(pick(values, column, width)),
        Data::F64(values) => Data::F64(pick(values, column, width)),
        Data::Bytes(values) => Data::Bytes(values.iter().skip(column).step_by(width).collect()),
    }
}
