//! Pure: schedules of CronJobs, and what becomes of a run after each attempt.

use crate::plan::{Concurrency, FailureAction, JobPlan};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};
use std::time::Duration;

fn parse(schedule: &str) -> Result<Cron, String> {
    // Kubernetes has five fields and, unlike croner, neither seconds nor years.
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
        .parse(schedule)
        .map_err(|error| format!("a schedule of five fields ({error})"))
}

fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    match name {
        None | Some("UTC" | "Etc/UTC") => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name).map_err(|_| format!("a time zone of this machine, not {name:?}")),
    }
}

/// Whether [`next`] understands it; the error says what was expected.
///
/// # Errors
/// What was expected, in words.
pub fn check(schedule: &str, time_zone: Option<&str>) -> Result<(), String> {
    parse(schedule)?;
    zone(time_zone).map(|_| ())
}

/// First start after `after`, if there ever is one.
pub fn next(schedule: &str, time_zone: Option<&str>, after: Timestamp) -> Option<Timestamp> {
    let cron = parse(schedule).ok()?;
    let after = after.to_zoned(zone(time_zone).ok()?);
    Some(cron.find_next_occurrence(&after, false).ok()?.timestamp())
}

/// What a start is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// At once.
    Start,
    /// Once the active ones are over.
    Wait,
    /// Not at all.
    Skip,
    /// At once, ending the active ones.
    Replace,
}

/// Decides about a start while `active` runs of the same CronJob are not over. A person's request
/// waits where the clock's is skipped: whoever asked expects it to happen.
pub fn admit(policy: Concurrency, active: usize, by_clock: bool) -> Admission {
    match policy {
        _ if active == 0 => Admission::Start,
        Concurrency::Allow => Admission::Start,
        Concurrency::Replace => Admission::Replace,
        Concurrency::Forbid if by_clock => Admission::Skip,
        Concurrency::Forbid => Admission::Wait,
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With an exit code.
    Code(i32),
    /// By a signal, or unknown because nobody was there to see it.
    Killed,
}

/// What becomes of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ended with 0.
    Succeeded,
    /// No retry.
    Failed,
    /// Again after so long; `counted` says whether it used up a retry.
    Retry {
        /// Back-off.
        after: Duration,
        /// Against `backoffLimit`.
        counted: bool,
    },
}

/// Kubernetes waits 10 s, 20 s, … up to 6 min, to spare a shared cluster; this machine has one user.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MOST: Duration = Duration::from_secs(30);

/// Decides after an attempt; `failed_before` are the attempts that counted before this one.
pub fn after_attempt(plan: &JobPlan, failed_before: u32, ended: Ended) -> Verdict {
    let action = match ended {
        Ended::Code(0) => return Verdict::Succeeded,
        // A rule on exit codes says nothing about a killed process.
        Ended::Killed => FailureAction::Count,
        Ended::Code(code) => plan
            .failure_rules
            .iter()
            .find(|rule| rule.codes.contains(&code) == rule.inside)
            .map_or(FailureAction::Count, |rule| rule.action),
    };
    let after = backoff(RETRY_FIRST, RETRY_MOST, failed_before);
    match action {
        FailureAction::FailJob => Verdict::Failed,
        FailureAction::Ignore => Verdict::Retry {
            after,
            counted: false,
        },
        FailureAction::Count if failed_before >= plan.backoff_limit => Verdict::Failed,
        FailureAction::Count => Verdict::Retry { after, counted: true },
    }
}

