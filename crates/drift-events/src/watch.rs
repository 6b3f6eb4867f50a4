//! Pure: what an engine makes of the API's stream of drift events (`/drift/events`), so that the drift
//! check runs when an episode opens and not hours later. It never decides about a retrain: the check does.

use serde::Deserialize;
use std::time::Duration;

/// Path of the stream.
pub const PATH: &str = "/drift/events";
/// Between two checks that are started by events: an API that flaps makes no storm.
pub const PAUSE: Duration = Duration::from_secs(60);
/// The stream says something every 15 seconds; after so long without a word it is gone.
pub const SILENCE: Duration = Duration::from_secs(45);
/// A line or an event that is longer is dropped.
const BYTES_MAX: usize = 64 * 1024;
/// Replicas that have not heard of each other yet know another opening of the same episode.
const LATER_MS: u64 = 2 * 60 * 1000;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Event {
    #[serde(default)]
    model: String,
    #[serde(default)]
    episode: Option<Episode>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Episode {
    number: u64,
    #[serde(default)]
    opened_at_ms: u64,
    #[serde(default)]
    open: bool,
}

/// See the module. Moments are since any fixed one.
#[derive(Debug, Default)]
pub struct Watch {
    line: Vec<u8>,
    /// The line is longer than may be; dropped up to its end.
    is_cut: bool,
    name: String,
    data: String,
    last: Option<(String, Episode)>,
    wanted: bool,
    checked_at: Option<Duration>,
}

impl Watch {
    /// Forgets what a connection that is gone began to say.
    pub fn connected(&mut self) {
        self.line.clear();
        self.is_cut = false;
        self.end_event();
    }

    /// Takes in bytes of the stream.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                _ if self.line.len() >= BYTES_MAX => self.is_cut = true,
                byte => self.line.push(*byte),
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_cut) {
            return;
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            if self.name == "drift" {
                self.event();
            }
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" if self.data.len() + value.len() < BYTES_MAX => self.data.push_str(value),
            // Comments keep the connection alive; the rest is not for us.
            _ => {}
        }
    }

    fn end_event(&mut self) {
        self.name.clear();
        self.data.clear();
    }

    fn event(&mut self) {
        let Ok(Event {
            model,
            episode: Some(episode),
        }) = serde_json::from_str::<Event>(&self.data)
        else {
            return;
        };
        let known = self.last.as_ref().is_some_and(|(of, last)| {
            *of == model
                && last.number == episode.number
                && last.open
                && episode.opened_at_ms <= last.opened_at_ms.saturating_add(LATER_MS)
        });
        self.wanted |= episode.open && !known;
        self.last = Some((model, episode));
    }

    /// When a check is due, if one is.
    pub fn due_at(&self) -> Option<Duration> {
        let earliest = self.checked_at.map_or(Duration::ZERO, |at| at + PAUSE);
        self.wanted.then_some(earliest)
    }

    /// A check cannot be started now: it is wanted still, after the pause.
    pub fn put_off(&mut self, now: Duration) {
        self.checked_at = Some(now);
    }

    /// A check was started.
    pub fn checked(&mut self, now: Duration) {
        self.wanted = false;
        self.checked_at = Some(now);
    }
}

/// What is sent to open the stream. HTTP/1.0, so that the answer is the stream itself and not in pieces.
/// `key`: one line of what the API asks its clients for.
///
/// # Errors
/// A key that no header can carry; the words do not quote it.
pub fn request(host: &str, key: Option<&str>) -> Result<String, String> {
    let key = match key.map(str::trim) {
        None => String::new(),
        Some(key) if !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic()) => {
            format!("Authorization: Bearer {key}\r\n")
        }
        Some(_) => {
            return Err("the file with the API key does not hold one line of printable ASCII".to_owned());
        }
    };
    Ok(format!(
        "GET {PATH} HTTP/1.0\r\nHost: {host}\r\nAccept: text/event-stream\r\n{key}\r\n"
    ))
}

/// Reads the head of the answer: what lies behind it, or why it is no stream. `None`: not all of it is here.
pub fn head(answer: &[u8]) -> Option<Result<&[u8], String>> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(end) = end else {
        let long = answer.len() > BYTES_MAX;
        return long.then(|| Err("an endless head".to_owned()));
    };
    let (head, rest) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap_or_default();
    Some(
        match (status, head.contains("\r\ncontent-type: text/event-stream")) {
            ("200", true) => Ok(rest),
            ("200", false) => Err("it is no event stream".to_owned()),
            (status, _) => Err(format!("the answer is {status}")),
        },
    )
}

