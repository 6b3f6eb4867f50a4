//! What the commands of every day do in a world that is up.

mod support;

use std::sync::Arc;
use support::{Clone, app, git, promote, running};
use xtask::{
    cmd,
    exec::Executor,
    failure::Id,
    flags::{self, Task},
};

#[test]
fn rollback_brings_back_the_release_before_and_promote_the_one_named() {
    let clone = Clone::new();
    let world = Arc::new(running(&clone));
    promote(&clone.bare(), 2, "0a1b2c3");
    let released = || git(&clone.bare(), &["show", &format!("main:{}", support::RELEASE)]);
    let subject = || git(&clone.bare(), &["log", "-1", "--format=%s", "main"]);
    let run = |args: &[&str]| {
        let task: Task = flags::parse(["cargo xtask"].iter().chain(args))
            .unwrap()
            .task
            .unwrap();
        cmd::dispatch(&clone.ctx(world.clone()), &task)
    };
    assert!(released().contains("m2-"));
    run(&["rollback"]).unwrap();
    assert!(released().contains("m1-"));
    assert_eq!(subject(), "Revert \"promote(local): inference-api m2-0a1b2c3\"");
    assert!(
        world
            .take_changes()
            .iter()
            .any(|change| change.contains("champion") && change.ends_with("--model-version 1"))
    );

    run(&["promote", "--tag", "m2-0a1b2c3"]).unwrap();
    assert!(released().contains("m2-"));
    assert_eq!(subject(), "promote(local): inference-api m2-0a1b2c3");
    let message = git(&clone.bare(), &["log", "-1", "--format=%B", "main"]);
    assert!(
        message.contains("Metrics: accuracy=0.92\nRestored-From: "),
        "{message}"
    );

    let failure = run(&["rollback", "--to", "main"]).unwrap_err();
    assert_eq!(failure.id, Id::NothingToRollBack);
    let failure = run(&["rollback", "--to", "0000000"]).unwrap_err();
    assert_eq!(failure.id, Id::UnknownRelease);
}

#[test]
fn status_says_what_is_live_and_what_waits() {
    let clone = Clone::new();
    let world = Arc::new(running(&clone));
    let bare = clone.bare();
    world.engine_handle().world().look = Box::new(move |status| {
        support::look(status, &bare);
        status.apps[1] = engine::AppStatus {
            replicas: vec![engine::Replica {
                name: "inference-api-1".into(),
                pid: None,
                ready: true,
                restarts: 0,
                image: "inference-api@sha256:00".into(),
                resident_bytes: Some(12 << 20),
            }],
            ..app("inference-api", &status.revision)
        };
        status.apps[2].stand_in = Some("mlflow 3.17.2 from PyPI".into());
        status.apps[3].sync = engine::Sync::OutOfSync;
        status.apps[3].message = "image not in the layout".into();
        let field = "spec.template.spec.securityContext".to_owned();
        status.apps[1].not_honoured = vec![engine::NotHonoured {
            object: "Deployment/inference-api".into(),
            field,
            instead: "nothing".into(),
        }];
    });
    let ctx = clone.ctx(world.clone());
    world.take_printed();
    cmd::dispatch(&ctx, &Task::Status).unwrap();
    let head = git(&clone.bare(), &["rev-parse", "main"]);
    let at = git(&clone.bare(), &["log", "-1", "--format=%cI", "main"]);
    let text = world
        .take_printed()
        .join("\n")
        .replace(&head[..7], "<MAIN>")
        .replace(&at, "<TIME>");
    insta::assert_snapshot!(text);
    assert!(world.port_is_free(1), "looking changes nothing");
}
