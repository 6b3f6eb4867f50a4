//! Waiting for Applications to be live at a commit, by the live rule and nothing less.

use super::diagnose;
use crate::{Error, Kind, Result, bridge::Local, cli, connect};
use engine::{Engine, EngineClient, Status};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(200);
/// Without one answer for so long, the cause is told.
const AWAY: Duration = Duration::from_secs(30);

/// Where answers come from: a bridge that runs, or one made for this wait.
enum Source {
    Bridge(Arc<EngineClient>),
    Own(Box<Local>),
}

impl Source {
    async fn status(&self) -> Result<Status> {
        match self {
            Source::Own(local) => local.core.status().await,
            Source::Bridge(client) => {
                let client = client.clone();
                let asked = tokio::task::spawn_blocking(move || client.status()).await;
                let answer = asked.map_err(|error| Error::other(error.to_string()))?;
                answer.map_err(|error| Error::new(Kind::Unreachable, error.to_string()))
            }
        }
    }
}

/// See the module.
pub async fn wait(context: String, flags: cli::Apps) -> Result<Value> {
    let start = Instant::now();
    let deadline = Duration::from_secs(flags.deadline);
    let client = connect::client(&context).await?;
    let source = source(&client, &flags).await?;
    let (mut told, mut live) = (BTreeMap::new(), BTreeMap::new());
    let mut last_answer = Instant::now();
    let mut last;
    loop {
        match source.status().await {
            Ok(status) => {
                last_answer = Instant::now();
                let waits = waits_for(&status, &flags, start, &mut live);
                tell(&status, &mut told);
                if waits.is_empty() {
                    let commit = commit(&status, &flags);
                    return Ok(
                        json!({"revision": commit, "apps": live, "seconds": start.elapsed().as_secs_f64()}),
                    );
                }
                last = waits.join("\n");
            }
            Err(error) if last_answer.elapsed() >= AWAY => return Err(error),
            Err(error) => last = error.message,
        }
        if start.elapsed() >= deadline {
            let mut text = format!("not live within {} s:\n{last}", deadline.as_secs());
            for line in diagnose::lines(&client, &[]).await.unwrap_or_default() {
                text.push('\n');
                text.push_str(&line);
            }
            return Err(Error::new(Kind::Timeout, text));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn source(client: &kube::Client, flags: &cli::Apps) -> Result<Source> {
    let bridge = flags
        .state
        .as_deref()
        .and_then(|state| EngineClient::open(state).ok());
    if let Some(bridge) = bridge {
        let bridge = Arc::new(bridge);
        let asked = bridge.clone();
        let told = tokio::task::spawn_blocking(move || asked.refresh()).await;
        if matches!(told, Ok(Ok(()))) {
            return Ok(Source::Bridge(bridge));
        }
    }
    let cache = match &flags.state {
        Some(state) => state.join("bridge-git-wait"),
        None => std::env::temp_dir().join(format!("driftless-cluster-{}", std::process::id())),
    };
    let local = Local::open(client, flags, &cache).await?;
    Ok(Source::Own(Box::new(local)))
}

fn commit(status: &Status, flags: &cli::Apps) -> String {
    match flags.revision.as_str() {
        "head" => status.revision.clone(),
        commit => commit.to_owned(),
    }
}

/// What is waited for, one line each; remembers since when the others are live.
fn waits_for(
    status: &Status,
    flags: &cli::Apps,
    start: Instant,
    live: &mut BTreeMap<String, f64>,
) -> Vec<String> {
    let commit = commit(status, flags);
    if commit.is_empty() {
        return vec!["the head of main is not known".to_owned()];
    }
    let names: Vec<&str> = match flags.names.is_empty() {
        true => status.apps.iter().map(|app| app.name.as_str()).collect(),
        false => flags.names.iter().map(String::as_str).collect(),
    };
    if names.is_empty() {
        return vec!["there is no application".to_owned()];
    }
    let mut waits = Vec::new();
    for name in names {
        match status.app(name) {
            Some(app) if app.is_live_at(&commit) => {
                live.entry(name.to_owned())
                    .or_insert_with(|| start.elapsed().as_secs_f64());
            }
            Some(app) => {
                live.remove(name);
                waits.push(app.summary());
            }
            None => waits.push(format!("{name}: there is no such application yet")),
        }
    }
    waits
}

/// Says what changed, on standard error.
fn tell(status: &Status, told: &mut BTreeMap<String, String>) {
    for app in &status.apps {
        let line = app.summary();
        if told.insert(app.name.clone(), line.clone()).as_ref() != Some(&line) {
            eprintln!("{line}");
        }
    }
}
