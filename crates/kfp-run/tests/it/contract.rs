//! What a step finds and what becomes of what it leaves, as with the launcher.

use crate::support::{alone, fault, ran, runner, script, text};
use kfp::argument::Piece;
use kfp::build::{Builder, if_present, text as word};
use kfp::container::Retry;
use kfp::kind::{Boolean, Dataset, Double, Integer, List, Metrics, Struct, Text};
use kfp_run::{AttemptState, RunState};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn parameters_and_artifacts_go_from_step_to_step() {
    let mut b = Builder::new("passing");
    let name = b.parameter_or::<Text>("name", "Ada");
    let mut make = script(
        "make",
        "printf 'hello %s\n' \"$1\" > \"$2\"; mkdir \"$3\"; echo rows > \"$3/a.csv\"; echo 42 > \"$4\"; echo '{\"b\":1.0}' > \"$5\"",
    );
    let who = make.input::<Text>("who");
    make.arg(&who);
    let greeting = make.output::<Text>("greeting");
    make.arg(&greeting);
    let rows = make.output_artifact::<Dataset>("rows");
    make.arg(&rows);
    let count = make.output::<Integer>("count");
    make.arg(&count);
    let options = make.output::<Struct>("options");
    make.arg(&options);
    let made = b.task("make", &make).set(&who, &name).add();

    let mut take = script(
        "take",
        "cat \"$2/a.csv\"; echo changed > \"$2/a.csv\"; echo \"$1|$3|$4|$5\"; pwd; env | sort; ls -a; ls -d \"$TMPDIR\"",
    );
    let said = take.input::<Text>("said");
    take.arg(&said);
    let data = take.input_artifact::<Dataset>("data");
    take.arg(&data);
    let number = take.input::<Integer>("number");
    take.arg(word(["n=".into(), (&number).into()]));
    let with = take.input::<Struct>("with");
    take.arg(&with);
    let maybe = take.optional_input::<Text>("maybe");
    take.arg(if_present(&maybe, ["there".into()], ["absent".into()]));
    take.env("MODE", "on");
    let taken = b.task("take", &take).set(&said, &made.output(&greeting));
    let taken = taken.set_artifact(&data, &made.artifact(&rows));
    taken
        .set(&number, &made.output(&count))
        .set(&with, &made.output(&options))
        .add();
    b.export("count", &made.output(&count));
    let pipeline = b.build().unwrap();

    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("run");
    let record = ran(&runner(pipeline, &folder), RunState::Succeeded);
    let made = &record.steps["make"].outputs;
    assert_eq!(
        made.parameters["greeting"], "hello Ada\n",
        "text is kept as it is"
    );
    assert_eq!(made.parameters["options"], json!({"b": 1}));
    assert_eq!(record.outputs.parameters["count"], 42);
    let saved = &made.artifacts["rows"][0];
    assert_eq!(saved.title, "system.Dataset");
    assert_eq!(
        text(folder.join(&saved.path).join("a.csv")),
        "rows\n",
        "a step has a copy"
    );

    let log = text(folder.join(&record.steps["take"].attempts[0].log));
    assert!(log.contains("hello Ada\n|n=42|{\"b\":1}|absent\n"), "{log}");
    let names: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let unexpected: Vec<_> = names
        .iter()
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .filter(|name| {
            ![
                "PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "MODE", "PWD", "OLDPWD", "SHLVL", "_",
            ]
            .contains(name)
        })
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert!(log.contains("MODE=on"));
    let step = folder
        .join(&record.steps["take"].attempts[0].log)
        .with_file_name("inputs");
    assert!(!step.exists(), "copies go when the step is done");
}

