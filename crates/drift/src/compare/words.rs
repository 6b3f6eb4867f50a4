//! What moved, for people.

use super::Share;
use crate::explain::short;
use crate::rates::Rate;

/// Longer names are cut.
const NAME_MAX: usize = 40;

/// A share as people say it.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", short(100.0 * share, 2))
}

/// A category as it may be shown: quoted, not longer than a line.
fn quoted(name: &str) -> String {
    match name.char_indices().nth(NAME_MAX) {
        Some((end, _)) => format!("{:?}", format!("{}…", &name[..end])),
        None => format!("{name:?}"),
    }
}

pub(super) fn missing(name: &str, was: f64, is: f64) -> String {
    format!(
        "{name} is missing in {} of rows, in {} of the reference's",
        percent(is),
        percent(was)
    )
}

pub(super) fn outside(name: &str, [low, high]: [f64; 2], share: f64, infinite: u64) -> String {
    let infinite = match infinite {
        0 => String::new(),
        count => format!(", {count} of them infinite"),
    };
    format!(
        "{name} lies outside of the reference's range ({} to {}) in {} of rows{infinite}",
        short(low, 4),
        short(high, 4),
        percent(share)
    )
}

/// `shares` by change, largest first.
pub(super) fn shares(name: &str, shares: &[Share], totals: [u64; 2]) -> String {
    let share = |share: &Share| {
        format!(
            "{} is {} of values, was {}",
            quoted(&share.value),
            percent(share.current as f64 / totals[1] as f64),
            percent(share.reference as f64 / totals[0] as f64)
        )
    };
    match shares {
        [first, second, _, ..] if second.change(totals).abs() >= 0.5 * first.change(totals).abs() => {
            format!("{name}: {}; {}", share(first), share(second))
        }
        [first, ..] => format!("{name}: {}", share(first)),
        [] => format!("{name} has no values"),
    }
}

/// `shares` by change, largest first: new ones by how often.
pub(super) fn new(shares: &[Share], new: Rate) -> String {
    const NAMED: usize = 3;
    let names: Vec<String> = shares
        .iter()
        .filter(|share| share.reference == 0)
        .map(|share| quoted(&share.value))
        .collect();
    let share = percent(new.share().unwrap_or(0.0));
    match names.len() {
        0 => "no new values".to_owned(),
        1 => format!("new value {} in {share} of values", names[0]),
        count if count <= NAMED => format!("new values {} in {share} of values", names.join(", ")),
        count => format!(
            "{count} new values ({}, …) in {share} of values",
            names[..NAMED].join(", ")
        ),
    }
}

pub(super) fn infinite(count: u64) -> String {
    format!("infinite values: {count}, counted as out of range, in no other statistic")
}

pub(super) fn limit_law() -> String {
    "more than 10000 values on a side: the p-value is that of a limit law".to_owned()
}

pub(super) fn identifiers(total: u64) -> String {
    format!(
        "{total} different values, more than half of all: names or identifiers have no distribution to compare"
    )
}

pub(super) fn small_counts(least: f64) -> String {
    format!(
        "an expected count of {} is below 5: chi-square and G are rough, Fisher's test is exact",
        short(least, 2)
    )
}
