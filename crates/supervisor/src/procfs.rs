//! Who a process is, by `/proc` (proc(5)): a pid alone may meanwhile belong to somebody else.

use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Set in every process the engine starts to its state folder, and inherited by their children.
pub const MARK: &str = "DRIFTLESS_SUPERVISED";

/// A process: the pid and when it started, in clock ticks since the machine's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Process id.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start_ticks: u64,
}

struct Stat {
    state: char,
    group: u32,
    start_ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name is in brackets and may hold anything, brackets and blanks included.
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

/// The process that has this pid now, unless it is dead and only waits to be reaped.
pub fn identify(pid: u32) -> Option<Identity> {
    let stat = stat(pid).filter(|stat| !matches!(stat.state, 'Z' | 'X'))?;
    Some(Identity {
        pid,
        start_ticks: stat.start_ticks,
    })
}

/// As [`identify`], dead ones included: for a child that was just started and not reaped.
pub fn identify_even_dead(pid: u32) -> Option<Identity> {
    let start_ticks = stat(pid)?.start_ticks;
    Some(Identity { pid, start_ticks })
}

/// Whether exactly this process still lives.
pub fn is_alive(identity: Identity) -> bool {
    identify(identity.pid) == Some(identity)
}

/// Changes with every start of the machine: identities of an earlier one mean nothing.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Living processes of a process group.
pub fn group_members(group: u32) -> Vec<u32> {
    let alive = |stat: Stat| stat.group == group && !matches!(stat.state, 'Z' | 'X');
    pids().filter(|pid| stat(*pid).is_some_and(alive)).collect()
}

/// Every living process that an engine of this state folder started, directly or not, except
/// the asking one.
pub fn supervised(home: &Path) -> Vec<Identity> {
    let mark = format!("{MARK}={}", home.display());
    let is_ours = |pid: &u32| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| {
            environ
                .split(|byte| *byte == 0)
                .any(|entry| entry == mark.as_bytes())
        })
    };
    let own = std::process::id();
    pids()
        .filter(|pid| *pid != own)
        .filter(is_ours)
        .filter_map(identify)
        .collect()
}

/// Whether a process has the socket with that inode open.
pub fn has_socket(pid: u32, inode: u64) -> bool {
    let wanted = PathBuf::from(format!("socket:[{inode}]"));
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|target| target == wanted)
}

/// Proportional set size of a process group, in bytes: pages shared between its processes count
/// once. `None` when the kernel says nothing.
pub fn resident_bytes(group: u32) -> Option<u64> {
    let of = |pid: u32| -> Option<u64> {
        let text = fs::read_to_string(PathBuf::from(format!("/proc/{pid}/smaps_rollup"))).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    group_members(group)
        .into_iter()
        .filter_map(of)
        .reduce(|a, b| a + b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn knows_itself_and_not_a_successor() {
        let me = identify(std::process::id()).unwrap();
        assert!(is_alive(me));
        assert!(!is_alive(Identity {
            start_ticks: me.start_ticks + 1,
            ..me
        }));
        assert!(resident_bytes(stat(me.pid).unwrap().group).unwrap() > 100_000);
        assert!(!boot_id().is_empty());
    }

    #[test]
    fn sees_a_socket_until_it_is_closed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
        assert!(has_socket(std::process::id(), inode));
        drop(listener);
        assert!(!has_socket(std::process::id(), inode));
    }

    #[test]
    fn finds_marked_processes_only() {
        let home = Path::new("/nowhere/driftless-test");
        let sleeper = |mark: &str| {
            let mut command = Command::new("sleep");
            command
                .arg("60")
                .env(MARK, mark)
                .stdin(Stdio::null())
                .spawn()
                .unwrap()
        };
        let (mut ours, mut other) = (
            sleeper("/nowhere/driftless-test"),
            sleeper("/nowhere/driftless-test2"),
        );
        let found: Vec<u32> = supervised(home).iter().map(|identity| identity.pid).collect();
        let identity = identify(ours.id()).unwrap();
        for child in [&mut ours, &mut other] {
            child.kill().unwrap();
        }
        assert_eq!(found, [ours.id()]);
        // A zombie is not alive.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while is_alive(identity) {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        ours.wait().unwrap();
        other.wait().unwrap();
    }
}