/// `first` doubled `times` times, at most `most`.
pub fn backoff(first: Duration, most: Duration, times: u32) -> Duration {
    1u32.checked_shl(times)
        .and_then(|factor| first.checked_mul(factor))
        .map_or(most, |wait| wait.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FailureRule, PodPlan};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn job(backoff_limit: u32, failure_rules: Vec<FailureRule>) -> JobPlan {
        JobPlan {
            hash: String::new(),
            pod: PodPlan {
                workload: "training".into(),
                namespace: "training".into(),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                container: k8s_openapi::api::core::v1::Container::default(),
                config_maps: BTreeMap::new(),
                grace_s: 30,
            },
            backoff_limit,
            active_deadline_s: None,
            failure_rules,
        }
    }

    #[test]
    fn next_start_in_utc_and_elsewhere() {
        for (schedule, zone, after, expected) in [
            (
                "0 */6 * * *",
                None,
                "2026-11-21T13:00:00Z",
                "2026-11-21T18:00:00Z",
            ),
            // Exactly at a start the next one is meant.
            (
                "0 */6 * * *",
                Some("Etc/UTC"),
                "2026-11-21T18:00:00Z",
                "2026-11-22T00:00:00Z",
            ),
            ("0 3 * * *", None, "2026-12-31T23:59:59Z", "2027-01-01T03:00:00Z"),
            (
                "30 8 29 2 *",
                None,
                "2026-11-21T00:00:00Z",
                "2028-02-29T08:30:00Z",
            ),
            (
                "* * * * *",
                None,
                "2026-11-21T13:07:31.5Z",
                "2026-11-21T13:08:00Z",
            ),
        ] {
            let found = next(schedule, zone, after.parse().unwrap()).unwrap();
            assert_eq!(found, expected.parse().unwrap(), "{schedule} after {after}");
        }
        if TimeZone::get("Europe/Berlin").is_ok() {
            let found = next(
                "0 3 * * *",
                Some("Europe/Berlin"),
                "2026-11-21T12:00:00Z".parse().unwrap(),
            );
            assert_eq!(found, Some("2026-11-22T02:00:00Z".parse().unwrap()));
        }
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for schedule in ["", "* * * *", "0 0 3 * * *", "61 * * * *", "whenever"] {
            assert!(check(schedule, None).is_err(), "{schedule:?}");
        }
        assert!(
            check("0 3 * * *", Some("Middle/Earth"))
                .unwrap_err()
                .contains("Middle/Earth")
        );
    }

    #[test]
    fn concurrency() {
        for (policy, active, by_clock, expected) in [
            (Concurrency::Allow, 3, true, Admission::Start),
            (Concurrency::Forbid, 0, true, Admission::Start),
            (Concurrency::Forbid, 1, true, Admission::Skip),
            (Concurrency::Forbid, 1, false, Admission::Wait),
            (Concurrency::Replace, 1, true, Admission::Replace),
            (Concurrency::Replace, 0, false, Admission::Start),
        ] {
            assert_eq!(
                admit(policy, active, by_clock),
                expected,
                "{policy:?} {active} {by_clock}"
            );
        }
    }

    #[test]
    fn exit_codes_decide() {
        let rules = vec![
            FailureRule {
                action: FailureAction::FailJob,
                inside: true,
                codes: vec![12],
            },
            FailureRule {
                action: FailureAction::Ignore,
                inside: true,
                codes: vec![75],
            },
        ];
        let plan = job(2, rules);
        assert_eq!(after_attempt(&plan, 0, Ended::Code(0)), Verdict::Succeeded);
        assert_eq!(after_attempt(&plan, 0, Ended::Code(12)), Verdict::Failed);
        assert!(matches!(
            after_attempt(&plan, 9, Ended::Code(75)),
            Verdict::Retry { counted: false, .. }
        ));
        assert!(matches!(
            after_attempt(&plan, 1, Ended::Killed),
            Verdict::Retry { counted: true, .. }
        ));
        assert_eq!(after_attempt(&plan, 2, Ended::Killed), Verdict::Failed);
        assert_eq!(after_attempt(&plan, 2, Ended::Code(1)), Verdict::Failed);
    }

    proptest! {
        #[test]
        fn a_failing_job_runs_exactly_limit_plus_one_times(limit in 0u32..20, code in 1i32..256) {
            let plan = job(limit, Vec::new());
            let mut failed = 0;
            while let Verdict::Retry { after, counted } = after_attempt(&plan, failed, Ended::Code(code)) {
                prop_assert!(counted && after <= RETRY_MOST);
                failed += 1;
            }
            prop_assert_eq!(failed, limit);
        }

        #[test]
        fn backoff_is_bounded_and_grows(times in 0u32..200) {
            let of = |times| backoff(RETRY_FIRST, RETRY_MOST, times);
            prop_assert!(of(times) <= of(times + 1) && of(times) <= RETRY_MOST);
        }
    }
}
