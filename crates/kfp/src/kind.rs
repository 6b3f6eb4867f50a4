//! Types of parameters and artifacts: as values, and as markers for handles.

use serde_json::{Map, Value};
use std::fmt;

/// Type of a parameter, named as in IR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `STRING`.
    Text,
    /// `NUMBER_INTEGER`; held as a double, so exact up to 2^53.
    Integer,
    /// `NUMBER_DOUBLE`.
    Double,
    /// `BOOLEAN`.
    Boolean,
    /// `LIST`: reaches a step as JSON.
    List,
    /// `STRUCT`: reaches a step as JSON with sorted keys.
    Struct,
    /// `TASK_FINAL_STATUS`: how a guarded task ended, for an exit task.
    FinalStatus,
}

impl Kind {
    /// Every one.
    pub const ALL: [Kind; 7] = [
        Kind::Text,
        Kind::Integer,
        Kind::Double,
        Kind::Boolean,
        Kind::List,
        Kind::Struct,
        Kind::FinalStatus,
    ];

    /// As IR writes it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Text => "STRING",
            Kind::Integer => "NUMBER_INTEGER",
            Kind::Double => "NUMBER_DOUBLE",
            Kind::Boolean => "BOOLEAN",
            Kind::List => "LIST",
            Kind::Struct => "STRUCT",
            Kind::FinalStatus => "TASK_FINAL_STATUS",
        }
    }

    /// As IR writes it, read.
    pub fn read(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether a constant is of this type. The server takes 1.5 for an integer; we do not.
    pub fn fits(self, value: &Value) -> bool {
        match self {
            Kind::Text => value.is_string(),
            Kind::Integer => value.as_i64().is_some(),
            Kind::Double => value.is_number(),
            Kind::Boolean => value.is_boolean(),
            Kind::List => value.is_array(),
            Kind::Struct => value.is_object(),
            Kind::FinalStatus => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Type of an artifact: a schema's title and version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArtifactType {
    /// `system.Dataset`, `system.Model`, …
    pub title: String,
    /// `0.0.1` everywhere so far.
    pub version: String,
}

impl ArtifactType {
    /// A type of the first version.
    pub fn new(title: impl Into<String>) -> Self {
        ArtifactType {
            title: title.into(),
            version: "0.0.1".to_owned(),
        }
    }

    /// Whether an input of this type takes an artifact of that one: the same, or either is any artifact.
    pub fn takes(&self, other: &ArtifactType) -> bool {
        let any = |kind: &ArtifactType| kind.title == Anything::TITLE;
        self.title == other.title || any(self) || any(other)
    }
}

/// A parameter's type, as a type.
pub trait Parameter {
    /// What a constant of it is in Rust.
    type Constant: Into<Value>;
    /// The same as a value.
    const KIND: Kind;
}

macro_rules! parameters {
    ($($name:ident = $kind:ident as $constant:ty, $doc:literal;)*) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {}
        impl Parameter for $name {
            type Constant = $constant;
            const KIND: Kind = Kind::$kind;
        }
    )*};
}

parameters! {
    Text = Text as String, "Text.";
    Integer = Integer as i64, "A whole number.";
    Double = Double as f64, "A number.";
    Boolean = Boolean as bool, "Yes or no.";
    List = List as Vec<Value>, "A list.";
    Struct = Struct as Map<String, Value>, "An object.";
}

/// Marker of a parameter whose type is known at run time only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dynamic {}

/// Marker of how a guarded task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalStatus {}

/// An artifact's type, as a type.
pub trait Artifact {
    /// Title of the schema.
    const TITLE: &'static str;
}

/// An artifact input that takes artifacts of type `B`.
pub trait Takes<B> {}

macro_rules! artifacts {
    ($($name:ident = $title:literal;)*) => {$(
        #[doc = concat!("`", $title, "`.")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {}
        impl Artifact for $name {
            const TITLE: &'static str = $title;
        }
        impl Takes<$name> for $name {}
        impl Takes<$name> for Anything {}
    )*};
}

artifacts! {
    Dataset = "system.Dataset";
    Model = "system.Model";
    Metrics = "system.Metrics";
    ClassificationMetrics = "system.ClassificationMetrics";
    Html = "system.HTML";
    Markdown = "system.Markdown";
}

/// `system.Artifact`: any artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anything {}

impl Artifact for Anything {
    const TITLE: &'static str = "system.Artifact";
}

impl Takes<Anything> for Anything {}
