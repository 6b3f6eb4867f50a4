//! Waits for a release by what Argo CD says of its Application. Each look asks for a refresh too, so
//! that the commit is seen within seconds, and one that was lost in a comparison is asked for again.

use super::status::{Judged, judge};
use super::{Lost, watch};
use crate::api::Api;
use crate::failure::Failure;
use crate::probe;
use contract::names::exit;
use gitops::{Release, Repo};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const LOOK: Duration = Duration::from_secs(2);
/// Health may lag behind what was synced (it is computed apart): bad words must last.
const STEADY: Duration = Duration::from_secs(3);

/// `look` asks for a refresh and returns the Application's status; `commit` made the release live.
pub fn wait(
    look: &dyn Fn() -> Result<Value, String>,
    release: &Release,
    commit: &str,
    repo: &Repo,
    api: Option<&Api>,
    end: Instant,
) -> Result<(), Lost> {
    // A Git server that is down must not keep us from seeing what is live.
    let repo = &repo.clone().patient(Duration::ZERO, |_| ());
    let mut ours = Ours {
        repo,
        release,
        known: BTreeMap::from([(commit.to_owned(), true)]),
    };
    let mut bad: Option<Instant> = None;
    let mut answered = false;
    loop {
        let begun = Instant::now();
        let judged = match look() {
            Ok(status) => {
                answered = true;
                judge(&status, &mut |commit| ours.has(commit))
            }
            Err(text) => Judged::Waiting(text),
        };
        let last = match judged {
            Judged::Live => match served(api, release) {
                Ok(()) => return Ok(()),
                Err(text) => {
                    bad = None;
                    text
                }
            },
            Judged::Degraded(text) if bad.is_some_and(|since| since.elapsed() >= STEADY) => {
                return Err(Lost::NotLive(text));
            }
            Judged::Degraded(text) => {
                bad.get_or_insert_with(Instant::now);
                text
            }
            Judged::Waiting(text) => {
                bad = None;
                text
            }
        };
        if Instant::now() >= end {
            let text = format!("not within the deadline; last seen: {last}");
            return Err(match answered {
                true => Lost::NotLive(text),
                false => Lost::Other(Failure::new(
                    exit::NOT_LIVE,
                    format!("whether {} is live is not known: {last}", release.tag),
                )),
            });
        }
        // While Git is down nothing can replace the release.
        match repo.current(&release.environment) {
            Ok(current) => watch::not_replaced(release, current)?,
            Err(error) if error.is_passing() => eprintln!("trainer: {error}"),
            Err(error) => return Err(error.into()),
        }
        let pause = LOOK.saturating_sub(begun.elapsed());
        std::thread::sleep(pause.min(end.saturating_duration_since(Instant::now())));
    }
}

fn served(api: Option<&Api>, release: &Release) -> Result<(), String> {
    let Some(api) = api else {
        return Ok(());
    };
    match probe::info(api, release, Duration::from_secs(5)) {
        probe::Answer::Ours(_) => Ok(()),
        other => Err(format!("Argo CD is done, but {}", other.said())),
    }
}

/// Which commits have the release; each is asked for once.
struct Ours<'a> {
    repo: &'a Repo,
    release: &'a Release,
    known: BTreeMap<String, bool>,
}

