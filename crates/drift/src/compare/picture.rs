//! What a column looks like on both sides: bins, and distribution functions thinned out.

use super::{Feature, Sides};
use crate::ecdf::Ecdf;
use crate::explain::quantile;

/// Columns with at most so many different values get a bar for each.
const VALUES_MAX: usize = 24;
/// Bars of the others.
const BINS: usize = 30;
/// Points of a distribution function that are drawn, of each side.
const POINTS: usize = 100;
/// Bars of categories.
const CATEGORIES: usize = 12;

/// One bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// Where it begins and ends; a single value begins where it ends.
    pub from: f64,
    /// See `from`.
    pub to: f64,
    /// Share of each side's values in it.
    pub shares: Sides<f64>,
}

/// A histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Bins {
    /// Ascending.
    pub bins: Vec<Bin>,
    /// Whether the first and last bins hold what lies beyond them, too.
    pub open: Sides<bool>,
}

/// Both distribution functions at one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The value.
    pub at: f64,
    /// Share of each side's values that are not above it.
    pub shares: Sides<f64>,
}

/// A column's picture.
#[derive(Clone, Debug, PartialEq)]
pub enum Picture {
    /// Of numbers.
    Numbers {
        /// A histogram.
        bins: Bins,
        /// Distribution functions, ascending, in the range of the bins.
        steps: Vec<Step>,
        /// Where they are furthest apart.
        gap: Step,
    },
    /// Of categories: name and both shares, in order of change; what is not listed is in `others`.
    Categories {
        /// The ones that changed most.
        bars: Vec<(String, Sides<f64>)>,
        /// How many others, and their shares together.
        others: Option<(u64, Sides<f64>)>,
    },
}

/// The picture of a column that was compared.
pub fn picture(feature: &Feature) -> Option<Picture> {
    if let Some(statistics) = &feature.numbers {
        let samples = statistics.samples.as_ref();
        let bins = bins(samples);
        let gap = step(samples, statistics.ks.location);
        return Some(Picture::Numbers {
            steps: steps(samples, &bins, gap.at),
            bins,
            gap,
        });
    }
    let statistics = feature.categories.as_ref()?;
    let totals = feature.missing.map(|rate| (rate.of - rate.events) as f64);
    let listed = statistics.categories.iter().take(CATEGORIES);
    let bars: Vec<(String, Sides<f64>)> = listed
        .map(|share| {
            let shares = Sides::new(
                share.reference as f64 / totals.reference,
                share.current as f64 / totals.current,
            );
            (share.value.clone(), shares)
        })
        .collect();
    let left = statistics.categories_total - bars.len() as u64;
    let rest = |side: fn(&Sides<f64>) -> f64| {
        (1.0 - bars.iter().map(|(_, shares)| side(shares)).sum::<f64>()).max(0.0)
    };
    let others = Sides::new(rest(|shares| shares.reference), rest(|shares| shares.current));
    Some(Picture::Categories {
        others: (left > 0).then_some((left, others)),
        bars,
    })
}

/// Share of values not above `x`.
fn share(sample: &Ecdf, x: f64) -> f64 {
    match sample.values().partition_point(|&value| value <= x) {
        0 => 0.0,
        place => sample.cumulative()[place - 1] as f64 / sample.count() as f64,
    }
}

fn step(samples: Sides<&Ecdf>, at: f64) -> Step {
    Step {
        at,
        shares: samples.map(|sample| share(sample, at)),
    }
}

fn bins(samples: Sides<&Ecdf>) -> Bins {
    let mut distinct: Vec<f64> = Vec::new();
    for sample in [samples.reference, samples.current] {
        distinct.extend(sample.values().iter().take(VALUES_MAX + 1));
    }
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    if distinct.len() <= VALUES_MAX {
        let mut before = samples.map(|_| 0.0);
        let bins = distinct.into_iter().map(|value| {
            let upto = samples.map(|sample| share(sample, value));
            let shares = Sides::new(upto.reference - before.reference, upto.current - before.current);
            before = upto;
            Bin {
                from: value,
                to: value,
                shares,
            }
        });
        return Bins {
            bins: bins.collect(),
            open: Sides::new(false, false),
        };
    }
    // A few values far out would squeeze all others into one bar: they go to the bars at the ends.
    let end = |of: f64, least: f64, pick: fn(f64, f64) -> f64| {
        let all = samples.map(|sample| quantile(sample, of));
        let inner = samples.map(|sample| quantile(sample, least));
        [
            pick(all.reference, all.current),
            pick(inner.reference, inner.current),
        ]
    };
    let ([lowest, low], [highest, high]) = (end(0.0, 0.005, f64::min), end(1.0, 0.995, f64::max));
    let width = high - low;
    let from = if low - lowest > 0.25 * width { low } else { lowest };
    let to = if highest - high > 0.25 * width {
        high
    } else {
        highest
    };
    let edge = |index: usize| {
        let part = index as f64 / BINS as f64;
        // Not `from + part · (to − from)`: the difference of large values may not be finite.
        from * (1.0 - part) + to * part
    };
    let mut before = samples.map(|_| 0.0);
    let bins = (0..BINS).map(|index| {
        let upto = if index + 1 == BINS {
            samples.map(|_| 1.0)
        } else {
            samples.map(|sample| share(sample, edge(index + 1)))
        };
        let shares = Sides::new(upto.reference - before.reference, upto.current - before.current);
        before = upto;
        Bin {
            from: edge(index),
            to: edge(index + 1),
            shares,
        }
    });
    Bins {
        bins: bins.collect(),
        open: Sides::new(from > lowest, to < highest),
    }
}

fn steps(samples: Sides<&Ecdf>, bins: &Bins, gap: f64) -> Vec<Step> {
    let (from, to) = match (bins.bins.first(), bins.bins.last()) {
        (Some(first), Some(last)) => (first.from, last.to),
        _ => return Vec::new(),
    };
    let mut places = vec![gap];
    for sample in [samples.reference, samples.current] {
        let points = POINTS.min(sample.values().len());
        places.extend((0..=points).map(|point| quantile(sample, point as f64 / points as f64)));
    }
    places.sort_by(f64::total_cmp);
    places.dedup();
    places.retain(|place| (from..=to).contains(place));
    places.into_iter().map(|at| step(samples, at)).collect()
}
