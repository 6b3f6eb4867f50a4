//! A repository behind Git's smart HTTP protocol, version 0 (gitprotocol-http, gitprotocol-pack).
//!
//! Own calls instead of libgit2's transport: that one has no deadlines without unsafe code and no
//! TLS without OpenSSL. Only what a promotion needs is here: read one branch, move it by one
//! commit, naming the value it must still have.

use super::{BRANCH, Pushed, REFERENCE, pkt, pkt::Packet};
use crate::{Credentials, Error};
use base64::{Engine, prelude::BASE64_STANDARD};
use git2::{Oid, Repository};
use secrecy::ExposeSecret;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use ureq::{Agent, http};

/// One request with its whole answer.
const DEADLINE: Duration = Duration::from_secs(120);
const CONNECT: Duration = Duration::from_secs(10);
/// Larger packs are refused.
const PACK_LIMIT: u64 = 2 << 30;
const AGENT: &str = concat!("git/driftless-", env!("CARGO_PKG_VERSION"));
const FETCH: &str = "git-upload-pack";
const PUSH: &str = "git-receive-pack";

#[derive(Clone, Debug)]
pub(crate) struct Http {
    address: String,
    credentials: Option<Credentials>,
    cache: PathBuf,
    agent: Agent,
}

/// What a server says first: where the branch is, and what it can do.
struct Advertised {
    head: Option<Oid>,
    capabilities: String,
}

type Answer = http::Response<ureq::Body>;

