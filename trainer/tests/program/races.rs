//! Somebody else is faster, or what was promoted does not come up.

use crate::support::git_server as server;
use crate::support::program::Said;
use crate::support::registry::Registry;
use crate::support::world::World;
use contract::names::{ALIAS_CHALLENGER, ALIAS_CHAMPION, exit};

pub fn outrun(world: &World) {
    let killed = world.trainer(&["run"], &[("DRIFTLESS_EXIT_AFTER", "package")]);
    assert_eq!(killed.code, None, "{}", killed.stderr);
    let other = world.path("other").display().to_string();
    world
        .trainer(&["run", "--seed", "7"], &[("WORK_DIR", &other)])
        .expect(0);
    let folder = std::fs::read_dir(world.path("runs"))
        .unwrap()
        .flatten()
        .find(|e| e.path().join("model").is_dir());
    let folder = folder.unwrap().path().display().to_string();
    let said = world
        .trainer(&["promote"], &[("RUN_DIR", &folder)])
        .expect(exit::OUTRUN);
    assert_eq!(said.json()["status"], "outrun");
    assert!(
        said.json()["reason"].as_str().unwrap().contains("outrun"),
        "{}",
        said.stdout
    );
    // The run that was cut off cannot be taken up again: the other one has learnt the same.
    world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
    assert_eq!(world.subjects().len(), 2);
}

pub fn racing(world: &World) {
    let (one, two) = (
        world.path("one").display().to_string(),
        world.path("two").display().to_string(),
    );
    let start = |folder: &str, seed: &str| world.trainer(&["run", "--seed", seed], &[("WORK_DIR", folder)]);
    let ended: Vec<Said> = std::thread::scope(|scope| {
        let racers = [scope.spawn(|| start(&one, "1")), scope.spawn(|| start(&two, "2"))];
        racers.map(|racer| racer.join().unwrap()).into()
    });
    let codes: Vec<Option<i32>> = ended.iter().map(|said| said.code).collect();
    let lost = [exit::OUTRUN, exit::NOTHING_NEW].map(|code| Some(i32::from(code)));
    assert!(
        codes.contains(&Some(0)) && codes.iter().any(|code| lost.contains(code)),
        "{ended:?}"
    );
    let loser = ended.iter().find(|said| said.code != Some(0)).unwrap();
    assert!(loser.json()["reason"].is_string(), "{loser:?}");
    assert_eq!(world.subjects().len(), 2);
    let champion = Registry::of(world).alias(ALIAS_CHAMPION).unwrap();
    assert!(
        world.subjects()[0].contains(&format!("m{champion}-")),
        "{:?}",
        world.subjects()
    );
}

/// A release that does not come up is taken back, once; the old alias stays.
pub fn degraded(world: &World) {
    world.set_degraded(true);
    let said = world.trainer(&["run"], &[]).expect(exit::NOT_LIVE);
    assert!(
        said.stderr.contains("m1-0123456 is not live") && said.stderr.contains("last words"),
        "{}",
        said.stderr
    );
    assert_eq!(
        world.subjects(),
        [
            "revert(local): inference-api m1-0123456",
            "promote(local): inference-api m1-0123456",
            "Begin"
        ]
    );
    let message = world.git(&["log", "-1", "--format=%B", "main"]);
    assert!(
        message.contains("last words") && message.contains("Reverts: "),
        "{message}"
    );
    assert_eq!(
        world.git(&["diff", "--stat", "main~2", "main"]),
        "",
        "all is as before"
    );
    let json = said.json();
    assert_eq!(
        json["withdrawn"],
        serde_json::json!({"commit": world.head(), "already": false})
    );
    let registry = Registry::of(world);
    assert_eq!(
        (registry.alias(ALIAS_CHAMPION), registry.alias(ALIAS_CHALLENGER)),
        (None, None)
    );
    let version = &registry.versions()[0];
    assert_eq!(version.tag("driftless.dev/outcome"), Some("withdrawn"));
    assert_eq!(
        version.tag("driftless.dev/withdrawn-by"),
        Some(world.head().as_str())
    );
    // What did not come up is not tried again by itself; by order it is.
    world.set_degraded(false);
    world.trainer(&["run"], &[]).expect(exit::NOTHING_NEW);
    world.trainer(&["run", "--force"], &[]).expect(0);
    assert_eq!(
        (registry.alias(ALIAS_CHAMPION), world.subjects().len()),
        (Some(2), 4)
    );
}

