//! Runs of CronJobs and Jobs through the real engine.

use crate::support::{World, until};
use engine::{Engine, Health, RunPhase};

/// A suspended CronJob `work` whose container runs the test job.
fn cron(policy: &str, job: &str, env: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: work}}\nspec:\n  suspend: true\n  schedule: '0 3 * * *'\n  \
         concurrencyPolicy: {policy}\n  jobTemplate:\n    spec:\n      {job}\n      template:\n        spec:\n          \
         restartPolicy: Never\n          terminationGracePeriodSeconds: 1\n          containers:\n          - name: work\n            image: api\n            \
         args: [job, one]\n            env:\n            - {{name: TEST_TRACE, value: $(DRIFTLESS_HOME)/trace}}\n{env}"
    )
}

fn env(name: &str, value: &str) -> String {
    format!("            - {{name: {name}, value: '{value}'}}\n")
}

fn world(policy: &str, job: &str, variables: &str) -> Option<World> {
    let mut world = World::new(&crate::support::kubectl()?, "");
    let image = world.image("job", &[]);
    let commit = world.commit_work(&image, &cron(policy, job, variables));
    world.start();
    world.wait_live("work", &commit);
    Some(world)
}

fn trace(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.home.join("trace")).unwrap_or_default();
    text.lines()
        .map(|line| line.split(' ').next().unwrap_or("").to_owned())
        .collect()
}

fn start(world: &World) -> String {
    world.engine().start_run("work", &[], &[]).unwrap()
}

#[test]
fn a_run_gets_its_arguments_and_variables_and_keeps_its_output() {
    let Some(world) = world("Forbid", "backoffLimit: 0", "") else {
        return;
    };
    let extra = ("TEST_EXTRA".to_owned(), "$(not expanded)".to_owned());
    let id = world
        .engine()
        .start_run("work", &["two".to_owned(), "--three".to_owned()], &[extra])
        .unwrap();
    assert!(id.starts_with("work-"), "{id}");
    let run = world.wait_run(&id);
    assert_eq!(
        (run.phase, run.exit_code, run.attempts),
        (RunPhase::Succeeded, Some(0), 1)
    );
    assert_eq!(run.stdout, "{\"args\":[\"one\", \"two\", \"--three\"]}\n");
    assert_eq!(run.log_tail, ["version job starts", "extra $(not expanded)"]);
    assert!(run.finished_at.is_some_and(|end| end >= run.started_at));
    assert_eq!(
        world.engine().logs(&id, 2).unwrap(),
        ["extra $(not expanded)", run.stdout.trim()]
    );
    assert_eq!(world.status().runs[0].id, id);
    let refused = world
        .engine()
        .start_run("nothing", &[], &[])
        .unwrap_err()
        .to_string();
    assert!(refused.contains("no CronJob \"nothing\""), "{refused}");
    assert!(world.engine().run("work-000000").is_err());
}

#[test]
fn failures_are_retried_up_to_the_limit_and_verdicts_are_not() {
    let Some(world) = world("Allow", "backoffLimit: 2", &env("TEST_EXIT", "9")) else {
        return;
    };
    let run = world.wait_run(&start(&world));
    assert_eq!(
        (run.phase, run.exit_code, run.attempts),
        (RunPhase::Failed, Some(9), 3)
    );
    assert_eq!(trace(&world).len(), 6);
    let policy = "backoffLimit: 2\n      podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [12]}}]}";
    let image = world.image("job", &[]);
    let commit = world.commit_work(&image, &cron("Allow", policy, &env("TEST_EXIT", "12")));
    world.wait_live("work", &commit);
    let run = world.wait_run(&start(&world));
    assert_eq!(
        (run.phase, run.exit_code, run.attempts),
        (RunPhase::Failed, Some(12), 1)
    );
}

