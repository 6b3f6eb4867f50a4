//! Pipelines by chance, made with the builder. Every one is right; shrinking makes them smaller.

use kfp::Pipeline;
use kfp::build::{Art, Builder, Constant, In, Param, Step, TaskHandle, Test, if_present, not, text};
use kfp::condition::Compare;
use kfp::container::{Resources, Retry};
use kfp::kind::{Anything, Dynamic, Kind};
use kfp::kubernetes::{Claim, EmptyDir, KeysAsEnv, Kubernetes, PullPolicy, Volume};
use kfp::model::{Input, Lifetime, Runtime};
use proptest::prelude::*;
use serde_json::{Value, json};

const KINDS: [Kind; 6] = [
    Kind::Text,
    Kind::Integer,
    Kind::Double,
    Kind::Boolean,
    Kind::List,
    Kind::Struct,
];
const TITLES: [&str; 5] = [
    "system.Dataset",
    "system.Model",
    "system.Metrics",
    "system.ClassificationMetrics",
    "system.Artifact",
];
/// Texts that some reader of YAML takes for something else.
pub const HOSTILE: &[&str] = &[
    "",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "n",
    "~",
    "null",
    "Null",
    "true",
    "False",
    "12:30",
    "1:2:3",
    "1e3",
    "1E-7",
    "0x1F",
    "0o17",
    "017",
    "0b11",
    "1_000",
    "+1",
    "-1",
    ".5",
    "5.",
    "-.inf",
    ".nan",
    ".NaN",
    "=",
    "<<",
    "-",
    "- a",
    "?",
    "? a",
    "a: b",
    "a:",
    ": a",
    "#",
    "a #b",
    "#a",
    "!!str a",
    "!x",
    "&a",
    "*a",
    "%d",
    "@a",
    "`a",
    "|",
    ">",
    "[",
    "]",
    "{",
    "}",
    "{ }",
    "[]",
    ",",
    "'",
    "''",
    "'q'",
    "\"",
    "\"d\"",
    "\\",
    "\\n",
    " a",
    "a ",
    "\ta",
    "a\tb",
    "a\n",
    "\n",
    "a\r\nb",
    "\u{0}",
    "\u{7}",
    "\u{1b}[1m",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "ü",
    "日本",
    "💡",
    "---",
    "...",
    "--- a",
    "2026-11-22",
    "2026-11-22T10:00:00Z",
    "$HOME",
    "$(HOME)",
    "{$",
    "}}",
    "%",
    "a b",
    "sha256:00",
    "--flag",
    "http://a/b?c=d#e",
    "'{'",
    "{\"a\": 1}",
    "{\"Other\": {}}",
    "NaN",
    "Infinity",
    "e3",
];

/// Chances, taken one after the other; when they are used up, the first choice is made.
pub struct Chance<'a> {
    bytes: std::slice::Iter<'a, u8>,
    made: usize,
}

impl Chance<'_> {
    fn of(&mut self, count: usize) -> usize {
        usize::from(self.bytes.next().copied().unwrap_or_default()) % count
    }

    fn yes(&mut self) -> bool {
        self.of(3) == 1
    }

    fn one<'b, T>(&mut self, all: &'b [T]) -> &'b T {
        &all[self.of(all.len())]
    }

    fn name(&mut self, stem: &str) -> String {
        self.made += 1;
        format!("{stem}-{}", self.made)
    }

    fn text(&mut self) -> String {
        if self.of(4) == 3 {
            let letters: String = (0..self.of(6))
                .map(|_| char::from_u32(self.of(256) as u32 * 173 % 0xd7ff).unwrap_or('x'))
                .collect();
            return letters.replace("{{", "{");
        }
        (*self.one(HOSTILE)).to_owned()
    }

    fn constant(&mut self, kind: Kind, depth: usize) -> Value {
        match kind {
            Kind::Integer => json!([0, -7, 42, 12_345_678_901_i64, -(1_i64 << 53)][self.of(5)]),
            Kind::Double => {
                json!([0.0, 0.5, 1e-7, 1e21, -3.25e300, 3.0, 1.0 / 3.0, f64::MIN_POSITIVE][self.of(8)])
            }
            Kind::Boolean => json!(self.yes()),
            Kind::List => (0..self.of(3)).map(|_| self.any(depth)).collect(),
            Kind::Struct => {
                let all = (0..self.of(3)).map(|_| (self.text(), self.any(depth)));
                Value::Object(all.collect())
            }
            _ => Value::from(self.text()),
        }
    }

    fn any(&mut self, depth: usize) -> Value {
        let kinds = if depth > 2 { &KINDS[..4] } else { &KINDS[..] };
        let kind = *self.one(kinds);
        self.constant(kind, depth + 1)
    }
}

/// What can be taken where we are.
#[derive(Clone, Default)]
struct World {
    parameters: Vec<Param<Dynamic>>,
    artifacts: Vec<(String, Art<Anything>)>,
}

/// Any pipeline.
pub fn pipelines() -> impl Strategy<Value = Pipeline> {
    prop::collection::vec(any::<u8>(), 0..600).prop_map(|bytes| {
        let mut chance = Chance {
            bytes: bytes.iter(),
            made: 0,
        };
        pipeline(&mut chance)
    })
}

