//! The report as one page: nothing is loaded, nothing runs, every text is escaped by the template.

mod chart;

use super::Report;
use super::text::{self, degree, number, p, percent, plural};
use drift::compare::{Feature, Movement, Summary, picture};
use drift::rule::Verdict;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// Columns with pictures, those that moved most: a page of ten thousand would not open.
const SHOWN_MAX: usize = 200;

pub fn page(report: &Report) -> String {
    let comparison = &report.comparison;
    let mut order: Vec<&Feature> = comparison.features.iter().collect();
    // Ties stay in the table's order.
    order.sort_by(|a, b| b.drift.cmp(&a.drift).then(b.effect.total_cmp(&a.effect)));
    let shown = &order[..order.len().min(SHOWN_MAX)];
    let anchor = |name: &str| {
        let place = shown.iter().position(|feature| feature.name == name);
        place.map(|place| format!("#column-{place}"))
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                title { "Drift: " (report.files.current) " beside " (report.files.reference) }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#columns" { "Skip to the columns" }
                (head(report))
                main {
                    @if !comparison.moved.is_empty() {
                        section aria-labelledby="moved" {
                            h2 #moved { "What moved most" }
                            ol.moved {
                                @for movement in &comparison.moved {
                                    (movement_item(movement, anchor(&movement.column)))
                                }
                            }
                        }
                    }
                    section aria-labelledby="columns" {
                        h2 #columns { (plural(order.len(), "column")) }
                        (table(&order, &anchor))
                    }
                    section aria-labelledby="details" {
                        h2 #details { "Each column" }
                        @if shown.len() < order.len() {
                            p { "The " (shown.len()) " that moved most; the numbers of all are above." }
                        }
                        (chart::legend())
                        @for (place, feature) in shown.iter().enumerate() {
                            (column(place, feature))
                        }
                    }
                    (about(report))
                }
            }
        }
    }
    .into_string()
}

fn head(report: &Report) -> Markup {
    let comparison = &report.comparison;
    let class = match comparison.verdict {
        Verdict::Drift => "verdict bad",
        Verdict::Quiet => "verdict good",
        Verdict::Collecting | Verdict::Nothing => "verdict",
    };
    let mut words = text::headline(report);
    words[..1].make_ascii_uppercase();
    html! {
        header {
            h1 { "Drift report" }
            p class=(class) { (words) }
            dl.files {
                div { dt { "Reference" } dd { (report.files.reference) " " span.rows { (comparison.rows.reference) " rows" } } }
                div { dt { "Current" } dd { (report.files.current) " " span.rows { (comparison.rows.current) " rows" } } }
            }
        }
    }
}

fn movement_item(movement: &Movement, anchor: Option<String>) -> Markup {
    html! {
        li {
            @match anchor {
                Some(anchor) => a href=(anchor) { (movement.words) },
                None => (movement.words),
            }
            " " span class={ "badge " (degree(movement.severity)) } { (degree(movement.severity)) }
            @if !movement.drift { " " span.quiet { "not significant by itself" } }
        }
    }
}

fn badge(feature: &Feature) -> Markup {
    html! {
        @if feature.drift {
            span class={ "badge " (degree(feature.severity)) } { "drift, " (degree(feature.severity)) }
        }
    }
}

