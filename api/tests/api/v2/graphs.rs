//! The smallest ONNX graph there is, for any element type: what goes in comes out.

use std::path::Path;

/// Datatypes of the protocol with ONNX's numbers for them.
pub const ELEMENTS: [(&str, u64); 6] = [
    ("BOOL", 9),
    ("INT32", 6),
    ("INT64", 7),
    ("FP32", 1),
    ("FP64", 11),
    ("BYTES", 8),
];

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn message(field: u64, content: &[u8]) -> Vec<u8> {
    [&varint(field << 3 | 2), &varint(content.len() as u64), content].concat()
}

/// `y = Identity(x)`, both `[rows, columns]`.
pub fn identity(element: u64, columns: u64) -> Vec<u8> {
    let dimensions = [message(1, &message(2, b"N")), message(1, &number(1, columns))].concat();
    let tensor = [number(1, element), message(2, &dimensions)].concat();
    let put = |name: &[u8]| [message(1, name), message(2, &message(1, &tensor))].concat();
    let node = [message(1, b"x"), message(2, b"y"), message(4, b"Identity")].concat();
    let graph = [
        message(1, &node),
        message(2, b"graph"),
        message(11, &put(b"x")),
        message(12, &put(b"y")),
    ]
    .concat();
    [number(1, 8), message(7, &graph), message(8, &number(2, 18))].concat()
}

/// Writes it.
pub fn write_identity(path: &Path, element: u64, columns: u64) {
    std::fs::write(path, identity(element, columns)).unwrap();
}
