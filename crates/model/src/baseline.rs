//! `linfa_trees::DecisionTree` as a baseline, in the same exported form as the forest.
//!
//! Linfa's tree is for classification, has no probabilities (a leaf is one class) and no seed. Where
//! classes tie, its result depends on the order of a hash map: unlike the forest, it does not promise
//! the same bytes twice.

use crate::columns::float32;
use crate::fit::{classes, columns};
use crate::{Error, Forest};
use linfa::dataset::AsSingleTargets;
use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use linfa_trees::{DecisionTree, TreeNode};
use ndarray::{Array1, ArrayBase, Data, Ix2};
use onnx::{Node, Output, Tree, TreeEnsemble};

/// Linfa's fit recurses once for each level, so full depth has to end somewhere.
const MAX_DEPTH: usize = 64;

/// Parameters of the baseline; as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineParams(ValidBaselineParams);

/// Parameters of the baseline; checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidBaselineParams {
    max_depth: usize,
    min_samples_split: usize,
    min_samples_leaf: usize,
    classes: Option<usize>,
}

impl Default for BaselineParams {
    fn default() -> Self {
        BaselineParams(ValidBaselineParams {
            max_depth: MAX_DEPTH,
            min_samples_split: 2,
            min_samples_leaf: 1,
            classes: None,
        })
    }
}

impl BaselineParams {
    /// Longest path from the root, 1 to 64; `None` is 64.
    pub fn max_depth(mut self, max_depth: Option<usize>) -> Self {
        self.0.max_depth = max_depth.unwrap_or(MAX_DEPTH);
        self
    }

    /// Rows that a node needs to be split, at least 2.
    pub fn min_samples_split(mut self, rows: usize) -> Self {
        self.0.min_samples_split = rows;
        self
    }

    /// Rows that each side of a split keeps, at least 1.
    pub fn min_samples_leaf(mut self, rows: usize) -> Self {
        self.0.min_samples_leaf = rows;
        self
    }

    /// Number of classes, where the training rows may lack the last ones.
    pub fn classes(mut self, classes: usize) -> Self {
        self.0.classes = Some(classes);
        self
    }
}

impl ParamGuard for BaselineParams {
    type Checked = ValidBaselineParams;
    type Error = Error;

    fn check_ref(&self) -> Result<&ValidBaselineParams, Error> {
        let given = &self.0;
        let rules = [
            ("max_depth", given.max_depth, 1, MAX_DEPTH, "1 to 64"),
            (
                "min_samples_split",
                given.min_samples_split,
                2,
                usize::MAX,
                "at least 2",
            ),
            (
                "min_samples_leaf",
                given.min_samples_leaf,
                1,
                usize::MAX,
                "at least 1",
            ),
            (
                "classes",
                given.classes.unwrap_or(2),
                2,
                crate::params::MAX_CLASSES,
                "2 to 4096",
            ),
        ];
        for (name, value, least, most, expected) in rules {
            if !(least..=most).contains(&value) {
                return Err(Error::Parameter {
                    name,
                    value: value.to_string(),
                    expected: expected.into(),
                });
            }
        }
        Ok(given)
    }

    fn check(self) -> Result<ValidBaselineParams, Error> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl<D, T> Fit<ArrayBase<D, Ix2>, T, Error> for ValidBaselineParams
where
    D: Data<Elem = f64>,
    T: AsSingleTargets<Elem = usize>,
{
    /// A forest of one tree.
    type Object = Forest;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Forest, Error> {
        let columns = columns(dataset)?;
        let (targets, classes) = classes(dataset, self.classes)?;
        // The columns are finite in float32 from here on.
        let rows = dataset
            .records()
            .mapv(|value| float32(value).map_or(f64::NAN, f64::from));
        let targets: Array1<usize> = targets.into_iter().map(usize::from).collect();
        let tree = DecisionTree::params()
            .max_depth(Some(self.max_depth))
            .min_weight_split(self.min_samples_split as f32)
            .min_weight_leaf(self.min_samples_leaf as f32)
            .fit(&DatasetBase::new(rows, targets))?;
        export(&tree, columns.columns.len(), classes)
    }
}

/// Linfa's tree as a forest of one tree: probabilities are 0 or 1.
///
/// Linfa trains with `x <= threshold` and predicts with `x < threshold`. The export answers as linfa
/// predicts, for all values that fit float32: its threshold is the float32 next below linfa's.
pub fn export(tree: &DecisionTree<f64, usize>, features: usize, classes: usize) -> Result<Forest, Error> {
    let mut exported = Tree::default();
    let mut open: Vec<(&TreeNode<f64, usize>, Option<u32>)> = vec![(tree.root_node(), None)];
    while let Some((node, high_of)) = open.pop() {
        let here = exported.nodes.len() as u32;
        if let Some(Node::Branch { high, .. }) = high_of.map(|branch| &mut exported.nodes[branch as usize]) {
            *high = here;
        }
        match (node.prediction(), &node.children()[..]) {
            (None, [Some(low), Some(high)]) => {
                let (feature, threshold, _) = node.split();
                exported.nodes.push(Node::Branch {
                    feature: feature as u32,
                    threshold: next_below(threshold),
                    low: here + 1,
                    high: 0,
                });
                open.push((high, Some(here)));
                open.push((low, None));
            }
            (prediction, _) => {
                let class = prediction.unwrap_or(usize::MAX);
                if class >= classes {
                    return Err(Error::Class {
                        row: 0,
                        class,
                        classes,
                    });
                }
                let first = exported.values.len() as u32;
                exported.nodes.push(Node::Leaf { first });
                exported
                    .values
                    .extend((0..classes).map(|other| f32::from(u8::from(other == class))));
            }
        }
    }
    Ok(Forest::new(TreeEnsemble::new(
        features,
        Output::Classes(classes),
        vec![exported],
    )?))
}

/// The largest float32 below `threshold`: `x <= it` is `x < threshold` for every float32 `x`.
fn next_below(threshold: f64) -> f32 {
    let narrow = threshold as f32;
    if f64::from(narrow) < threshold {
        narrow
    } else {
        narrow.next_down()
    }
}