#[test]
fn metrics_and_parameters_come_from_the_executor_output() {
    let mut step = script(
        "tell",
        r#"file=$(printf %s "$1" | sed 's/.*"outputFile":"\([^"]*executor_output.json\)".*/\1/')
        echo '{"parameterValues": {"share": 0.5, "yes": true}, "artifacts": {"metrics": {"artifacts": [{"metadata": {"accuracy": 0.9}}]}}}' > "$file""#,
    );
    step.arg(Piece::ExecutorInput);
    step.output::<Double>("share");
    step.output::<Boolean>("yes");
    step.output_artifact::<Metrics>("metrics");
    let place = tempfile::tempdir().unwrap();
    let record = ran(
        &runner(alone(&step), &place.path().join("run")),
        RunState::Succeeded,
    );
    let left = &record.steps["step"].outputs;
    assert_eq!(left.parameters["share"], 0.5);
    assert_eq!(left.parameters["yes"], true);
    assert_eq!(left.artifacts["metrics"][0].metadata["accuracy"], 0.9);
    assert_eq!(left.artifacts["metrics"][0].digest, "", "it was not written");
    assert_eq!(
        record.steps["step"].warnings,
        ["artifact metrics: was not written"]
    );
}

#[test]
fn what_is_wrong_with_a_step_is_named() {
    let (said, record) = fault(&script("fail", "echo one; echo two >&2; exit 3"));
    assert_eq!(said, "exit code 3; expected 0 [exit-code]");
    let attempt = &record.steps["step"].attempts[0];
    assert_eq!(
        (attempt.exit_code, attempt.tail.as_slice()),
        (Some(3), &["one".to_owned(), "two".to_owned()][..])
    );
    assert_eq!(record.failures[0].step, "step");
    assert!(
        record.failures[0].what.contains("it said: two; see steps/step-"),
        "{:?}",
        record.failures
    );

    let (said, _) = fault(&script("die", "kill -9 $$"));
    assert_eq!(said, "ended by signal 9 [killed-by-signal]");

    let mut missing = script("quiet", "true");
    missing.output::<Integer>("n");
    let (said, _) = fault(&missing);
    assert!(
        said.starts_with("output n: ") && said.contains("No such file") && said.ends_with("[output-missing]"),
        "{said}"
    );

    for (kind, wrote, expected) in [
        (
            "integer",
            "42.5",
            "a whole number (NUMBER_INTEGER) [output-mistyped]",
        ),
        ("boolean", "yes", "true or false (BOOLEAN) [output-mistyped]"),
        ("list", "{}", "a list as JSON (LIST) [output-mistyped]"),
        ("text", "\\377", "is no UTF-8 (STRING) [output-mistyped]"),
    ] {
        let mut step = script("wrong", &format!("printf '{wrote}' > \"$1\""));
        match kind {
            "integer" => step.output::<Integer>("n").into_arg(&mut step),
            "boolean" => step.output::<Boolean>("n").into_arg(&mut step),
            "list" => step.output::<List>("n").into_arg(&mut step),
            _ => step.output::<Text>("n").into_arg(&mut step),
        }
        let (said, _) = fault(&step);
        assert!(
            said.starts_with("output n: ") && said.ends_with(expected),
            "{said}"
        );
    }

    let mut broken = script(
        "broken",
        r#"echo '{' > "$(printf %s "$1" | sed 's/.*"outputFile":"\([^"]*executor_output.json\)".*/\1/')""#,
    );
    broken.arg(Piece::ExecutorInput);
    let (said, _) = fault(&broken);
    assert!(
        said.starts_with("executor_output.json: EOF") && said.ends_with("[executor-output-broken]"),
        "{said}"
    );

    let mut nothing = kfp::build::Step::new("nothing", "image:1", 60);
    nothing.command(["no-such-program"]);
    let (said, record) = fault(&nothing);
    assert_eq!(
        said,
        "program \"no-such-program\": image \"image:1\" has none [cannot-start]"
    );
    assert_eq!(record.steps["step"].attempts[0].exit_code, None);
}

/// An output as the next word.
trait IntoArg {
    fn into_arg(self, step: &mut kfp::build::Step);
}

impl<K> IntoArg for kfp::build::Out<K> {
    fn into_arg(self, step: &mut kfp::build::Step) {
        step.arg(&self);
    }
}

