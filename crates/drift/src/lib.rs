//! Two-sample statistics and the drift window.
