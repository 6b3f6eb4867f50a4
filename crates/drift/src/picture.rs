//! Two samples as a picture: few points of their distribution functions, and bins.

use crate::ecdf::Ecdf;

/// Most bins between the open ends.
pub const BINS: usize = 20;

/// A place of a distribution function: it is right-continuous, and constant up to the next place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// A value.
    pub value: f64,
    /// Share of the sample that is not above it.
    pub share: f64,
}

/// Two samples in the same bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Ascending edges of the bins, one more than there are bins. A bin begins with its lower edge; the last one
    /// ends with its upper edge, the others before it.
    pub edges: Vec<f64>,
    /// Values of the first sample in each bin.
    pub reference: Vec<u64>,
    /// Of the second.
    pub window: Vec<u64>,
    /// Values of each below all edges.
    pub below: [u64; 2],
    /// And above.
    pub above: [u64; 2],
}

/// Values up to `x`.
fn upto(ecdf: &Ecdf, x: f64) -> u64 {
    match ecdf.values().partition_point(|&value| value <= x) {
        0 => 0,
        place => ecdf.cumulative()[place - 1],
    }
}

/// Values below `x`.
fn under(ecdf: &Ecdf, x: f64) -> u64 {
    match ecdf.values().partition_point(|&value| value < x) {
        0 => 0,
        place => ecdf.cumulative()[place - 1],
    }
}

/// At most `most` (3 or more) places of a distribution function, among them its first, its last and the one
/// at `exact`, where it need not step. Each is exact; a function drawn through them is nowhere below the
/// true one by more than `1/(most − 2)`, and nowhere above it.
pub fn steps(ecdf: &Ecdf, exact: Option<f64>, most: usize) -> Vec<Step> {
    let (values, cumulative, count) = (ecdf.values(), ecdf.cumulative(), ecdf.count());
    let step = |value: f64, upto: u64| Step {
        value,
        share: upto as f64 / count as f64,
    };
    let room = most.max(3) - 2;
    let mut places: Vec<usize> = if values.len() <= room {
        (0..values.len()).collect()
    } else {
        // Quantiles: where the function is steep there are more of them.
        let quantile = |k: usize| {
            let wanted = (k as u64 * count).div_ceil(room as u64);
            cumulative.partition_point(|&upto| upto < wanted)
        };
        std::iter::once(0).chain((1..=room).map(quantile)).collect()
    };
    places.dedup();
    let mut steps: Vec<Step> = places
        .into_iter()
        .map(|place| step(values[place], cumulative[place]))
        .collect();
    if let Some(value) = exact {
        let at = steps.partition_point(|step| step.value < value);
        if steps.get(at).is_none_or(|step| step.value != value) {
            steps.insert(at, step(value, upto(ecdf, value)));
        }
    }
    steps
}

/// Both samples in bins of one width: over all values, or where those reach further than a range of the reference
/// beyond it, so far; the rest is in the open ends. Whole numbers get bins around whole numbers.
pub fn histogram(reference: &Ecdf, window: Option<&Ecdf>) -> Histogram {
    let edges = edges(reference, window);
    let (low, high) = (edges[0], edges[edges.len() - 1]);
    let counts = |ecdf: &Ecdf| -> Vec<u64> {
        let last = edges.len() - 2;
        (0..=last)
            .map(|bin| match bin == last {
                true => upto(ecdf, high) - under(ecdf, edges[bin]),
                false => under(ecdf, edges[bin + 1]) - under(ecdf, edges[bin]),
            })
            .collect()
    };
    let both = |of: &dyn Fn(&Ecdf) -> u64| [of(reference), window.map_or(0, of)];
    Histogram {
        reference: counts(reference),
        window: window.map_or_else(|| vec![0; edges.len() - 1], counts),
        below: both(&|ecdf| under(ecdf, low)),
        above: both(&|ecdf| ecdf.count() - upto(ecdf, high)),
        edges,
    }
}

fn ends(ecdf: &Ecdf) -> [f64; 2] {
    let values = ecdf.values();
    [values[0], values[values.len() - 1]]
}

fn edges(reference: &Ecdf, window: Option<&Ecdf>) -> Vec<f64> {
    let [low, high] = ends(reference);
    let range = match high - low {
        range if range > 0.0 && range.is_finite() => range,
        _ => 1.0,
    };
    let [least, most] = window.map_or([low, high], ends);
    let from = least.min(low).max(low - range);
    let to = most.max(high).min(high + range);
    let values = || {
        reference
            .values()
            .iter()
            .chain(window.into_iter().flat_map(Ecdf::values))
    };
    let whole = values().all(|x| x.fract() == 0.0 && x.abs() < 2_f64.powi(52));
    let mut edges: Vec<f64> = if whole {
        let (from, to) = (from.floor(), to.ceil());
        let width = ((to - from + 1.0) / BINS as f64).ceil();
        let bins = ((to - from + 1.0) / width).ceil() as usize;
        (0..=bins).map(|bin| from - 0.5 + width * bin as f64).collect()
    } else if from < to {
        // Weights and not a width: the difference of two doubles may be infinite.
        let at = |bin: usize| {
            let share = bin as f64 / BINS as f64;
            from * (1.0 - share) + to * share
        };
        let inner = (1..BINS).map(at).filter(|edge| *edge > from && *edge < to);
        std::iter::once(from).chain(inner).chain([to]).collect()
    } else {
        vec![from - 0.5, from + 0.5]
    };
    edges.dedup();
    if edges.len() == 1 {
        // So large that half a unit more is the same number.
        edges.push(edges[0]);
    }
    edges
}
