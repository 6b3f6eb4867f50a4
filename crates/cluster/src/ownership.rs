//! Pure: whose cluster this is.

use std::collections::BTreeMap;

/// A label that `xtask up` puts on the namespaces it makes.
pub const OWNED_BY: (&str, &str) = ("driftless.dev/owned-by", "xtask");
/// Namespaces that this project makes.
pub const NAMESPACES: &[&str] = &[
    "serving",
    "training",
    "kubeflow",
    "observability",
    "argocd",
    "gitops",
];
/// The two that say whose cluster it is.
const TELLING: &[&str] = &["argocd", "gitops"];

/// See [`owner`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Set up by this project.
    Driftless,
    /// Nothing runs there but Kubernetes.
    Empty,
    /// Somebody works there.
    Foreign,
}

impl Owner {
    /// The word in the answer of `inspect`.
    pub fn word(self) -> &'static str {
        match self {
            Owner::Driftless => "driftless",
            Owner::Empty => "empty",
            Owner::Foreign => "foreign",
        }
    }
}

/// A namespace that Kubernetes or a distribution of it brings along.
pub fn is_systems(namespace: &str) -> bool {
    namespace.starts_with("kube-")
        || matches!(
            namespace,
            "local-path-storage" | "kubernetes-dashboard" | "cattle-system"
        )
}

/// `namespaces` with their labels; `workloads` are the namespaces of everything that runs.
pub fn owner(namespaces: &BTreeMap<String, BTreeMap<String, String>>, workloads: &[String]) -> Owner {
    let is_ours = |name: &&str| {
        let labels = namespaces.get(*name);
        labels
            .and_then(|labels| labels.get(OWNED_BY.0))
            .map(String::as_str)
            == Some(OWNED_BY.1)
    };
    if TELLING.iter().any(is_ours) {
        return Owner::Driftless;
    }
    let taken = NAMESPACES.iter().any(|name| namespaces.contains_key(*name));
    let runs = workloads.iter().any(|namespace| !is_systems(namespace));
    match taken || runs {
        true => Owner::Foreign,
        false => Owner::Empty,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(namespaces: &[(&str, bool)], workloads: &[&str]) -> Owner {
        let namespaces = namespaces.iter().map(|(name, ours)| {
            let label = ours.then(|| (OWNED_BY.0.to_owned(), OWNED_BY.1.to_owned()));
            ((*name).to_owned(), label.into_iter().collect())
        });
        let workloads: Vec<String> = workloads.iter().map(|name| (*name).to_owned()).collect();
        owner(&namespaces.collect(), &workloads)
    }

    #[test]
    fn whose_it_is() {
        let plain = [("default", false), ("kube-system", false)];
        assert_eq!(cluster(&plain, &["kube-system"]), Owner::Empty);
        assert_eq!(cluster(&plain, &["kube-system", "default"]), Owner::Foreign);
        assert_eq!(cluster(&[("shop", false)], &[]), Owner::Empty);
        assert_eq!(cluster(&[("shop", false)], &["shop"]), Owner::Foreign);
        assert_eq!(
            cluster(&[("gitops", true)], &["gitops", "shop"]),
            Owner::Driftless
        );
        assert_eq!(
            cluster(&[("argocd", true), ("serving", false)], &["argocd"]),
            Owner::Driftless
        );
        // An Argo CD of somebody else's, and a namespace whose name is ours.
        assert_eq!(cluster(&[("argocd", false)], &["argocd"]), Owner::Foreign);
        assert_eq!(cluster(&[("serving", false)], &[]), Owner::Foreign);
        assert_eq!(cluster(&[("serving", true)], &[]), Owner::Foreign);
    }
}
