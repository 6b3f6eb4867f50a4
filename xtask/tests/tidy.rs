//! Each house rule, provoked.

mod support;

use serde_json::json;
use std::sync::Arc;
use xtask::{
    cmd::{self, render},
    exec::Fake,
    failure::{Id, PAGE},
    tidy::{self, File, edges},
};

/// What `check` says about one file beside a complete page of failures.
fn findings(path: &str, text: &str) -> Vec<String> {
    let page: String = Id::ALL.iter().map(|id| format!("## {}\n", id.text())).collect();
    let mut files = vec![File::new(path, text)];
    if path != PAGE {
        files.push(File::new(PAGE, page));
    }
    tidy::check(&files).iter().map(ToString::to_string).collect()
}

/// Exactly one finding, of this rule.
fn breaks(rule: &str, path: &str, text: &str) {
    let found = findings(path, text);
    assert!(
        found.len() == 1 && found[0].contains(&format!(": {rule}: ")),
        "{path}: expected one finding of {rule}, found {found:?}"
    );
}

fn passes(path: &str, text: &str) {
    assert_eq!(findings(path, text), [] as [&str; 0], "{path}");
}

#[test]
fn length_counts_source_but_not_data() {
    let lines = |count: usize| "//\n".repeat(count);
    passes("api/src/x.rs", &lines(400));
    breaks("length", "api/src/x.rs", &lines(401));
    passes("Cargo.lock", &lines(9000));
}

#[test]
fn unfinished_work() {
    for word in [
        concat!("// FIX", "ME later"),
        concat!("to", "do!()"),
        concat!("#[ig", "nore]"),
        concat!("#![allow(dead", "_code)]"),
    ] {
        breaks("unfinished", "trainer/src/x.rs", word);
    }
}

#[test]
fn pure_crates_touch_nothing_but_in_tests() {
    breaks("pure", "crates/drift/src/ks.rs", "use std::fs;\n");
    passes(
        "crates/drift/src/ks.rs",
        "#[cfg(test)]\nmod tests { use std::fs; }\n",
    );
    passes("crates/drift/tests/oracle.rs", "use std::fs;\n");
    passes("crates/oci/src/layout.rs", "use std::fs;\n");
    passes("crates/drift/src/ks.rs", "/// Not std::fs.\n");
}

#[test]
fn one_file_of_xtask_starts_processes() {
    let text = concat!("use std::process::", "Command;\n");
    breaks("executor", "xtask/src/cmd/up.rs", text);
    passes("xtask/src/exec.rs", text);
}

#[test]
fn machines_are_nobodys() {
    breaks("machine", "docs/a.md", concat!("see /ro", "ot/x"));
    breaks("machine", "api/src/x.rs", concat!("\"/ho", "me/someone/x\""));
    passes("api/src/x.rs", concat!("{path}/ro", "ot/bin"));
}

#[test]
fn yaml_that_is_applied() {
    let deployment = "kind: Deployment\nmetadata:\n  name: web\n  labels:\n    app.kubernetes.io/name: web\n";
    passes("manifests/web/deployment.yaml", deployment);
    passes("manifests/web/job-smoke.yaml", "kind: Job\n");
    passes(
        "kustomize/overlays/local/web/patches/anything.yaml",
        "kind: Deployment\n",
    );
    passes(
        "kustomize/overlays/local/web/kustomization.yaml",
        "kind: Kustomization\n",
    );
    passes("docs/example.yaml", "a: 1\n---\nb: 2\n");

    breaks(
        "one object",
        "manifests/web/service.yaml",
        "kind: Service\n---\nkind: Service\n",
    );
    breaks("one object", "manifests/web/service.yaml", "a: 1\n");
    breaks("syntax", "manifests/web/service.yaml", "a: [\n");
    breaks("name", "manifests/web/web.yaml", deployment);
    breaks(
        "name",
        "argocd/access/who.yaml",
        "kind: Role\nmetadata:\n  name: who\n",
    );
    passes(
        "argocd/environments/prod/settings.yaml",
        "kind: ConfigMap\nmetadata:\n  name: settings\n",
    );
    breaks(
        "argocd",
        "argocd/apps/deployment.yaml",
        "kind: Deployment\nmetadata:\n  name: web\n",
    );
    passes(
        "argocd/install/patches/redis.yaml",
        "kind: Deployment\nmetadata:\n  name: redis\n",
    );
    breaks("name", "manifests/web/service.yml", "kind: Service\n");
    breaks(
        "name",
        "manifests/web/deployment.yaml",
        &deployment.replace("name: web\n  l", "name: other\n  l"),
    );
    breaks(
        "label",
        "manifests/web/deployment.yaml",
        &deployment.replace("/name: web", "/name: other"),
    );
    breaks(
        "base",
        "manifests/web/service.yaml",
        "kind: Service\nmetadata:\n  namespace: x\n",
    );
}