fn pipeline(chance: &mut Chance<'_>) -> Pipeline {
    let mut builder = Builder::new(*chance.one(&["p", "retrain", "0-9", "yes", "a-b-c"]));
    if chance.yes() {
        builder.display_name(&chance.text()).description(&chance.text());
    }
    if chance.yes() {
        builder.lifetime(Lifetime {
            after_success_seconds: Some(15),
            after_failure_seconds: chance.yes().then_some(86400),
            ..Lifetime::default()
        });
    }
    let mut world = World::default();
    for _ in 0..chance.of(6) {
        let kind = *chance.one(&KINDS);
        let default = chance.yes().then(|| chance.constant(kind, 0));
        let parameter = builder.parameter_of(&chance.name("in"), kind, default);
        if chance.yes() {
            builder.describe(&parameter, &chance.text());
        }
        world.parameters.push(parameter);
    }
    tasks(&mut builder, chance, &mut world, 0);
    builder.build().unwrap_or_else(|problems| panic!("{problems}"))
}

fn tasks(builder: &mut Builder, chance: &mut Chance<'_>, world: &mut World, depth: usize) {
    step(builder, chance, world);
    for _ in 0..chance.of(4) {
        let shape = if depth > 2 { 0 } else { chance.of(7) };
        let key = chance.name("group");
        let mut inner = world.clone();
        match shape {
            0 | 1 => {
                step(builder, chance, world);
            }
            2 => {
                let Some(test) = test(chance, world) else { continue };
                builder.when(&key, &test, |builder| {
                    tasks(builder, chance, &mut inner, depth + 1)
                });
            }
            3 => branches(builder, chance, world, &key, depth),
            4 => looped(builder, chance, world, &key, depth),
            5 => {
                let guard = builder.group(&key, |builder| tasks(builder, chance, &mut inner, depth + 1));
                exit(builder, chance, &guard.task);
            }
            _ => {
                let group = builder.group(&key, |builder| {
                    tasks(builder, chance, &mut inner, depth + 1);
                    let (handle, output) = leaving(builder, chance, Kind::Text);
                    builder.export("Output", &handle.output(&output))
                });
                world.parameters.push(group.value);
            }
        }
    }
}

/// A step with one output.
fn leaving(
    builder: &mut Builder,
    chance: &mut Chance<'_>,
    kind: Kind,
) -> (TaskHandle, kfp::build::Out<Dynamic>) {
    let name = chance.name("leave");
    let mut step = Step::new(&name, "image:1", 60);
    let output = step.output_of("out", kind);
    step.command(["leave"]).arg(&output);
    (builder.task(&name, &step).add(), output)
}

fn exit(builder: &mut Builder, chance: &mut Chance<'_>, guard: &TaskHandle) {
    let name = chance.name("exit");
    let mut step = Step::new(&name, "image:1", 60);
    let status = step.final_status("status");
    step.command(["tell"]).arg(&status);
    builder.task(&name, &step).set_status(&status, guard).add();
}

fn branches(builder: &mut Builder, chance: &mut Chance<'_>, world: &mut World, key: &str, depth: usize) {
    let tests: Vec<Test> = (0..1 + chance.of(2))
        .filter_map(|_| test(chance, world))
        .collect();
    if tests.is_empty() {
        return;
    }
    let chosen = builder.branches(key, |all| {
        let mut exported = Vec::new();
        for (at, test) in tests.iter().enumerate() {
            let mut inner = world.clone();
            let branch = all.when(&format!("{key}-{at}"), test, |builder| {
                tasks(builder, chance, &mut inner, depth + 1);
                let (handle, output) = leaving(builder, chance, Kind::Integer);
                builder.export("out", &handle.output(&output))
            });
            exported.push(branch.value);
        }
        let other = all.otherwise(&format!("{key}-else"), |builder| {
            let (handle, output) = leaving(builder, chance, Kind::Integer);
            builder.export("out", &handle.output(&output))
        });
        exported.push(other.value);
        all.one_of_kind("chosen", Kind::Integer, &exported)
    });
    world.parameters.push(chosen.value);
}

fn looped(builder: &mut Builder, chance: &mut Chance<'_>, world: &mut World, key: &str, depth: usize) {
    let kind = *chance.one(&KINDS);
    let items = (0..1 + chance.of(3)).map(|_| chance.constant(kind, 0)).collect();
    let limit = [None, Some(1), Some(3)][chance.of(3)];
    let mut inner = world.clone();
    let looped = builder.each_of(key, kind, items, limit, |builder, item| {
        inner.parameters.push(item);
        tasks(builder, chance, &mut inner, depth + 1);
        let (handle, output) = leaving(builder, chance, Kind::Double);
        builder.export_each("all", &handle.output(&output))
    });
    world.parameters.push(looped.value.erased());
}

fn test(chance: &mut Chance<'_>, world: &World) -> Option<Test> {
    let simple: Vec<_> = world
        .parameters
        .iter()
        .filter(|one| KINDS[..4].contains(&one.kind()))
        .collect();
    if simple.is_empty() {
        return None;
    }
    let left = *chance.one(&simple);
    let how = match left.kind() {
        Kind::Boolean => *chance.one(&[Compare::Equal, Compare::Unequal]),
        _ => *chance.one(&Compare::ALL),
    };
    let right = match left.kind() {
        Kind::Integer => Constant::Integer([0, -3, 12_345_678_901][chance.of(3)]),
        Kind::Double => Constant::Double([0.25, 1.0, 1e-9, 1e22, -2.5][chance.of(5)]),
        Kind::Boolean => Constant::Boolean(chance.yes()),
        _ => Constant::Text(chance.text()),
    };
    let test = Test::With(left.clone(), how, right);
    Some(match chance.of(5) {
        0 => not(test),
        1 => Test::Any(vec![test.clone(), Test::Both(left.clone(), how, left.clone())]),
        2 => Test::All(vec![
            test.clone(),
            not(test),
            Test::Both(left.clone(), how, left.clone()),
        ]),
        _ => test,
    })
}

fn step(builder: &mut Builder, chance: &mut Chance<'_>, world: &mut World) {
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
