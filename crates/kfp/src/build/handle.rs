//! Values of a pipeline that is being made.

use super::step::{ArtOut, Out};
use crate::argument::{Piece, Template};
use crate::kind::{Artifact, ArtifactType, Dynamic, Kind, Parameter, Text};
use crate::model::{ArtifactInput, Runtime, TaskOutput};
use serde_json::Value;
use std::marker::PhantomData;

/// Where a value is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The DAG.
    pub(super) scope: usize,
    pub(super) origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Input(String),
    Output(TaskOutput),
}

impl Place {
    /// As the SDK names what is passed into a DAG.
    pub(super) fn channel(&self) -> String {
        let name = match &self.origin {
            Origin::Input(name) => name.clone(),
            Origin::Output(from) => format!("{}-{}", from.task, from.output),
        };
        let plain = name.strip_prefix("pipelinechannel--").unwrap_or(&name);
        format!("pipelinechannel--{plain}")
    }

    pub(super) fn shown(&self) -> String {
        match &self.origin {
            Origin::Input(name) => format!("input {name}"),
            Origin::Output(from) => format!("output {} of task {}", from.output, from.task),
        }
    }
}

/// A parameter somewhere in the pipeline.
#[derive(Clone, Debug)]
pub struct Param<K> {
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) field: Option<String>,
    marker: PhantomData<fn() -> K>,
}

impl<K> Param<K> {
    pub(super) fn new(place: Place, kind: Kind) -> Self {
        Param {
            place,
            kind,
            field: None,
            marker: PhantomData,
        }
    }

    /// The same, with its type known at run time only.
    pub fn erased(&self) -> Param<Dynamic> {
        Param {
            field: self.field.clone(),
            ..Param::new(self.place.clone(), self.kind)
        }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl Param<crate::kind::Struct> {
    /// A field of it.
    pub fn field<K: Parameter>(&self, name: &str) -> Param<K> {
        Param {
            field: Some(name.to_owned()),
            ..Param::new(self.place.clone(), K::KIND)
        }
    }
}

/// An artifact without its type's marker.
#[derive(Clone, Debug)]
pub(super) struct AnyArt {
    pub(super) place: Place,
    pub(super) kind: ArtifactType,
}

impl AnyArt {
    pub(super) fn input(&self) -> ArtifactInput {
        ArtifactInput {
            kind: self.kind.clone(),
            list: false,
            optional: false,
            description: None,
        }
    }
}

/// An artifact somewhere in the pipeline.
#[derive(Clone, Debug)]
pub struct Art<A> {
    pub(super) any: AnyArt,
    marker: PhantomData<fn() -> A>,
}

impl<A> Art<A> {
    pub(super) fn new(any: AnyArt) -> Self {
        Art {
            any,
            marker: PhantomData,
        }
    }
}

/// A task that has been added.
#[derive(Clone, Debug)]
pub struct TaskHandle {
    pub(super) scope: usize,
    pub(super) key: String,
}

impl TaskHandle {
    /// What it leaves.
    pub fn output<K>(&self, output: &Out<K>) -> Param<K> {
        Param::new(self.place(&output.name), output.kind)
    }

    /// An artifact that it leaves.
    pub fn artifact<A: Artifact>(&self, output: &ArtOut<A>) -> Art<A> {
        Art::new(AnyArt {
            place: self.place(&output.name),
            kind: output.kind.clone(),
        })
    }

    pub(super) fn place(&self, output: &str) -> Place {
        Place {
            scope: self.scope,
            origin: Origin::Output(TaskOutput {
                task: self.key.clone(),
                output: output.to_owned(),
            }),
        }
    }
}

/// Tasks that were added as one.
#[derive(Clone, Debug)]
pub struct Group<R> {
    /// The task that they are.
    pub task: TaskHandle,
    /// What the closure gave back.
    pub value: R,
}

/// What an input can be given.
#[derive(Clone, Debug)]
pub struct Given<K> {
    pub(super) what: What,
    marker: PhantomData<fn() -> K>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Param(Param<Dynamic>),
    Constant(Value),
    Runtime(Runtime),
    /// Text around parameters.
    Around(Vec<(String, Option<Param<Dynamic>>)>),
}

impl<K> Given<K> {
    fn new(what: What) -> Self {
        Given {
            what,
            marker: PhantomData,
        }
    }
}

impl<K> From<&Param<K>> for Given<K> {
    fn from(parameter: &Param<K>) -> Self {
        Given::new(What::Param(parameter.erased()))
    }
}

impl From<Value> for Given<Dynamic> {
    fn from(value: Value) -> Self {
        Given::new(What::Constant(value))
    }
}

impl From<Runtime> for Given<Text> {
    fn from(runtime: Runtime) -> Self {
        Given::new(What::Runtime(runtime))
    }
}

impl Given<Text> {
    /// Text before each of these parameters, and after the last.
    pub fn around(parts: &[(&str, Param<Dynamic>)], last: &str) -> Self {
        let parts = parts
            .iter()
            .map(|(text, parameter)| ((*text).to_owned(), Some(parameter.clone())));
        Given::new(What::Around(parts.chain([(last.to_owned(), None)]).collect()))
    }
}

/// The template of text around parameters, with the names of the inputs that hold them.
pub(super) fn around(parts: &[(String, Option<String>)]) -> Template {
    let pieces = parts.iter().flat_map(|(text, name)| {
        let parameter = name.clone().map(Piece::Parameter);
        std::iter::once(Piece::Literal(text.clone())).chain(parameter)
    });
    Template::new(pieces)
}

macro_rules! constants {
    ($($from:ty => $kind:ident;)*) => {$(
        impl From<$from> for Given<crate::kind::$kind> {
            fn from(value: $from) -> Self {
                let value: <crate::kind::$kind as Parameter>::Constant = value.into();
                Given::new(What::Constant(value.into()))
            }
        }
    )*};
}

constants! {
    &str => Text;
    String => Text;
    i64 => Integer;
    i32 => Integer;
    f64 => Double;
    bool => Boolean;
    Vec<Value> => List;
    serde_json::Map<String, Value> => Struct;
}
