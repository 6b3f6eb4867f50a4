//! Bad input and bad luck: what runs keeps running, and the reason is said.

use crate::support::{
    World,
    repository::{OVERLAY, RELEASE, api, release},
};
use engine::{AppStatus, Health, Sync};
use std::io::{Read, Write};

fn serving() -> Option<(World, String)> {
    let mut world = World::new(&crate::support::kubectl()?, "");
    let one = world.image("one", &[]);
    let mut files = api(1, "a");
    files.push((RELEASE, release(&one)));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let commit = world.commit(&files);
    world.start();
    world.wait_live("api", &commit);
    Some((world, commit))
}

fn comparison_error(app: &AppStatus) -> Option<&str> {
    let found = app
        .conditions
        .iter()
        .find(|condition| condition.kind == "ComparisonError")?;
    (app.sync == Sync::Unknown && app.health == Health::Healthy).then_some(&found.message)
}

#[test]
fn what_cannot_be_rendered_or_planned_is_unknown_until_it_is_mended() {
    let Some((world, first)) = serving() else { return };
    let pid = world.app("api").replicas[0].pid;
    let deployment = "kustomize/overlays/local/api/deployment.yaml";
    let good = api(1, "a");
    for (path, text, expected) in [
        (OVERLAY, "resources: [", "cannot be rendered"),
        (
            OVERLAY,
            "kind: Kustomization\nresources: [../../../nowhere]",
            "nowhere",
        ),
        (
            deployment,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: {minReadySeconds: many}",
            "Deployment/api cannot be read",
        ),
        (
            deployment,
            &good[1].1.replace("port: http}", "port: htp}"),
            "\"htp\"",
        ),
        (
            deployment,
            &good[1]
                .1
                .replace("{name: api}}]", "{name: missing, optional: false}}]"),
            "",
        ),
    ] {
        let broken = world.commit(&[(path, text)]);
        if expected.is_empty() {
            // A reference that only a start can find wanting: the release is Degraded instead.
            let app = world.wait_degraded("api", &broken);
            assert!(
                app.conditions[0].message.contains("ConfigMap \"missing\""),
                "{:?}",
                app.conditions
            );
        } else {
            let app = world.wait_app(expected, "api", |app| {
                app.revision == broken
                    && comparison_error(app).is_some_and(|message| message.contains(expected))
            });
            assert_ne!(app.live_revision, broken);
        }
        assert_eq!(world.get("/version").unwrap(), "one");
        let files: Vec<_> = good.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let mended = world.commit(&files);
        let app = world.wait_live("api", &mended);
        assert_eq!(app.replicas[0].pid, pid, "it was never touched");
    }
    assert_ne!(world.status().revision, first);
}

#[test]
fn an_unreadable_repository_or_environment_stops_nothing() {
    let Some((world, commit)) = serving() else { return };
    let repository = world.home.join("gitops.git");
    let aside = world.home.join("aside.git");
    std::fs::rename(&repository, &aside).unwrap();
    let app = world.wait_app("Unknown", "api", |app| comparison_error(app).is_some());
    assert!(
        comparison_error(&app).unwrap().contains("gitops.git"),
        "{:?}",
        app.conditions
    );
    assert_eq!(world.get("/version").unwrap(), "one");
    std::fs::rename(&aside, &repository).unwrap();
    world.wait_live("api", &commit);
    // A commit without the whole environment is a mistake, not a wish to stop everything.
    let paths: Vec<_> = api(1, "a")
        .into_iter()
        .map(|(path, _)| (path, ""))
        .chain([(RELEASE, "")])
        .collect();
    world.commit(&[("README.md", "x")]);
    world.commit(&paths);
    let app = world.wait_app("Unknown", "api", |app| comparison_error(app).is_some());
    assert!(
        comparison_error(&app)
            .unwrap()
            .contains("kustomize/overlays/local"),
        "{:?}",
        app.conditions
    );
    assert_eq!(world.get("/version").unwrap(), "one");
}

