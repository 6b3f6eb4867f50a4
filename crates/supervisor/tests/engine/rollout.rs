//! Deployments through the real engine: rollouts, failures, crashes, under continuous requests.

use crate::support::{
    World,
    load::Load,
    repository::{RELEASE, api, release},
    until,
};
use engine::{Engine, Health, Sync};

/// A world whose engine serves version `one`; `None` where there is no kubectl.
fn serving(replicas: u32) -> Option<(World, String, String)> {
    let mut world = World::new(&crate::support::kubectl()?, "");
    let one = world.image("one", &[]);
    let mut files = api(replicas, "a");
    files.push((RELEASE, release(&one)));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let commit = world.commit(&files);
    world.start();
    world.wait_live("api", &commit);
    Some((world, one, commit))
}

#[test]
fn the_first_rollout_serves_and_says_everything() {
    let Some((world, one, commit)) = serving(2) else {
        return;
    };
    assert_eq!(world.get("/version").unwrap(), "one");
    let env = world.get("/env").unwrap();
    for line in ["TEST_SETTING=a", "LISTEN_FDNAMES=http:probe"] {
        assert!(env.lines().any(|found| found == line), "{env}");
    }
    assert!(
        env.contains(&format!("DRIFTLESS_HOME={}", world.home.display())),
        "{env}"
    );
    assert!(
        !env.contains("CARGO"),
        "nothing else of the parent's environment is inherited: {env}"
    );
    let app = world.app("api");
    assert_eq!(
        (app.sync, app.health, app.revision.as_str()),
        (Sync::Synced, Health::Healthy, commit.as_str())
    );
    assert_eq!((app.replicas_wanted, app.replicas.len()), (2, 2));
    assert_eq!(app.images, [one]);
    assert!(
        app.replicas
            .iter()
            .all(|replica| replica.ready && replica.resident_bytes > Some(100_000))
    );
    assert!(
        app.not_honoured
            .iter()
            .any(|found| found.field.ends_with(".resources"))
    );
    assert_eq!(
        world.engine().address("api").unwrap(),
        format!("http://127.0.0.1:{}", world.port())
    );
    let logs = world.engine().logs("api", 10).unwrap();
    assert_eq!(logs, ["version one starts", "version one starts"]);
}

