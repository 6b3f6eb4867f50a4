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
    assert!(!traffic.is_due("app", &live(), &Release::Matches));
    let mut moving = Verdict {
        live: false,
        ..live()
    };
    traffic.judge("app", Duration::from_secs(2), &mut moving, None);
    assert!(traffic.is_due("app", &live(), &Release::Matches));
    assert!(
        !traffic.is_due("app", &live(), &Release::None),
        "it has no release"
    );
    assert!(!traffic.is_due("app", &moving, &Release::Matches), "it moves");
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
