//! What was answered, remembered until somebody knows what was right.
//!
//! Answers come with a request's number (a keyed hash of its id; the caller's matter) and the row's place in the
//! request. [`Answers`] is where the request path leaves them: a copy into memory that is there already.
//! [`Ledger`] finds them again by request. Both hold the newest so many rows and no more: a label that
//! comes after its row was pushed out is one of an unknown request.

use std::collections::{HashMap, VecDeque};

/// One answered row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answered {
    /// Which request.
    pub request: u64,
    /// Which of its rows, from 0.
    pub row: u32,
    /// When, in the caller's unit.
    pub time: u64,
    /// The class (its number) or the number that was answered.
    pub answer: f64,
    /// Its inputs came as float32.
    pub narrow: bool,
}

/// A ring of the newest answers that nobody has fetched yet. [`Answers::push`] allocates nothing.
#[derive(Clone, Debug)]
pub struct Answers {
    stamps: Vec<Answered>,
    inputs: Vec<f64>,
    features: usize,
    /// Rows whose inputs are kept.
    kept: usize,
    /// Rows pushed since it was empty.
    pushed: u64,
}

impl Answers {
    /// Holds `capacity` answers, and the inputs (`features` values each) of the newest `kept` of them.
    pub fn new(capacity: usize, features: usize, kept: usize) -> Self {
        let (capacity, kept) = (capacity.max(1), kept.min(capacity.max(1)));
        Self {
            stamps: vec![Answered::default(); capacity],
            inputs: vec![0.0; kept * features],
            features,
            kept,
            pushed: 0,
        }
    }

    /// Records a row. `inputs` are looked at only where inputs are kept, and then there is one for each feature;
    /// those of `never` (a place for each feature, or none at all) become NaN here, before they are kept anywhere.
    pub fn push(&mut self, answered: Answered, inputs: &[f64], never: &[bool]) {
        let capacity = self.stamps.len() as u64;
        self.stamps[(self.pushed % capacity) as usize] = answered;
        if self.kept > 0 {
            let place = (self.pushed % self.kept as u64) as usize * self.features;
            let kept = &mut self.inputs[place..][..self.features];
            kept.copy_from_slice(inputs);
            for (value, never) in kept.iter_mut().zip(never) {
                if *never {
                    *value = f64::NAN;
                }
            }
        }
        self.pushed += 1;
    }

    /// Gives what was recorded to `spare`, which is empty and of the same shape, and goes on with its memory.
    pub fn swap(&mut self, spare: &mut Self) {
        debug_assert!(spare.pushed == 0 && spare.stamps.len() == self.stamps.len());
        std::mem::swap(self, spare);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.pushed == 0
    }

    /// Places that hold something, oldest first.
    fn places(&self) -> std::ops::Range<u64> {
        self.pushed.saturating_sub(self.stamps.len() as u64)..self.pushed
    }

    fn stamp(&self, place: u64) -> Answered {
        self.stamps[(place % self.stamps.len() as u64) as usize]
    }

    fn inputs(&self, place: u64) -> Option<&[f64]> {
        (self.kept > 0 && self.pushed - place <= self.kept as u64).then(|| {
            let place = (place % self.kept as u64) as usize;
            &self.inputs[place * self.features..][..self.features]
        })
    }

    /// Empties it; inputs are overwritten, so that nobody's data stays in memory for longer than is said.
    fn clear(&mut self) {
        let rows = self.pushed.min(self.kept as u64) as usize;
        self.inputs[..rows * self.features].fill(0.0);
        self.pushed = 0;
    }
}

/// A row with what is known of it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// What was answered, and when.
    pub answered: Answered,
    /// What was right.
    pub label: f64,
    /// Its inputs, where they are kept.
    pub inputs: Option<Vec<f64>>,
}

/// What labels of one request did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled {
    /// Rows that have a label now and had none.
    pub matched: Vec<Matched>,
    /// Labels that were known already, and are the same.
    pub duplicates: usize,
}

/// Why labels are not taken. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum LabelError {
    /// Never answered here, or pushed out since.
    #[error("no such request is remembered")]
    Unknown,
    /// Two requests of this id were answered differently.
    #[error("the id was given to requests that were answered differently")]
    Ambiguous,
    /// Another number of rows.
    #[error("the request had {rows} rows")]
    Rows {
        /// What it had.
        rows: usize,
    },
    /// The row has another label already: the first one stays.
    #[error("row {row} has another label already")]
    Conflict {
        /// Which row.
        row: usize,
        /// The label it has.
        label: f64,
    },
}

#[derive(Clone, Debug)]
struct Entry {
    answered: Answered,
    label: Option<f64>,
}

/// A request whose rows are all there.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// Number of its first row.
    first: u64,
    rows: u32,
    /// An earlier one of the same id: a client that sends again what it sent before, or one whose ids repeat.
    former: Option<(u64, u32)>,
    differs: bool,
}

/// The newest answers, by request.
#[derive(Debug)]
pub struct Ledger {
    entries: VecDeque<Entry>,
    capacity: usize,
    /// Number of the oldest entry; entries are counted from 0.
    first: u64,
    requests: HashMap<u64, Known>,
    inputs: Vec<f64>,
    features: usize,
    kept: usize,
    /// Entries before this one have no inputs any more.
    inputs_from: u64,
}

