//! Whether clients on this machine get the release that the objects say is live. A Deployment is
//! through its rollout a moment before the nodes' tables lead to its new pods (kube-proxy writes them
//! about once a second), and until then the pods of before go on answering.

use crate::{
    live::{Moment, Release, Verdict},
    workload::Workload,
};
use contract::ModelInfo;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use std::{collections::BTreeMap, time::Duration};
use tokio::net::TcpStream;

/// One request, with its connection.
const ANSWER: Duration = Duration::from_millis(500);
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// New connections in a row that must reach the release: of two pods each gets every second one.
const IN_A_ROW: u32 = 8;
/// An address that says nothing for so long is not one to judge by (it may lead past this machine).
const SILENT: Duration = Duration::from_secs(3);
/// Until the nodes' tables are sure to lead to pods where there were none. To ask earlier would do
/// harm: on a node itself, a connection that was refused leaves an entry in the connection table, and
/// whoever is given the same port within the next two minutes is refused as well.
pub const TABLES: Duration = Duration::from_millis(1500);
/// Between two questions that were not answered.
pub const PAUSE: Duration = Duration::from_millis(500);

/// What is known of the addresses, by Application.
#[derive(Debug, Default)]
pub struct Traffic {
    tracks: BTreeMap<String, Track>,
}

#[derive(Debug, Default)]
struct Track {
    proven: bool,
    silent_since: Option<Moment>,
    /// When no pod was there to answer, last.
    empty_at: Option<Moment>,
    asked_at: Option<Moment>,
    live_revision: String,
}

/// Whether an address is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// There is nothing to ask.
    No,
    /// Not yet.
    Later,
    /// Yes.
    Now,
}

/// What an address says when it is asked for its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// The release.
    Release,
    /// Something else; its version.
    Other(String),
    /// Nothing that could be understood; why.
    Silent(String),
}

impl Traffic {
    /// Whether the address must be asked now: the objects are live and nobody has asked since.
    /// `served`: pods and a Service are there to answer, whichever release they are of.
    pub fn due(&mut self, app: &str, at: Moment, verdict: &Verdict, release: &Release, served: bool) -> Due {
        let track = self.tracks.entry(app.to_owned()).or_default();
        if !served {
            track.empty_at = Some(at);
        }
        if !verdict.live || *release != Release::Matches || track.proven {
            return Due::No;
        }
        let since = |then: Option<Moment>| then.map_or(Duration::MAX, |then| at.saturating_sub(then));
        let silent = track.silent_since.is_some();
        if since(track.empty_at) < TABLES || silent && since(track.asked_at) < PAUSE {
            return Due::Later;
        }
        track.asked_at = Some(at);
        Due::Now
    }

    /// Takes an answer (`None`: nobody asked) into account: the verdict is not "live" while the
    /// address leads elsewhere.
    pub fn judge(&mut self, app: &str, at: Moment, verdict: &mut Verdict, reached: Option<Reached>) {
        let track = self.tracks.entry(app.to_owned()).or_default();
        if !verdict.live {
            // Whatever comes next is another rollout.
            (track.proven, track.silent_since) = (false, None);
        }
        let held = match reached {
            None => None,
            Some(Reached::Release) => {
                track.proven = true;
                None
            }
            Some(Reached::Other(version)) => {
                track.silent_since = None;
                Some(format!("requests still reach version {version}"))
            }
            Some(Reached::Silent(why)) => {
                let since = *track.silent_since.get_or_insert(at);
                track.proven = at.saturating_sub(since) >= SILENT;
                (!track.proven).then_some(why)
            }
        };
        match held {
            Some(why) => {
                verdict.live = false;
                verdict.why = why;
                verdict.live_revision.clone_from(&track.live_revision);
            }
            None => track.live_revision.clone_from(&verdict.live_revision),
        }
    }

    /// Forgets Applications that are gone.
    pub fn keep(&mut self, there: impl Fn(&str) -> bool) {
        self.tracks.retain(|name, _| there(name));
    }
}

/// Digest of the image that a workload's main container has.
pub fn digest<'a>(app: &str, workloads: &'a [Workload]) -> Option<&'a str> {
    let workload = workloads.iter().find(|workload| workload.name == app)?;
    let (_, image) = workload.images.iter().find(|(container, _)| container == app)?;
    Some(image.rsplit_once('@')?.1)
}

/// Asks an address, each time over a new connection.
pub async fn ask(address: &str, digest: &str) -> Reached {
    for _ in 0..IN_A_ROW {
        let asked = tokio::time::timeout(ANSWER, info(address)).await;
        let said = asked.unwrap_or_else(|_| Err(format!("no answer within {} ms", ANSWER.as_millis())));
        match said {
            Err(why) => return Reached::Silent(format!("{address}: {why}")),
            // A process that was not told its image cannot be told apart.
            Ok(info) if info.digests.image.as_deref().is_none_or(|image| image == digest) => {}
            Ok(info) => return Reached::Other(info.model_version),
        }
    }
    Reached::Release
}

async fn info(address: &str) -> Result<ModelInfo, String> {
    let authority = address.strip_prefix("http://").unwrap_or(address);
    let plain = |error: &dyn std::error::Error| error.to_string();
    let stream = TcpStream::connect(authority).await.map_err(|e| plain(&e))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| plain(&e))?;
    tokio::spawn(connection);
    let request = Request::get("/model/info")
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| plain(&e))?;
    let response = sender.send_request(request).await.map_err(|e| plain(&e))?;
    if !response.status().is_success() {
        return Err(format!("/model/info: the answer is {}", response.status()));
    }
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    serde_json::from_slice(&body.to_bytes()).map_err(|error| format!("/model/info: {error}"))
}

#[cfg(test)]
mod tests;
