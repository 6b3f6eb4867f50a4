//! Pure: from the workflow's nodes to the steps a person knows, and to the logs of the failing one.
//!
//! A run's `task_details` are nodes of the Argo workflow, without ids of their own; only a node's
//! parent names its id. Argo makes an id of the workflow's name and the FNV-1a hash of the node's
//! path, so that a guessed path is proven right by an id that the run names.

use crate::{RunState, Task};
use std::collections::{BTreeMap, BTreeSet};

/// Node of a step's own container, below the step's.
const EXECUTOR: &str = "executor";

/// More nodes than this are not searched for paths.
const NODES_MAX: usize = 2000;

/// What failed first of all, as far as nodes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failing {
    /// Key of the task.
    pub step: String,
    /// Whether it never came to the step: its driver failed.
    pub driver: bool,
    /// Nodes whose log may be the step's own, likeliest first.
    pub nodes: Vec<String>,
}

/// Name without the number of the attempt: `train(0)` is `train`.
fn base(name: &str) -> &str {
    match name.rfind('(') {
        Some(place) if name.ends_with(')') => &name[..place],
        _ => name,
    }
}

/// Name of the workflow, by the first child's id.
fn workflow(tasks: &[Task]) -> Option<&str> {
    let mut ids = ids(tasks);
    ids.find_map(|id| {
        let (workflow, hash) = id.rsplit_once('-')?;
        hash.parse::<u32>().is_ok().then_some(workflow)
    })
}

fn ids(tasks: &[Task]) -> impl Iterator<Item = &str> {
    let children = tasks.iter().flat_map(|task| &task.child_tasks);
    children
        .map(|child| child.pod_name.as_str())
        .filter(|id| !id.is_empty())
}

/// Key of the task whose driver this is.
fn driven(name: &str) -> Option<&str> {
    base(name).strip_suffix("-driver")
}

/// Whether the node is one of the engine's own, and no task.
fn internal(name: &str, workflow: Option<&str>) -> bool {
    let base = base(name);
    base.is_empty() || base == EXECUTOR || base == "root" || Some(base) == workflow
}

/// Tasks with their states, each once, in the order of their start.
pub(crate) fn steps(tasks: &[Task]) -> Vec<(&str, &RunState)> {
    let workflow = workflow(tasks);
    let mut found: BTreeMap<&str, (&Option<String>, &Task)> = BTreeMap::new();
    for task in tasks {
        let name = task.display_name.as_str();
        if internal(name, workflow) || driven(name).is_some() {
            continue;
        }
        let entry = found.entry(base(name)).or_insert((&task.start_time, task));
        // The node without a number sums up its attempts; else the last attempt counts.
        let (is_sum, was_sum) = (
            base(name) == name,
            base(&entry.1.display_name) == entry.1.display_name,
        );
        if is_sum && !was_sum || is_sum == was_sum && task.start_time > entry.1.start_time {
            entry.1 = task;
        }
        entry.0 = entry.0.min(&task.start_time);
    }
    let mut steps: Vec<_> = found.into_iter().collect();
    // `None`, not begun, comes last.
    steps.sort_by_key(|(name, (start, _))| (start.is_none(), *start, *name));
    steps
        .into_iter()
        .map(|(name, (_, task))| (name, &task.state))
        .collect()
}

/// The node that failed innermost: a group starts before what is in it, and each attempt after the
/// one before, so that it is the one that started last.
pub(crate) fn failing(tasks: &[Task]) -> Option<Failing> {
    let workflow = workflow(tasks);
    let failed = |task: &&Task| task.state == RunState::Failed && !internal(&task.display_name, workflow);
    let order = |task: &&Task| {
        let name = task.display_name.as_str();
        // What runs after the end is seldom why it ended.
        let at_the_end = base(name).ends_with(".onExit");
        (
            !at_the_end,
            task.start_time.clone(),
            driven(name).is_some(),
            base(name) != name,
        )
    };
    let task = tasks.iter().filter(failed).max_by_key(order)?;
    let paths = paths(tasks, workflow);
    let name = task.display_name.as_str();
    let driver = driven(name).is_some();
    let mut nodes = Vec::new();
    for (path, id) in paths.iter().rev() {
        let own = path.rsplit('.').next().unwrap_or_default();
        let inside = path.strip_suffix(own).and_then(|rest| rest.strip_suffix('.'));
        let parent = inside
            .and_then(|rest| rest.rsplit('.').next())
            .unwrap_or_default();
        if driver && base(own) == base(name) || !driver && base(own) == EXECUTOR && same(parent, name) {
            nodes.push(id.clone());
        }
    }
    if !driver
        && let Some(child) = task
            .child_tasks
            .first()
            .filter(|child| !child.pod_name.is_empty())
    {
        nodes.push(child.pod_name.clone());
    }
    nodes.dedup();
    Some(Failing {
        step: driven(name).unwrap_or(base(name)).to_owned(),
        driver,
        nodes,
    })
}

/// Whether both are the same attempt of the same task, or one sums up the other.
fn same(left: &str, right: &str) -> bool {
    left == right || base(left) == right || left == base(right)
}

/// Paths of nodes that are proven by their ids, sorted so that later attempts come later.
fn paths(tasks: &[Task], workflow: Option<&str>) -> Vec<(String, String)> {
    let known: BTreeSet<&str> = ids(tasks).collect();
    let names: BTreeSet<&str> = tasks.iter().map(|task| task.display_name.as_str()).collect();
    let Some(workflow) = workflow.filter(|_| known.len() <= NODES_MAX && tasks.len() <= NODES_MAX) else {
        return Vec::new();
    };
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut open = vec![workflow.to_owned()];
    let attempts = names
        .iter()
        .filter(|name| base(name) == workflow && **name != workflow);
    open.extend(attempts.map(|name| (*name).to_owned()));
    while let Some(path) = open.pop() {
        for name in names.iter().filter(|name| !name.is_empty()) {
            let below = format!("{path}.{name}");
            let id = node_id(workflow, &below);
            if known.contains(id.as_str()) && !found.contains_key(&below) {
                found.insert(below.clone(), id);
                open.push(below);
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    // As text `(10)` would come before `(2)`.
    found.sort_by_key(|(path, _)| (path.len(), path.clone()));
    found
}

/// Argo's id of the node of this path.
pub(crate) fn node_id(workflow: &str, path: &str) -> String {
    let hash = path.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{workflow}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids and paths of nodes in Argo's own test data.
    #[test]
    fn ids_are_argos() {
        for (workflow, path, id) in [
            ("steps-jklcl", "steps-jklcl[0].hello1", "steps-jklcl-969694128"),
            ("steps-9fkqc", "steps-9fkqc[0].pass", "steps-9fkqc-1411266092"),
            (
                "steps-stepgroup-id-ref",
                "steps-stepgroup-id-ref[0].fanout(0:0)",
                "steps-stepgroup-id-ref-2590864174",
            ),
        ] {
            assert_eq!(node_id(workflow, path), id);
        }
    }

    #[test]
    fn names_of_nodes() {
        assert_eq!(
            (base("train(12)"), base("train"), base("a(b"), base("x(0:a)")),
            ("train", "train", "a(b", "x")
        );
        assert_eq!(
            (driven("train-driver(0)"), driven("driver")),
            (Some("train"), None)
        );
    }
}
