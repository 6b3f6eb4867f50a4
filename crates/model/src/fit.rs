//! Linfa's `Fit` for forests: checks the data, then grows the trees in parallel.

use crate::Error;
use crate::columns::Columns;
use crate::forest::{Forest, RegressionForest};
use crate::grow::{Arena, ClassTarget, Limits, NumberTarget, Target, grow};
use crate::leaves::{Grid, units};
use crate::params::{Classes, MAX_CLASSES, Numbers, ValidForestParams};
use linfa::DatasetBase;
use linfa::dataset::AsSingleTargets;
use linfa::traits::Fit;
use ndarray::{ArrayBase, Data, Ix2};
use onnx::{Output, Tree, TreeEnsemble};
use rayon::prelude::*;

/// Largest target of a regression: residuals and their sums stay far inside float32.
const MAX_TARGET: f64 = 1e37;

impl<D, T> Fit<ArrayBase<D, Ix2>, T, Error> for ValidForestParams<Classes>
where
    D: Data<Elem = f64>,
    T: AsSingleTargets<Elem = usize>,
{
    type Object = Forest;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Forest, Error> {
        let columns = columns(dataset)?;
        let (targets, classes) = classes(dataset, self.classes)?;
        let trees = grow_all(self, &columns, |tree| {
            ClassTarget::new(&targets, classes, units(tree, self.trees))
        });
        Ok(Forest::new(TreeEnsemble::new(
            columns.columns.len(),
            Output::Classes(classes),
            trees,
        )?))
    }
}

impl<D, T> Fit<ArrayBase<D, Ix2>, T, Error> for ValidForestParams<Numbers>
where
    D: Data<Elem = f64>,
    T: AsSingleTargets<Elem = f64>,
{
    type Object = RegressionForest;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<RegressionForest, Error> {
        let columns = columns(dataset)?;
        let targets = dataset.as_single_targets();
        same_length(columns.rows, targets.len())?;
        if let Some((row, &value)) = targets
            .iter()
            .enumerate()
            .find(|(_, value)| value.is_nan() || value.abs() > MAX_TARGET)
        {
            return Err(Error::Target { row, value });
        }
        let base = (targets
            .iter()
            .map(|value| value / columns.rows as f64)
            .sum::<f64>()) as f32;
        let residuals: Vec<f64> = targets.iter().map(|value| value - f64::from(base)).collect();
        let largest = residuals.iter().fold(0.0f64, |most, value| most.max(value.abs()));
        let trees = grow_all(self, &columns, |tree| {
            NumberTarget::new(&residuals, Grid::new(largest, tree, self.trees))
        });
        Ok(RegressionForest::new(TreeEnsemble::new(
            columns.columns.len(),
            Output::Number { base },
            trees,
        )?))
    }
}

/// Trees in the order of their numbers, whichever thread grew them.
fn grow_all<Kind: Sync, T: Target>(
    params: &ValidForestParams<Kind>,
    columns: &Columns,
    target: impl Fn(usize) -> T + Sync,
) -> Vec<Tree> {
    let limits = Limits::new(params, columns.columns.len());
    (0..params.trees)
        .into_par_iter()
        // One tree at a time is handed out: they are few and long.
        .with_max_len(1)
        .map_init(Arena::default, |arena, tree| {
            grow(columns, &limits, &mut target(tree), arena, tree)
        })
        .collect()
}

pub(crate) fn columns<D, T>(dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Columns, Error>
where
    D: Data<Elem = f64>,
{
    if dataset.weights().is_some_and(|weights| !weights.is_empty()) {
        return Err(Error::Weights);
    }
    Columns::new(dataset.records())
}

/// The class of each row and the number of classes, which is `wanted` or else what the rows hold.
pub(crate) fn classes<D, T>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    wanted: Option<usize>,
) -> Result<(Vec<u16>, usize), Error>
where
    D: Data<Elem = f64>,
    T: AsSingleTargets<Elem = usize>,
{
    let targets = dataset.as_single_targets();
    same_length(dataset.records().nrows(), targets.len())?;
    let highest = targets.iter().copied().max().unwrap_or(0);
    let classes = wanted.unwrap_or(highest.saturating_add(1).clamp(2, MAX_CLASSES));
    let of_row = |(row, &class): (usize, &usize)| match u16::try_from(class) {
        Ok(narrow) if class < classes => Ok(narrow),
        _ => Err(Error::Class { row, class, classes }),
    };
    let targets = targets.iter().enumerate().map(of_row).collect::<Result<_, _>>()?;
    Ok((targets, classes))
}

fn same_length(rows: usize, targets: usize) -> Result<(), Error> {
    if rows == targets {
        return Ok(());
    }
    Err(Error::Shape {
        what: "targets",
        value: targets,
        expected: format!("{rows}, one for each row"),
    })
}
