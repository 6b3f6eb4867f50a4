//! Benchmarks, each beside what it is compared to.

fn main() {}
