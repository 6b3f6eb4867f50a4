//! The few requests that scenarios make by hand.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::{io::ErrorKind, time::Duration};

/// On a node itself a connection that was once refused, because no pod was there to take it, makes the
/// next one from the same port refused too, for two minutes. Whether requests get lost is what the loads
/// count; a request by hand is asked again from another port.
const REFUSED_MAX: usize = 3;

/// A client whose every call has a deadline.
pub struct Http {
    agent: ureq::Agent,
}

impl Http {
    pub fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            // A connection kept open may still lead to a replica that is being drained: it answers, with the
            // model of before. Scenarios ask what is live now, so each request connects anew.
            .max_idle_connections(0)
            .build();
        Http { agent: config.into() }
    }

    /// GET, 200 expected, parsed.
    pub fn get(&self, url: &str) -> Result<Value> {
        serde_json::from_str(&self.get_text(url)?).with_context(|| format!("GET {url} is not JSON"))
    }

    /// GET, 200 expected, as it is.
    pub fn get_text(&self, url: &str) -> Result<String> {
        let mut response = unrefused(|| self.agent.get(url).call()).with_context(|| format!("GET {url}"))?;
        let text = response.body_mut().read_to_string()?;
        ensure!(
            response.status() == 200,
            "GET {url}: {} {text}",
            response.status()
        );
        Ok(text)
    }

    /// POST of JSON, 200 expected, answer as text (scenarios compare bytes).
    pub fn post_text(&self, url: &str, body: &Value) -> Result<String> {
        let mut response =
            unrefused(|| self.agent.post(url).send_json(body)).with_context(|| format!("POST {url}"))?;
        let text = response.body_mut().read_to_string()?;
        ensure!(
            response.status() == 200,
            "POST {url}: {} {text}",
            response.status()
        );
        Ok(text)
    }

    /// POST of JSON, 200 expected, parsed.
    pub fn post(&self, url: &str, body: &Value) -> Result<Value> {
        let text = self.post_text(url, body)?;
        serde_json::from_str(&text).with_context(|| format!("POST {url} is not JSON: {text}"))
    }
}

fn unrefused<T>(ask: impl Fn() -> Result<T, ureq::Error>) -> Result<T, ureq::Error> {
    for _ in 1..REFUSED_MAX {
        match ask() {
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => {}
            answered => return answered,
        }
    }
    ask()
}
