//! The seconds of each step, and what was live when.

use crate::{ctx::Ctx, git};
use serde::Serialize;
use std::time::Instant;

/// A model's time of being live.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Life {
    /// Seconds after the start of the demo, 0 where it was live before.
    pub since_s: f64,
    /// Model version.
    pub version: String,
    /// Image tag, where known.
    pub tag: String,
    /// Model digest.
    pub digest: String,
    /// Commit of `main` that made it live.
    pub commit: String,
    /// Its subject.
    pub subject: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Event {
    at_s: f64,
    took_s: f64,
    what: String,
}

/// Grows while the demo plays; lines are shown as they come.
pub struct Timeline<'a> {
    ctx: &'a Ctx,
    start: Instant,
    last: Instant,
    events: Vec<Event>,
    lives: Vec<Life>,
}

impl<'a> Timeline<'a> {
    /// Begins now.
    pub fn start(ctx: &'a Ctx) -> Self {
        let now = Instant::now();
        if !ctx.json {
            ctx.result("      at   seconds");
        }
        Timeline {
            ctx,
            start: now,
            last: now,
            events: Vec::new(),
            lives: Vec::new(),
        }
    }

    /// Something took from the last line until now.
    pub fn line(&mut self, what: impl Into<String>) {
        let now = Instant::now();
        let event = Event {
            at_s: now.duration_since(self.start).as_secs_f64(),
            took_s: now.duration_since(self.last).as_secs_f64(),
            what: what.into(),
        };
        self.last = now;
        if !self.ctx.json {
            self.ctx.result(&format!(
                "{:>6.1} s  {:>6.1} s  {}",
                event.at_s, event.took_s, event.what
            ));
        }
        self.events.push(event);
    }

    /// Another model is live, and has been since `at`.
    pub fn live(&mut self, at: Instant, life: Life) {
        let since_s = match self.lives.is_empty() {
            true => 0.0,
            false => at.duration_since(self.start).as_secs_f64(),
        };
        self.lives.push(Life { since_s, ..life });
    }

    /// What was live when, by which commit.
    pub fn table(&self) -> String {
        let total = self.start.elapsed().as_secs_f64();
        table(&self.lives, total)
    }

    /// All of it.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "seconds": self.start.elapsed().as_secs_f64(), "events": self.events, "lives": self.lives,
        })
    }
}

fn table(lives: &[Life], total: f64) -> String {
    let mut text = format!(
        "\n{:<10} {:<8} {:<12} {:<14} {:<8} by\n",
        "live from", "version", "image tag", "model digest", "commit"
    );
    for life in lives {
        let digest = life.digest.strip_prefix("sha256:").unwrap_or(&life.digest);
        let since = format!("{:.1} s", life.since_s);
        text.push_str(&format!(
            "{since:<10} {:<8} {:<12} {:<14} {:<8} {}\n",
            life.version,
            life.tag,
            digest.get(..12).unwrap_or(digest),
            git::short(&life.commit),
            life.subject
        ));
    }
    text.push_str(&format!("\nEvery promise held. {total:.1} s in all."));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_final_table() {
        let life = |since_s, version: &str, commit: &str, subject: &str| Life {
            since_s,
            version: version.to_owned(),
            tag: format!("m{version}-0a1b2c3"),
            digest: format!("sha256:{}", version.repeat(64)),
            commit: commit.repeat(40),
            subject: subject.to_owned(),
        };
        insta::assert_snapshot!(table(
            &[
                life(0.0, "1", "a", "promote(local): inference-api m1-0a1b2c3"),
                life(12.31, "2", "b", "promote(local): inference-api m2-0a1b2c3"),
                life(
                    14.04,
                    "1",
                    "c",
                    "Revert \"promote(local): inference-api m2-0a1b2c3\""
                ),
            ],
            15.26
        ));
    }
}
