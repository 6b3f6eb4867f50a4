//! Load with a fixed rate or a fixed number of connections; counts every failure.