impl Http {
    pub fn open(
        address: &str,
        work_directory: &Path,
        credentials: Option<Credentials>,
    ) -> Result<Self, Error> {
        let address = address.trim_end_matches('/').to_owned();
        let hash = contract::sha256_hex(address.as_bytes());
        let cache = work_directory.join(format!("{}.git", &hash["sha256:".len()..][..16]));
        let config = Agent::config_builder()
            .timeout_global(Some(DEADLINE))
            .timeout_connect(Some(CONNECT))
            .http_status_as_error(false)
            // A redirect could lead the credentials elsewhere: the address is to be mended instead.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(AGENT);
        #[cfg(feature = "https")]
        let config = config.tls_config(tls());
        let http = Self {
            address,
            credentials,
            cache,
            agent: config.build().into(),
        };
        let git = |error: git2::Error| http.failed("make a cache for", error.message());
        std::fs::create_dir_all(work_directory).map_err(|error| {
            http.failed(
                "make a cache for",
                format!("{}: {error}", work_directory.display()),
            )
        })?;
        Repository::init_bare(&http.cache).map_err(git)?;
        Ok(http)
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn repository(&self) -> Result<Repository, Error> {
        Repository::open_bare(&self.cache).map_err(|error| self.failed("open the cache of", error.message()))
    }

    pub fn head(&self, repository: &Repository) -> Result<Oid, Error> {
        let there = self.advertised(FETCH, "read")?;
        let head = there
            .head
            .ok_or_else(|| self.failed("read", format!("it has no branch {BRANCH}")))?;
        let git = |error: git2::Error| self.failed("keep what was read from", error.message());
        let odb = repository.odb().map_err(git)?;
        // A pack is stored with all that its commit reaches, or not at all.
        if !odb.exists(head) {
            self.fetch(repository, head, &there.capabilities)?;
            odb.refresh().map_err(git)?;
        }
        // Only a hint for the next fetch; another process may be writing it at the same time.
        let _ = repository.reference(REFERENCE, head, true, "fetched");
        Ok(head)
    }

    pub fn push(&self, repository: &Repository, old: Oid, new: Oid) -> Result<Pushed, Error> {
        if self.advertised(PUSH, "push to")?.head != Some(old) {
            return Ok(Pushed::Moved);
        }
        let command = format!("{old} {new} {REFERENCE}\0 report-status agent={AGENT}\n");
        let mut body = [&pkt::line(&command), pkt::FLUSH].concat();
        body.extend(pack(repository, old, new).map_err(|error| self.failed("pack for", error.message()))?);
        let answer = self.send("push to", PUSH, &body)?;
        let mut stream = answer.into_body().into_with_config().limit(PACK_LIMIT).reader();
        let mut report = Vec::new();
        while let Some(line) = pkt::read_line(&mut stream).map_err(|error| self.cut("push to", error))? {
            report.push(line);
        }
        if report.iter().any(|line| *line == format!("ok {REFERENCE}")) {
            return Ok(Pushed::Done);
        }
        // Refused: because somebody was faster, or for good.
        let refused = report
            .iter()
            .find(|line| line.starts_with("ng "))
            .unwrap_or(&report.concat())
            .clone();
        let moved = self.advertised(PUSH, "push to")?.head != Some(old);
        if moved || refused.contains("lock") {
            return Ok(Pushed::Moved);
        }
        Err(self.failed("push to", format!("the server answered {refused:?}")))
    }

    fn fetch(&self, repository: &Repository, head: Oid, capabilities: &str) -> Result<(), Error> {
        let failed = |error: io::Error| self.cut("read", error);
        let offered = |name: &&str| capabilities.split(' ').any(|offer| offer == *name);
        if !offered(&"side-band-64k") {
            return Err(self.failed("read", "the server does not speak side-band-64k"));
        }
        let wanted: Vec<_> = ["ofs-delta", "side-band-64k", "no-progress"]
            .into_iter()
            .filter(offered)
            .collect();
        let mut body = pkt::line(&format!("want {head} {} agent={AGENT}\n", wanted.join(" ")));
        body.extend(pkt::FLUSH);
        if let Ok(have) = repository.refname_to_id(REFERENCE) {
            body.extend(pkt::line(&format!("have {have}\n")));
        }
        body.extend(pkt::line("done\n"));
        let answer = self.send("read", FETCH, &body)?;
        let mut stream = answer.into_body().into_with_config().limit(PACK_LIMIT).reader();
        let git = |error: git2::Error| self.failed("keep what was read from", error.message());
        let odb = repository.odb().map_err(git)?;
        let mut writer = odb.packwriter().map_err(git)?;
        while let Some(packet) = pkt::read(&mut stream).map_err(failed)? {
            let Packet::Data(data) = packet else {
                break;
            };
            match data.split_first() {
                Some((1, pack)) => writer.write_all(pack).map_err(failed)?,
                Some((3, text)) => return Err(self.failed("read", String::from_utf8_lossy(text).trim())),
                // 2 is progress; ACK and NAK lines precede the pack.
                _ => {}
            }
        }
        writer.commit().map_err(git)?;
        Ok(())
    }

    fn advertised(&self, service: &str, action: &'static str) -> Result<Advertised, Error> {
        let request = self
            .agent
            .get(format!("{}/info/refs?service={service}", self.address));
        let answer = self
            .authorised(request)
            .call()
            .map_err(|error| self.broken(action, error))?;
        let answer = self.checked(action, service, "advertisement", answer)?;
        let failed = |error: io::Error| self.cut(action, error);
        let mut stream = answer.into_body().into_with_config().limit(PACK_LIMIT).reader();
        let mut found = Advertised {
            head: None,
            capabilities: String::new(),
        };
        // First the service's name and a flush, then a line for each reference.
        pkt::read(&mut stream).map_err(failed)?;
        pkt::read(&mut stream).map_err(failed)?;
        while let Some(line) = pkt::read_line(&mut stream).map_err(failed)? {
            let (reference, capabilities) = line.split_once('\0').unwrap_or((&line, ""));
            if !capabilities.is_empty() {
                found.capabilities = capabilities.to_owned();
            }
            if let Some((id, REFERENCE)) = reference.split_once(' ') {
                found.head = Oid::from_str(id).ok();
            }
        }
        Ok(found)
    }

    fn send(&self, action: &'static str, service: &str, body: &[u8]) -> Result<Answer, Error> {
        let request = self
            .agent
            .post(format!("{}/{service}", self.address))
            .header("content-type", format!("application/x-{service}-request"))
            .header("accept", format!("application/x-{service}-result"));
        let answer = self
            .authorised(request)
            .send(body)
            .map_err(|error| self.broken(action, error))?;
        self.checked(action, service, "result", answer)
    }

    fn authorised<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        let Some(credentials) = &self.credentials else {
            return request;
        };
        let pair = format!("{}:{}", credentials.username, credentials.token.expose_secret());
        request.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(pair)))
    }

    /// A status that says what to do, and the content type of a server that speaks Git.
    fn checked(
        &self,
        action: &'static str,
        service: &str,
        what: &str,
        answer: Answer,
    ) -> Result<Answer, Error> {
        let status = answer.status();
        let header = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
        };
        let reason = match status.as_u16() {
            200 if header("content-type") == format!("application/x-{service}-{what}") => return Ok(answer),
            200 => "what answers there is not a Git server".to_owned(),
            401 | 403 if self.credentials.is_none() => format!("{status}: set GIT_USERNAME and GIT_TOKEN"),
            401 | 403 => format!("{status}: GIT_USERNAME and GIT_TOKEN are not accepted"),
            300..=399 => format!("{status}: it has moved to {}", header("location")),
            _ => status.to_string(),
        };
        let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
        Err(self.judged(action, reason, passing))
    }

    fn failed(&self, action: &'static str, reason: impl ToString) -> Error {
        Error::Git {
            action,
            address: self.address.clone(),
            reason: reason.to_string(),
            passing: false,
        }
    }

    /// A failure on the way, which may be gone the next time.
    fn broken(&self, action: &'static str, error: ureq::Error) -> Error {
        let passing = is_passing(&error);
        self.judged(action, error, passing)
    }

    fn cut(&self, action: &'static str, error: io::Error) -> Error {
        let passing = is_passing_io(&error);
        self.judged(action, error, passing)
    }

    fn judged(&self, action: &'static str, reason: impl ToString, passing: bool) -> Error {
        Error::Git {
            action,
            address: self.address.clone(),
            reason: reason.to_string(),
            passing,
        }
    }
}

fn is_passing(error: &ureq::Error) -> bool {
    use ureq::Error::{ConnectionFailed, HostNotFound, Io, Timeout};
    match error {
        // A Service's name is not known until its cluster's DNS is up.
        ConnectionFailed | HostNotFound | Timeout(_) => true,
        Io(error) => is_passing_io(error),
        _ => false,
    }
}

/// A server that goes away; not a certificate that is refused, which is an `io::Error` too.
fn is_passing_io(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
        NetworkUnreachable, NotConnected, TimedOut, UnexpectedEof, WouldBlock,
    };
    matches!(
        error.kind(),
        BrokenPipe
            | ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
            | NotConnected
            | TimedOut
            | UnexpectedEof
            | WouldBlock
    )
}

#[cfg(feature = "https")]
fn tls() -> ureq::tls::TlsConfig {
    use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(rustls::crypto::ring::default_provider().into())
        .build()
}

/// The new commit and what its tree does not share with its parent's.
fn pack(repository: &Repository, old: Oid, new: Oid) -> Result<Vec<u8>, git2::Error> {
    let mut walk = repository.revwalk()?;
    walk.push(new)?;
    walk.hide(old)?;
    let mut builder = repository.packbuilder()?;
    builder.insert_walk(&mut walk)?;
    let mut bytes = git2::Buf::new();
    builder.write_buf(&mut bytes)?;
    Ok(bytes.to_vec())
}
