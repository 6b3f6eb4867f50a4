//! Releases that do not come up are named as such.

use crate::fixture::{APP, IMAGE_A, Lab, NAMESPACE};
use engine::{Engine, Health, Sync, Waited};
use std::time::{Duration, Instant};

fn degraded(lab: &Lab, commit: &str) -> (String, Duration) {
    let start = Instant::now();
    match engine::wait_live(&lab.engine, APP, commit, Duration::from_secs(60)).unwrap() {
        Waited::Degraded(why) => (why, start.elapsed()),
        Waited::Live(_) => panic!("called live"),
    }
}

#[test]
fn an_image_that_is_not_there() {
    let lab = crate::lab!("missing image");
    let good = lab.app().revision;
    let missing = "localhost:5000/cluster-tests/none:1";
    let commit = lab.push(missing, "an image that nobody has");
    let (why, after) = degraded(&lab, &commit);
    eprintln!("missing image named after {after:.1?}: {why}");
    assert!(after <= Duration::from_secs(15), "{after:?}");
    assert!(why.contains(missing) && why.contains("pod probe-"), "{why}");
    let app = lab.app();
    assert!(
        app.health == Health::Degraded && app.sync == Sync::OutOfSync,
        "{}",
        app.summary()
    );
    assert_eq!(app.live_revision, good);
    assert!(
        app.replicas.iter().filter(|replica| replica.ready).count() == 2,
        "the old ones serve: {app:?}"
    );

    // The way back: at no moment is the new commit called Degraded for the pods of the old one.
    let mended = lab.push(IMAGE_A, "back");
    let start = Instant::now();
    lab.engine.refresh().unwrap();
    loop {
        let app = lab.app();
        assert!(
            app.revision != mended || app.health != Health::Degraded,
            "{}",
            app.summary()
        );
        if app.is_live_at(&mended) {
            break assert!(app.conditions.is_empty(), "{app:?}");
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{}", app.summary());
        std::thread::sleep(Duration::from_millis(10));
    }
    eprintln!("mended after {:.1?}", start.elapsed());
}

#[test]
fn a_program_that_ends_at_once() {
    let lab = crate::lab!("crash loop");
    // An image whose program is not the one that the manifest names: `sh` is there, httpd is not.
    let text = include_str!("files/deployment.yaml")
        .replace("exec httpd -f -p 8080 -h /tmp", "echo no such model; exit 3");
    let commit = lab.push_deployment(&text.replace("IMAGE", IMAGE_A), "a program that ends");
    let (why, after) = degraded(&lab, &commit);
    eprintln!("crash named after {after:.1?}: {why}");
    assert!(after <= Duration::from_secs(30), "{after:?}");
    assert!(
        why.contains("exit code 3") && why.contains("no such model"),
        "{why}"
    );
    let (ok, answer) = lab.command(&["wait", "workloads", "--namespace", NAMESPACE, "--deadline", "2"]);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        !ok && answer["error"]["kind"] == "timeout" && message.contains("pod probe-"),
        "{answer}"
    );
    assert!(message.contains("no such model"), "{message}");
    let mended = lab.push(IMAGE_A, "back");
    lab.wait_live(&mended, Duration::from_secs(60));
    let (ok, answer) = lab.command(&["wait", "workloads", "--namespace", NAMESPACE]);
    assert!(ok, "{answer}");
}
