//! Steps with everything that a step can have.

use super::World;
use super::chance::{Chance, KINDS};
use kfp::build::{Builder, In, Param, Step, if_present, text};
use kfp::container::{Resources, Retry};
use kfp::kind::Dynamic;
use kfp::kubernetes::{Claim, EmptyDir, KeysAsEnv, Kubernetes, PullPolicy, Volume};
use kfp::model::{Input, Runtime};
use serde_json::Value;

const TITLES: [&str; 5] = [
    "system.Dataset",
    "system.Model",
    "system.Metrics",
    "system.ClassificationMetrics",
    "system.Artifact",
];
pub fn step(builder: &mut Builder, chance: &mut Chance<'_>, world: &mut World) {
    let name = chance.name("step");
    let mut step = Step::new(
        &name,
        &format!("registry:5000/step:{}", chance.of(3)),
        60 + chance.of(100) as u64,
    );
    step.command([format!("/bin/{name}"), chance.text()]);
    let mut given: Vec<(In<Dynamic>, Option<Param<Dynamic>>, Value)> = Vec::new();
    for _ in 0..chance.of(4) {
        let kind = *chance.one(&KINDS);
        let input = step.input_of(&chance.name("a"), Input::new(kind));
        let fitting: Vec<_> = world
            .parameters
            .iter()
            .filter(|one| one.kind() == kind)
            .cloned()
            .collect();
        let from = (!fitting.is_empty() && chance.of(4) > 0).then(|| chance.one(&fitting).clone());
        step.arg(chance.text()).arg(text([
            "--a=".into(),
            (&input).into(),
            "{".into(),
            (&input).into(),
        ]));
        given.push((input, from, chance.constant(kind, 0)));
    }
    let runtime = chance.yes().then(|| step.input::<kfp::kind::Text>("runtime"));
    let maybe = chance
        .yes()
        .then(|| step.optional_input::<kfp::kind::Text>("maybe"));
    if let Some(maybe) = &maybe {
        step.arg(if_present(
            maybe,
            ["--maybe".into(), maybe.into()],
            [chance.text().as_str().into()],
        ));
    }
    let guard = chance.yes().then(|| step.input::<kfp::kind::Boolean>("guard"));
    let mut artifacts = Vec::new();
    if chance.yes() && !world.artifacts.is_empty() {
        let (title, art) = chance.one(&world.artifacts).clone();
        let input = step.input_artifact_of("artifact", &title);
        step.arg(&input).arg(input.uri());
        artifacts.push((input, art));
    }
    let out_kind = *chance.one(&KINDS);
    let output = chance.yes().then(|| step.output_of("out", out_kind));
    if let Some(output) = &output {
        step.arg(output).arg(kfp::argument::Piece::ExecutorInput);
    }
    let title = *chance.one(&TITLES);
    let product = chance.yes().then(|| step.output_artifact_of("product", title));
    if let Some(product) = &product {
        step.arg(product).arg(product.uri());
    }
    if chance.yes() {
        step.env("MODE", &chance.text()).env("OTHER", "on");
        step.resources(Resources {
            cpu_request: Some("100m".to_owned()),
            memory_limit: Some("1e9".replace("e9", "Gi")),
            accelerator: chance
                .yes()
                .then(|| ("nvidia.com/gpu".to_owned(), "1".to_owned())),
            ..Resources::default()
        });
        pod(step.kubernetes(), chance);
    }
    let mut task = builder.task(&name, &step);
    for (input, from, constant) in given {
        task = match &from {
            Some(from) => task.set(&input, from),
            None => task.set(&input, constant),
        };
    }
    if let Some(input) = &runtime {
        task = match world.parameters.last() {
            Some(last) if chance.yes() => {
                let around = kfp::build::Given::around(&[("a=", last.clone()), (" b=", last.clone())], "!");
                task.set(input, around)
            }
            _ => task.set(input, *chance.one(Runtime::ALL)),
        };
    }
    for (input, art) in &artifacts {
        task = task.set_artifact(input, art);
    }
    if let Some(guard) = &guard {
        task = task.set(guard, chance.yes()).only_if(guard, chance.yes());
    }
    if chance.yes() {
        task = task.cached().display_name(&chance.text());
    }
    if chance.yes() {
        task = task.retry(Retry::times(1 + chance.of(3) as u32));
    }
    let handle = task.add();
    world
        .parameters
        .extend(output.map(|output| handle.output(&output)));
    let left = product.map(|product| (title.to_owned(), handle.artifact(&product)));
    world.artifacts.extend(left);
}

fn pod(pod: &mut Kubernetes, chance: &mut Chance<'_>) {
    pod.pull_policy = [None, Some(PullPolicy::Always), Some(PullPolicy::Never)][chance.of(3)];
    pod.secret_env = vec![KeysAsEnv {
        object: "credentials".into(),
        keys: vec![("password".to_owned(), "PASSWORD".to_owned())],
        optional: chance.yes(),
    }];
    if chance.yes() {
        pod.config_map_env = vec![KeysAsEnv {
            object: "yes".into(),
            keys: vec![("on".to_owned(), "Y".to_owned())],
            optional: false,
        }];
        pod.field_env = vec![("NODE".to_owned(), "spec.nodeName".to_owned())];
        pod.pull_secrets = vec!["one".into(), "two".into()];
    }
    pod.secret_volumes = vec![Volume {
        object: "ca".into(),
        path: "/etc/ca".to_owned(),
        optional: chance.yes(),
    }];
    pod.config_map_volumes = vec![Volume {
        object: "settings".into(),
        path: "/etc/settings".to_owned(),
        optional: false,
    }];
    if chance.yes() {
        pod.claims = vec![Claim {
            object: "data".into(),
            path: "/data".to_owned(),
            sub_path: chance.yes().then(|| "inner".to_owned()),
        }];
        pod.empty_dirs.push(EmptyDir {
            name: "cache".to_owned(),
            path: "/cache".to_owned(),
            medium: Some("Memory".to_owned()),
            size_limit: Some("64Mi".to_owned()),
        });
    }
    pod.labels.insert("app".to_owned(), chance.text());
    pod.annotations.insert("note".to_owned(), chance.text());
}
