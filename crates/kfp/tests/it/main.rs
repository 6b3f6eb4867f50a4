//! The crate from outside: what is built, written, read, and what Python makes of it.

mod generate;
mod oracle;
mod problems;
mod python;
mod reference;
mod round_trip;
mod run;
mod sdk;
mod speed;
mod yaml;
