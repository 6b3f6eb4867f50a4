//! Parameters and data that are refused, by name.

use crate::tables::clouds;
use linfa::dataset::DatasetBase;
use linfa::prelude::*;
use model::baseline::BaselineParams;
use model::{Error, Forest, MaxFeatures, RegressionForest};
use ndarray::{Array1, Array2, array};

#[test]
fn refuses_by_name() {
    let good = clouds(10, 8);
    let bad_params = [
        (
            Forest::params().trees(0),
            "parameter trees is 0, expected 1 to 10000",
        ),
        (Forest::params().trees(10_001), "parameter trees is 10001"),
        (Forest::params().max_depth(Some(0)), "parameter max_depth is 0"),
        (
            Forest::params().min_samples_split(1),
            "parameter min_samples_split is 1, expected at least 2",
        ),
        (
            Forest::params().min_samples_leaf(0),
            "parameter min_samples_leaf is 0",
        ),
        (
            Forest::params().max_features(MaxFeatures::Count(0)),
            "parameter max_features is 0",
        ),
        (
            Forest::params().classes(1),
            "parameter classes is 1, expected 2 to 4096",
        ),
        (
            Forest::params().classes(2),
            "target of row 2 is class 2, expected below 2",
        ),
    ];
    for (params, expected) in bad_params {
        let error = params.fit(&good).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let with = |value: f64| {
        let mut records = good.records.clone();
        records[(4, 1)] = value;
        Forest::params()
            .fit(&Dataset::new(records, good.targets.clone()))
            .unwrap_err()
            .to_string()
    };
    for (value, shown) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (1e39, "1000000000")] {
        assert!(
            with(value).starts_with(&format!("row 4 column 1 is {shown}")),
            "{}",
            with(value)
        );
    }
    let table = |rows, columns, targets| Dataset::new(Array2::zeros((rows, columns)), Array1::from(targets));
    let refused =
        |table: &Dataset<f64, usize, ndarray::Ix1>| Forest::params().fit(table).unwrap_err().to_string();
    assert_eq!(
        refused(&table(0, 2, vec![])),
        "data has rows 0, expected 1 to 2147483647"
    );
    assert_eq!(
        refused(&table(1, 0, vec![0])),
        "data has columns 0, expected 1 to 65536"
    );
    assert_eq!(
        refused(&table(2, 1, vec![0])),
        "data has targets 1, expected 2, one for each row"
    );
    assert!(refused(&table(1, 1, vec![usize::MAX])).contains("class 18446744073709551615"));
    let weighted =
        DatasetBase::new(good.records.clone(), good.targets.clone()).with_weights(Array1::ones(10));
    assert!(matches!(Forest::params().fit(&weighted), Err(Error::Weights)));
    let numbers = Dataset::new(array![[1.0], [2.0]], array![1.0, f64::NAN]);
    let error = RegressionForest::params().fit(&numbers).unwrap_err().to_string();
    assert!(error.starts_with("target of row 1 is NaN"), "{error}");
    let error = BaselineParams::default()
        .max_depth(Some(65))
        .fit(&good)
        .unwrap_err()
        .to_string();
    assert_eq!(error, "parameter max_depth is 65, expected 1 to 64");
    for text in ["", "0", "-1", "half"] {
        assert!(
            text.parse::<MaxFeatures>()
                .unwrap_err()
                .to_string()
                .starts_with("parameter max_features")
        );
    }
    for text in ["sqrt", "all", "3"] {
        assert_eq!(text.parse::<MaxFeatures>().unwrap().to_string(), text);
    }
}
