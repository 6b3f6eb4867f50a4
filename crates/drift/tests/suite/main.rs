//! Tests of the drift crate from outside, in one program so that they share the oracle.

mod categories;
mod compare;
mod counts;
mod episodes;
mod ledger;
mod npy;
mod oracle;
mod performance;
mod picture;
mod pooled;
mod properties;
mod rule;
mod scipy;
mod scores;
mod statistics;
mod window;