#[test]
fn a_new_digest_and_its_revert_roll_without_a_failed_request() {
    let Some((world, one, _)) = serving(1) else { return };
    let load = Load::start(world.port());
    let two = world.image("two", &[("TEST_READY_AFTER_MS", "200")]);
    let commit = world.commit(&[(RELEASE, &release(&two))]);
    let live = world.wait_live("api", &commit);
    assert_eq!(live.images, [two]);
    until("only the new version", || {
        match world.get("/version").unwrap().as_str() {
            "two" if world.app("api").replicas.len() == 1 => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let back = world.commit(&[(RELEASE, &release(&one))]);
    world.wait_live("api", &back);
    assert_eq!(load.stop().into_iter().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(world.get("/version").unwrap(), "one");
}

#[test]
fn a_release_that_never_gets_ready_leaves_the_old_one_serving() {
    let Some((world, one, first)) = serving(1) else {
        return;
    };
    let load = Load::start(world.port());
    let bad = world.image("bad", &[("TEST_NEVER_READY", "1")]);
    let commit = world.commit(&[(RELEASE, &release(&bad))]);
    let app = world.wait_degraded("api", &commit);
    assert_eq!(app.live_revision, first);
    assert!(app.message.contains("not ready within 2 s"), "{}", app.message);
    let condition = app
        .conditions
        .iter()
        .find(|c| c.kind == "DegradedRelease")
        .unwrap();
    assert!(
        condition.message.contains("told never to be ready"),
        "{}",
        condition.message
    );
    world.wait_app("the bad ones gone", "api", |app| app.replicas.len() == 1);
    assert_eq!(load.stop().into_iter().collect::<Vec<_>>(), ["one"]);
    // A commit that changes nothing here does not try again; the revert makes it whole.
    let other = world.commit(&[("README.md", "unrelated")]);
    let app = world.wait_app("the commit is seen", "api", |app| app.revision == other);
    assert_eq!(app.health, Health::Degraded);
    let fixed = world.commit(&[(RELEASE, &release(&one))]);
    let app = world.wait_live("api", &fixed);
    assert!(app.conditions.is_empty());
}

#[test]
fn a_crashing_release_and_an_unknown_image_are_degraded_with_reasons() {
    let Some((world, _, _)) = serving(1) else { return };
    let bad = world.image("bad", &[("TEST_CRASH", "1")]);
    let commit = world.commit(&[(RELEASE, &release(&bad))]);
    let app = world.wait_degraded("api", &commit);
    let condition = &app.conditions[0].message;
    assert!(
        condition.contains("crashed 3 times") && condition.contains("told to crash"),
        "{condition}"
    );
    assert!(condition.contains("exit code 7"), "{condition}");
    let nowhere = format!("api@sha256:{}", "0".repeat(64));
    let commit = world.commit(&[(RELEASE, &release(&nowhere))]);
    let app = world.wait_degraded("api", &commit);
    assert!(app.message.contains(&nowhere), "{}", app.message);
    assert_eq!(world.get("/version").unwrap(), "one");
}

#[test]
fn a_killed_replica_comes_back_and_no_connection_is_refused() {
    let Some((world, _, commit)) = serving(1) else {
        return;
    };
    let before = world.app("api").replicas[0].pid;
    world.engine().kill("api").unwrap();
    let get = std::thread::spawn({
        let port = world.port();
        // The request under way may be lost with its process; new connections must not be refused.
        move || {
            until("an answer", || {
                crate::support::get(port, "/version").map_err(refused_is_fatal)
            })
        }
    });
    let app = world.wait_app("a new process", "api", |app| {
        app.is_live_at(&commit) && app.replicas[0].pid.is_some_and(|pid| Some(pid) != before)
    });
    assert_eq!(app.replicas[0].restarts, 1);
    assert_eq!(get.join().unwrap(), "one");
}

fn refused_is_fatal(error: String) -> String {
    assert!(!error.contains("refused"), "{error}");
    error
}

#[test]
fn a_replica_that_hangs_is_replaced() {
    let Some((world, _, commit)) = serving(1) else {
        return;
    };
    let before = world.app("api").replicas[0].name.clone();
    world.get("/die").unwrap();
    let app = world.wait_app("another replica", "api", |app| {
        app.is_live_at(&commit) && app.replicas.len() == 1 && app.replicas[0].name != before
    });
    assert_eq!(app.replicas[0].restarts, 1);
}

#[test]
fn a_changed_setting_rolls_and_a_changed_number_scales() {
    let Some((world, _, _)) = serving(1) else { return };
    let change = |replicas, setting| {
        let files = api(replicas, setting);
        world.commit(&[(files[0].0, files[0].1.as_str())])
    };
    let before = world.app("api").replicas[0].pid;
    let commit = change(1, "b");
    world.wait_live("api", &commit);
    assert!(world.get("/env").unwrap().contains("TEST_SETTING=b"));
    assert_ne!(
        world
            .wait_app("one", "api", |app| app.replicas.len() == 1)
            .replicas[0]
            .pid,
        before
    );
    let load = Load::start(world.port());
    let commit = change(3, "b");
    assert_eq!(world.wait_live("api", &commit).replicas.len(), 3);
    let commit = change(2, "b");
    world.wait_live("api", &commit);
    world.wait_app("two", "api", |app| app.replicas.len() == 2);
    load.stop();
    let commit = change(0, "b");
    let app = world.wait_live("api", &commit);
    assert_eq!(app.replicas_wanted, 0);
    until("nobody to serve", || match world.get("/version") {
        Err(refused) if refused.contains("refused") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn suspended_and_resumed() {
    let Some((world, _, commit)) = serving(1) else {
        return;
    };
    world.engine().suspend("api", true).unwrap();
    let gone = |app: &engine::AppStatus| app.health == Health::Suspended && app.replicas.is_empty();
    world.wait_app("Suspended", "api", gone);
    assert!(world.get("/version").is_err());
    world.engine().suspend("api", false).unwrap();
    world.wait_live("api", &commit);
    assert_eq!(world.get("/version").unwrap(), "one");
    let refused = world.engine().suspend("nothing", true).unwrap_err().to_string();
    assert!(refused.contains("no application or run \"nothing\""), "{refused}");
}
