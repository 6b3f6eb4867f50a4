//! Reading, asking the model and writing at the same time, in order.

use super::{
    ScoreError,
    answer::Answer,
    progress::Progress,
    sink::Sink,
    source::{Block, Source, Values},
};
use crate::{
    error::ApiError,
    served::{Served, Traffic},
    table::Table,
    tensor::{Data, Tensor},
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

struct Job {
    number: usize,
    block: Block,
    inputs: Vec<Tensor>,
}

/// Rows and their values, or why there are none; by number of the block.
type Done = (usize, Result<(usize, Vec<Values>), ScoreError>);

/// Scores everything; how many rows that was. The first error in the order of the file is the answer.
pub(super) fn run(
    served: &Served,
    source: &mut Source,
    answer: &Answer,
    mut sink: Sink,
    threads: usize,
    shown: bool,
) -> Result<u64, ScoreError> {
    let mut progress = Progress::new(source, shown);
    let path = source.path.clone();
    // A block has a token from before it is read until it is written: one that takes long holds the
    // reader up, and not the blocks behind it in memory.
    let (tokens, token) = mpsc::channel::<()>();
    for _ in 0..2 * threads + 1 {
        let _ = tokens.send(());
    }
    let (jobs, waiting) = mpsc::channel::<Job>();
    let (answers, answered) = mpsc::channel::<Done>();
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        let (waiting, path) = (&waiting, &path);
        for _ in 0..threads {
            let answers = answers.clone();
            scope.spawn(move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(mut job) = job else { return };
                    let asked = catch_unwind(AssertUnwindSafe(|| ask(served, answer, &mut job)));
                    let result = asked.unwrap_or_else(|_| Err("the prediction failed".to_owned()));
                    let result = result
                        .map(|values| (job.block.rows, values))
                        .map_err(|problem| ScoreError::data(path, problem));
                    if answers.send((job.number, result)).is_err() {
                        return;
                    }
                }
            });
        }
        scope.spawn(move || read(served, source, &token, &jobs, &answers));
        let mut early = BTreeMap::new();
        let mut next = 0;
        // Leaving drops these two, and every thread ends with its next block.
        let (answered, tokens) = (answered, tokens);
        while let Ok((number, result)) = answered.recv() {
            early.insert(number, result);
            while let Some(result) = early.remove(&next) {
                let (rows, values) = result?;
                sink.block(rows, values)?;
                progress.rows(rows);
                next += 1;
                // Nobody wants it where all is read.
                let _ = tokens.send(());
            }
        }
        Ok(())
    })?;
    sink.finish()?;
    Ok(progress.finish())
}

/// Reads to the end, or to the first error, which takes its turn among the answers.
fn read(
    served: &Served,
    source: &mut Source,
    token: &mpsc::Receiver<()>,
    jobs: &mpsc::Sender<Job>,
    answers: &mpsc::Sender<Done>,
) {
    for number in 0.. {
        if token.recv().is_err() {
            return;
        }
        let mut table = Table::new(served.columns(), usize::MAX, usize::MAX);
        // A file that is not what it says it is may be more than its reader expects.
        let read = catch_unwind(AssertUnwindSafe(|| source.block(&mut table)));
        let read = read.unwrap_or_else(|_| Err(ScoreError::data(&source.path, "the file is damaged")));
        // Where sending fails, the writer has left, and with it the tokens.
        match read {
            Ok(None) => return,
            Ok(Some(block)) => {
                let inputs = table.take(&served.signature().inputs);
                let _ = jobs.send(Job {
                    number,
                    block,
                    inputs,
                });
            }
            Err(error) => {
                let _ = answers.send((number, Err(error)));
                return;
            }
        }
    }
}

fn ask(served: &Served, answer: &Answer, job: &mut Job) -> Result<Vec<Values>, String> {
    let wanted = answer.wanted();
    match served.infer(&job.inputs, Some(&wanted), usize::MAX, Traffic::Examples) {
        Ok(tensors) => answer.values(&mut job.block, tensors),
        Err(error) => Err(first_wrong(served, job, &wanted, error)),
    }
}

/// Names the row that the model does not take: an evaluator says what is wrong, not where.
fn first_wrong(served: &Served, job: &Job, wanted: &[&str], error: ApiError) -> String {
    for row in 0..job.block.rows {
        let inputs: Vec<Tensor> = job.inputs.iter().map(|input| one_row(input, row)).collect();
        if let Err(error) = served.infer(&inputs, Some(wanted), 1, Traffic::Examples) {
            return format!("{}: {error}", job.block.places.name(row));
        }
    }
    error.to_string()
}

fn one_row(tensor: &Tensor, row: usize) -> Tensor {
    let width: usize = tensor.shape.iter().skip(1).product();
    let range = row * width..(row + 1) * width;
    let mut shape = tensor.shape.clone();
    shape[0] = 1;
    Tensor {
        name: tensor.name.clone(),
        datatype: tensor.datatype,
        shape,
        data: match &tensor.data {
            Data::Bool(values) => Data::Bool(values[range].to_vec()),
            Data::I64(values) => Data::I64(values[range].to_vec()),
            Data::F32(values) => Data::F32(values[range].to_vec()),
            Data::F64(values) => Data::F64(values[range].to_vec()),
            Data::Bytes(values) => Data::Bytes(range.map(|index| values.get(index)).collect()),
        },
    }
}
