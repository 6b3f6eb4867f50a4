//! Pictures of a column: both histograms, both distribution functions with the gap, bars of categories.

use crate::compare::text::{number, percent};
use drift::compare::{Bins, Feature, Picture, Sides, Step};
use maud::{Markup, html};
use std::fmt::Write;

/// The drawing, and the space around what is drawn for the words.
const SIZE: [f64; 2] = [420.0, 220.0];
const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 28.0;

pub fn legend() -> Markup {
    html! {
        p.legend {
            span.key.reference {} " " span { "reference" }
            " " span.key.current {} " " span { "current" }
            " " span.key.gap {} " " span { "Kolmogorov–Smirnov gap" }
        }
    }
}

pub fn picture(feature: &Feature, picture: &Picture) -> Markup {
    match picture {
        Picture::Numbers { bins, steps, gap } => html! {
            div.charts { (histogram(feature, bins)) (functions(feature, bins, steps, gap)) }
        },
        Picture::Categories { bars, others } => categories(bars, others.as_ref()),
    }
}

/// From values to places in the drawing.
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn of(bins: &Bins) -> Self {
        let (from, to) = match (bins.bins.first(), bins.bins.last()) {
            (Some(first), Some(last)) => (first.from, last.to),
            _ => (0.0, 1.0),
        };
        Self { from, to }
    }

    fn x(&self, value: f64) -> f64 {
        // Halves, since the difference of large values may not be finite.
        let width = self.to / 2.0 - self.from / 2.0;
        let part = if width > 0.0 {
            (value / 2.0 - self.from / 2.0) / width
        } else {
            0.5
        };
        LEFT + part.clamp(0.0, 1.0) * (SIZE[0] - LEFT - RIGHT)
    }
}

fn y(share: f64, most: f64) -> f64 {
    TOP + (1.0 - share / most) * (SIZE[1] - TOP - BOTTOM)
}

fn axes(labels: &[(f64, String)], most: f64) -> Markup {
    let (bottom, right) = (SIZE[1] - BOTTOM, SIZE[0] - RIGHT);
    html! {
        @for share in [0.0, most / 2.0, most] {
            line.grid x1=(LEFT) x2=(right) y1=(fixed(y(share, most))) y2=(fixed(y(share, most))) {}
            text.tick x=(LEFT - 6.0) y=(fixed(y(share, most) + 4.0)) text-anchor="end" { (percent(Some(share)).replace(' ', "")) }
        }
        @for (place, (x, label)) in labels.iter().enumerate() {
            text.tick x=(fixed(*x)) y=(bottom + 18.0)
                text-anchor=(if labels.len() == 1 { "middle" } else if place == 0 { "start" } else if place + 1 == labels.len() { "end" } else { "middle" }) {
                (label)
            }
        }
    }
}

fn fixed(value: f64) -> String {
    format!("{value:.1}")
}

fn histogram(feature: &Feature, bins: &Bins) -> Markup {
    let count = bins.bins.len() as f64;
    let width = (SIZE[0] - LEFT - RIGHT) / count;
    let each = bins
        .bins
        .iter()
        .flat_map(|bin| [bin.shares.reference, bin.shares.current]);
    let most = nice(each.fold(0.0, f64::max));
    let single = bins.bins.iter().all(|bin| bin.from == bin.to);
    let x = |index: usize| LEFT + width * index as f64;
    // Few single values stand apart; bins touch.
    let space = if single { 0.15 * width } else { 0.5 };
    let mut outline = format!("M{} {}", fixed(x(0)), fixed(y(0.0, most)));
    for (index, bin) in bins.bins.iter().enumerate() {
        let height = fixed(y(bin.shares.current, most));
        write!(outline, "V{height}H{}", fixed(x(index + 1))).expect("a String");
    }
    write!(outline, "V{}", fixed(y(0.0, most))).expect("a String");
    let label = |index: usize, open: bool, sign: &str, value: f64| {
        let sign = if open { sign } else { "" };
        let middle = if single { x(index) + width / 2.0 } else { x(index) };
        (middle, format!("{sign}{}", number(value)))
    };
    let mut labels = Vec::new();
    if let (Some(first), Some(last)) = (bins.bins.first(), bins.bins.last()) {
        labels.push(label(0, bins.open.reference, "≤ ", first.from));
        if bins.bins.len() > 1 {
            let end = bins.bins.len() - usize::from(single);
            labels.push(label(end, bins.open.current, "≥ ", last.to));
        }
    }
    html! {
        figure {
            svg viewBox={ "0 0 " (SIZE[0]) " " (SIZE[1]) } role="img"
                aria-label={ "Histogram of " (feature.name) ": shares of values in " (bins.bins.len()) " bars, reference filled, current outlined" } {
                (axes(&labels, most))
                @for (index, bin) in bins.bins.iter().enumerate() {
                    rect.reference x=(fixed(x(index) + space)) width=(fixed((width - 2.0 * space).max(0.5)))
                        y=(fixed(y(bin.shares.reference, most))) height=(fixed(y(0.0, most) - y(bin.shares.reference, most))) {
                        title { (range(bin.from, bin.to)) ": " (percent(Some(bin.shares.reference))) ", now " (percent(Some(bin.shares.current))) }
                    }
                }
                path.current d=(outline) {}
            }
            figcaption { "Share of values" @if !single { " in each of " (bins.bins.len()) " bins" } }
        }
    }
}

