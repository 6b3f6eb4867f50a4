//! The drift window behind a short lock.

use crate::config::DriftConfig;
use drift::{DriftStatus, Reference, Window};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The newest rows beside the reference.
///
/// One lock, held for a push and a comparison of integers (well below a microsecond for one row);
/// p-values are computed on a copy, so that `/drift/status` never holds up a prediction.
#[derive(Debug)]
pub struct DriftWatch {
    window: Mutex<Window>,
    features: usize,
}

impl DriftWatch {
    /// An empty window beside `reference`.
    pub fn new(reference: Arc<Reference>, config: &DriftConfig) -> Self {
        let features = reference.features();
        let window = Window::new(reference, config.window_size, config.threshold);
        let window = window.expect("the configuration admits only sizes and thresholds that a window takes");
        DriftWatch {
            window: Mutex::new(window),
            features,
        }
    }

    /// Records rows (row after row, finite, as wide as the reference) and says whether the window
    /// now differs from the reference.
    pub fn observe(&self, rows: &[f64]) -> bool {
        let mut window = self.lock();
        for row in rows.chunks_exact(self.features) {
            // Width and finiteness were checked when the request was read.
            let pushed = window.push(row);
            debug_assert!(pushed.is_ok(), "{pushed:?}");
        }
        window.flag()
    }

    /// Whether the window differs, and how many rows it holds of how many.
    pub fn flag(&self) -> (bool, usize, usize) {
        let window = self.lock();
        (window.flag(), window.len(), window.size())
    }

    /// The whole answer; may take a tenth of a second for each feature at 10,000 rows a side.
    pub fn status(&self) -> DriftStatus {
        let snapshot = self.lock().snapshot();
        snapshot.status()
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        // A panic inside a push would be a defect of ours; serving on is better than refusing all.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
