//! Branches of which one runs: if, else if, else.

use super::Builder;
use super::handle::{Group, Param};
use super::test::{Test, all, not};
use crate::kind::{Dynamic, Kind, Parameter};
use crate::model::{Output, Selected, Task};

/// Branches of which at most one runs: the first whose test holds.
pub struct Branches<'a> {
    builder: &'a mut Builder,
    before: Vec<Test>,
}

impl Builder {
    /// Branches of which at most one runs, as one task.
    pub fn branches<R>(&mut self, key: &str, branches: impl FnOnce(&mut Branches<'_>) -> R) -> Group<R> {
        self.open(key, false);
        let mut all = Branches {
            builder: self,
            before: Vec::new(),
        };
        let value = branches(&mut all);
        self.close(value, Task::default())
    }
}

impl Branches<'_> {
    /// Runs if the test holds, and none before.
    pub fn when<R>(&mut self, key: &str, test: &Test, tasks: impl FnOnce(&mut Builder) -> R) -> Group<R> {
        let before = self.before.iter().cloned().map(not);
        let whole = all(before.chain([test.clone()]));
        self.before.push(test.clone());
        self.builder.when(key, &whole, tasks)
    }

    /// Runs if no test held.
    pub fn otherwise<R>(&mut self, key: &str, tasks: impl FnOnce(&mut Builder) -> R) -> Group<R> {
        let whole = all(self.before.iter().cloned().map(not));
        if self.before.is_empty() {
            self.builder
                .problem(key, "is the other branch of nothing; expected `when` before it");
        }
        self.builder.when(key, &whole, tasks)
    }

    /// What the branch that ran has exported, for around the branches.
    pub fn one_of<K: Parameter>(&mut self, name: &str, exported: &[Param<K>]) -> Param<K> {
        let exported: Vec<_> = exported.iter().map(Param::erased).collect();
        let one = self.one_of_kind(name, K::KIND, &exported);
        Param::new(one.place, K::KIND)
    }

    /// The same with a type that is known at run time only.
    pub fn one_of_kind(&mut self, name: &str, kind: Kind, exported: &[Param<Dynamic>]) -> Param<Dynamic> {
        let several = exported
            .iter()
            .filter_map(|one| self.builder.own_output(&one.place))
            .collect();
        self.builder.leave(name, Selected::OneOf(several), false);
        let output = Output {
            kind,
            description: None,
        };
        self.builder.here().face.results.insert(name.to_owned(), output);
        let place = self.builder.outside(name);
        Param::new(place, kind)
    }
}
