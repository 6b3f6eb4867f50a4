//! Each verdict, with its sentence.

use super::play::{Death, Ground, check, promoted};
use drift::episodes::{
    Episode, Key, Ledger, Observation, Policy, Settled, State, Verdict, duration, prometheus, utc,
};

const BEGIN_MS: u64 = 1_763_740_800_000;
const HOUR: u64 = 60 * 60 * 1000;
const MODEL: &str = "sha256:7f3a2c1b00000000000000000000000000000000000000000000000000000000";

fn drifting(model: &str, number: u64, opened_at_ms: u64) -> Observation {
    Observation {
        model: model.to_owned(),
        episode: Some(Episode {
            number,
            opened_at_ms,
            since_rows: Some(70),
            open: true,
            movements: vec!["petal length is 0.9 higher than in training".to_owned()],
        }),
        samples: 100,
        judged: true,
    }
}

fn refused() -> State {
    State::Refused {
        reasons: vec!["accuracy 0.41 is below 0.9".to_owned()],
        mlflow_run: Some("5f1c".to_owned()),
    }
}

fn at(ground: &mut Ground, seen: &Observation, now_ms: u64) -> Verdict {
    check(ground, seen, Policy::default(), now_ms, None).unwrap()
}

/// The run that was started, or a failure with what was said instead.
#[track_caller]
fn started(verdict: Verdict) -> String {
    match verdict {
        Verdict::Start(entry) => entry.run,
        other => panic!("not started: {}", other.sentence()),
    }
}

#[test]
fn a_day_of_an_unlucky_model() {
    let mut ground = Ground::default();
    let first = drifting(MODEL, 1, BEGIN_MS);
    let run = started(at(&mut ground, &first, BEGIN_MS));
    assert_eq!(run, "training-7f3a2c1b-e1-t63340");
    let mut said = vec![at(&mut ground, &first, BEGIN_MS + 1000)];
    ground.end(&run, refused(), BEGIN_MS + 60_000, true);
    said.push(at(&mut ground, &first, BEGIN_MS + 2 * HOUR));
    let second = drifting(MODEL, 2, BEGIN_MS + HOUR / 2);
    said.push(at(&mut ground, &second, BEGIN_MS + HOUR / 2));
    let run = started(at(&mut ground, &second, BEGIN_MS + 3 * HOUR));
    let failed = State::Failed {
        reason: "MLflow does not answer".to_owned(),
    };
    // It could not say so itself: the next trigger finds it.
    ground.end(&run, failed, BEGIN_MS + 3 * HOUR, false);
    let third = drifting(MODEL, 3, BEGIN_MS + 5 * HOUR);
    let run = started(at(&mut ground, &third, BEGIN_MS + 5 * HOUR));
    ground.end(&run, promoted("sha256:new"), BEGIN_MS + 5 * HOUR, true);
    // Its model drifts before a window of it was quiet.
    let at_once = drifting("sha256:new", 1, BEGIN_MS + 6 * HOUR);
    said.push(at(&mut ground, &at_once, BEGIN_MS + 7 * HOUR));
    let metrics = prometheus(&ground.ledger, 3);
    ground.ledger.reset_breaker();
    let run = started(at(&mut ground, &at_once, BEGIN_MS + 7 * HOUR));
    ground.end(&run, promoted("sha256:newer"), BEGIN_MS + 7 * HOUR, true);
    let fifth = drifting("sha256:newer", 2, BEGIN_MS + 9 * HOUR);
    said.push(at(&mut ground, &fifth, BEGIN_MS + 9 * HOUR));
    let quiet = Observation {
        episode: None,
        ..fifth
    };
    said.push(at(&mut ground, &quiet, BEGIN_MS + 9 * HOUR));
    let lines: Vec<String> = said
        .iter()
        .map(|verdict| format!("{}: {}", verdict.word(), verdict.sentence()))
        .collect();
    insta::assert_snapshot!("sentences", lines.join("\n"));
    insta::assert_snapshot!("metrics", metrics);
    let notes: Vec<String> = ground
        .ledger
        .decisions
        .iter()
        .map(|note| format!("{} {} x{}", utc(note.at_ms), note.verdict, note.times))
        .collect();
    insta::assert_snapshot!("notes", notes.join("\n"));
}

/// Promote, drift at once, promote, …: the breaker answers.
#[test]
fn a_model_that_drifts_at_once_is_no_loop() {
    let mut ground = Ground::default();
    let mut runs = 0;
    for day in 0..30_u64 {
        let now = BEGIN_MS + day * 24 * HOUR;
        let seen = drifting(&format!("sha256:{day:064x}"), 1, now);
        if let Verdict::Start(entry) = at(&mut ground, &seen, now) {
            runs += 1;
            let next = format!("sha256:{:064x}", day + 1);
            ground.end(&entry.run, promoted(&next), now, true);
        }
        if runs < day {
            break;
        }
    }
    // The first answered a drift in earnest; the ones after it each the drift of what came before.
    assert_eq!(runs, 3);
}

