//! Logs of nodes, and the step's own lines in them.

use crate::{Client, Error, answer};
use reqwest::Method;
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
            if !response.status().is_success() {
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
            Ok(String::from_utf8_lossy(tail.make_contiguous()).into_owned())
        };
        self.repeat(self.deadline(), &name, true, attempt).await
    }
}

/// The last `count` lines of the step's own; the launcher's where it has none.
pub(crate) fn own_lines(log: &str, count: usize) -> Vec<String> {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let own: Vec<&str> = lines.iter().copied().filter(|line| !launcher(line)).collect();
    let chosen = if own.is_empty() { lines } else { own };
    chosen[chosen.len().saturating_sub(count)..]
        .iter()
        .map(|line| shown(line))
        .collect()
}

/// Whether the launcher or the workflow engine wrote it: klog's head (`I1121 11:58:31.123456   15
/// launcher_v2.go:171] `), or logrus' with `argo=true`.
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
    klog().unwrap_or(false) || line.starts_with("time=") && line.contains("argo=true")
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
        let launcher_only: Vec<&str> = log.lines().filter(|line| launcher(line)).collect();
        assert_eq!(launcher_only.len(), 3);
        let last = own_lines(&launcher_only.join("\n"), 1);
        assert!(last[0].ends_with("exit status 3"), "{last:?}");
        assert_eq!(own_lines("", 3), Vec::<String>::new());
        assert_eq!(own_lines(&"ü".repeat(600), 1)[0].chars().count(), 503);
    }
}
