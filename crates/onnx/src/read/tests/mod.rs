//! What the reader accepts and refuses; nothing makes it panic.

mod by_name;

use super::*;
use crate::{Node, Output, Tree, testing, write};
use proptest::prelude::*;

/// Two trees over three features and two classes: a branch with two leaves, and a lone leaf.
fn example(output: Output) -> TreeEnsemble {
    let width = output.width();
    let stump = Tree {
        nodes: vec![
            Node::Branch {
                feature: 2,
                threshold: 0.5,
                low: 1,
                high: 2,
            },
            Node::Leaf { first: 0 },
            Node::Leaf { first: width as u32 },
        ],
        values: (0..2 * width).map(|value| value as f32 / 8.0).collect(),
    };
    let lone = Tree {
        nodes: vec![Node::Leaf { first: 0 }],
        values: vec![0.25; width],
    };
    TreeEnsemble::new(3, output, vec![stump, lone]).unwrap()
}

fn model(output: Output) -> ModelProto {
    ModelProto::decode(&write(&example(output))[..]).unwrap()
}

#[test]
fn refuses_damaged_bytes() {
    let good = write(&example(Output::Classes(2)));
    assert_eq!(read(&good).unwrap(), example(Output::Classes(2)));
    assert!(matches!(read(&[]), Err(ReadError::Different { .. })));
    assert!(matches!(read(b"\x08"), Err(ReadError::Damaged { .. })));
    assert!(read(b"not a model").is_err());
    let mut unknown = good.clone();
    unknown.extend([0xf8, 0x7f, 1]);
    assert!(matches!(
        read(&unknown),
        Err(ReadError::Field { message: "model", .. })
    ));
    // A second graph would be merged into the first in silence.
    let twice = [&good[..], &good[..]].concat();
    assert!(matches!(read(&twice), Err(ReadError::Repeated { .. })));
    assert_eq!(
        read(&vec![0; MAX_BYTES + 1]),
        Err(ReadError::TooLarge(MAX_BYTES + 1))
    );
}

#[test]
fn messages_are_short() {
    let mut model = model(Output::Classes(2));
    model.graph.as_mut().unwrap().node[0].op_type = Some("é".repeat(100_000));
    assert!(read(&model.encode_to_vec()).unwrap_err().to_string().len() < 500);
}

proptest! {
    #[test]
    fn round_trip(ensemble in testing::ensemble()) {
        let bytes = write(&ensemble);
        let again = read(&bytes).unwrap();
        prop_assert_eq!(write(&again), bytes);
        for (ours, theirs) in ensemble.trees().iter().zip(again.trees()) {
            prop_assert_eq!(&ours.nodes, &theirs.nodes);
        }
    }

    /// Any bytes give an answer; bytes that are accepted can be compiled and asked.
    #[test]
    fn mutations_never_panic(
        ensemble in testing::ensemble(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut bytes = write(&ensemble);
        for (place, byte, kind) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes[place] ^= 1 << (byte % 8),
                2 => bytes.insert(place, byte),
                _ => { bytes.remove(place); }
            }
            if bytes.is_empty() { break; }
        }
        if let Ok(model) = crate::Model::read(&bytes) {
            let mut scores = vec![0.0; model.outputs()];
            model.predict_row(&vec![0.5; model.features()], &mut scores);
        }
    }

    #[test]
    fn truncations_are_refused(ensemble in testing::ensemble(), cut in any::<prop::sample::Index>()) {
        let bytes = write(&ensemble);
        prop_assert!(read(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
    }
}
