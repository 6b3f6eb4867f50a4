//! Pure: Kubernetes' quantities, and what a node has left.

use k8s_openapi::{
    api::core::v1::{Container, Node, Pod},
    apimachinery::pkg::api::resource::Quantity,
};
use std::collections::BTreeMap;

const MIB: f64 = 1024.0 * 1024.0;

/// The number that a quantity means, e.g. `1500m` → 1.5, `2Gi` → 2147483648.
pub fn value(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (number, suffix) = match text.get(digits.len()..)? {
        // An exponent is no suffix: 1e3.
        "" => (text, ""),
        suffix => (digits, suffix),
    };
    let factor = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => MIB,
        "Gi" => MIB * 1024.0,
        "Ti" => MIB * MIB,
        "Pi" => MIB * MIB * 1024.0,
        "Ei" => MIB * MIB * MIB,
        _ => return None,
    };
    number
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite())
        .map(|number| number * factor)
}

/// Of a list of resources, in the units of [`Load`].
fn load_of(resources: Option<&BTreeMap<String, Quantity>>) -> Load {
    let read = |key: &str| resources.and_then(|all| value(&all.get(key)?.0)).unwrap_or(0.0);
    Load {
        cpu_m: read("cpu") * 1000.0,
        memory_mib: read("memory") / MIB,
    }
}

/// CPU in thousandths of a core and memory in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Thousandths of a core.
    pub cpu_m: f64,
    /// MiB.
    pub memory_mib: f64,
}

impl Load {
    fn plus(self, other: Load) -> Load {
        Load {
            cpu_m: self.cpu_m + other.cpu_m,
            memory_mib: self.memory_mib + other.memory_mib,
        }
    }

    fn max(self, other: Load) -> Load {
        Load {
            cpu_m: self.cpu_m.max(other.cpu_m),
            memory_mib: self.memory_mib.max(other.memory_mib),
        }
    }
}

/// What a node gives to pods.
pub fn allocatable(node: &Node) -> Load {
    load_of(
        node.status
            .as_ref()
            .and_then(|status| status.allocatable.as_ref()),
    )
}

/// What a pod is scheduled by: its containers and lasting init containers together, or its largest
/// init container.
pub fn requested(pod: &Pod) -> Load {
    let Some(spec) = &pod.spec else {
        return Load::default();
    };
    let of = |container: &Container| load_of(container.resources.as_ref().and_then(|r| r.requests.as_ref()));
    let lasts = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let init = spec.init_containers.as_deref().unwrap_or_default();
    let lasting = init
        .iter()
        .filter(lasts)
        .map(of)
        .fold(Load::default(), Load::plus);
    let together = spec.containers.iter().map(of).fold(lasting, Load::plus);
    let largest = init
        .iter()
        .filter(|container| !lasts(container))
        .map(of)
        .fold(Load::default(), Load::max);
    let overhead = load_of(spec.overhead.as_ref());
    together.max(largest.plus(lasting)).plus(overhead)
}

/// Of the pods on a node that are not over.
pub fn requested_on(node: &str, pods: &[Pod]) -> Load {
    let there = |pod: &&Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node)
            && !matches!(phase, Some("Succeeded" | "Failed"))
    };
    pods.iter()
        .filter(there)
        .map(requested)
        .fold(Load::default(), Load::plus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_of_kubernetes() {
        for (text, expected) in [
            ("0", 0.0),
            ("2", 2.0),
            ("0.5", 0.5),
            ("100m", 0.1),
            ("1500m", 1.5),
            ("250000000n", 0.25),
            ("1e3", 1000.0),
            ("128Mi", 134_217_728.0),
            ("2Gi", 2_147_483_648.0),
            ("24557308Ki", 25_146_683_392.0),
            ("1G", 1e9),
        ] {
            let got = value(text).unwrap();
            assert!(
                (got - expected).abs() <= 1e-9 * expected.max(1.0),
                "{text}: {got}"
            );
        }
        for text in ["", "x", "1Q", "Mi", "1 Gi", "inf", "NaN"] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn a_pod_is_scheduled_by_its_containers_or_its_largest_init_container() {
        let container = |name: &str, cpu: &str, memory: &str| json!({"name": name, "image": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}}});
        let mut side = container("side", "10m", "10Mi");
        side["restartPolicy"] = "Always".into();
        let pod = |phase: &str, init: serde_json::Value| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": "p"},
                "spec": {
                    "nodeName": "n",
                    "containers": [container("a", "100m", "64Mi"), container("b", "50m", "32Mi")],
                    "initContainers": init,
                },
                "status": {"phase": phase},
            }))
            .unwrap()
        };
        let plain = pod("Running", json!([]));
        assert_eq!(
            requested(&plain),
            Load {
                cpu_m: 150.0,
                memory_mib: 96.0
            }
        );
        let init = pod("Running", json!([side, container("i", "20m", "512Mi")]));
        assert_eq!(
            requested(&init),
            Load {
                cpu_m: 160.0,
                memory_mib: 522.0
            }
        );
        let over = pod("Succeeded", json!([]));
        assert_eq!(requested_on("n", &[plain.clone(), over]).memory_mib, 96.0);
        assert_eq!(requested_on("other", &[plain]), Load::default());
    }
}
