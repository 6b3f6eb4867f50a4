//! Pure: what is told of CronJobs.

use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, tz::TimeZone};
use k8s_openapi::api::batch::v1::CronJob;

/// Images of their containers.
pub fn images(crons: &[&CronJob]) -> Vec<String> {
    let specs = crons
        .iter()
        .filter_map(|cron| cron.spec.job_template.spec.as_ref());
    let pods = specs.filter_map(|job| job.template.spec.as_ref());
    pods.flat_map(|pod| {
        pod.containers
            .iter()
            .filter_map(|container| container.image.clone())
    })
    .collect()
}

/// The next start of those that are not suspended (RFC 3339).
pub fn next_of(crons: &[&CronJob]) -> Option<String> {
    let active = crons.iter().filter(|cron| cron.spec.suspend != Some(true));
    let next = active.filter_map(|cron| {
        next(
            &cron.spec.schedule,
            cron.spec.time_zone.as_deref(),
            Timestamp::now(),
        )
    });
    next.min().map(|next| next.to_string())
}

/// First start after `after`; `None` for a time zone other than UTC, which the cluster knows and
/// this program may not.
fn next(schedule: &str, time_zone: Option<&str>, after: Timestamp) -> Option<Timestamp> {
    if !matches!(time_zone, None | Some("UTC" | "Etc/UTC")) {
        return None;
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    let cron = parser.parse(schedule).ok()?;
    Some(
        cron.find_next_occurrence(&after.to_zoned(TimeZone::UTC), false)
            .ok()?
            .timestamp(),
    )
}
