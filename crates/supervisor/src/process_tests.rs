//! Real processes: started, awaited, ended with their groups.

use super::*;
use std::path::Path;

fn shell(folder: &Path, script: &str) -> Launch {
    Launch {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("A".to_owned(), "b".to_owned()),
        ]),
        folder: folder.to_owned(),
        stdout: folder.join("out"),
        stderr: folder.join("err"),
        sockets: Vec::new(),
        group: false,
    }
}

async fn ended(process: Process, child: Child) -> Ended {
    tokio::time::timeout(Duration::from_secs(10), wait(process, Some(child)))
        .await
        .unwrap()
}

#[tokio::test]
async fn output_environment_and_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let (process, child) = start(shell(
        folder.path(),
        "echo \"$A\"; echo oops >&2; pwd; env | wc -l; exit 3",
    ))
    .unwrap();
    assert_eq!(ended(process, child).await, Ended::Code(3));
    let out = logs::tail(&folder.path().join("out"), 9);
    assert_eq!(
        out[..2],
        [
            "b".to_owned(),
            folder.path().canonicalize().unwrap().display().to_string()
        ]
    );
    assert_eq!(logs::tail(&folder.path().join("err"), 9), ["oops"]);
}

#[tokio::test]
async fn its_group_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (process, child) = start(shell(folder.path(), "sleep 600 & echo $!; exec sleep 601")).unwrap();
    let pid = process.identity.pid;
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while procfs::group_members(pid).len() < 2 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process.terminate();
    assert_eq!(ended(process.clone(), child).await, Ended::Killed);
    assert!(!procfs::is_alive(process.identity));
    while !procfs::group_members(pid).is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn only_the_very_process_is_adopted() {
    let folder = tempfile::tempdir().unwrap();
    let (process, child) = start(shell(folder.path(), "exec sleep 600")).unwrap();
    let identity = process.identity;
    assert!(
        adopt(
            Identity {
                start_ticks: identity.start_ticks + 1,
                ..identity
            },
            false
        )
        .is_none()
    );
    adopt(identity, false).unwrap().kill();
    assert_eq!(ended(process, child).await, Ended::Killed);
    assert!(adopt(identity, false).is_none());
}

#[test]
fn a_program_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch {
        program: "/no/such".into(),
        ..shell(folder.path(), "")
    };
    assert_eq!(start(launch).unwrap_err().kind(), io::ErrorKind::NotFound);
}
