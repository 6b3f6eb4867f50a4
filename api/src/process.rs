//! What the kernel says about this process (Linux `/proc`).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Resident set in bytes; `None` where there is no `/proc`.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Lets this process open as many files as its clients need, as far as the system allows it: the
/// soft limit is 1024 nearly everywhere, for the sake of programs that use `select`. Gives the limit.
///
/// # Errors
/// When the system does not let the limit be raised.
pub fn raise_open_files(wanted: u64) -> std::io::Result<u64> {
    let limits = getrlimit(Resource::Nofile);
    let most = limits.maximum.unwrap_or(u64::MAX);
    let current = limits.current.unwrap_or(u64::MAX);
    let raised = wanted.clamp(current.min(most), most);
    if raised > current {
        let current = Some(raised);
        setrlimit(Resource::Nofile, Rlimit { current, ..limits })?;
    }
    Ok(raised)
}

/// Open file descriptors; `None` where there is no `/proc`.
pub fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}