#[test]
fn a_quiet_window_closes_the_row() {
    let mut ground = Ground::default();
    for number in 1..=2 {
        let now = BEGIN_MS + number * 2 * HOUR;
        let run = started(at(&mut ground, &drifting(MODEL, number, now), now));
        ground.end(&run, refused(), now, true);
    }
    let now = BEGIN_MS + 8 * HOUR;
    let run = started(at(&mut ground, &drifting(MODEL, 3, now), now));
    ground.end(&run, promoted("sha256:new"), now, true);
    assert_eq!(ground.ledger.strikes().len(), 2);
    let mut seen = Observation {
        model: "sha256:new".to_owned(),
        episode: None,
        samples: 40,
        judged: false,
    };
    // Forty rows of a window of a hundred prove nothing.
    at(&mut ground, &seen, now);
    assert_eq!(ground.ledger.strikes().len(), 2);
    (seen.samples, seen.judged) = (100, true);
    at(&mut ground, &seen, now);
    assert_eq!(ground.ledger.strikes().len(), 0);
    let settled = &ground.ledger.entries.last().unwrap().state;
    assert!(
        matches!(
            settled,
            State::Promoted {
                settled: Settled::Quiet,
                ..
            }
        ),
        "{settled:?}"
    );
}

#[test]
fn nothing_to_learn_from_is_tried_again() {
    let mut ground = Ground::default();
    let seen = drifting(MODEL, 1, BEGIN_MS);
    let run = started(at(&mut ground, &seen, BEGIN_MS));
    let reason = "nothing new to learn from".to_owned();
    ground.end(&run, State::NothingNew { reason }, BEGIN_MS, true);
    let said = at(&mut ground, &seen, BEGIN_MS + HOUR / 2).sentence();
    assert!(said.contains("add a batch to the data place"), "{said}");
    let again = started(at(&mut ground, &seen, BEGIN_MS + HOUR));
    assert_eq!(again, format!("{run}-2"));
    assert!(ground.ledger.strikes().is_empty());
}

#[test]
fn a_start_that_came_to_nothing_is_given_up_once_its_episode_is_over() {
    let mut ground = Ground::default();
    let (seen, other) = (
        drifting(MODEL, 1, BEGIN_MS),
        drifting("sha256:other", 1, BEGIN_MS),
    );
    let before_start = Some(Death {
        step: 3,
        after: false,
    });
    check(&mut ground, &seen, Policy::default(), BEGIN_MS, before_start);
    assert!(ground.made.is_empty() && ground.ledger.entries[0].state == State::Starting);
    // Not at once: whoever began may still be there.
    assert_eq!(at(&mut ground, &other, BEGIN_MS + 1000).word(), "still-running");
    assert_eq!(
        started(at(&mut ground, &other, BEGIN_MS + HOUR / 2)),
        ground.made[0]
    );
    assert_eq!(ground.ledger.entries[0].state, State::Abandoned);
    // And after all it is back: under the same name.
    ground.end(&ground.made[0].clone(), refused(), BEGIN_MS + HOUR / 2, true);
    let back = started(at(&mut ground, &seen, BEGIN_MS + 2 * HOUR));
    assert_eq!(back, ground.ledger.entries[0].run);
}

#[test]
fn an_episode_is_known_again_by_what_may_change() {
    let recorded = Key {
        model: MODEL.to_owned(),
        number: 1,
        opened_at_ms: BEGIN_MS,
    };
    for (number, opened_at_ms, same_refused, same_promoted) in [
        (1, BEGIN_MS, true, true),
        // Replicas that merge, and old pods that still answer.
        (1, BEGIN_MS - 20_000, true, true),
        (1, BEGIN_MS + 5_000, true, true),
        // Replicas that have not heard of each other; or the old model brought back at once.
        (1, BEGIN_MS + 20_000, true, false),
        // Memory that was lost.
        (1, BEGIN_MS + 10 * 60_000, false, false),
        (1, BEGIN_MS - 3 * HOUR, false, false),
        (2, BEGIN_MS, false, false),
    ] {
        for (end, same) in [(refused(), same_refused), (promoted("sha256:new"), same_promoted)] {
            let mut ground = Ground::default();
            let run = started(at(&mut ground, &drifting(MODEL, 1, BEGIN_MS), BEGIN_MS));
            ground.end(&run, end.clone(), BEGIN_MS, true);
            let seen = drifting(MODEL, number, opened_at_ms);
            let verdict = at(&mut ground, &seen, BEGIN_MS + 2 * HOUR);
            let handled = matches!(verdict, Verdict::Handled { .. });
            assert_eq!(handled, same, "{number} {opened_at_ms} {end:?}: {verdict:?}");
        }
    }
    let long = recorded.run_name(&"x".repeat(80), 12);
    assert_eq!(long.len(), 63);
    assert!(long.ends_with("-7f3a2c1b-e1-t63340-12"), "{long}");
}

#[test]
fn another_versions_ledger_is_refused() {
    let newer: Ledger = serde_json::from_str(r#"{"format": 2, "new": []}"#).unwrap();
    insta::assert_snapshot!(newer.checked().unwrap_err(), @"the ledger has format 2, expected 1: it was written by another version of the trainer");
    let empty: Ledger = serde_json::from_str(r#"{"format": 1}"#).unwrap();
    assert_eq!(empty.checked(), Ok(Ledger::default()));
}

#[test]
fn durations_in_words() {
    for (text, ms) in [("90m", 90 * 60_000), ("1h", HOUR), ("2d", 48 * HOUR), ("0s", 0)] {
        assert_eq!(duration(text), Ok(ms));
    }
    for text in ["", "1", "h", "-1h", "1y", "1.5h", "99999999999999999999d", "1ä"] {
        assert!(
            duration(text).unwrap_err().contains("expected a number"),
            "{text}"
        );
    }
}
