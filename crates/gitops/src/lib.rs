//! The release file and the one commit that promotes it.
