//! Tests of the drift crate from outside, in one program so that they share the oracle.

mod categories;
mod counts;
mod npy;
mod oracle;
mod picture;
mod pooled;
mod properties;
mod rule;
mod scipy;
mod statistics;
mod window;
