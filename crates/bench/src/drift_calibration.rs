//! `bench drift calibration`: false alarms and power of the calibrated rule, beside the compat rule's.

use super::table::{Line, Share, page, report, sum};
use super::worlds::{Change, World};
use crate::report::Report;
use anyhow::{Context, Result};
use drift::baseline::Baseline;
use drift::counts::Counts;
use drift::looks::Looks;
use drift::npy::Matrix;
use drift::pooled::{Offered, PooledWindow, Row, RowKey};
use drift::random::Random;
use drift::rule::{Rule, Verdict};
use drift::{Reference, Window};
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(clap::Args)]
pub struct Options {
    /// Trials without drift, for each world and up to 10 features; fewer for more
    #[arg(long, default_value_t = 2_000)]
    trials: usize,
    /// Trials with drift, for each of both kinds, likewise
    #[arg(long, default_value_t = 24)]
    drifts: usize,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Seed of everything
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the table to this file instead (docs/drift.md)
    #[arg(long)]
    write: Option<PathBuf>,
    /// Only this many features [default: 4, 10, 30 and 100]
    #[arg(long)]
    features: Option<usize>,
}

const FEATURES: [usize; 4] = [4, 10, 30, 100];
pub const REFERENCE: usize = 200;
pub const WINDOW: usize = 100;
/// The documents' rule: any p-value below this.
const COMPAT: f64 = 0.05;

/// One trial: a reference and traffic of its own, a full window, then one window's worth of rows.
struct Trial {
    /// Whether the calibrated rule was in alarm at a look.
    alarm: bool,
    /// Largest Kolmogorov–Smirnov numerator of any feature after any of the rows.
    farthest: u64,
}

struct Cell {
    world: World,
    features: usize,
    /// Recorded rows in a day.
    day: u64,
    rule: Rule,
}

impl Cell {
    fn trial(&self, seed: u64, change: Change, calibrated: bool) -> Trial {
        let mut random = Random::new(seed);
        let features = self.features;
        let mut values = vec![0.0; REFERENCE * features];
        // Training rows are a random sample of the hours of the day.
        for row in values.chunks_exact_mut(features) {
            let hour = random.below(self.day);
            self.world.row(&mut random, hour, self.day, Change::Nothing, row);
        }
        let matrix = Matrix {
            rows: REFERENCE,
            columns: features,
            values,
        };
        let reference = Arc::new(Reference::new(matrix.to_columns()).expect("finite values"));
        let mut compat = Window::new(reference, WINDOW, 0.0).expect("a good size");
        let names = vec![String::new(); features];
        let baseline = Arc::new(Baseline::new(names, &matrix, Vec::new()).expect("finite values"));
        let mut counts = Counts::new(Arc::clone(&baseline));
        let mut window = PooledWindow::new("", WINDOW, features);
        let mut looks = Looks::new(&self.rule, WINDOW);
        let mut trial = Trial {
            alarm: false,
            farthest: 0,
        };
        // The change comes anywhere between two looks, and at any hour.
        let start = random.below(self.rule.stride(WINDOW));
        let hour = random.below(self.day);
        let mut row = vec![0.0; features];
        for index in 0..2 * WINDOW as u64 {
            let drifted = index >= WINDOW as u64;
            let change = if drifted { change } else { Change::Nothing };
            self.world
                .row(&mut random, hour + index, self.day, change, &mut row);
            compat.push(&row).expect("a finite row");
            if drifted {
                trial.farthest = trial.farthest.max(compat.farthest());
            }
            if !calibrated {
                continue;
            }
            let key = RowKey {
                time: index,
                replica: 0,
                seq: index + 1,
            };
            let row = Row {
                key,
                class: None,
                values: Arc::from(&row[..]),
            };
            counts.add(&row.values, None);
            if let Offered::Added(Some(old)) = window.offer(row).expect("a row that fits") {
                counts.remove(&old.values, None);
            }
            if looks.due(index + 1 + start) {
                let verdict = if drifted && !trial.alarm {
                    self.rule.look(&baseline, &counts.evaluate(), &window).verdict
                } else {
                    Verdict::Quiet
                };
                trial.alarm |= verdict == Verdict::Drift;
                looks.looked(index + 1 + start, verdict);
            }
        }
        trial
    }

    fn trials(&self, seed: u64, count: usize, change: Change, calibrated: bool) -> Vec<Trial> {
        let seeds = (0..count as u64).into_par_iter();
        seeds
            .map(|index| self.trial(Random::new(seed ^ index << 20).bits(), change, calibrated))
            .collect()
    }
}

fn share(trials: &[Trial], hit: impl Fn(&Trial) -> bool) -> Share {
    Share {
        hits: trials.iter().filter(|trial| hit(trial)).count(),
        of: trials.len(),
    }
}

/// Trials cost what features cost.
fn fewer(trials: usize, features: usize, quick: bool) -> usize {
    let trials = if features > 10 {
        trials * 16 / features
    } else {
        trials
    };
    (if quick { trials / 10 } else { trials }).max(2)
}

