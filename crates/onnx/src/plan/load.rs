//! Bytes to a plan.

use super::attrs::Attributes;
use super::error::PlanError;
use super::fault::Fault;
use super::kernel::{Budget, Build, Inputs, Kernel, Place};
use super::ops::{self, Operator};
use super::ports::{element, limit, needed, opsets, port, tensor_type, value, zeros};
use super::value::{Element, Tensor, Values, View};
use super::{Classes, Limits, Plan, Port, Step, consts, run, wire};
use crate::proto::{ModelProto, NodeProto, ValueInfoProto};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::HashMap;

/// Rows of the two rehearsals: a size that is 2 in one and 5 in the other follows the rows.
const REHEARSALS: [usize; 2] = [2, 5];
/// Operators between a classifier and its output that are looked through.
const PASSED_ON: usize = 16;

pub(super) fn plan(bytes: &Bytes, limits: &Limits) -> Result<Plan, PlanError> {
    if bytes.len() > limits.bytes {
        return Err(PlanError::TooLarge {
            bytes: bytes.len(),
            most: limits.bytes,
        });
    }
    wire::check(bytes, limits.messages)?;
    let model = ModelProto::decode(bytes.clone())?;
    let (opset, ml_opset) = opsets(&model)?;
    let producer: String = model.producer_name().chars().take(80).collect();
    let graph = model.graph.ok_or(PlanError::Empty)?;
    if graph.output.is_empty() {
        return Err(PlanError::Empty);
    }
    limit("nodes", graph.node.len(), limits.nodes)?;

    let mut loading = Loading::new(limits);
    for tensor in graph.initializer {
        let name = tensor.name().to_owned();
        let tensor = consts::tensor(tensor).map_err(|fault| value("initializer", &name, &fault))?;
        let place = loading.constant(tensor)?;
        loading.name("initializer", name, place)?;
    }
    for input in &graph.input {
        // Old files list initializers among the inputs.
        if !loading.places.contains_key(input.name()) {
            let port = port(input)?;
            let place = Place::Input(loading.inputs.len());
            loading.name("input", port.name.clone(), place)?;
            loading.inputs.push(port);
        }
    }
    let made_up = |rows| -> Result<Vec<Tensor>, PlanError> {
        loading
            .inputs
            .iter()
            .map(|port| zeros(port, rows, limits))
            .collect()
    };
    let (first, second) = (made_up(REHEARSALS[0])?, made_up(REHEARSALS[1])?);
    let given: Vec<View<'_>> = first.iter().map(Tensor::view).collect();

    let needed = needed(&graph.node, graph.output.iter().map(ValueInfoProto::name));
    for (position, (node, needed)) in graph.node.into_iter().zip(needed).enumerate() {
        if needed {
            loading.node(node, position, [opset, ml_opset], &given)?;
        }
    }
    loading.finish(&graph.output, &given, &second, producer)
}

struct Loading<'l> {
    limits: &'l Limits,
    places: HashMap<String, Place>,
    inputs: Vec<Port>,
    steps: Vec<Step>,
    consts: Vec<Tensor>,
    /// Elements of the constants.
    held: usize,
    slots: Vec<Tensor>,
    budget: Budget,
}

impl<'l> Loading<'l> {
    fn new(limits: &'l Limits) -> Self {
        Loading {
            limits,
            places: HashMap::new(),
            inputs: Vec::new(),
            steps: Vec::new(),
            consts: Vec::new(),
            held: 0,
            slots: Vec::new(),
            budget: Budget {
                left: limits.load_work,
                total: limits.load_work,
                elements: limits.elements,
            },
        }
    }

    fn constant(&mut self, tensor: Tensor) -> Result<Place, PlanError> {
        self.held = self.held.saturating_add(tensor.shape.count());
        limit("elements of constants", self.held, self.limits.constants)?;
        self.consts.push(tensor);
        Ok(Place::Const(self.consts.len() - 1))
    }

    fn name(&mut self, what: &'static str, name: String, place: Place) -> Result<(), PlanError> {
        if name.is_empty() {
            return Ok(());
        }
        match self.places.insert(name.clone(), place) {
            None => Ok(()),
            Some(_) => Err(value(
                what,
                &name,
                &"has a name that is taken, expected one name for one value",
            )),
        }
    }

