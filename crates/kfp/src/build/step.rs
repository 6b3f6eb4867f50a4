//! A step: a container with typed inputs and outputs.

use crate::argument::{Argument, Piece, Template};
use crate::container::{Container, Resources};
use crate::kind::{Anything, Artifact, ArtifactType, Dynamic, FinalStatus, Kind, Parameter};
use crate::kubernetes::Kubernetes;
use crate::model::{ArtifactInput, ArtifactOutput, Face, Input, Output};
use serde_json::Value;
use std::marker::PhantomData;

macro_rules! slots {
    ($($name:ident<$parameter:ident>, $kind:ty, $piece:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Debug)]
        pub struct $name<$parameter> {
            pub(super) name: String,
            pub(super) kind: $kind,
            marker: PhantomData<fn() -> $parameter>,
        }

        impl<$parameter> $name<$parameter> {
            fn new(name: &str, kind: $kind) -> Self {
                $name { name: name.to_owned(), kind, marker: PhantomData }
            }

            /// Its type.
            pub fn kind(&self) -> &$kind {
                &self.kind
            }
        }

        impl<$parameter> From<&$name<$parameter>> for Piece {
            fn from(slot: &$name<$parameter>) -> Piece {
                Piece::$piece(slot.name.clone())
            }
        }

        impl<$parameter> From<&$name<$parameter>> for Template {
            fn from(slot: &$name<$parameter>) -> Template {
                Template::new([slot.into()])
            }
        }

        impl<$parameter> From<&$name<$parameter>> for Argument {
            fn from(slot: &$name<$parameter>) -> Argument {
                Argument::Text(slot.into())
            }
        }
    )*};
}

slots! {
    In<K>, Kind, Parameter, "An input parameter; as a word, its value.";
    Out<K>, Kind, OutputFile, "An output parameter; as a word, the file that it is written to.";
    ArtIn<A>, ArtifactType, InputPath, "An input artifact; as a word, its path.";
    ArtOut<A>, ArtifactType, OutputPath, "An output artifact; as a word, the path that it is written to.";
}

impl<A> ArtIn<A> {
    /// Where it is kept.
    pub fn uri(&self) -> Piece {
        Piece::InputUri(self.name.clone())
    }
}

