//! Distance and area between two distribution functions of which one changes a little at a time.
//!
//! The reference's function rises only at its values, so that the difference has its extremes at them
//! and just before them. Stretches of values remember how the difference goes within them; a row
//! changes one stretch for each feature, and only that one is walked again.

/// Values in a stretch: a little more than the stretches of 10,000 values take to be gone through.
const STRETCH: usize = 64;

/// The difference within a stretch, from where it begins there.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    /// From its beginning to its end.
    rise: i64,
    highest: i64,
    lowest: i64,
    width: f64,
    /// Signed area.
    area: f64,
}

/// What a walk over all values finds. Differences are times both sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Largest difference, reference above the window, and the index of the value where it is first reached.
    pub highest: (i64, usize),
    /// Smallest difference, 0 or less, likewise.
    pub lowest: (i64, usize),
    /// Area between both functions from the smallest reference value to the largest.
    pub area: f64,
}

/// Remembers stretches.
#[derive(Clone, Debug)]
pub struct Walk {
    stretches: Vec<Stretch>,
    stale: Vec<bool>,
    /// Values of the window for which the stretches hold.
    current: i64,
}

/// Both samples side by side.
#[derive(Clone, Copy)]
struct Pair<'a> {
    values: &'a [f64],
    /// Of the reference.
    cumulative: &'a [u32],
    /// Of the window: gap, value, gap, value, …
    counts: &'a [u32],
    reference: i64,
    current: i64,
}

impl Pair<'_> {
    /// For each value of a stretch: its index, the width since the value before, and the difference there,
    /// just before this value, and at it.
    fn steps(self, stretch: usize, start: i64) -> impl Iterator<Item = (usize, f64, [i64; 3])> {
        let from = stretch * STRETCH;
        let upto = (from + STRETCH).min(self.values.len());
        let (mut at_last, mut last, mut counted) = match from.checked_sub(1) {
            Some(index) => (start, self.values[index], self.cumulative[index]),
            None => (start, self.values[0], 0),
        };
        (from..upto).map(move |index| {
            let before = at_last - i64::from(self.counts[2 * index]) * self.reference;
            let step = i64::from(self.cumulative[index] - counted) * self.current;
            let here = before + step - i64::from(self.counts[2 * index + 1]) * self.reference;
            let found = (index, self.values[index] - last, [at_last, before, here]);
            (at_last, last, counted) = (here, self.values[index], self.cumulative[index]);
            found
        })
    }

    fn stretch(self, stretch: usize) -> Stretch {
        let mut found = Stretch::default();
        for (_, width, [at_last, before, here]) in self.steps(stretch, 0) {
            found.highest = found.highest.max(here);
            found.lowest = found.lowest.min(before).min(here);
            found.width += width;
            found.area += (at_last + before) as f64 * (width / 2.0);
            found.rise = here;
        }
        found
    }

    /// The first value of a stretch at which `wanted` is reached, there or just before it.
    fn first(self, stretch: usize, start: i64, wanted: i64) -> usize {
        let found = self
            .steps(stretch, start)
            .find(|(_, _, [_, before, here])| *here == wanted || *before == wanted);
        found.map_or(0, |(index, ..)| index)
    }
}

impl Walk {
    /// For a reference of so many distinct values.
    pub fn new(values: usize) -> Self {
        let count = values.div_ceil(STRETCH);
        Self {
            stretches: vec![Stretch::default(); count],
            stale: vec![true; count],
            current: 0,
        }
    }

    /// The count at value `index`, or in the gap before it, has changed.
    pub fn changed(&mut self, index: usize) {
        // What lies above all values is in no stretch.
        if let Some(stale) = self.stale.get_mut(index / STRETCH) {
            *stale = true;
        }
    }

    /// Brings everything up to date; at least one value on both sides.
    pub fn refresh(&mut self, values: &[f64], cumulative: &[u32], counts: &[u32], current: i64) -> Found {
        let pair = Pair {
            values,
            cumulative,
            counts,
            reference: i64::from(cumulative[cumulative.len() - 1]),
            current,
        };
        let all = self.current != current;
        self.current = current;
        let mut area = 0.0;
        let mut start = 0;
        // Height, stretch and where that begins.
        let (mut highest, mut lowest) = ((0, 0, 0), (0, 0, 0));
        for (index, (stretch, stale)) in self.stretches.iter_mut().zip(&mut self.stale).enumerate() {
            if all || *stale {
                *stretch = pair.stretch(index);
                *stale = false;
            }
            if start + stretch.highest > highest.0 {
                highest = (start + stretch.highest, index, start);
            }
            if start + stretch.lowest < lowest.0 {
                lowest = (start + stretch.lowest, index, start);
            }
            area += if start + stretch.lowest >= 0 || start + stretch.highest <= 0 {
                (start as f64 * stretch.width + stretch.area).abs()
            } else {
                // The functions cross in here.
                let part = |(_, width, [at_last, before, _]): (usize, f64, [i64; 3])| {
                    (at_last.abs() + before.abs()) as f64 * (width / 2.0)
                };
                pair.steps(index, start).map(part).sum()
            };
            start += stretch.rise;
        }
        let locate = |(height, stretch, start): (i64, usize, i64)| match height {
            0 => (0, 0),
            _ => (height, pair.first(stretch, start, height)),
        };
        Found {
            highest: locate(highest),
            lowest: locate(lowest),
            area,
        }
    }
}
