//! Running a plan: inputs checked, then one step after the other.

use super::kernel::{Budget, Call, Inputs};
use super::value::{Element, Tensor, View};
use super::{Fault, Plan, Port, RunError, Scratch, Step};

pub(super) fn run(plan: &Plan, given: &[View<'_>], scratch: &mut Scratch) -> Result<(), RunError> {
    let rows = check(&plan.inputs, given)?;
    let total = plan.limits.work.saturating_mul(rows.max(1));
    let mut budget = Budget {
        left: total,
        total,
        elements: plan.limits.elements,
    };
    if scratch.slots.len() < plan.slots {
        scratch.slots.resize_with(plan.slots, Tensor::default);
    }
    for step in &plan.steps {
        one(step, given, &plan.consts, &mut scratch.slots, &mut budget, false).map_err(|fault| {
            RunError::Node {
                node: step.node.clone(),
                operator: step.operator.clone(),
                fault,
            }
        })?;
    }
    Ok(())
}

/// Runs one step; what it reads comes before what it writes.
pub(super) fn one(
    step: &Step,
    given: &[View<'_>],
    consts: &[Tensor],
    slots: &mut [Tensor],
    budget: &mut Budget,
    rehearsal: bool,
) -> Result<(), Fault> {
    let (done, rest) = slots.split_at_mut(step.first);
    let mut call = Call {
        inputs: Inputs {
            places: &step.inputs,
            given,
            consts,
            slots: done,
        },
        budget,
        rehearsal,
    };
    step.kernel.run(&mut call, &mut rest[..step.count])
}

/// Whether the inputs are what the plan was made for; the number of rows.
fn check(ports: &[Port], given: &[View<'_>]) -> Result<usize, RunError> {
    if ports.len() != given.len() {
        return Err(RunError::Inputs {
            found: given.len(),
            expected: ports.len(),
        });
    }
    let mut rows = None;
    for (port, view) in ports.iter().zip(given) {
        let stored = match port.element {
            Element::I32 => Element::I64,
            element => element,
        };
        if view.values.element() != stored {
            return Err(RunError::Element {
                name: port.name.clone(),
                found: view.values.element(),
                expected: stored,
            });
        }
        let fits = port.shape.len() == view.shape.len()
            && (port.shape.iter().zip(view.shape))
                .all(|(expected, size)| expected.is_none_or(|expected| expected == *size));
        if !fits {
            return Err(shape(port, view));
        }
        let count = (view.shape.iter()).try_fold(1usize, |count, size| count.checked_mul(*size));
        if count != Some(view.values.len()) {
            return Err(RunError::Values {
                name: port.name.clone(),
                found: view.values.len(),
                expected: count.unwrap_or(usize::MAX),
            });
        }
        if let (Some(None), Some(&size)) = (port.shape.first(), view.shape.first()) {
            let expected = *rows.get_or_insert(size);
            if expected != size {
                return Err(RunError::Rows {
                    name: port.name.clone(),
                    found: size,
                    expected,
                });
            }
        }
    }
    Ok(rows.unwrap_or(1))
}

fn shape(port: &Port, view: &View<'_>) -> RunError {
    let sizes: Vec<String> = port
        .shape
        .iter()
        .map(|size| size.map_or("rows".into(), |size| size.to_string()))
        .collect();
    RunError::Shape {
        name: port.name.clone(),
        found: view.shape.iter().copied().take(16).collect(),
        expected: format!("[{}]", sizes.join(", ")),
    }
}
