//! Bad days of the engine itself: killed, started again, shut down; what is foreign stays alone.

use crate::support::{
    World,
    load::Load,
    repository::{RELEASE, api, release},
    until,
};
use engine::{Engine, Health};
use std::process::{Command, Stdio};

fn serving(stand_ins: &str) -> Option<(World, String)> {
    let mut world = World::new(&crate::support::kubectl()?, stand_ins);
    let one = world.image("one", &[]);
    let mut files = api(1, "a");
    files.push((RELEASE, release(&one)));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let commit = world.commit(&files);
    world.start();
    world.wait_live("api", &commit);
    Some((world, commit))
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .and_then(|rest| rest.trim().chars().next())
        .is_some_and(|state| state != 'Z')
}

#[test]
fn a_killed_engine_is_succeeded_without_a_failed_request() {
    let Some((mut world, commit)) = serving("") else {
        return;
    };
    let before = world.app("api").replicas[0].pid.unwrap();
    let load = Load::start(world.port());
    world.kill_engine();
    assert!(is_alive(before), "what it started outlives it");
    world.start();
    let app = world.wait_app("the old replica replaced", "api", |app| {
        app.is_live_at(&commit) && app.replicas.len() == 1 && app.replicas[0].pid != Some(before)
    });
    assert!(!is_alive(before));
    // And it rolls on as if nothing had been.
    let two = world.image("two", &[]);
    let next = world.commit(&[(RELEASE, &release(&two))]);
    world.wait_live("api", &next);
    assert!(load.stop().contains("two"));
    assert_ne!(app.replicas[0].pid, world.app("api").replicas[0].pid);
}

