//! Trees in one form, whatever the file called its branches: `x <= threshold` steps low, all else
//! high, and NaN goes where the branch says. Leaves are numbered from the low side to the high side.

use super::super::*;

/// A branch's test as the file has it: the true child is taken when it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
    /// Equal to one of a list: `members[first..last]`.
    Member {
        first: usize,
        last: usize,
    },
    Leaf,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Node<T> {
    Branch {
        feature: u32,
        /// NaN is a test that nothing passes.
        threshold: T,
        low: u32,
        high: u32,
        nan_low: bool,
    },
    /// Number of the leaf among the leaves of all trees.
    Leaf(u32),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tree<T> {
    /// The first one is the root.
    pub(super) nodes: Vec<Node<T>>,
    /// Whether a node is the child of two: what compares for equality has three sides.
    pub(super) shared: bool,
    pub(super) leaves: usize,
}

/// A node of the file, its children resolved to places in the list of the same tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<T> {
    pub(super) mode: Mode,
    pub(super) feature: u32,
    pub(super) value: T,
    pub(super) yes: u32,
    pub(super) no: u32,
    /// NaN goes to the true child.
    pub(super) nan_yes: bool,
}

/// Open ends while a tree is copied: where the number of a node has to be written.
#[derive(Clone, Copy)]
enum From {
    Root,
    Low(u32),
    High(u32),
}

/// Mostly there is one.
enum Links {
    One(From),
    Many(Vec<From>),
}

impl<T: Real> Tree<T> {
    /// Copies what can be reached from `root`; `reached` is as long as `raw` and keeps branches from
    /// being reached twice. `leaf` is told the place of each leaf in `raw`, in the order of the
    /// leaves' numbers, of which the first is `first_leaf`.
    pub(super) fn new(
        raw: &[Raw<T>],
        root: u32,
        members: &[T],
        reached: &mut [bool],
        first_leaf: u32,
        mut leaf: impl FnMut(u32),
    ) -> Result<Self, Fault> {
        let mut tree = Tree {
            nodes: Vec::new(),
            shared: false,
            leaves: 0,
        };
        let mut open = vec![(root, Links::One(From::Root))];
        while let Some((place, parents)) = open.pop() {
            let number = tree.nodes.len() as u32;
            match parents {
                Links::One(parent) => tree.link(parent, number),
                Links::Many(parents) => parents.into_iter().for_each(|parent| tree.link(parent, number)),
            }
            let node = raw[place as usize];
            if node.mode == Mode::Leaf {
                tree.nodes.push(Node::Leaf(first_leaf + tree.leaves as u32));
                tree.leaves += 1;
                leaf(place);
                continue;
            }
            if std::mem::replace(&mut reached[place as usize], true) {
                let problem = format!("node {place} of a tree twice");
                return Err(Fault::attribute(
                    "nodes_truenodeids",
                    &problem,
                    "each node below one other",
                ));
            }
            if node.value.is_nan() {
                return Err(Fault::attribute("nodes_values", &"NaN", "numbers"));
            }
            let (low, high) = tree.branch(&node, members);
            let (low_place, high_place) = match node.mode {
                Mode::Leq | Mode::Lt | Mode::Neq => (node.yes, node.no),
                _ => (node.no, node.yes),
            };
            // Numbers of nodes are 32 bits wide, one left for the engines.
            if tree.nodes.len() > 1 << 30 {
                return Err(Fault::limit("nodes of a tree", tree.nodes.len(), 1 << 30));
            }
            open.push((high_place, high));
            open.push((low_place, low));
        }
        Ok(tree)
    }

    fn link(&mut self, parent: From, number: u32) {
        let (place, is_low) = match parent {
            From::Root => return,
            From::Low(place) => (place, true),
            From::High(place) => (place, false),
        };
        if let Node::Branch { low, high, .. } = &mut self.nodes[place as usize] {
            *(if is_low { low } else { high }) = number;
        }
    }

    fn push(&mut self, feature: u32, threshold: T, nan_low: bool) -> u32 {
        self.nodes.push(Node::Branch {
            feature,
            threshold,
            low: 0,
            high: 0,
            nan_low,
        });
        self.nodes.len() as u32 - 1
    }

    /// Appends what a branch becomes, and says where its two sides still have to be written. For
    /// the ordered tests the low side comes first, else the side of `no` (of `yes` for unequal).
    fn branch(&mut self, node: &Raw<T>, members: &[T]) -> (Links, Links) {
        let below = node.value.below();
        let (feature, yes) = (node.feature, node.nan_yes);
        let simple = |at: u32| (Links::One(From::Low(at)), Links::One(From::High(at)));
        match node.mode {
            Mode::Leq => simple(self.push(feature, node.value, yes)),
            Mode::Lt => simple(self.push(feature, below, yes)),
            Mode::Gte => simple(self.push(feature, below, !yes)),
            Mode::Gt | Mode::Leaf => simple(self.push(feature, node.value, !yes)),
            Mode::Eq => self.equal(feature, &[node.value], yes),
            // NaN is unequal to everything; the sides are those of `Eq` with the names changed.
            Mode::Neq => self.equal(feature, &[node.value], false),
            Mode::Member { first, last } => self.equal(feature, &members[first..last], yes),
        }
    }

    /// Equal to one of these, in ascending order. Left out: to none of them.
    fn equal(&mut self, feature: u32, values: &[T], nan_equal: bool) -> (Links, Links) {
        self.shared = true;
        let (mut unequal, mut equal, mut before) = (Vec::new(), Vec::new(), None);
        if nan_equal || values.is_empty() {
            let nan = self.push(feature, T::default() / T::default(), nan_equal);
            match nan_equal {
                true => equal.push(From::Low(nan)),
                false => unequal.push(From::Low(nan)),
            }
            before = Some(nan);
        }
        for value in values {
            let under = self.push(feature, value.below(), !nan_equal);
            if let Some(before) = before {
                self.link(From::High(before), under);
            }
            let at = self.push(feature, *value, false);
            self.link(From::High(under), at);
            unequal.push(From::Low(under));
            equal.push(From::Low(at));
            before = Some(at);
        }
        unequal.extend(before.map(From::High));
        (Links::Many(unequal), Links::Many(equal))
    }
}

/// The lowest leaf below a node.
pub(super) fn first_leaf<T>(tree: &Tree<T>, mut node: u32) -> u32 {
    loop {
        match tree.nodes[node as usize] {
            Node::Branch { low, .. } => node = low,
            Node::Leaf(leaf) => return leaf,
        }
    }
}
