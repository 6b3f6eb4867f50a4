//! Rows of a request, read into buffers that the next request uses again.

use crate::error::{ApiError, Code};
use std::cell::RefCell;

/// Buffers of one thread. Everything is row after row.
#[derive(Debug, Default)]
pub struct Rows {
    /// Values as sent, for the drift window.
    pub values: Vec<f64>,
    /// The same as the model takes them.
    pub inputs: Vec<f32>,
    /// Rows read.
    pub count: usize,
    /// Model output, `[count, outputs]`.
    pub scores: Vec<f32>,
    /// Class of each row.
    pub labels: Vec<i64>,
    /// What is wrong with the request; serde's errors carry text alone.
    pub(super) fault: Option<ApiError>,
    /// The value being read (instance, index): numbers that serde_json itself refuses need a name too.
    pub(super) at: (Option<usize>, usize),
}

/// Values that a thread may keep room for between requests: what a batch of some thousand needs
/// goes back to the allocator, so that memory is flat whatever was sent once.
const KEPT_VALUES: usize = 4096;

thread_local! {
    static ROWS: RefCell<Rows> = RefCell::default();
}

impl Rows {
    /// Lends this thread's buffers, emptied.
    pub fn with<T>(work: impl FnOnce(&mut Rows) -> T) -> T {
        ROWS.with_borrow_mut(|rows| {
            rows.clear();
            let result = work(rows);
            if rows.values.capacity() > KEPT_VALUES || rows.scores.capacity() > KEPT_VALUES {
                *rows = Rows::default();
            }
            result
        })
    }

    fn clear(&mut self) {
        self.values.clear();
        self.inputs.clear();
        self.scores.clear();
        self.labels.clear();
        self.count = 0;
        self.fault = None;
    }

    /// Notes what is wrong and makes serde stop.
    pub(super) fn refuse<E: serde::de::Error>(&mut self, code: Code, message: impl Into<String>) -> E {
        self.fault = Some(ApiError::new(code, message.into()));
        E::custom("see the noted fault")
    }
}