impl<A> ArtOut<A> {
    /// Where it will be kept.
    pub fn uri(&self) -> Piece {
        Piece::OutputUri(self.name.clone())
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Piece {
        Piece::Literal(text.to_owned())
    }
}

impl From<Piece> for Argument {
    fn from(piece: Piece) -> Argument {
        Argument::Text(Template::new([piece]))
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Argument {
        Argument::Text(text.into())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Argument {
        text.as_str().into()
    }
}

/// One word of several pieces.
pub fn text(pieces: impl IntoIterator<Item = Piece>) -> Argument {
    Argument::Text(Template::new(pieces))
}

/// Words that are there only if the task was given the input.
pub fn if_present<K>(
    input: &In<K>,
    then: impl IntoIterator<Item = Template>,
    otherwise: impl IntoIterator<Item = Template>,
) -> Argument {
    Argument::IfPresent {
        input: input.name.clone(),
        then: then.into_iter().collect(),
        otherwise: otherwise.into_iter().collect(),
    }
}

/// A step that tasks run: a container with typed inputs and outputs.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) name: String,
    pub(super) face: Face,
    pub(super) container: Container,
    pub(super) twice: Vec<String>,
}

impl Step {
    /// A step without inputs and outputs, as [`Kubernetes::ours`]. A task that takes longer than the
    /// deadline fails; there is no step without one.
    pub fn new(name: &str, image: &str, deadline_seconds: u64) -> Self {
        Step {
            name: name.to_owned(),
            face: Face::default(),
            container: Container {
                image: image.to_owned(),
                kubernetes: Kubernetes::ours(deadline_seconds),
                ..Container::default()
            },
            twice: Vec::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// An input that every task must be given.
    pub fn input<K: Parameter>(&mut self, name: &str) -> In<K> {
        self.parameter(name, Input::new(K::KIND))
    }

    /// An input with a default, which the builder passes where a task is not given another.
    pub fn input_or<K: Parameter>(&mut self, name: &str, default: impl Into<K::Constant>) -> In<K> {
        let default: K::Constant = default.into();
        self.parameter(name, Input::or(K::KIND, default.into()))
    }

    /// An input that may be missing: for [`if_present`].
    pub fn optional_input<K: Parameter>(&mut self, name: &str) -> In<K> {
        let mut input = Input::new(K::KIND);
        input.optional = true;
        self.parameter(name, input)
    }

    /// An input whose type is known at run time only.
    pub fn input_of(&mut self, name: &str, input: Input) -> In<Dynamic> {
        self.parameter(name, input)
    }

    /// An input that says how a guarded task ended.
    pub fn final_status(&mut self, name: &str) -> In<FinalStatus> {
        let mut input = Input::new(Kind::FinalStatus);
        input.optional = true;
        self.parameter(name, input)
    }

    /// An input artifact.
    pub fn input_artifact<A: Artifact>(&mut self, name: &str) -> ArtIn<A> {
        self.artifact(name, A::TITLE)
    }

    /// An input artifact whose type is known at run time only.
    pub fn input_artifact_of(&mut self, name: &str, title: &str) -> ArtIn<Anything> {
        self.artifact(name, title)
    }

    /// An output parameter: a file that the step must write. Text is taken as it is, with its last newline.
    pub fn output<K: Parameter>(&mut self, name: &str) -> Out<K> {
        self.result(name, K::KIND)
    }

    /// An output parameter whose type is known at run time only.
    pub fn output_of(&mut self, name: &str, kind: Kind) -> Out<Dynamic> {
        self.result(name, kind)
    }

    /// An output artifact: a file or folder that the step writes.
    pub fn output_artifact<A: Artifact>(&mut self, name: &str) -> ArtOut<A> {
        self.product(name, A::TITLE)
    }

    /// An output artifact whose type is known at run time only.
    pub fn output_artifact_of(&mut self, name: &str, title: &str) -> ArtOut<Anything> {
        self.product(name, title)
    }

    /// The program and its first words.
    pub fn command<W: Into<Argument>>(&mut self, words: impl IntoIterator<Item = W>) -> &mut Self {
        self.container.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// One word more.
    pub fn arg(&mut self, word: impl Into<Argument>) -> &mut Self {
        self.container.args.push(word.into());
        self
    }

    /// A variable; nothing is filled in.
    pub fn env(&mut self, name: &str, value: &str) -> &mut Self {
        self.container.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What it needs.
    pub fn resources(&mut self, resources: Resources) -> &mut Self {
        self.container.resources = resources;
        self
    }

    /// What only Kubernetes knows, to be changed.
    pub fn kubernetes(&mut self) -> &mut Kubernetes {
        &mut self.container.kubernetes
    }

    fn parameter<K>(&mut self, name: &str, input: Input) -> In<K> {
        let kind = input.kind;
        let before = self.face.parameters.insert(name.to_owned(), input).is_some();
        self.seen(name, before);
        In::new(name, kind)
    }

    fn artifact<A>(&mut self, name: &str, title: &str) -> ArtIn<A> {
        let kind = ArtifactType::new(title);
        let input = ArtifactInput {
            kind: kind.clone(),
            list: false,
            optional: false,
            description: None,
        };
        let before = self.face.artifacts.insert(name.to_owned(), input).is_some();
        self.seen(name, before);
        ArtIn::new(name, kind)
    }

    fn result<K>(&mut self, name: &str, kind: Kind) -> Out<K> {
        let output = Output {
            kind,
            description: None,
        };
        let before = self.face.results.insert(name.to_owned(), output).is_some();
        self.seen(name, before);
        Out::new(name, kind)
    }

    fn product<A>(&mut self, name: &str, title: &str) -> ArtOut<A> {
        let kind = ArtifactType::new(title);
        let output = ArtifactOutput {
            kind: kind.clone(),
            list: false,
            description: None,
        };
        let before = self.face.products.insert(name.to_owned(), output).is_some();
        self.seen(name, before);
        ArtOut::new(name, kind)
    }

    fn seen(&mut self, name: &str, before: bool) {
        if before {
            self.twice.push(name.to_owned());
        }
    }

    /// The default of an input that a task was not given.
    pub(super) fn defaults(&self) -> impl Iterator<Item = (&String, &Value)> {
        let parameters = self.face.parameters.iter();
        parameters.filter_map(|(name, input)| Some((name, input.default.as_ref()?)))
    }
}
