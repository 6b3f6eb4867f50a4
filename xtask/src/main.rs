//! Everything a person or CI does in this repository.

fn main() {}
