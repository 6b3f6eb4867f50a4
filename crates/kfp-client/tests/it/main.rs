//! The client against a scripted server that answers as a real 2.17.0 does, and against a real one.

mod before_sending;
mod failing;
mod messages;
mod real;
mod recurring;
mod running;
mod support;
mod trouble;
mod uploads;
