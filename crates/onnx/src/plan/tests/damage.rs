//! Bytes changed at random, from a seed: whatever they say, reading and running end, soon.

use super::*;
use crate::{Output, TreeEnsemble, testing, write};
use proptest::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};
use try_out::try_out;

#[path = "../../../fuzz/try_out.rs"]
mod try_out;

/// Far above what the limits allow, on a machine with other things to do.
const SOON: Duration = Duration::from_secs(20);

/// Exported models, one for each set of operators: where the fuzzer begins.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/plan");
    let mut files: Vec<_> = (std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

#[test]
fn the_corpus_can_be_read() {
    let corpus = corpus();
    assert!(corpus.len() > 50, "{} files", corpus.len());
    for bytes in &corpus {
        Plan::read(bytes, &try_out::limits()).unwrap();
        try_out(bytes);
    }
}

/// Every prefix of a file, and every byte of it turned around.
#[test]
fn small_damage_everywhere() {
    let corpus = corpus();
    let smallest = corpus.iter().filter(|bytes| bytes.len() < 900);
    for bytes in smallest {
        for place in 0..bytes.len() {
            try_out(&bytes[..place]);
            let mut other = bytes.clone();
            other[place] = !other[place];
            try_out(&other);
        }
    }
}

/// Copies, cuts, flips and repeats pieces.
fn damaged(mut bytes: Vec<u8>, edits: &[(prop::sample::Index, prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, other, value, kind) in edits {
        if bytes.is_empty() {
            break;
        }
        let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
        match kind {
            0 => bytes[at] = *value,
            1 => bytes[at] ^= 1 << (value % 8),
            2 => bytes.insert(at, *value),
            3 => drop(bytes.remove(at)),
            4 => bytes[at] = bytes[other],
            5 => bytes.truncate(bytes.len() - at.min(8)),
            _ => {
                let piece = bytes[at..bytes.len().min(at + 16)].to_vec();
                bytes.splice(other..other, piece);
            }
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, prop::sample::Index, u8, u8)>> {
    prop::collection::vec(
        (
            any::<prop::sample::Index>(),
            any::<prop::sample::Index>(),
            any::<u8>(),
            0u8..7,
        ),
        1..8,
    )
}

/// Operators with random attributes and constants over one table: shapes that the exporters never make.
fn graph() -> impl Strategy<Value = ModelProto> {
    let names: Vec<&'static str> = Plan::supported().collect();
    let step = (
        prop::sample::select(names),
        prop::collection::vec(0usize..6, 0..4),
        prop::collection::vec((0usize..14, -3i64..6), 0..4),
    );
    (
        prop::collection::vec(step, 1..6),
        prop::collection::vec(-3i64..6, 0..4),
    )
        .prop_map(|(steps, list)| {
            const ATTRIBUTES: [&str; 14] = [
                "axis",
                "axes",
                "keepdims",
                "to",
                "k",
                "perm",
                "split",
                "p",
                "targets",
                "n_targets",
                "coefficients",
                "intercepts",
                "offset",
                "scale",
            ];
            let mut nodes = Vec::new();
            for (number, (operator, inputs, attributes)) in steps.into_iter().enumerate() {
                let inputs: Vec<String> = (inputs.into_iter())
                    .map(|input| match input {
                        0 => "x".into(),
                        1 => "list".into(),
                        2 => "names".into(),
                        3 => "whole".into(),
                        // An earlier node's output, or the table.
                        _ if number == 0 => "x".into(),
                        back => format!("y{}", number.saturating_sub(back - 3)),
                    })
                    .collect();
                let attributes = (attributes.into_iter())
                    .map(|(name, value)| match name {
                        1 | 5 | 6 => AttributeProto {
                            ints: vec![value; 1 + name % 3],
                            r#type: Some(AttributeType::Ints as i32),
                            ..int(ATTRIBUTES[name], 0)
                        },
                        10.. => floats(
                            ATTRIBUTES[name],
                            &vec![value as f32; 1 + value.unsigned_abs() as usize],
                        ),
                        _ => int(ATTRIBUTES[name], value),
                    })
                    .collect();
                let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
                nodes.push(node(operator, &inputs, &[&format!("y{number}")], attributes));
            }
            let outputs = (0..nodes.len())
                .map(|number| put(&format!("y{number}"), DataType::Float, &[]))
                .collect();
            let inputs = vec![
                put("x", DataType::Float, &[-1, 3]),
                put("names", DataType::String, &[-1, 1]),
                put("whole", DataType::Int64, &[-1]),
            ];
            let mut model = model(nodes, inputs, outputs);
            model.graph.as_mut().unwrap().initializer = vec![constant("list", &list)];
            model
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_forests(ensemble in testing::ensemble(), edits in edits()) {
        try_out(&damaged(write(&ensemble), &edits));
    }

    #[test]
    fn damaged_exports(file in prop::sample::select(corpus()), edits in edits()) {
        let start = Instant::now();
        try_out(&damaged(file, &edits));
        prop_assert!(start.elapsed() < SOON);
    }

    #[test]
    fn damaged_graphs(edits in edits()) {
        try_out(&damaged(example().encode_to_vec(), &edits));
    }

    #[test]
    fn any_graph(model in graph(), edits in edits(), damage in any::<bool>()) {
        let bytes = model.encode_to_vec();
        try_out(&if damage { damaged(bytes, &edits) } else { bytes });
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        try_out(&bytes);
    }

    /// The plan of a forest of ours answers bit for bit what the model answers.
    #[test]
    fn forests_of_ours(
        (ensemble, rows) in testing::ensemble().prop_flat_map(|ensemble| {
            let row = prop::collection::vec(testing::row_value(), ensemble.features());
            (Just(ensemble), prop::collection::vec(row, 1..40))
        }),
    ) {
        same(&ensemble, &rows.concat());
    }
}

fn same(ensemble: &TreeEnsemble, rows: &[f32]) {
    let model = crate::Model::from(ensemble);
    let plan = Plan::read(&write(ensemble), &Limits::default()).unwrap();
    let count = rows.len() / ensemble.features();
    let (mut scores, mut labels) = (vec![0.0; count * model.outputs()], vec![0; count]);
    model.predict_batch(rows, &mut scores, &mut labels);
    let mut scratch = Scratch::new();
    let input = [View {
        shape: &[count, ensemble.features()],
        values: Values::F32(rows),
    }];
    let outputs = plan.run(&input, &mut scratch).unwrap();
    let last = plan.outputs().len() - 1;
    let Values::F32(found) = outputs.get(last).values else {
        panic!("scores are floats");
    };
    let bits = |scores: &[f32]| scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(found), bits(&scores));
    if let Output::Classes(_) = ensemble.output() {
        assert_eq!(outputs.get(0).values, Values::I64(&labels));
    }
}
