//! The bridge against a real cluster with a real Argo CD. Needs `DRIFTLESS_TEST_CONTEXT`,
//! `DRIFTLESS_TEST_GIT_URL` (a Git server over http that the cluster reaches and where a first push
//! makes a repository) and `DRIFTLESS_TEST_GIT_CREDENTIALS` (a file of git's credential store).
//! Everything is made in namespace `cluster-tests`, and an AppProject and an Application of that name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bridge;
mod fixture;
mod live;
mod runs;
mod trouble;

/// The lab, or the end of the test with the reason why there is none.
macro_rules! lab {
    ($name:literal) => {
        match crate::fixture::Lab::open() {
            Ok(lab) => lab,
            Err(why) => return eprintln!("SKIPPED {}: {why}", $name),
        }
    };
}
pub(crate) use lab;
