//! The trainer as a program, from outside.

mod bad_data;
mod edges;
mod help;
mod kills;
mod races;
mod support;
mod the_loop;
mod triggers;
mod triggers_killed;
