//! What is called live is live.

use crate::fixture::{APP, IMAGE_A, IMAGE_B, median, wait_for};
use engine::{Engine, Sync};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

const ROLLOUT: Duration = Duration::from_secs(60);

fn other(image: &str) -> &'static str {
    if image == IMAGE_A { IMAGE_B } else { IMAGE_A }
}

/// Two pushes 20 ms apart, the second one taking back the first, or each another image.
#[test]
fn two_pushes_20_ms_apart_never_give_a_wrong_live_answer() {
    let lab = crate::lab!("two pushes");
    let (mut wrong, mut answers, mut times) = (Vec::new(), 0, Vec::new());
    let mut image = lab.image();
    for round in 0..30 {
        let first = other(&image);
        let second = if round % 2 == 0 { other(first) } else { first };
        let mut expected = BTreeMap::new();
        expected.insert(lab.push(first, "first"), first);
        lab.engine.refresh().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let last = lab.push(second, "second");
        expected.insert(last.clone(), second);
        let pushed = Instant::now();
        lab.engine.refresh().unwrap();
        let mut stays = 0;
        // Also for a while after: an answer that was too early is followed by the change.
        while stays < 12 {
            let app = lab.app();
            if app.sync == Sync::Synced && app.is_live_at(&app.revision) {
                let there = lab.image();
                let of = expected.get(&app.revision).copied();
                answers += 1;
                if app.revision == last {
                    if stays == 0 {
                        times.push(pushed.elapsed().as_secs_f64());
                    }
                    stays += 1;
                    if there != second {
                        wrong.push(format!(
                            "round {round}: live at the second, the Deployment has {there}"
                        ));
                    }
                } else if of.is_some_and(|of| of != there && there != second) {
                    wrong.push(format!(
                        "round {round}: live at {}, the Deployment has {there}",
                        app.revision
                    ));
                }
            }
            assert!(
                pushed.elapsed() < ROLLOUT,
                "round {round}: not live: {}",
                app.summary()
            );
            std::thread::sleep(Duration::from_millis(25));
        }
        image = lab.image();
    }
    eprintln!(
        "30 rounds, {answers} live answers, {} wrong, median {:.2} s",
        wrong.len(),
        median(times)
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_push_is_live_within_seconds() {
    let lab = crate::lab!("push to live");
    let mut times = Vec::new();
    let mut image = lab.image();
    for _ in 0..5 {
        image = other(&image).to_owned();
        let commit = lab.push(&image, "another image");
        let start = Instant::now();
        lab.wait_live(&commit, ROLLOUT);
        times.push(start.elapsed().as_secs_f64());
        assert_eq!(lab.image(), image);
    }
    eprintln!("push to live: {times:.2?}, median {:.2} s", median(times.clone()));
    let mut latency = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        lab.engine.status().unwrap();
        latency.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    eprintln!("status: median {:.1} ms", median(latency.clone()));
    assert!(median(times) <= 6.0);
}

#[test]
fn a_commit_that_changes_nothing_is_live() {
    let lab = crate::lab!("nothing rendered");
    let image = lab.image();
    let mut times = Vec::new();
    for _ in 0..3 {
        let commit = lab.push(&image, "a note");
        let start = Instant::now();
        lab.wait_live(&commit, ROLLOUT);
        times.push(start.elapsed().as_secs_f64());
    }
    eprintln!("nothing rendered: {times:.2?}");
}

#[test]
fn a_manual_change_is_never_called_live_and_is_healed() {
    let lab = crate::lab!("manual change");
    let image = lab.image();
    let commit = lab.app().revision;
    lab.set_image(other(&image));
    let start = Instant::now();
    let mut healed = None;
    while healed.is_none() || start.elapsed() < Duration::from_secs(3) {
        let app = lab.app();
        let there = lab.image();
        if app.is_live_at(&commit) {
            // Read after the answer: healed is healed.
            assert_eq!(there, image, "live with a manual change");
            healed.get_or_insert(start.elapsed());
        }
        assert!(start.elapsed() < ROLLOUT, "{}", app.summary());
        std::thread::sleep(Duration::from_millis(20));
    }
    eprintln!(
        "manual change healed and live again after {:.2?}",
        healed.unwrap()
    );
}

/// Somebody sets the annotation all the time, so that it is taken by comparisons that began before.
#[test]
fn a_swallowed_refresh_is_asked_for_again() {
    let lab = crate::lab!("swallowed refresh");
    let stop = AtomicBool::new(false);
    let mut image = lab.image();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let patch = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}});
            while !stop.load(Ordering::Relaxed) {
                let set = lab.applications();
                let _ = lab
                    .runtime
                    .block_on(set.patch(APP, &PatchParams::default(), &Patch::Merge(&patch)));
                std::thread::sleep(Duration::from_millis(60));
            }
        });
        // Also when what follows panics: the thread would be waited for.
        let _stop = Stop(&stop);
        for _ in 0..5 {
            image = other(&image).to_owned();
            let commit = lab.push(&image, "under annotations");
            lab.wait_live(&commit, ROLLOUT);
            assert_eq!(lab.image(), image);
        }
    });
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn what_cannot_be_compared_is_not_live() {
    let lab = crate::lab!("Git down");
    let commit = lab.app().revision;
    // Nobody listens there.
    lab.apply_application("http://127.0.0.1:9/none.git");
    lab.engine.refresh().unwrap();
    let app = wait_for("Unknown", ROLLOUT, || {
        let app = lab.app();
        (app.sync == Sync::Unknown).then_some(app)
    });
    assert!(
        !app.is_live_at(&commit) && !app.is_live_at("main"),
        "{}",
        app.summary()
    );
    assert_eq!(app.revision, commit, "the last commit is kept");
    assert!(
        app.conditions.iter().any(|c| c.kind == "ComparisonError"),
        "{app:?}"
    );
    assert!(!app.message.is_empty());
    lab.apply_application(&lab.git_url);
    lab.wait_live(&commit, ROLLOUT);
    assert!(lab.app().conditions.is_empty());
}

#[test]
fn the_controller_is_deleted_in_the_middle_of_a_sync() {
    let lab = crate::lab!("controller deleted");
    let image = other(&lab.image());
    let commit = lab.push(image, "and the controller goes");
    lab.engine.refresh().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
        kube::Api::namespaced(lab.client.clone(), "argocd");
    let params = kube::api::DeleteParams::default().grace_period(0);
    lab.runtime
        .block_on(pods.delete("argocd-application-controller-0", &params))
        .unwrap();
    let start = Instant::now();
    loop {
        let app = lab.app();
        if app.is_live_at(&commit) {
            assert_eq!(lab.image(), image);
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{}", app.summary());
        std::thread::sleep(Duration::from_millis(50));
    }
    eprintln!("live {:.1?} after the controller was deleted", start.elapsed());
}
