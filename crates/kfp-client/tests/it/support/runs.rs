//! Runs and recurring runs of the scripted server, and the nodes of a run's workflow.

use super::kfp::{World, find, ok, refused};
use super::wire::{Reply, Request};
use serde_json::{Value, json};

const RUN_FIELDS: [&str; 7] = [
    "display_name",
    "description",
    "experiment_id",
    "pipeline_version_reference",
    "runtime_config",
    "service_account",
    "plugins_input",
];
const RECURRING_FIELDS: [&str; 5] = ["mode", "max_concurrency", "no_catchup", "trigger", "status"];

pub fn answer(world: &mut World, method: &str, rest: &[&str], request: &Request) -> Reply {
    match (method, rest) {
        ("POST", []) => create(world, request),
        ("GET", [id]) => {
            let Some(place) = world.runs.iter().position(|run| run["run_id"] == **id) else {
                return refused(404, 5, &format!("ResourceNotFoundError: Run {id} not found"));
            };
            if !world.states.is_empty() {
                let next = if world.states.len() > 1 {
                    world.states.remove(0)
                } else {
                    world.states[0].clone()
                };
                let run = world.runs[place].as_object_mut().unwrap();
                run.extend(next.as_object().unwrap().clone());
            }
            ok(world.runs[place].clone())
        }
        ("DELETE", [id]) => {
            let before = world.runs.len();
            world.runs.retain(|run| run["run_id"] != **id);
            if world.runs.len() == before {
                return refused(404, 5, &format!("ResourceNotFoundError: Run {id} not found"));
            }
            ok(json!({}))
        }
        ("POST", [order]) => {
            let (id, verb) = order.split_once(':').unwrap();
            let state = find(&world.runs, "run_id", id).map(|run| run["state"].clone());
            let over = |state: &Value| ["SUCCEEDED", "FAILED"].iter().any(|s| state == s);
            match (verb, state) {
                ("terminate", Some(state)) if !over(&state) => {
                    world.states = vec![state_of("CANCELING"), ended("FAILED", json!([]))];
                    ok(json!({}))
                }
                ("terminate", _) => {
                    refused(400, 3, &format!("Failed to terminate a run {id}: Row not found"))
                }
                ("retry", Some(state)) if state == "FAILED" => {
                    world.runs[0]["state"] = json!("RUNNING");
                    world.states = vec![state_of("RUNNING"), ended("SUCCEEDED", json!([]))];
                    ok(json!({}))
                }
                ("retry", Some(_)) => refused(
                    409,
                    10,
                    &format!(
                        "Failed to retry a run {id}: Workflow cannot be retried. Workflow must be Failed/Error to retry"
                    ),
                ),
                ("archive", Some(_)) => ok(json!({})),
                _ => refused(404, 5, &format!("ResourceNotFoundError: Run {id} not found")),
            }
        }
        _ => refused(501, 12, "Method Not Allowed"),
    }
}

/// Refuses as the server's strict reading of JSON does.
fn strict(asked: &Value, known: &[&str]) -> Result<(), Reply> {
    match asked
        .as_object()
        .unwrap()
        .keys()
        .find(|key| !known.contains(&key.as_str()))
    {
        Some(key) => Err(refused(
            400,
            3,
            &format!("proto: (line 1:212): unknown field {key:?}"),
        )),
        None => Ok(()),
    }
}