fn range(from: f64, to: f64) -> String {
    if from == to {
        return number(from);
    }
    format!("{} to {}", number(from), number(to))
}

/// A round number that is not below it.
fn nice(share: f64) -> f64 {
    let steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8];
    steps.into_iter().find(|&step| share <= step).unwrap_or(1.0)
}

fn functions(feature: &Feature, bins: &Bins, steps: &[Step], gap: &Step) -> Markup {
    let scale = Scale::of(bins);
    let path = |pick: fn(&Sides<f64>) -> f64| {
        let mut path = format!("M{} {}", fixed(LEFT), fixed(y(0.0, 1.0)));
        for step in steps {
            write!(
                path,
                "H{}V{}",
                fixed(scale.x(step.at)),
                fixed(y(pick(&step.shares), 1.0))
            )
            .expect("a String");
        }
        write!(path, "H{}", fixed(SIZE[0] - RIGHT)).expect("a String");
        path
    };
    let x = scale.x(gap.at);
    let (above, below) = (y(gap.shares.reference, 1.0), y(gap.shares.current, 1.0));
    let distance = (gap.shares.reference - gap.shares.current).abs();
    let words = format!("{} at {}", number(distance), number(gap.at));
    let right = x < SIZE[0] / 2.0;
    let mut labels = vec![(scale.x(scale.from), number(scale.from))];
    if scale.to > scale.from {
        labels.push((scale.x(scale.to), number(scale.to)));
    }
    html! {
        figure {
            svg viewBox={ "0 0 " (SIZE[0]) " " (SIZE[1]) } role="img"
                aria-label={
                    "Distribution functions of " (feature.name) ": furthest apart, by " (number(distance)) ", at " (number(gap.at))
                    ", where " (percent(Some(gap.shares.reference))) " of the reference and " (percent(Some(gap.shares.current)))
                    " of the current values are not above"
                } {
                (axes(&labels, 1.0))
                path.function.reference d=(path(|shares| shares.reference)) {}
                path.function.current d=(path(|shares| shares.current)) {}
                line.gap x1=(fixed(x)) x2=(fixed(x)) y1=(fixed(above)) y2=(fixed(below)) {}
                circle.gap cx=(fixed(x)) cy=(fixed(above)) r="3" {}
                circle.gap cx=(fixed(x)) cy=(fixed(below)) r="3" {}
                text.gap x=(fixed(if right { x + 8.0 } else { x - 8.0 })) y=(fixed((above + below) / 2.0 + 4.0))
                    text-anchor=(if right { "start" } else { "end" }) { (words) }
            }
            figcaption { "Share of values not above" }
        }
    }
}

fn categories(bars: &[(String, Sides<f64>)], others: Option<&(u64, Sides<f64>)>) -> Markup {
    let each = bars
        .iter()
        .map(|(_, shares)| shares)
        .chain(others.map(|(_, shares)| shares));
    let most = each.fold(0.0_f64, |most, shares| {
        most.max(shares.reference).max(shares.current)
    });
    let row = |name: Markup, shares: &Sides<f64>| {
        html! {
            tr {
                th scope="row" { (name) }
                @for (class, share) in [("reference", shares.reference), ("current", shares.current)] {
                    td {
                        span.bar.(class) style={ "width:" (fixed(100.0 * share / most.max(f64::MIN_POSITIVE))) "%" } {}
                        span.value { (percent(Some(share))) }
                    }
                }
            }
        }
    };
    html! {
        table.bars {
            caption { "Share of values" }
            thead { tr { th scope="col" { "Category" } th scope="col" { "Reference" } th scope="col" { "Current" } } }
            tbody {
                @for (name, shares) in bars {
                    (row(html! {
                        @if name.trim().is_empty() { "“" (name) "”" } @else { (name) }
                        @if shares.reference == 0.0 { " " span.badge { "new" } }
                        @if shares.current == 0.0 { " " span.badge { "gone" } }
                    }, shares))
                }
                @if let Some((count, shares)) = others {
                    (row(html! { span.quiet { (count) " others" } }, shares))
                }
            }
        }
    }
}