    /// Builds a node's operator and runs it over made-up rows.
    fn node(
        &mut self,
        node: NodeProto,
        position: usize,
        [opset, ml_opset]: [i64; 2],
        given: &[View<'_>],
    ) -> Result<(), PlanError> {
        let mut name: String = node.name().chars().take(80).collect();
        if name.is_empty() {
            name = format!("#{position}");
        }
        let Some(operator) = Operator::find(node.domain(), node.op_type()) else {
            let domain = if node.domain().is_empty() { "" } else { "." };
            return Err(PlanError::Operator {
                node: name,
                operator: format!("{}{domain}{}", node.domain(), node.op_type())
                    .chars()
                    .take(80)
                    .collect(),
                supported: Plan::supported().collect::<Vec<_>>().join(", "),
            });
        };
        let failed = |fault| PlanError::Node {
            node: name.clone(),
            operator: operator.name.into(),
            fault,
        };
        let mut places = Vec::with_capacity(node.input.len());
        for (position, input) in node.input.iter().enumerate() {
            places.push(match self.places.get(input) {
                Some(place) => Some(*place),
                None if input.is_empty() => None,
                None => {
                    let expected = "the name of an input, an initializer or an earlier node's output";
                    return Err(failed(Fault::input(position, input, expected)));
                }
            });
        }
        let kernel = {
            let mut build = Build {
                operator: operator.name,
                opset: if operator.domain == ops::ML {
                    ml_opset
                } else {
                    opset
                },
                attributes: Attributes::new(node.attribute).map_err(failed)?,
                inputs: Inputs {
                    places: &places,
                    given,
                    consts: &self.consts,
                    slots: &self.slots,
                },
                limits: self.limits,
            };
            let kernel = (operator.build)(&mut build).map_err(failed)?;
            build.attributes.finish().map_err(failed)?;
            kernel
        };
        if node.output.len() > kernel.outputs() {
            return Err(failed(Fault::count(
                "outputs",
                node.output.len(),
                kernel.outputs(),
            )));
        }
        let folds = places
            .iter()
            .flatten()
            .all(|place| matches!(place, Place::Const(_)));
        let first = self.push(name.clone(), operator.name, kernel, places, given)?;
        let outputs = node.output.len();
        if folds {
            let mut made = self.slots.split_off(first);
            self.steps.pop();
            made.truncate(outputs);
            for (name, tensor) in node.output.into_iter().zip(made) {
                let place = self.constant(tensor)?;
                self.name("output of a node", name, place)?;
            }
            return Ok(());
        }
        for (number, name) in node.output.into_iter().enumerate() {
            self.name("output of a node", name, Place::Slot(first + number))?;
        }
        Ok(())
    }

    /// Appends a step and runs it once; the place of its first output.
    fn push(
        &mut self,
        node: String,
        operator: &str,
        kernel: Box<dyn Kernel>,
        inputs: Vec<Option<Place>>,
        given: &[View<'_>],
    ) -> Result<usize, PlanError> {
        let (first, count) = (self.slots.len(), kernel.outputs() + kernel.temporaries());
        self.slots.resize_with(first + count, Tensor::default);
        let step = Step {
            node,
            operator: operator.into(),
            kernel,
            inputs,
            first,
            count,
        };
        run::one(
            &step,
            given,
            &self.consts,
            &mut self.slots,
            &mut self.budget,
            true,
        )
        .map_err(|fault| PlanError::Node {
            node: step.node.clone(),
            operator: step.operator.clone(),
            fault,
        })?;
        self.steps.push(step);
        Ok(first)
    }

    /// Runs everything again over more rows, and learns from the difference what follows the rows.
    fn finish(
        mut self,
        outputs: &[ValueInfoProto],
        given: &[View<'_>],
        more: &[Tensor],
        producer: String,
    ) -> Result<Plan, PlanError> {
        let mut places = Vec::with_capacity(outputs.len());
        for output in outputs {
            let name = output.name();
            let missing = || value("output", name, &"is not made by any node");
            let mut place = *self.places.get(name).ok_or_else(missing)?;
            let view = self.inputs_at(given).view(place);
            let declared = tensor_type(output).and_then(|tensor| element(tensor.elem_type()));
            if declared == Some(Element::F64) && view.values.element() == Element::F32 {
                // skl2onnx declares the scores of trees over doubles as doubles; the operators
                // that it writes give floats (onnxruntime refuses such files).
                let kernel = ops::cast(Element::F64);
                place = Place::Slot(self.push(name.into(), "Cast", kernel, vec![Some(place)], given)?);
            }
            places.push(place);
        }
        let shapes: Vec<Vec<usize>> = (places.iter())
            .map(|place| self.inputs_at(given).view(*place).shape.to_vec())
            .collect();
        let more: Vec<View<'_>> = more.iter().map(Tensor::view).collect();
        for step in &self.steps {
            run::one(step, &more, &self.consts, &mut self.slots, &mut self.budget, true).map_err(
                |fault| PlanError::Node {
                    node: step.node.clone(),
                    operator: step.operator.clone(),
                    fault,
                },
            )?;
        }
        let mut ports = Vec::with_capacity(outputs.len());
        for ((output, place), before) in outputs.iter().zip(&places).zip(shapes) {
            let view = self.inputs_at(&more).view(*place);
            if view.shape.len() != before.len() {
                let problem = format!("has shape {before:?} or {:?}, depending on the rows", view.shape);
                return Err(value("output", output.name(), &problem));
            }
            ports.push(Port {
                name: output.name().into(),
                element: self.declared(output, *place, view.values.element()),
                shape: (before.iter().zip(view.shape))
                    .map(|(before, after)| (before == after).then_some(*after))
                    .collect(),
                classes: self.classes(*place),
                labels: self.labels(*place),
            });
        }
        Ok(Plan {
            inputs: self.inputs,
            outputs: ports,
            slots: self.slots.len(),
            steps: self.steps,
            consts: self.consts,
            places,
            limits: self.limits.clone(),
            producer,
        })
    }

    fn inputs_at<'a>(&'a self, given: &'a [View<'a>]) -> Inputs<'a> {
        Inputs {
            places: &[],
            given,
            consts: &self.consts,
            slots: &self.slots,
        }
    }

