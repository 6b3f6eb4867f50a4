//! The inference API: one model, one process, drift noticed in the request path.

fn main() {}
