use super::*;

fn shell(script: &str) -> Cmd {
    Cmd::reads("sh").args(["-c", script])
}

#[test]
fn exit_code_and_both_streams_come_back() {
    let output = Real.run(&shell("echo out; echo err >&2; exit 3")).unwrap();
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (3, "out\n", "err\n")
    );
    assert_eq!(Real.run(&shell("kill -9 $$")).unwrap().code, 137);
}

#[test]
fn more_output_than_a_pipe_holds_does_not_block() {
    let output = Real
        .run(&shell("head -c 1000000 /dev/zero | tr '\\0' x"))
        .unwrap();
    assert_eq!(output.stdout.len(), 1_000_000);
}

#[test]
fn lines_are_told_while_the_program_runs() {
    let (sender, told) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let cmd = shell("echo one >&2; printf tw >&2; echo o >&2; exec sleep 60")
        .tell(move |line| sender.lock().unwrap().send(line.to_owned()).unwrap())
        .deadline(Duration::from_millis(500));
    assert!(Real.run(&cmd).is_err());
    assert_eq!(told.try_iter().collect::<Vec<_>>(), ["one", "two"]);
}

#[test]
fn a_deadline_kills() {
    let error = Real
        .run(&shell("exec sleep 60").deadline(Duration::from_millis(50)))
        .unwrap_err();
    assert!(matches!(error, ExecError::Deadline { .. }), "{error}");
}

#[test]
fn a_missing_program_is_named() {
    let error = Real.run(&Cmd::reads("no-such-program-anywhere")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no program \"no-such-program-anywhere\" on PATH"
    );
}

#[test]
fn arguments_are_a_vector_and_secrets_are_never_printed() {
    let cmd = Cmd::changes("tool")
        .args(["a b", "it's", ""])
        .env("X", "1 2")
        .secret_env("TOKEN", "hunter2");
    assert_eq!(cmd.to_string(), r"X='1 2' TOKEN=<hidden> tool 'a b' 'it'\''s' ''");
    assert!(!format!("{cmd:?}").contains("hunter2"));
    let seen = Real
        .run(&shell("printf %s \"$TOKEN\"").secret_env("TOKEN", "hunter2"))
        .unwrap();
    assert_eq!(seen.stdout, "hunter2");
}

#[test]
fn a_started_process_has_its_own_session_and_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("sub/out.log");
    // Field 6 of /proc/PID/stat is the session.
    Real.start(
        &Cmd::changes("sh").args(["-c", "cut -d' ' -f1,6 /proc/$$/stat"]),
        &log,
    )
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let text = loop {
        let text = fs::read_to_string(&log).unwrap_or_default();
        if text.ends_with('\n') {
            break text;
        }
        assert!(Instant::now() < deadline, "nothing was written to the log");
        std::thread::yield_now();
    };
    let mut fields = text.split_whitespace();
    assert_eq!(fields.next(), fields.next(), "process and session differ: {text}");
}

#[test]
fn writing_is_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b.txt");
    Real.write(&path, b"one", 0o600).unwrap();
    Real.write(&path, b"two", 0o600).unwrap();
    assert_eq!(Real.read(&path).unwrap(), b"two");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "nothing lies aside"
    );
    Real.write(&dir.path().join("a/b.txt/c"), b"x", 0o644)
        .unwrap_err();
}

#[test]
fn recording_looks_but_does_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let recording = Recording::new(Real, dir.path());
    let path = dir.path().join("file");
    recording.write(&path, b"1\n2\n", 0o644).unwrap();
    let cmd = Cmd::changes("touch").path(&path).pretend("made");
    assert_eq!(recording.run(&cmd).unwrap().stdout, "made");
    assert_eq!(recording.run(&shell("echo looked")).unwrap().stdout, "looked\n");
    assert!(!path.exists());
    assert_eq!(recording.take(), ["write  file (2 lines)", "run    touch file"]);
}
