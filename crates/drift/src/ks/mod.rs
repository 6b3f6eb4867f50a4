//! The two-sample Kolmogorov–Smirnov test, two-sided, ties included.
//!
//! Conventions (statistic, location, sign, choice of method) are those of `scipy.stats.ks_2samp`
//! of SciPy 1.17, which the tests compare with; the algorithms are cited where they are.

mod asymptotic;
mod critical;
mod distance;
mod durbin;
mod exact;
mod one_sided;
mod pelz_good;
mod smirnov;

pub use critical::critical_distance;
pub use distance::Distance;
pub use exact::fraction;
pub use one_sided::{Alternative, one_sided};

use crate::ecdf::{Ecdf, SampleError};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Above this size of either sample `Method::Auto` is asymptotic, as in SciPy.
pub const MAX_AUTO_SIZE: u64 = 10_000;

/// How the p-value is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Exact up to [`MAX_AUTO_SIZE`] values a side, asymptotic above.
    #[default]
    Auto,
    /// By counting lattice paths.
    Exact,
    /// By the distribution of the one-sample statistic at the effective sample size.
    Asymp,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Auto => "auto",
            Method::Exact => "exact",
            Method::Asymp => "asymp",
        })
    }
}

/// A word that names no [`Method`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("method {0:?} is not one of exact, asymp, auto")]
pub struct MethodError(String);

impl FromStr for Method {
    type Err = MethodError;
    fn from_str(text: &str) -> Result<Self, MethodError> {
        match text {
            "auto" => Ok(Method::Auto),
            "exact" => Ok(Method::Exact),
            "asymp" => Ok(Method::Asymp),
            _ => Err(MethodError(text.to_owned())),
        }
    }
}

/// Outcome of one test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KsResult {
    /// Largest distance between the two distribution functions, 0 to 1.
    pub statistic: f64,
    /// Probability of at least this distance when both samples come from one distribution.
    pub p_value: f64,
    /// A value of the samples at which the distance is reached.
    pub location: f64,
    /// +1 where the reference's function lies above the current one's at `location`
    /// (the current values are larger there), -1 where it lies below.
    pub sign: i8,
    /// What was used in the end: `exact` or `asymp`.
    pub method: Method,
}

/// Why two samples were not compared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum KsError {
    /// The first sample is unusable.
    #[error("reference sample")]
    Reference(#[source] SampleError),
    /// The second sample is unusable.
    #[error("current sample")]
    Current(#[source] SampleError),
}

/// Compares two samples (any order, at least one finite value each).
///
/// ```
/// let result = drift::two_sample(&[1.0, 2.0, 3.0], &[4.0, 5.0], drift::Method::Auto)?;
/// assert_eq!((result.statistic, result.sign), (1.0, 1));
/// assert!((result.p_value - 0.2).abs() < 1e-15); // two of the ten orders are this extreme
/// # Ok::<(), drift::KsError>(())
/// ```
pub fn two_sample(reference: &[f64], current: &[f64], method: Method) -> Result<KsResult, KsError> {
    let reference = Ecdf::new(reference).map_err(KsError::Reference)?;
    let current = Ecdf::new(current).map_err(KsError::Current)?;
    Ok(compare_sorted(&reference, &current, method).1)
}

/// Compares two samples that are already sorted, for a reference that is used again and again.
/// Also gives the statistic's exact numerator, see [`Distance::numerator`].
pub fn compare_sorted(reference: &Ecdf, current: &Ecdf, method: Method) -> (u64, KsResult) {
    let distance = Distance::between(reference, current);
    let (size_a, size_b) = (reference.count(), current.count());
    let (p_value, used) = p_value(&distance, size_a, size_b, method);
    let statistic = match used {
        Method::Asymp => distance.statistic,
        // The nearest double of the exact fraction, as SciPy's exact method gives it.
        _ => exact::fraction(distance.numerator, size_a, size_b),
    };
    let Distance {
        numerator,
        location,
        sign,
        ..
    } = distance;
    (
        numerator,
        KsResult {
            statistic,
            p_value,
            location,
            sign,
            method: used,
        },
    )
}

/// The p-value that [`compare_sorted`] gives, from the statistic's exact numerator alone: for statistics
/// that were kept up to date in another way.
pub fn p_value_of(numerator: u64, size_a: u64, size_b: u64, method: Method) -> (f64, Method) {
    let distance = Distance {
        numerator,
        statistic: exact::fraction(numerator, size_a, size_b),
        location: 0.0,
        sign: 1,
    };
    p_value(&distance, size_a, size_b, method)
}

/// The p-value and the method used for it: exact where asked for and affordable, else asymptotic.
fn p_value(distance: &Distance, size_a: u64, size_b: u64, method: Method) -> (f64, Method) {
    let exact = match method {
        Method::Auto => size_a.max(size_b) <= MAX_AUTO_SIZE,
        // The asymptotic law of one value against one does not exist (SciPy answers NaN).
        Method::Asymp => size_a == 1 && size_b == 1,
        Method::Exact => exact::affordable(distance.numerator, size_a, size_b),
    };
    if exact {
        (exact::p_value(distance.numerator, size_a, size_b), Method::Exact)
    } else {
        (
            asymptotic::p_value(distance.statistic, size_a, size_b),
            Method::Asymp,
        )
    }
}