impl Ours<'_> {
    fn has(&mut self, commit: &str) -> bool {
        if let Some(known) = self.known.get(commit) {
            return *known;
        }
        match self.repo.release_at(commit, &self.release.environment) {
            Ok(found) => {
                let same = found.as_ref() == Some(self.release);
                self.known.insert(commit.to_owned(), same);
                same
            }
            // Not known yet, which is not no.
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gitops::Details;
    use serde_json::json;
    use std::cell::Cell;
    use std::path::Path;
    use std::process::Command;

    /// A bare repository with a release in it, and the commit that made it live.
    fn world(folder: &Path) -> (Repo, Release, String) {
        let git = |args: &[&str]| {
            let person = [
                "-c",
                "user.name=person",
                "-c",
                "user.email=person@driftless.invalid",
            ];
            let done = Command::new("git")
                .args(person)
                .args(args)
                .current_dir(folder)
                .output();
            assert!(done.unwrap().status.success(), "git {args:?}");
        };
        git(&["init", "--quiet", "--bare", "--initial-branch=main", "bare.git"]);
        git(&["clone", "--quiet", "bare.git", "clone"]);
        git(&[
            "-C",
            "clone",
            "commit",
            "--quiet",
            "--allow-empty",
            "--message",
            "begin",
        ]);
        git(&["-C", "clone", "push", "--quiet", "origin", "HEAD:main"]);
        let repo = Repo::open(&folder.join("bare.git").display().to_string(), folder).unwrap();
        let release = probe::tests::release();
        let made = repo
            .promote_with(&release.environment, &release, None, &Details::default())
            .unwrap();
        (repo, release, made.commit)
    }

    fn status(sync: &str, revision: &str, health: &str, phase: &str) -> Value {
        json!({"sync": {"status": sync, "revision": revision}, "health": {"status": health},
            "operationState": {"phase": phase, "syncResult": {"revision": revision}}})
    }

    /// Waits while `answers` come one after the other, the last one for ever; how it ends, and after
    /// how many looks.
    fn waited(
        folder: &Path,
        answers: &dyn Fn(&str) -> Vec<Result<Value, String>>,
        seconds: u64,
    ) -> (String, usize) {
        let (repo, release, commit) = world(folder);
        let answers = answers(&commit);
        let looks = Cell::new(0);
        let look = || {
            let answer = answers[looks.get().min(answers.len() - 1)].clone();
            looks.set(looks.get() + 1);
            answer
        };
        let end = Instant::now() + Duration::from_secs(seconds);
        let word = match wait(&look, &release, &commit, &repo, None, end) {
            Ok(()) => "live".to_owned(),
            Err(Lost::NotLive(text)) => format!("not live: {text}"),
            Err(Lost::Other(failure)) => format!("exit {}: {failure}", failure.exit),
        };
        (word, looks.get())
    }

    #[test]
    fn a_lost_refresh_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let old = "0".repeat(40);
        let answers = |commit: &str| {
            vec![
                Ok(status("Synced", &old, "Healthy", "Succeeded")),
                Err("no answer".to_owned()),
                Ok(status("Synced", commit, "Healthy", "Succeeded")),
            ]
        };
        assert_eq!(waited(folder.path(), &answers, 30), ("live".to_owned(), 3));
    }

    #[test]
    fn bad_health_must_last() {
        let folder = tempfile::tempdir().unwrap();
        let moment = |commit: &str| {
            vec![
                Ok(status("Synced", commit, "Degraded", "Running")),
                Ok(status("Synced", commit, "Progressing", "Running")),
                Ok(status("Synced", commit, "Healthy", "Succeeded")),
            ]
        };
        assert_eq!(waited(folder.path(), &moment, 30).0, "live");
        let folder = tempfile::tempdir().unwrap();
        let lasting = |commit: &str| vec![Ok(status("Synced", commit, "Degraded", "Running"))];
        let (word, looks) = waited(folder.path(), &lasting, 30);
        assert!(
            word.starts_with("not live: Argo CD: Synced and Degraded") && looks == 3,
            "{looks}: {word}"
        );
    }

    #[test]
    fn at_the_deadline_it_is_not_live_if_anybody_was_asked() {
        let folder = tempfile::tempdir().unwrap();
        let slow = |commit: &str| vec![Ok(status("OutOfSync", commit, "Progressing", "Running"))];
        let (word, _) = waited(folder.path(), &slow, 1);
        assert!(word.starts_with("not live: not within the deadline"), "{word}");
        let folder = tempfile::tempdir().unwrap();
        let (word, _) = waited(folder.path(), &|_| vec![Err("forbidden".to_owned())], 1);
        assert!(
            word.starts_with("exit 61: whether m3-0123456 is live is not known: forbidden"),
            "{word}"
        );
    }

    #[test]
    fn a_release_that_was_replaced_is_outrun() {
        let folder = tempfile::tempdir().unwrap();
        let (repo, release, commit) = world(folder.path());
        repo.withdraw(&release.environment, &release, "a person did")
            .unwrap();
        let look = || Ok(status("Synced", &commit, "Progressing", "Running"));
        let end = Instant::now() + Duration::from_secs(30);
        match wait(&look, &release, &commit, &repo, None, end) {
            Err(Lost::Other(failure)) => assert_eq!(failure.exit, exit::OUTRUN, "{failure}"),
            _ => panic!("not outrun"),
        }
    }
}