    /// Integers are kept in one width; the graph says which it means.
    fn declared(&self, output: &ValueInfoProto, place: Place, found: Element) -> Element {
        let declared = match place {
            Place::Input(index) => Some(self.inputs[index].element),
            _ => tensor_type(output).and_then(|tensor| element(tensor.elem_type())),
        };
        match (found, declared) {
            (Element::I64, Some(Element::I32)) => Element::I32,
            _ => found,
        }
    }

    fn classes(&self, place: Place) -> Option<Classes> {
        let Place::Slot(slot) = place else { return None };
        let step = self.steps.iter().find(|step| step.first == slot)?;
        step.kernel.classes().cloned()
    }

    /// Follows an output back to where its labels are named: a classifier, or the list of classes
    /// that skl2onnx picks from.
    fn labels(&self, place: Place) -> Option<Classes> {
        let strings = |place| match place {
            Place::Slot(slot) => matches!(self.slots[slot].view().values, Values::Str(_)),
            _ => false,
        };
        let mut at = place;
        for _ in 0..PASSED_ON {
            let Place::Slot(slot) = at else { return None };
            let step = self.steps.binary_search_by_key(&slot, |step| step.first).ok()?;
            let step = &self.steps[step];
            let labels = match (step.operator.as_str(), (*step.inputs.first()?)?) {
                ("Cast" | "Identity" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten", from) => {
                    at = from;
                    continue;
                }
                ("ArrayFeatureExtractor", Place::Const(list)) => match self.consts[list].view().values {
                    Values::I64(values) => Classes::Ints(values.to_vec()),
                    Values::Str(values) => Classes::Strings(values.clone()),
                    _ => return None,
                },
                _ => step.kernel.labels()?.clone(),
            };
            // A cast on the way makes other labels of them.
            let same = strings(place) == matches!(labels, Classes::Strings(_));
            return same.then_some(labels);
        }
        None
    }
}

impl<'a> Inputs<'a> {
    fn view(&self, place: Place) -> View<'a> {
        match place {
            Place::Input(index) => self.given[index],
            Place::Const(index) => self.consts[index].view(),
            Place::Slot(index) => self.slots[index].view(),
        }
    }
}
