//! `secrets`: made once, kept, the same in both places, never shown.

use crate::server::Server;
use serde_json::json;

const OF_PIPELINES: [&str; 3] = [
    "kubeflow/secrets/git-credentials",
    "kubeflow/secrets/mlpipeline-minio-artifact",
    "kubeflow/secrets/mysql-secret",
];
const OF_ALL: [&str; 4] = [
    "gitops/secrets/git-admin",
    "gitops/secrets/git-robot",
    "serving/secrets/drift-exchange",
    "training/secrets/git-robot",
];

fn hidden(server: &Server, said: &str) {
    for (path, key) in [
        ("kubeflow/secrets/mysql-secret", "password"),
        ("kubeflow/secrets/mlpipeline-minio-artifact", "secretkey"),
        ("kubeflow/secrets/git-credentials", "GIT_TOKEN"),
    ] {
        let value = server.secret(path, key);
        assert!(!said.contains(&value), "{path} is shown");
    }
}

#[test]
fn pipelines_have_theirs_only_where_they_are_asked_for() {
    let server = Server::start();
    server.run(&["secrets"], &[]);
    assert_eq!(server.names(), OF_ALL);
    let (answer, said) = server.run(&["secrets", "--pipelines"], &[]);
    let made = json!([
        "kubeflow/mysql-secret",
        "kubeflow/mlpipeline-minio-artifact",
        "kubeflow/git-credentials"
    ]);
    assert_eq!(answer["made"], made);
    let mut all = [&OF_ALL[..], &OF_PIPELINES].concat();
    all.sort_unstable();
    assert_eq!(server.names(), all);
    hidden(&server, &said);
}

#[test]
fn the_keys_are_those_that_the_manifests_name() {
    let server = Server::start();
    server.run(&["secrets", "--pipelines"], &[]);
    let [git, store, database] = OF_PIPELINES;
    assert_eq!(server.secret(database, "username"), "root");
    assert_eq!(server.secret(store, "accesskey"), "kubeflow");
    let random = [
        server.secret(database, "password"),
        server.secret(store, "secretkey"),
        server.secret("gitops/secrets/git-robot", "password"),
    ];
    assert!(random.iter().all(|value| value.len() == 48), "24 random bytes");
    assert!(random[0] != random[1] && random[1] != random[2]);
    // Steps push as the same robot as training runs.
    for key in ["GIT_USERNAME", "GIT_TOKEN"] {
        assert_eq!(
            server.secret(git, key),
            server.secret("training/secrets/git-robot", key)
        );
    }
}

#[test]
fn again_keeps_them_and_one_that_was_lost_is_made_anew() {
    let server = Server::start();
    server.run(&["secrets", "--pipelines"], &[]);
    let [git, store, database] = OF_PIPELINES;
    let before = server.secret(database, "password");
    let (again, _) = server.run(&["secrets", "--pipelines"], &[]);
    assert_eq!((&again["made"], &again["updated"]), (&json!([]), &json!([])));
    let lost = server.secret(store, "secretkey");
    server.remove(store);
    let (anew, said) = server.run(&["secrets", "--pipelines"], &[]);
    assert_eq!(anew["made"], json!(["kubeflow/mlpipeline-minio-artifact"]));
    assert_ne!(server.secret(store, "secretkey"), lost);
    assert_eq!(
        server.secret(database, "password"),
        before,
        "the database knows the old one"
    );
    hidden(&server, &said);
    assert!(server.object(git).is_some());
}

#[test]
fn of_a_hosted_repository_the_token_follows_the_environment() {
    let server = Server::start();
    let args = ["secrets", "--external-git", "--pipelines"];
    server.run(&args, &[("GIT_USERNAME", "me"), ("GIT_TOKEN", "first-token")]);
    assert!(server.object("gitops/secrets/git-robot").is_none());
    let (answer, said) = server.run(&args, &[("GIT_USERNAME", "me"), ("GIT_TOKEN", "second-token")]);
    assert_eq!(
        answer["updated"],
        json!(["training/git-robot", "kubeflow/git-credentials"])
    );
    assert_eq!(
        server.secret("kubeflow/secrets/git-credentials", "GIT_TOKEN"),
        "second-token"
    );
    hidden(&server, &said);
    let (refused, _) = server.run(&args, &[("GIT_USERNAME", "me")]);
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("GIT_TOKEN")
    );
}
