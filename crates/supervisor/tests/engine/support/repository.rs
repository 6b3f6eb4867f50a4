//! The bare repository of a test, and the smallest overlays.

use git2::{FileMode, Repository, Signature, build::TreeUpdateBuilder};
use std::path::Path;

pub const OVERLAY: &str = "kustomize/overlays/local/api/kustomization.yaml";
pub const RELEASE: &str = "kustomize/overlays/local/api/release/kustomization.yaml";
const BRANCH: &str = "refs/heads/main";

pub fn init(home: &Path) {
    Repository::init_bare(home.join("gitops.git")).unwrap();
}

/// Commits files to `main`; an empty text removes the file. Answers the commit.
pub fn commit(home: &Path, files: &[(&str, &str)]) -> String {
    let repository = Repository::open_bare(home.join("gitops.git")).unwrap();
    let parent = repository
        .refname_to_id(BRANCH)
        .ok()
        .map(|id| repository.find_commit(id).unwrap());
    let base = match &parent {
        Some(parent) => parent.tree().unwrap(),
        None => {
            let empty = repository.treebuilder(None).unwrap().write().unwrap();
            repository.find_tree(empty).unwrap()
        }
    };
    let mut update = TreeUpdateBuilder::new();
    for (path, text) in files {
        if text.is_empty() {
            update.remove(*path);
        } else {
            update.upsert(*path, repository.blob(text.as_bytes()).unwrap(), FileMode::Blob);
        }
    }
    let tree = repository
        .find_tree(update.create_updated(&repository, &base).unwrap())
        .unwrap();
    let who = Signature::now("test", "test@driftless.invalid").unwrap();
    let parents: Vec<_> = parent.iter().collect();
    let id = repository.commit(Some(BRANCH), &who, &who, "a change", &tree, &parents);
    id.unwrap().to_string()
}

/// A Deployment with Service, settings and a release component; `replicas` of it.
pub fn api(replicas: u32, setting: &str) -> Vec<(&'static str, String)> {
    let overlay = format!(
        "kind: Kustomization\nnamespace: serving\nresources: [deployment.yaml, service.yaml]\ncomponents: [release]\n\
         configMapGenerator: [{{name: api, literals: [TEST_SETTING={setting}]}}]\n\
         replicas: [{{name: api, count: {replicas}}}]\n"
    );
    let deployment = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  progressDeadlineSeconds: 2
  selector:
    matchLabels: {app.kubernetes.io/name: api}
  template:
    metadata:
      labels: {app.kubernetes.io/name: api}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: api
        image: api
        envFrom: [{configMapRef: {name: api}}]
        ports: [{name: http, containerPort: 8000}]
        readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /livez, port: http}, periodSeconds: 1, failureThreshold: 2}
        resources: {limits: {memory: 64Mi}}
";
    let service = "\
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  type: NodePort
  selector: {app.kubernetes.io/name: api}
  ports: [{name: http, port: 8000, nodePort: 30080}]
";
    vec![
        (OVERLAY, overlay),
        (
            "kustomize/overlays/local/api/deployment.yaml",
            deployment.to_owned(),
        ),
        ("kustomize/overlays/local/api/service.yaml", service.to_owned()),
    ]
}

/// The release component that names an image by digest.
pub fn release(image: &str) -> String {
    let (name, digest) = image.split_once('@').unwrap();
    format!("kind: Component\nimages: [{{name: api, newName: {name}, digest: \"{digest}\"}}]\n")
}
