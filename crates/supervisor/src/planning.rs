//! Pure: typed objects -> plans. Defaults are those of the Kubernetes API.

use crate::{
    config::Config,
    honoured::not_honoured,
    objects::{Objects, Read},
    plan::{
        AppPlan, Concurrency, CronPlan, DeploymentPlan, FailureAction, FailureRule, JobPlan, PodPlan,
        ProbeAction, ProbePlan, Probes,
    },
    schedule,
    services::ServicePort,
};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        batch::v1::{CronJob, JobSpec},
        core::v1::{Container, PodTemplateSpec, Probe, Service},
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// An object that is well-formed but cannot be made true.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {field} = {value}: expected {expected}")]
pub struct PlanError {
    /// `Kind/name`.
    pub object: String,
    /// Path of the field.
    pub field: String,
    /// What it holds.
    pub value: String,
    /// What it should hold.
    pub expected: String,
}

/// Plans one application.
///
/// # Errors
/// The first field that cannot be made true.
pub fn plan(objects: &Objects, config: &Config) -> Result<AppPlan, PlanError> {
    let config_maps = config_maps(objects);
    let in_namespace = |meta: &ObjectMeta| config_maps.get(&namespace(meta)).cloned().unwrap_or_default();
    let mut services = Vec::new();
    for read in &objects.services {
        services.extend(service_ports(&read.object, config.port_offset)?);
    }
    let mut plan = AppPlan {
        not_honoured: not_honoured(objects, |name| {
            config
                .stand_ins
                .get(name)
                .map(|stand_in| stand_in.description.clone())
        }),
        ..AppPlan::default()
    };
    for Read { object, .. } in &objects.deployments {
        let maps = in_namespace(&object.metadata);
        let made = deployment(object, maps, &services, config)?;
        plan.not_honoured.extend(without_socket(&made, &services));
        plan.deployments.push(made);
    }
    for Read { object, .. } in &objects.cron_jobs {
        let maps = in_namespace(&object.metadata);
        plan.crons.push(cron(object, maps)?);
    }
    for Read { object, .. } in &objects.jobs {
        // A hook belongs to a sync of Argo CD; run here it would run at another moment than meant.
        if annotation(&object.metadata, "argocd.argoproj.io/hook").is_some() {
            plan.not_honoured.push(engine::NotHonoured {
                object: format!("Job/{}", name(&object.metadata)),
                field: "metadata.annotations.argocd.argoproj.io/hook".to_owned(),
                instead: "hooks of a sync are not run".to_owned(),
            });
            continue;
        }
        let maps = in_namespace(&object.metadata);
        let named = format!("Job/{}", name(&object.metadata));
        let spec = object.spec.clone().unwrap_or_default();
        plan.jobs
            .push(job(&named, "spec", &object.metadata, &spec, maps)?);
    }
    plan.services = services;
    Ok(plan)
}

fn name(meta: &ObjectMeta) -> String {
    meta.name.clone().unwrap_or_default()
}

