//! Replicas that pool their rows and name their episodes for real.

use crate::oracle::Generator;
use drift::baseline::Baseline;
use drift::counts::Counts;
use drift::episode::Episodes;
use drift::episodes::{Episode, Observation};
use drift::explain::Severity;
use drift::looks::Looks;
use drift::npy::Matrix;
use drift::pooled::{PooledWindow, Row, RowKey};
use drift::rule::Rule;
use std::sync::Arc;

pub const REPLICAS: usize = 8;
const FEATURES: usize = 2;
const WINDOW: usize = 100;
/// What the shifted world adds to each value.
const SHIFT: f64 = 1.5;

struct Replica {
    window: PooledWindow,
    counts: Counts,
    looks: Looks,
    seq: u64,
    episodes: Episodes,
}

/// All replicas of one model.
pub struct Fleet {
    model: String,
    rule: Rule,
    baseline: Arc<Baseline>,
    replicas: Vec<Replica>,
    random: Generator,
    rows: u64,
    started_ms: u64,
}

impl Fleet {
    /// Replicas of a model that learnt in the normal world, or in the shifted one.
    pub fn new(model: &str, learnt_shifted: bool, seed: u64, started_ms: u64) -> Self {
        let mut random = Generator::new(seed);
        let shift = if learnt_shifted { SHIFT } else { 0.0 };
        let values = (0..150 * FEATURES).map(|_| random.normal() + shift).collect();
        let matrix = Matrix {
            rows: 150,
            columns: FEATURES,
            values,
        };
        let names = (0..FEATURES).map(|index| format!("x{index}")).collect();
        let baseline = Arc::new(Baseline::new(names, &matrix, Vec::new()).unwrap());
        // Fewer false alarms than by default: here each would be a retrain too many, and rightly so.
        let rule = Rule {
            level: 1e-6,
            looks: 4,
            ..Rule::default()
        };
        let replica = || Replica {
            window: PooledWindow::new(model, WINDOW, FEATURES),
            counts: Counts::new(Arc::clone(&baseline)),
            looks: Looks::new(&rule, WINDOW),
            seq: 0,
            episodes: Episodes::default(),
        };
        let replicas = (0..REPLICAS).map(|_| replica()).collect();
        Fleet {
            model: model.to_owned(),
            rule,
            replicas,
            baseline,
            random,
            rows: 0,
            started_ms,
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        (self.random.unit() * below as f64) as usize
    }

    /// So many requests of the shifted world, spread over the replicas; then what each of them says.
    pub fn answer(&mut self, requests: usize, now_ms: u64) -> Vec<Observation> {
        for _ in 0..requests {
            self.rows += 1;
            let who = self.pick(REPLICAS);
            let values: Arc<[f64]> = (0..FEATURES).map(|_| self.random.normal() + SHIFT).collect();
            let time = self.started_ms + self.rows;
            let replica = &mut self.replicas[who];
            replica.seq += 1;
            let key = RowKey {
                time,
                replica: who as u64,
                seq: replica.seq,
            };
            let row = Row {
                key,
                class: None,
                values,
            };
            let mut only = PooledWindow::new(self.model.clone(), WINDOW, FEATURES);
            only.offer(row).unwrap();
            replica.take(&only);
        }
        for to in 0..REPLICAS {
            // Each hears of some of the others, and not of all.
            for _ in 0..3 {
                let from = self.pick(REPLICAS);
                let part = self.replicas[from]
                    .window
                    .lacking(&self.replicas[to].window.held());
                let theirs = self.replicas[from].episodes.clone();
                self.replicas[to].take(&part);
                self.replicas[to].episodes.merge(&theirs);
            }
        }
        for index in 0..REPLICAS {
            // Clocks of pods differ by seconds.
            let skew = self.pick(5_000) as u64;
            self.replicas[index].look(&self.rule, &self.baseline, now_ms + skew);
        }
        let of = |replica: &Replica| Observation {
            model: self.model.clone(),
            episode: replica.episodes.newest().map(seen),
            samples: replica.window.rows().len() as u64,
            judged: replica.window.rows().len() == WINDOW,
        };
        self.replicas.iter().map(of).collect()
    }
}

impl Replica {
    fn take(&mut self, part: &PooledWindow) {
        let counts = &mut self.counts;
        let follow = |row: &Row, came: bool| match came {
            true => counts.add(&row.values, row.class),
            false => counts.remove(&row.values, row.class),
        };
        self.window.merge(part, follow).unwrap();
    }

    fn look(&mut self, rule: &Rule, baseline: &Baseline, now_ms: u64) {
        let total = self.window.total();
        if !self.looks.due(total) {
            return;
        }
        let verdict = rule.look(baseline, &self.counts.evaluate(), &self.window).verdict;
        if self.looks.looked(total, verdict) {
            let moved = vec!["x0 is 1.5 higher than in training".to_owned()];
            self.episodes.open(now_ms, total, Severity::Clear, moved);
        } else if self.looks.alarm().is_none() {
            self.episodes.close(now_ms);
        }
    }
}

/// As `/drift/status` says it.
fn seen(episode: &drift::episode::Episode) -> Episode {
    Episode {
        number: episode.number,
        opened_at_ms: episode.opened_at_ms,
        since_rows: Some(episode.since_rows),
        open: episode.is_open(),
        movements: episode.movements.clone(),
    }
}
