//! End-to-end scenarios against the engine trait.