#[test]
fn a_killed_attempt_is_tried_again() {
    let Some(world) = world("Forbid", "backoffLimit: 1", &env("TEST_SLEEP_MS", "600")) else {
        return;
    };
    let id = start(&world);
    until("a start", || {
        if trace(&world).is_empty() {
            Err("none")
        } else {
            Ok(())
        }
    });
    world.engine().kill(&id).unwrap();
    let run = world.wait_run(&id);
    assert_eq!((run.phase, run.attempts), (RunPhase::Succeeded, 2));
    assert_eq!(trace(&world), ["start", "start", "end"]);
}

#[test]
fn a_run_of_a_killed_engine_is_ended_and_tried_again() {
    let Some(mut world) = world("Forbid", "backoffLimit: 1", &env("TEST_SLEEP_MS", "1500")) else {
        return;
    };
    let id = start(&world);
    until("a start", || {
        if trace(&world).is_empty() {
            Err("none")
        } else {
            Ok(())
        }
    });
    world.kill_engine();
    world.start();
    let run = world.wait_run(&id);
    assert_eq!((run.phase, run.attempts), (RunPhase::Succeeded, 2));
    assert_eq!(
        trace(&world),
        ["start", "start", "end"],
        "the first attempt did not get to its end"
    );
}

#[test]
fn forbid_waits_and_replace_ends_the_active_one() {
    let Some(world) = world("Forbid", "backoffLimit: 0", &env("TEST_SLEEP_MS", "300")) else {
        return;
    };
    let (first, second) = (start(&world), start(&world));
    assert_eq!(world.wait_run(&first).phase, RunPhase::Succeeded);
    assert_eq!(world.wait_run(&second).phase, RunPhase::Succeeded);
    assert_eq!(
        trace(&world),
        ["start", "end", "start", "end"],
        "one after the other"
    );
    let image = world.image("job", &[]);
    let sleepy = env("TEST_SLEEP_MS", "5000");
    let commit = world.commit_work(&image, &cron("Replace", "backoffLimit: 3", &sleepy));
    world.wait_live("work", &commit);
    let first = start(&world);
    until("its start", || {
        if trace(&world).len() > 4 {
            Ok(())
        } else {
            Err("none")
        }
    });
    let image = world.image("job", &[]);
    let commit = world.commit_work(
        &image,
        &cron("Replace", "backoffLimit: 3", &env("TEST_SLEEP_MS", "1")),
    );
    world.wait_live("work", &commit);
    let second = start(&world);
    let replaced = world.wait_run(&first);
    assert_eq!((replaced.phase, replaced.attempts), (RunPhase::Failed, 1));
    assert_eq!(
        replaced.log_tail.last().unwrap(),
        "engine: replaced by a newer run"
    );
    assert_eq!(world.wait_run(&second).phase, RunPhase::Succeeded);
}

#[test]
fn a_deadline_ends_a_run_for_good() {
    let limits = "backoffLimit: 5\n      activeDeadlineSeconds: 1";
    let Some(world) = world("Forbid", limits, &env("TEST_SLEEP_MS", "60000")) else {
        return;
    };
    let run = world.wait_run(&start(&world));
    assert_eq!((run.phase, run.attempts), (RunPhase::Failed, 1));
    assert_eq!(
        run.log_tail.last().unwrap(),
        "engine: activeDeadlineSeconds is over"
    );
}

