//! Logs of nodes, and the step's own lines in them.

use crate::{Client, Error, answer};
use reqwest::{Method, header::CONTENT_TYPE};
use std::collections::VecDeque;

/// So much of a log's end is kept; a log has no length limit of its own.
const TAIL_BYTES: usize = 256 << 10;

/// A longer line is cut.
const LINE_CHARS_MAX: usize = 500;

impl Client {
    /// The end of a node's log (at most 256 KiB), also after its pod is gone.
    ///
    /// `node_id`: as a parent's [`crate::ChildTask`] names it. That of a group gives the log of the
    /// first pod in it.
    ///
    /// # Errors
    /// `NotFound`, or any of the transport's.
    pub async fn log(&self, run_id: &str, node_id: &str) -> Result<String, Error> {
        let segments = ["runs", run_id, "nodes", node_id, "log"];
        let name = format!("GET {}", segments.join("/"));
        // Only under this old version; the newer ones answer 404.
        let attempt = async || {
            let request = self.request(Method::GET, "v1alpha1", &segments);
            let mut response = self.begin(&name, request).await?;
            let status = response.status().as_u16();
            // The web page does not pass this path on: it answers with itself. A step may print a
            // page too, so that the type tells and not the text.
            let kind = response.headers().get(CONTENT_TYPE);
            let page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
            if page || !response.status().is_success() {
                let location = answer::location(response.headers());
                let bytes = self.body(&name, response).await?;
                answer::judge(self.address(), &name, status, location.as_deref(), bytes)?;
                return Ok(String::new());
            }
            let mut tail: VecDeque<u8> = VecDeque::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| self.transport(&name, &e))? {
                tail.extend(chunk.iter());
                tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
            }
            let text = String::from_utf8_lossy(tail.make_contiguous()).into_owned();
            if unread(&text) {
                answer::judge(self.address(), &name, 404, None, text.into_bytes())?;
                return Ok(String::new());
            }
            Ok(text)
        };
        self.repeat(self.deadline(), &name, true, attempt).await
    }
}

/// Whether the server says, with 200 and as text, that it has no log (seen on 2.17.0 where run or node is unknown).
fn unread(text: &str) -> bool {
    let Ok(serde_json::Value::Object(said)) = serde_json::from_str(text) else {
        return false;
    };
    let message = said.get("error_message").and_then(serde_json::Value::as_str);
    said.len() == 2
        && said.contains_key("error_details")
        && message.is_some_and(|text| text.contains("Failed to read log"))
}

/// The last `count` lines of the step's own; the launcher's or driver's where it has none.
pub(crate) fn own_lines(log: &str, count: usize) -> Vec<String> {
    let lines = || log.lines().filter(|line| !line.trim().is_empty());
    let mut chosen: Vec<&str> = lines().filter(|line| !engine(line) && !launcher(line)).collect();
    if chosen.is_empty() {
        chosen = lines().filter(|line| !engine(line)).collect();
    }
    chosen[chosen.len().saturating_sub(count)..]
        .iter()
        .map(|line| shown(line))
        .collect()
}

/// Whether the workflow engine wrote it.
fn engine(line: &str) -> bool {
    line.starts_with("time=") && line.contains("argo=true")
}

/// Whether the launcher wrote it, by klog's head: `I1121 11:58:31.123456   15 launcher_v2.go:171] `.
fn launcher(line: &str) -> bool {
    let klog = || {
        let mut chars = line.chars();
        let severity = chars.next()?;
        let head = chars
            .as_str()
            .split_once("] ")
            .map_or(chars.as_str(), |(head, _)| head);
        let mut words = head.split_whitespace();
        let (date, time, _thread, place) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let right = "IWEF".contains(severity)
            && date.len() == 4
            && digits(date)
            && time.split([':', '.']).count() == 4
            && time.split([':', '.']).all(digits)
            && place.contains(".go:");
        Some(right)
    };
    klog().unwrap_or(false)
}

/// Without what would move a terminal's cursor or colour the rest of the screen.
fn shown(line: &str) -> String {
    let mut text = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            // An escape sequence of a terminal ends with a letter.
            '\u{1b}' => while chars.next().is_some_and(|c| !c.is_ascii_alphabetic()) {},
            '\t' => text.push(' '),
            c if c.is_control() => (),
            c => text.push(c),
        }
    }
    if text.chars().count() > LINE_CHARS_MAX {
        text = text.chars().take(LINE_CHARS_MAX).chain("...".chars()).collect();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_own_lines() {
        let log = "time=\"2026-11-21T11:58:30Z\" level=info msg=\"capturing logs\" argo=true\n\
            I1121 11:58:31.123456      15 launcher_v2.go:171] publish success.\n\
            reading data\n\n\u{1b}[31mValueError: no rows\u{1b}[0m\tin file\n\
            Information for users: 1 2 3 4\n\
            F1121 11:58:32.000001      15 main.go:50] failed to execute component: exit status 3\n";
        assert_eq!(
            own_lines(log, 2),
            ["ValueError: no rows in file", "Information for users: 1 2 3 4"]
        );
        assert_eq!(own_lines(log, 9).len(), 3);
        let others: Vec<&str> = log
            .lines()
            .filter(|line| launcher(line) || engine(line))
            .collect();
        assert_eq!(others.len(), 3);
        // Without a word of the step's own the launcher's are better than none.
        let last = own_lines(&others.join("\n"), 9);
        assert_eq!(last.len(), 2);
        assert!(last[1].ends_with("exit status 3"), "{last:?}");
        assert_eq!(own_lines("", 3), Vec::<String>::new());
        assert_eq!(own_lines(&"ü".repeat(600), 1)[0].chars().count(), 503);
    }
}