/// Traffic without drift.
struct Quiet {
    cell: Cell,
    seed: u64,
    false_alarms: Share,
    compat_false_alarms: Share,
    /// How far the compat rule's statistic went in each trial, farthest first.
    farthest: Vec<u64>,
}

fn quiet(options: &Options, quick: bool, world: World, features: usize) -> Quiet {
    let cell = Cell {
        world,
        features,
        day: WINDOW as u64,
        rule: Rule::default(),
    };
    let trials = fewer(options.trials, features, quick);
    let seed = Random::new(options.seed ^ (features as u64) << 8 ^ world as u64).bits();
    let quiet = cell.trials(seed, trials, Change::Nothing, true);
    // The compat rule costs little: more trials for the threshold that makes it as quiet.
    let more = cell.trials(seed ^ 1, 2 * trials, Change::Nothing, false);
    let mut farthest: Vec<u64> = quiet.iter().chain(&more).map(|trial| trial.farthest).collect();
    farthest.sort_unstable_by(|a, b| b.cmp(a));
    let nominal = drift::ks::critical_distance(REFERENCE as u64, WINDOW as u64, COMPAT).unwrap_or(u64::MAX);
    Quiet {
        false_alarms: share(&quiet, |trial| trial.alarm),
        compat_false_alarms: share(&quiet, |trial| trial.farthest >= nominal),
        farthest,
        seed,
        cell,
    }
}

/// `rate`: of false alarms, for which the compat rule's threshold is set.
fn line(options: &Options, quick: bool, quiet: &Quiet, rate: f64) -> Line {
    let Quiet { cell, seed, .. } = quiet;
    let as_quiet = quiet.farthest[(quiet.farthest.len() as f64 * rate) as usize];
    let sizes = sizes(cell.world, cell.features);
    let drifts = fewer(options.drifts, cell.features, quick);
    let power = |seed: u64, change| {
        let found = cell.trials(seed, drifts, change, true);
        [
            share(&found, |trial| trial.alarm),
            share(&found, |trial| trial.farthest >= as_quiet),
        ]
    };
    Line {
        world: cell.world.name(),
        features: cell.features,
        false_alarms: quiet.false_alarms,
        compat_false_alarms: quiet.compat_false_alarms,
        one: power(seed ^ 2, Change::One(sizes[0])),
        all: power(seed ^ 3, Change::All(sizes[1])),
        sizes,
    }
}

/// Changes that are found about every second time.
fn sizes(world: World, features: usize) -> [f64; 2] {
    let more = (features as f64 / 4.0).ln();
    let unit = match world {
        World::Normal | World::Mixed => 1.0,
        World::HeavyTailed => 1.15,
        World::Discrete => 1.05,
        World::Daily => 1.15,
    };
    let all = match world {
        // Rows lean on one factor, so that features repeat each other.
        World::Mixed => [0.46, 0.43, 0.40, 0.38],
        _ => [0.36, 0.27, 0.19, 0.14],
    };
    let place = FEATURES.iter().position(|&count| count >= features).unwrap_or(3);
    [unit * (0.72 + 0.03 * more), unit * all[place]]
}

pub fn run(options: &Options, quick: bool) -> Result<Report> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.max(1))
        .build()?;
    let chosen = FEATURES
        .into_iter()
        .filter(|&count| options.features.is_none_or(|only| only == count));
    let cells = chosen.flat_map(|features| World::ALL.map(|world| (world, features)));
    let quiet: Vec<Quiet> = cells
        .map(|(world, features)| {
            let quiet = pool.install(|| quiet(options, quick, world, features));
            eprintln!(
                "{}, {features} features: {:?} false alarms",
                world.name(),
                quiet.false_alarms
            );
            quiet
        })
        .collect();
    let all = sum(quiet.iter().map(|quiet| quiet.false_alarms));
    // Without any false alarm the upper bound stands for the rate: the compat rule has the advantage.
    let rate = if all.hits == 0 {
        all.bounds()[1]
    } else {
        all.value()
    };
    let rate = rate.min(Rule::default().level);
    let lines: Vec<Line> = quiet
        .iter()
        .map(|cell| {
            let line = pool.install(|| line(options, quick, cell, rate));
            eprintln!(
                "{}, {} features: found {:?} {:?}",
                line.world, line.features, line.one, line.all
            );
            line
        })
        .collect();
    // What no test over a window can mend: a window that sees only a part of the day.
    let cell = Cell {
        world: World::Daily,
        features: 4,
        day: 5 * WINDOW as u64,
        rule: Rule::default(),
    };
    let short_day = pool.install(|| {
        share(&cell.trials(options.seed, 200, Change::Nothing, true), |trial| {
            trial.alarm
        })
    });
    let report = report(&lines, short_day);
    if let Some(path) = &options.write {
        let Options {
            trials, drifts, seed, ..
        } = options;
        let quick = if quick { " --quick" } else { "" };
        let command = format!("--trials {trials} --drifts {drifts} --seed {seed}{quick}");
        let text = page(&lines, short_day, rate, &command);
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(report)
}
