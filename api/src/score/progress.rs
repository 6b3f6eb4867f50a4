//! How far it is, on stderr: a bar on a terminal, else a line every few seconds.

use super::source::Source;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{IsTerminal, stderr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Between lines where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    bar: Option<ProgressBar>,
    shown: bool,
    done: Arc<AtomicU64>,
    total: u64,
    rows: u64,
    started: Instant,
    said: Instant,
}

impl Progress {
    pub(super) fn new(source: &Source, shown: bool) -> Self {
        let bar = (shown && stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(source.total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Progress {
            bar,
            shown,
            done: Arc::clone(&source.done),
            total: source.total,
            rows: 0,
            started: Instant::now(),
            said: Instant::now(),
        }
    }

    /// Rows were written.
    pub(super) fn rows(&mut self, rows: usize) {
        self.rows += rows as u64;
        let per_second = self.rows as f64 / self.started.elapsed().as_secs_f64().max(1e-9);
        let done = self.done.load(Relaxed).min(self.total);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(format!("{} rows, {per_second:.0} rows/s", self.rows));
        } else if self.shown && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            let percent = done as f64 / self.total.max(1) as f64 * 100.0;
            eprintln!(
                "inference-api: {percent:.0} %, {} rows, {per_second:.0} rows/s",
                self.rows
            );
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) -> u64 {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.rows
    }
}