#[test]
fn what_is_upstreams_is_left_alone() {
    let two = "kind: Service\nmetadata: {name: x, namespace: y}\n---\nkind: Secret\n";
    passes("manifests/x/upstream/all.yaml", two);
    breaks("one object", "manifests/x/service.yaml", two);
    let other = "kind: Deployment\nmetadata: {name: theirs, labels: {app.kubernetes.io/name: theirs}}\n";
    passes("manifests/x/patches/theirs.yaml", other);
    assert!(!findings("manifests/x/deployment.yaml", other).is_empty());
}

#[test]
fn tags_are_fixed_and_quoted() {
    let path = "kustomize/overlays/local/web/kustomization.yaml";
    let with = |line: &str| format!("kind: Kustomization\nimages:\n  - name: web\n    {line}\n");
    passes(path, &with("newTag: \"12\""));
    breaks("quotes", path, &with("newTag: 12"));
    breaks("quotes", path, &with("digest: sha256:00"));
    breaks("latest", path, &with("newTag: \"latest\""));
    breaks("latest", path, &with("image: web:latest"));
}

#[test]
fn decisions_have_numbers_of_their_own() {
    let page: String = Id::ALL.iter().map(|id| format!("## {}\n", id.text())).collect();
    let files = [
        "docs/adr/0001-a.md",
        "docs/adr/0001-b.md",
        "docs/adr/README.md",
        PAGE,
    ]
    .map(|path| File::new(path, if path == PAGE { page.as_str() } else { "" }));
    let found = tidy::check(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].to_string(),
        "docs/adr/0001-b.md:0: decision: 0001 is also docs/adr/0001-a.md"
    );
    breaks("decision", "docs/adr/first.md", "");
}

#[test]
fn commands_in_documents_exist() {
    passes(
        "README.md",
        "Type `cargo xtask up`, or:\n```console\n$ cargo xtask up --from train  # resumes\n```\n",
    );
    passes(
        "README.md",
        "`cargo xtask NAME --help`, `cargo xtask promote`, `cargo xtask logs training`\n",
    );
    breaks("command", "README.md", "Type `cargo xtask fly`.\n");
    breaks(
        "command",
        "docs/x.md",
        "```console\n$ cargo xtask up --fast\n```\n",
    );
    passes("README.md", "prose about cargo xtask fly without quotes\n");
}

#[test]
fn failures_and_headings_belong_together() {
    let all: String = Id::ALL.iter().map(|id| format!("## {}\n", id.text())).collect();
    passes(PAGE, &all);
    breaks("failures", PAGE, &all.replace("## port-taken\n", ""));
    breaks("failures", PAGE, &format!("{all}## no-such-failure\n"));
    let none = tidy::check(&[]);
    assert_eq!(none.len(), 1, "a missing page is found: {none:?}");
}

#[test]
fn advice_names_commands_that_exist() {
    for id in Id::ALL {
        for part in id.advice().split(", ").flat_map(|part| part.split("then ")) {
            if let Some(place) = part.find("cargo xtask ") {
                let command = &part[place..];
                let known = command.split_whitespace().nth(2).is_some_and(|word| {
                    xtask::flags::GROUPS
                        .iter()
                        .any(|(_, names)| names.contains(&word))
                        || word.starts_with("--")
                });
                assert!(
                    known || command.starts_with("cargo xtask to end"),
                    "{}: {command}",
                    id.text()
                );
            }
        }
    }
}