fn table(features: &[&Feature], anchor: &dyn Fn(&str) -> Option<String>) -> Markup {
    html! {
        div.scroll role="region" aria-labelledby="columns" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "Column" }
                        th scope="col" { "Drift" }
                        @for name in ["Effect", "p-value", "corrected", "Test", "Wasserstein", "Jensen–Shannon", "PSI", "Unknown", "Missing"] {
                            th.number scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for feature in features {
                        tr {
                            th scope="row" {
                                @match anchor(&feature.name) {
                                    Some(anchor) => a href=(anchor) { (feature.name) },
                                    None => (feature.name),
                                }
                            }
                            td {
                                @if feature.drift { (badge(feature)) } @else { "no" }
                            }
                            @for cell in text::decisive(feature)
                                .into_iter().chain(text::distances(feature)).chain([text::rates(&feature.missing)]) {
                                td.number { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn column(place: usize, feature: &Feature) -> Markup {
    html! {
        details open[feature.drift || place < 3] {
            summary {
                h3 { (feature.name) }
                " " span.quiet { (text::kind(feature.kind)) } " "
                @if let Some(state) = text::state(feature.state) { span.badge { (state) } " " }
                (badge(feature))
            }
            div.body #{ "column-" (place) } {
                @if let Some(picture) = picture(feature) {
                    (chart::picture(feature, &picture))
                }
                div.facts {
                    (signals(feature))
                    @if let Some(numbers) = &feature.numbers {
                        (summaries(&[("Reference", &numbers.summary.reference), ("Current", &numbers.summary.current)]))
                    }
                    (statistics(feature))
                }
                @if !feature.notes.is_empty() {
                    ul.notes { @for note in &feature.notes { li { (note) } } }
                }
            }
        }
    }
}

fn signals(feature: &Feature) -> Markup {
    html! {
        @if !feature.signals.is_empty() {
            table {
                caption { "Tests" }
                thead { tr {
                    th scope="col" { "Of" }
                    @for name in ["Effect", "p-value", "corrected"] { th.number scope="col" { (name) } }
                    th scope="col" { "Drift" }
                } }
                tbody {
                    @for signal in &feature.signals {
                        tr {
                            th scope="row" { (text::tested(signal.kind)) }
                            td.number { (number(signal.effect)) }
                            td.number { (p(signal.p_value)) }
                            td.number { (p(signal.adjusted)) }
                            td { @if signal.drift { strong { "yes" } } @else { "no" } }
                        }
                    }
                }
            }
        }
    }
}

fn summaries(sides: &[(&str, &Summary)]) -> Markup {
    html! {
        table {
            caption { "Values" }
            thead { tr {
                th scope="col" { "Of" }
                @for (name, _) in sides { th.number scope="col" { (name) } }
            } }
            tbody {
                tr { th scope="row" { "values" } @for (_, of) in sides { td.number { (of.values) } } }
                @for (name, pick) in [
                    ("smallest", (|of| of.min) as fn(&Summary) -> f64),
                    ("lower quartile", |of| of.lower_quartile),
                    ("median", |of| of.median),
                    ("mean", |of| of.mean),
                    ("upper quartile", |of| of.upper_quartile),
                    ("largest", |of| of.max),
                ] {
                    tr { th scope="row" { (name) } @for (_, of) in sides { td.number { (number(pick(of))) } } }
                }
            }
        }
    }
}

fn statistics(feature: &Feature) -> Markup {
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(numbers) = &feature.numbers {
        rows.push(("Kolmogorov–Smirnov", number(numbers.ks.statistic)));
        if let Some(cvm) = &numbers.cramer_von_mises {
            rows.push(("Cramér–von Mises", number(cvm.statistic)));
            rows.push(("its p-value", p(cvm.p_value)));
        }
        rows.push(("Wasserstein-1", number(numbers.wasserstein)));
        rows.push(("Jensen–Shannon", number(numbers.jensen_shannon)));
        rows.push(("PSI", number(numbers.psi)));
        rows.push(("out of range", percent(numbers.outside.share())));
    }
    if let Some(categories) = &feature.categories {
        rows.push(("chi-square", number(categories.chi_square.statistic)));
        rows.push(("its p-value", p(categories.chi_square.p_value)));
        rows.push(("G", number(categories.g.statistic)));
        rows.push(("its p-value", p(categories.g.p_value)));
        rows.push(("Fisher's p-value", p(categories.fisher)));
        rows.push(("Jensen–Shannon", number(categories.jensen_shannon)));
        rows.push(("PSI", number(categories.psi)));
        rows.push(("new categories", percent(categories.new.share())));
    }
    rows.push(("missing, reference", percent(feature.missing.reference.share())));
    rows.push(("missing, current", percent(feature.missing.current.share())));
    html! {
        table {
            caption { "Statistics" }
            tbody {
                @for (name, value) in rows { tr { th scope="row" { (name) } td.number { (value) } } }
            }
        }
    }
}

fn about(report: &Report) -> Markup {
    let mut method = text::method(&report.comparison);
    method[..1].make_ascii_uppercase();
    html! {
        section.about aria-labelledby="about" {
            h2 #about { "How this was decided" }
            p { (method) "." }
            p {
                "If all rows of both tables came from one source, drift would be found with at most the chance of the level, \
                 whatever the columns depend on. Numbers are tested by Kolmogorov and Smirnov, categories by Fisher's exact test of each \
                 share. The effect is the largest gap between both distribution functions, the share of rows that moved to another category, \
                 or the change of a rate: below 0.1 negligible, below 0.25 slight, below 0.5 clear, above severe. \
                 Jensen–Shannon and PSI of numbers are those of tenths of the reference. Unknown are values outside of the reference's range, \
                 and categories that it does not have."
            }
        }
    }
}