/// The Git server goes away before the promotion and comes back while it is waited for.
pub fn git_comes_back(world: &World) {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("http://{port}/gitops.git");
    let robot = [
        ("GIT_URL", url.as_str()),
        ("GIT_USERNAME", server::USER),
        ("GIT_TOKEN", server::TOKEN),
    ];
    let run = |seconds| {
        let env = [&robot[..], &[("GIT_DEADLINE_SECONDS", seconds)]].concat();
        world.trainer(&["run"], &env)
    };
    let said = run("1").expect(exit::GIT);
    assert!(
        said.stderr.contains("trying again") && !said.stderr.contains(server::TOKEN),
        "{}",
        said.stderr
    );
    let root = world.path("");
    let late = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_secs(2));
        server::start_at(&port.to_string(), &root)
    });
    let said = run("60").expect(0);
    late.join().unwrap();
    assert!(said.stderr.contains("trying again"), "{}", said.stderr);
    assert_eq!(world.subjects().len(), 2);
}

/// The hook after a sync: asks the API, moves the alias; not for a release that is not served.
pub fn smoke(world: &World) {
    let (api, registry) = (world.api(), Registry::of(world));
    // Nobody in particular reads there.
    let url = format!("{}/gitops.git", server::start(&world.path("")));
    let ask = |more: &[(&str, &str)]| {
        let own = [
            ("API_URL", api.as_str()),
            ("GIT_URL", &url),
            ("SMOKE_DEADLINE_SECONDS", "1"),
        ];
        world.trainer(&["smoke"], &[&own[..], more].concat())
    };
    let said = ask(&[]).expect(0).json();
    assert_eq!(
        (&said["status"], &said["released"]),
        (&"skipped".into(), &false.into())
    );
    world.trainer(&["run"], &[("DRIFTLESS_EXIT_AFTER", "promote")]);
    assert_eq!(registry.alias(ALIAS_CHAMPION), None);
    world.set_wrong(true);
    let said = ask(&[]).expect(exit::NOT_LIVE);
    assert!(said.stderr.contains("not shares of 3 classes"), "{}", said.stderr);
    assert_eq!(registry.alias(ALIAS_CHAMPION), None);
    world.set_wrong(false);
    world.set_key("smoke-key-of-sixteen");
    let said = ask(&[]).expect(exit::NOT_LIVE);
    assert!(said.stderr.contains("expected --api-key-file"), "{}", said.stderr);
    let key = world.path("key");
    std::fs::write(&key, "smoke-key-of-sixteen").unwrap();
    let said = ask(&[("API_KEY_FILE", key.to_str().unwrap())]);
    world.no_key();
    let said = said.expect(0).json();
    assert_eq!(
        (&said["status"], &said["model_version"]),
        (&"done".into(), &1.into())
    );
    assert_eq!(registry.alias(ALIAS_CHAMPION), Some(1));
    let said = ask(&[]).expect(0).json();
    assert_eq!(said["status"], "already");
    // The hook of a sync that brought another image, or none yet, leaves the head to its own sync.
    let own = format!(
        "localhost:5000/x/inference-api@{}",
        said["digest"].as_str().unwrap()
    );
    assert_eq!(
        ask(&[("RELEASE_IMAGE", &own)]).expect(0).json()["status"],
        "already"
    );
    let other = format!("localhost:5000/x/inference-api@sha256:{}", "0".repeat(64));
    for brought in [other.as_str(), "inference-api"] {
        let said = ask(&[("RELEASE_IMAGE", brought)]).expect(0);
        assert_eq!(said.json()["status"], "skipped");
        assert!(
            said.stderr.contains(&format!("this sync brought {brought}")),
            "{}",
            said.stderr
        );
    }
    let nobody = "http://127.0.0.1:9";
    let said = ask(&[("API_URL", nobody)]).expect(exit::NOT_LIVE);
    assert!(said.stderr.contains("/readyz"), "{}", said.stderr);
    let said = ask(&[("MLFLOW_TRACKING_URI", nobody)]).expect(exit::MLFLOW);
    assert_eq!(said.json()["exit_code"], exit::MLFLOW);
}

/// Somebody reverts between the promotion and the look at what is live.
pub fn replaced_before_live(world: &World) {
    let killed = world.trainer(&["run"], &[("DRIFTLESS_EXIT_AFTER", "promote")]);
    assert_eq!(killed.code, None);
    let folder = std::fs::read_dir(world.path("runs"))
        .unwrap()
        .flatten()
        .find(|e| e.path().join("model").is_dir());
    let folder = folder.unwrap().path().display().to_string();
    world.revert();
    let said = world
        .trainer(
            &["confirm"],
            &[("RUN_DIR", &folder), ("LIVE_DEADLINE_SECONDS", "1")],
        )
        .expect(exit::OUTRUN);
    assert!(
        said.stderr
            .contains("was replaced by unreleased before it was live"),
        "{}",
        said.stderr
    );
    let version = &Registry::of(world).versions()[0];
    assert_eq!(version.tag("driftless.dev/outcome"), Some("outrun"));
    assert_eq!(Registry::of(world).alias(ALIAS_CHAMPION), None);
}
