//! What replicas tell each other: rows and episodes.
//!
//! Each replica asks each other one for what it lacks, once in a period. A question names the rows that are
//! held; the answer is the rest, and once it is merged both windows are the same. What is lost on the way is asked
//! for again, what comes twice changes nothing ([`drift::pooled`]).
//!
//! Both question and answer are a length (8 bytes, little-endian), so much JSON, and then a window
//! ([`drift::wire`]); a question's window is empty.

use super::{Monitor, lock, now_ms};
use drift::{
    episode::Episodes,
    pooled::{Held, MergeError, PooledWindow},
    wire::{self, WireError},
};
use serde::{Deserialize, Serialize};

/// Where it is asked for.
pub const PATH: &str = "/drift/exchange";
/// Largest JSON of a frame: held runs and episodes.
const HEAD_MOST: usize = 4 << 20;

/// What goes before the rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct Head {
    /// Who says so.
    pub replica: u64,
    /// Digest of the model it serves.
    pub model: String,
    /// Rows of its window when full.
    pub size: usize,
    /// Values of a row.
    pub features: usize,
    /// Of a question: rows that need not be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Episodes it knows of.
    pub episodes: Episodes,
}

/// Why a frame is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Too short, or its length makes no sense.
    #[error("the frame has {0} bytes and says otherwise")]
    Length(usize),
    /// The JSON.
    #[error("the frame's head: {0}")]
    Head(#[from] serde_json::Error),
    /// The rows.
    #[error(transparent)]
    Rows(#[from] WireError),
    /// They do not belong here.
    #[error(transparent)]
    Merge(#[from] MergeError),
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is part of the window now.
    Merged,
    /// It was our own.
    Own,
    /// Another model is served there: its rows say nothing of this one.
    OtherModel,
}

/// A frame as bytes.
pub fn write(head: &Head, rows: Option<&PooledWindow>) -> Vec<u8> {
    let head = serde_json::to_vec(head).expect("a head has plain fields");
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend(head);
    if let Some(rows) = rows {
        bytes.extend(wire::write(rows));
    }
    bytes
}

/// The head, and the bytes of the rows.
///
/// # Errors
/// [`FrameError`] for the length and the JSON.
pub fn read(bytes: &[u8]) -> Result<(Head, &[u8]), FrameError> {
    let wrong = || FrameError::Length(bytes.len());
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| wrong())?;
    if length > HEAD_MOST {
        return Err(wrong());
    }
    let (head, rows) = rest.split_at_checked(length).ok_or_else(wrong)?;
    Ok((serde_json::from_slice(head)?, rows))
}

impl Monitor {
    /// Largest frame that another replica of this model can have to send.
    pub fn frame_most(&self) -> usize {
        let seen = self.seen();
        8 + HEAD_MOST + 2_048 + 16 * 65_536 + seen.size * 8 * (4 + self.features)
    }

    /// A question for what we lack.
    pub fn question(&self) -> Vec<u8> {
        let mut core = lock(&self.core);
        core.fetch(&self.inbox);
        let held = core.window().held();
        write(&head(&core, Some(held)), None)
    }

    /// Everything we have, for whoever does not ask any more.
    pub fn everything(&self) -> Vec<u8> {
        let mut core = lock(&self.core);
        core.fetch(&self.inbox);
        write(&head(&core, None), Some(core.window()))
    }

    /// The answer to a question; `None` where it is our own.
    ///
    /// # Errors
    /// [`FrameError`] where it is not a question.
    pub fn answer(&self, question: &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        let (theirs, _) = read(question)?;
        let mut core = lock(&self.core);
        if theirs.replica == core.replica() {
            return Ok(None);
        }
        core.fetch(&self.inbox);
        let ours = head(&core, None);
        let same = (&theirs.model, theirs.size, theirs.features) == (&ours.model, ours.size, ours.features);
        // To one that serves another model: only who we are.
        let lacking = same.then(|| core.window().lacking(&theirs.held.unwrap_or_default()));
        Ok(Some(write(&ours, lacking.as_ref())))
    }

    /// Takes over what another replica sent.
    ///
    /// # Errors
    /// [`FrameError`]; nothing has changed then.
    pub fn take(&self, frame: &[u8]) -> Result<Taken, FrameError> {
        let (theirs, rows) = read(frame)?;
        let mut core = lock(&self.core);
        if theirs.replica == core.replica() {
            return Ok(Taken::Own);
        }
        if theirs.model != core.window().model() {
            return Ok(Taken::OtherModel);
        }
        let window = wire::read(rows, core.window().size(), self.features)?;
        core.fetch(&self.inbox);
        core.merge(&window, &theirs.episodes)?;
        core.look(now_ms());
        self.publish(&core);
        Ok(Taken::Merged)
    }
}

fn head(core: &super::core::Core, held: Option<Held>) -> Head {
    Head {
        replica: core.replica(),
        model: core.window().model().to_owned(),
        size: core.window().size(),
        features: core.window().features(),
        held,
        episodes: core.episodes().clone(),
    }
}
