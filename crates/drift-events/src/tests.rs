//! A real connection to something that speaks like the API.

use super::*;
use engine::{AppStatus, Run, Sync};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};
use tokio::net::TcpListener;

#[derive(Clone, Default)]
struct Engine {
    address: Arc<Mutex<Option<String>>>,
    under_way: Arc<AtomicBool>,
    suspended: Arc<AtomicBool>,
    started: Arc<Mutex<Vec<Instant>>>,
    over: Arc<AtomicBool>,
}

fn app(name: &str, address: Option<String>, health: Health) -> AppStatus {
    AppStatus {
        name: name.to_owned(),
        sync: Sync::Synced,
        health,
        revision: String::new(),
        live_revision: String::new(),
        message: String::new(),
        images: Vec::new(),
        replicas_wanted: 1,
        replicas: Vec::new(),
        address,
        stand_in: None,
        conditions: Vec::new(),
        not_honoured: Vec::new(),
        next_schedule: None,
    }
}

impl Checks for Engine {
    async fn status(&self) -> Result<Status, String> {
        let health = match self.suspended.load(Ordering::SeqCst) {
            true => Health::Suspended,
            false => Health::Healthy,
        };
        let run = Run {
            id: "drift-monitor-1".to_owned(),
            template: DRIFT_MONITOR.to_owned(),
            phase: RunPhase::Running,
            exit_code: None,
            attempts: 1,
            started_at: String::new(),
            finished_at: None,
            stdout: String::new(),
            log_tail: Vec::new(),
        };
        let address = self.address.lock().unwrap().clone();
        Ok(Status {
            engine: "test".to_owned(),
            revision: String::new(),
            apps: vec![
                app(DRIFT_MONITOR, None, health),
                app(INFERENCE_API, address, Health::Healthy),
            ],
            runs: self
                .under_way
                .load(Ordering::SeqCst)
                .then_some(run)
                .into_iter()
                .collect(),
        })
    }

    async fn start(&self) -> Result<(), String> {
        self.started.lock().unwrap().push(Instant::now());
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// Answers each connection with a head and the events of that turn, the last turn again and again.
async fn api(turns: Vec<String>) -> String {
    guarded(turns, None).await
}

/// As [`api`], and whoever does not show `key` gets a 401.
async fn guarded(turns: Vec<String>, key: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for turn in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            assert!(request.starts_with("GET /drift/events HTTP/1.0\r\n"), "{request}");
            let shown = |key| request.contains(&format!("\r\nAuthorization: Bearer {key}\r\n"));
            if !key.is_none_or(shown) {
                let refused = b"HTTP/1.0 401 Unauthorized\r\ncontent-type: application/json\r\n\r\n{}";
                stream.write_all(refused).await.unwrap();
                continue;
            }
            let events = turns.get(turn).or(turns.last()).unwrap();
            let head = "HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream
                .write_all(format!("{head}{events}").as_bytes())
                .await
                .unwrap();
            // The last connection stays.
            if turn + 1 >= turns.len() {
                tokio::spawn(async move {
                    sleep(Duration::from_secs(600)).await;
                    drop(stream);
                });
            }
        }
    });
    address
}

fn opened(number: u64) -> String {
    format!(
        "event: drift\ndata: {{\"model\":\"sha256:a\",\"drift_detected\":true,\"episode\":{{\"number\":{number},\"opened_at_ms\":1,\"open\":true}}}}\n\n"
    )
}

async fn until(engine: &Engine, count: usize) {
    let soon = async {
        while engine.started.lock().unwrap().len() < count {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), soon).await.expect("a check");
}

#[tokio::test]
async fn an_opening_starts_one_check_also_after_a_connection_that_broke() {
    let engine = Engine::default();
    // Nothing, then a cut-off event, then the opening twice.
    let half = opened(1)[..40].to_owned();
    let address = api(vec![": hello\n\n".to_owned(), half, opened(1) + &opened(1)]).await;
    tokio::spawn(follow(engine.clone(), None));
    sleep(Duration::from_millis(100)).await;
    *engine.address.lock().unwrap() = Some(address);
    until(&engine, 1).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(engine.started.lock().unwrap().len(), 1);
    engine.over.store(true, Ordering::SeqCst);
}

#[tokio::test]
async fn a_key_is_shown_as_soon_as_its_file_has_it() {
    let engine = Engine::default();
    let file = std::env::temp_dir().join(format!("drift-events-key-{}", std::process::id()));
    std::fs::write(&file, "an-old-key\n").unwrap();
    *engine.address.lock().unwrap() = Some(guarded(vec![opened(1)], Some("a-new-key")).await);
    tokio::spawn(follow(engine.clone(), Some(file.clone())));
    // One answer at least is a 401.
    sleep(Duration::from_millis(300)).await;
    assert!(engine.started.lock().unwrap().is_empty());
    std::fs::write(&file, "a-new-key\n").unwrap();
    until(&engine, 1).await;
    std::fs::remove_file(&file).unwrap();
}

#[tokio::test]
async fn a_check_under_way_is_waited_for_and_a_suspended_monitor_left_alone() {
    let engine = Engine::default();
    engine.under_way.store(true, Ordering::SeqCst);
    *engine.address.lock().unwrap() = Some(api(vec![opened(1)]).await);
    tokio::spawn(follow(engine.clone(), None));
    sleep(Duration::from_millis(500)).await;
    assert!(engine.started.lock().unwrap().is_empty());
    engine.under_way.store(false, Ordering::SeqCst);
    until(&engine, 1).await;

    let stopped = Engine::default();
    stopped.suspended.store(true, Ordering::SeqCst);
    *stopped.address.lock().unwrap() = Some(api(vec![opened(1)]).await);
    tokio::spawn(follow(stopped.clone(), None));
    sleep(Duration::from_millis(500)).await;
    assert!(stopped.started.lock().unwrap().is_empty());
}