fn edge(from: &str, to: &[&str], more: &[(&str, &[&str])]) -> Vec<String> {
    let package = |name: &str, to: &[&str]| {
        let dependencies: Vec<_> = to.iter().map(|to| json!({"name": to, "kind": null})).collect();
        json!({"name": name, "dependencies": dependencies})
    };
    let mut packages = vec![package(from, to)];
    packages.extend(more.iter().map(|(name, to)| package(name, to)));
    let graph = edges::graph(&json!({ "packages": packages }));
    edges::check(&graph).iter().map(ToString::to_string).collect()
}

#[test]
fn forbidden_edges_also_by_way_of_others() {
    assert_eq!(edge("drift", &["serde", "thiserror"], &[]), [] as [&str; 0]);
    assert!(edge("drift", &["tokio"], &[])[0].contains("drift -> tokio: it is pure"));
    let by_way = edge("inference-api", &["helper"], &[("helper", &["git2"])]);
    assert!(
        by_way[0].contains("inference-api -> helper -> git2"),
        "{by_way:?}"
    );
    assert!(
        edge("supervisor", &["gitops"], &[])
            .iter()
            .any(|line| line.contains("only `trainer promote`"))
    );
    assert!(edge("xtask", &["reqwest"], &[])[0].contains("stays light"));
    for (from, to) in [
        ("kfp", "kfp-run"),
        ("kfp", "tempfile"),
        ("kfp-run", "kube"),
        ("kfp-run", "kfp-client"),
        ("kfp-client", "kfp"),
        ("e2e", "kfp-client"),
        ("inference-api", "kfp"),
        ("supervisor", "kfp-run"),
    ] {
        assert!(!edge(from, &[to], &[]).is_empty(), "{from} -> {to}");
    }
    assert_eq!(
        edge("trainer", &["kfp", "kfp-run", "kfp-client"], &[]),
        [] as [&str; 0]
    );
    assert_eq!(
        edge("trainer", &["gitops", "mlflow-client"], &[]),
        [] as [&str; 0]
    );
}

#[test]
fn dependencies_of_tests_are_no_edges() {
    let metadata =
        json!({"packages": [{"name": "drift", "dependencies": [{"name": "tempfile", "kind": "dev"}]}]});
    assert_eq!(edges::check(&edges::graph(&metadata)), []);
}

#[test]
fn the_command_fails_on_a_finding() {
    let clone = support::Clone::new();
    clone.put("manifests/web/web.yaml", "kind: Deployment\n");
    let world = Fake::new().says("cargo", &["metadata"], 0, r#"{"packages":[]}"#, "");
    let failure = cmd::tidy::command(&clone.ctx(Arc::new(world))).unwrap_err();
    assert_eq!(failure.id, Id::CheckFailed);
    assert!(
        failure
            .detail
            .iter()
            .any(|line| line.starts_with("manifests/web/web.yaml:0: name:")),
        "{failure:?}"
    );
}

#[test]
fn rendered_images_and_selectors() {
    let object = |image: &str, replicas: u32, label: &str| {
        let text = format!(
            "kind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  selector: {{matchLabels: {{{label}: web}}}}\n  \
             template: {{spec: {{containers: [{{name: web, image: \"{image}\"}}]}}}}\n"
        );
        render::check_object(&render::parse("web", &text).unwrap()[0])
    };
    let name = "app.kubernetes.io/name";
    let digest = format!("web@sha256:{}", "0".repeat(64));
    for image in [digest.as_str(), "web:v1", "host:5000/web:v1"] {
        assert_eq!(object(image, 1, name), [] as [&str; 0], "{image}");
    }
    for image in ["web", "web:latest", "host:5000/web", "web@sha256:00"] {
        assert!(
            object(image, 1, name)[0].contains("no digest and no fixed tag"),
            "{image}"
        );
    }
    // Before the first promotion there is nothing to run.
    assert_eq!(object("web", 0, name), [] as [&str; 0]);
    assert_eq!(object("web:v1", 1, "tier"), ["Deployment/web: selector has tier"]);
}
