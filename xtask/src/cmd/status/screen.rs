//! The screen of `status`, a pure function of what is known.

use super::Overview;
use crate::git::short;
use contract::names::{DRIFT_MONITOR, TRAINING};
use std::fmt::Write;

/// The text.
pub fn screen(overview: &Overview) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_all(&mut text, overview);
    text.trim_end().to_owned()
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

fn write_all(text: &mut String, overview: &Overview) -> std::fmt::Result {
    let status = &overview.engine;
    let (all, ours) = (mib(overview.memory_bytes), mib(overview.memory_bytes_ours));
    writeln!(
        text,
        "Engine {}, main at {}, memory {all} ({ours} of it ours)\n",
        status.engine,
        short(&status.revision)
    )?;
    let longest = status.apps.iter().map(|app| app.name.len()).max();
    let wide = longest.unwrap_or_default().max(15);
    writeln!(
        text,
        "{:<wide$} {:<10} {:<12} {:<8} {:>8} {:>9}  address",
        "application", "sync", "health", "at", "ready", "memory"
    )?;
    for app in &status.apps {
        let ready = app.replicas.iter().filter(|replica| replica.ready).count();
        let bytes: u64 = app
            .replicas
            .iter()
            .filter_map(|replica| replica.resident_bytes)
            .sum();
        let memory = if bytes == 0 { "-".to_owned() } else { mib(bytes) };
        let address = match (&app.address, &app.next_schedule) {
            (Some(address), _) => address.clone(),
            (None, Some(next)) => format!("next run {next}"),
            (None, None) if [TRAINING, DRIFT_MONITOR].contains(&app.name.as_str()) => "on demand".to_owned(),
            (None, None) => "-".to_owned(),
        };
        let of = match app.replicas_wanted {
            0 if app.replicas.is_empty() => "-".to_owned(),
            wanted => format!("{ready}/{wanted}"),
        };
        writeln!(
            text,
            "{:<wide$} {:<10} {:<12} {:<8} {of:>8} {memory:>9}  {address}",
            app.name,
            app.sync.to_string(),
            app.health.to_string(),
            short(&app.live_revision),
        )?;
        if let Some(stand_in) = &app.stand_in {
            writeln!(text, "{:<wide$} stand-in: {stand_in}", "")?;
        }
    }
    live(text, overview)?;
    promotions(text, overview)?;
    if let Some(retrains) = &overview.retrains {
        retrains.write(text)?;
    }
    if let Some(pipeline) = &overview.pipeline {
        pipeline.write(text)?;
    }
    honoured(text, overview)?;
    if !overview.waiting.is_empty() {
        writeln!(text, "\nWaiting")?;
        for line in &overview.waiting {
            writeln!(text, "  {line}")?;
        }
    }
    Ok(())
}

fn live(text: &mut String, overview: &Overview) -> std::fmt::Result {
    match &overview.model {
        None => writeln!(text, "\nLive model      none answers")?,
        Some(model) => {
            let metrics: Vec<_> = model
                .metrics
                .iter()
                .map(|(name, value)| format!("{name} {value:.4}"))
                .collect();
            let tag = model.image_tag.as_deref().unwrap_or("no tag");
            writeln!(
                text,
                "\nLive model      {} version {} ({tag}) {}",
                model.name,
                model.model_version,
                metrics.join(", ")
            )?;
            writeln!(text, "                digest {}", model.digests.model)?;
        }
    }
    if let Some(drift) = &overview.drift {
        let word = match drift["drift_detected"].as_bool() {
            Some(true) => "detected",
            Some(false) => "none",
            None => "not watched",
        };
        let message = drift["message"]
            .as_str()
            .or_else(|| drift["status"].as_str())
            .unwrap_or_default();
        let moved: Vec<_> = drift["features"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, feature)| feature["drift"] == true)
            .map(|(key, feature)| {
                let name = feature["name"].as_str().unwrap_or(key);
                format!("{name} p={:.1e}", feature["p_value"].as_f64().unwrap_or(f64::NAN))
            })
            .collect();
        writeln!(
            text,
            "Drift           {}",
            [word, message, &moved.join(", ")].join(" ").trim_end()
        )?;
    }
    Ok(())
}

fn promotions(text: &mut String, overview: &Overview) -> std::fmt::Result {
    if overview.promotions.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nLast changes of the release")?;
    for change in &overview.promotions {
        let tag = change
            .released
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), |released| released.tag.to_string());
        writeln!(
            text,
            "  {} {} {tag:<16} {}",
            short(&change.commit),
            change.at,
            change.subject
        )?;
    }
    Ok(())
}

fn honoured(text: &mut String, overview: &Overview) -> std::fmt::Result {
    let apps = overview
        .engine
        .apps
        .iter()
        .filter(|app| !app.not_honoured.is_empty());
    let mut first = true;
    for app in apps {
        if std::mem::take(&mut first) {
            writeln!(text, "\nNot honoured by this engine")?;
        }
        // The last part of a path says enough on a screen; --json has all of it.
        let mut fields: Vec<_> = app
            .not_honoured
            .iter()
            .map(|item| match item.field.as_str() {
                // The whole object.
                "*" => item.object.clone(),
                field => field.rsplit('.').next().unwrap_or(field).to_owned(),
            })
            .collect();
        fields.sort();
        fields.dedup();
        writeln!(text, "  {:<15} {}", app.name, fields.join(", "))?;
    }
    Ok(())
}