/// How long after so many failures in a row the stream is opened again.
pub fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(6)).min(PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &str = "event: drift\ndata: {\"model\":\"sha256:a\",\"drift_detected\":true,\"episode\":{\"number\":1,\"opened_at_ms\":1000,\"open\":true}}\n\n";

    fn of(number: u64, opened_at_ms: u64, open: bool) -> String {
        OPEN.replace("\"number\":1", &format!("\"number\":{number}"))
            .replace("1000", &opened_at_ms.to_string())
            .replace("\"open\":true", &format!("\"open\":{open}"))
    }

    #[test]
    fn one_check_for_each_opening_and_one_a_minute() {
        let mut watch = Watch::default();
        let at = Duration::from_secs;
        watch.take(b": hello\n\nevent: drift\ndata: {\"model\":\"sha256:a\",\"episode\":null}\n\n");
        assert_eq!(watch.due_at(), None);
        // In pieces, as they come.
        for byte in OPEN.as_bytes() {
            watch.take(&[*byte]);
        }
        assert_eq!(watch.due_at(), Some(at(0)));
        watch.checked(at(10));
        // Said again at each connection, and with an opening that shrank.
        watch.connected();
        for known in [
            OPEN.to_owned(),
            of(1, 900, true),
            of(1, 30_000, true),
            of(1, 900, false),
        ] {
            watch.take(known.as_bytes());
            assert_eq!(watch.due_at(), None, "{known}");
        }
        watch.take(of(2, 5000, true).as_bytes());
        assert_eq!(watch.due_at(), Some(at(70)));
        watch.checked(at(71));
        // The API lost its memory and counts from 1 again.
        watch.take(of(1, 10_000_000, true).as_bytes());
        assert_eq!(watch.due_at(), Some(at(131)));
        watch.checked(at(131));
        watch.take(of(1, 10_000_000, true).replace("sha256:a", "sha256:b").as_bytes());
        assert_eq!(watch.due_at(), Some(at(191)));
    }

    #[test]
    fn nonsense_starts_nothing_and_takes_no_room() {
        let mut watch = Watch::default();
        watch.take(OPEN.replace("event: drift", "event: other").as_bytes());
        watch.take(b"event: drift\ndata: {\"episode\": 3}\n\nevent: drift\n\n");
        watch.take(&vec![b'x'; 3 * BYTES_MAX]);
        assert!(watch.line.len() <= BYTES_MAX);
        watch.take(b"\nevent: drift\ndata: ");
        assert_eq!(watch.due_at(), None);
        // Cut off in the middle: what comes after a new connection is read from its start.
        watch.connected();
        watch.take(OPEN.replace('\n', "\r\n").as_bytes());
        assert!(watch.due_at().is_some());
    }

    #[test]
    fn requests_with_and_without_a_key() {
        assert_eq!(
            request("h:1", None).unwrap(),
            "GET /drift/events HTTP/1.0\r\nHost: h:1\r\nAccept: text/event-stream\r\n\r\n"
        );
        let with = request("h:1", Some("a-key\n")).unwrap();
        assert!(
            with.ends_with("\r\nAuthorization: Bearer a-key\r\n\r\n"),
            "{with}"
        );
        for bad in ["", "two\r\nX: lines", "clé"] {
            let said = request("h:1", Some(bad)).unwrap_err();
            assert!(!said.contains("X: lines"), "{said}");
        }
    }

    #[test]
    fn heads_of_answers() {
        let ok = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n";
        assert_eq!(head(ok), Some(Ok(&b": hi\n"[..])));
        assert_eq!(head(&ok[..30]), None);
        for (answer, why) in [
            ("HTTP/1.1 404 Not Found\r\n\r\n", "the answer is 404"),
            (
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n",
                "no event stream",
            ),
            ("\r\n\r\n", "the answer is "),
        ] {
            let said = head(answer.as_bytes()).unwrap().unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        assert!(head(&vec![b'x'; 2 * BYTES_MAX]).unwrap().is_err());
        let waits: Vec<u64> = [0, 1, 5, 6, 60].map(|n| backoff(n).as_secs()).into();
        assert_eq!(waits, [1, 2, 32, 60, 60]);
    }
}
