//! Any bytes: reading ends, and what can be read can be run.
//!
//! `cargo +nightly fuzz run plan corpus/plan` in the folder above.

#![no_main]

#[path = "../try_out.rs"]
mod try_out;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| try_out::try_out(bytes));
