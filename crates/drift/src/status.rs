//! The answer of `GET /drift/status`.

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What the window says, in the source documents' shape and words.
///
/// While the window fills: `drift_detected` (false), `reason`, `samples`. Once it is full:
/// `drift_detected`, `threshold`, `samples`, `features`.
///
/// Statistics and p-values are given at full precision, although the source documents round them
/// to four digits: a reader must be able to reproduce them with SciPy to 1e-9, and a p-value of
/// 1e-12 must not read as the impossible 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftStatus {
    /// Whether any feature's p-value is below the threshold.
    pub drift_detected: bool,
    /// `Collecting samples (n/window)` until the window is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Significance level of each feature's test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Rows in the window.
    pub samples: usize,
    /// One for each feature in order, written as `{"feature_0": …, "feature_1": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "numbered")]
    pub features: Option<Vec<FeatureDrift>>,
}

/// The test of one feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeatureDrift {
    /// Column name in the training data.
    pub name: String,
    /// KS statistic, 0 to 1.
    pub ks_stat: f64,
    /// Two-sided p-value, exact up to 10,000 rows a side.
    pub p_value: f64,
    /// Whether the p-value is below the threshold.
    pub drift: bool,
    /// Value at which the two distributions are furthest apart.
    pub location: f64,
    /// +1 where the window's values are larger than the reference's around there, else -1.
    pub sign: i8,
}

/// Maps position `i` to the key `feature_i`, in order (a sorted map would put 10 before 2).
mod numbered {
    use super::*;

    pub fn serialize<S: Serializer>(features: &Option<Vec<FeatureDrift>>, s: S) -> Result<S::Ok, S::Error> {
        let features = features.as_deref().unwrap_or_default();
        let mut map = s.serialize_map(Some(features.len()))?;
        for (index, feature) in features.iter().enumerate() {
            map.serialize_entry(&format!("feature_{index}"), feature)?;
        }
        map.end()
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Vec<FeatureDrift>>, D::Error> {
        struct Numbered;
        impl<'de> Visitor<'de> for Numbered {
            type Value = Vec<FeatureDrift>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with the keys feature_0, feature_1, …")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, feature)) = map.next_entry::<String, FeatureDrift>()? {
                    let number = key.strip_prefix("feature_").and_then(|n| n.parse::<usize>().ok());
                    let number =
                        number.ok_or_else(|| A::Error::custom(format!("key {key:?} is not feature_<n>")))?;
                    entries.push((number, feature));
                }
                entries.sort_by_key(|(number, _)| *number);
                if entries
                    .iter()
                    .enumerate()
                    .any(|(index, (number, _))| index != *number)
                {
                    return Err(A::Error::custom(
                        "the keys feature_<n> do not count from 0 without a gap",
                    ));
                }
                Ok(entries.into_iter().map(|(_, feature)| feature).collect())
            }
        }
        d.deserialize_map(Numbered).map(Some)
    }
}
