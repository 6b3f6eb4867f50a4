//! The local engine: renders the overlays at main and runs them as processes.
