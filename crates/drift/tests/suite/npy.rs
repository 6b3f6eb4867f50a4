//! `.npy` files against numpy, and broken ones.

use crate::oracle::Oracle;
use drift::npy::{Matrix, NpyError, read, write};
use proptest::prelude::*;

fn matrix() -> Matrix {
    Matrix {
        rows: 3,
        columns: 2,
        values: vec![1.5, -0.0, 1e-310, f64::MAX, 0.1, -7.25],
    }
}

const NUMPY_SAVE: &str = r#"
import io, sys
import numpy as np

values = np.array([[1.5, -0.0], [1e-310, np.finfo("f8").max], [0.1, -7.25]])
out = sys.stdout.buffer

def emit(array, version):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    out.write(len(file.getvalue()).to_bytes(8, "little") + file.getvalue())

assert (np.load(io.BytesIO(sys.stdin.buffer.read())) == values).all()
emit(values, (1, 0))
emit(values, (2, 0))
emit(np.array([[0.1, -7.25]], "<f4"), (1, 0))
emit(np.asfortranarray(values), (1, 0))
emit(values.astype(">f8"), (1, 0))
emit(np.zeros((3, 2), "<i8"), (1, 0))
emit(values[0], (1, 0))
emit(values[:0], (1, 0))
emit(values.reshape(3, 2, 1), (1, 0))
emit(values, (3, 0))
"#;

#[test]
fn numpy_writes_the_same_bytes_and_reads_ours() {
    let Some(oracle) = Oracle::find("numpy_writes_the_same_bytes_and_reads_ours") else {
        return;
    };
    let output = oracle.bytes(NUMPY_SAVE, &write(&matrix()));
    let mut rest = output.as_slice();
    let mut files = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let (file, after) = after.split_at(u64::from_le_bytes(*length) as usize);
        files.push(file);
        rest = after;
    }
    assert_eq!(files[0], write(&matrix()));
    assert_eq!(read(files[0]), Ok(matrix()));
    assert_eq!(read(files[1]), Ok(matrix()));
    let single = Matrix {
        rows: 1,
        columns: 2,
        values: vec![f64::from(0.1_f32), -7.25],
    };
    assert_eq!(read(files[2]), Ok(single));
    let errors: Vec<String> = files[3..]
        .iter()
        .map(|file| read(file).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(errors.join("\n"));
}

/// A version 1.0 file with this head.
fn with_head(head: &str, data: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn heads_are_read_strictly() {
    let good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }\n";
    assert_eq!(read(&with_head(good, 16)).unwrap().values, [0.0, 0.0]);
    let reordered = "{\"shape\":(1,2,),\"descr\":\"<f4\",\"fortran_order\":False}";
    assert_eq!(read(&with_head(reordered, 8)).unwrap().values, [0.0, 0.0]);
    for head in [
        "",
        "{}",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1)} {}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 1)}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (2, 1)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), 'extra': 1}",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2, 1)}",
    ] {
        assert_eq!(
            read(&with_head(head, 16)),
            Err(NpyError::Head(head.into())),
            "{head}"
        );
    }
    for shape in [
        "2",
        "2,",
        "",
        "2, 0",
        "2, 1, 1",
        "-2, 1",
        "9999999999, 9999999999",
        "2 1",
    ] {
        let head = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}");
        assert_eq!(
            read(&with_head(&head, 16)),
            Err(NpyError::Shape(shape.into())),
            "{shape}"
        );
    }
    for data in [0, 15, 17] {
        assert_eq!(
            read(&with_head(good, data)),
            Err(NpyError::Length {
                found: data,
                expected: 16
            })
        );
    }
}

proptest! {
    #[test]
    fn round_trip(rows in 1_usize..20, columns in 1_usize..6, seed in any::<u64>()) {
        let values = (0..rows * columns).map(|i| (i as f64 + 0.1) * (seed as f64)).collect();
        let matrix = Matrix { rows, columns, values };
        prop_assert_eq!(read(&write(&matrix)), Ok(matrix));
    }

    #[test]
    fn cut_or_changed_files_never_panic(cut in 0_usize..200, place in 0_usize..130, byte in any::<u8>()) {
        let mut bytes = write(&matrix());
        bytes[place] = byte;
        bytes.truncate(cut);
        if let Ok(read) = read(&bytes) {
            prop_assert_eq!(read.values.len(), read.rows * read.columns);
        }
    }
}
