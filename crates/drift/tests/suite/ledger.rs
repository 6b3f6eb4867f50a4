//! The ledger beside one that remembers everything and looks it up the slow way.

use drift::ledger::{Answered, Answers, LabelError, Ledger};
use proptest::prelude::*;

const CAPACITY: usize = 8;
const KEPT: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    /// A request with an answer for each row.
    Answer(u64, Vec<u8>),
    /// Labels for a request.
    Label(u64, Vec<Option<u8>>),
    /// Inputs older than so many steps are forgotten.
    Forget(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let answers =
        (0..5_u64, prop::collection::vec(0..2_u8, 1..4)).prop_map(|(id, rows)| Step::Answer(id, rows));
    let labels = prop::collection::vec(prop::option::of(0..2_u8), 1..4);
    let labels = (0..6_u64, labels).prop_map(|(id, labels)| Step::Label(id, labels));
    let forget = (0..6_u64).prop_map(Step::Forget);
    prop::collection::vec(prop_oneof![4 => answers, 5 => labels, 1 => forget], 0..60)
}

/// A request in the slow ledger.
#[derive(Clone, Debug)]
struct Slow {
    id: u64,
    first: usize,
    time: u64,
    answers: Vec<u8>,
    labels: Vec<Option<u8>>,
    ambiguous: bool,
}

fn slow_label(
    all: &mut [Slow],
    rows: usize,
    id: u64,
    labels: &[Option<u8>],
) -> Result<(usize, usize), LabelError> {
    let found = all.iter_mut().rfind(|request| request.id == id);
    let request = found
        .filter(|request| request.first + CAPACITY >= rows)
        .ok_or(LabelError::Unknown)?;
    if request.ambiguous {
        return Err(LabelError::Ambiguous);
    }
    let rows = request.answers.len();
    if labels.len() != rows {
        return Err(LabelError::Rows { rows });
    }
    for (row, (label, has)) in labels.iter().zip(&request.labels).enumerate() {
        if let (Some(label), Some(has)) = (label, has)
            && label != has
        {
            let label = f64::from(*has);
            return Err(LabelError::Conflict { row, label });
        }
    }
    let (mut matched, mut duplicates) = (0, 0);
    for (label, has) in labels.iter().zip(&mut request.labels) {
        match (label, &has) {
            (Some(_), Some(_)) => duplicates += 1,
            (Some(_), None) => {
                *has = *label;
                matched += 1;
            }
            (None, _) => {}
        }
    }
    Ok((matched, duplicates))
}

proptest! {
    #[test]
    fn labels_match_what_was_answered(steps in steps()) {
        let mut answers = Answers::new(CAPACITY, 2, KEPT);
        let mut spare = Answers::new(CAPACITY, 2, KEPT);
        let mut ledger = Ledger::new(CAPACITY, 2, KEPT);
        let mut all: Vec<Slow> = Vec::new();
        let (mut rows, mut forgotten) = (0, 0);
        for (time, step) in (1..).zip(steps) {
            match step {
                Step::Answer(request, given) => {
                    for (row, answer) in given.iter().enumerate() {
                        let answered = Answered {
                            request,
                            row: row as u32,
                            time,
                            answer: f64::from(*answer),
                            narrow: false,
                        };
                        answers.push(answered, &[(rows + row) as f64, 7.0], &[false, true]);
                    }
                    answers.swap(&mut spare);
                    ledger.take(&mut spare);
                    let former = all.iter().rfind(|other| other.id == request);
                    let former = former.filter(|former| former.first + CAPACITY > rows);
                    let ambiguous = former.is_some_and(|former| former.ambiguous || former.answers != given);
                    let labels = vec![None; given.len()];
                    all.push(Slow { id: request, first: rows, time, answers: given.clone(), labels, ambiguous });
                    rows += given.len();
                    prop_assert_eq!(ledger.len(), rows.min(CAPACITY));
                    prop_assert!(ledger.inputs_kept() <= KEPT);
                }
                Step::Label(id, labels) => {
                    let expected = slow_label(&mut all, rows, id, &labels);
                    let given: Vec<Option<f64>> = labels.iter().map(|label| label.map(f64::from)).collect();
                    let found = ledger.label(id, &given);
                    let counts = found.as_ref().map(|found| (found.matched.len(), found.duplicates));
                    prop_assert_eq!(counts.map_err(|error| *error), expected);
                    let Ok(found) = found else { continue };
                    let request = all.iter().rfind(|request| request.id == id).unwrap();
                    for matched in found.matched {
                        let row = matched.answered.row as usize;
                        prop_assert_eq!(matched.answered.answer, f64::from(request.answers[row]));
                        prop_assert_eq!(Some(matched.label), given[row]);
                        let number = request.first + row;
                        let kept = number + KEPT >= rows && request.time >= forgotten;
                        prop_assert_eq!(matched.inputs.is_some(), kept);
                        if let Some(inputs) = matched.inputs {
                            prop_assert_eq!(inputs[0], number as f64);
                            // Of a column that is never kept.
                            prop_assert!(inputs[1].is_nan());
                        }
                    }
                }
                Step::Forget(steps) => {
                    forgotten = forgotten.max(time.saturating_sub(steps));
                    ledger.forget_inputs_before(forgotten);
                }
            }
        }
    }

    /// What nobody fetched in time is what a ledger of the same size would have forgotten.
    #[test]
    fn a_ring_that_runs_over_keeps_the_newest(requests in 1..40_u64, early in 0..10_u64) {
        let mut answers = Answers::new(CAPACITY, 1, KEPT);
        let mut spare = Answers::new(CAPACITY, 1, KEPT);
        let mut ledger = Ledger::new(CAPACITY, 1, KEPT);
        for request in 0..requests {
            let answered = Answered { request, time: request, answer: 1.0, ..Answered::default() };
            answers.push(answered, &[request as f64], &[false]);
            if request == early {
                answers.swap(&mut spare);
                ledger.take(&mut spare);
            }
        }
        answers.swap(&mut spare);
        ledger.take(&mut spare);
        for request in 0..requests {
            let labelled = ledger.label(request, &[Some(0.0)]);
            if request + (CAPACITY as u64) < requests {
                prop_assert_eq!(labelled, Err(LabelError::Unknown));
                continue;
            }
            let matched = labelled.unwrap().matched.remove(0);
            let kept = request + KEPT as u64 >= requests;
            prop_assert_eq!(matched.inputs, kept.then(|| vec![request as f64]));
        }
    }
}
