//! Python environments from lock files with hashes: `target/tools/mlflow`, `target/tools/oracle`, ….
//!
//! A marker with the lock's SHA-256 makes the second time free and a half-made one be made again.

use crate::{
    ctx::Ctx,
    exec::Cmd,
    failure::{Failure, Id, Outcome},
    step::{Deadline, Probe},
    tools,
};
use std::path::PathBuf;

/// One environment.
pub struct Venv {
    /// Folder below `target/tools` and name of the lock file.
    pub name: &'static str,
    /// A program of it that proves it was installed.
    pub proof: &'static str,
}

/// The tracking server and kubectl.
pub const MLFLOW: Venv = Venv {
    name: "mlflow",
    proof: "bin/mlflow",
};
/// kubectl alone, for clusters.
pub const KUBECTL: Venv = Venv {
    name: "kubectl",
    proof: "bin/kubectl",
};
/// scikit-learn, scipy, onnxruntime, mlflow: what the tests compare with.
pub const ORACLE: Venv = Venv {
    name: "oracle",
    proof: "bin/python",
};

/// Clients of the serving protocols: Triton's, KServe's, MLflow's; schemathesis.
pub const CLIENTS: Venv = Venv {
    name: "clients",
    proof: "bin/schemathesis",
};
/// The Kubeflow Pipelines SDK and the published messages.
pub const KFP: Venv = Venv {
    name: "kfp",
    proof: "bin/kfp",
};
/// What `bench rows` compares with.
pub const MLSERVER: Venv = Venv {
    name: "mlserver",
    proof: "bin/mlserver",
};
/// What `bench drift offline` compares with.
pub const EVIDENTLY: Venv = Venv {
    name: "evidently",
    proof: "bin/evidently",
};

impl Venv {
    fn lock(&self, ctx: &Ctx) -> PathBuf {
        ctx.root.join("xtask/python").join(format!("{}.lock", self.name))
    }

    fn marker(&self, ctx: &Ctx) -> PathBuf {
        ctx.venv(self.name).join("driftless-lock.sha256")
    }

    fn digest(&self, ctx: &Ctx) -> Outcome<String> {
        let lock = self.lock(ctx);
        let bytes = ctx.exec.read(&lock).map_err(|error| {
            Failure::new(Id::PythonPackages, format!("read {}", ctx.short(&lock))).because(error)
        })?;
        Ok(contract::sha256_hex(&bytes))
    }

    /// Looks at the marker.
    ///
    /// # Errors
    /// When there is no lock file.
    pub fn probe(&self, ctx: &Ctx) -> Outcome<Probe> {
        let digest = self.digest(ctx)?;
        let proof = ctx.venv(self.name).join(self.proof);
        let marked = ctx
            .read_text(&self.marker(ctx))
            .is_some_and(|text| text.trim() == digest);
        Ok(
            if marked && ctx.exec.find(&proof.display().to_string()).is_some() {
                Probe::Done(format!("{} as locked", ctx.short(&ctx.venv(self.name))))
            } else {
                Probe::Needed(format!("Python packages of {}", ctx.short(&self.lock(ctx))))
            },
        )
    }

    /// Makes the environment from nothing. pip only takes files whose hashes are in the lock.
    ///
    /// # Errors
    /// `tool-missing`, `tool-too-old`, `python-without-venv`, `package-hash-mismatch`,
    /// `download-failed`, `disk-full`, `python-packages`.
    pub fn install(&self, ctx: &Ctx, deadline: Deadline) -> Outcome<String> {
        tools::check(ctx, &tools::PYTHON)?;
        let dir = ctx.venv(self.name);
        let attempted = format!("make the Python environment {}", ctx.short(&dir));
        ctx.exec
            .remove_tree(&dir)
            .map_err(|error| Failure::new(Id::PythonPackages, attempted.clone()).because(error))?;
        let make = Cmd::changes("python3")
            .args(["-m", "venv"])
            .path(&dir)
            .deadline(deadline.left());
        ctx.must(Id::PythonWithoutVenv, &attempted, &make)?;
        ctx.report.waiting(format!(
            "downloads and unpacks the packages of {}.lock",
            self.name
        ));
        let pip = Cmd::changes(dir.join("bin/pip").display().to_string())
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-input",
                "--no-deps",
            ])
            .args(["--require-hashes", "--requirement"])
            .path(self.lock(ctx))
            .deadline(deadline.left());
        let attempted = format!("install the packages of {}", ctx.short(&self.lock(ctx)));
        ctx.must(Id::PythonPackages, &attempted, &pip)?;
        ctx.write(Id::PythonPackages, &self.marker(ctx), &self.digest(ctx)?, 0o644)?;
        Ok(format!("{} installed", ctx.short(&dir)))
    }
}
