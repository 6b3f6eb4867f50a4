//! Graphs of tabular models, as skl2onnx and onnxmltools write them, compiled to a flat plan.
//!
//! Pure, like the rest of the crate. Reading goes in passes, each trusting the one before: `wire`
//! counts messages, prost decodes them, `load` turns nodes into operators in order. Each operator is
//! run over two made-up rows as soon as it is built, so that the next one is built knowing what it
//! gets; what depends on constants only is kept as a constant. Then the whole plan is run over five
//! rows: shapes that do not fit are refused here, and the sizes that follow the rows are known.
//!
//! Nothing that a file says decides how long we work or how much memory we take: see [`Limits`].

mod attrs;
mod consts;
mod error;
mod fault;
mod kernel;
mod load;
mod ops;
mod ports;
mod real;
mod run;
#[cfg(test)]
mod tests;
mod value;
mod wire;

pub use error::{PlanError, RunError};
pub use fault::Fault;
pub use value::{Element, MAX_RANK, Strings, Values, View};

use kernel::{Kernel, Place};
use prost::bytes::Bytes;
use value::Tensor;

/// What a file may ask for. The defaults are far above any exported model and far below what would
/// hurt a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: usize,
    /// Protobuf messages in it.
    pub messages: usize,
    /// Operators.
    pub nodes: usize,
    /// Elements of all constants together.
    pub constants: usize,
    /// Elements of one tensor while running.
    pub elements: usize,
    /// Steps of work a row while running, in elements touched.
    pub work: usize,
    /// The same for what is computed once, at load.
    pub load_work: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes: crate::MAX_BYTES,
            messages: 1 << 18,
            nodes: 1 << 14,
            constants: 1 << 26,
            elements: 1 << 27,
            work: 1 << 26,
            load_work: 1 << 28,
        }
    }
}

/// Names of classes, in the order of the scores.
#[derive(Clone, Debug, PartialEq)]
pub enum Classes {
    /// Numbers.
    Ints(Vec<i64>),
    /// Strings.
    Strings(Strings),
}

impl Classes {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Classes::Ints(labels) => labels.len(),
            Classes::Strings(labels) => labels.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An input or an output of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name in the graph.
    pub name: String,
    /// What it holds.
    pub element: Element,
    /// Its dimensions; `None` follows the number of rows.
    pub shape: Vec<Option<usize>>,
    /// The columns' classes, where the graph says them (`ZipMap`).
    pub classes: Option<Classes>,
    /// What its values can be, in the order of the scores, where they are a classifier's labels.
    pub labels: Option<Classes>,
}

#[derive(Debug)]
struct Step {
    node: String,
    operator: String,
    kernel: Box<dyn Kernel>,
    inputs: Vec<Option<Place>>,
    /// Its outputs and temporaries: `slots[first..first + count]`.
    first: usize,
    count: usize,
}

/// A compiled graph. Immutable, `Send` and `Sync`; what changes is in a [`Scratch`].
#[derive(Debug)]
pub struct Plan {
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    steps: Vec<Step>,
    consts: Vec<Tensor>,
    slots: usize,
    /// Where the outputs are.
    places: Vec<Place>,
    limits: Limits,
    /// What made it, as the file says.
    producer: String,
}

/// The buffers of one run after the other. Runs of the same shapes allocate nothing after the first.
#[derive(Debug, Default)]
pub struct Scratch {
    slots: Vec<Tensor>,
}

impl Scratch {
    /// Empty; the first run makes it as large as it has to be.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The outputs of a run, until the next one.
#[derive(Clone, Copy, Debug)]
pub struct Outputs<'a> {
    plan: &'a Plan,
    given: &'a [View<'a>],
    slots: &'a [Tensor],
}

impl<'a> Outputs<'a> {
    /// The output at this position of [`Plan::outputs`].
    ///
    /// # Panics
    /// When there are not that many.
    pub fn get(&self, position: usize) -> View<'a> {
        match self.plan.places[position] {
            Place::Input(index) => self.given[index],
            Place::Const(index) => self.plan.consts[index].view(),
            Place::Slot(index) => self.slots[index].view(),
        }
    }

    /// All of them, in the order of [`Plan::outputs`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = View<'a>> + use<'a> {
        let this = *self;
        (0..this.plan.places.len()).map(move |position| this.get(position))
    }
}

impl Plan {
    /// Reads and compiles the bytes of an ONNX file.
    ///
    /// # Errors
    /// A [`PlanError`] that names what is not supported, wrong or too large. Never panics.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Plan, PlanError> {
        Plan::read_shared(&Bytes::copy_from_slice(bytes), limits)
    }

    /// The same, of bytes that need not be copied.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn read_shared(bytes: &Bytes, limits: &Limits) -> Result<Plan, PlanError> {
        load::plan(bytes, limits)
    }

    /// The inputs, in the order of the graph.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs, in the order of the graph.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// What made the file, as it says.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// Names of the operators that are left to run, in order.
    pub fn operators(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.operator.as_str())
    }

    /// Every operator that can be part of a plan.
    pub fn supported() -> impl Iterator<Item = &'static str> {
        ops::OPERATORS.iter().map(|operator| operator.name)
    }

    /// Answers rows: `inputs` in the order of [`Plan::inputs`].
    ///
    /// # Errors
    /// A [`RunError`] when inputs do not fit the plan, or the limits, or a value has no meaning
    /// to an operator (a category that an encoder was told to refuse).
    pub fn run<'a>(
        &'a self,
        inputs: &'a [View<'a>],
        scratch: &'a mut Scratch,
    ) -> Result<Outputs<'a>, RunError> {
        run::run(self, inputs, scratch)?;
        Ok(Outputs {
            plan: self,
            given: inputs,
            slots: &scratch.slots,
        })
    }
}
