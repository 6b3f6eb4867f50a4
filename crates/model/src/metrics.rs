//! Held-out metrics, computed by linfa and handed out as float64.

use crate::Error;
use linfa::metrics::{ConfusionMatrix, SingleTargetRegression, ToConfusionMatrix};
use ndarray::Array1;
use std::collections::BTreeSet;

/// Linfa's confusion matrix of predicted and true classes.
pub fn confusion(predicted: &Array1<usize>, truth: &Array1<usize>) -> Result<ConfusionMatrix<usize>, Error> {
    some(truth.len())?;
    // Linfa wants both in one piece of memory.
    let (predicted, truth) = (predicted.as_standard_layout(), truth.as_standard_layout());
    Ok(predicted.confusion_matrix(&truth)?)
}

/// Share of rows whose class was predicted, 0 to 1.
pub fn accuracy(predicted: &Array1<usize>, truth: &Array1<usize>) -> Result<f64, Error> {
    let rows = truth.len() as f64;
    // Linfa divides in float32; the number of hits behind it is whole, so float64 gets it back.
    let hits = (f64::from(confusion(predicted, truth)?.accuracy()) * rows).round();
    Ok(hits / rows)
}

/// F1 of each class, averaged with the number of its true rows as weight (scikit-learn's
/// `f1_score(average="weighted")`); a class never predicted rightly counts 0.
pub fn f1_weighted(predicted: &Array1<usize>, truth: &Array1<usize>) -> Result<f64, Error> {
    let matrix = confusion(predicted, truth)?;
    let mut classes: Vec<usize> = predicted
        .iter()
        .chain(truth)
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if classes.len() == 2 {
        // Linfa's order for two classes.
        classes.reverse();
    }
    let weighted = classes.iter().zip(matrix.split_one_vs_all()).map(|(class, one)| {
        let rows = truth.iter().filter(|truth| *truth == class).count() as f64;
        let f1 = f64::from(one.f1_score());
        if f1.is_nan() { 0.0 } else { rows * f1 }
    });
    Ok(weighted.sum::<f64>() / truth.len() as f64)
}

/// Root of the mean squared error, in the unit of the target.
pub fn rmse(predicted: &Array1<f64>, truth: &Array1<f64>) -> Result<f64, Error> {
    some(truth.len())?;
    same(predicted.len(), truth.len())?;
    Ok(predicted.mean_squared_error(truth)?.sqrt())
}

/// Share of the target's variance that is explained: 1 is perfect, 0 is no better than the mean.
pub fn r2(predicted: &Array1<f64>, truth: &Array1<f64>) -> Result<f64, Error> {
    some(truth.len())?;
    same(predicted.len(), truth.len())?;
    Ok(predicted.r2(truth)?)
}

fn some(rows: usize) -> Result<(), Error> {
    if rows > 0 {
        return Ok(());
    }
    Err(linfa::Error::NotEnoughSamples.into())
}

/// Arrays of different lengths would be broadcast or panic.
fn same(predicted: usize, truth: usize) -> Result<(), Error> {
    if predicted == truth {
        return Ok(());
    }
    Err(linfa::Error::MismatchedShapes(predicted, truth).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn classes() {
        // scikit-learn 1.9.1: accuracy 4/6, f1_score(average="weighted").
        let truth = array![0, 1, 2, 0, 1, 2];
        let predicted = array![0, 1, 2, 0, 2, 1];
        assert_eq!(accuracy(&predicted, &truth).unwrap(), 4.0 / 6.0);
        assert!((f1_weighted(&predicted, &truth).unwrap() - 2.0 / 3.0).abs() < 1e-6);
        // Two classes, the order of which linfa turns round: f1 of 0 is 6/7, of 1 is 2/3, weights 4 and 1.
        let truth = array![0, 0, 0, 0, 1];
        let predicted = array![0, 0, 0, 1, 1];
        let expected = (4.0 * 6.0 / 7.0 + 2.0 / 3.0) / 5.0;
        assert!((f1_weighted(&predicted, &truth).unwrap() - expected).abs() < 1e-6);
        // A class that is never hit, and a single class.
        assert!((f1_weighted(&array![1, 1], &array![0, 1]).unwrap() - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(f1_weighted(&array![3, 3], &array![3, 3]).unwrap(), 1.0);
        assert!(accuracy(&array![0], &array![0, 1]).is_err());
        assert!(accuracy(&array![], &array![]).is_err());
    }

    #[test]
    fn numbers() {
        let truth = array![3.0, -0.5, 2.0, 7.0];
        let predicted = array![2.5, 0.0, 2.0, 8.0];
        assert!((rmse(&predicted, &truth).unwrap() - 0.612_372_435_695_794_5).abs() < 1e-12);
        assert!((r2(&predicted, &truth).unwrap() - 0.948_608_137_044_967_9).abs() < 1e-9);
        assert!(r2(&array![1.0], &truth).is_err());
    }
}