#[test]
fn a_step_is_started_again_as_its_task_says() {
    let place = tempfile::tempdir().unwrap();
    let count = place.path().join("count");
    let step = script(
        "flaky",
        &format!(
            "echo \"$KFP_RETRY_INDEX\" >> {0}; test \"$(wc -l < {0})\" -eq 3",
            count.display()
        ),
    );
    let pipeline = |times| {
        let mut b = Builder::new("flaky");
        let retry = Retry {
            backoff: Some(Duration::from_millis(20)),
            ..Retry::times(times)
        };
        b.task("flaky", &step).retry(retry).add();
        b.build().unwrap()
    };
    let record = ran(
        &runner(pipeline(2), &place.path().join("one")),
        RunState::Succeeded,
    );
    let flaky = &record.steps["flaky"];
    let numbers: Vec<u32> = flaky.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!((numbers, flaky.failed), (vec![1, 2, 3], 2));
    assert_eq!(flaky.attempts[0].state, AttemptState::Failed);
    assert_eq!(text(&count), "0\n1\n2\n");
    let between = flaky.attempts[2].started_ms - flaky.attempts[1].ended_ms.unwrap();
    assert!(between >= 35, "the second pause is twice the first: {between} ms");

    std::fs::remove_file(&count).unwrap();
    let record = ran(&runner(pipeline(1), &place.path().join("two")), RunState::Failed);
    assert_eq!(record.steps["flaky"].attempts.len(), 2);
}

#[test]
fn a_step_that_takes_too_long_ends_with_all_its_children() {
    let place = tempfile::tempdir().unwrap();
    let pid = place.path().join("pid");
    let mut step = script(
        "slow",
        &format!(
            "sleep 300 & echo $! > {}; trap '' TERM; wait; sleep 300",
            pid.display()
        ),
    );
    step.kubernetes().deadline_seconds = Some(1);
    let mut slow = runner(alone(&step), &place.path().join("run"));
    slow.limits.grace = Duration::from_millis(200);
    let start = Instant::now();
    let record = ran(&slow, RunState::Failed);
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    let fault = record.steps["step"].attempts[0].fault.clone().unwrap();
    assert_eq!(fault.to_string(), "took longer than 1 s [deadline-exceeded]");
    assert!(is_gone(&text(&pid)), "the child lives");
}

#[test]
fn what_a_step_leaves_running_ends_with_it() {
    let place = tempfile::tempdir().unwrap();
    let pid = place.path().join("pid");
    let step = script("daemon", &format!("sleep 300 & echo $! > {}", pid.display()));
    ran(
        &runner(alone(&step), &place.path().join("run")),
        RunState::Succeeded,
    );
    assert!(is_gone(&text(&pid)), "the child lives");
}

/// Dead, or dead and not yet reaped.
pub fn is_gone(pid: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        match std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) {
            Ok(stat) if !stat.contains(") Z ") => std::thread::sleep(Duration::from_millis(5)),
            _ => return true,
        }
    }
    false
}

#[test]
fn mounts_are_folders_of_the_step() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("claim");
    std::fs::create_dir(&data).unwrap();
    let mut step = script(
        "mounts",
        "echo x > \"$1\" && cat \"$1\" && echo kept > \"$2\"; echo $TOKEN | wc -c",
    );
    step.arg("/tmp/file").arg("/claim/file");
    step.kubernetes().claims.push(kfp::kubernetes::Claim {
        object: "data".into(),
        path: "/claim/".to_owned(),
        sub_path: None,
    });
    step.kubernetes().secret_env.push(kfp::kubernetes::KeysAsEnv {
        object: "account".into(),
        keys: vec![("token".to_owned(), "TOKEN".to_owned())],
        optional: false,
    });
    let folder = place.path().join("run");
    let mut runner = runner(alone(&step), &folder);
    let error = runner.start(&mut |_| {}).unwrap_err();
    assert_eq!(error.id(), "object-missing");
    assert!(
        error.to_string().contains("Secret \"account.token\" is needed"),
        "{error}"
    );
    assert!(!folder.exists(), "nothing was begun");
    runner.given.objects.insert(
        "account".to_owned(),
        [("token".to_owned(), "hush-hush".into())].into(),
    );
    let error = runner.start(&mut |_| {}).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("claim \"data\" is needed; expected a folder with --volume"),
        "{error}"
    );
    runner.given.volumes.insert("data".to_owned(), data.clone());
    let record = ran(&runner, RunState::Succeeded);
    assert_eq!(record.steps["step"].attempts[0].tail, ["x", "10"]);
    assert_eq!(text(data.join("file")), "kept\n");
    assert!(
        !text(folder.join("run.json")).contains("hush"),
        "a secret is in the record"
    );
}