#[test]
fn a_commit_made_while_no_engine_ran_is_rolled_out_and_a_bad_one_is_not() {
    let Some((mut world, first)) = serving("") else {
        return;
    };
    let load = Load::start(world.port());
    world.kill_engine();
    let bad = world.image("bad", &[("TEST_CRASH", "1")]);
    let commit = world.commit(&[(RELEASE, &release(&bad))]);
    world.start();
    let app = world.wait_degraded("api", &commit);
    assert_eq!(
        app.live_revision, first,
        "the release that served is known from the last engine"
    );
    world.wait_app("the live one runs", "api", |app| {
        app.replicas.iter().any(|replica| replica.ready)
    });
    world.kill_engine();
    let two = world.image("two", &[]);
    let commit = world.commit(&[(RELEASE, &release(&two))]);
    world.start();
    world.wait_live("api", &commit);
    assert_eq!(load.stop().into_iter().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn shutdown_ends_what_it_started_and_nothing_else() {
    let Some((mut world, commit)) = serving("") else {
        return;
    };
    let mut foreign = Command::new("sleep")
        .arg("600")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let ours = world.app("api").replicas[0].pid.unwrap();
    // One that nobody knows: started by an engine that was killed in that instant.
    let mark = format!("{}", world.home.display());
    let mut stray = Command::new("sleep")
        .arg("601")
        .env("DRIFTLESS_SUPERVISED", mark)
        .spawn()
        .unwrap();
    world.shut_down();
    assert!(!is_alive(ours));
    until("the stray's end", || stray.try_wait().unwrap().ok_or("it lives"));
    assert!(is_alive(foreign.id()), "a foreign process is left alone");
    foreign.kill().unwrap();
    foreign.wait().unwrap();
    assert!(!world.home.join("engine.json").exists());
    assert!(crate::support::get(world.port(), "/version").is_err());
    world.start();
    world.wait_live("api", &commit);
}

#[test]
fn what_a_killed_engine_left_can_be_ended_without_starting_one() {
    let Some((mut world, _)) = serving("") else { return };
    let end = |world: &World| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_driftless-engine"));
        command
            .arg("--state")
            .arg(&world.home)
            .arg("--end")
            .output()
            .unwrap()
    };
    let refused = end(&world);
    assert_eq!(refused.status.code(), Some(3), "a running engine is to be asked");
    let left = world.app("api").replicas[0].pid.unwrap();
    world.kill_engine();
    assert!(is_alive(left));
    let ended = end(&world);
    assert!(ended.status.success(), "{ended:?}");
    assert!(!is_alive(left));
    assert!(!world.home.join("engine.json").exists());
}

#[test]
fn a_pid_that_now_belongs_to_another_is_never_signalled() {
    let Some((mut world, commit)) = serving("") else {
        return;
    };
    let mut foreign = Command::new("sleep")
        .arg("600")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let ours = world.app("api").replicas[0].pid.unwrap();
    world.kill_engine();
    // As if the replica had died and its pid had been given to a foreign process.
    let path = world.home.join("engine/state.json");
    let saved = std::fs::read_to_string(&path).unwrap();
    let pid = format!("\"pid\":{ours},");
    assert!(saved.contains(&pid), "{saved}");
    std::fs::write(&path, saved.replace(&pid, &format!("\"pid\":{},", foreign.id()))).unwrap();
    world.start();
    // The real one is found by its mark, and replaced.
    until("the old one's end", || {
        if is_alive(ours) { Err("it lives") } else { Ok(()) }
    });
    world.wait_live("api", &commit);
    world.shut_down();
    assert!(is_alive(foreign.id()));
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}

#[test]
fn two_engines_do_not_share_a_state_folder_or_a_port() {
    let Some((world, _)) = serving("") else { return };
    let second = Command::new(env!("CARGO_BIN_EXE_driftless-engine"))
        .args(["--state".as_ref(), world.home.as_os_str(), "--config".as_ref()])
        .arg(world.folder.path().join("engine.yaml"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        said.contains(&format!("another engine (pid {}) runs on", world.engine_pid())),
        "{said}"
    );
    // Another folder with the same ports: refused aloud instead of splitting the traffic.
    let mut other = World::new(&crate::support::kubectl().unwrap(), "");
    let config = std::fs::read_to_string(world.folder.path().join("engine.yaml")).unwrap();
    std::fs::write(other.folder.path().join("engine.yaml"), config).unwrap();
    let image = other.image("other", &[]);
    let mut files = api(1, "a");
    files.push((RELEASE, release(&image)));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let commit = other.commit(&files);
    other.start();
    let app = other.wait_degraded("api", &commit);
    let condition = &app.conditions[0].message;
    assert!(
        condition.contains(&format!("cannot listen on 127.0.0.1:{}", world.port())),
        "{condition}"
    );
    assert_eq!(world.get("/version").unwrap(), "one");
    // It is tried again, for the reason lies outside the release.
    drop(world);
    other.wait_live("api", &commit);
}

#[test]
fn a_stand_in_runs_instead_and_stays_over_a_killed_engine() {
    let Some(kubectl) = crate::support::kubectl() else {
        return;
    };
    let server = env!("CARGO_BIN_EXE_engine-test-server");
    let stand_ins = format!(
        "stand_ins:\n  api:\n    program: {server}\n    args: [--port, $(PORT)]\n    \
         env: {{PORT: $(PORT), TEST_VERSION: real, HOME_IS: $(DRIFTLESS_HOME)}}\n    description: test server 1\n"
    );
    let mut world = World::new(&kubectl, &stand_ins);
    let mut files = api(1, "a");
    files.push((RELEASE, release(&format!("api@sha256:{}", "1".repeat(64)))));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let commit = world.commit(&files);
    world.start();
    let app = world.wait_live("api", &commit);
    assert_eq!(app.stand_in.as_deref(), Some("test server 1"));
    assert!(
        app.not_honoured
            .iter()
            .any(|n| n.instead.contains("test server 1 stands in"))
    );
    assert_eq!(world.get("/version").unwrap(), "real");
    assert!(
        world
            .get("/env")
            .unwrap()
            .contains(&format!("HOME_IS={}", world.home.display()))
    );
    // Another image is nothing to a stand-in.
    let commit = world.commit(&[(RELEASE, &release(&format!("api@sha256:{}", "2".repeat(64))))]);
    assert_eq!(
        world.wait_live("api", &commit).replicas[0].pid,
        app.replicas[0].pid
    );
    world.kill_engine();
    world.start();
    let again = world.wait_live("api", &commit);
    assert_eq!(again.replicas[0].pid, app.replicas[0].pid, "found again");
    world.engine().suspend("api", true).unwrap();
    world.wait_app("Suspended", "api", |app| {
        app.health == Health::Suspended && app.replicas.is_empty()
    });
    world.engine().suspend("api", false).unwrap();
    world.wait_live("api", &commit);
}