fn namespace(meta: &ObjectMeta) -> String {
    meta.namespace.clone().unwrap_or_else(|| "default".to_owned())
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a String> {
    meta.annotations.as_ref()?.get(key)
}

fn hash(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    contract::sha256_hex(&text)["sha256:".len()..][..16].to_owned()
}

type ConfigMaps = BTreeMap<String, BTreeMap<String, String>>;

fn config_maps(objects: &Objects) -> BTreeMap<String, ConfigMaps> {
    let mut by_namespace: BTreeMap<String, ConfigMaps> = BTreeMap::new();
    for Read { object, .. } in &objects.config_maps {
        by_namespace
            .entry(namespace(&object.metadata))
            .or_default()
            .insert(name(&object.metadata), object.data.clone().unwrap_or_default());
    }
    by_namespace
}

fn service_ports(service: &Service, offset: i32) -> Result<Vec<ServicePort>, PlanError> {
    let spec = service.spec.clone().unwrap_or_default();
    let mut ports = Vec::new();
    for (index, port) in spec.ports.iter().flatten().enumerate() {
        let refuse = |field: &str, value: i32, expected: &str| PlanError {
            object: format!("Service/{}", name(&service.metadata)),
            field: format!("spec.ports.{index}.{field}"),
            value: value.to_string(),
            expected: expected.to_owned(),
        };
        let Some(node_port) = port.node_port else { continue };
        let host_port = node_port
            .checked_add(offset)
            .and_then(|sum| u16::try_from(sum).ok())
            .filter(|port| *port != 0)
            .ok_or_else(|| refuse("nodePort", node_port, &format!("a port once {offset} is added")))?;
        ports.push(ServicePort {
            namespace: namespace(&service.metadata),
            service: name(&service.metadata),
            port: u16::try_from(port.port).map_err(|_| refuse("port", port.port, "1 to 65535"))?,
            host_port,
            selector: spec.selector.clone().unwrap_or_default(),
        });
    }
    Ok(ports)
}

fn pod(
    named: &str,
    at: &str,
    meta: &ObjectMeta,
    template: &PodTemplateSpec,
    config_maps: ConfigMaps,
) -> Result<PodPlan, PlanError> {
    let of_template = template.metadata.clone().unwrap_or_default();
    let spec = template.spec.clone().unwrap_or_default();
    let Some(container) = spec.containers.first().cloned() else {
        return Err(PlanError {
            object: named.to_owned(),
            field: format!("{at}.spec.containers"),
            value: "[]".to_owned(),
            expected: "at least one container".to_owned(),
        });
    };
    Ok(PodPlan {
        workload: name(meta),
        namespace: namespace(meta),
        labels: of_template.labels.unwrap_or_default(),
        annotations: of_template.annotations.unwrap_or_default(),
        container,
        config_maps,
        grace_s: natural(spec.termination_grace_period_seconds, 30),
    })
}

fn deployment(
    object: &Deployment,
    config_maps: ConfigMaps,
    services: &[ServicePort],
    config: &Config,
) -> Result<DeploymentPlan, PlanError> {
    let spec = object.spec.clone().unwrap_or_default();
    let named = format!("Deployment/{}", name(&object.metadata));
    let pod = pod(
        &named,
        "spec.template",
        &object.metadata,
        &spec.template,
        config_maps,
    )?;
    let host_port = services
        .iter()
        .find(|service| service.selects(&pod.namespace, &pod.labels))
        .map(|service| service.host_port);
    let stand_in = config.stand_ins.get(&pod.workload).cloned();
    let replicas = spec.replicas.map_or(1, |replicas| replicas.max(0).unsigned_abs());
    let probes = Probes {
        startup: probe(
            &named,
            "startupProbe",
            &pod.container,
            pod.container.startup_probe.as_ref(),
        )?,
        readiness: probe(
            &named,
            "readinessProbe",
            &pod.container,
            pod.container.readiness_probe.as_ref(),
        )?,
        liveness: probe(
            &named,
            "livenessProbe",
            &pod.container,
            pod.container.liveness_probe.as_ref(),
        )?,
    };
    // A change of the manifest that a stand-in does not see must not restart it.
    let hash = match &stand_in {
        Some(stand_in) => hash(&(stand_in, host_port, &probes, pod.grace_s)),
        None => hash(&(&spec.template, host_port)),
    };
    Ok(DeploymentPlan {
        hash,
        // A stand-in owns its port, so there can be one.
        replicas: if stand_in.is_some() {
            replicas.min(1)
        } else {
            replicas
        },
        progress_deadline_s: natural(spec.progress_deadline_seconds.map(i64::from), 600),
        probes,
        host_port,
        stand_in,
        pod,
    })
}

/// A Deployment has one socket: what would need none or another one is listed.
fn without_socket(made: &DeploymentPlan, services: &[ServicePort]) -> Vec<engine::NotHonoured> {
    let mut found = Vec::new();
    let asked = &made.probes;
    let probed = asked.startup.is_some() || asked.readiness.is_some() || asked.liveness.is_some();
    if probed && made.host_port.is_none() {
        found.push(engine::NotHonoured {
            object: format!("Deployment/{}", made.pod.workload),
            field: "spec.template.spec.containers.0.readinessProbe".to_owned(),
            instead: "not probed: no Service with a nodePort selects it; ready once it runs".to_owned(),
        });
    }
    let selecting = services
        .iter()
        .filter(|s| s.selects(&made.pod.namespace, &made.pod.labels));
    for further in selecting.skip(1) {
        found.push(engine::NotHonoured {
            object: format!("Service/{}", further.service),
            field: format!("spec.ports ({})", further.port),
            instead: "no socket: a Deployment gets that of the first nodePort".to_owned(),
        });
    }
    found
}

fn cron(object: &CronJob, config_maps: ConfigMaps) -> Result<CronPlan, PlanError> {
    let spec = object.spec.clone();
    let named = format!("CronJob/{}", name(&object.metadata));
    let job_spec = spec.job_template.spec.clone().unwrap_or_default();
    let refuse = |field: &str, value: String, expected: String| PlanError {
        object: named.clone(),
        field: format!("spec.{field}"),
        value,
        expected,
    };
    schedule::check(&spec.schedule, spec.time_zone.as_deref())
        .map_err(|reason| refuse("schedule", format!("{:?}", spec.schedule), reason))?;
    let concurrency = match spec.concurrency_policy.as_deref() {
        None | Some("Allow") => Concurrency::Allow,
        Some("Forbid") => Concurrency::Forbid,
        Some("Replace") => Concurrency::Replace,
        Some(other) => {
            return Err(refuse(
                "concurrencyPolicy",
                other.to_owned(),
                "Allow, Forbid or Replace".to_owned(),
            ));
        }
    };
    let kept = |limit: Option<i32>, default: usize| {
        limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(0))
    };
    Ok(CronPlan {
        job: job(
            &named,
            "spec.jobTemplate.spec",
            &object.metadata,
            &job_spec,
            config_maps,
        )?,
        schedule: spec.schedule,
        time_zone: spec.time_zone,
        suspend: spec.suspend.unwrap_or(false),
        concurrency,
        starting_deadline_s: spec.starting_deadline_seconds.map(|s| natural(Some(s), 0)),
        keep_succeeded: kept(spec.successful_jobs_history_limit, 3),
        keep_failed: kept(spec.failed_jobs_history_limit, 1),
    })
}

