//! `/metrics`: Prometheus text exposition format 0.0.4.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use super::content;
use crate::monitor::Monitor;
use crate::{
    error::Code,
    logs,
    metrics::{LATENCY_BUCKETS, PredictionsSnapshot, Snapshot},
    process,
    protocol::Protocol,
    served::Served,
    state::State,
};
use axum::{body::Body, extract, http::Response};
use drift::rule::{Signal, SignalKind};
use std::{
    fmt::{Display, Write},
    sync::Arc,
};

/// Counts since the process started, and what it is.
#[utoipa::path(get, path = "/metrics", tag = "operation", summary = "Prometheus metrics",
    responses((status = 200, description = "Text exposition format 0.0.4", body = String, content_type = "text/plain")))]
pub async fn metrics(extract::State(state): extract::State<Arc<State>>) -> Response<Body> {
    if let Some(monitor) = state.monitor() {
        // Up to the last row; a scrape can wait for a look. Should it fail, older numbers are better than none.
        let _ = tokio::task::spawn_blocking(move || monitor.catch_up()).await;
    }
    content("text/plain; version=0.0.4; charset=utf-8", exposition(&state))
}

/// The whole text.
fn exposition(state: &State) -> String {
    let mut page = Page(String::with_capacity(8192));
    predictions(&mut page, &state.metrics.snapshot());
    if let Ok(served) = state.served() {
        model(&mut page, served);
    }
    page.head(
        "log_lines_dropped_total",
        "counter",
        "Log lines that nobody read in time.",
    );
    page.line("log_lines_dropped_total", "", logs::dropped());
    page.gauge(
        "ready",
        "Whether the process wants traffic.",
        u8::from(state.ready().is_ok()),
    );
    if !state.config.guard.shed_after_ms.is_zero() {
        page.gauge(
            "request_queueing_delay_seconds",
            "How long a request that arrived now would wait to be begun.",
            state.guard.shedder.delay().as_secs_f64(),
        );
    }
    page.gauge(
        "process_uptime_seconds",
        "Seconds since the process started.",
        state.started.elapsed().as_secs_f64(),
    );
    // Where there is no /proc the lines are left out: a made-up 0 would read as a measurement.
    if let Some(bytes) = process::resident_bytes() {
        page.gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            bytes,
        );
    }
    if let Some(count) = process::open_files() {
        page.gauge("process_open_fds", "Number of open file descriptors.", count);
    }
    page.0
}

fn predictions(page: &mut Page, counts: &Snapshot) {
    let by_protocol = || Protocol::ALL.into_iter().zip(&counts.predictions);
    page.head(
        "prediction_requests_total",
        "counter",
        "Prediction requests answered, refused ones included, by protocol.",
    );
    for (protocol, counts) in by_protocol() {
        let labels = format!("protocol=\"{}\"", protocol.word());
        page.line("prediction_requests_total", &labels, counts.requests());
    }
    page.head(
        "prediction_errors_total",
        "counter",
        "Prediction requests refused or failed, by protocol and code word.",
    );
    for (protocol, counts) in by_protocol() {
        for code in Code::ALL {
            let labels = format!("protocol=\"{}\",code=\"{}\"", protocol.word(), code.word());
            page.line("prediction_errors_total", &labels, counts.errors[*code as usize]);
        }
    }
    page.head("prediction_rows_total", "counter", "Rows predicted.");
    page.line("prediction_rows_total", "", counts.rows);
    let requests: u64 = counts.predictions.iter().map(|counts| counts.requests()).sum();
    let sum_ns: u64 = counts
        .predictions
        .iter()
        .map(|counts| counts.latency_sum_ns)
        .sum();
    page.gauge(
        "prediction_latency_avg_ms",
        "Mean time from the end of a request's head to its answer, in milliseconds.",
        match requests {
            0 => 0.0,
            requests => sum_ns as f64 / requests as f64 / 1e6,
        },
    );
    latencies(page, by_protocol());
    page.gauge(
        "requests_in_flight",
        "Requests being answered, probes left out.",
        counts.in_flight,
    );
    page.gauge("open_connections", "Open client connections.", counts.connections);
}

