//! Tests of the drift crate from outside, in one program so that they share the oracle.

mod categories;
mod npy;
mod oracle;
mod properties;
mod scipy;
mod statistics;
mod window;
