//! What an operator sees: its attributes and a first example when it is built, its inputs when it runs.

use super::attrs::Attributes;
use super::fault::Fault;
use super::value::{Scalar, Shape, Strings, Tensor, View};
use super::{Classes, Limits};
use std::fmt::Debug;

/// Where the value of a name is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Input(usize),
    Const(usize),
    Slot(usize),
}

/// Work that may still be done, in elements touched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(super) left: usize,
    pub(super) total: usize,
    /// Most elements of one tensor.
    pub(super) elements: usize,
}

impl Budget {
    /// Refuses work beyond the budget before it is begun.
    pub(crate) fn spend(&mut self, work: usize) -> Result<(), Fault> {
        match self.left.checked_sub(work) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Fault::limit(
                "steps of work",
                self.total.saturating_add(1),
                self.total,
            )),
        }
    }
}

/// A node's inputs.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(super) places: &'a [Option<Place>],
    pub(super) given: &'a [View<'a>],
    pub(super) consts: &'a [Tensor],
    pub(super) slots: &'a [Tensor],
}

impl<'a> Inputs<'a> {
    /// How many the node names, left out ones in between included.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn optional(&self, position: usize) -> Option<View<'a>> {
        Some(match (*self.places.get(position)?)? {
            Place::Input(index) => self.given[index],
            Place::Const(index) => self.consts[index].view(),
            Place::Slot(index) => self.slots[index].view(),
        })
    }

    pub(crate) fn get(&self, position: usize) -> Result<View<'a>, Fault> {
        self.optional(position)
            .ok_or_else(|| Fault::input(position, &"left out", "a tensor"))
    }

    /// An input that does not depend on the request.
    pub(crate) fn constant(&self, position: usize) -> Option<View<'a>> {
        match (*self.places.get(position)?)? {
            Place::Const(index) => Some(self.consts[index].view()),
            _ => None,
        }
    }
}

/// One run of one operator.
pub(crate) struct Call<'a> {
    pub(crate) inputs: Inputs<'a>,
    pub(crate) budget: &'a mut Budget,
    /// A run with made-up values, for the shapes: values without meaning are then no fault.
    pub(crate) rehearsal: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn get(&self, position: usize) -> Result<View<'a>, Fault> {
        self.inputs.get(position)
    }

    pub(crate) fn spend(&mut self, work: usize) -> Result<(), Fault> {
        self.budget.spend(work)
    }

    /// Room for an output of this shape, paid for.
    pub(crate) fn room<'o, T: Scalar>(
        &mut self,
        out: &'o mut Tensor,
        shape: Shape,
    ) -> Result<&'o mut [T], Fault> {
        self.pay(shape)?;
        Ok(out.room(shape))
    }

    /// The same for strings.
    pub(crate) fn strings<'o>(
        &mut self,
        out: &'o mut Tensor,
        shape: Shape,
    ) -> Result<&'o mut Strings, Fault> {
        self.pay(shape)?;
        Ok(out.strings(shape))
    }

    pub(crate) fn pay(&mut self, shape: Shape) -> Result<(), Fault> {
        let count = shape.count();
        if count > self.budget.elements {
            return Err(Fault::limit("elements of a tensor", count, self.budget.elements));
        }
        self.spend(count)
    }
}

/// A node about to become an operator.
pub(crate) struct Build<'a> {
    pub(crate) operator: &'static str,
    /// Version of the operator's domain.
    pub(crate) opset: i64,
    pub(crate) attributes: Attributes,
    /// As they are in a run over made-up rows: element types, ranks and widths hold for every run.
    pub(crate) inputs: Inputs<'a>,
    pub(crate) limits: &'a Limits,
}

impl Build<'_> {
    /// Refuses a node with more or fewer inputs.
    pub(crate) fn takes(&self, least: usize, most: usize) -> Result<(), Fault> {
        if (least..=most).contains(&self.inputs.len()) {
            return Ok(());
        }
        let expected = if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        Err(Fault::count("inputs", self.inputs.len(), expected))
    }
}

/// An operator with its attributes, ready to run. It never panics and allocates only to grow buffers.
pub(crate) trait Kernel: Debug + Send + Sync {
    /// Tensors that a run writes.
    fn outputs(&self) -> usize {
        1
    }

    /// Tensors that a run needs besides, after the outputs.
    fn temporaries(&self) -> usize {
        0
    }

    /// Names of the columns of the only output.
    fn classes(&self) -> Option<&Classes> {
        None
    }

    /// What the values of the first output can be, in the order of the scores.
    fn labels(&self) -> Option<&Classes> {
        None
    }

    fn run(&self, call: &mut Call<'_>, out: &mut [Tensor]) -> Result<(), Fault>;
}
