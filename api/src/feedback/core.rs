//! The ledger, what is labelled, and what was found by looking at it.

use super::pending::Pending;
use drift::{
    ledger::{Answers, LabelError, Labelled, Ledger, Matched},
    performance::{HeldOut, Pair, Watch},
    pooled::{MergeError, PooledWindow, Row, RowKey},
    rule::Rule,
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Values of a captured row before its inputs: when it was answered (milliseconds), whether as float32, the label.
pub const BEFORE_INPUTS: usize = 3;

/// Sizes of everything.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub rows: usize,
    pub window: usize,
    pub features: usize,
    /// Rows whose inputs are kept; 0 without capture.
    pub kept: usize,
    pub retention: Duration,
}

#[derive(Debug)]
pub(super) struct Core {
    pub replica: u64,
    ledger: Ledger,
    spare: Answers,
    /// What was answered and what was right, of all replicas.
    pub labelled: PooledWindow,
    /// The same with inputs.
    pub captured: Option<PooledWindow>,
    pub watch: Watch,
    held_out: Option<HeldOut>,
    pub pending: Pending,
    retention: Duration,
    /// Labelled here, and of these with inputs.
    seqs: [u64; 2],
}

impl Core {
    pub fn new(model: &str, shape: &Shape, rule: Rule, held_out: Option<HeldOut>, replica: u64) -> Self {
        let captured = |features| PooledWindow::new(model, shape.kept, BEFORE_INPUTS + features);
        Core {
            replica,
            ledger: Ledger::new(shape.rows, shape.features, shape.kept),
            spare: Answers::new(shape.rows, shape.features, shape.kept),
            labelled: PooledWindow::new(model, shape.window, 2),
            captured: (shape.kept > 0).then(|| captured(shape.features)),
            watch: Watch::new(rule, shape.window),
            held_out,
            pending: Pending::default(),
            retention: shape.retention,
            seqs: [0; 2],
        }
    }

    /// Takes over what the request path has left.
    pub fn fetch(&mut self, answers: &Mutex<Answers>) {
        {
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            if answers.is_empty() {
                return;
            }
            answers.swap(&mut self.spare);
        }
        self.ledger.take(&mut self.spare);
    }

    /// Whether the request is remembered.
    pub fn knows(&self, request: u64) -> bool {
        self.ledger.rows_of(request).is_some()
    }

    /// Matches labels with what was answered.
    pub fn label(
        &mut self,
        request: u64,
        labels: &[Option<f64>],
        now_us: u64,
    ) -> Result<Labelled, LabelError> {
        let labelled = self.ledger.label(request, labels)?;
        for matched in &labelled.matched {
            self.count(matched, now_us);
        }
        self.look();
        Ok(labelled)
    }

    fn count(&mut self, matched: &Matched, now_us: u64) {
        let replica = self.replica;
        let row = |seq: u64, values: Vec<f64>| Row {
            key: RowKey {
                time: now_us,
                replica,
                seq,
            },
            class: None,
            values: values.into(),
        };
        self.seqs[0] += 1;
        let values = vec![matched.answered.answer, matched.label];
        let offered = self.labelled.offer(row(self.seqs[0], values));
        debug_assert!(offered.is_ok(), "{offered:?}");
        if let (Some(captured), Some(inputs)) = (&mut self.captured, &matched.inputs) {
            self.seqs[1] += 1;
            let answered_ms = (matched.answered.time / 1_000) as f64;
            let mut values = vec![
                answered_ms,
                f64::from(u8::from(matched.answered.narrow)),
                matched.label,
            ];
            values.extend(inputs);
            let offered = captured.offer(row(self.seqs[1], values));
            debug_assert!(offered.is_ok(), "{offered:?}");
        }
    }

    /// Takes over rows that other replicas have labelled. Nothing has changed if an error is returned.
    pub fn merge(
        &mut self,
        labelled: &PooledWindow,
        captured: Option<&PooledWindow>,
        now_us: u64,
    ) -> Result<(), MergeError> {
        self.labelled.merge(labelled, |_, _| {})?;
        self.look();
        if let (Some(ours), Some(theirs)) = (&mut self.captured, captured) {
            ours.merge(theirs, |_, _| {})?;
        }
        self.expire(now_us);
        Ok(())
    }

    fn look(&mut self) {
        let labelled = &self.labelled;
        self.watch
            .look(labelled.total(), self.held_out, || pairs(labelled));
    }

    /// Forgets inputs that were answered longer ago than they may be kept.
    pub fn expire(&mut self, now_us: u64) {
        let before_us = now_us.saturating_sub(self.retention.as_micros() as u64);
        self.ledger.forget_inputs_before(before_us);
        if let Some(captured) = &mut self.captured {
            captured.retain(|row| row.values[0] >= (before_us / 1_000) as f64);
        }
    }

    pub fn pairs(&self) -> Vec<Pair> {
        pairs(&self.labelled)
    }

    /// Rows whose inputs are kept: waiting for a label, and with one.
    #[cfg(test)]
    pub fn inputs_kept(&self) -> [usize; 2] {
        let captured = self.captured.as_ref();
        [
            self.ledger.inputs_kept(),
            captured.map_or(0, |captured| captured.rows().len()),
        ]
    }
}

fn pairs(labelled: &PooledWindow) -> Vec<Pair> {
    let rows = labelled.rows().iter();
    rows.map(|row| (row.values[0], row.values[1])).collect()
}
