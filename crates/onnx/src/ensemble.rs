//! Plain tree ensembles, checked once: whatever holds a [`TreeEnsemble`] may index without doubt.

/// Most features, classes and trees; far above any use, low enough to keep every count small.
pub(crate) const MAX_FEATURES: usize = 65_536;
pub(crate) const MAX_CLASSES: usize = 4_096;
pub(crate) const MAX_TREES: usize = 1 << 20;
/// Node numbers are 32 bits wide in the compiled form.
const MAX_NODES: usize = 1 << 30;
/// So are the places of leaf values.
const MAX_VALUES: usize = 1 << 31;

/// What the ensemble answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// A score (probability) for each of so many classes.
    Classes(usize),
    /// One number: `base` plus the sum of the leaves.
    Number {
        /// Added once, after the sum over the trees.
        base: f32,
    },
}

impl Output {
    /// Scores for each row: the classes, or 1.
    pub fn width(self) -> usize {
        match self {
            Output::Classes(classes) => classes,
            Output::Number { .. } => 1,
        }
    }
}

/// One node of a tree; children are positions in [`Tree::nodes`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// `row[feature] <= threshold` goes to `low`, everything else (NaN too) to `high`.
    Branch {
        /// Column of the row.
        feature: u32,
        /// Finite.
        threshold: f32,
        /// Child for values up to the threshold.
        low: u32,
        /// Child for all others.
        high: u32,
    },
    /// Adds `values[first .. first + width]` to the scores.
    Leaf {
        /// Position in [`Tree::values`].
        first: u32,
    },
}

/// One tree: node 0 is the root, every other node is the child of exactly one branch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// Branches and leaves.
    pub nodes: Vec<Node>,
    /// What the leaves add: [`Output::width`] numbers each, already divided by the number of trees.
    pub values: Vec<f32>,
}

/// Trees that are known to be well formed.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeEnsemble {
    features: usize,
    output: Output,
    trees: Vec<Tree>,
}

/// Why trees are not a [`TreeEnsemble`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum InvalidEnsemble {
    #[error("number of {what} is {value}, expected {least} to {most}")]
    Count {
        what: &'static str,
        value: usize,
        least: usize,
        most: usize,
    },
    #[error("base value is {0}, expected a finite number")]
    Base(f32),
    #[error("tree {tree} node {node}: threshold is {value}, expected a finite number")]
    Threshold { tree: usize, node: usize, value: f32 },
    #[error("tree {tree} node {node}: feature {feature} does not exist, expected below {features}")]
    Feature {
        tree: usize,
        node: usize,
        feature: u32,
        features: usize,
    },
    #[error("tree {tree} node {node}: child {child} does not exist, expected below {nodes}")]
    Child {
        tree: usize,
        node: usize,
        child: u32,
        nodes: usize,
    },
    #[error("tree {tree}: node {node} is reached twice (a cycle or a shared child)")]
    ReachedTwice { tree: usize, node: usize },
    #[error("tree {tree}: node {node} is not reachable from the root")]
    Unreachable { tree: usize, node: usize },
    #[error("tree {tree} node {node}: leaf has no {width} values at {first}")]
    LeafValues {
        tree: usize,
        node: usize,
        first: u32,
        width: usize,
    },
    #[error("tree {tree}: leaf value {position} is {value}, expected a finite number")]
    LeafValue {
        tree: usize,
        position: usize,
        value: f32,
    },
}

impl TreeEnsemble {
    /// Checks and keeps the trees. `features` is the width of a row.
    pub fn new(features: usize, output: Output, trees: Vec<Tree>) -> Result<Self, InvalidEnsemble> {
        count("features", features, 1, MAX_FEATURES)?;
        count("trees", trees.len(), 1, MAX_TREES)?;
        match output {
            Output::Classes(classes) => count("classes", classes, 2, MAX_CLASSES)?,
            Output::Number { base } if !base.is_finite() => return Err(InvalidEnsemble::Base(base)),
            Output::Number { .. } => {}
        }
        let (mut nodes, mut values) = (0usize, 0usize);
        for (number, tree) in trees.iter().enumerate() {
            check_tree(number, tree, features, output.width())?;
            nodes += tree.nodes.len();
            values += tree.values.len();
        }
        count("nodes", nodes, 1, MAX_NODES)?;
        count("leaf values", values, 1, MAX_VALUES)?;
        Ok(TreeEnsemble {
            features,
            output,
            trees,
        })
    }

    /// Width of a row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// What it answers.
    pub fn output(&self) -> Output {
        self.output
    }

    /// The trees, in the order in which their leaves are added.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }
}

fn count(what: &'static str, value: usize, least: usize, most: usize) -> Result<(), InvalidEnsemble> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(InvalidEnsemble::Count {
        what,
        value,
        least,
        most,
    })
}

fn check_tree(tree: usize, body: &Tree, features: usize, width: usize) -> Result<(), InvalidEnsemble> {
    let nodes = body.nodes.len();
    count("nodes of a tree", nodes, 1, MAX_NODES)?;
    if let Some(position) = body.values.iter().position(|value| !value.is_finite()) {
        let value = body.values[position];
        return Err(InvalidEnsemble::LeafValue {
            tree,
            position,
            value,
        });
    }
    let mut reached = vec![false; nodes];
    let mut open = vec![0usize];
    while let Some(node) = open.pop() {
        if std::mem::replace(&mut reached[node], true) {
            return Err(InvalidEnsemble::ReachedTwice { tree, node });
        }
        match body.nodes[node] {
            Node::Branch {
                feature,
                threshold,
                low,
                high,
            } => {
                if feature as usize >= features {
                    return Err(InvalidEnsemble::Feature {
                        tree,
                        node,
                        feature,
                        features,
                    });
                }
                if !threshold.is_finite() {
                    return Err(InvalidEnsemble::Threshold {
                        tree,
                        node,
                        value: threshold,
                    });
                }
                for child in [high, low] {
                    if child as usize >= nodes {
                        return Err(InvalidEnsemble::Child {
                            tree,
                            node,
                            child,
                            nodes,
                        });
                    }
                    open.push(child as usize);
                }
            }
            Node::Leaf { first } => {
                if (first as usize)
                    .checked_add(width)
                    .is_none_or(|end| end > body.values.len())
                {
                    return Err(InvalidEnsemble::LeafValues {
                        tree,
                        node,
                        first,
                        width,
                    });
                }
            }
        }
    }
    match reached.iter().position(|reached| !reached) {
        Some(node) => Err(InvalidEnsemble::Unreachable { tree, node }),
        None => Ok(()),
    }
}
