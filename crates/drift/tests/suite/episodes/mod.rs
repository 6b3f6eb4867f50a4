//! One retrain for each episode, however triggers race, die and are repeated.

mod fleet;
mod play;
mod properties;
mod simulation;
mod verdicts;
