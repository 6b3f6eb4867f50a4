//! The monitor of a large window: what a row costs the request path, and an update off it.

use super::columns;
use crate::report::{Bar, Report, median};
use anyhow::Result;
use drift::baseline::Baseline;
use drift::counts::Counts;
use drift::inbox::Inbox;
use drift::ledger::{Answered, Answers};
use drift::npy::Matrix;
use drift::pooled::{PooledWindow, Row};
use drift::rule::Rule;
use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// New rows between two updates.
const NEW_ROWS: usize = 10;

fn matrix(seed: u64, rows: usize, features: usize, shift: f64, decimals: f64) -> Matrix {
    let columns = columns(seed, features, rows, shift, decimals);
    Matrix {
        rows,
        columns: features,
        values: (0..rows)
            .flat_map(|row| columns.iter().map(move |column| column[row]))
            .collect(),
    }
}

/// Nanoseconds to leave a row in the inbox.
fn record(features: usize, size: usize, rows: usize) -> f64 {
    let traffic = matrix(5, 1_009, features, 0.1, 1e6);
    let mut inbox = Inbox::new(1, size, features, 1).with_scores();
    // The ring's memory is touched once before, as it is after the first window in a server.
    (0..size).for_each(|_| drop(inbox.push(0, &traffic.values[..features], None)));
    let start = Instant::now();
    for time in 0..rows {
        let row = &traffic.values[time % traffic.rows * features..][..features];
        // Rows are of the right length.
        let _ = inbox.record(time as u64, black_box(row), Some(1), black_box(0.5), false);
    }
    let seconds = start.elapsed().as_secs_f64();
    black_box(inbox.len());
    seconds / rows as f64 * 1e9
}

/// Nanoseconds to remember a row's answer for its label, with the hash of its id and a short lock as in the API.
fn remember(features: usize, size: usize, kept: usize, rows: usize) -> f64 {
    let traffic = matrix(5, 1_009, features, 0.1, 1e6);
    let ring = Mutex::new(Answers::new(size, features, kept));
    let hasher = RandomState::new();
    let start = Instant::now();
    for time in 0..rows {
        let inputs = &traffic.values[time % traffic.rows * features..][..features];
        let answered = Answered {
            request: hasher.hash_one(black_box("8f14e45fceea167a")),
            row: 0,
            time: time as u64,
            answer: 1.0,
            narrow: false,
        };
        if let Ok(mut ring) = ring.lock() {
            ring.push(answered, black_box(inputs), &[]);
        }
    }
    start.elapsed().as_secs_f64() / rows as f64 * 1e9
}

pub fn measure(report: &mut Report, rounds: usize, quick: bool) -> Result<()> {
    for features in [4, 100] {
        let rows = if quick { 20_000 } else { 200_000 };
        let times: Vec<f64> = (0..rounds).map(|_| record(features, 10_000, rows)).collect();
        report.judge(
            format!("row recorded in the request path, {features} features"),
            median(&times),
            "ns",
            Bar::AtMost(150.0),
        );
    }
    for (features, kept) in [(4, 0), (4, 10_000), (100, 10_000)] {
        let rows = if quick { 20_000 } else { 200_000 };
        let times: Vec<f64> = (0..rounds)
            .map(|_| remember(features, 10_000, kept, rows))
            .collect();
        let inputs = if kept > 0 { "with" } else { "without" };
        report.judge(
            format!("answer remembered for its label, {features} features, {inputs} inputs"),
            median(&times),
            "ns",
            Bar::AtMost(150.0),
        );
    }
    let (size, features) = (10_000, 100);
    let names = (0..features).map(|index| format!("c{index}")).collect();
    let training = matrix(6, 10_000, features, 0.0, 1e6);
    let scores: Vec<f64> = (0..1_000_u32).map(|score| f64::from(score) / 1_000.0).collect();
    let baseline = Baseline::new(names, &training, vec![5_000, 5_000])?.with_scores("score", &scores);
    let baseline = Arc::new(baseline);
    let mut counts = Counts::new(Arc::clone(&baseline));
    let mut window = PooledWindow::new("m", size, features + 1);
    let inbox = || Inbox::new(1, size, features, 1).with_scores();
    let (mut inbox, mut spare) = (inbox(), inbox());
    let traffic = matrix(7, size + rounds * NEW_ROWS, features, 0.01, 1e6);
    let mut rows = traffic.values.chunks_exact(features).zip(1..);
    let mut feed = |count: usize, counts: &mut Counts, window: &mut PooledWindow| -> Result<f64> {
        for (row, time) in rows.by_ref().take(count) {
            let score = (time % 997) as f64 / 997.0;
            inbox.record(time, row, Some((time % 2) as u16), score, false)?;
        }
        let start = Instant::now();
        inbox.swap(&mut spare);
        spare.drain(&baseline, window, |row: &Row, came| {
            if came {
                counts.add(&row.values, row.class);
            } else {
                counts.remove(&row.values, row.class);
            }
        })?;
        Ok(start.elapsed().as_secs_f64())
    };
    let filled = feed(size, &mut counts, &mut window)?;
    let (mut updates, mut walks) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let fetched = feed(NEW_ROWS, &mut counts, &mut window)?;
        let start = Instant::now();
        black_box(counts.evaluate());
        let walked = start.elapsed().as_secs_f64();
        walks.push(walked * 1e3);
        updates.push((fetched + walked) * 1e3);
    }
    report.judge(
        format!("{NEW_ROWS} rows taken in and all statistics updated, window 10,000 × 100, reference 10,000"),
        median(&updates),
        "ms",
        Bar::AtMost(5.0),
    );
    report.measure("of that, all statistics", median(&walks), "ms");
    report.measure(
        "a row taken in, both counts, 100 features",
        filled / size as f64 * 1e6,
        "µs",
    );
    let start = Instant::now();
    let decision = Rule::default().look(&baseline, &counts.evaluate(), &window);
    report.measure(
        format!("one look with all p-values at that size ({:?})", decision.verdict),
        start.elapsed().as_secs_f64() * 1e3,
        "ms",
    );
    Ok(())
}