fn create(world: &mut World, request: &Request) -> Reply {
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    if let Err(reply) = strict(&asked, &RUN_FIELDS) {
        return reply;
    }
    let text = |key: &str| asked[key].as_str().unwrap_or_default().to_owned();
    if text("display_name").is_empty() {
        return refused(500, 13, "Internal Server Error: run name is empty");
    }
    let experiment = text("experiment_id");
    if !experiment.is_empty() && find(&world.experiments, "experiment_id", &experiment).is_none() {
        return refused(
            404,
            5,
            &format!("ResourceNotFoundError: Experiment {experiment} not found"),
        );
    }
    let reference = &asked["pipeline_version_reference"];
    let version = reference["pipeline_version_id"].as_str();
    if version.is_some_and(|id| find(&world.versions, "pipeline_version_id", id).is_none()) {
        return refused(
            500,
            13,
            "Failed to fetch a template with an invalid pipeline spec manifest",
        );
    }
    if asked["runtime_config"]["parameters"]["model_name"].is_null() {
        return refused(
            400,
            3,
            "parameter model_name is not optional, yet has neither default value nor user provided value",
        );
    }
    let run = json!({"run_id": world.id(), "display_name": text("display_name"),
        "description": text("description"), "experiment_id": experiment, "storage_state": "AVAILABLE",
        "pipeline_version_reference": reference, "runtime_config": asked["runtime_config"],
        "service_account": "pipeline-runner", "state": "PENDING", "error": null,
        "created_at": "2026-11-21T11:58:31Z", "scheduled_at": "2026-11-21T11:58:31Z",
        "finished_at": "1970-01-01T00:00:00Z", "state_history": [{"update_time": "2026-11-21T11:58:31Z", "state": "PENDING"}]});
    world.runs.push(run.clone());
    ok(run)
}

pub fn recurring(world: &mut World, method: &str, rest: &[&str], request: &Request) -> Reply {
    match (method, rest) {
        // The one list in camel case.
        ("GET", []) => world.list("recurringRuns", "display_name", world.recurring.clone(), request),
        ("POST", []) => {
            let mut asked: Value = serde_json::from_slice(&request.body).unwrap();
            if let Err(reply) = strict(&asked, &[&RUN_FIELDS[..], &RECURRING_FIELDS[..]].concat()) {
                return reply;
            }
            // A string, since it has 64 bits.
            let most: i64 = asked["max_concurrency"].as_str().unwrap_or("0").parse().unwrap();
            if !(1..=10).contains(&most) {
                return refused(400, 3, "max_concurrency must be at least 1 and at most 10");
            }
            asked["recurring_run_id"] = json!(world.id());
            asked["status"] = json!("ENABLED");
            world.recurring.push(asked.clone());
            ok(asked)
        }
        ("GET", [id]) => match find(&world.recurring, "recurring_run_id", id) {
            Some(found) => ok(found.clone()),
            None => refused(404, 5, &format!("ResourceNotFoundError: Job {id} not found")),
        },
        ("DELETE", [id]) => {
            world.recurring.retain(|one| one["recurring_run_id"] != **id);
            ok(json!({}))
        }
        ("POST", [order]) => {
            let (id, verb) = order.split_once(':').unwrap();
            let mut all = world.recurring.iter_mut();
            let one = all.find(|one| one["recurring_run_id"] == id).unwrap();
            one["status"] = json!(if verb == "enable" { "ENABLED" } else { "DISABLED" });
            ok(json!({}))
        }
        _ => refused(501, 12, "Method Not Allowed"),
    }
}

pub fn state_of(state: &str) -> Value {
    json!({"state": state})
}

/// The last state, with these nodes.
pub fn ended(state: &str, tasks: Value) -> Value {
    json!({"state": state, "finished_at": "2026-11-21T12:00:33Z", "error": null,
        "run_details": {"task_details": tasks}})
}

/// A node as the server tells of it: no id of its own, `pod_name` and `error` never set.
pub fn node(name: &str, state: &str, second: u32, children: &[&str]) -> Value {
    let children: Vec<Value> = children.iter().map(|id| json!({"pod_name": id})).collect();
    let start = format!("2026-11-21T11:59:{second:02}Z");
    let mut node = json!({"run_id": "r", "task_id": "t", "display_name": name, "create_time": start,
        "start_time": start, "end_time": start, "state": state, "error": null, "pod_name": "",
        "state_history": [{"update_time": start, "state": state, "error": null}]});
    if name.is_empty() {
        node.as_object_mut().unwrap().remove("display_name");
    }
    if !children.is_empty() {
        node["child_tasks"] = children.into();
    }
    node
}
