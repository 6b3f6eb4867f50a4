//! A column of numbers.

use super::{CompareError, Feature, Sides, State, Tested, words};
use crate::cvm::{CvmResult, cramer_von_mises};
use crate::ecdf::{Ecdf, SampleError};
use crate::explain;
use crate::ks::{KsError, KsResult, MAX_AUTO_SIZE, Method, compare_sorted};
use crate::rates::{Rate, out_of_range_p};
use crate::{categories, distances};
use serde::Serialize;

/// Statistics of a column of numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NumberStatistics {
    /// The two-sided Kolmogorov–Smirnov test.
    pub ks: KsResult,
    /// The Cramér–von Mises test; `None` where a side has one value only.
    pub cramer_von_mises: Option<CvmResult>,
    /// Wasserstein-1 distance, in the column's unit.
    pub wasserstein: f64,
    /// [`categories::jensen_shannon`] over tenths of the reference's rows.
    pub jensen_shannon: f64,
    /// [`categories::psi`] over the same.
    pub psi: f64,
    /// Current values, infinite ones too, beyond the reference's range.
    pub outside: Rate,
    /// Current values that are infinite: counted as outside, in no other statistic.
    pub infinite: u64,
    /// Of both sides.
    pub summary: Sides<Summary>,
    /// Both samples, for pictures.
    #[serde(skip)]
    pub samples: Sides<Ecdf>,
}

/// A sample in some numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Finite values.
    pub values: u64,
    /// The smallest one.
    pub min: f64,
    /// A quarter is not above it.
    pub lower_quartile: f64,
    /// Half is not above it.
    pub median: f64,
    /// Their sum over their number.
    pub mean: f64,
    /// Three quarters are not above it.
    pub upper_quartile: f64,
    /// The largest one.
    pub max: f64,
}

impl Summary {
    fn of(sample: &Ecdf) -> Self {
        let values = sample.values();
        let count = sample.count() as f64;
        let (mut mean, mut before) = (0.0, 0);
        for (&value, &upto) in values.iter().zip(sample.cumulative()) {
            // Divided before it is added: a sum of large values would not be finite.
            mean += value * ((upto - before) as f64 / count);
            before = upto;
        }
        let quantile = |share| explain::quantile(sample, share);
        Self {
            values: sample.count(),
            min: values[0],
            lower_quartile: quantile(0.25),
            median: quantile(0.5),
            mean,
            upper_quartile: quantile(0.75),
            max: values[values.len() - 1],
        }
    }
}

pub(super) fn compare(
    feature: &mut Feature,
    reference: &[f64],
    current: &[f64],
    method: Method,
) -> Result<(), CompareError> {
    let infinite = |values: &[f64]| values.iter().position(|x| x.is_infinite());
    if let Some(index) = infinite(reference) {
        let value = reference[index];
        return Err(CompareError::Numbers {
            name: feature.name.clone(),
            source: KsError::Reference(SampleError::NotFinite { index, value }),
        });
    }
    let finite = |values: &[f64]| -> Vec<f64> { values.iter().copied().filter(|x| x.is_finite()).collect() };
    let samples = (Ecdf::new(&finite(reference)), Ecdf::new(&finite(current)));
    let infinite = current.iter().filter(|x| x.is_infinite()).count() as u64;
    let (Ok(before), Ok(now)) = samples else {
        if feature.state == State::Compared {
            // All that is there is infinite.
            feature.state = State::NoValues;
        }
        return Ok(());
    };
    let (_, ks) = compare_sorted(&before, &now, method);
    let ends = distances::quantile_bins(&before, 10);
    let bins = Sides::new(&before, &now).map(|sample| distances::binned(sample, &ends));
    let (low, high) = (before.values()[0], before.values()[before.values().len() - 1]);
    let below = now.values().partition_point(|&x| x < low);
    let above = now.values().partition_point(|&x| x <= high);
    let upto = |place: usize| {
        if place == 0 {
            0
        } else {
            now.cumulative()[place - 1]
        }
    };
    let outside = Rate {
        events: upto(below) + (now.count() - upto(above)) + infinite,
        of: now.count() + infinite,
    };
    let shape = explain::shape(&feature.name, &before, &now, ks.location, "the reference");
    feature.tested(Tested::Distribution, ks.statistic, ks.p_value, shape);
    let share = outside.share().unwrap_or(0.0);
    let p_value = out_of_range_p(outside.events, before.count(), outside.of);
    let said = words::outside(&feature.name, [low, high], share, infinite);
    feature.tested(Tested::OutOfRange, share, p_value, said);
    if infinite > 0 {
        feature.notes.push(words::infinite(infinite));
    }
    if ks.method == Method::Asymp && before.count().max(now.count()) > MAX_AUTO_SIZE {
        feature.notes.push(words::limit_law());
    }
    if before.values().len() == 1 && now.values().len() == 1 {
        feature.notes.push("one value on each side".to_owned());
    }
    // Neither side is empty here.
    feature.numbers = Some(NumberStatistics {
        ks,
        cramer_von_mises: cramer_von_mises(&before, &now, Method::Auto),
        wasserstein: distances::wasserstein(&before, &now),
        jensen_shannon: categories::jensen_shannon(&bins.reference, &bins.current).unwrap_or_default(),
        psi: categories::psi(&bins.reference, &bins.current).unwrap_or_default(),
        outside,
        infinite,
        summary: Sides::new(&before, &now).map(Summary::of),
        samples: Sides::new(before, now),
    });
    Ok(())
}
