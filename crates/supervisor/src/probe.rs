//! Asking a replica whether it lives and is ready, as often as its manifest says.

use crate::plan::{ProbeAction, ProbePlan, Probes};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

/// Until the first answer a replica is asked this often: the manifest's seconds are for the long
/// run, and a rollout should not wait for them.
const EAGER: Duration = Duration::from_millis(10);
/// A status line is shorter; bounds what a broken replica can make the engine read.
const ANSWER_BYTES_MAX: usize = 1024;

/// What the probes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// May serve.
    Ready,
    /// May not serve.
    Unready,
    /// Must be restarted, and why.
    Dead(String),
}

/// Asks until the process is gone (the caller aborts this) or must be restarted; every change is
/// sent as `event(word)`.
pub async fn watch<E>(probes: Probes, at: SocketAddr, events: mpsc::Sender<E>, event: impl Fn(Word) -> E) {
    let ear = Ear { events, event };
    let start = Instant::now();
    if let Some(plan) = &probes.startup
        && let Err(reason) = startup(plan, at, start).await
    {
        return ear.hear(Word::Dead(reason)).await;
    }
    let ready = async {
        match &probes.readiness {
            Some(plan) => readiness(plan, at, start, &ear).await,
            None => {
                ear.hear(Word::Ready).await;
                std::future::pending().await
            }
        }
    };
    let dead = async {
        match &probes.liveness {
            Some(plan) => liveness(plan, at, start).await,
            None => std::future::pending().await,
        }
    };
    let reason = tokio::select! {
        reason = dead => reason,
        () = ready => return,
    };
    ear.hear(Word::Dead(reason)).await;
}

/// Whom changes are told.
struct Ear<E, F> {
    events: mpsc::Sender<E>,
    event: F,
}

impl<E, F: Fn(Word) -> E> Ear<E, F> {
    async fn hear(&self, word: Word) {
        // A closed channel means that the engine ends, and this with it.
        drop(self.events.send((self.event)(word)).await);
    }
}

async fn startup(plan: &ProbePlan, at: SocketAddr, start: Instant) -> Result<(), String> {
    sleep_until(start + seconds(plan.initial_delay_s)).await;
    // The manifest allows so many questions at its pace; asked faster, the time is the same.
    let end = Instant::now() + seconds(plan.period_s) * plan.failure_threshold;
    loop {
        let asked = Instant::now();
        let Err(reason) = ask(plan, at).await else {
            return Ok(());
        };
        if Instant::now() >= end {
            return Err(format!("startup probe: {reason}"));
        }
        sleep_until(asked + EAGER).await;
    }
}

async fn readiness<E, F: Fn(Word) -> E>(plan: &ProbePlan, at: SocketAddr, start: Instant, ear: &Ear<E, F>) {
    sleep_until(start + seconds(plan.initial_delay_s)).await;
    let (mut ready, mut ever, mut same) = (false, false, 0);
    loop {
        let asked = Instant::now();
        let answer = ask(plan, at).await.is_ok();
        same = if answer == ready { 0 } else { same + 1 };
        let needed = if answer {
            plan.success_threshold
        } else {
            plan.failure_threshold
        };
        if same >= needed {
            (ready, same) = (answer, 0);
            ever |= answer;
            ear.hear(if ready { Word::Ready } else { Word::Unready }).await;
        }
        sleep_until(asked + if ever { seconds(plan.period_s) } else { EAGER }).await;
    }
}

