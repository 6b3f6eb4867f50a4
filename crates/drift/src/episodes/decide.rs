//! The rule.

use super::{DAY_MS, Entry, Key, Ledger, Observation, Policy, Reason, State, Verdict};

/// What to do about what is seen. The ledger has taken in ([`Ledger::see`]) the observation and the runs;
/// `busy` is a run of the template that is not over, whoever started it.
pub fn decide(
    ledger: &Ledger,
    seen: &Observation,
    policy: &Policy,
    busy: Option<&str>,
    template: &str,
    now_ms: u64,
) -> Verdict {
    let Some((key, episode)) = seen.open() else {
        return Verdict::NoDrift;
    };
    let mut attempt = 1;
    let mut waits_for_data = false;
    // The key under which it is known: what was seen later may have shrunk since.
    let (mut key, mut run) = (key, None);
    if let Some(known) = ledger.of(&key) {
        key = known.key.clone();
        match &known.state {
            // Begun by a trigger that did not come to its end: gone on with, under the same name.
            State::Starting => match busy {
                Some(busy) if busy != known.run => return running(busy),
                _ => return Verdict::Start(Box::new(known.clone())),
            },
            State::Started => return running(&known.run),
            State::Abandoned => (attempt, run) = (known.attempt, Some(known.run.clone())),
            State::NothingNew { .. } => (attempt, waits_for_data) = (known.attempt + 1, true),
            _ => return Verdict::handled(known),
        }
    }
    if let Some(open) = ledger.unended().next() {
        return running(&open.run);
    }
    if let Some(busy) = busy {
        return running(busy);
    }
    let strikes = ledger.strikes();
    if strikes.len() >= policy.refused_before_breaker.max(1) as usize {
        let moved = &episode.movements;
        return Verdict::BreakerOpen(ledger.what_to_look_at(&strikes, moved));
    }
    if let Some((last, until_ms)) = cooling(ledger, policy, now_ms) {
        return Verdict::CoolingDown {
            until_ms,
            run: last.run.clone(),
            waits_for_data,
        };
    }
    if let Some(until_ms) = capped(ledger, policy, now_ms) {
        let cap = policy.daily_cap;
        return Verdict::CapReached { cap, until_ms };
    }
    Verdict::Start(Box::new(Entry {
        id: 0,
        run: run.unwrap_or_else(|| key.run_name(template, attempt)),
        key,
        attempt,
        reason: Reason::Drift,
        at_ms: now_ms,
        ended_ms: None,
        movements: super::bounded(&episode.movements),
        state: State::Starting,
    }))
}

/// What to do when a person wants a retrain: only one that is not over is in the way.
pub fn decide_forced(ledger: &Ledger, busy: Option<&str>, template: &str, now_ms: u64) -> Verdict {
    // One that never got its run is no run.
    let open = ledger.unended().find(|entry| entry.state == State::Started);
    if let Some(run) = open.map(|entry| entry.run.as_str()).or(busy) {
        return running(run);
    }
    let key = Key {
        model: "forced".to_owned(),
        number: 0,
        opened_at_ms: now_ms,
    };
    // To the millisecond: two orders of one second are two.
    let stem = template.chars().take(40).collect::<String>();
    Verdict::Start(Box::new(Entry {
        id: 0,
        run: format!("{stem}-forced-{}", super::words::base36(now_ms)),
        key,
        attempt: 1,
        reason: Reason::Forced,
        at_ms: now_ms,
        ended_ms: None,
        movements: Vec::new(),
        state: State::Starting,
    }))
}

fn running(run: &str) -> Verdict {
    Verdict::Running { run: run.to_owned() }
}

/// The retrain after which none is started yet, and until when.
fn cooling<'a>(ledger: &'a Ledger, policy: &Policy, now_ms: u64) -> Option<(&'a Entry, u64)> {
    let begun = ledger
        .entries
        .iter()
        .filter(|entry| entry.state != State::Abandoned);
    let until = |entry: &Entry| {
        let end = entry.ended_ms.unwrap_or(entry.at_ms).max(entry.at_ms);
        end.saturating_add(policy.cooldown_ms)
    };
    let (last, until) = begun
        .map(|entry| (entry, until(entry)))
        .max_by_key(|(_, until)| *until)?;
    (until > now_ms).then_some((last, until))
}

/// Until when as many retrains as are allowed in a day lie behind.
fn capped(ledger: &Ledger, policy: &Policy, now_ms: u64) -> Option<u64> {
    let mut ends: Vec<u64> = ledger
        .entries
        .iter()
        .filter(|entry| entry.reason == Reason::Drift && entry.state != State::Abandoned)
        .map(|entry| entry.at_ms.saturating_add(DAY_MS))
        .filter(|end| *end > now_ms)
        .collect();
    ends.sort_unstable_by(|a, b| b.cmp(a));
    let cap = policy.daily_cap as usize;
    match cap {
        0 => Some(u64::MAX),
        cap => ends.get(cap - 1).copied(),
    }
}
