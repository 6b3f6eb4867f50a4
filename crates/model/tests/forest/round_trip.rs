//! The exported file answers as the forest that wrote it.

use linfa::prelude::*;
use model::{Forest, RegressionForest};
use ndarray::{Array1, Array2};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Forest, bytes, model: the file answers as the forest does, in and around the training rows.
    #[test]
    fn the_file_answers_as_the_forest(
        (rows, trees, seed) in (1usize..60, 1usize..12, any::<u64>()),
        cells in prop::collection::vec((-20i32..20).prop_map(|cell| f64::from(cell) / 8.0), 180),
        targets in prop::collection::vec(0usize..4, 60),
        strange in prop::collection::vec(prop_oneof![Just(f64::NAN), Just(f64::INFINITY), -3.0..3.0], 30),
    ) {
        let records = Array2::from_shape_vec((rows, 3), cells[..rows * 3].to_vec()).unwrap();
        let table = Dataset::new(records, Array1::from(targets[..rows].to_vec()));
        let forest = Forest::params().trees(trees).seed(seed).fit(&table).unwrap();
        let numbers = Dataset::new(table.records.clone(), table.targets.mapv(|class| class as f64 - 0.3));
        let regression = RegressionForest::params().trees(trees).seed(seed).fit(&numbers).unwrap();
        let read = onnx::Model::read(&forest.to_onnx()).unwrap();
        let read_regression = onnx::Model::read(&regression.to_onnx()).unwrap();
        let strange = Array2::from_shape_vec((10, 3), strange).unwrap();
        for rows in [&table.records, &strange] {
            let (labels, probabilities) = (forest.predict(rows), forest.predict_probabilities(rows));
            let predictions = regression.predict(rows);
            for (number, row) in rows.rows().into_iter().enumerate() {
                let row: Vec<f32> = row.iter().map(|value| *value as f32).collect();
                let mut scores = vec![0.0; forest.classes()];
                prop_assert_eq!(read.predict_row(&row, &mut scores), labels[number]);
                prop_assert_eq!(scores, probabilities.row(number).to_vec());
                let mut score = [0.0];
                read_regression.predict_row(&row, &mut score);
                prop_assert_eq!(f64::from(score[0]), predictions[number]);
            }
        }
    }
}