impl Ledger {
    /// As large as its [`Answers`] are.
    pub fn new(capacity: usize, features: usize, kept: usize) -> Self {
        let (capacity, kept) = (capacity.max(1), kept.min(capacity.max(1)));
        Self {
            entries: VecDeque::new(),
            capacity,
            first: 0,
            requests: HashMap::new(),
            inputs: vec![0.0; kept * features],
            features,
            kept,
            inputs_from: 0,
        }
    }

    /// Rows that are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Takes over what the request path has left, and empties it.
    pub fn take(&mut self, answers: &mut Answers) {
        for place in answers.places() {
            if self.entries.len() == self.capacity {
                self.forget_oldest();
            }
            let (number, answered) = (self.next(), answers.stamp(place));
            if let Some(inputs) = answers.inputs(place) {
                let at = (number % self.kept as u64) as usize * self.features;
                self.inputs[at..][..self.features].copy_from_slice(inputs);
            } else if self.kept > 0 {
                // Pushed out before it was fetched: so were those before it.
                self.inputs_from = number + 1;
            }
            self.entries.push_back(Entry {
                answered,
                label: None,
            });
            self.index(number, answered);
        }
        answers.clear();
    }

    fn index(&mut self, number: u64, answered: Answered) {
        let oldest = self.first;
        let known = self.requests.get(&answered.request).copied();
        if answered.row == 0 {
            let former = known.filter(|known| known.first >= oldest);
            let mut known = Known {
                first: number,
                rows: 1,
                former: former.map(|former| (former.first, former.rows)),
                differs: former.is_some_and(|former| former.is_ambiguous()),
            };
            known.differs |= self.differs(&known, answered);
            self.requests.insert(answered.request, known);
        } else if let Some(mut known) = known
            // Of a request whose first rows are gone nothing is known.
            && known.first + u64::from(answered.row) == number
        {
            known.rows += 1;
            known.differs |= self.differs(&known, answered);
            self.requests.insert(answered.request, known);
        }
    }

    /// Whether the earlier request of the same id had another answer in this row.
    fn differs(&self, known: &Known, answered: Answered) -> bool {
        known.former.is_some_and(|(first, rows)| {
            answered.row < rows
                && (first + u64::from(answered.row))
                    .checked_sub(self.first)
                    .and_then(|place| self.entries.get(place as usize))
                    .is_some_and(|former| former.answered.answer != answered.answer)
        })
    }

    fn forget_oldest(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            let request = entry.answered.request;
            if self
                .requests
                .get(&request)
                .is_some_and(|known| known.first == self.first)
            {
                self.requests.remove(&request);
            }
            self.first += 1;
        }
    }

    /// Gives the rows of a request their labels, one for each row, `None` where it is not known yet: all or nothing.
    ///
    /// A label is final: the same one again changes nothing, another one is refused. What was counted and told to
    /// others never has to be taken back.
    ///
    /// # Errors
    /// [`LabelError`].
    pub fn label(&mut self, request: u64, labels: &[Option<f64>]) -> Result<Labelled, LabelError> {
        let known = *self.requests.get(&request).ok_or(LabelError::Unknown)?;
        if known.is_ambiguous() {
            return Err(LabelError::Ambiguous);
        }
        if labels.len() != known.rows as usize {
            let rows = known.rows as usize;
            return Err(LabelError::Rows { rows });
        }
        let start = (known.first - self.first) as usize;
        for (row, label) in labels.iter().enumerate() {
            if let (Some(label), Some(has)) = (label, self.entries[start + row].label)
                && has != *label
            {
                return Err(LabelError::Conflict { row, label: has });
            }
        }
        let mut labelled = Labelled::default();
        for (row, label) in labels.iter().enumerate() {
            let Some(label) = *label else { continue };
            if self.entries[start + row].label.is_some() {
                labelled.duplicates += 1;
                continue;
            }
            self.entries[start + row].label = Some(label);
            labelled.matched.push(Matched {
                answered: self.entries[start + row].answered,
                label,
                inputs: self.inputs(known.first + row as u64).map(<[f64]>::to_vec),
            });
        }
        Ok(labelled)
    }

    /// Rows of a request, if it is remembered.
    pub fn rows_of(&self, request: u64) -> Option<usize> {
        self.requests.get(&request).map(|known| known.rows as usize)
    }

    fn inputs(&self, number: u64) -> Option<&[f64]> {
        let kept = self.kept > 0 && number >= self.inputs_from && self.next() - number <= self.kept as u64;
        kept.then(|| {
            let at = (number % self.kept as u64) as usize * self.features;
            &self.inputs[at..][..self.features]
        })
    }

    /// Forgets inputs of rows that were answered before `time`, and overwrites them. The answers stay.
    pub fn forget_inputs_before(&mut self, time: u64) {
        let oldest = self.next().saturating_sub(self.kept as u64).max(self.first);
        let mut number = self.inputs_from.max(oldest);
        while number < self.next() && self.entries[(number - self.first) as usize].answered.time < time {
            let at = (number % self.kept as u64) as usize * self.features;
            self.inputs[at..][..self.features].fill(0.0);
            number += 1;
        }
        self.inputs_from = self.inputs_from.max(number);
    }

    /// Rows whose inputs are kept.
    pub fn inputs_kept(&self) -> usize {
        let oldest = self.next().saturating_sub(self.kept as u64).max(self.first);
        (self.next() - self.inputs_from.max(oldest).min(self.next())) as usize
    }
}

impl Known {
    fn is_ambiguous(&self) -> bool {
        self.differs || self.former.is_some_and(|(_, rows)| rows != self.rows)
    }
}