async fn liveness(plan: &ProbePlan, at: SocketAddr, start: Instant) -> String {
    sleep_until(start + seconds(plan.initial_delay_s)).await;
    let mut failures = 0;
    loop {
        let asked = Instant::now();
        match ask(plan, at).await {
            Ok(()) => failures = 0,
            Err(reason) => {
                failures += 1;
                if failures >= plan.failure_threshold {
                    return format!("liveness probe: {reason}");
                }
            }
        }
        sleep_until(asked + seconds(plan.period_s)).await;
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// One question; the error says what was answered instead.
async fn ask(plan: &ProbePlan, at: SocketAddr) -> Result<(), String> {
    match timeout(seconds(plan.timeout_s), question(&plan.action, at)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", plan.timeout_s)),
    }
}

async fn question(action: &ProbeAction, at: SocketAddr) -> Result<(), String> {
    let mut stream = TcpStream::connect(at).await.map_err(|error| error.to_string())?;
    let ProbeAction::Http(path) = action else {
        return Ok(());
    };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: driftless-engine\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let mut answer = Vec::with_capacity(ANSWER_BYTES_MAX);
    while !answer.contains(&b'\n') && answer.len() < ANSWER_BYTES_MAX {
        let read = stream
            .read_buf(&mut answer)
            .await
            .map_err(|error| error.to_string())?;
        if read == 0 {
            break;
        }
    }
    status(&answer)
}

/// Reads the status line (RFC 9112, 4); 200 to 399 is a yes, as for the kubelet.
fn status(answer: &[u8]) -> Result<(), String> {
    let line =
        String::from_utf8_lossy(answer.split(|byte| *byte == b'\n').next().unwrap_or(&[])).into_owned();
    let code = line
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split_whitespace().nth(1))
        .and_then(|code| code.parse::<u16>().ok());
    match code {
        Some(200..=399) => Ok(()),
        Some(code) => Err(format!("HTTP status {code}")),
        None => Err("an answer that is not HTTP/1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn plan(failure_threshold: u32) -> ProbePlan {
        ProbePlan {
            action: ProbeAction::Http("/readyz".into()),
            initial_delay_s: 0,
            period_s: 1,
            timeout_s: 1,
            failure_threshold,
            success_threshold: 1,
        }
    }

    /// Answers each question with the next status, the last one for ever.
    async fn server(statuses: &'static [u16]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut statuses = statuses.iter().peekable();
            let mut status = 500;
            while let Ok((mut stream, _)) = listener.accept().await {
                status = statuses.next().copied().unwrap_or(status);
                let mut request = [0; 512];
                let _ = stream.read(&mut request).await;
                assert!(request.starts_with(b"GET /readyz HTTP/1.1\r\n"));
                let _ = stream
                    .write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes())
                    .await;
            }
        });
        at
    }

    async fn words(probes: Probes, at: SocketAddr, count: usize) -> Vec<Word> {
        let (sender, mut receiver) = mpsc::channel(8);
        let task = tokio::spawn(watch(probes, at, sender, |word| word));
        let mut seen = Vec::new();
        while seen.len() < count {
            match timeout(Duration::from_secs(20), receiver.recv()).await.unwrap() {
                Some(word) => seen.push(word),
                None => break,
            }
        }
        task.abort();
        seen
    }

    #[tokio::test]
    async fn ready_soon_after_the_first_yes_then_by_threshold() {
        let at = server(&[503, 503, 503, 200, 503, 200, 503, 503, 503]).await;
        let probes = Probes {
            readiness: Some(plan(2)),
            ..Probes::default()
        };
        let start = Instant::now();
        assert_eq!(words(probes.clone(), at, 1).await, [Word::Ready]);
        assert!(
            start.elapsed() < Duration::from_millis(500),
            "{:?}",
            start.elapsed()
        );
        let at = server(&[200, 503, 503, 503]).await;
        assert_eq!(words(probes, at, 2).await, [Word::Ready, Word::Unready]);
    }

    #[tokio::test]
    async fn a_dead_one_is_said_with_the_reason() {
        let at = server(&[200, 500]).await;
        let probes = Probes {
            readiness: Some(plan(9)),
            liveness: Some(plan(2)),
            ..Probes::default()
        };
        let seen = words(probes, at, 9).await;
        assert_eq!(
            seen.last(),
            Some(&Word::Dead("liveness probe: HTTP status 500".into()))
        );
        let at = server(&[503]).await;
        let probes = Probes {
            startup: Some(plan(1)),
            ..Probes::default()
        };
        assert_eq!(
            words(probes, at, 9).await,
            [Word::Dead("startup probe: HTTP status 503".into())]
        );
    }

    #[tokio::test]
    async fn without_probes_it_is_ready_once_it_runs() {
        let at = server(&[500]).await;
        assert_eq!(words(Probes::default(), at, 1).await, [Word::Ready]);
    }

    #[test]
    fn status_lines() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Ok(()));
        assert_eq!(status(b"HTTP/1.0 302 Found"), Ok(()));
        assert_eq!(
            status(b"HTTP/1.1 404 Not Found\r\n"),
            Err("HTTP status 404".into())
        );
        assert!(status(b"").is_err() && status(b"SSH-2.0\r\n").is_err());
    }
}
