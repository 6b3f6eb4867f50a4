//! Cases of the environment: Kubernetes' rules as data.

use super::*;
use proptest::prelude::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
}

fn container(yaml: &str) -> Container {
    serde_yaml::from_str(&format!("name: c\n{yaml}")).unwrap()
}

fn with<T>(check: impl FnOnce(&Surroundings<'_>) -> T) -> T {
    check(&Surroundings {
        pod_name: "api-1",
        namespace: "serving",
        labels: &map(&[("app", "api")]),
        annotations: &map(&[("driftless.dev/image-tag", "m3-abcdef0")]),
        config_maps: &BTreeMap::from([(
            "settings".to_owned(),
            map(&[("A", "from map"), ("URL", "http://m.t:5000")]),
        )]),
        image: &map(&[("PATH", "/bin"), ("A", "from image")]),
        engine: &map(&[("DRIFTLESS_HOME", "/srv/driftless")]),
        overrides: &map(&[("FORCED", "yes")]),
        services: &[ServicePort {
            namespace: "t".into(),
            service: "m".into(),
            port: 5000,
            host_port: 30500,
            selector: BTreeMap::new(),
        }],
    })
}

#[test]
fn sources_in_order_with_expansion_and_rewriting() {
    let container = container(
        "envFrom: [{configMapRef: {name: settings}}, {prefix: P_, configMapRef: {name: settings}}, {secretRef: {name: s}}, {configMapRef: {name: gone, optional: true}}]\n\
         env:\n\
         - {name: GIT_URL, value: 'file://$(DRIFTLESS_HOME)/gitops.git'}\n\
         - {name: TWICE, value: '$(GIT_URL)+$(LATER)'}\n\
         - {name: LATER, value: x}\n\
         - {name: FORCED, value: 'no'}\n\
         - {name: KEY, valueFrom: {configMapKeyRef: {name: settings, key: A}}}\n\
         - {name: NONE, valueFrom: {configMapKeyRef: {name: settings, key: B, optional: true}}}\n\
         - {name: TAG, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['driftless.dev/image-tag']\"}}}\n\
         - {name: ABSENT, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['x']\"}}}\n\
         - {name: ME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}\n\
         - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}",
    );
    let made = with(|around| variables(&container, around)).unwrap();
    assert_eq!(
        made,
        map(&[
            ("PATH", "/bin"),
            ("A", "from map"),
            ("P_A", "from map"),
            ("P_URL", "http://127.0.0.1:30500"),
            ("URL", "http://127.0.0.1:30500"),
            ("DRIFTLESS_HOME", "/srv/driftless"),
            ("GIT_URL", "file:///srv/driftless/gitops.git"),
            ("TWICE", "file:///srv/driftless/gitops.git+$(LATER)"),
            ("LATER", "x"),
            ("FORCED", "yes"),
            ("KEY", "from map"),
            ("TAG", "m3-abcdef0"),
            ("ABSENT", ""),
            ("ME", "api-1"),
        ])
    );
}

#[test]
fn names_what_is_missing() {
    let gone = container("envFrom: [{configMapRef: {name: gone}}]");
    let error = with(|around| variables(&gone, around)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "envFrom refers to ConfigMap \"gone\", which the overlay does not have"
    );
    let key = container("env: [{name: V, valueFrom: {configMapKeyRef: {name: settings, key: B}}}]");
    let error = with(|around| variables(&key, around)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "V refers to key \"B\" of ConfigMap \"settings\", which has no such key"
    );
}

#[test]
fn expansion_as_in_kubernetes() {
    // Cases of k8s.io/kubernetes third_party/forked/golang/expansion, in their words.
    let known = map(&[("VAR_A", "A"), ("VAR_EMPTY", "")]);
    for (text, expected) in [
        ("$(VAR_A)", "A"),
        ("___$(VAR_A)___", "___A___"),
        ("$(VAR_A)_$(VAR_A)", "A_A"),
        ("f$(VAR_EMPTY)g", "fg"),
        ("$(VAR_NOPE)", "$(VAR_NOPE)"),
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$$(VAR_A)", "$$A"),
        ("$VAR_A", "$VAR_A"),
        ("$(VAR_A", "$(VAR_A"),
        ("foo$", "foo$"),
        ("$()", "$()"),
        ("\u{e9}$(VAR_A)\u{e9}", "\u{e9}A\u{e9}"),
    ] {
        assert_eq!(expand(text, &known), expected, "{text}");
    }
}

#[test]
fn command_and_args_replace_entrypoint_and_cmd() {
    let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let (entrypoint, cmd) = (words(&["/trainer"]), words(&["help"]));
    for (yaml, expected) in [
        ("", words(&["/trainer", "help", "--force"])),
        ("args: [run, $(X)]", words(&["/trainer", "run", "1", "--force"])),
        ("command: [/other]", words(&["/other", "--force"])),
        (
            "command: [/other]\nargs: ['http://m.t:5000']",
            words(&["/other", "http://127.0.0.1:30500", "--force"]),
        ),
    ] {
        let line = with(|around| {
            let known = map(&[("X", "1")]);
            command_line(
                &entrypoint,
                &cmd,
                &container(yaml),
                &words(&["--force"]),
                &known,
                around,
            )
        });
        assert_eq!(line, expected, "{yaml}");
    }
}

proptest! {
    #[test]
    fn expansion_without_dollars_is_identity(text in "[^$]*") {
        prop_assert_eq!(expand(&text, &map(&[("A", "b")])), text);
    }

    #[test]
    fn expansion_never_panics(text in "[$()A\u{e9} ]*") {
        let _ = expand(&text, &map(&[("A", "b")]));
    }
}
