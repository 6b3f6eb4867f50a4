//! When an address holds a release back, and what it is asked.

use super::*;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const NEW: &str = "2222222222222222222222222222222222222222";

fn live() -> Verdict {
    Verdict {
        revision: NEW.into(),
        live_revision: NEW.into(),
        applied: true,
        live: true,
        why: String::new(),
        ticket: None,
        wants_refresh: false,
    }
}

/// The verdict after an answer at second `at`.
fn after(traffic: &mut Traffic, at: u64, reached: Option<Reached>) -> Verdict {
    let mut verdict = live();
    traffic.judge("app", Duration::from_secs(at), &mut verdict, reached);
    verdict
}

#[test]
fn the_answer_of_before_holds_a_release_back() {
    let mut traffic = Traffic::default();
    let held = after(&mut traffic, 1, Some(Reached::Other("1".into())));
    assert!(!held.live && held.live_revision.is_empty(), "{held:?}");
    assert_eq!(held.why, "requests still reach version 1");
    // However long it lasts.
    assert!(!after(&mut traffic, 100, Some(Reached::Other("1".into()))).live);
    let live = after(&mut traffic, 101, Some(Reached::Release));
    assert!(live.live && live.live_revision == NEW, "{live:?}");
    assert!(after(&mut traffic, 102, None).live, "it is asked once");
}

#[test]
fn an_address_that_is_silent_holds_it_for_three_seconds() {
    let mut traffic = Traffic::default();
    let silent = || Some(Reached::Silent("refused".into()));
    for (at, expected) in [(10, false), (12, false), (13, true)] {
        assert_eq!(after(&mut traffic, at, silent()).live, expected, "at {at} s");
    }
    // An answer in between starts the time anew.
    let mut traffic = Traffic::default();
    assert!(!after(&mut traffic, 10, silent()).live);
    assert!(!after(&mut traffic, 12, Some(Reached::Other("1".into()))).live);
    assert!(!after(&mut traffic, 14, silent()).live);
}

#[test]
fn another_rollout_is_asked_about_anew() {
    let mut traffic = Traffic::default();
    assert!(after(&mut traffic, 1, Some(Reached::Release)).live);
    let mut due = |at, verdict: &Verdict, release| {
        let due = traffic.due("app", Duration::from_secs(at), verdict, &release, true);
        let mut verdict = verdict.clone();
        if due != Due::Now {
            traffic.judge("app", Duration::from_secs(at), &mut verdict, None);
        }
        due
    };
    let moving = Verdict {
        live: false,
        ..live()
    };
    for (at, verdict, release, expected) in [
        (1, &live(), Release::Matches, Due::No),
        (2, &moving, Release::Matches, Due::No),
        (2, &live(), Release::None, Due::No),
        (2, &live(), Release::Matches, Due::Now),
    ] {
        assert_eq!(due(at, verdict, release.clone()), expected, "{at} {release:?}");
    }
    let held = after(&mut traffic, 3, Some(Reached::Other("2".into())));
    assert_eq!((held.live, held.live_revision.as_str()), (false, NEW));
}

/// Serves `/model/info`, the nth connection with the nth of these bodies, the last one for ever.
async fn server(bodies: Vec<String>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let turn = counted.fetch_add(1, Ordering::SeqCst);
            let body = bodies.get(turn).or(bodies.last()).unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /model/info HTTP/1.1\r\n"));
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    (address, count)
}

fn body(version: &str, image: Option<&str>) -> String {
    let info = serde_json::json!({"name": "m", "model_version": version, "task": "classification",
        "algorithm": "x", "features": [], "digests": {"model": "x", "image": image}});
    info.to_string()
}

#[tokio::test]
async fn what_an_address_says() {
    let (new, old) = (body("2", Some("sha256:new")), body("1", Some("sha256:old")));
    let (address, count) = server(vec![new.clone()]).await;
    assert_eq!(ask(&address, "sha256:new").await, Reached::Release);
    assert_eq!(count.load(Ordering::SeqCst), IN_A_ROW as usize);

    // One of several pods is still the old one.
    let mut mixed = vec![new.clone(); 5];
    mixed.push(old);
    let (address, _) = server(mixed).await;
    assert_eq!(ask(&address, "sha256:new").await, Reached::Other("1".into()));

    let (address, _) = server(vec![body("2", None)]).await;
    assert_eq!(ask(&address, "sha256:new").await, Reached::Release);
    let (address, _) = server(vec!["{".into()]).await;
    let Reached::Silent(why) = ask(&address, "sha256:new").await else {
        panic!("it understood nothing")
    };
    assert!(why.contains("/model/info"), "{why}");

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let Reached::Silent(why) = ask(&address, "sha256:new").await else {
        panic!("nobody listens")
    };
    assert!(why.contains(&address) && why.contains("refused"), "{why}");
}

#[test]
fn what_would_be_refused_is_not_asked() {
    let mut traffic = Traffic::default();
    let moving = Verdict {
        live: false,
        ..live()
    };
    let ms = Duration::from_millis;
    let due = |traffic: &mut Traffic, at, verdict: &Verdict, served| {
        traffic.due("app", ms(at), verdict, &Release::Matches, served)
    };
    assert_eq!(due(&mut traffic, 1000, &moving, false), Due::No);
    assert_eq!(due(&mut traffic, 1100, &live(), true), Due::Later);
    assert_eq!(due(&mut traffic, 2499, &live(), true), Due::Later);
    assert_eq!(due(&mut traffic, 2500, &live(), true), Due::Now);
    let silent = Some(Reached::Silent("refused".into()));
    traffic.judge("app", ms(2500), &mut live(), silent);
    assert_eq!(due(&mut traffic, 2600, &live(), true), Due::Later);
    assert_eq!(due(&mut traffic, 3000, &live(), true), Due::Now);
    // An answer of the release before is waited out at the pace of the looks.
    traffic.judge("app", ms(3000), &mut live(), Some(Reached::Other("1".into())));
    assert_eq!(due(&mut traffic, 3100, &live(), true), Due::Now);
}
