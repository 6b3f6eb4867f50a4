//! What replicas tell each other of labels, beside the window of inputs.

use super::{
    Feedback, Outcome, lock,
    pending::{Settled, Waiting},
};
use crate::monitor::{now_ms, now_us};
use drift::{
    ledger::LabelError,
    pooled::{Held, MergeError, PooledWindow},
    wire::{self, WireError},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The part of a frame's head that is about labels.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// Who says so.
    replica: u64,
    /// Of a question: rows that need not be sent, labelled and captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held: Option<[Held; 2]>,
    /// Lengths of both windows, which stand at the frame's end.
    #[serde(default)]
    bytes: [usize; 2],
    /// Labels of requests that are not known there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waiting>,
    /// Of others' labels: those that are settled.
    #[serde(default, skip_serializing_if = "Settled::is_empty")]
    settled: Settled,
}

impl Told {
    /// The frame's bytes before those of the two windows, and these.
    ///
    /// # Errors
    /// When there are fewer than told.
    pub fn split<'f>(&self, frame: &'f [u8]) -> Result<(&'f [u8], [&'f [u8]; 2]), WireError> {
        let cut = WireError::Cut("its labelled rows");
        let both = self.bytes[0].checked_add(self.bytes[1]);
        let at = both.and_then(|both| frame.len().checked_sub(both));
        let (before, windows) = frame.split_at(at.ok_or_else(|| cut.clone())?);
        let (labelled, captured) = windows.split_at_checked(self.bytes[0]).ok_or(cut)?;
        Ok((before, [labelled, captured]))
    }
}

impl Feedback {
    /// Largest part of a frame that is ours, its head left out.
    pub fn frame_most(&self) -> usize {
        let core = lock(&self.core);
        let most = |window: &PooledWindow| 2_048 + 16 * 65_536 + window.size() * 8 * (4 + window.features());
        most(&core.labelled) + core.captured.as_ref().map_or(0, most)
    }

    /// For a question.
    pub fn asks(&self) -> Told {
        let core = lock(&self.core);
        let captured = core.captured.as_ref().map(PooledWindow::held);
        Told {
            replica: core.replica,
            held: Some([core.labelled.held(), captured.unwrap_or_default()]),
            settled: core.pending.told(),
            ..Told::default()
        }
    }

    /// For an answer to a question, or (`None`) for all that is known; `inputs` whether captured rows are part of it.
    pub fn tells(&self, question: Option<&Told>, inputs: bool) -> (Told, Vec<u8>) {
        let mut core = lock(&self.core);
        if let Some(seqs) = question.and_then(|question| question.settled.get(&core.replica)) {
            core.pending.settled(seqs);
        }
        let held = question.and_then(|question| question.held.as_ref());
        let part = |window: &PooledWindow, place: usize| match held {
            Some(held) => wire::write(&window.lacking(&held[place])),
            None => wire::write(window),
        };
        let mut bytes = part(&core.labelled, 0);
        let labelled = bytes.len();
        if let Some(captured) = core.captured.as_ref().filter(|_| inputs) {
            bytes.extend(part(captured, 1));
        }
        let told = Told {
            replica: core.replica,
            bytes: [labelled, bytes.len() - labelled],
            waiting: core.pending.waiting(),
            ..Told::default()
        };
        (told, bytes)
    }

    /// Takes over what another replica told, or a file.
    ///
    /// # Errors
    /// [`WireError`] or [`MergeError`], then nothing has changed.
    pub fn hears(&self, told: &Told, windows: [&[u8]; 2]) -> Result<(), HearError> {
        let mut core = lock(&self.core);
        let labelled = wire::read(windows[0], core.labelled.size(), core.labelled.features())?;
        let captured = match &core.captured {
            Some(ours) if !windows[1].is_empty() => {
                Some(wire::read(windows[1], ours.size(), ours.features())?)
            }
            _ => None,
        };
        core.merge(&labelled, captured.as_ref(), now_us())?;
        core.fetch(&self.answers);
        let (mut settled, now) = (BTreeSet::new(), now_ms());
        for waiting in &told.waiting {
            // Counted where somebody is told of it; told again it is a duplicate, which nobody has sent.
            match core.label(self.request(&waiting.id), &waiting.labels, now * 1_000) {
                Ok(labelled) => self.count(Outcome::Matched, labelled.matched.len()),
                Err(LabelError::Unknown) => continue,
                Err(LabelError::Ambiguous) => self.count(Outcome::Ambiguous, waiting.labels.len()),
                Err(LabelError::Conflict { .. }) => self.count(Outcome::Conflict, waiting.labels.len()),
                Err(LabelError::Rows { .. }) => self.count(Outcome::Refused, waiting.labels.len()),
            }
            settled.insert(waiting.seq);
        }
        core.pending.note(told.replica, settled);
        Ok(())
    }
}

/// Why what was told is of no use.
#[derive(Debug, thiserror::Error)]
pub enum HearError {
    /// The rows.
    #[error(transparent)]
    Rows(#[from] WireError),
    /// They do not belong here.
    #[error(transparent)]
    Merge(#[from] MergeError),
}
