//! One retrain for each episode, however triggers race, die and are repeated.

use drift::episodes::Ledger;

mod fleet;
mod play;
mod properties;
mod simulation;
mod verdicts;

/// Whoever starts a run where a start cannot be repeated holds it for a while, and nobody else does.
#[test]
fn a_lease_is_held_by_one_for_a_while() {
    let mut ledger = Ledger::default();
    assert!(ledger.take_lease("a", 1_000, 90));
    assert!(!ledger.take_lease("a", 1_000, 90), "taken this very moment");
    assert!(!ledger.take_lease("a", 1_089, 90));
    assert!(ledger.take_lease("a", 1_090, 90), "its time is over");
    assert_eq!(ledger.lease.as_ref().unwrap().at_ms, 1_090);
    assert!(ledger.take_lease("b", 1_091, 90), "another run is another matter");
    assert!(
        ledger.take_lease("b", 900, 90),
        "a clock that was put back holds nobody up"
    );
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
    // As it was written before there were leases.
    let before: Ledger = serde_json::from_str(r#"{"format":1,"entries":[]}"#).unwrap();
    assert_eq!(before.lease, None);
}