#[test]
fn a_schedule_is_told_and_a_job_of_the_overlay_runs_once() {
    let Some(kubectl) = crate::support::kubectl() else {
        return;
    };
    let mut world = World::new(&kubectl, "");
    let image = world.image("job", &[]);
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec:\n  backoffLimit: 0\n  template: {spec: {restartPolicy: Never, containers: \
               [{name: once, image: api, args: [job], env: [{name: TEST_TRACE, value: $(DRIFTLESS_HOME)/trace}, {name: TEST_EXIT, value: '0'}]}]}}\n";
    let scheduled = cron("Forbid", "backoffLimit: 0", "").replace("suspend: true", "suspend: false");
    let objects = format!("{job}---\n{scheduled}");
    let commit = world.commit_work(&image, &objects);
    world.start();
    let app = world.wait_live("work", &commit);
    assert!(app.next_schedule.unwrap().ends_with("T03:00:00Z"));
    world.kill_engine();
    world.start();
    let again = world.commit(&[("README.md", "unrelated")]);
    world.wait_live("work", &again);
    assert_eq!(
        trace(&world),
        ["start", "end"],
        "not again for a new engine or a new commit"
    );
    let commit = world.commit_work(&image, &objects.replace("value: '0'", "value: '4'"));
    let app = world.wait_app("the changed Job fails", "work", |app| {
        app.health == Health::Degraded
    });
    assert_eq!(app.revision, commit);
    assert_eq!(app.message, "Job once failed");
    world.engine().suspend("work", true).unwrap();
    let app = world.wait_app("no schedule", "work", |app| app.next_schedule.is_none());
    assert_eq!(app.health, Health::Suspended);
}

#[test]
fn a_template_without_its_image_is_missing_and_heals_when_the_image_comes() {
    let Some(kubectl) = crate::support::kubectl() else {
        return;
    };
    let mut world = World::new(&kubectl, "");
    let objects = cron("Forbid", "backoffLimit: 0", "");
    // Made elsewhere first, to know its digest before it is here.
    let elsewhere = World::new(&kubectl, "").image("job", &[]);
    let commit = world.commit_work(&elsewhere, &objects);
    world.start();
    let app = world.wait_app("Missing", "work", |app| app.health == Health::Missing);
    assert_eq!(app.sync, engine::Sync::OutOfSync);
    assert!(app.message.contains(&elsewhere), "{}", app.message);
    let refused = world
        .engine()
        .start_run("work", &[], &[])
        .unwrap_err()
        .to_string();
    assert!(refused.contains("work cannot run"), "{refused}");
    assert_eq!(world.image("job", &[]), elsewhere);
    world.wait_live("work", &commit);
    assert_eq!(world.wait_run(&start(&world)).phase, RunPhase::Succeeded);
}

#[test]
fn a_run_by_name_and_a_record_outlive_the_engine() {
    let Some(mut world) = world("Forbid", "backoffLimit: 0", "") else {
        return;
    };
    let named = |world: &World, name: &str| world.engine().start_run_named("work", name, &[], &[]);
    let id = named(&world, "work-0a1b-e1").unwrap();
    assert_eq!(id, "work-0a1b-e1");
    assert_eq!(world.wait_run(&id).phase, RunPhase::Succeeded);
    let put = |world: &World, expected: &str, text: &str| {
        world.engine().put_record("drift-ledger", expected, text).unwrap()
    };
    assert_eq!(world.engine().record("drift-ledger").unwrap().text, None);
    assert!(put(&world, "", "one") && !put(&world, "", "two") && put(&world, "1", "two"));
    // Answered means kept: killed at that very moment it is known to the next engine.
    let second = named(&world, "work-0a1b-e2").unwrap();
    world.kill_engine();
    world.start();
    let record = world.engine().record("drift-ledger").unwrap();
    assert_eq!(
        (record.version.as_str(), record.text.as_deref()),
        ("2", Some("two"))
    );
    assert!(!put(&world, "1", "three"));
    // A successor knows its templates once it has compared.
    until("the template", || {
        world.engine().start_run_named("work", &id, &[], &[])
    });
    for name in [&id, &second] {
        assert_eq!(&named(&world, name).unwrap(), name);
    }
    world.wait_run(&second);
    assert_eq!(world.status().runs.len(), 2, "a name was given twice");
    for wrong in [
        "other-e1",
        "work-",
        "work-E1",
        "work-../x",
        &format!("work-{}", "a".repeat(60)),
    ] {
        let refused = named(&world, wrong).unwrap_err().to_string();
        assert!(refused.contains("expected work- and"), "{refused}");
    }
}
