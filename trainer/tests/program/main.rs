//! The trainer as a program, from outside.

mod bad_data;
mod edges;
mod help;
mod kills;
mod labelled;
mod races;
mod support;
mod the_loop;