fn job(
    named: &str,
    at: &str,
    meta: &ObjectMeta,
    spec: &JobSpec,
    config_maps: ConfigMaps,
) -> Result<JobPlan, PlanError> {
    let mut failure_rules = Vec::new();
    for rule in spec.pod_failure_policy.iter().flat_map(|policy| &policy.rules) {
        let Some(codes) = &rule.on_exit_codes else {
            continue;
        };
        let action = match rule.action.as_str() {
            "FailJob" => FailureAction::FailJob,
            "Ignore" => FailureAction::Ignore,
            "Count" => FailureAction::Count,
            other => {
                return Err(PlanError {
                    object: named.to_owned(),
                    field: format!("{at}.podFailurePolicy.rules.action"),
                    value: other.to_owned(),
                    expected: "FailJob, Ignore or Count".to_owned(),
                });
            }
        };
        failure_rules.push(FailureRule {
            action,
            inside: codes.operator == "In",
            codes: codes.values.clone(),
        });
    }
    Ok(JobPlan {
        hash: hash(spec),
        pod: pod(
            named,
            &format!("{at}.template"),
            meta,
            &spec.template,
            config_maps,
        )?,
        backoff_limit: natural(spec.backoff_limit.map(i64::from), 6),
        active_deadline_s: spec.active_deadline_seconds.map(|s| natural(Some(s), 0)),
        failure_rules,
    })
}

fn probe(
    named: &str,
    field: &str,
    container: &Container,
    probe: Option<&Probe>,
) -> Result<Option<ProbePlan>, PlanError> {
    let Some(probe) = probe else { return Ok(None) };
    let (action, port) = if let Some(http) = &probe.http_get {
        let path = http.path.clone().unwrap_or_else(|| "/".to_owned());
        (ProbeAction::Http(path), &http.port)
    } else if let Some(tcp) = &probe.tcp_socket {
        (ProbeAction::Tcp, &tcp.port)
    } else {
        // exec and grpc are listed as not honoured.
        return Ok(None);
    };
    if let IntOrString::String(wanted) = port {
        let named_ports = container.ports.iter().flatten();
        if !named_ports
            .into_iter()
            .any(|port| port.name.as_ref() == Some(wanted))
        {
            return Err(PlanError {
                object: named.to_owned(),
                field: format!("{field}.port"),
                value: format!("{wanted:?}"),
                expected: "the name of a port of the container".to_owned(),
            });
        }
    }
    Ok(Some(ProbePlan {
        action,
        initial_delay_s: natural(probe.initial_delay_seconds.map(i64::from), 0),
        period_s: natural(probe.period_seconds.map(i64::from), 10).max(1),
        timeout_s: natural(probe.timeout_seconds.map(i64::from), 1).max(1),
        failure_threshold: natural(probe.failure_threshold.map(i64::from), 3).max(1),
        success_threshold: natural(probe.success_threshold.map(i64::from), 1).max(1),
    }))
}

/// Seconds and counts are signed in the API; what is negative counts as none.
fn natural(value: Option<i64>, default: u32) -> u32 {
    value.map_or(default, |value| u32::try_from(value.max(0)).unwrap_or(u32::MAX))
}

#[cfg(test)]
#[path = "planning_tests.rs"]
mod tests;
