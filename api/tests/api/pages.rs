//! What these pages say to type works as it stands, in a folder with a model and a file of rows. Ports alone are
//! others than the pages name: those may be taken.

use crate::{
    fixture,
    grpc::clients,
    score,
    server::{Server, eventually},
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::symlink, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// Who reads one page.
struct Reader {
    folder: TempDir,
    /// What the last `sh` block began, with what it left running.
    begun: Option<Pid>,
    /// In the places of `127.0.0.1:8000` and `:8001`.
    ports: [SocketAddr; 2],
    python: Option<PathBuf>,
}

impl Reader {
    fn new(model: &Path) -> Reader {
        let folder = tempfile::tempdir().unwrap();
        symlink(model, folder.path().join("model")).unwrap();
        fs::write(folder.path().join("rows.csv"), score::csv(&score::rows(3))).unwrap();
        // Both at once, or the second could be the first.
        let held = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        Reader {
            folder,
            begun: None,
            ports: held.map(|listener| listener.local_addr().unwrap()),
            python: None,
        }
    }

    /// Types every block of a page; says how many there were.
    fn read(&mut self, page: &str, variables: &[(&str, &str)]) -> usize {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
        let page = fs::read_to_string(path).unwrap();
        let blocks: Vec<_> = page.split("```").skip(1).step_by(2).collect();
        for block in &blocks {
            let (language, text) = block.split_once('\n').unwrap();
            let text = text
                .replace(":8000", &format!(":{}", self.ports[0].port()))
                .replace(":8001", &format!(":{}", self.ports[1].port()));
            let mut command = match language {
                "sh" => {
                    self.stop();
                    let mut shell = Command::new("sh");
                    shell.arg("-e").process_group(0);
                    shell
                }
                // Against what the block before has left running.
                "python" => match &self.python {
                    Some(python) => Command::new(python),
                    None => continue,
                },
                // What is not run rots.
                other => panic!("a block of {other:?}, which nothing runs"),
            };
            self.runs(
                command.arg("-c").arg(&text).envs(variables.iter().copied()),
                &text,
            );
        }
        blocks.len()
    }

    fn runs(&mut self, command: &mut Command, text: &str) {
        // A file and no pipe, whose end would be that of what goes on running.
        let said = self.folder.path().join("said");
        let file = File::create(&said).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_inference-api"));
        let path = std::env::var("PATH").unwrap_or_default();
        let mut child = command
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
            .env("NO_PROXY", "*")
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        if command.get_program() == "sh" {
            self.begun = Some(Pid::from_child(&child));
        }
        let status = child.wait().unwrap();
        let said = fs::read_to_string(said).unwrap();
        assert!(status.success(), "{text}: {said}");
    }

    fn stop(&mut self) {
        if let Some(group) = self.begun.take() {
            // Nobody may be left in it.
            let _ = kill_process_group(group, Signal::KILL);
            for port in self.ports {
                eventually("the port is free", || TcpStream::connect(port).is_err());
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The tools that the pages take for granted.
fn tools() -> bool {
    let is_there = |name: &&str| Command::new(name).arg("--help").output().is_ok();
    let missing: Vec<_> = ["curl", "openssl"]
        .into_iter()
        .filter(|name| !is_there(name))
        .collect();
    if !missing.is_empty() {
        eprintln!("SKIPPED pages: the commands of the pages: {missing:?} are not here");
    }
    missing.is_empty()
}

#[test]
fn scoring() {
    let directory = fixture::directory();
    let server = Server::start(directory.path(), &[]);
    let mut reader = Reader::new(directory.path());
    let api = format!("http://{}", server.address);
    if tools() {
        assert_eq!(reader.read("scoring.md", &[("API", &api)]), 2);
        let scored = reader.folder.path().join("predictions.parquet");
        assert_eq!(score::read_parquet(&scored).len(), 3);
    }
}

#[test]
fn feedback() {
    let directory = fixture::directory();
    assert!(!tools() || Reader::new(directory.path()).read("feedback.md", &[]) == 1);
}

#[test]
fn serving() {
    let directory = fixture::directory();
    assert!(!tools() || Reader::new(directory.path()).read("serving.md", &[]) == 2);
}

#[test]
fn the_drift_page() {
    let directory = fixture::directory();
    assert!(!tools() || Reader::new(directory.path()).read("drift-page.md", &[]) == 2);
}

#[test]
fn watching() {
    let directory = fixture::directory();
    assert!(!tools() || Reader::new(directory.path()).read("watching.md", &[]) == 4);
}

#[test]
fn grpc() {
    let directory = fixture::directory();
    let mut reader = Reader::new(directory.path());
    reader.python = clients::python();
    assert!(!tools() || reader.read("grpc.md", &[]) == 2);
}
