//! Labels of one request, matched with what was answered, or refused by name.

use super::{Feedback, Item, Outcome, lock, pending::Kept};
use crate::{
    error::{ApiError, Code},
    monitor::{now_ms, now_us},
    predict::fault::quoted,
};
use drift::ledger::LabelError;

/// What became of the labels of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// In a word.
    pub outcome: Outcome,
    /// Rows that have a label now and had none.
    pub matched: usize,
    /// Labels that were known.
    pub duplicates: usize,
}

impl Feedback {
    /// Takes the labels of one request. Not for a thread that serves: fetching may take a millisecond.
    ///
    /// # Errors
    /// `unknown_request`, `ambiguous_request`, `label_conflict`, `label_count`, `unknown_label`, `overloaded`.
    pub fn label(&self, item: &Item) -> Result<Counted, ApiError> {
        let counted = self.labelled(item);
        let outcome = match &counted {
            Ok(counted) => {
                self.count(Outcome::Matched, counted.matched);
                self.count(Outcome::Duplicate, counted.duplicates);
                if counted.outcome != Outcome::Pending {
                    return Ok(*counted);
                }
                Outcome::Pending
            }
            Err(error) => match error.code {
                Code::UnknownRequest => Outcome::Unknown,
                Code::LabelConflict => Outcome::Conflict,
                Code::AmbiguousRequest => Outcome::Ambiguous,
                _ => Outcome::Refused,
            },
        };
        self.count(
            outcome,
            item.labels.iter().filter(|label| !label.is_null()).count(),
        );
        counted
    }

    fn labelled(&self, item: &Item) -> Result<Counted, ApiError> {
        let id = &item.request_id;
        let mut core = lock(&self.core);
        core.fetch(&self.answers);
        let request = self.request(id);
        if !core.knows(request) && !self.shared {
            return Err(unknown(id));
        }
        let read = item
            .labels
            .iter()
            .enumerate()
            .map(|(row, label)| match label.is_null() {
                true => Ok(None),
                false => self.labels.read(label, &item.place(row)).map(Some),
            });
        let labels: Vec<Option<f64>> = read.collect::<Result<_, _>>()?;
        match core.label(request, &labels, now_us()) {
            Ok(labelled) => Ok(Counted {
                outcome: match labelled.matched.is_empty() && labelled.duplicates > 0 {
                    true => Outcome::Duplicate,
                    false => Outcome::Matched,
                },
                matched: labelled.matched.len(),
                duplicates: labelled.duplicates,
            }),
            Err(LabelError::Unknown) => match core.pending.keep(id, labels, now_ms()) {
                Kept::Waits => Ok(Counted {
                    outcome: Outcome::Pending,
                    matched: 0,
                    duplicates: 0,
                }),
                Kept::Conflict => Err(ApiError::new(
                    Code::LabelConflict,
                    format!(
                        "request {} has other labels already, which wait for the replica that answered it",
                        quoted(id)
                    ),
                )),
                Kept::Full => Err(ApiError::new(
                    Code::Overloaded,
                    "too many labels wait for other replicas; try again",
                )),
            },
            Err(LabelError::Ambiguous) => Err(ApiError::new(
                Code::AmbiguousRequest,
                format!(
                    "several requests had the id {} and were answered differently, expected an x-request-id of its own for each request",
                    quoted(id)
                ),
            )),
            Err(LabelError::Rows { rows }) => {
                let rows = match rows {
                    1 => "1 row".to_owned(),
                    rows => format!("{rows} rows"),
                };
                let given = match item.single {
                    true => "label is one label".to_owned(),
                    false => format!("labels has {} labels", item.labels.len()),
                };
                Err(ApiError::new(
                    Code::LabelCount,
                    format!(
                        "{given}, request {} had {rows}: expected labels with one for each, null where it is not known yet",
                        quoted(id)
                    ),
                ))
            }
            Err(LabelError::Conflict { row, label }) => Err(ApiError::new(
                Code::LabelConflict,
                format!(
                    "{} is another label than {}, which the row has already and keeps",
                    item.place(row),
                    quoted(&self.labels.text(label))
                ),
            )),
        }
    }
}

fn unknown(id: &str) -> ApiError {
    let message = format!(
        "request {} is not known here: expected the x-request-id of an answer that is not forgotten yet (FEEDBACK_ROWS)",
        quoted(id)
    );
    ApiError::new(Code::UnknownRequest, message)
}
