//! Pipelines by chance, made with the builder. Every one is right; shrinking makes them smaller.

mod chance;
mod step;

pub use chance::HOSTILE;
use chance::{Chance, KINDS};
use kfp::Pipeline;
use kfp::build::{Art, Builder, Constant, Param, Step, TaskHandle, Test, not};
use kfp::condition::Compare;
use kfp::kind::{Anything, Dynamic, Kind};
use kfp::model::Lifetime;
use proptest::prelude::*;
use step::step;

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
    let mut builder = Builder::new(["p", "retrain", "0-9", "yes", "a-b-c"][chance.of(5)]);
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
