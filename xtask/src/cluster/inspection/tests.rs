//! What speaks against a cluster.

use super::*;

fn cluster() -> Cluster {
    Cluster {
        engine: Keeper::Cluster,
        context: "somewhere".to_owned(),
        environment: "minikube".to_owned(),
        registry: "localhost:5000/driftless".to_owned(),
        registry_in_cluster: "localhost:5000/driftless".to_owned(),
        git_url: None,
        upstream_mirror: None,
        profile: None,
        profile_typed: false,
        any_cluster: false,
    }
}

fn node(free: u64) -> Node {
    Node {
        name: "one".to_owned(),
        ready: true,
        memory_allocatable_mib: free,
        ..Node::default()
    }
}

#[test]
fn an_empty_cluster_will_do_and_a_foreign_one_must_be_meant() {
    let mut found = Inspection::empty();
    found.nodes = vec![node(4096)];
    assert!(found.check(&cluster(), || Ok((Profile::Lite, None))).is_ok());
    found.owner = "foreign".to_owned();
    assert_eq!(
        found
            .check(&cluster(), || Ok((Profile::Lite, None)))
            .unwrap_err()
            .id,
        Id::ClusterForeign
    );
    let meant = Cluster {
        any_cluster: true,
        ..cluster()
    };
    assert!(found.check(&meant, || Ok((Profile::Lite, None))).is_ok());
}

#[test]
fn what_does_not_fit_is_named_with_what_to_leave_out() {
    let mut found = Inspection::empty();
    found.nodes = vec![node(1200)];
    let failure = found.check(&cluster(), || Ok((Profile::Lite, None))).unwrap_err();
    assert_eq!(failure.id, Id::ClusterTooSmall);
    assert!(
        failure.detail.iter().any(|line| line.contains("--git-url")),
        "{failure:?}"
    );
    let hosted = Cluster {
        git_url: Some("https://git.invalid/x".to_owned()),
        ..cluster()
    };
    assert!(found.check(&hosted, || Ok((Profile::Lite, None))).is_ok());
}

#[test]
fn pipelines_are_counted_where_they_are_not_there_yet() {
    let (full, lite) = (Profile::Full, Profile::Lite);
    let mut found = Inspection::empty();
    found.nodes = vec![node(2700)];
    assert!(found.check(&cluster(), || Ok((lite, None))).is_ok());
    let failure = found.check(&cluster(), || Ok((full, None))).unwrap_err();
    assert_eq!(failure.id, Id::ClusterTooSmall);
    assert!(failure.causes[0].contains("needed are 2816"), "{failure}");
    let without = failure.detail.iter().any(|line| line.contains("--profile lite"));
    assert!(without, "{failure:?}");
    // Ours: only what is new counts.
    found.owner = "driftless".to_owned();
    found.nodes = vec![node(1400)];
    let failure = found.check(&cluster(), || Ok((full, Some(lite)))).unwrap_err();
    assert_eq!(failure.detail.len(), 1, "{failure:?}");
    assert!(found.check(&cluster(), || Ok((full, Some(full)))).is_ok());
    assert!(found.check(&cluster(), || Ok((lite, Some(full)))).is_ok());
    found.nodes = vec![node(1600)];
    assert!(found.check(&cluster(), || Ok((full, Some(lite)))).is_ok());
    // A Minikube that was made for lite has room for requests, not for what runs.
    let minikube = Cluster {
        engine: Keeper::Minikube,
        ..cluster()
    };
    found.nodes = vec![node(3900)];
    let failure = found.check(&minikube, || Ok((full, Some(lite)))).unwrap_err();
    assert_eq!(failure.id, Id::ClusterTooSmall);
    assert!(failure.next.contains("down --purge"), "{failure}");
    found.nodes = vec![node(5900)];
    assert!(found.check(&minikube, || Ok((full, Some(lite)))).is_ok());
}

#[test]
fn an_argo_cd_that_is_there_is_used_when_new_enough() {
    let mut found = Inspection::empty();
    found.argocd = Argocd {
        installed: true,
        version: Some("v3.1.4".to_owned()),
        ..Argocd::default()
    };
    assert_eq!(
        found
            .check(&cluster(), || Ok((Profile::Lite, None)))
            .unwrap_err()
            .id,
        Id::ArgocdTooOld
    );
    found.argocd.version = Some("v3.2.0".to_owned());
    assert!(found.check(&cluster(), || Ok((Profile::Lite, None))).is_ok());
}

#[test]
fn every_missing_right_is_named_with_a_role() {
    let mut found = Inspection::empty();
    let right = |verb: &str, namespace: Option<&str>| Right {
        verb: verb.to_owned(),
        resource: "secrets".to_owned(),
        namespace: namespace.map(str::to_owned),
        allowed: false,
    };
    found.may = vec![right("create", None), right("get", Some("gitops"))];
    let failure = found.check(&cluster(), || Ok((Profile::Lite, None))).unwrap_err();
    assert_eq!(failure.id, Id::ClusterForbidden);
    assert_eq!(
        failure.detail,
        [
            "may not create secrets in the whole cluster (ClusterRole cluster-admin has it)",
            "may not get secrets in namespace gitops (ClusterRole view, bound there has it)",
        ]
    );
}
