//! How long it takes.

use crate::reference;
use kfp::Pipeline;
use kfp::check::{Level, check};
use std::time::{Duration, Instant};

/// The bar, for a program that was optimised.
const BAR: Duration = Duration::from_millis(5);
/// Unoptimised code on a busy machine is slower, and still far from noticeable.
const BAR_OF_TESTS: Duration = Duration::from_millis(50);

#[test]
fn emitting_and_checking_are_fast() {
    let pipeline = reference::retrain();
    let mut emitted = Vec::new();
    let mut read = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        check(&pipeline, Level::Ours).expect("is right");
        let document = pipeline.emit().expect("is right");
        emitted.push(start.elapsed());
        let start = Instant::now();
        Pipeline::read(&document.text).expect("was written by us");
        read.push(start.elapsed());
    }
    emitted.sort();
    read.sort();
    println!(
        "emit and check: median {:?}, longest {:?}; read: median {:?}",
        emitted[25], emitted[49], read[25]
    );
    let bar = if cfg!(debug_assertions) { BAR_OF_TESTS } else { BAR };
    assert!(emitted[25] <= bar, "{:?}, expected {bar:?} at most", emitted[25]);
}