/// One histogram for each protocol.
fn latencies<'c>(page: &mut Page, by_protocol: impl Iterator<Item = (Protocol, &'c PredictionsSnapshot)>) {
    page.head(
        "prediction_latency_seconds",
        "histogram",
        "Time from the end of a request's head to its answer, by protocol.",
    );
    for (protocol, counts) in by_protocol {
        let protocol = format!("protocol=\"{}\"", protocol.word());
        let mut cumulative = 0;
        let bounds = LATENCY_BUCKETS.iter().map(|(_, text)| *text).chain(["+Inf"]);
        for (bound, count) in bounds.zip(counts.latency) {
            cumulative += count;
            let labels = format!("{protocol},le=\"{bound}\"");
            page.line("prediction_latency_seconds_bucket", &labels, cumulative);
        }
        let sum_seconds = counts.latency_sum_ns as f64 / 1e9;
        page.line("prediction_latency_seconds_sum", &protocol, sum_seconds);
        page.line("prediction_latency_seconds_count", &protocol, cumulative);
    }
}

fn model(page: &mut Page, served: &Served) {
    let monitor = served.drift();
    page.gauge(
        "drift_detected",
        "Whether the latest rows differ from the reference.",
        u8::from(monitor.is_some_and(|monitor| monitor.flag())),
    );
    if let Some(monitor) = monitor {
        drift(page, monitor);
    }
    let info = served.info();
    let label = |name: &str, value: &str| format!("{name}=\"{}\"", escaped(value));
    let labels = [
        label("name", &info.name),
        label("version", &info.model_version),
        label("digest", &info.digests.model),
    ];
    page.head("model_version", "gauge", "The model that answers; always 1.");
    page.line("model_version", &labels.join(","), 1);
}

/// What the newest look saw. Labels are the model's own features: as many lines as it has.
fn drift(page: &mut Page, monitor: &Monitor) {
    let seen = monitor.seen();
    page.gauge("drift_window_rows", "Rows in the drift window.", seen.rows);
    page.gauge(
        "drift_window_size",
        "Rows in the drift window when it is full.",
        seen.size,
    );
    page.gauge(
        "drift_rows_recorded",
        "Rows recorded by all replicas for this model.",
        seen.total,
    );
    let open = seen.episode.as_ref().filter(|episode| episode.is_open());
    page.gauge(
        "drift_episode_open",
        "Whether an episode of drift goes on.",
        u8::from(open.is_some()),
    );
    page.gauge(
        "drift_episodes",
        "Episodes of drift since the model is served.",
        seen.episodes,
    );
    if let Some(open) = open {
        page.gauge(
            "drift_episode_opened_timestamp_seconds",
            "When the open episode was opened, in seconds since 1970.",
            open.opened_at_ms as f64 / 1e3,
        );
    }
    let replicas = monitor.peers().report(crate::monitor::now_ms());
    page.gauge(
        "drift_replicas_merged",
        "Replicas with rows in the drift window.",
        seen.merged,
    );
    page.gauge(
        "drift_replicas_unreachable",
        "Other replicas that cannot be reached.",
        replicas.unreachable.len(),
    );
    if let Some(age_ms) = replicas.exchanged_ms_ago {
        page.gauge(
            "drift_exchange_age_seconds",
            "Age of the oldest exchange with a replica that is there.",
            age_ms as f64 / 1e3,
        );
    }
    let Some((evaluation, decision)) = seen.looked.as_deref() else {
        return;
    };
    let names = || {
        let features = seen.baseline.features().iter();
        features.map(|feature| format!("feature=\"{}\"", escaped(&feature.name)))
    };
    page.head(
        "drift_statistic",
        "gauge",
        "Kolmogorov-Smirnov statistic of a feature at the newest look.",
    );
    for (labels, feature) in names().zip(&evaluation.features) {
        page.line("drift_statistic", &labels, feature.ks);
    }
    let distributions = || {
        let signals = decision.signals.iter();
        signals.filter(|signal| signal.kind == SignalKind::Distribution)
    };
    for (name, help, value) in [
        (
            "drift_p_value",
            "p-value of a feature's distribution at the newest look.",
            (|signal| signal.p_value) as fn(&Signal) -> f64,
        ),
        (
            "drift_corrected_p_value",
            "The same, corrected for all comparisons of the look.",
            |signal| signal.adjusted,
        ),
    ] {
        page.head(name, "gauge", help);
        let names: Vec<String> = names().collect();
        for signal in distributions() {
            let labels = signal.feature.and_then(|feature| names.get(feature));
            page.line(name, labels.map_or("", String::as_str), value(signal));
        }
    }
    page.gauge(
        "drift_corrected_p_value_threshold",
        "A feature drifts when its corrected p-value is at most this.",
        decision.signal_level,
    );
}

/// Label values escape backslash, quote and line feed, nothing else.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.line(name, "", value);
    }
}