#[test]
fn an_application_that_is_removed_is_pruned() {
    let Some((world, _)) = serving() else { return };
    let image = world.image("one", &[]);
    let objects = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
    let commit = world.commit_work(&image, objects);
    world.wait_live("work", &commit);
    let paths: Vec<_> = api(1, "a")
        .into_iter()
        .map(|(path, _)| (path, ""))
        .chain([(RELEASE, "")])
        .collect();
    world.commit(&paths);
    crate::support::until("api gone", || match world.status().app("api") {
        None => Ok(()),
        Some(app) => Err(app.summary()),
    });
    assert!(world.get("/version").is_err());
}

#[test]
fn state_that_cannot_be_written_is_said_and_stops_nothing() {
    let Some((world, _)) = serving() else { return };
    // As on a full disk: the file cannot be replaced (root may write read-only folders, so a
    // folder stands where the file should be).
    let state = world.home.join("engine/state.json");
    std::fs::remove_file(&state).unwrap();
    std::fs::create_dir_all(state.join("in the way")).unwrap();
    let two = world.image("two", &[]);
    let commit = world.commit(&[(RELEASE, &release(&two))]);
    let app = world.wait_live("api", &commit);
    let app = if app.conditions.is_empty() {
        world.wait_app("StateError", "api", |app| !app.conditions.is_empty())
    } else {
        app
    };
    assert_eq!(app.conditions[0].kind, "StateError");
    assert!(
        app.conditions[0].message.contains("state.json"),
        "{:?}",
        app.conditions
    );
    assert_eq!(world.get("/version").unwrap(), "two");
    std::fs::remove_dir_all(&state).unwrap();
    let three = world.image("three", &[]);
    let commit = world.commit(&[(RELEASE, &release(&three))]);
    world.wait_live("api", &commit);
    world.wait_app("no StateError", "api", |app| app.conditions.is_empty());
}

#[test]
fn an_image_that_cannot_be_unpacked_leaves_the_old_one_serving() {
    let Some((world, _)) = serving() else { return };
    // The place of unpacked images is taken away, as when the disk is full or read-only.
    let unpacked = world.home.join("unpacked");
    std::fs::rename(&unpacked, world.home.join("unpacked.aside")).unwrap();
    std::fs::write(&unpacked, "").unwrap();
    let two = world.image("two", &[]);
    let commit = world.commit(&[(RELEASE, &release(&two))]);
    let app = world.wait_degraded("api", &commit);
    assert!(
        app.message.contains("cannot be made ready") && app.message.contains("unpacked"),
        "{}",
        app.message
    );
    assert_eq!(world.get("/version").unwrap(), "one");
    std::fs::remove_file(&unpacked).unwrap();
    std::fs::rename(world.home.join("unpacked.aside"), &unpacked).unwrap();
    world.wait_live("api", &commit);
}

#[test]
fn only_who_knows_the_token_is_answered() {
    let Some((world, _)) = serving() else { return };
    let endpoint = world.engine().endpoint();
    let address = endpoint.address.strip_prefix("http://").unwrap();
    let ask = |line: &str, authorization: &str, body: &str| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let length = body.len();
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n");
        write!(stream, "{head}{authorization}\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
    };
    let token = format!("Authorization: Bearer {}\r\n", endpoint.token);
    for wrong in ["", "Authorization: Bearer x\r\n", "Authorization: Basic x\r\n"] {
        let (status, body) = ask("GET /v1/status", wrong, "");
        assert_eq!((status.as_str(), body.contains("api")), ("401", false), "{body}");
    }
    assert_eq!(ask("GET /v1/status", &token, "").0, "200");
    assert_eq!(ask("GET /v1/nothing", &token, "").0, "404");
    assert_eq!(ask("POST /v1/suspend/api", &token, "{}").0, "400");
    let (status, body) = ask("POST /v1/runs", &token, "{\"tempalte\":\"x\"}");
    assert_eq!(status, "400");
    assert!(body.contains("tempalte"), "{body}");
    let engine_file = std::fs::metadata(world.home.join("engine.json")).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&engine_file.permissions()) & 0o777,
        0o600
    );
    let log = std::fs::read_to_string(world.home.join("engine/engine.log")).unwrap();
    assert!(!log.contains(&endpoint.token), "the token is nowhere else");
}
