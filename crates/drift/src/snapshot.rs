//! The status of a window at one moment, computed away from the request path.

use crate::ecdf::Ecdf;
use crate::ks::{Method, compare_sorted};
use crate::reference::Reference;
use crate::status::{DriftStatus, FeatureDrift};
use std::sync::Arc;

/// A window at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) reference: Arc<Reference>,
    pub(crate) size: usize,
    pub(crate) threshold: f64,
    pub(crate) critical: Option<u64>,
    pub(crate) rows: Vec<f64>,
}

impl Snapshot {
    /// Tests every feature: microseconds for hundreds of rows, at most 0.1 s for each feature at
    /// 10,000 rows a side.
    pub fn status(&self) -> DriftStatus {
        let features = self.reference.features();
        let samples = self.rows.len() / features;
        if samples < self.size {
            return DriftStatus {
                drift_detected: false,
                reason: Some(format!("Collecting samples ({samples}/{})", self.size)),
                threshold: None,
                samples,
                features: None,
            };
        }
        let tests: Vec<FeatureDrift> = (0..features).map(|feature| self.test(feature)).collect();
        DriftStatus {
            drift_detected: tests.iter().any(|test| test.drift),
            reason: None,
            threshold: Some(self.threshold),
            samples,
            features: Some(tests),
        }
    }

    fn test(&self, feature: usize) -> FeatureDrift {
        let column: Vec<f64> = self
            .rows
            .iter()
            .skip(feature)
            .step_by(self.reference.features())
            .copied()
            .collect();
        let current = Ecdf::new(&column).expect("a full window holds finite values only");
        let (numerator, ks) = compare_sorted(&self.reference.columns()[feature], &current, Method::Auto);
        FeatureDrift {
            name: self.reference.names()[feature].clone(),
            ks_stat: ks.statistic,
            p_value: ks.p_value,
            drift: self.critical.is_some_and(|critical| numerator >= critical),
            location: ks.location,
            sign: ks.sign,
        }
    }
}
