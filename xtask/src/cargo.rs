//! Cargo, as xtask calls it.

use crate::{
    ctx::Ctx,
    exec::{Cmd, Show},
    report::Style,
    tools,
};

/// Packages of the release build with the binaries that come of them.
pub const BINARIES: [(&str, &str); 4] = [
    ("inference-api", "inference-api"),
    ("trainer", "trainer"),
    ("supervisor", "driftless-engine"),
    ("bench", "bench"),
];

/// What a cluster needs beside them; a local world compiles no client of Kubernetes.
const FOR_CLUSTERS: (&str, &str) = ("cluster", "driftless-cluster");

/// The binaries of this world.
pub fn binaries(ctx: &Ctx) -> impl Iterator<Item = &'static str> {
    let more = ctx.cluster.as_ref().map(|_| FOR_CLUSTERS.1);
    BINARIES.iter().map(|(_, binary)| *binary).chain(more)
}

/// What `cargo run` sets for its program. Some build scripts (ring's) run again when one of these
/// changes, and everything above them compiles again.
const SET_BY_CARGO_RUN: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_PRIMARY_",
];

/// Cargo in the workspace, its progress shown.
pub fn cargo(ctx: &Ctx) -> Cmd {
    let mut cmd = Cmd::changes("cargo").dir(&ctx.root);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if SET_BY_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix)) {
            cmd = cmd.without_env(name);
        }
    }
    match ctx.report.style() {
        Style::Quiet => cmd,
        Style::Lines => cmd.show(Show::Progress),
        // Its output goes through a pipe, to be read when it fails.
        Style::Terminal => cmd
            .show(Show::Progress)
            .shape("CARGO_TERM_COLOR", "always")
            .shape("CARGO_TERM_PROGRESS_WHEN", "always")
            .shape("CARGO_TERM_PROGRESS_WIDTH", "80"),
    }
}

/// The one form of the release build: with the same packages named each time, cargo compiles every
/// dependency once, with one set of features. Static, so that the binaries run in an empty image.
pub fn release_build(ctx: &Ctx, more: &[&str]) -> Cmd {
    let triple = tools::release_triple();
    let mut cmd = cargo(ctx)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .args(["build", "--locked", "--release", "--target", &triple]);
    let packages = BINARIES.iter().map(|(package, _)| *package);
    let cluster = ctx.cluster.as_ref().map(|_| FOR_CLUSTERS.0);
    for package in packages.chain(cluster).chain(more.iter().copied()) {
        cmd = cmd.args(["--package", package]);
    }
    cmd
}
