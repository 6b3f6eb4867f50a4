//! Bars that are numbers.

use crate::world::World;
use anyhow::{Context, Result, ensure};
use contract::names;
use serde_json::Value;
use std::time::Duration;

const LIVE_MAX: Duration = Duration::from_secs(6);
const API_MIB_MAX: f64 = 20.0;
const REQUESTED_MIB_MAX: f64 = 1.6 * 1024.0;
const NAMESPACES: [&str; 4] = ["argocd", "gitops", "serving", "training"];

pub fn push_to_live(world: &World) -> Result<Option<String>> {
    let promotion = world.person.last_promotion()?;
    let (mut back, mut forth) = (Vec::new(), Vec::new());
    let timed = |commit: &str| -> Result<Duration> {
        world.at_rest()?;
        let reverted = world.person.revert(commit)?;
        world.wait_live(&reverted)?;
        Ok(world.person.pushed_at.get().elapsed())
    };
    for _ in 0..5 {
        back.push(timed(&promotion)?);
        forth.push(timed(&world.person.head()?)?);
    }
    let mut slow = Vec::new();
    for (what, mut times) in [
        ("revert to the old model", back),
        ("push of the new model", forth),
    ] {
        times.sort();
        let seconds: Vec<String> = times.iter().map(|t| format!("{:.2}", t.as_secs_f64())).collect();
        world.note(format!("{what}, s: {}", seconds.join(", ")));
        if times[times.len() / 2] > LIVE_MAX {
            slow.push(format!("{what}: median of {} s", seconds.join(", ")));
        }
    }
    ensure!(
        slow.is_empty(),
        "{}, expected {} s at most",
        slow.join("; "),
        LIVE_MAX.as_secs()
    );
    Ok(None)
}

pub fn small(world: &World) -> Result<Option<String>> {
    let kube = world.kubernetes()?;
    let mut asked = 0.0;
    for namespace in NAMESPACES {
        let pods = kube.json(&["--namespace", namespace, "get", "pods"])?;
        for pod in pods["items"].as_array().into_iter().flatten() {
            if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
                continue;
            }
            for container in pod["spec"]["containers"].as_array().into_iter().flatten() {
                let memory = container["resources"]["requests"]["memory"].as_str();
                asked +=
                    mib(memory.with_context(|| format!("a container asks for no memory: {container}"))?)?;
            }
        }
    }
    world.note(format!("requested by all pods: {asked:.0} MiB"));
    ensure!(
        asked <= REQUESTED_MIB_MAX,
        "all pods together ask for {asked:.0} MiB"
    );

    let used = world.wait_for("the metrics server", world.patience.notice * 2, || {
        let text = kube.run(&["get", "--raw", "/apis/metrics.k8s.io/v1beta1/pods"])?;
        let found: Value = serde_json::from_str(&text)?;
        let items = found["items"].as_array().cloned().unwrap_or_default();
        ensure!(
            items.iter().any(|item| app_of(item) == names::INFERENCE_API),
            "it does not know the API's pods yet"
        );
        Ok(items)
    });
    let used = match used {
        Ok(used) => used,
        Err(error) => return Ok(Some(format!("use was not measured: {error:#}"))),
    };
    let mut all = 0.0;
    for item in used
        .iter()
        .filter(|item| NAMESPACES.contains(&item["metadata"]["namespace"].as_str().unwrap_or_default()))
    {
        let mut pod = 0.0;
        for container in item["containers"].as_array().into_iter().flatten() {
            pod += mib(container["usage"]["memory"].as_str().unwrap_or("0"))?;
        }
        all += pod;
        world.note(format!(
            "{:6.1} MiB  {}",
            pod,
            item["metadata"]["name"].as_str().unwrap_or_default()
        ));
        ensure!(
            app_of(item) != names::INFERENCE_API || pod <= API_MIB_MAX,
            "the API's pod uses {pod:.1} MiB"
        );
    }
    world.note(format!("used by all pods: {all:.0} MiB"));
    Ok(None)
}

fn app_of(item: &Value) -> &str {
    item["metadata"]["labels"]["app.kubernetes.io/name"]
        .as_str()
        .unwrap_or_default()
}

/// A Kubernetes quantity of memory in MiB.
fn mib(quantity: &str) -> Result<f64> {
    let digits = quantity.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let bytes = match &quantity[digits.len()..] {
        "" => 1.0,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        unit => anyhow::bail!("unit {unit:?} in {quantity:?}"),
    };
    Ok(digits.parse::<f64>()? * bytes / (1024.0 * 1024.0))
}
